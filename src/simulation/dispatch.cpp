// Admission and routing: from an arrival to a machine, and what becomes of requests that find none.
#include <algorithm>
#include <cmath>
#include <utility>

#include "simulation/cluster.hpp"

namespace portolan::simulation {

bool fits(const EngineModel& engine, const Request& request) {
  return engine.holds(request.input_tokens + engine.chat_template_tokens + request.output_tokens);
}

void Cluster::build_groups() {
  groups_.resize(models_ * classes_);
  for (std::uint32_t m = 0; m < models_; ++m)
    for (std::uint32_t c = 0; c < classes_; ++c) {
      const auto serves = [&](std::uint32_t pool) {
        const Pool& p = scenario_->pools[pool];
        return p.model == m && p.role != Role::kOutput && p.sharing.models.empty();
      };
      Tier outputs;
      for (std::uint32_t pool = 0; pool < scenario_->pools.size(); ++pool)
        if (scenario_->pools[pool].model == m && scenario_->pools[pool].role == Role::kOutput)
          outputs.pools.push_back(pool);
      if (!outputs.pools.empty()) group(m, c).outputs = std::move(outputs);
      for (std::uint32_t pool = 0; pool < scenario_->pools.size(); ++pool) {
        const std::vector<SharedModel>& some = scenario_->pools[pool].sharing.models;
        for (std::uint32_t i = 0; i < some.size(); ++i)
          if (some[i].model == m) group(m, c).shared.emplace_back(pool, i);
      }
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
    seats_ += std::max(pool.replicas, pool.autoscale.max_replicas) * pool.engine->max_sequences *
              pool.engine->ranks;
  held_of_class_.resize(classes_, 0);
  admission_ = scenario_->hosted.has_value();
  for (const SloClass& c : scenario_->classes)
    admission_ = admission_ || c.queue_limit || c.shed_wait_seconds;
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
  const Request& request = pending.request;
  if (now_ > request.deadline && pending.outcome.first_token == kNever) {
    over(pending.outcome, Status::kTimedOut);
    return Placed::kOver;
  }
  if (const Group& g = group(request.model, request.slo_class); !g.shared.empty())
    return place_shared(pending, g);
  bool never = false;
  std::optional<std::uint32_t> slot = pick(request, never);
  if (never) {
    over(pending.outcome, Status::kRejected);
    return Placed::kOver;
  }
  if (!slot) return Placed::kNoRoom;
  Part part = Part::kWhole;
  if (scenario_->pools[machines_[*slot].pool].role == Role::kPrompt) {
    part = Part::kPrompt;
    Tier& outputs = *group(request.model, request.slo_class).outputs;
    if (std::ranges::none_of(outputs.pools, [&](std::uint32_t pool) {
          return fits(*scenario_->pools[pool].engine, request);
        })) {
      over(pending.outcome, Status::kRejected);
      return Placed::kOver;
    }
    if (scenario_->split_from_tokens > 0 && !ready(outputs).empty()) {
      const std::uint32_t whole =
          router_.choose(request, ready(outputs), machines_, now_, outputs.turn);
      const std::int64_t cached = machines_[whole].replica->cached_prefix(request);
      if (request.input_tokens - cached < scenario_->split_from_tokens) {
        part = Part::kWhole;
        slot = whole;
      }
    }
  }
  Control& control = controls_[machines_[*slot].pool];
  ++control.arrivals;
  control.input_tokens += static_cast<double>(request.input_tokens);
  control.output_tokens += static_cast<double>(request.output_tokens);
  if (!machines_[*slot].replica->submit(std::move(pending.request), pending.outcome, now_, part,
                                        pending.emitted)) {
    over(pending.outcome, Status::kRejected);
    return Placed::kOver;
  }
  machines_.touched(*slot);
  return Placed::kSent;
}

double Cluster::predicted_wait(const Request& request) {
  Group& g = group(request.model, request.slo_class);
  double least = HUGE_VAL, leaving = 0;
  for (Tier& tier : g.tiers)
    for (const std::uint32_t slot : ready(tier)) {
      const Load load = machines_.known(slot, now_);
      least = std::min(least, waits_.wait(machines_[slot], load));
      leaving += waits_.leaving(machines_[slot], load);
    }
  if (g.held.empty() || least == HUGE_VAL) return least;
  const auto ahead = static_cast<double>(g.held.size() + 1);
  return std::max(least, leaving > 0 ? ahead / leaving : 0);
}

bool Cluster::send_to_hosted(Pending& pending) {
  const Hosted& api = *scenario_->hosted;
  if (api.requests_per_second) {
    if (hosted_free_ > now_) return false;
    hosted_free_ = later(now_, 1 / *api.requests_per_second);
  }
  Outcome& o = pending.outcome;
  o.first_token = later(now_, api.ttft_seconds);
  o.last_token =
      later(o.first_token, static_cast<double>(o.output_tokens - 1) / api.output_tokens_per_second);
  o.usd = (static_cast<double>(o.input_tokens) * api.usd_per_million_input_tokens +
           static_cast<double>(o.output_tokens) * api.usd_per_million_output_tokens) *
          1e-6;
  over(o, Status::kHosted);
  return true;
}

/// Admission: to the hosted API, or away. False: it goes to the machines.
bool Cluster::turn_away(Pending& pending) {
  const bool classed = !scenario_->classes.empty();
  const SloClass* c = classed ? &scenario_->classes[pending.request.slo_class] : nullptr;
  const std::optional<Hosted>& api = scenario_->hosted;
  const bool may_burst = api && (!c || c->may_burst);
  const bool full =
      c && c->queue_limit && held_of_class_[pending.request.slo_class] >= *c->queue_limit;
  const bool asks = (may_burst && api->wait_seconds) || (c && c->shed_wait_seconds);
  const double wait = asks ? predicted_wait(pending.request) : 0;
  const bool too_long = c && c->shed_wait_seconds && wait > *c->shed_wait_seconds;
  if (may_burst) {
    const bool backlog =
        api->waiting_requests && machines_.waiting(now_) + held_ > *api->waiting_requests;
    if ((full || too_long || backlog || (api->wait_seconds && wait > *api->wait_seconds)) &&
        send_to_hosted(pending))
      return true;
  }
  if (!full && !too_long) return false;
  over(pending.outcome, Status::kShed);
  return true;
}

void Cluster::offer(Request&& request) {
  if (!scenario_->classes.empty())
    if (const auto& limit = scenario_->classes[request.slo_class].deadline_seconds)
      request.deadline = std::min(request.deadline, later(request.arrival, *limit));
  Pending pending;
  pending.outcome.index = request.index;
  pending.outcome.model = request.model;
  pending.outcome.slo_class = request.slo_class;
  pending.outcome.pool = pending.outcome.replica = kNowhere;
  pending.outcome.arrival = request.arrival;
  pending.outcome.input_tokens = request.input_tokens;
  pending.outcome.output_tokens = request.output_tokens;
  pending.request = std::move(request);
  if (admission_ && turn_away(pending)) return;
  // Nobody overtakes those who wait already.
  if (group(pending.request.model, pending.request.slo_class).held.empty()) {
    if (place(pending) != Placed::kNoRoom) return;
    hold(std::move(pending));
    return;
  }
  hold(std::move(pending));
  dispatch_held();
}

void Cluster::hold(Pending&& pending) {
  const std::int64_t priority =
      scenario_->classes.empty() ? 0 : scenario_->classes[pending.request.slo_class].priority;
  if (pending.request.deadline < kLongest)
    plan(std::max(now_, pending.request.deadline) + 1, Timer::Kind::kDeadline, 0);
  const std::uint32_t slo_class = pending.request.slo_class;
  Group& g = group(pending.request.model, slo_class);
  g.held.emplace(std::pair(-priority, held_sequence_++), std::move(pending));
  ++held_;
  ++held_of_class_[slo_class];
  wake(g);
}

void Cluster::dispatch_held() {
  for (Group& g : groups_) g.blocked = g.held.empty();
  while (true) {
    Group* best = nullptr;
    for (Group& g : groups_)
      if (!g.blocked && (!best || g.held.begin()->first < best->held.begin()->first)) best = &g;
    if (!best) return;
    const std::uint32_t slo_class = best->held.begin()->second.outcome.slo_class;
    if (place(best->held.begin()->second) == Placed::kNoRoom) {
      best->blocked = true;
      continue;
    }
    best->held.erase(best->held.begin());
    --held_;
    --held_of_class_[slo_class];
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
