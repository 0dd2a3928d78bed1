// `plan` for people: the ranking, what is to know of the winner, the front, what was rejected.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "render/pages.hpp"
#include "render/plot.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using planner::Plan;
using planner::PlanResult;

std::string how(const Plan& p) {
  std::string out;
  if (p.training_estimate) {
    out = training::strategy_text(p.training_strategy);
  } else {
    out = fmt::format("tp{}", p.deployment.tp);
    if (p.deployment.pp > 1) out += fmt::format(" pp{}", p.deployment.pp);
    if (p.deployment.ep > 1) out += fmt::format(" ep{}", p.deployment.ep);
    if (p.replicas > 1) out += fmt::format(" dp{}", p.replicas);
  }
  return p.precision + " " + out;
}

std::string machines(const Plan& p) {
  const std::string one =
      fmt::format("{}x {}", shortest(p.offer->count), p.offer->accelerator->short_id);
  return p.nodes == 1 ? one : fmt::format("{} x {}", with_commas(p.nodes), one);
}

/// On demand goes without saying.
std::string where(const Plan& p) {
  std::string out = p.offer->provider;
  if (p.offer->purchase != market::Purchase::kOnDemand) {
    out += fmt::format(" {}", market::purchase_name(p.offer->purchase));
  }
  if (!p.offer->region.empty()) out += " " + p.offer->region;
  if (p.regions.size() > 1) out += fmt::format(" +{}", p.regions.size() - 1);
  return out;
}

std::string age(const Plan& p, const app::Envelope& envelope) {
  if (!p.offer->observed.earliest || !envelope.catalogue_date) return kUnknown;
  return fmt::format(
      "{} d", std::max(0, days_between(*p.offer->observed.earliest, *envelope.catalogue_date)));
}

bool fails(const Plan& p) { return p.verified && p.verified->verdict == planner::Verdict::kFails; }

std::string proved_cost(const PlanResult& r, const Plan& p) {
  if (!p.verified || !(p.verified->rate > 0)) return kUnknown;
  return r.job.kind == planner::JobKind::kServe
             ? fmt::format("{:.2f}", p.verified->usd_per_hour.in(kUsdPerHour))
             : significant(p.verified->usd_total.value_or(Usd(0)).raw(), 4);
}

void write_ranking(Page& page, const app::PlanAnswer& answer) {
  const PlanResult& r = answer.result;
  const bool serve = r.job.kind == planner::JobKind::kServe;
  std::vector<Table::Column> columns = {Table::words("")};
  if (serve) {
    columns.insert(columns.end(), {Table::numbers("usd/h"), Table::numbers("usd/Mtok", 1),
                                   Table::numbers("ttft p95"), Table::numbers("tpot p95")});
  } else {
    columns.insert(columns.end(), {Table::numbers("usd"), Table::numbers("usd/h", 4),
                                   Table::numbers("time"), Table::numbers("usd/Mtok", 3)});
  }
  const bool proved = r.search.verified > 0;
  if (proved) columns.insert(columns.begin() + 2, Table::numbers("proved"));
  if (r.job.models.size() > 1) columns.push_back(Table::names("model", 12));
  columns.insert(columns.end(), {Table::prose("where", 10), Table::prose("machines", 16),
                                 Table::prose("how", 9), Table::numbers("age", 2)});
  Table table(columns);
  for (const Plan& p : std::span(r.plans).first(answer.shown)) {
    const std::string hourly = fmt::format("{:.2f}", p.usd_per_hour.in(kUsdPerHour));
    std::vector<std::string> cells = {fails(p) ? "✗" : p.rank == 1 ? "✓" : p.pareto ? "*" : ""};
    if (serve) {
      cells.insert(cells.end(), {hourly, number(p.usd_per_million_tokens), time_text(p.ttft_p95),
                                 time_text(p.tpot_p95)});
    } else {
      cells.insert(cells.end(), {p.usd_total ? significant(p.usd_total->raw(), 4) : kUnknown,
                                 hourly, time_text(p.duration), number(p.usd_per_million_tokens)});
    }
    if (proved) cells.insert(cells.begin() + 2, proved_cost(r, p));
    if (r.job.models.size() > 1) cells.push_back(p.model);
    cells.insert(cells.end(), {where(p), machines(p), how(p), age(p, answer.envelope)});
    table.add(std::move(cells));
  }
  page.table(table);
  std::string note = fmt::format("{} of {} shown", count_of(answer.shown),
                                 plural(static_cast<double>(r.plans.size()), "plan"));
  if (answer.shown < r.plans.size()) note += "; --top 0 for all";
  if (proved) note += "; proved: by simulation, ✗ fails there";
  page.note(note + "; ✓ cheapest, * on the cost-latency front; on-demand unless said");
}

