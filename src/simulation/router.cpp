#include "simulation/router.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace portolan::simulation {
namespace {

/// The candidate with the least of `measure`; the first one among equals.
template <class Measure>
std::uint32_t least(std::span<const std::uint32_t> candidates, Measure measure) {
  std::uint32_t best = candidates[0];
  auto least_value = measure(best);
  for (const std::uint32_t slot : candidates.subspan(1)) {
    const auto value = measure(slot);
    if (value < least_value) {
      best = slot;
      least_value = value;
    }
  }
  return best;
}

/// A text without a conversation sticks by its beginning: longer than a prompt of the system that
/// everybody has, short enough to be the same in later turns.
constexpr std::int64_t kStickyTokens = 1024;

std::int64_t requests(const Load& load) { return load.waiting + load.running; }

}  // namespace

Waits::Waits(const Scenario& scenario) : pools_(scenario.pools.size()) {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const EngineModel& engine = *scenario.pools[i].engine;
    const auto budget = static_cast<double>(engine.max_batched_tokens);
    const StepCost::Step step = engine.cost->step({.decode_requests = 0,
                                                   .decode_context = 0,
                                                   .prefill_requests = 1,
                                                   .prefill_tokens = budget,
                                                   .prefill_cached = 0,
                                                   .sampled = 1,
                                                   .mean_rank_tokens = 0,
                                                   .drafted = 0});
    pools_[i].seconds_per_prompt_token =
        to_seconds(step.time) / (budget * static_cast<double>(engine.ranks));
    pools_[i].usd_per_second = scenario.pools[i].usd_per_hour.value_or(0) / 3600;
  }
}

void Waits::observe(std::uint32_t pool, Time in_service) {
  constexpr double kMemory = 64;  // requests
  Known& known = pools_[pool];
  known.count = std::min(known.count + 1, kMemory);
  known.residence += (to_seconds(in_service) - known.residence) / known.count;
}

double Waits::wait(const Machine& machine, const Load& load) const {
  const EngineModel& engine = machine.replica->engine();
  const Known& known = pools_[machine.pool];
  const auto waiting = static_cast<double>(load.waiting),
             running = static_cast<double>(load.running);
  const double prompts = static_cast<double>(load.waiting_tokens) * known.seconds_per_prompt_token;
  const auto seats = static_cast<double>(engine.max_sequences * engine.ranks);
  double ahead = std::max(0.0, running + waiting + 1 - seats);
  const double need = static_cast<double>(load.waiting_tokens) / engine.block_tokens;
  const double over =
      static_cast<double>(load.used_blocks) + need - static_cast<double>(load.total_blocks);
  if (over > 0 && need > 0) ahead = std::max(ahead, waiting * std::min(1.0, over / need) + 1);
  if (ahead == 0) return prompts;
  return std::max(prompts, ahead * known.residence / std::max(1.0, running));
}

double Waits::leaving(const Machine& machine, const Load& load) const {
  const double residence = pools_[machine.pool].residence;
  return residence > 0 ? static_cast<double>(load.running) / residence : 0;
}

Waits::Service Waits::service(const Machine& machine, const Load& load, const Request& request,
                              std::int64_t cached) const {
  const EngineModel& engine = machine.replica->engine();
  const Known& known = pools_[machine.pool];
  const std::int64_t batch = std::max<std::int64_t>(1, load.running / engine.ranks + 1);
  const std::int64_t context =
      load.running_tokens / engine.ranks + request.input_tokens + request.output_tokens / 2;
  const double step = to_seconds(engine.cost->decode(batch, context, batch * engine.ranks).first);
  Service result;
  result.prompt = static_cast<double>(std::max<std::int64_t>(1, request.input_tokens - cached)) *
                      known.seconds_per_prompt_token * static_cast<double>(engine.ranks) +
                  step;
  result.per_output = step;
  const double outputs = static_cast<double>(request.output_tokens) * step;
  result.usd =
      known.usd_per_second * (result.prompt + outputs / static_cast<double>(batch * engine.ranks));
  return result;
}

Router::Router(const Scenario& scenario, const Waits& waits)
    : scenario_(&scenario), waits_(&waits), random_(scenario.seed, 0x726f757465) {}

