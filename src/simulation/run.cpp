#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

/// More requests than this under way beyond what machines can run at once: the run is stopped. It
/// bounds memory to some 100 MB; a queue of that length says all there is to say.
constexpr std::int64_t kMostWaiting = 250'000;
constexpr std::uint64_t kProgressEvery = 4096;

}  // namespace

Cluster::Cluster(const Scenario& scenario, Source& source, const Observers& observers)
    : scenario_(&scenario),
      source_(&source),
      observers_(&observers),
      classes_(std::max<std::size_t>(1, scenario.classes.size())),
      models_(std::max<std::size_t>(1, scenario.models.size())),
      tally_(scenario),
      machines_(scenario, tally_, observers.segment),
      waits_(scenario),
      router_(scenario, waits_),
      reactive_(source.reactive()) {
  build_groups();
}

Result<void> Cluster::pull() {
  if (!next_.ids.capacity() && !spare_ids_.empty()) {
    next_.ids = std::move(spare_ids_.back());
    spare_ids_.pop_back();
  }
  const Time before = next_.arrival;
  const bool first = first_arrival_ == kNever;
  has_next_ = PORTOLAN_TRY(source_->next(next_));
  if (!has_next_) return {};
  if (next_.arrival < 0 || (!first && next_.arrival < before))
    return fail(ErrorCode::kInvalidInput,
                fmt::format("request {} arrives at {} s, before the one ahead of it", next_.index,
                            to_seconds(next_.arrival)),
                "sort the trace by arrival");
  if (next_.arrival > horizon_)
    has_next_ = false;
  else if (next_.arrival > kLongest)
    return fail(ErrorCode::kLimit,
                fmt::format("request {} arrives more than 100 days after the start", next_.index),
                "simulate a part of the trace, or give a horizon");
  return {};
}

Time Cluster::next_arrival() const {
  Time at = has_next_ ? next_.arrival : kNever;
  if (!follow_ups_.empty()) at = std::min(at, follow_ups_.front().request.arrival);
  return at;
}

Result<void> Cluster::take_arrival() {
  if (backlog_.due(now_)) backlog_.sample(now_, waiting());
  Request request;
  if (has_next_ && next_.arrival == now_) {
    request = std::move(next_);
    next_.ids = {};
    PORTOLAN_DO(pull());
  } else {
    const auto later = [](const FollowUp& a, const FollowUp& b) {
      return std::pair(a.request.arrival, a.sequence) > std::pair(b.request.arrival, b.sequence);
    };
    std::ranges::pop_heap(follow_ups_, later);
    request = std::move(follow_ups_.back().request);
    follow_ups_.pop_back();
  }
  if (request.model >= models_ || request.slo_class >= classes_)
    return fail(ErrorCode::kInvalidInput,
                fmt::format("request {} is of model {} and class {}; the scenario has {} and {}",
                            request.index, request.model, request.slo_class, models_, classes_));
  if (request.input_tokens < 1 || request.output_tokens < 1)
    return fail(ErrorCode::kInvalidInput,
                fmt::format("request {} has {} prompt and {} output tokens; both are at least 1",
                            request.index, request.input_tokens, request.output_tokens));
  request.arrival = now_;
  last_arrival_ = now_;
  ++offered_;
  ++in_flight_;
  offer(std::move(request));
  if (!has_next_ && follow_ups_.empty()) waiting_at_last_ = waiting();
  if (in_flight_ - seats_ > kMostWaiting)
    stop(fmt::format("more than {} requests were waiting", kMostWaiting));
  return {};
}

void Cluster::replica_event() {
  const std::uint32_t slot = machines_.next_slot();
  machines_[slot].replica->advance(now_);
  collect(slot);
  if (machines_[slot].state == MachineState::kDraining) {
    if (machines_[slot].paid)
      release_if_drained(slot);
    else
      consider(host_of_[slot]);
  }
  if (held_ > 0) dispatch_held();
}

void Cluster::plan(Time at, Timer::Kind kind, std::uint32_t subject, std::uint64_t life) {
  timers_.push(
      {.at = at, .kind = kind, .subject = subject, .life = life, .sequence = timer_sequence_++});
}