/// What simulations said, beside the closed form.
void write_proofs(Page& page, const app::PlanAnswer& answer) {
  const PlanResult& r = answer.result;
  if (r.search.verified == 0) return;
  const bool serve = r.job.kind == planner::JobKind::kServe;
  std::vector<Table::Column> columns = {Table::numbers("simulated"), Table::words("verdict"),
                                        Table::numbers("req/s"), Table::numbers("on paper")};
  if (serve) {
    columns.insert(columns.end(), {Table::names("bound by", 8, 2), Table::numbers("ttft p95"),
                                   Table::numbers("tpot p95")});
  } else {
    columns.push_back(Table::numbers("time"));
  }
  columns.insert(columns.end(), {Table::numbers("replicas"), Table::numbers("off", 1)});
  Table table(columns);
  Section why{.title = "closed form and simulation", .entries = {}};
  for (const Plan& p : std::span(r.plans).first(answer.shown)) {
    if (!p.verified) continue;
    const planner::Verification& v = *p.verified;
    std::vector<std::string> cells = {fmt::format("{}", p.rank),
                                      std::string(planner::verdict_name(v.verdict)),
                                      significant(v.rate, 3), significant(v.rate_closed_form, 3)};
    if (serve) {
      cells.insert(cells.end(), {v.binding, v.stable ? time_text(v.ttft_p95) : "grows",
                                 v.stable ? time_text(v.tpot_p95) : kUnknown});
    } else {
      cells.push_back(time_text(v.duration));
    }
    cells.push_back(v.replicas == p.replicas ? fmt::format("{}", v.replicas)
                                             : fmt::format("{}→{}", p.replicas, v.replicas));
    cells.push_back(percent(v.disagreement));
    table.add(std::move(cells));
    if (!v.why.empty()) why.add(fmt::format("plan {}", p.rank), v.why);
  }
  page.gap();
  page.table(table);
  page.note("per replica; latencies as planned; off: the largest of rate and 95th percentiles");
  if (why.entries.empty()) return;
  page.gap();
  page.sections({why});
}

Section winner_section(const PlanResult& r, const Plan& best) {
  const bool serve = r.job.kind == planner::JobKind::kServe;
  Section out{.title = "the cheapest", .entries = {}};
  out.add("machine", fmt::format("{} {}{}, {}", best.offer->provider, best.offer->sku,
                                 best.offer->region.empty() ? "" : " in " + best.offer->region,
                                 market::purchase_name(best.offer->purchase)));
  const std::string per = serve ? " USD/h" : " USD";
  std::string cost =
      serve ? fmt::format("{} USD/h, {} USD a month of 730.5 h",
                          significant(best.usd_per_hour.in(kUsdPerHour), 6),
                          significant(best.usd_per_month.raw(), 4))
            : fmt::format("{} USD",
                          best.usd_total ? significant(best.usd_total->raw(), 4) : kUnknown);
  if (best.usd_per_month_scaled) {
    cost += fmt::format("; {} USD a month if instances follow the demand hour by hour",
                        significant(best.usd_per_month_scaled->raw(), 4));
  }
  out.add("cost",
          fmt::format("{}; {} to {}{} at 80 % ({})", cost, significant(best.interval.low, 3),
                      significant(best.interval.high, 3), per, cost::tier_name(best.tier)));
  if (serve) {
    out.add("load",
            fmt::format("{} of the {} req/s it sustains within the SLO; the mean demand needs "
                        "{}",
                        significant(r.job.traffic.peak_requests_per_second, 4),
                        significant(best.capacity_requests_per_second, 3),
                        plural(static_cast<double>(best.replicas_mean), "replica")));
  }
  if (best.training_estimate) {
    const training::RunEstimate& run = *best.training_estimate;
    out.add("step", fmt::format("{}, MFU {}, goodput {}", time_text(run.step),
                                percent(best.mfu.value_or(0)), percent(run.goodput)));
  }
  out.add("memory", bytes(best.memory_per_accelerator) + " on the fullest accelerator");
  out.add("bound by", best.bound == cost::Bound::kMemory
                          ? "memory bandwidth"
                          : std::string(cost::bound_name(best.bound)));
  if (r.rank_flips_at_percent) {
    out.add("robust", fmt::format("still first until its price rises {} %",
                                  significant(*r.rank_flips_at_percent, 3)));
  }
  if (best.advise_proof_of_concept) {
    out.add("try first",
            "no measurement we know of proves the engine on this accelerator: run a "
            "proof of concept");
  }
  for (const std::string& note : best.notes) out.add("note", note);
  return out;
}

