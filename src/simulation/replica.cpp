// Over 500 lines: one class, the life of a request in it from the front end to the last token, and
// the door to it.
#include "simulation/replica.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include "base/check.hpp"
#include "simulation/rank.hpp"
#include "simulation/step_run.hpp"

namespace portolan::simulation {
class Replica::Scheduler {
 public:
  Scheduler(std::shared_ptr<const EngineModel> engine, std::uint32_t id, std::uint64_t seed,
            Sketch& itl)
      : engine_(std::move(engine)), id_(id), itl_(&itl) {
    lanes_.reserve(static_cast<std::size_t>(engine_->ranks));
    for (std::int32_t r = 0; r < engine_->ranks; ++r)
      lanes_.push_back({.rank = Rank(*engine_, slots_, seed), .fresh = {}});
  }

  bool submit(Request request, const Outcome& outcome, Time now, Part part, std::int64_t emitted) {
    const std::int64_t prompt = request.input_tokens + engine_->chat_template_tokens + emitted;
    const std::int64_t outputs =
        part == Part::kPrompt ? 1 : std::max<std::int64_t>(1, request.output_tokens - emitted);
    if (!engine_->holds(prompt + outputs)) return false;
    const std::uint32_t handle = slots_.take();
    Slot& slot = slots_[handle];
    slot.request = std::move(request);
    slot.outcome = outcome;
    slot.outcome.replica = id_;
    slot.part = part;
    slot.prompt = prompt;
    slot.outputs = outputs;
    slot.emitted_before = emitted;
    slot.state = Slot::State::kFrontEnd;
    Time queued = now;
    if (part != Part::kOutput) {
      front_free_ = std::max(front_free_, now) + engine_->per_prompt_token * prompt;
      queued = front_free_ + engine_->front_end;
    }
    if (slot.outcome.queued == kNever) slot.outcome.queued = queued;
    waiting_tokens_ += prompt;
    auto place = arriving_.end();
    while (place != arriving_.begin() && std::prev(place)->time > queued) --place;
    arriving_.insert(place, {.time = queued, .handle = handle});
    cut(arriving_.front().time);
    return true;
  }

  [[nodiscard]] Time next_event() const {
    if (run_.active) return run_.end;
    return arriving_.empty() ? kNever : arriving_.front().time;
  }

  void advance(Time now) {
    const bool was_busy = run_.active;
    if (was_busy) complete();
    compose(now, was_busy && engine_->async_scheduling ? seen_ : now);
  }

  void release(std::uint32_t handle, Time now) {
    Slot& slot = slots_[handle];
    PORTOLAN_CHECK(slot.state == Slot::State::kHeld);
    lane_of(slot).rank.release(handle);
    slots_.give_back(handle);
    if (!run_.active) compose(now, now);
  }

  void fetched(std::uint32_t handle, Time now) {
    PORTOLAN_CHECK(slots_[handle].state == Slot::State::kFetching);
    arrived_.push_back({.time = now, .handle = handle});
    if (run_.active)
      cut_at(now);
    else
      compose(now, now);
  }

  std::vector<Unfinished> abandon(Time now) {
    const std::int64_t steps = elapsed(now);
    std::vector<Unfinished> out;
    for (std::uint32_t h = 1; h < slots_.end(); ++h) {
      Slot& slot = slots_[h];
      if (slot.state == Slot::State::kFree) continue;
      std::int64_t emitted = slot.generated;
      if (slot.state == Slot::State::kDecoding)
        emitted = std::min(slot.outputs - 1, emitted + lane_of(slot).step + steps - slot.entered);
      if (slot.part == Part::kOutput && slot.generated == 0) emitted = 1;
      out.push_back({.outcome = slot.outcome,
                     .request = std::move(slot.request),
                     .emitted = slot.emitted_before + emitted});
      slots_.give_back(h);
    }
    std::sort(out.begin(), out.end(), [](const Unfinished& a, const Unfinished& b) {
      return std::pair(a.outcome.queued, a.outcome.index) <
             std::pair(b.outcome.queued, b.outcome.index);
    });
    account(steps);
    for (Lane& lane : lanes_) {
      gather(lane);
      lane.rank.clear();
      lane.fresh.clear();
      lane.step = 0;
    }
    arriving_.clear();
    arrived_.clear();
    waiting_tokens_ = 0;
    run_ = {};
    return out;
  }