void Cluster::timer_event() {
  const Timer timer = timers_.top();
  timers_.pop();
  // What was planned for a machine that has left since is void.
  const auto alive = [&] {
    return machines_[timer.subject].state != MachineState::kGone &&
           machines_[timer.subject].life == timer.life;
  };
  switch (timer.kind) {
    case Timer::Kind::kTransfer:
      end_transfer(timer.subject);
      break;
    case Timer::Kind::kWeights:
      if (alive()) begin_weights(timer.subject);
      break;
    case Timer::Kind::kRead:
      weights_read(timer.subject, timer.life);
      break;
    case Timer::Kind::kReady:
      if (alive()) come_up(timer.subject);
      break;
    case Timer::Kind::kSpot:
      spot_event(timer.subject);
      break;
    case Timer::Kind::kSpotLost:
    case Timer::Kind::kDrained:
      if (alive()) leave(timer.subject);
      break;
    case Timer::Kind::kFailure:
      if (alive()) fail_machine(timer.subject);
      break;
    case Timer::Kind::kRepaired:
      --controls_[timer.subject].repairing;
      reconcile(timer.subject);
      break;
    case Timer::Kind::kSwapped:
      swapped(timer.subject);
      break;
    case Timer::Kind::kPatience:
      if (hosts_[timer.subject].decisions == timer.life) consider(timer.subject);
      break;
    case Timer::Kind::kMeasure:
      measure(timer.subject);
      break;
    case Timer::Kind::kTick:
      tick(timer.subject);
      break;
    case Timer::Kind::kScrape:
      machines_.look(now_);
      plan(later(now_, scenario_->staleness_seconds), Timer::Kind::kScrape, 0);
      break;
    case Timer::Kind::kDeadline:
      break;
  }
  if (held_ > 0) dispatch_held();
}

void Cluster::sample_until(Time time) {
  while (next_sample_ <= time) {
    for (std::uint32_t pool = 0; pool < scenario_->pools.size(); ++pool)
      observers_->sample({.time = next_sample_,
                          .pool = pool,
                          .load = machines_.load(pool, next_sample_),
                          .counters = machines_.counters(pool, next_sample_),
                          .ready = static_cast<std::int64_t>(machines_.ready(pool).size()),
                          .loading = machines_.count(pool, MachineState::kLoading),
                          .usd = machines_.usd(pool, next_sample_)});
    next_sample_ += observers_->interval;
  }
}

void Cluster::stop(std::string why) {
  stopped_ = true;
  why_stopped_ = std::move(why);
}

Result<void> Cluster::loop() {
  PORTOLAN_DO(pull());
  if (!has_next_) return {};
  now_ = first_arrival_ = next_.arrival;
  if (scenario_->horizon_seconds) horizon_ = later(first_arrival_, *scenario_->horizon_seconds);
  if (observers_->sample) next_sample_ = first_arrival_;
  start_pools();
  if (scenario_->staleness_seconds > 0) {
    machines_.look(now_);
    plan(later(now_, scenario_->staleness_seconds), Timer::Kind::kScrape, 0);
  }
  while (!stopped_) {
    const Time arrival = next_arrival();
    if (arrival == kNever && in_flight_ == 0) return {};
    const Time replica = machines_.next_time();
    const Time timer = timers_.empty() ? kNever : timers_.top().at;
    const Time next = std::min({replica, timer, arrival});
    if (next >= kLongest) {
      stop("requests were left that nothing could serve within 100 days");
      break;
    }
    sample_until(next);
    now_ = next;
    if (replica == next) {
      replica_event();
    } else if (timer == next) {
      timer_event();
    } else {
      PORTOLAN_DO(take_arrival());
    }
    if (fault_) return fail(*std::move(fault_));
    if (++events_ % kProgressEvery == 0 && observers_->progress &&
        !observers_->progress(tally_.over(), now_))
      return fail(ErrorCode::kCancelled, "simulation cancelled");
  }
  return {};
}

