// Machines coming and going: starts, autoscaling, spot capacity, failures, draining, retries.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.hpp"
#include "serving/steady_state.hpp"
#include "simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

/// Streams of random numbers.
constexpr std::uint64_t kStarts = 0x737461727473, kFailures = 0x6661696c;

}  // namespace

void Cluster::start_pools() {
  const std::size_t count = scenario_->pools.size();
  controls_.resize(count);
  wires_.resize(count * count);
  for (Wire& wire : wires_) {
    const Link usual;
    wire.latency = from_seconds(usual.latency_seconds);
    wire.bytes_per_second = usual.bytes_per_second;
  }
  for (const Link& link : scenario_->links) {
    Wire& wire = wires_[link.from * count + link.to];
    wire.latency = from_seconds(link.latency_seconds);
    wire.bytes_per_second = link.bytes_per_second;
  }
  starting_ = true;
  for (std::uint32_t p = 0; p < count; ++p) {
    const Pool& pool = scenario_->pools[p];
    Control& control = controls_[p];
    control.wanted = pool.replicas;
    control.storage.emplace(pool.load.storage_bytes_per_second);
    if (pool.spot) {
      control.spot.emplace(*pool.spot, scenario_->seed, p, now_);
      plan(control.spot->next(), Timer::Kind::kSpot, p);
    }
    if (pool.autoscale.policy != Scaling::kStatic) {
      control.scaler.emplace(pool.autoscale, start_seconds(pool.load, *pool.engine), now_);
      const Time tick = from_seconds(pool.autoscale.tick_seconds);
      // So that the scrape used is exactly as old as it should be.
      const Time delay = from_seconds(pool.autoscale.scrape_delay_seconds) % tick;
      plan(later(now_, to_seconds(tick - delay)), Timer::Kind::kMeasure, p);
      plan(later(now_, to_seconds(tick)), Timer::Kind::kTick, p);
    }
    reconcile(p);
    if (!pool.sharing.models.empty()) start_hosts(p);
  }
  starting_ = false;
}

std::int64_t Cluster::have(std::uint32_t pool, bool on_demand) const {
  std::int64_t count = 0;
  for (std::uint32_t slot = 0; slot < machines_.size(); ++slot) {
    const Machine& m = machines_[slot];
    count += m.pool == pool && m.on_demand == on_demand && m.paid &&
                     (m.state == MachineState::kReady || m.state == MachineState::kLoading)
                 ? 1
                 : 0;
  }
  return count;
}

void Cluster::reconcile(std::uint32_t pool) {
  const Pool& rules = scenario_->pools[pool];
  Control& control = controls_[pool];
  if (!rules.spot) {
    bring_to(pool, false, control.wanted - control.repairing);
    return;
  }
  const std::int64_t spots = control.wanted > 0 ? control.wanted + rules.spot->extra_replicas : 0;
  bring_to(pool, false, std::min(spots - control.repairing, control.spot->capacity()));
  if (!rules.spot->on_demand_fallback) return;
  const auto ready = std::ranges::count_if(
      machines_.ready(pool), [&](std::uint32_t slot) { return !machines_[slot].on_demand; });
  bring_to(pool, true, std::clamp<std::int64_t>(spots - ready, 0, control.wanted));
}

