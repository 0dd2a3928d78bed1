// `simulate` for people: the verdict first, then latencies, what was served, money, and what
// differs from an earlier run.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "render/pages.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using app::PoolFacts;
using app::SimulateResult;
using simulation::GroupResult;
using simulation::Percentiles;
using simulation::PoolResult;
using simulation::RunResult;
using simulation::Verdict;

std::string seconds_text(double seconds) { return time_text(Seconds(seconds)); }

std::string number_text(std::uint64_t count) {
  return with_commas(static_cast<std::int64_t>(count));
}

std::string verdict_line(const RunResult& run) {
  std::string out = fmt::format("{}: {} of {} answered", verdict_name(run.verdict),
                                number_text(run.all.completed + run.all.hosted),
                                plural(static_cast<double>(run.all.offered), "request"));
  if (run.simulated_seconds > 0) out += " in " + seconds_text(run.simulated_seconds);
  if (!run.verdict_reason.empty()) out += "; " + run.verdict_reason;
  return out;
}

void add_latency(Table& table, const char* name, const Percentiles& p) {
  std::vector<std::string> cells = {name};
  for (const double value : {p.mean, p.p50, p.p90, p.p95, p.p99, p.max})
    cells.push_back(p.count > 0 ? seconds_text(value) : kUnknown);
  table.add(std::move(cells));
}

void write_latencies(Page& page, const RunResult& run) {
  Table table({Table::words("latency"), Table::numbers("mean"), Table::numbers("p50"),
               Table::numbers("p90", 2), Table::numbers("p95"), Table::numbers("p99"),
               Table::numbers("max", 1)});
  const simulation::Latencies& l = run.all.latency;
  add_latency(table, "ttft", l.ttft);
  add_latency(table, "tpot", l.tpot);
  add_latency(table, "itl", l.itl);
  add_latency(table, "e2e", l.e2e);
  add_latency(table, "queue", l.queue);
  page.table(table);
}

std::string lost_text(const GroupResult& g) {
  std::string out;
  const auto add = [&](std::uint64_t n, const char* what) {
    if (n > 0) out += fmt::format("; {} {}", number_text(n), what);
  };
  add(g.rejected, "rejected: longer than the context or the KV cache");
  add(g.shed, "shed");
  add(g.timed_out, "timed out");
  add(g.lost, "lost with their machine");
  add(g.hosted, "answered by the hosted API");
  add(g.unfinished, "unfinished");
  return out;
}

std::string share_of(const std::optional<std::uint64_t>& met, std::uint64_t offered) {
  if (!met || offered == 0) return kUnknown;
  return percent(static_cast<double>(*met) / static_cast<double>(offered));
}

std::string targets_text(const simulation::SloClass& one) {
  std::string out;
  const auto add = [&](const char* name, const std::optional<double>& target) {
    if (target) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, seconds_text(*target));
  };
  add("ttft", one.ttft_seconds);
  add("tpot", one.tpot_seconds);
  add("e2e", one.e2e_seconds);
  return out;
}

std::string pool_text(const PoolResult& pool, const PoolFacts& facts) {
  std::string layout = fmt::format("tp{}", facts.deployment.tp);
  if (facts.deployment.pp > 1) layout += fmt::format(" pp{}", facts.deployment.pp);
  if (facts.deployment.ep > 1) layout += fmt::format(" ep{}", facts.deployment.ep);
  return fmt::format("{} of {} x {} ({}), {} {}, {}",
                     plural(static_cast<double>(pool.most_replicas), "replica"),
                     facts.accelerators_per_replica, facts.accelerator, layout, facts.model,
                     facts.weights, facts.engine);
}

Section served_section(const SimulateResult& result) {
  const RunResult& run = result.run;
  Section out{.title = "", .entries = {}};
  out.add("traffic", fmt::format("{}: {} requests/s offered", result.traffic,
                                 significant(run.offered_requests_per_second, 3)));
  out.add("served", fmt::format("{} requests/s, {} output tokens/s{}",
                                number(app::requests_per_second(result)),
                                significant(run.output_tokens_per_second, 4), lost_text(run.all)));
  const bool targets = run.all.met_ttft || run.all.met_tpot || run.all.met_e2e;
  if (targets && result.classes.size() == 1) {
    out.add("goodput", fmt::format("{} of requests within {} (ttft {}, tpot {}, e2e {})",
                                   percent(app::goodput_share(run.all).value_or(0)),
                                   targets_text(result.classes.front()),
                                   share_of(run.all.met_ttft, run.all.offered),
                                   share_of(run.all.met_tpot, run.all.offered),
                                   share_of(run.all.met_e2e, run.all.offered)));
  }
  const app::KvFigures kv = app::kv_figures(result);
  const auto hits = static_cast<double>(kv.prefix_hit_tokens);
  const double prompts = std::max(1.0, hits + static_cast<double>(kv.prompt_tokens));
  out.add("KV cache",
          fmt::format("at most {} of {} blocks in use ({}), {}, {} of prompt tokens found",
                      with_commas(kv.peak_used), with_commas(kv.blocks),
                      percent(static_cast<double>(kv.peak_used) /
                              std::max(1.0, static_cast<double>(kv.blocks))),
                      plural(static_cast<double>(kv.preemptions), "preemption"),
                      percent(hits / prompts)));
  const auto per_million = app::usd_per_million_output_tokens(run.all);
  if (run.usd) {
    std::string cost = significant(*run.usd, 4) + " USD";
    if (per_million) {
      cost += fmt::format(", {} USD per million output tokens, {} million of them per USD",
                          significant(*per_million, 3), significant(1 / *per_million, 3));
    }
    if (run.usd_hosted) cost += fmt::format("; hosted API {} USD", significant(*run.usd_hosted, 4));
    out.add("cost", cost);
  } else {
    out.add("cost", "unknown: there is no price; give one with --price");
  }
  if (run.joules) {
    std::string energy = si(*run.joules, "J", 3);
    if (run.all.output_tokens > 0)
      energy += fmt::format(", {} per output token",
                            si(*run.joules / static_cast<double>(run.all.output_tokens), "J", 3));
    out.add("energy", energy);
  }
  if (result.pools.size() == 1) {
    out.add("machines", pool_text(run.pools.front(), result.pools.front()));
    const PoolFacts& facts = result.pools.front();
    out.add("step times",
            fmt::format("{} kernels; 80 % of true ones between {} and {} of ours",
                        cost::tier_name(facts.tier), significant(facts.interval_low, 3),
                        significant(facts.interval_high, 3)));
  }
  return out;
}

