// The report of a simulation: the figures, and plots of latencies and of the run over time.
#include "render/simulation_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "render/line_plot.hpp"
#include "render/plot.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using app::SimulateResult;
using app::TimePoint;
using simulation::Percentiles;

constexpr std::size_t kMostPools = 6;  // drawn one by one

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1b2a41;--dim:#5a6573;--paper:#fff;--card:#f6f8fa;--line:#d9dfe7;
--c0:#1d5fa8;--c1:#c2410c;--c2:#2f7d4f;--c3:#8a3ffc;--c4:#a16207;--c5:#be185d}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf2;--dim:#9aa7b6;--paper:#12161c;--card:#1a2029;
--line:#303a47;--c0:#6cb0f5;--c1:#ff9d66;--c2:#6fcf97;--c3:#c4a5ff;--c4:#e3b341;--c5:#ff8fc0}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px;max-width:1380px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:28px 0 8px}
p{margin:4px 0}.dim{color:var(--dim)}
.verdict{border-left:4px solid var(--c2);padding:8px 14px;background:var(--card);margin:14px 0}
.backlogged{border-color:var(--c4)}.overloaded{border-color:var(--c1)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:16px}
.plots svg{width:100%;background:var(--card);border-radius:6px;padding:6px}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:3px 14px 3px 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child,td.w{text-align:left}td.w{white-space:normal}th{color:var(--dim);font-weight:500}
svg text{font:11px system-ui,sans-serif;fill:var(--dim)}svg .h{font-size:13px;fill:var(--ink)}
svg .g{stroke:var(--line);stroke-width:1}svg .l{fill:none;stroke-width:1.6}
.l0{stroke:var(--c0)}.l1{stroke:var(--c1)}.l2{stroke:var(--c2)}.l3{stroke:var(--c3)}
.l4{stroke:var(--c4)}.l5{stroke:var(--c5)}
@media(max-width:520px){.plots{grid-template-columns:1fr}}
)";

std::string seconds_text(double seconds) { return time_text(Seconds(seconds)); }

std::string row(const std::vector<std::string>& cells, const char* tag = "td") {
  std::string out = "<tr>";
  for (const std::string& cell : cells)
    out += fmt::format("<{0}>{1}</{0}>", tag, xml_escaped(cell));
  return out + "</tr>\n";
}

std::string latency_table(const simulation::Latencies& l) {
  std::string out = "<div class=\"wide\"><table>" +
                    row({"latency", "mean", "p50", "p90", "p95", "p99", "max"}, "th");
  for (const auto& [name, p] :
       {std::pair<const char*, const Percentiles*>{"time to first token", &l.ttft},
        {"time per further token", &l.tpot},
        {"between tokens", &l.itl},
        {"end to end", &l.e2e},
        {"in the queue", &l.queue}}) {
    std::vector<std::string> cells = {name};
    for (const double value : {p->mean, p->p50, p->p90, p->p95, p->p99, p->max})
      cells.push_back(p->count > 0 ? seconds_text(value) : kUnknown);
    out += row(cells);
  }
  return out + "</table></div>\n";
}

std::string groups_table(const char* title, const std::vector<simulation::GroupResult>& groups) {
  if (groups.size() < 2) return {};
  std::string out = fmt::format("<h2>By {}</h2>\n<div class=\"wide\"><table>", title);
  out += row({title, "offered", "answered", "within targets", "ttft p95", "tpot p95", "e2e p95",
              "USD", "USD per million output tokens"},
             "th");
  for (const simulation::GroupResult& g : groups) {
    const auto latency = [](const Percentiles& l) {
      return l.count > 0 ? seconds_text(l.p95) : std::string(kUnknown);
    };
    const auto good = app::goodput_share(g);
    out += row({g.name, count_of(g.offered), count_of(g.completed + g.hosted),
                good ? percent(*good) : kUnknown, latency(g.latency.ttft), latency(g.latency.tpot),
                latency(g.latency.e2e), number(g.usd, 4),
                number(app::usd_per_million_output_tokens(g))});
  }
  return out + "</table></div>\n";
}

/// Distribution functions; p of the figures lies at or below.
std::string latency_plot(const SimulateResult& result) {
  LinePlot plot{.title = "Latencies: share of requests at or below",
                .x_title = "seconds",
                .y_title = "% of requests",
                .lines = {},
                .log_x = true,
                .steps = false,
                .least_top = 100};
  for (const app::Distribution& d : result.distributions) {
    if (d.seconds.empty() || d.seconds.back() <= 0) continue;
    Line line{.name = d.name, .points = {}};
    // What takes no time has no place on a logarithmic axis: the line begins above its share.
    for (std::size_t i = 0; i < d.seconds.size(); ++i) {
      if (d.seconds[i] > 1e-6) line.points.emplace_back(d.seconds[i], static_cast<double>(i));
    }
    plot.lines.push_back(std::move(line));
  }
  return line_plot(plot);
}