  [[nodiscard]] Load load() const {
    Load load;
    load.waiting = static_cast<std::int64_t>(arriving_.size() + arrived_.size());
    load.waiting_tokens = waiting_tokens_;
    for (const Lane& lane : lanes_) {
      load.waiting += lane.rank.waiting();
      load.running += lane.rank.running();
      load.running_tokens += lane.rank.context_sum(lane.step);
      load.used_blocks += lane.rank.pool().used_blocks();
      load.total_blocks += lane.rank.pool().total_blocks();
    }
    return load;
  }

  [[nodiscard]] Counters counters(Time now) const {
    Counters all = counters_;
    for (const Lane& lane : lanes_) {
      all.preemptions += lane.rank.preemptions();
      all.cached_tokens += lane.rank.hit_tokens();
      all.peak_blocks += lane.rank.peak_blocks();
    }
    if (run_.active) {
      const std::int64_t steps = elapsed(now);
      all.steps += static_cast<std::uint64_t>(steps);
      all.output_tokens += run_.decodes * steps;
      all.busy += std::min(now, run_.end) - run_.start;
      all.joules += run_.joules(steps);
    }
    return all;
  }

  [[nodiscard]] std::int64_t cached_prefix(const Request& request) const {
    if (request.id_tokens <= 0) return 0;
    const Content content{
        .ids = request.ids, .id_tokens = request.id_tokens, .owner = request.index + 1};
    std::int64_t best = 0;
    for (const Lane& lane : lanes_) {
      best = std::max(best, lane.rank.pool()
                                .find(content, (request.input_tokens - 1) / engine_->block_tokens)
                                .blocks);
    }
    return best * engine_->block_tokens;
  }

  [[nodiscard]] const EngineModel& engine() const { return *engine_; }

  std::vector<Finished> finished;
  std::vector<Awaiting> awaiting;
  std::function<void(const Segment&)> watcher;

 private:
  struct Pending {
    Time time = 0;
    std::uint32_t handle = 0;
  };
  struct Lane {  // a data-parallel rank
    Rank rank;
    std::int64_t step = 0;             // decode steps so far
    Time last_token = 0;               // end of the last of them
    std::vector<std::uint32_t> fresh;  // began to decode since
  };

  Lane& lane_of(const Slot& slot) { return lanes_[static_cast<std::size_t>(slot.rank)]; }

  /// Whole steps of the run that are over at `now`.
  [[nodiscard]] std::int64_t elapsed(Time now) const {
    if (!run_.active || now <= run_.start) return 0;
    const std::int64_t at_least = run_.steps_to(now - run_.start);
    const bool over = run_.span(at_least) == now - run_.start;
    return std::min(run_.steps, over ? at_least : at_least - 1);
  }

  /// Ends the run at the first step boundary at which something that comes at `time` is seen: with
  /// scheduling one step ahead, the step under way and the one after it are already composed.
  void cut_at(Time time) {
    if (!run_.active || !run_.decode_only || run_.steps <= 1) return;
    const std::int64_t steps = run_.steps_to(time - run_.start);
    const std::int64_t until =
        std::max<std::int64_t>(1, engine_->async_scheduling ? steps + 1 : steps);
    if (until >= run_.steps) return;
    run_.steps = until;
    run_.end = run_.start + run_.span(until);
  }
  void cut(Time time) {
    for (const Lane& lane : lanes_) {
      if (!lane.rank.accepts()) continue;
      cut_at(time);
      return;
    }
  }