void Cluster::bring_to(std::uint32_t pool, bool on_demand, std::int64_t count) {
  std::int64_t missing = count - have(pool, on_demand);
  // Machines that have not left yet come back first.
  for (std::uint32_t slot = 0; slot < machines_.size() && missing > 0; ++slot) {
    const Machine& m = machines_[slot];
    if (m.pool != pool || m.on_demand != on_demand || !m.paid || m.doomed ||
        m.state != MachineState::kDraining)
      continue;
    machines_.undrain(slot, now_);
    --missing;
  }
  for (; missing > 0; --missing) order(pool, on_demand);
  for (; missing < 0; ++missing) {
    // Loading ones go first, the last ordered before others; then the least busy.
    std::optional<std::uint32_t> victim;
    std::pair<bool, std::int64_t> least;
    for (std::uint32_t slot = 0; slot < machines_.size(); ++slot) {
      const Machine& m = machines_[slot];
      if (m.pool != pool || m.on_demand != on_demand || !m.paid) continue;
      if (m.state != MachineState::kReady && m.state != MachineState::kLoading) continue;
      const Load load = m.replica->load(now_);
      const std::pair key(m.state == MachineState::kReady, load.waiting + load.running);
      if (!victim || key < least || (key == least && m.serial > machines_[*victim].serial)) {
        victim = slot;
        least = key;
      }
    }
    if (!victim) return;
    retire(*victim);
  }
}

std::uint32_t Cluster::order(std::uint32_t pool, bool on_demand) {
  const Pool& rules = scenario_->pools[pool];
  Control& control = controls_[pool];
  std::uint32_t zone = 0;
  if (control.spot && !on_demand) {
    std::vector<std::int64_t> machines(static_cast<std::size_t>(rules.spot->zones), 0);
    for (std::uint32_t slot = 0; slot < machines_.size(); ++slot) {
      const Machine& m = machines_[slot];
      if (m.pool == pool && !m.on_demand && !m.doomed && m.state != MachineState::kGone)
        ++machines[m.zone];
    }
    if (rules.spot->series.empty()) zone = control.spot->best_zone(machines);
  }
  const std::uint32_t slot = machines_.order(pool, now_, on_demand, zone);
  if (starting_) {
    come_up(slot);
    return slot;
  }
  ++control.counts.cold_starts;
  const RandomStream random(scenario_->seed, kStarts, pool);
  const double factor =
      rules.load.spread > 0 ? std::exp(rules.load.spread * random.normal(control.orders)) : 1;
  ++control.orders;
  if (starts_.size() <= slot) starts_.resize(slot + 1);
  starts_[slot] = start_of(rules.load, *rules.engine, factor);
  plan(later(now_, to_seconds(starts_[slot].before)), Timer::Kind::kWeights, slot,
       machines_[slot].life);
  return slot;
}

void Cluster::plan_read(std::uint32_t pool) {
  const SharedStorage& storage = *controls_[pool].storage;
  if (storage.next() != kNever) plan(storage.next(), Timer::Kind::kRead, pool, storage.version());
}

void Cluster::begin_weights(std::uint32_t slot) {
  const std::uint32_t pool = machines_[slot].pool;
  controls_[pool].storage->begin(slot, starts_[slot], now_);
  plan_read(pool);
}

void Cluster::weights_read(std::uint32_t pool, std::uint64_t version) {
  SharedStorage& storage = *controls_[pool].storage;
  if (storage.version() != version) return;
  const std::uint32_t slot = storage.finish(now_);
  plan(later(now_, to_seconds(starts_[slot].after)), Timer::Kind::kReady, slot,
       machines_[slot].life);
  plan_read(pool);
}

void Cluster::come_up(std::uint32_t slot) {
  const std::uint32_t pool = machines_[slot].pool;
  machines_.make_ready(slot, now_);
  if (const std::optional<Failures>& rules = scenario_->pools[pool].failures) {
    const RandomStream random(scenario_->seed, kFailures, machines_[slot].serial);
    plan(later(now_, random.exponential(0) * rules->mean_seconds_between), Timer::Kind::kFailure,
         slot, machines_[slot].life);
  }
  // Machines on demand that stood in for it may go.
  if (controls_[pool].spot && !machines_[slot].on_demand && !starting_) reconcile(pool);
}

void Cluster::retire(std::uint32_t slot) {
  Machine& machine = machines_[slot];
  if (machine.state == MachineState::kLoading) {
    leave(slot);
    return;
  }
  machines_.drain(slot, now_);
  release_if_drained(slot);
  if (machine.state == MachineState::kDraining)
    plan(later(now_, scenario_->pools[machine.pool].autoscale.drain_seconds), Timer::Kind::kDrained,
         slot, machine.life);
}

