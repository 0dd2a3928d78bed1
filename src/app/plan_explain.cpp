#include "app/plan_explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace portolan::app {
namespace {

Derivation price_of(const market::Offer& offer) {
  Derivation price =
      estimated("price of one instance-hour", offer.usd_per_hour->dollars(), "USD", {}, {});
  price.source = offer.source + (offer.revision.empty() ? "" : "@" + offer.revision);
  price.date = offer.observed.earliest ? offer.observed.earliest->text() : "";
  price.kind = "fact";
  for (const market::Component& part : offer.components) {
    Derivation d = estimated(part.kind, part.usd_per_hour.dollars(), "USD", {}, {});
    d.source = part.source;
    d.kind = "fact";
    price.inputs.push_back(std::move(d));
  }
  for (const std::string& flag : offer.flags)
    price.note += (price.note.empty() ? "flags: " : ", ") + flag;
  return price;
}

}  // namespace

std::vector<Derivation> explain_plan(const planner::PlanResult& result, const Context& context) {
  std::vector<Derivation> out;
  if (result.plans.empty()) return out;
  const planner::Plan& best = result.plans.front();
  const planner::Job& job = result.job;
  Derivation hourly = estimated(
      "cost per hour of the winner", best.usd_per_hour.in(kUsdPerHour), "USD", "instances · price",
      fmt::format("{} · {}", best.nodes, best.offer->usd_per_hour->text()));
  hourly.inputs.push_back(price_of(*best.offer));
  if (job.kind == planner::JobKind::kServe) {
    const double per_replica =
        best.replicas > job.spare_replicas
            ? best.capacity_requests_per_second / static_cast<double>(best.replicas)
            : 0;
    Derivation replicas = estimated(
        "replicas", static_cast<double>(best.replicas), "",
        "ceil(peak rate / rate one replica sustains within the SLO) + spare",
        fmt::format("ceil({} / {}) + {}", significant(job.traffic.peak_requests_per_second, 4),
                    significant(per_replica, 4), job.spare_replicas));
    replicas.note = fmt::format(
        "the rate is the largest at which every latency target holds and utilisation stays below "
        "{}; queueing is in it",
        shortest(job.max_utilisation));
    hourly.inputs.push_back(std::move(replicas));
  }
  out.push_back(std::move(hourly));
  const market::Constant& month = context.catalogue().constant("hours_per_month");
  out.push_back(estimated("cost per month", best.usd_per_month.raw(), "USD",
                          "cost per hour · hours per month",
                          fmt::format("{} · {}", significant(best.usd_per_hour.in(kUsdPerHour), 6),
                                      shortest(month.value))));
  if (best.usd_per_million_tokens && job.kind == planner::JobKind::kServe) {
    const double tokens = job.traffic.requests_per_second *
                          (job.traffic.work.input_tokens + job.traffic.work.output_tokens) * 3600;
    out.push_back(
        estimated("cost per million tokens", *best.usd_per_million_tokens, "USD",
                  "cost per hour / tokens per hour · 1e6",
                  fmt::format("{} / {} · 1e6", significant(best.usd_per_hour.in(kUsdPerHour), 6),
                              significant(tokens, 7))));
    out.back().note = "at the mean demand, idle time paid";
  }
  if (best.training_estimate) {
    const training::RunEstimate& run = *best.training_estimate;
    const Seconds whole = best.duration.value_or(run.duration);  // with the start-up
    Derivation time = estimated(
        "duration", whole.in(kHour), "h", "tokens / (tokens per second · goodput) + start-up",
        fmt::format("{:.6g} / ({} · {}) / 3,600 + {}", job.training.tokens,
                    significant(run.tokens_per_second, 5), significant(run.goodput, 4),
                    significant((whole - run.duration).in(kHour), 4)));
    time.inputs.push_back(estimated("compute", run.compute.raw(), "s", "per step", {}));
    time.inputs.push_back(
        estimated("pipeline bubble", std::max(0.0, run.bubble.raw()), "s", "per step", {}));
    time.inputs.push_back(
        estimated("exposed communication", run.exposed_communication.raw(), "s", "per step", {}));
    time.inputs.push_back(estimated("optimizer", run.optimizer_update.raw(), "s", "per step", {}));
    time.inputs.push_back(estimated("host", run.host.raw(), "s", "per step", {}));
    out.push_back(std::move(time));
    Derivation memory = estimated(
        "memory per accelerator", run.memory.total().raw(), "B",
        "weights + gradients + optimizer + activations + logits + overhead",
        fmt::format("{} + {} + {} + {} + {} + {}", si(run.memory.weights.raw(), "B"),
                    si(run.memory.gradients.raw(), "B"), si(run.memory.optimizer.raw(), "B"),
                    si(run.memory.activations.raw(), "B"), si(run.memory.logits.raw(), "B"),
                    si(run.memory.overhead.raw(), "B")));
    out.push_back(std::move(memory));
    if (best.usd_total)
      out.push_back(estimated("cost of the job", best.usd_total->raw(), "USD",
                              "duration · cost per hour · runs, in whole billing quanta",
                              fmt::format("{} h · {} · {}", significant(whole.in(kHour), 6),
                                          significant(best.usd_per_hour.in(kUsdPerHour), 6),
                                          shortest(job.runs.value_or(1)))));
  } else {
    if (best.ttft_p95) {
      out.push_back(estimated("TTFT p95", best.ttft_p95->raw(), "s",
                              "front end + residual step + queue + prefill steps, 95th percentile",
                              {}));
    }
    if (best.tpot_p95) {
      out.push_back(estimated("TPOT p95", best.tpot_p95->raw(), "s",
                              "step time at the 95th percentile of the batch", {}));
    }
  }
  Derivation interval = estimated("80 % interval of the cost, high end", best.interval.high, "USD",
                                  "the same search with times at the ends of the tier's error band",
                                  fmt::format("{} to {}", significant(best.interval.low, 5),
                                              significant(best.interval.high, 5)));
  interval.note = fmt::format("efficiencies: {}", cost::tier_name(best.tier));
  out.push_back(std::move(interval));
  return out;
}

}  // namespace portolan::app