/// Time in the unit that gives readable ticks.
struct Clock {
  double divisor = 1;
  const char* title = "seconds";
};
Clock clock_of(const SimulateResult& result) {
  double last = 0;
  for (const TimePoint& p : result.timeline) last = std::max(last, p.seconds);
  if (last > 4 * 86'400) return {86'400, "days"};
  if (last > 3 * 3600) return {3600, "hours"};
  if (last > 600) return {60, "minutes"};
  return {};
}

using Figure = std::function<double(const TimePoint&)>;

/// All pools added up; they are sampled at the same times.
Line total(const SimulateResult& result, const Clock& clock, std::string name,
           const Figure& figure) {
  Line line{.name = std::move(name), .points = {}};
  std::size_t at = 0;
  for (const TimePoint& p : result.timeline) {
    if (p.pool == 0) {
      line.points.emplace_back(p.seconds / clock.divisor, figure(p));
      continue;
    }
    if (&p != result.timeline.data() && (&p - 1)->pool != p.pool) at = 0;
    if (at < line.points.size()) line.points[at++].second += figure(p);
  }
  return line;
}

void each_pool(LinePlot& plot, const SimulateResult& result, const Clock& clock,
               const std::string& what, const Figure& figure) {
  const std::size_t pools = std::min(result.run.pools.size(), kMostPools);
  for (std::size_t i = 0; i < pools; ++i) {
    const std::string& pool = result.run.pools[i].group.name;
    Line line{.name = pools == 1 ? what : pool + (what.empty() ? "" : " " + what), .points = {}};
    for (const TimePoint& p : result.timeline) {
      if (p.pool == i) line.points.emplace_back(p.seconds / clock.divisor, figure(p));
    }
    plot.lines.push_back(std::move(line));
  }
}

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

std::string time_plots(const SimulateResult& result) {
  const Clock clock = clock_of(result);
  std::string out;
  const auto plot = [&](const char* title, const char* y) {
    LinePlot one;
    one.title = title;
    one.x_title = clock.title;
    one.y_title = y;
    return one;
  };
  LinePlot load = plot("Requests answered", "requests/s");
  load.lines.push_back(
      total(result, clock, "answered", [](const TimePoint& p) { return p.completed_per_second; }));
  out += line_plot(load);
  LinePlot tokens = plot("Tokens", "tokens/s");
  tokens.lines = {total(result, clock, "prompt tokens computed",
                        [](const TimePoint& p) { return p.prompt_tokens_per_second; }),
                  total(result, clock, "output tokens",
                        [](const TimePoint& p) { return p.output_tokens_per_second; })};
  out += line_plot(tokens);
  LinePlot queue = plot("Requests under way", "requests");
  queue.lines = {total(result, clock, "running",
                       [](const TimePoint& p) { return static_cast<double>(p.running); }),
                 total(result, clock, "waiting",
                       [](const TimePoint& p) { return static_cast<double>(p.waiting); })};
  out += line_plot(queue);
  LinePlot cache = plot("KV cache in use", "% of blocks");
  cache.least_top = 100;
  each_pool(cache, result, clock, "in use", [](const TimePoint& p) {
    return p.total_blocks > 0
               ? 100.0 * static_cast<double>(p.used_blocks) / static_cast<double>(p.total_blocks)
               : kGap;
  });
  const bool hits = std::any_of(result.timeline.begin(), result.timeline.end(),
                                [](const TimePoint& p) { return p.prefix_hit_share > 0; });
  if (hits) {
    each_pool(cache, result, clock, "prompt tokens found", [](const TimePoint& p) {
      return p.prefix_hit_share ? 100 * *p.prefix_hit_share : kGap;
    });
  }
  out += line_plot(cache);
  LinePlot replicas = plot("Replicas", "replicas");
  replicas.steps = true;
  replicas.least_top = 1;
  each_pool(replicas, result, clock, "ready",
            [](const TimePoint& p) { return static_cast<double>(p.ready); });
  const bool loads = std::any_of(result.timeline.begin(), result.timeline.end(),
                                 [](const TimePoint& p) { return p.loading > 0; });
  if (loads) {
    each_pool(replicas, result, clock, "loading",
              [](const TimePoint& p) { return static_cast<double>(p.loading); });
  }
  out += line_plot(replicas);
  LinePlot money = plot("Cost of machines", "USD per hour");
  money.steps = true;
  each_pool(money, result, clock, "machines",
            [](const TimePoint& p) { return p.usd_per_hour.value_or(kGap); });
  out += line_plot(money);
  LinePlot steps = plot("Length of a step", "ms");
  each_pool(steps, result, clock, "mean",
            [](const TimePoint& p) { return p.step_seconds ? 1e3 * *p.step_seconds : kGap; });
  out += line_plot(steps);
  LinePlot watts = plot("Power of the accelerators", "kW");
  each_pool(watts, result, clock, "mean",
            [](const TimePoint& p) { return p.watts ? *p.watts / 1e3 : kGap; });
  return out + line_plot(watts);
}

