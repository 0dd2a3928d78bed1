#include "app/simulate_explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace portolan::app {
namespace {

/// A decode step of the batch and the context that the pool had in the mean, operator by operator.
std::optional<Derivation> typical_step(const PoolFacts& facts, const simulation::PoolResult& pool) {
  if (pool.counters.steps == 0 || pool.group.completed == 0) return std::nullopt;
  const auto completed = static_cast<double>(pool.group.completed);
  cost::Batch batch;
  batch.decode_requests = std::max(1.0, static_cast<double>(pool.counters.output_tokens) /
                                            static_cast<double>(pool.counters.steps));
  batch.decode_context = std::max(1.0, (static_cast<double>(pool.group.input_tokens) +
                                        static_cast<double>(pool.group.output_tokens) / 2) /
                                           completed);
  batch.drafted = facts.limits->drafted;
  batch.sampled = batch.decode_tokens();
  const cost::StepModel& model = facts.limits->cost->model();
  const cost::StepTime time = model.time(batch);
  Derivation step = estimated(
      fmt::format("decode step of pool {} at its mean batch", pool.group.name), time.total.raw(),
      "s", "sum over operators of the times of their kernels, plus engine overhead",
      fmt::format("{} requests with {} tokens each", significant(batch.decode_requests, 3),
                  significant(batch.decode_context, 4)));
  step.source = fmt::format("{}: {}", facts.engine, model.engine().source);
  step.date = model.engine().date;
  step.note = fmt::format("kernels: {}; 80 % of times between {} and {} of the figure",
                          cost::tier_name(facts.tier), significant(facts.interval_low, 3),
                          significant(facts.interval_high, 3));
  for (const cost::StepModel::OperatorTime& op : model.breakdown(batch)) {
    Derivation part = estimated(op.name, op.seconds.raw(), "s", {},
                                fmt::format("{} x: {} and {} in all", shortest(op.count),
                                            si(op.flop.raw(), "FLOP"), si(op.bytes.raw(), "B")));
    part.note = fmt::format("bound by {}", cost::bound_name(op.bound));
    step.inputs.push_back(std::move(part));
  }
  return step;
}

}  // namespace

std::vector<Derivation> explain_simulation(const SimulateResult& result) {
  const simulation::RunResult& run = result.run;
  std::vector<Derivation> out;
  out.push_back(estimated("output tokens per second", run.output_tokens_per_second, "tokens/s",
                          "output tokens / (last token - first arrival)",
                          fmt::format("{} / {} s", with_commas(run.all.output_tokens),
                                      shortest(run.simulated_seconds))));
  if (const auto usd = usd_per_million_output_tokens(run.all)) {
    Derivation money = estimated(
        "cost per million output tokens", *usd, "USD", "USD / output tokens · 1e6",
        fmt::format("{} / {} · 1e6", significant(*run.usd, 6), with_commas(run.all.output_tokens)));
    for (std::size_t i = 0; i < run.pools.size(); ++i) {
      const simulation::PoolResult& pool = run.pools[i];
      const PoolFacts& facts = result.pools[i];
      if (!pool.usd || !facts.usd_per_accelerator_hour) continue;
      Derivation part = estimated(
          "pool " + pool.group.name, *pool.usd, "USD",
          "replica hours · accelerators · price of an accelerator-hour",
          fmt::format("{} · {} · {}", significant(pool.replica_seconds / 3600, 6),
                      facts.accelerators_per_replica, shortest(*facts.usd_per_accelerator_hour)));
      part.source = facts.price_origin;
      money.inputs.push_back(std::move(part));
    }
    out.push_back(std::move(money));
  }
  for (std::size_t i = 0; i < run.pools.size(); ++i) {
    if (auto step = typical_step(result.pools[i], run.pools[i])) out.push_back(std::move(*step));
  }
  return out;
}

}  // namespace portolan::app
