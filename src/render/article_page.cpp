// `validate article` and the derivation trees of --explain, for people.
#include <fmt/format.h>

#include "base/text.hpp"
#include "render/pages.hpp"
#include "render/value_of.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

void write_errata(Page& page, const app::ArticleResult& r) {
  if (page.markdown()) {
    // The published page: headings and paragraphs, each erratum with the goldens that prove it.
    std::string out =
        "# Where the article's numbers do not add up\n\n"
        "*Navigating the High Cost of AI Compute* (Guido Appenzeller, Matt Bornstein and Martin "
        "Casado, a16z, 2023-04-27) put the economics of AI compute into numbers that anybody can "
        "recompute, and we are grateful for it: Portolan began as that recomputation. It found "
        "thirteen places where the numbers disagree with each other or with their sources; the "
        "article's conclusions mostly survive. Everything below is printed by `portolan validate "
        "article --errata -o md`, and `portolan validate article` recomputes every golden value it "
        "names.\n";
    for (const app::Erratum& e : r.errata) {
      out += fmt::format(
          "\n## {}. {}\n\n{}\n\n- **What is wrong:** {}\n- **Portolan says:** {}\n- **Golden "
          "values:** "
          "{}\n",
          e.id, escape_markdown(e.claim), escape_markdown(e.explanation),
          escape_markdown(e.problem), escape_markdown(e.answer), joined(e.goldens, ", "));
    }
    page.raw(out);
    return;
  }
  for (const app::Erratum& e : r.errata) {
    Section out{.title = e.id + "  " + e.claim, .entries = {}};
    out.add("wrong", e.problem);
    out.add("Portolan", e.answer);
    out.add("because", e.explanation);
    out.add("goldens", joined(e.goldens, ", "));
    page.sections({out});
  }
}

std::string value_text(const Derivation& d) {
  if (d.unit == "parameters") return parameters(*d.value);
  // Units that take no SI prefix.
  for (std::string_view plain : {"", "USD", "s", "h", "x", "tokens"}) {
    if (d.unit == plain) {
      return significant(*d.value, 6) + (plain.empty() ? "" : " " + d.unit);
    }
  }
  return si(*d.value, d.unit, 5);
}

void explain(Page& page, const Derivation& d, std::size_t depth) {
  const std::string indent(depth * 2, ' ');
  std::string line = d.name;
  if (d.value) line += " = " + value_text(d);
  if (!d.formula.empty()) line += " [" + d.formula + "]";
  const auto add = [&](const std::string& prefix, const std::string& text) {
    page.raw(wrap(prefix, printable(text), page.width(), indent.size() + 6) + "\n");
  };
  add(indent, line);
  if (!d.substituted.empty()) add(indent + "  = ", d.substituted);
  // A figure that was worked out is an estimate; saying so on every line would hide the facts.
  std::string from = d.source.empty() && d.kind == "estimate" ? "" : d.kind;
  if (!d.source.empty()) {
    from += (from.empty() ? "" : ": ") + d.source + (d.date.empty() ? "" : " (" + d.date + ")");
  }
  if (!from.empty()) add(indent + "  from ", from);
  if (!d.note.empty()) add(indent + "  note ", d.note);
  for (const Derivation& input : d.inputs) explain(page, input, depth + 1);
}

}  // namespace

void write_page(Page& page, const app::ArticleAnswer& answer, const Options&) {
  const app::ArticleResult& r = answer.result;
  if (asks_for(answer.envelope, "errata")) return write_errata(page, r);
  Table table({Table::words("id"), Table::prose("what", 24), Table::numbers("computed"),
               Table::numbers("expected"), Table::words("unit"), Table::numbers("off by", 2),
               Table::numbers("allowed", 1), Table::words("")});
  for (const app::Golden& g : r.goldens) {
    table.add({g.id, g.what, fmt::format("{:.6g}", g.computed), fmt::format("{:.6g}", g.expected),
               g.unit, fmt::format("{:.2g}", g.deviation()),
               g.tolerance <= 1e-8 ? "exact" : percent(g.tolerance), g.passes() ? "✓" : "✗ moved"});
  }
  page.table(table);
  page.note(fmt::format("{} golden values, {} moved; in words: portolan validate article --errata",
                        r.goldens.size(), r.failed));
}

void write_derivations(Page& page, const std::vector<Derivation>& derivations) {
  page.gap();
  page.title("how the figures come about");
  if (page.markdown()) page.raw("```\n");
  for (const Derivation& d : derivations) explain(page, d, 1);
  if (page.markdown()) page.raw("```\n");
}

}  // namespace portolan::render