void Cluster::release_if_drained(std::uint32_t slot) {
  const Machine& machine = machines_[slot];
  if (!machine.paid || machine.holding > 0 || machine.replica->next_event() != kNever) return;
  const Load load = machine.replica->load(now_);
  if (load.waiting + load.running == 0) leave(slot);
}

void Cluster::leave(std::uint32_t slot) {
  Machine& machine = machines_[slot];
  const std::uint32_t pool = machine.pool;
  if (machine.state == MachineState::kReady) return;  // wanted again since
  // Where prompts and outputs are apart, a machine is left when it is empty, however long it takes.
  if (scenario_->pools[pool].role != Role::kBoth && machine.state == MachineState::kDraining &&
      (machine.holding > 0 || machine.replica->next_event() != kNever))
    return;
  if (machine.state == MachineState::kLoading) {
    controls_[pool].storage->cancel(slot, now_);
    plan_read(pool);
  }
  std::vector<Unfinished> lost = machines_.release(slot, now_);
  for (Unfinished& one : lost) retry(std::move(one), pool);
}

void Cluster::retry(Unfinished&& lost, std::uint32_t pool) {
  Control& control = controls_[pool];
  Pending pending{.request = std::move(lost.request),
                  .outcome = lost.outcome,
                  .emitted = scenario_->keep_outputs ? lost.emitted : 0};
  if (lost.outcome.scheduled != kNever)
    control.counts.lost_tokens += pending.request.input_tokens + lost.emitted;
  if (!scenario_->keep_outputs) pending.outcome.first_token = kNever;
  if (pending.outcome.retries >= scenario_->max_retries) {
    pending.outcome.pool = pool;
    over(pending.outcome, Status::kLost);
    return;
  }
  ++pending.outcome.retries;
  if (place(pending) == Placed::kNoRoom) hold(std::move(pending));
}

void Cluster::notice(std::uint32_t slot) {
  Machine& machine = machines_[slot];
  const std::uint32_t pool = machine.pool;
  ++controls_[pool].counts.spot_losses;
  machine.doomed = true;
  if (machine.state == MachineState::kLoading) {
    leave(slot);
    return;
  }
  machines_.drain(slot, now_);
  plan(later(now_, scenario_->pools[pool].spot->warning_seconds), Timer::Kind::kSpotLost, slot,
       machine.life);
  release_if_drained(slot);
}

void Cluster::spot_event(std::uint32_t pool) {
  SpotCapacity& spot = *controls_[pool].spot;
  spot.advance(now_);
  const bool zones = scenario_->pools[pool].spot->series.empty();
  for (std::uint32_t slot = 0; zones && slot < machines_.size(); ++slot) {
    const Machine& m = machines_[slot];
    const bool here = m.pool == pool && !m.on_demand && !m.doomed &&
                      (m.state == MachineState::kReady || m.state == MachineState::kLoading);
    if (here && !spot.zone_up(m.zone)) notice(slot);
  }
  // The newest go first.
  while (!zones && have(pool, false) > spot.capacity()) {
    std::uint32_t newest = 0;
    std::optional<std::uint32_t> serial;
    for (std::uint32_t slot = 0; slot < machines_.size(); ++slot) {
      const Machine& m = machines_[slot];
      if (m.pool != pool || m.on_demand || m.doomed) continue;
      if (m.state != MachineState::kReady && m.state != MachineState::kLoading) continue;
      if (!serial || m.serial > *serial) {
        serial = m.serial;
        newest = slot;
      }
    }
    notice(newest);
  }
  reconcile(pool);
  if (spot.next() != kNever) plan(spot.next(), Timer::Kind::kSpot, pool);
}

