// `validate` on measured points and `calibrate`, for people; as Markdown the whole page of
// docs/accuracy.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "render/pages.hpp"
#include "render/value_of.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using app::ValidateResult;
using measure::GroupScore;

/// Per cent with one decimal below 100; the unit is in the header.
std::string hundredths(const std::optional<double>& share) {
  if (!share) return kUnknown;
  const double value = 100 * *share;
  return std::abs(value) < 99.95 ? fmt::format("{:.1f}", value) : significant(value, 3);
}
std::string signed_hundredths(const std::optional<double>& share) {
  return share && *share > 0 ? "+" + hundredths(share) : hundredths(share);
}
std::string whole_percent(double share) {
  // 99.6 % is not all of it.
  return share < 1 ? fmt::format("{:.0f}", std::min(99.0, 100 * share)) : "100";
}

/// Metrics as columns have room for them.
std::string short_metric(const std::string& metric) {
  if (metric == "output_tokens_per_second") return "tokens/s";
  if (metric == "total_tokens_per_second") return "all tok/s";
  if (metric == "requests_per_second") return "requests/s";
  return metric;
}

std::vector<const GroupScore*> worst_first(const std::vector<GroupScore>& groups) {
  std::vector<const GroupScore*> out;
  out.reserve(groups.size());
  for (const GroupScore& g : groups) out.push_back(&g);
  std::stable_sort(out.begin(), out.end(), [](const GroupScore* a, const GroupScore* b) {
    return a->median_ape.value_or(-1) > b->median_ape.value_or(-1);  // nothing answered: last
  });
  return out;
}

std::vector<std::string> score_cells(const GroupScore& g) {
  return {short_metric(g.metric),    count_of(g.n),          whole_percent(g.covered),
          hundredths(g.median_ape),  hundredths(g.mean_ape), hundredths(g.p90_ape),
          signed_hundredths(g.bias), hundredths(g.interval)};
}

std::vector<Table::Column> score_columns(std::vector<Table::Column> first) {
  for (Table::Column column :
       {Table::words("metric"), Table::numbers("n"), Table::numbers("answered %", 2),
        Table::numbers("median %"), Table::numbers("mean %", 3), Table::numbers("p90 %"),
        Table::numbers("bias %"), Table::numbers("in 80 %", 1)})
    first.push_back(std::move(column));
  return first;
}

void add_cells(Table& table, std::vector<std::string> first, const GroupScore& score) {
  for (std::string& cell : score_cells(score)) first.push_back(std::move(cell));
  table.add(std::move(first));
}

Table totals_table(const ValidateResult& r) {
  Table table(score_columns({Table::names("set", 8)}));
  for (const GroupScore& total : r.totals) add_cells(table, {total.set}, total);
  table.leave_out_empty("in 80 %");
  return table;
}

Table groups_table(const ValidateResult& r, std::size_t limit) {
  const bool several = std::any_of(r.groups.begin(), r.groups.end(), [&](const GroupScore& g) {
    return g.set != r.groups.front().set;
  });
  std::vector<Table::Column> first;
  if (several) first.push_back(Table::names("set", 8));
  first.push_back(Table::names("group, worst first", 30));
  Table table(score_columns(std::move(first)));
  std::size_t shown = 0;
  for (const GroupScore* g : worst_first(r.groups)) {
    if (limit > 0 && shown++ == limit) break;
    add_cells(table, several ? std::vector{g->set, g->group} : std::vector{g->group}, *g);
  }
  table.leave_out_empty("in 80 %");
  return table;
}

Table same_points_table(const ValidateResult& r) {
  Table table({Table::words("set"), Table::words("metric"), Table::names("other tool", 14),
               Table::numbers("n"), Table::numbers("its median %"), Table::numbers("its mean %", 1),
               Table::numbers("our median %"), Table::numbers("our mean %", 1)});
  for (const app::PeerScore& p : r.peers) {
    if (!p.ours) continue;
    table.add({p.score.set, short_metric(p.score.metric), p.peer, count_of(p.score.n),
               hundredths(p.score.median_ape), hundredths(p.score.mean_ape),
               hundredths(p.ours->median_ape), hundredths(p.ours->mean_ape)});
  }
  return table;
}