RunResult Cluster::results() {
  const Time end = std::max(now_, tally_.last_token());
  for (Group& g : groups_)
    for (const auto& [key, pending] : g.held)
      tally_.add_unfinished(pending.request.model, pending.request.slo_class, kNowhere);
  for (const Host& host : hosts_)
    for (const std::deque<Pending>& queue : host.queues)
      for (const Pending& pending : queue)
        tally_.add_unfinished(pending.request.model, pending.request.slo_class, host.pool);
  for (std::uint32_t slot = 0; slot < machines_.size(); ++slot) {
    if (machines_[slot].state == MachineState::kGone) continue;
    const std::uint32_t pool = machines_[slot].pool;
    const bool prompts = scenario_->pools[pool].role == Role::kPrompt;
    for (const Unfinished& lost : machines_.release(slot, end)) {
      // A prompt that is done is only kept for the machine that has the request now.
      if (prompts && lost.outcome.first_token != kNever) continue;
      tally_.add_unfinished(lost.request.model, lost.request.slo_class, pool);
    }
  }
  RunResult r;
  r.all = tally_.all();
  r.events = events_;
  r.stopped = stopped_;
  r.retried_requests = tally_.retried();
  if (first_arrival_ == kNever) return r;
  r.simulated_seconds = to_seconds(end - first_arrival_);
  const double offering = to_seconds(last_arrival_ - first_arrival_);
  if (offering > 0) r.offered_requests_per_second = static_cast<double>(offered_) / offering;
  if (r.simulated_seconds > 0)
    r.output_tokens_per_second = static_cast<double>(r.all.output_tokens) / r.simulated_seconds;

  bool priced = true, powered = true;
  double usd = tally_.hosted_usd(), joules = 0;
  for (std::uint32_t i = 0; i < scenario_->pools.size(); ++i) {
    const Pool& pool = scenario_->pools[i];
    PoolResult p;
    p = controls_.empty() ? PoolResult{} : std::move(controls_[i].counts);
    machines_.settle(i, p);
    p.group = tally_.of_pool(i);
    p.group.name = pool.name;
    p.group.usd = p.usd;
    p.kv_blocks = pool.engine->kv_blocks * pool.engine->ranks;
    p.ready_share = r.simulated_seconds > 0 ? machines_.ready_seconds(i) / r.simulated_seconds : 0;
    priced = priced && p.usd.has_value();
    powered = powered && p.joules.has_value();
    usd += p.usd.value_or(0);
    joules += p.joules.value_or(0);
    r.pools.push_back(std::move(p));
  }
  if (priced) r.usd = r.all.usd = usd;
  if (powered) r.joules = joules;
  if (scenario_->hosted) r.usd_hosted = tally_.hosted_usd();
  const auto add_money = [&](GroupResult& group, double hosted, auto share) {
    if (!priced) return;
    double sum = hosted;
    for (std::uint32_t i = 0; i < r.pools.size(); ++i) sum += share(i) * *r.pools[i].usd;
    group.usd = sum;
  };
  for (std::uint32_t c = 0; c < scenario_->classes.size(); ++c) {
    r.classes.push_back(tally_.of_class(c));
    r.classes.back().name = scenario_->classes[c].name;
    add_money(r.classes.back(), tally_.class_hosted_usd(c),
              [&](std::uint32_t pool) { return tally_.class_share(c, pool); });
  }
  for (std::uint32_t m = 0; m < scenario_->models.size(); ++m) {
    r.models.push_back(tally_.of_model(m));
    r.models.back().name = scenario_->models[m];
    add_money(r.models.back(), tally_.model_hosted_usd(m),
              [&](std::uint32_t pool) { return tally_.model_share(m, pool); });
  }

  const double served = to_seconds(tally_.last_scheduled() - first_arrival_);
  Judgement judgement = backlog_.judge(
      {.offered = offered_,
       .waiting_at_last_arrival =
           stopped_ ? std::max(waiting_at_last_, in_flight_ - seats_) : waiting_at_last_,
       .first_arrival = first_arrival_,
       .last_arrival = last_arrival_,
       .last_scheduled = stopped_ ? kNever : tally_.last_scheduled(),
       .service_p50 = tally_.service_p50(),
       .queue_p99 = r.all.latency.queue.p99,
       .scheduled_per_second = served > 0 ? static_cast<double>(r.all.completed) / served : 0});
  if (stopped_) {
    judgement.verdict = Verdict::kOverloaded;
    judgement.reason = judgement.reason.empty() ? "the run was stopped: " + why_stopped_
                                                : judgement.reason + ": " + why_stopped_;
  }
  r.verdict = judgement.verdict;
  r.verdict_reason = std::move(judgement.reason);
  return r;
}

Result<RunResult> Cluster::run() {
  PORTOLAN_DO(loop());
  return results();
}

Result<RunResult> run(const Scenario& scenario, Source& source, const Observers& observers) {
  PORTOLAN_DO(check(scenario));
  if (observers.sample && observers.interval <= 0)
    return fail(ErrorCode::kUsage, "samples are to be taken every 0 s", "give a longer interval");
  return Cluster(scenario, source, observers).run();
}

}  // namespace portolan::simulation