std::uint32_t Router::choose(const Request& request, std::span<const std::uint32_t> candidates,
                             const Machines& machines, Time now, std::uint64_t& turn) const {
  const std::uint64_t number = turn++;
  const std::size_t count = candidates.size();
  if (count == 1) return candidates[0];
  switch (scenario_->routing) {
    case Routing::kRoundRobin:
      return candidates[number % count];
    case Routing::kRandom:
      return candidates[random_.below(request.index, count)];
    case Routing::kLeastRequests:
      return least(candidates, [&](std::uint32_t s) { return requests(machines.known(s, now)); });
    case Routing::kLeastTokens:
      return least(candidates, [&](std::uint32_t s) {
        const Load load = machines.known(s, now);
        return load.waiting_tokens + load.running_tokens;
      });
    case Routing::kPowerOfTwo: {
      const std::size_t one = random_.below(2 * request.index, count);
      std::size_t two = random_.below(2 * request.index + 1, count - 1);
      if (two >= one) ++two;
      const std::uint32_t pair[] = {candidates[std::min(one, two)], candidates[std::max(one, two)]};
      return least(pair, [&](std::uint32_t s) { return requests(machines.known(s, now)); });
    }
    case Routing::kSticky: {
      // Rendezvous hashing: a machine that comes or goes moves only its own share.
      std::uint64_t key =
          request.conversation != 0 ? request.conversation : mix_bits(request.index);
      if (request.conversation == 0 && request.id_tokens > 0 && !request.ids.empty()) {
        key = 0;
        const auto runs = static_cast<std::size_t>(kStickyTokens / request.id_tokens);
        for (std::size_t i = 0; i < std::min(std::max<std::size_t>(1, runs), request.ids.size());
             ++i)
          key = mix_bits(key ^ request.ids[i]);
      }
      return least(candidates, [&](std::uint32_t s) {
        return mix_bits(mix_bits(key ^ scenario_->seed) ^ machines[s].serial);
      });
    }
    case Routing::kPrefixAware:
      return prefix_aware(request, candidates, machines, now);
    case Routing::kKvAware:
      return least(candidates, [&](std::uint32_t s) {
        const Load load = machines.known(s, now);
        const Replica& replica = *machines[s].replica;
        const std::int64_t uncached = request.input_tokens - replica.cached_prefix(request);
        return (uncached + load.waiting_tokens) / replica.engine().block_tokens + load.used_blocks;
      });
    case Routing::kCostAware:
      return cost_aware(request, candidates, machines, now);
  }
  return candidates[0];
}

std::uint32_t Router::prefix_aware(const Request& request,
                                   std::span<const std::uint32_t> candidates,
                                   const Machines& machines, Time now) const {
  std::int64_t least_busy = std::numeric_limits<std::int64_t>::max();
  for (const std::uint32_t slot : candidates)
    least_busy = std::min(least_busy, requests(machines.known(slot, now)));
  const std::int64_t most = least_busy + least_busy / 2 + scenario_->prefix_load_guard;
  return least(candidates, [&](std::uint32_t s) {
    const Load load = machines.known(s, now);
    const std::int64_t cached = machines[s].replica->cached_prefix(request);
    // Passed over; then what it saves, less the prompts that are computed before; then the fewest
    // requests.
    return std::tuple(requests(load) > most, load.waiting_tokens - cached, requests(load));
  });
}

std::uint32_t Router::cost_aware(const Request& request, std::span<const std::uint32_t> candidates,
                                 const Machines& machines, Time now) const {
  SloClass any;
  const SloClass& wanted = scenario_->classes.empty() ? any : scenario_->classes[request.slo_class];
  return least(candidates, [&](std::uint32_t s) {
    const Machine& machine = machines[s];
    const Load load = machines.known(s, now);
    const double wait = waits_->wait(machine, load);
    const Waits::Service work =
        waits_->service(machine, load, request, machine.replica->cached_prefix(request));
    const double ttft = to_seconds(machine.replica->engine().front_end) + wait + work.prompt;
    const double e2e = ttft + work.per_output * static_cast<double>(request.output_tokens - 1);
    // Without any target, a wait of a second is too long.
    const bool none = !wanted.ttft_seconds && !wanted.tpot_seconds && !wanted.e2e_seconds;
    const bool misses = ttft > wanted.ttft_seconds.value_or(none ? 1.0 : HUGE_VAL) ||
                        work.per_output > wanted.tpot_seconds.value_or(HUGE_VAL) ||
                        e2e > wanted.e2e_seconds.value_or(HUGE_VAL);
    return std::tuple(misses, misses ? ttft : work.usd, ttft);
  });
}

}  // namespace portolan::simulation
