#include "planner/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "base/text.hpp"

namespace portolan::planner {
namespace {

// How far a strategy came before it failed, in the order in which the search asks.
int progress(Reason reason) {
  switch (reason) {
    case Reason::kEngineUnsupported:
      return 0;
    case Reason::kPrecisionUnsupported:
      return 1;
    case Reason::kMemory:
      return 2;
    case Reason::kInterconnect:
      return 3;
    default:
      return 4;
  }
}

// What an offer of `rate` USD per second costs for `duration`, in whole quanta of the provider.
Usd billed(UsdRate rate, Seconds duration, const market::Provider* provider) {
  double seconds = duration.raw();
  if (provider != nullptr) {
    if (provider->minimum_seconds) {
      seconds = std::max(seconds, static_cast<double>(*provider->minimum_seconds));
    }
    if (provider->billing_quantum_seconds && *provider->billing_quantum_seconds > 0) {
      const auto quantum = static_cast<double>(*provider->billing_quantum_seconds);
      seconds = std::ceil(seconds / quantum - 1e-9) * quantum;
    }
  }
  return rate * Seconds(seconds);
}

auto total_order(const Plan& plan) {
  const market::Offer& offer = *plan.offer;
  return std::tuple(cost_of(plan), std::string_view(offer.provider), std::string_view(offer.sku),
                    std::string_view(offer.region), offer.purchase,
                    std::string_view(offer.upstream), std::string_view(offer.zone),
                    std::string_view(plan.model));
}

// Everything of an offer but the place.
auto row_key(const Plan& plan) {
  const market::Offer& offer = *plan.offer;
  return std::tuple(std::string_view(offer.provider), std::string_view(offer.upstream),
                    std::string_view(offer.sku), offer.purchase,
                    std::string_view(offer.accelerator->id), offer.count,
                    offer.usd_per_hour->nano(), std::string_view(plan.model), plan.nodes,
                    plan.accelerators_per_replica, cost_of(plan));
}

std::optional<double> latency(const Job& job, const Plan& plan) {
  const std::optional<Seconds> value = job.kind == JobKind::kServe ? plan.ttft_p95 : plan.duration;
  return value ? std::optional(value->raw()) : std::nullopt;
}

void mark_front(const Job& job, std::vector<Plan>& plans) {
  double best = std::numeric_limits<double>::infinity();
  for (Plan& plan : plans) {  // by rising cost
    const std::optional<double> value = latency(job, plan);
    plan.pareto = value && *value < best;
    if (plan.pareto) best = *value;
  }
}

std::string join(std::string_view a, std::string_view b) {
  return a.empty() || b.empty() ? std::string(a) + std::string(b) : fmt::format("{}, {}", a, b);
}

}  // namespace

bool came_further(const Miss& a, const Miss& b) {
  return std::tuple(-progress(a.reason), a.factor) < std::tuple(-progress(b.reason), b.factor);
}

double cost_of(const Plan& plan) {
  return plan.usd_total ? plan.usd_total->raw() : plan.usd_per_hour.in(kUsdPerHour);
}

Plan price(const Job& job, const market::Offer& offer, const market::Provider* provider,
           const Solution& solution) {
  Plan plan = solution.plan;
  plan.offer = &offer;
  plan.regions = {offer.region};
  plan.nodes = solution.instances;
  const UsdRate each = offer.usd_per_hour->per_hour();
  const auto times = [&](std::int64_t instances) { return each * static_cast<double>(instances); };
  plan.usd_per_hour = times(solution.instances);
  plan.usd_per_month = plan.usd_per_hour * kMonth;
  if (job.kind == JobKind::kServe) {
    plan.interval = {times(solution.instances_low).in(kUsdPerHour),
                     times(solution.instances_high).in(kUsdPerHour)};
    const serving::Workload& work = job.traffic.work;
    const double per_request = plan.usd_per_hour.raw() / job.traffic.requests_per_second;
    plan.usd_per_million_tokens = 1e6 * per_request / (work.input_tokens + work.output_tokens);
    plan.usd_per_million_output_tokens = 1e6 * per_request / work.output_tokens;
    if (!solution.instances_by_hour.empty()) {
      double hours = 0;
      for (const std::int64_t instances : solution.instances_by_hour) {
        hours +=
            static_cast<double>(instances) / static_cast<double>(solution.instances_by_hour.size());
      }
      plan.usd_per_month_scaled = each * hours * kMonth;
    }
    if (offer.purchase == market::Purchase::kSpot) {
      plan.notes.emplace_back("spot: instances can be taken away while they serve");
    }
    return plan;
  }
  const double runs = job.runs.value_or(1);
  const auto total = [&](Seconds duration) {
    return billed(plan.usd_per_hour, duration, provider) * runs;
  };
  plan.usd_total = total(*plan.duration);
  plan.interval = {total(*solution.duration_low).raw(), total(*solution.duration_high).raw()};
  double tokens = job.training.tokens;
  if (job.kind == JobKind::kBatch) {
    const serving::Workload& work = job.traffic.work;
    tokens = job.traffic.requests * (work.input_tokens + work.output_tokens);
    plan.usd_per_million_output_tokens =
        1e6 * plan.usd_total->raw() / (job.traffic.requests * work.output_tokens);
  }
  plan.usd_per_million_tokens = 1e6 * plan.usd_total->raw() / tokens;
  return plan;
}

std::optional<OverCap> over_cap(const Job& job, const Plan& plan, std::optional<double> quota) {
  const WhereToLook& where = job.where;
  const double accelerators = plan.offer->count * static_cast<double>(plan.nodes);
  const auto over = [](Reason reason, double takes, double allowed, std::string lacked,
                       std::string change) {
    return OverCap{
        .reason = reason,
        .factor = allowed > 0 ? takes / allowed : std::numeric_limits<double>::infinity(),
        .lacked = std::move(lacked),
        .change = std::move(change)};
  };
  const std::string held = significant(accelerators, 6);
  if (quota && accelerators > *quota) {
    return over(Reason::kAvailability, accelerators, *quota,
                fmt::format("takes {} accelerators of {}, the quota there is {}", held,
                            plan.offer->provider, significant(*quota, 6)),
                fmt::format("ask {} for {}", plan.offer->provider, held));
  }
  if (where.max_accelerators && accelerators > *where.max_accelerators) {
    return over(Reason::kAvailability, accelerators, *where.max_accelerators,
                fmt::format("takes {} accelerators, max_accelerators is {}", held,
                            significant(*where.max_accelerators, 6)),
                fmt::format("max_accelerators: {}", std::ceil(accelerators)));
  }
  const auto nodes = static_cast<double>(plan.nodes);
  if (where.max_nodes && nodes > *where.max_nodes) {
    return over(Reason::kAvailability, nodes, *where.max_nodes,
                fmt::format("takes {} nodes, max_nodes is {}", plan.nodes,
                            significant(*where.max_nodes, 6)),
                fmt::format("max_nodes: {}", plan.nodes));
  }
  const auto cents = [](double usd) { return shortest(std::ceil(usd * 100 - 1e-9) / 100); };
  const double hourly = plan.usd_per_hour.in(kUsdPerHour);
  if (where.max_usd_per_hour && plan.usd_per_hour > *where.max_usd_per_hour) {
    const double cap = where.max_usd_per_hour->in(kUsdPerHour);
    return over(Reason::kConstraint, hourly, cap,
                fmt::format("costs {} USD/h, max_usd_per_hour is {}", significant(hourly, 6),
                            significant(cap, 6)),
                fmt::format("max_usd_per_hour: {}", cents(hourly)));
  }
  if (where.max_usd_total && plan.usd_total && *plan.usd_total > *where.max_usd_total) {
    const double total = plan.usd_total->raw(), cap = where.max_usd_total->raw();
    return over(Reason::kConstraint, total, cap,
                fmt::format("costs {} USD in all, max_usd_total is {}", significant(total, 6),
                            significant(cap, 6)),
                fmt::format("max_usd_total: {}", cents(total)));
  }
  return std::nullopt;
}

void Tally::add_priced(Reason reason, const Plan& plan, std::optional<double> factor,
                       std::string lacked, std::string change) {
  Loser& loser = losers_[static_cast<std::size_t>(reason)];
  ++loser.count;
  if (loser.priced && cost_of(*loser.priced) <= cost_of(plan)) return;
  loser.priced = plan;
  loser.factor = factor;
  loser.miss = {.reason = reason,
                .factor = 0,
                .how = {},
                .lacked = std::move(lacked),
                .change = std::move(change)};
}

void Tally::add(const market::Offer& offer, const Miss& miss) {
  Loser& loser = losers_[static_cast<std::size_t>(miss.reason)];
  ++loser.count;
  if (loser.priced) return;
  // Between two that no number separates, one with an accelerator says more than a bare host.
  const auto distance = [](const market::Offer& o, const Miss& m) {
    return std::pair(m.factor, o.accelerator == nullptr);
  };
  if (loser.offer != nullptr && distance(*loser.offer, loser.miss) <= distance(offer, miss)) return;
  loser.offer = &offer;
  loser.miss = miss;
}

void Tally::add_dominated(std::uint64_t count) {
  losers_[static_cast<std::size_t>(Reason::kDominated)].count += count;
}

std::uint64_t Tally::offers() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    if (static_cast<Reason>(i) != Reason::kDominated) sum += losers_[i].count;
  }
  return sum;
}