  void enqueue_arrivals(Time horizon) {
    while (!arriving_.empty() && arriving_.front().time <= horizon) {
      const std::uint32_t handle = arriving_.front().handle;
      arriving_.pop_front();
      // vLLM's choice among data-parallel ranks: fewest requests, waiting ones count four times.
      std::size_t best = 0;
      std::int64_t least = 0;
      for (std::size_t r = 0; r < lanes_.size(); ++r) {
        const Rank& rank = lanes_[r].rank;
        const std::int64_t score = 4 * rank.waiting() + rank.running();
        if (r == 0 || score < least) {
          best = r;
          least = score;
        }
      }
      slots_[handle].rank = static_cast<std::int32_t>(best);
      lanes_[best].rank.enqueue(handle);
    }
    std::size_t kept = 0;
    for (const Pending& pending : arrived_) {
      if (pending.time > horizon) {
        arrived_[kept++] = pending;
        continue;
      }
      Slot& slot = slots_[pending.handle];
      Lane& lane = lane_of(slot);
      waiting_tokens_ -= slot.prompt;
      slot.last_token = slot.outcome.first_token;
      if (slot.outputs <= 1) {
        finish(lane, pending.handle, pending.time);
        continue;
      }
      lane.rank.enter_fetched(pending.handle, lane.step);
      lane.fresh.push_back(pending.handle);
    }
    arrived_.resize(kept);
  }

  void compose(Time now, Time horizon) {
    enqueue_arrivals(horizon);
    bool prompts = false, decodes = false;
    for (Lane& lane : lanes_) {
      lane.rank.compose(now, lane.step);
      gather(lane);
      prompts = prompts || !lane.rank.chunks().empty();
      decodes = decodes || lane.rank.decoding();
    }
    run_ = {};
    if (!prompts && !decodes) {
      // An engine without work looks at its queue at once.
      if (horizon < now) compose(now, now);
      return;
    }
    run_.active = true;
    run_.start = now;
    run_.decode_only = !prompts;
    for (const Lane& lane : lanes_) run_.decodes += lane.rank.decoding() ? lane.rank.decodes() : 0;
    if (prompts)
      price_prompts();
    else
      price_decodes();
    for (const Lane& lane : lanes_) run_.first += lane.rank.adapter_time();
    run_.end = now + run_.span(run_.steps);
    if (!arriving_.empty()) cut(arriving_.front().time);
    if (!arrived_.empty()) cut_at(arrived_.front().time);
  }

  /// Takes what a rank's last compose() found.
  void gather(Lane& lane) {
    for (const std::uint32_t handle : lane.rank.fetching) {
      const Slot& slot = slots_[handle];
      awaiting.push_back(
          {.handle = handle, .index = slot.request.index, .tokens = slot.prompt - slot.computed});
    }
    for (const std::uint32_t handle : lane.rank.timed_out) {
      Slot& slot = slots_[handle];
      waiting_tokens_ -= slot.prompt;
      slot.outcome.status = Status::kTimedOut;
      hand_over(handle);
    }
    for (const std::uint32_t handle : lane.rank.preempted) {
      Slot& slot = slots_[handle];
      waiting_tokens_ += slot.prompt;
      const bool fresh = std::erase(lane.fresh, handle) > 0;
      if (slot.generated > 0 && !fresh && slot.decoded_once) slot.last_token = lane.last_token;
      slot.decoded_once = false;
    }
    lane.rank.fetching.clear();
    lane.rank.timed_out.clear();
    lane.rank.preempted.clear();
  }

  void price_decodes() {
    std::int64_t most = 0, context = 0, ahead = kNever, growth = kContextUnit;
    for (Lane& lane : lanes_) {
      if (!lane.rank.decoding()) continue;
      const std::int64_t sum = lane.rank.context_sum(lane.step);
      if (lane.rank.decodes() > most || (lane.rank.decodes() == most && sum > context)) {
        most = lane.rank.decodes();
        context = sum;
      }
      growth = lane.rank.context_growth();
      ahead = std::min(ahead, lane.rank.steps_ahead(lane.step));
    }
    const DecodeRun run = engine_->cost->decode(most, context, run_.decodes);
    run_.first = run.first;
    run_.growth = run.growth;
    run_.joules_first = run.joules_first;
    run_.joules_growth = run.joules_growth;
    std::int64_t straight = run.steps;
    if (growth != kContextUnit) {
      const double tokens = static_cast<double>(growth) / static_cast<double>(kContextUnit);
      run_.growth = std::llround(static_cast<double>(run.growth) * tokens);
      run_.joules_growth *= tokens;
      if (straight != kNever) {
        straight = std::max<std::int64_t>(
            1, static_cast<std::int64_t>(static_cast<double>(straight) / tokens));
      }
    }
    run_.steps = std::max<std::int64_t>(1, std::min({ahead, straight, engine_->most_steps}));
  }