Table published_table(const ValidateResult& r) {
  Table table({Table::words("set"), Table::names("points", 12), Table::words("metric"),
               Table::names("tool", 10), Table::words("basis"), Table::numbers("n"),
               Table::numbers("median %"), Table::numbers("mean %"), Table::numbers("p90 %", 1),
               Table::prose("source", 12, 2), Table::words("date", 3)});
  for (const app::PeerScore& p : r.peers) {
    if (p.ours) continue;
    table.add({p.score.set, p.score.group, short_metric(p.score.metric), p.peer, p.basis,
               count_of(p.score.n), hundredths(p.score.median_ape), hundredths(p.score.mean_ape),
               hundredths(p.score.p90_ape), p.source, p.date});
  }
  return table;
}

Table left_out_table(const ValidateResult& r) {
  Table table({Table::words("operator"), Table::names("accelerator", 8), Table::numbers("curves"),
               Table::numbers("rows"), Table::numbers("too fast", 1), Table::numbers("by point %"),
               Table::numbers("p90 %"), Table::numbers("by shape %"),
               Table::numbers("shape p90 %", 2)});
  for (const app::LeftOut& l : r.left_out) {
    table.add({l.op, l.accelerator, count_of(l.curves), count_of(l.rows), count_of(l.rejected),
               hundredths(l.median_point), hundredths(l.p90_point), hundredths(l.median_site),
               hundredths(l.p90_site)});
  }
  return table;
}

std::string head(const ValidateResult& r) {
  std::size_t points = 0, scored = 0;
  for (const GroupScore& g : r.groups) points += g.points, scored += g.n;
  return fmt::format("{} measured figures, {} answered, {} groups", count_of(points),
                     count_of(scored), count_of(r.groups.size()));
}

constexpr std::string_view kMethod =
    "# How wrong the figures are\n\n"
    "Printed by `portolan validate -o md` from measured points that ship inside the program: a "
    "sample of published figures, each with its source, drawn by a rule "
    "(`tools/data/build_measured.py`) and never by its error. `--rows FILE` writes every point "
    "with what is predicted, `--svg FILE` draws them; on [your own measurements]"
    "(guides/validate.md) the same command gives the same tables.\n\n"
    "![Predicted against measured](images/accuracy.svg)\n\n"
    "## How to read it\n\n"
    "The error of a point is |predicted − measured| / measured. *Bias* is the median with its "
    "sign: above 0 we are too slow or too much. *In 80 %* is the share of points inside the "
    "printed 80 % interval; 75–85 is right, more means intervals too wide, less too narrow. "
    "*Answered* counts points that the model refuses against it; none is dropped.\n\n"
    "**What is held back and what is not.** The shipped points overlap with the measurements that "
    "curves and engine constants were fitted to, so their errors are no forecast. Errors on unseen "
    "data come from leaving out: the table *Kernels left out* refits every curve without one point "
    "of each line (what interpolation costs) and without whole shapes (what a new model costs); "
    "[models.md](models.md) gives the errors with whole models and accelerators left out.\n";

constexpr std::string_view kMissing =
    "\n## Known to be missing\n\n"
    "- **The fabric.** Congestion, routing and stragglers between nodes are not known; the network "
    "runs at its stated rate times a share.\n"
    "- **Software of its day.** One engine record stands for a version; the same configuration "
    "became up to 1.7 times faster over a year of releases.\n"
    "- **Routing of experts** in served traffic: the table's law is used, live traffic differs.\n"
    "- **Power and clocks.** A board at its limit lowers its clocks with the data it multiplies; "
    "only the mean of that is in the fitted shares.\n"
    "- **Strategies that nobody published** (groups `strategy_unknown`): the fastest layout our "
    "search finds answers, which need not be the one that ran.\n"
    "- **Single-node training runs of the BLOOM sweep** report tokens per accelerator that do not "
    "follow from their step time: the group is wrong by a factor, and stays in.\n"
    "- **Queues near saturation** amplify every error of the step; `overloaded` groups are shown, "
    "not counted in totals.\n";