std::uint64_t Tally::of(Reason reason) const {
  return losers_[static_cast<std::size_t>(reason)].count;
}

std::vector<Rejection> Tally::list(const Job& job, const Plan* winner) const {
  std::vector<Rejection> rejections;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const Loser& loser = losers_[i];
    if (loser.count == 0) continue;
    Rejection rejection{.reason = static_cast<Reason>(i), .count = loser.count, .nearest = {}};
    if (loser.priced) {
      const double cost = cost_of(*loser.priced);
      Nearest nearest{
          .what = fmt::format("{} at {}", plan_text(job, *loser.priced), cost_text(job, cost)),
          .lacked = loser.miss.lacked,
          .factor = loser.factor,
          .change = loser.miss.change};
      if (winner != nullptr) {
        const double best = cost_of(*winner);
        nearest.factor = cost / best;
        if (cost < best) {
          nearest.lacked +=
              fmt::format("; it would have won by {} %", significant(100 * (1 - cost / best), 2));
        }
      }
      rejection.nearest = std::move(nearest);
    } else if (loser.offer != nullptr) {
      const double factor = loser.miss.factor;
      rejection.nearest = Nearest{
          .what = join(offer_text(*loser.offer), loser.miss.how),
          .lacked = loser.miss.lacked,
          .factor = std::isfinite(factor) && factor > 1 ? std::optional(factor) : std::nullopt,
          .change = loser.miss.change};
    }
    rejections.push_back(std::move(rejection));
  }
  return rejections;
}