  void price_prompts() {
    const Lane* fullest = nullptr;
    std::int64_t most = -1, all = 0;
    for (const Lane& lane : lanes_) {
      std::int64_t tokens = lane.rank.decoding() ? lane.rank.decodes() : 0;
      for (const Chunk& chunk : lane.rank.chunks()) tokens += chunk.tokens;
      all += tokens;
      if (tokens > most) {
        most = tokens;
        fullest = &lane;
      }
    }
    const Rank& rank = fullest->rank;
    const auto split = static_cast<double>(engine_->lanes);
    cost::Batch batch;
    batch.drafted = engine_->drafted;
    if (rank.decoding()) {
      const auto decodes = static_cast<double>(rank.decodes());
      batch.decode_requests = decodes / split;
      batch.decode_context = static_cast<double>(rank.context_sum(fullest->step)) / decodes;
    }
    // Attention over chunks of unequal lengths costs as much as over so many equal ones of the
    // token-weighted mean length (Σn² and Σn·cached are kept).
    double tokens = 0, squares = 0, cached = 0, ends = 0;
    for (const Chunk& chunk : rank.chunks()) {
      const auto n = static_cast<double>(chunk.tokens);
      tokens += n;
      squares += n * n;
      cached += n * static_cast<double>(chunk.cached);
      ends += chunk.last ? 1.0 : 0.0;
    }
    if (tokens > 0) {
      const double pieces =
          std::min(split, std::ceil(tokens / static_cast<double>(engine_->max_batched_tokens)));
      batch.prefill_tokens = tokens / pieces;
      batch.prefill_requests = tokens * tokens / squares / pieces;
      batch.prefill_cached = cached / tokens;
    }
    batch.sampled = batch.decode_tokens() + ends;
    if (lanes_.size() > 1)
      batch.mean_rank_tokens = static_cast<double>(all) / static_cast<double>(lanes_.size());
    const StepCost::Step step = engine_->cost->step(batch);
    run_.first = step.time;
    run_.joules_first = step.joules;
    run_.steps = 1;
  }

  void account(std::int64_t steps) {
    counters_.steps += static_cast<std::uint64_t>(steps);
    counters_.output_tokens += run_.decodes * steps;
    counters_.joules += run_.joules(steps);
    if (run_.active) counters_.busy += run_.span(steps);
  }

  /// The run is over: tokens out, prompts on, the finished leave.
  void complete() {
    const Time end = run_.end;
    const std::int64_t steps = run_.steps;
    seen_ = end - (run_.first + run_.growth * (steps - 1));
    account(steps);
    if (watcher) tell();
    for (Lane& lane : lanes_) {
      if (lane.rank.decoding()) decode(lane, steps, end);
      for (const Chunk& chunk : lane.rank.chunks()) {
        counters_.prompt_tokens += chunk.tokens;
        if (chunk.last) first_token(lane, chunk.handle, end);
      }
    }
    run_.active = false;
  }

  void decode(Lane& lane, std::int64_t steps, Time end) {
    const Time first_end = run_.start + run_.first;
    const auto decodes = static_cast<std::uint64_t>(lane.rank.decodes());
    const std::uint64_t steady = decodes - lane.fresh.size();
    if (steady > 0) itl_->add(first_end - lane.last_token, steady);
    for (const std::uint32_t handle : lane.fresh) {
      Slot& slot = slots_[handle];
      if (slot.last_token != kNever) itl_->add(first_end - slot.last_token);
      slot.decoded_once = true;
    }
    lane.fresh.clear();
    if (steps > 1)
      itl_->add_run(run_.first + run_.growth, run_.growth, static_cast<std::uint64_t>(steps - 1),
                    decodes);
    lane.rank.decoded(lane.step, steps);
    lane.step += steps;
    lane.last_token = end;
    while (const std::uint32_t handle = lane.rank.pop_finished(lane.step))
      finish(lane, handle, end);
  }