void write_pools(Page& page, const SimulateResult& result) {
  const RunResult& run = result.run;
  const bool eventful = std::any_of(run.pools.begin(), run.pools.end(), [](const PoolResult& p) {
    return p.cold_starts + p.spot_losses + p.failures + p.swaps > 0;
  });
  if (run.pools.size() < 2 && !eventful) return;
  page.gap();
  Table table({Table::names("pool", 8), Table::prose("machines", 14, 1), Table::numbers("most"),
               Table::numbers("requests", 2), Table::numbers("ttft p95"),
               Table::numbers("tpot p95"), Table::numbers("usd"), Table::numbers("idle", 3),
               Table::numbers("loading", 4), Table::numbers("starts", 5),
               Table::numbers("lost", 6)});
  for (std::size_t i = 0; i < run.pools.size(); ++i) {
    const PoolResult& p = run.pools[i];
    const PoolFacts& f = result.pools[i];
    const auto dollars = [](const std::optional<double>& usd) {
      return usd ? fmt::format("{:.2f}", *usd) : std::string(kUnknown);
    };
    const auto latency = [](const Percentiles& l) {
      return l.count > 0 ? seconds_text(l.p95) : std::string(kUnknown);
    };
    table.add({p.group.name, fmt::format("{} x {}", f.accelerators_per_replica, f.accelerator),
               with_commas(p.most_replicas), number_text(p.group.completed),
               latency(p.group.latency.ttft), latency(p.group.latency.tpot), dollars(p.usd),
               dollars(p.usd_idle), dollars(p.usd_loading), number_text(p.cold_starts),
               number_text(p.spot_losses + p.failures)});
  }
  page.table(table);
}

void write_groups(Page& page, const SimulateResult& result) {
  const RunResult& run = result.run;
  const auto write = [&](const char* title, const std::vector<GroupResult>& groups) {
    if (groups.size() < 2) return;
    page.gap();
    Table table({Table::names(title, 8), Table::numbers("requests"), Table::numbers("answered"),
                 Table::numbers("good"), Table::numbers("ttft p95"), Table::numbers("tpot p95"),
                 Table::numbers("shed", 2), Table::numbers("usd", 1)});
    for (const GroupResult& g : groups) {
      const auto latency = [](const Percentiles& l) {
        return l.count > 0 ? seconds_text(l.p95) : std::string(kUnknown);
      };
      const auto good = app::goodput_share(g);
      table.add({g.name, number_text(g.offered), number_text(g.completed + g.hosted),
                 good ? percent(*good) : kUnknown, latency(g.latency.ttft), latency(g.latency.tpot),
                 number_text(g.shed + g.timed_out),
                 g.usd ? fmt::format("{:.2f}", *g.usd) : kUnknown});
    }
    page.table(table);
  };
  write("class", run.classes);
  write("model", run.models);
}

void write_comparison(Page& page, const app::Comparison& comparison) {
  page.gap();
  Table table({Table::names("figure", 20), Table::numbers("before"), Table::numbers("now"),
               Table::numbers("difference", 1), Table::numbers("ratio")});
  std::size_t same = 0;
  for (const app::ComparedFigure& f : comparison.figures) {
    if (!f.before && !f.after) continue;
    if (f.difference && *f.difference == 0) {
      ++same;
      continue;
    }
    const auto cell = [](const std::optional<double>& v) { return number(v, 4); };
    const std::string sign = f.difference && *f.difference > 0 ? "+" : "";
    table.add({f.name, cell(f.before), cell(f.after),
               f.difference ? sign + cell(f.difference) : kUnknown,
               f.ratio ? "x" + significant(*f.ratio, 3) : kUnknown});
  }
  if (!table.empty()) page.table(table);
  page.note(same == comparison.figures.size() ? "no figure differs from the earlier result"
                                              : fmt::format("{} figures are the same", same));
}

}  // namespace

void write_page(Page& page, const app::SimulateAnswer& answer, const Options& options) {
  const SimulateResult& result = answer.result;
  page.title(verdict_line(result.run));
  page.gap();
  write_latencies(page, result.run);
  page.gap();
  page.sections({served_section(result)});
  write_pools(page, result);
  write_groups(page, result);
  if (result.comparison) write_comparison(page, *result.comparison);
  page.gap();
  if (options.timing) {
    const auto done = static_cast<double>(result.run.all.offered - result.run.all.unfinished);
    page.note(fmt::format("simulated in {}{}", duration_text(Seconds(result.wall_seconds), 3),
                          result.wall_seconds > 0
                              ? fmt::format(", {} requests per second of it",
                                            significant(done / result.wall_seconds, 3))
                              : ""));
  }
  if (answer.envelope.catalogue_date) {
    page.note(fmt::format("prices as of {}; --assumptions lists what this rests on",
                          answer.envelope.catalogue_date->text()));
  }
  page.assumptions(answer.envelope);
}

}  // namespace portolan::render