std::vector<Plan> rank(const Job& job, std::vector<Plan> plans) {
  const auto place = [](const Plan& plan) {
    const market::Offer& offer = *plan.offer;
    return std::tuple(offer.region.empty(), std::string_view(offer.region),
                      std::string_view(offer.zone));
  };
  std::sort(plans.begin(), plans.end(), [&](const Plan& a, const Plan& b) {
    return std::tuple(row_key(a), place(a)) < std::tuple(row_key(b), place(b));
  });
  std::vector<Plan> rows;
  for (Plan& plan : plans) {
    if (rows.empty() || row_key(rows.back()) != row_key(plan)) {
      rows.push_back(std::move(plan));
    } else if (rows.back().regions.back() != plan.offer->region) {
      rows.back().regions.push_back(plan.offer->region);
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const Plan& a, const Plan& b) { return total_order(a) < total_order(b); });
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].rank = static_cast<int>(i) + 1;
  mark_front(job, rows);
  return rows;
}

std::string plan_text(const Job& job, const Plan& plan) {
  std::string text;
  if (plan.nodes > 1) text = fmt::format("{} of ", with_commas(plan.nodes));
  text += offer_text(*plan.offer);
  if (is_training(job.kind)) {
    return fmt::format("{}, {} {}", text, training::strategy_text(plan.training_strategy),
                       plan.precision);
  }
  text += fmt::format(", tp{}", plan.deployment.tp);
  if (plan.deployment.pp > 1) text += fmt::format(" pp{}", plan.deployment.pp);
  if (plan.deployment.ep > 1) text += fmt::format(" ep{}", plan.deployment.ep);
  return fmt::format("{} {}", text, plan.precision);
}

std::string cost_text(const Job& job, double cost) {
  return fmt::format("{} USD{}", significant(cost, 4), job.kind == JobKind::kServe ? "/h" : "");
}

}  // namespace portolan::planner