  /// The last piece of a prompt is computed, and with it a token.
  void first_token(Lane& lane, std::uint32_t handle, Time end) {
    Slot& slot = slots_[handle];
    ++counters_.output_tokens;
    waiting_tokens_ -= slot.prompt;
    if (slot.last_token != kNever) itl_->add(end - slot.last_token);
    slot.last_token = end;
    if (slot.outcome.first_token == kNever)
      slot.outcome.first_token = end + engine_->per_output_token;
    if (slot.part == Part::kPrompt && slot.request.output_tokens > 1) {
      lane.rank.hold(handle);
      slot.outcome.output_tokens = 1;
      finished.push_back(
          {.outcome = slot.outcome, .request = std::move(slot.request), .handle = handle});
      return;
    }
    if (slot.generated + 1 >= slot.outputs) {
      finish(lane, handle, end);
      return;
    }
    lane.rank.start_decoding(handle, lane.step);
    lane.fresh.push_back(handle);
  }

  void finish(Lane& lane, std::uint32_t handle, Time end) {
    Slot& slot = slots_[handle];
    lane.rank.leave(handle, lane.step);
    slot.outcome.status = Status::kCompleted;
    slot.outcome.last_token = end + engine_->per_output_token + engine_->after_decode;
    if (slot.outcome.first_token == kNever) slot.outcome.first_token = slot.outcome.last_token;
    slot.outcome.output_tokens = slot.emitted_before + slot.outputs;
    ++counters_.completed;
    hand_over(handle);
  }

  void hand_over(std::uint32_t handle) {
    Slot& slot = slots_[handle];
    finished.push_back({.outcome = slot.outcome, .request = std::move(slot.request), .handle = 0});
    slots_.give_back(handle);
  }

  void tell() const {
    Segment segment{.replica = id_,
                    .start = run_.start,
                    .first = run_.first,
                    .growth = run_.growth,
                    .steps = run_.steps,
                    .decodes = run_.decodes};
    for (const Lane& lane : lanes_) {
      for (const Chunk& chunk : lane.rank.chunks()) {
        segment.prompt_tokens += chunk.tokens;
        ++segment.prompts;
      }
      segment.waiting += lane.rank.waiting();
      segment.used_blocks += lane.rank.pool().used_blocks();
    }
    segment.waiting += static_cast<std::int64_t>(arriving_.size());
    watcher(segment);
  }

  std::shared_ptr<const EngineModel> engine_;
  std::uint32_t id_;
  Sketch* itl_;
  Slots slots_;
  std::vector<Lane> lanes_;
  std::deque<Pending> arriving_;  // in the front end, by when they reach the queue
  std::vector<Pending> arrived_;  // caches fetched, by when
  Time front_free_ = 0;           // the process that tokenises
  Time seen_ = 0;                 // start of the step that ended last
  StepRun run_;
  std::int64_t waiting_tokens_ = 0;
  Counters counters_;
};

Replica::Replica(std::shared_ptr<const EngineModel> engine, std::uint32_t id, std::uint64_t seed,
                 Sketch& itl)
    : scheduler_(std::make_unique<Scheduler>(std::move(engine), id, seed, itl)) {}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;
Replica::~Replica() = default;

bool Replica::submit(Request request, const Outcome& outcome, Time now, Part part,
                     std::int64_t emitted) {
  return scheduler_->submit(std::move(request), outcome, now, part, emitted);
}
Time Replica::next_event() const { return scheduler_->next_event(); }
void Replica::advance(Time now) { scheduler_->advance(now); }
std::vector<Finished>& Replica::finished() { return scheduler_->finished; }
void Replica::release(std::uint32_t handle, Time now) { scheduler_->release(handle, now); }
std::vector<Replica::Awaiting>& Replica::awaiting() { return scheduler_->awaiting; }
void Replica::fetched(std::uint32_t handle, Time now) { scheduler_->fetched(handle, now); }
std::vector<Unfinished> Replica::abandon(Time now) { return scheduler_->abandon(now); }
Load Replica::load(Time /*now*/) const { return scheduler_->load(); }
Counters Replica::counters(Time now) const { return scheduler_->counters(now); }
std::int64_t Replica::cached_prefix(const Request& request) const {
  return scheduler_->cached_prefix(request);
}
const EngineModel& Replica::engine() const { return scheduler_->engine(); }
void Replica::watch(std::function<void(const Segment&)> segment) {
  scheduler_->watcher = std::move(segment);
}

}  // namespace portolan::simulation