void write_markdown(Page& page, const ValidateResult& r) {
  page.raw(kMethod);
  page.raw(
      fmt::format("\n## In all\n\n{}. Groups of overloaded, disaggregated and physically "
                  "impossible points and of unpublished strategies are left out here and "
                  "listed below.\n",
                  head(r)));
  page.table(totals_table(r));
  if (r.goldens)
    page.raw(
        fmt::format("\n{} golden values of the reference article, {} moved: "
                    "`portolan validate article`, [errata](errata.md).\n",
                    *r.goldens, *r.goldens_moved));
  page.raw(
      "\n## Beside other tools\n\n"
      "On the same points: only those that both answer, the other tool's own predictions as "
      "published or from running it.\n");
  page.table(same_points_table(r));
  if (!r.left_out.empty()) {
    page.raw(
        "\n## Kernels left out\n\n"
        "The fitted curves inside the program, by operator and accelerator, weighted by rows; *too "
        "fast* are rows faster than physics, kept out of the fit.\n");
    page.table(left_out_table(r));
  }
  page.raw("\n## Every group\n");
  page.table(groups_table(r, 0));
  page.raw(kMissing);
  page.raw(
      "\n## What others report\n\n"
      "Over whole tables, which only partly are the points above.\n");
  page.table(published_table(r));
}

std::size_t limit_of(const app::Envelope& envelope) {
  const io::Value* limit = envelope.request.find("limit");
  const auto number = limit == nullptr ? std::nullopt : parse_int(limit->scalar_text());
  return number && *number >= 0 ? static_cast<std::size_t>(*number) : 0;
}

bool whole_page(const app::Envelope& envelope) {
  return envelope.request.find("set") == nullptr && envelope.request.find("data") == nullptr;
}

}  // namespace

void write_page(Page& page, const app::ValidateAnswer& answer, const Options&) {
  const ValidateResult& r = answer.result;
  if (page.markdown() && whole_page(answer.envelope)) return write_markdown(page, r);
  const std::size_t limit = limit_of(answer.envelope);
  if (!r.groups.empty()) {
    page.title(head(r));
    page.table(totals_table(r));
    page.gap();
    page.table(groups_table(r, limit));
    if (limit > 0 && r.groups.size() > limit)
      page.note(fmt::format("{} of {} groups shown, worst first; --limit 0 for all", limit,
                            r.groups.size()));
  }
  const auto same = std::count_if(r.peers.begin(), r.peers.end(),
                                  [](const app::PeerScore& p) { return p.ours.has_value(); });
  if (same > 0) {
    page.gap();
    page.title("other tools on the same points");
    page.table(same_points_table(r));
  }
  if (r.goldens) {
    page.gap();
    page.note(fmt::format("article: {} golden values, {} moved; portolan validate article",
                          *r.goldens, *r.goldens_moved));
  }
}