/// Every reason with its nearest miss, whole: what was rejected is part of the answer.
void write_rejected(Page& page, const PlanResult& r) {
  if (r.rejected.empty()) return;
  page.gap();
  Section out{.title = "rejected, with the nearest miss", .entries = {}};
  for (const planner::Rejection& rejection : r.rejected) {
    const bool strategies = rejection.reason == planner::Reason::kDominated;
    std::string text =
        plural(static_cast<double>(rejection.count), strategies ? "strategy" : "offer");
    if (strategies) {
      text = fmt::format("{} beaten by another of the same offer",
                         rejection.count == 1
                             ? "1 strategy"
                             : whole_number(static_cast<double>(rejection.count)) + " strategies");
    }
    if (rejection.nearest) {
      text += fmt::format("; {}: {}", rejection.nearest->what, rejection.nearest->lacked);
      if (!rejection.nearest->change.empty()) text += " → " + rejection.nearest->change;
    }
    out.add(std::string(planner::reason_name(rejection.reason)), std::move(text));
  }
  page.sections({out});
}

void write_search(Page& page, const app::PlanAnswer& answer, const Options& options) {
  const PlanResult& r = answer.result;
  const auto n = [](std::uint64_t count) { return with_commas(static_cast<std::int64_t>(count)); };
  page.gap();
  for (const std::string& model : r.models_rejected) page.note("not considered: " + model);
  std::string searched = fmt::format(
      "{} offers: {} in a plan, {} rejected, {} without a price; {} machine shapes, {} candidates, "
      "{} "
      "evaluated",
      n(r.coverage.offers), n(r.coverage.evaluated), n(r.coverage.rejected),
      n(r.coverage.without_price), n(r.search.shapes), n(r.search.candidates),
      n(r.search.evaluated));
  if (r.search.verified > 0) {
    searched += fmt::format("; {} plans verified with {} requests", n(r.search.verified),
                            n(r.search.simulated_requests));
  }
  if (options.timing) searched += " in " + duration_text(Seconds(r.search.elapsed_seconds), 3);
  page.note(searched);
  if (answer.envelope.catalogue_date) {
    page.note(fmt::format(
        "prices as of {}{}; --assumptions lists what this rests on; not investment "
        "advice",
        answer.envelope.catalogue_date->text(),
        r.oldest_price_used ? ", the oldest used of " + r.oldest_price_used->text() : ""));
  }
}

}  // namespace

void write_page(Page& page, const app::PlanAnswer& answer, const Options& options) {
  const PlanResult& r = answer.result;
  if (r.feasible()) {
    write_ranking(page, answer);
    write_proofs(page, answer);
    page.gap();
    page.sections({winner_section(r, r.plans.front())});
    std::string x, y;
    const std::vector<PlotPoint> points = plot_points(r, &x, &y);
    if (!points.empty()) {
      page.gap();
      page.figure(text_plot(points, x, y, page.width(), options.style.unicode));
    }
  } else {
    page.note("no plan meets the constraints");
  }
  write_rejected(page, r);
  write_search(page, answer, options);
  page.assumptions(answer.envelope);
}

}  // namespace portolan::render
