#include "render/page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "render/words.hpp"

namespace portolan::render {

std::size_t Page::width() const {
  return options_.format == Format::kTable ? options_.style.width : 0;
}

void Page::title(std::string_view text) {
  const std::string shown = printable(text);
  if (markdown()) {
    gap();
    text_ += "**" + escape_markdown(shown) + "**\n\n";
  } else {
    const std::string wrapped = wrap("", shown, width(), 2);
    text_ += options_.style.color ? "\x1b[1m" + wrapped + "\x1b[0m\n" : wrapped + "\n";
  }
}

void Page::sections(const std::vector<Section>& sections) {
  std::size_t names = 0;
  for (const Section& section : sections) {
    for (const auto& entry : section.entries) names = std::max(names, display_width(entry.first));
  }
  for (const Section& section : sections) {
    if (section.entries.empty()) continue;
    if (!section.title.empty()) title(section.title);
    if (markdown()) {
      Table table({Table::words("what"), Table::words("value")});
      for (const auto& [name, value] : section.entries) table.add({name, value});
      text_ += table.markdown();
      continue;
    }
    for (const auto& [name, value] : section.entries) {
      const std::string blanks(names + 2 - display_width(name), ' ');
      text_ += wrap("  " + name + blanks, printable(value), width(), names + 4) + "\n";
    }
  }
}

void Page::table(const Table& table) {
  if (markdown()) {
    gap();
    text_ += table.markdown();
    return;
  }
  Style style = options_.style;
  style.width = width();
  std::vector<std::string> left_out;
  text_ += table.text(style, &left_out);
  if (!left_out.empty()) {
    note(fmt::format("left out for width: {}; -o wide shows all", joined(left_out, ", ")));
  }
}

void Page::note(std::string_view text) {
  const std::string shown = printable(text);
  if (markdown()) {
    gap();
    text_ += escape_markdown(shown) + "\n";
  } else {
    text_ += wrap("", shown, width(), 2) + "\n";
  }
}

void Page::figure(std::string_view text) {
  if (markdown()) {
    gap();
    text_ += fmt::format("```\n{}```\n", text);
  } else {
    text_ += text;
  }
}

void Page::gap() {
  if (!text_.empty() && !text_.ends_with("\n\n")) text_ += '\n';
}

void Page::assumptions(const app::Envelope& envelope) {
  if (!options_.assumptions || envelope.assumptions.empty()) return;
  gap();
  Table table({Table::names("assumption", 16), Table::prose("value", 10), Table::words("origin"),
               Table::prose("change with", 12), Table::prose("source", 16, 1)});
  for (const app::Assumption& a : envelope.assumptions) {
    table.add({a.key, a.value.is_null() ? kUnknown : a.value.scalar_text(), a.origin, known(a.flag),
               known(a.source)});
  }
  this->table(table);
}

std::string Page::text() const { return options_.style.unicode ? text_ : to_ascii(text_); }

}  // namespace portolan::render