std::string facts(const SimulateResult& result) {
  const simulation::RunResult& run = result.run;
  const app::KvFigures kv = app::kv_figures(result);
  std::string out = "<div class=\"wide\"><table>";
  const auto add = [&](const char* name, const std::string& value) {
    out += fmt::format("<tr><td>{}</td><td class=\"w\">{}</td></tr>\n", name, xml_escaped(value));
  };
  add("traffic", result.traffic);
  add("served",
      fmt::format("{} requests/s, {} output tokens/s", number(app::requests_per_second(result)),
                  significant(run.output_tokens_per_second, 4)));
  if (run.all.met_ttft || run.all.met_tpot || run.all.met_e2e)
    add("within every target", percent(app::goodput_share(run.all).value_or(0)));
  add("KV cache",
      fmt::format("at most {} of {} blocks, {}", with_commas(kv.peak_used), with_commas(kv.blocks),
                  plural(static_cast<double>(kv.preemptions), "preemption")));
  const auto per_million = app::usd_per_million_output_tokens(run.all);
  add("cost", run.usd ? fmt::format("{} USD, {} USD per million output tokens",
                                    significant(*run.usd, 4), number(per_million))
                      : "unknown");
  add("energy", run.joules ? si(*run.joules, "J", 3) : "unknown");
  for (std::size_t i = 0; i < result.pools.size(); ++i) {
    const app::PoolFacts& f = result.pools[i];
    const simulation::PoolResult& p = run.pools[i];
    add(("pool " + p.group.name).c_str(),
        fmt::format("at most {} of {} x {}, {} {}, {}; step times: {}, 80 % between {} and {} of "
                    "ours",
                    plural(static_cast<double>(p.most_replicas), "replica"),
                    f.accelerators_per_replica, f.accelerator, f.model, f.weights, f.engine,
                    cost::tier_name(f.tier), significant(f.interval_low, 3),
                    significant(f.interval_high, 3)));
  }
  return out + "</table></div>\n";
}

}  // namespace

std::string simulation_report(const app::SimulateAnswer& answer) {
  const SimulateResult& result = answer.result;
  const simulation::RunResult& run = result.run;
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>Simulation: {0}</title>\n<style>{1}</style></head>\n<body>\n<h1>Simulation</h1>\n"
      "<p class=\"dim\">{0}</p>\n",
      xml_escaped(result.traffic), kStyle);
  const char* verdict = verdict_name(run.verdict);
  out += fmt::format("<div class=\"verdict {0}\"><b>{0}</b>: {1} of {2} answered in {3}{4}</div>\n",
                     verdict, count_of(run.all.completed + run.all.hosted),
                     plural(static_cast<double>(run.all.offered), "request"),
                     seconds_text(run.simulated_seconds),
                     run.verdict_reason.empty() ? "" : "; " + xml_escaped(run.verdict_reason));
  for (const std::string& warning : answer.envelope.warnings) {
    // The verdict is above.
    const bool verdict_again =
        !run.verdict_reason.empty() && warning.find(run.verdict_reason) != std::string::npos;
    if (verdict_again) continue;
    out += fmt::format("<p>⚠ {}</p>\n", xml_escaped(warning));
  }
  out += "<h2>Latencies</h2>\n" + latency_table(run.all.latency);
  out += "<h2>Figures</h2>\n" + facts(result);
  out += groups_table("class", run.classes) + groups_table("model", run.models);
  out += "<h2>Plots</h2>\n<div class=\"plots\">\n" + latency_plot(result) + time_plots(result) +
         "</div>\n<h2>Assumptions</h2>\n<div class=\"wide\"><table>" +
         row({"what", "value", "origin", "change with"}, "th");
  for (const app::Assumption& a : answer.envelope.assumptions) {
    out += fmt::format("<tr><td>{}</td>", xml_escaped(a.key));
    for (const std::string& cell :
         {a.value.is_null() ? std::string(kUnknown) : a.value.scalar_text(), a.origin,
          known(a.flag)})
      out += fmt::format("<td class=\"w\">{}</td>", xml_escaped(cell));
    out += "</tr>\n";
  }
  out += "</table></div>\n";
  if (answer.envelope.catalogue_date)
    out += fmt::format("<p class=\"dim\">Prices as of {}.</p>\n",
                       answer.envelope.catalogue_date->text());
  return out + "</body></html>\n";
}

}  // namespace portolan::render