namespace {

/// Curves of times or watts; 0 where nothing could be left out.
std::string left_out(double share) { return share > 0 ? hundredths(share) : kUnknown; }

void write_curves(Page& page, const app::CalibrateResult& r, std::size_t limit) {
  Table table({Table::names("accelerator", 10), Table::names("engine", 8), Table::words("operator"),
               Table::words("format"), Table::words("cache", 3), Table::names("variant", 8, 4),
               Table::numbers("rows"), Table::numbers("too fast", 2), Table::numbers("by point %"),
               Table::numbers("p90 %", 1), Table::numbers("by shape %")});
  std::size_t shown = 0;
  for (const measure::CalibrationLine& c : r.curves) {
    if (limit > 0 && shown++ == limit) break;
    table.add({c.key.accelerator, c.key.backend + " " + c.key.version, c.key.op, known(c.key.dtype),
               known(c.key.kv_dtype), known(c.key.variant), count_of(c.rows), count_of(c.rejected),
               left_out(c.median_point), left_out(c.p90_point), left_out(c.median_site)});
  }
  for (const char* column : {"cache", "variant"}) table.leave_out_empty(column);
  page.table(table);
  if (limit > 0 && r.curves.size() > limit)
    page.note(fmt::format("{} of {} curves shown; --limit 0 for all", limit, r.curves.size()));
  page.gap();
  page.title("by operator, all curves weighted by rows");
  Table pooled({Table::words("operator"), Table::numbers("curves"), Table::numbers("rows"),
                Table::numbers("too fast", 1), Table::numbers("by point %"),
                Table::numbers("p90 %"), Table::numbers("by shape %"),
                Table::numbers("shape p90 %", 2)});
  for (const app::LeftOut& l : r.by_operator) {
    pooled.add({l.op, count_of(l.curves), count_of(l.rows), count_of(l.rejected),
                hundredths(l.median_point), hundredths(l.p90_point), hundredths(l.median_site),
                hundredths(l.p90_site)});
  }
  page.table(pooled);
  page.note(
      "median error with one point of a line left out of the fit, and with all points of a shape");
}

void write_engines(Page& page, const app::CalibrateResult& r, std::size_t limit) {
  Table errors({Table::names("engine", 8), Table::words("metric"), Table::words("left out", 2),
                Table::numbers("points"), Table::numbers("known %", 1), Table::numbers("median %"),
                Table::numbers("mean %"), Table::numbers("in 80 %", 3)});
  std::size_t shown = 0;
  const auto add = [&](const app::EngineError& e) {
    errors.add({e.engine, e.metric, e.part.empty() ? "each " + e.left_out_by : e.part,
                count_of(e.points), hundredths(e.known_median), hundredths(e.median),
                hundredths(e.mean), e.inside ? whole_percent(*e.inside) : kUnknown});
  };
  for (const app::EngineError& e : r.engines) {
    if (e.part.empty()) add(e);
  }
  for (const app::EngineError& e : r.engines) {
    if (e.part.empty() || (limit > 0 && shown == limit)) continue;
    ++shown;
    add(e);
  }
  page.table(errors);
  const auto parts = static_cast<std::size_t>(std::count_if(
      r.engines.begin(), r.engines.end(), [](const auto& e) { return !e.part.empty(); }));
  if (shown < parts)
    page.note(fmt::format("{} of {} parts shown; --limit 0 for all", shown, parts));
  page.note(
      "known: median error by the times that were known; median, mean: by a fit of the others");
  page.gap();
  page.title("host times");
  Table times({Table::words("engine"), Table::words("time"), Table::numbers("known us"),
               Table::numbers("fitted us"), Table::words("told within")});
  for (const app::FittedTime& t : r.times) {
    const std::string told = !t.decided ? "hardly"
                             : !t.log_error
                                 ? kUnknown
                                 : fmt::format("{:.0f} %", 100 * std::expm1(*t.log_error));
    times.add(
        {t.engine, t.time, significant(1e6 * t.known, 3), significant(1e6 * t.fitted, 3), told});
  }
  page.table(times);
  page.note("hardly: the points do not tell it, it stays near what was known");
}

}  // namespace

void write_page(Page& page, const app::CalibrateAnswer& answer, const Options&) {
  const app::CalibrateResult& r = answer.result;
  page.title(fmt::format("{} rows read, {} fitted, {} faster than physics, {} unknown",
                         count_of(r.rows_read), count_of(r.rows_fitted), count_of(r.rows_rejected),
                         count_of(r.rows_unknown)));
  const std::size_t limit = limit_of(answer.envelope);
  if (!r.curves.empty()) write_curves(page, r, limit);
  if (!r.curves.empty() && !r.engines.empty()) page.gap();
  if (!r.engines.empty()) write_engines(page, r, limit);
}

}  // namespace portolan::render
