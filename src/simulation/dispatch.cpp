// Admission and routing: from an arrival to a machine, and what becomes of requests that find none.
#include <algorithm>
#include <utility>

#include "simulation/cluster.hpp"

namespace portolan::simulation {

bool fits(const EngineModel& engine, const Request& request) {
  const std::int64_t tokens =
      request.input_tokens + engine.chat_template_tokens + request.output_tokens;
  return tokens <= engine.max_model_len &&
         (tokens + engine.block_tokens - 1) / engine.block_tokens + engine.state_blocks <=
             engine.kv_blocks;
}

void Cluster::build_groups() {
  groups_.resize(models_ * classes_);
  for (std::uint32_t m = 0; m < models_; ++m)
    for (std::uint32_t c = 0; c < classes_; ++c) {
      const auto serves = [&](std::uint32_t pool) {
        return scenario_->pools[pool].model == m && scenario_->pools[pool].role != Role::kOutput;
      };
      std::vector<Tier>& tiers = group(m, c).tiers;
      if (!scenario_->classes.empty() && !scenario_->classes[c].pools.empty()) {
        for (const std::uint32_t pool : scenario_->classes[c].pools) {
          if (!serves(pool)) continue;
          tiers.emplace_back();
          tiers.back().pools.push_back(pool);
        }
        continue;
      }
      Tier all;
      for (std::uint32_t pool = 0; pool < scenario_->pools.size(); ++pool)
        if (serves(pool)) all.pools.push_back(pool);
      if (all.pools.empty()) continue;
      for (const std::uint32_t pool : all.pools)
        all.alike = all.alike &&
                    scenario_->pools[pool].engine == scenario_->pools[all.pools.front()].engine;
      tiers.push_back(std::move(all));
    }
  for (const Pool& pool : scenario_->pools)
    seats_ += pool.replicas * pool.engine->max_sequences * pool.engine->ranks;
  for (const SloClass& c : scenario_->classes)
    central_ =
        central_ || c.queue_limit.has_value() || c.priority != scenario_->classes.front().priority;
}

const std::vector<std::uint32_t>& Cluster::ready(Tier& tier) {
  if (tier.version != machines_.version()) {
    tier.version = machines_.version();
    tier.ready.clear();
    for (const std::uint32_t pool : tier.pools) {
      const std::vector<std::uint32_t>& some = machines_.ready(pool);
      tier.ready.insert(tier.ready.end(), some.begin(), some.end());
    }
    std::ranges::sort(tier.ready);
  }
  return tier.ready;
}

std::optional<std::uint32_t> Cluster::pick(const Request& request, bool& never) {
  Group& g = group(request.model, request.slo_class);
  never = true;
  std::optional<std::uint32_t> chosen;
  std::vector<std::uint32_t> some;
  for (Tier& tier : g.tiers) {
    const bool possible = std::ranges::any_of(tier.pools, [&](std::uint32_t pool) {
      return fits(*scenario_->pools[pool].engine, request);
    });
    if (!possible) continue;
    never = false;
    std::span<const std::uint32_t> candidates = ready(tier);
    if (!tier.alike || central_) {
      some.clear();
      for (const std::uint32_t slot : candidates) {
        const EngineModel& engine = machines_[slot].replica->engine();
        if (!tier.alike && !fits(engine, request)) continue;
        if (central_) {
          // Sent only where there seems to be a place and room for its prompt.
          const Load load = machines_.known(slot, now_);
          const std::int64_t blocks =
              load.used_blocks + (load.waiting_tokens + request.input_tokens) / engine.block_tokens;
          if (load.running + load.waiting >= engine.max_sequences * engine.ranks) continue;
          if (load.running + load.waiting > 0 && blocks > load.total_blocks) continue;
        }
        some.push_back(slot);
      }
      candidates = some;
    }
    if (candidates.empty()) continue;
    chosen = router_.choose(request, candidates, machines_, now_, tier.turn);
    if (&tier == &g.tiers.back()) break;
    const Load load = machines_.known(*chosen, now_);
    if (waits_.wait(machines_[*chosen], load) <=
        scenario_->classes[request.slo_class].spill_wait_seconds)
      break;
  }
  return chosen;
}

Cluster::Placed Cluster::place(Pending& pending) {
  if (now_ > pending.request.deadline && pending.outcome.first_token == kNever) {
    over(pending.outcome, Status::kTimedOut);
    return Placed::kOver;
  }
  bool never = false;
  const std::optional<std::uint32_t> slot = pick(pending.request, never);
  if (never) {
    over(pending.outcome, Status::kRejected);
    return Placed::kOver;
  }
  if (!slot) return Placed::kNoRoom;
  if (!machines_[*slot].replica->submit(std::move(pending.request), pending.outcome, now_,
                                        Part::kWhole, pending.emitted)) {
    over(pending.outcome, Status::kRejected);
    return Placed::kOver;
  }
  machines_.touched(*slot);
  return Placed::kSent;
}

void Cluster::offer(Request&& request) {
  Pending pending;
  pending.outcome.index = request.index;
  pending.outcome.model = request.model;
  pending.outcome.slo_class = request.slo_class;
  pending.outcome.pool = pending.outcome.replica = kNowhere;
  pending.outcome.arrival = request.arrival;
  pending.outcome.input_tokens = request.input_tokens;
  pending.outcome.output_tokens = request.output_tokens;
  pending.request = std::move(request);
  // Nobody overtakes those who wait already.
  if (!group(pending.request.model, pending.request.slo_class).held.empty() ||
      place(pending) == Placed::kNoRoom)
    hold(std::move(pending));
}

void Cluster::hold(Pending&& pending) {
  const std::int64_t priority =
      scenario_->classes.empty() ? 0 : scenario_->classes[pending.request.slo_class].priority;
  if (pending.request.deadline < kLongest)
    plan(std::max(now_, pending.request.deadline) + 1, Timer::Kind::kDeadline, 0);
  Group& g = group(pending.request.model, pending.request.slo_class);
  g.held.emplace(std::pair(-priority, held_sequence_++), std::move(pending));
  ++held_;
}

void Cluster::dispatch_held() {
  for (Group& g : groups_) g.blocked = g.held.empty();
  while (true) {
    Group* best = nullptr;
    for (Group& g : groups_)
      if (!g.blocked && (!best || g.held.begin()->first < best->held.begin()->first)) best = &g;
    if (!best) return;
    if (place(best->held.begin()->second) == Placed::kNoRoom) {
      best->blocked = true;
      continue;
    }
    best->held.erase(best->held.begin());
    --held_;
    best->blocked = best->held.empty();
  }
}

void Cluster::over(Outcome& outcome, Status status) {
  outcome.status = status;
  finish(outcome);
}

void Cluster::finish(const Outcome& outcome) {
  --in_flight_;
  tally_.add(outcome);
  if (outcome.status == Status::kCompleted)
    waits_.observe(outcome.pool, outcome.last_token - outcome.scheduled);
  if (observers_->request) observers_->request(outcome);
  if (!reactive_ || fault_) return;
  const Time at = std::max(now_, outcome.last_token == kNever ? now_ : outcome.last_token);
  FollowUp follow_up;
  Result<bool> more = source_->completed(outcome, at, follow_up.request);
  if (!more) {
    fault_ = std::move(more).error();
    return;
  }
  if (!*more) return;
  follow_up.request.arrival = std::max(follow_up.request.arrival, now_);
  if (follow_up.request.arrival > horizon_ || follow_up.request.arrival > kLongest) return;
  follow_up.sequence = follow_up_sequence_++;
  follow_ups_.push_back(std::move(follow_up));
  std::ranges::push_heap(follow_ups_, [](const FollowUp& a, const FollowUp& b) {
    return std::pair(a.request.arrival, a.sequence) > std::pair(b.request.arrival, b.sequence);
  });
}

}  // namespace portolan::simulation