void Cluster::fail_machine(std::uint32_t slot) {
  const std::uint32_t pool = machines_[slot].pool;
  Control& control = controls_[pool];
  ++control.counts.failures;
  const bool wanted = machines_[slot].state == MachineState::kReady;
  if (wanted) {
    ++control.repairing;
    plan(later(now_, scenario_->pools[pool].failures->repair_seconds), Timer::Kind::kRepaired,
         pool);
    machines_.drain(slot, now_);
  }
  leave(slot);
  reconcile(pool);
}

void Cluster::measure(std::uint32_t pool) {
  Control& control = controls_[pool];
  const Load load = machines_.load(pool, now_);
  PoolState state;
  state.ready = static_cast<std::int64_t>(machines_.ready(pool).size());
  state.loading = machines_.count(pool, MachineState::kLoading);
  state.waiting = load.waiting;
  state.running = load.running;
  for (const Group& g : groups_)
    for (const Tier& tier : g.tiers)
      if (std::ranges::find(tier.pools, pool) != tier.pools.end())
        state.waiting += static_cast<std::int64_t>(g.held.size());
  if (load.total_blocks > 0)
    state.kv_share = static_cast<double>(load.used_blocks) / static_cast<double>(load.total_blocks);
  state.arrivals = control.arrivals;
  control.scaler->measure(now_, state);
  plan(later(now_, scenario_->pools[pool].autoscale.tick_seconds), Timer::Kind::kMeasure, pool);
}

void Cluster::tick(std::uint32_t pool) {
  Control& control = controls_[pool];
  const double rate = control.scaler->wants_rate() ? sustained(pool) : 0;
  control.wanted = control.scaler->decide(now_, control.wanted, rate);
  reconcile(pool);
  plan(later(now_, scenario_->pools[pool].autoscale.tick_seconds), Timer::Kind::kTick, pool);
}

double Cluster::sustained(std::uint32_t pool) {
  const Pool& rules = scenario_->pools[pool];
  Control& control = controls_[pool];
  if (rules.autoscale.sustained_requests_per_second)
    return *rules.autoscale.sustained_requests_per_second;
  if (control.arrivals == 0) return 1;
  const auto n = static_cast<double>(control.arrivals);
  const double input = control.input_tokens / n, output = control.output_tokens / n;
  const auto near = [](double a, double b) { return std::abs(a - b) <= 0.05 * b; };
  if (near(input, control.sustained_for_input) && near(output, control.sustained_for_output))
    return control.sustained;
  const EngineModel& engine = *rules.engine;
  const serving::Workload work{.input_tokens = input,
                               .output_tokens = output,
                               .cached_share = 0,
                               .input_cv2 = 1,
                               .output_cv2 = 1};
  const auto tokens = static_cast<double>(engine.kv_blocks * engine.block_tokens);
  const serving::EngineLimits limits{
      .max_sequences = static_cast<double>(engine.max_sequences),
      .max_batched_tokens = static_cast<double>(engine.max_batched_tokens),
      .kv_sequences = tokens / serving::mean_tokens_held(work)};
  serving::Slo slo;
  if (!scenario_->classes.empty()) {
    const SloClass& c = scenario_->classes.front();
    if (c.ttft_seconds) slo.ttft_p95 = Seconds(*c.ttft_seconds);
    if (c.tpot_seconds) slo.tpot_p95 = Seconds(*c.tpot_seconds);
    if (c.e2e_seconds) slo.e2e_p95 = Seconds(*c.e2e_seconds);
  }
  constexpr double kMostUtilisation = 0.9;
  control.sustained =
      serving::sustained_rate(engine.cost->model(), work, limits, slo, kMostUtilisation)
          .requests_per_second *
      static_cast<double>(engine.ranks);
  control.sustained_for_input = input;
  control.sustained_for_output = output;
  return control.sustained;
}

void Cluster::wake(const Group& group) {
  for (const Tier& tier : group.tiers)
    for (const std::uint32_t pool : tier.pools) {
      Control& control = controls_[pool];
      if (!control.scaler || control.wanted > 0) continue;
      control.wanted = 1;
      reconcile(pool);
    }
}

}  // namespace portolan::simulation
