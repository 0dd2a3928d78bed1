#include "simulation/rank.hpp"

#include <algorithm>
#include <cmath>

#include "base/check.hpp"
#include "base/random.hpp"

namespace portolan::simulation {
namespace {

constexpr std::uint64_t kAcceptanceStream = 0xacce97;

// SGLang: the reserve for outputs of running requests begins at 0.7 of what they may still
// generate, falls to 0.14 of that over 600 decode steps, and each request counts for at most 4,096
// (serving.md §1.12). After memory ran out, room for 20 more tokens of each is made.
constexpr double kFirstShare = 0.7, kLeastShare = 0.14 * kFirstShare, kShareSteps = 600;
constexpr std::int64_t kMostReserved = 4096, kRetractTokens = 20;
// The reserve shrinks as running requests go on; a request that waits for it is tried again at
// every multiple of so many decode steps (the engine: at every step), so that runs stay long.
constexpr std::int64_t kLookAgainSteps = 16;

}  // namespace

std::uint32_t Slots::take() {
  if (free_.empty()) {
    all_.emplace_back();
    return static_cast<std::uint32_t>(all_.size() - 1);
  }
  const std::uint32_t handle = free_.back();
  free_.pop_back();
  return handle;
}

void Slots::give_back(std::uint32_t handle) {
  all_[handle] = Slot{};
  free_.push_back(handle);
}

Rank::Rank(const EngineModel& engine, Slots& slots, std::uint64_t seed)
    : engine_(&engine),
      slots_(&slots),
      seed_(seed),
      block_(engine.block_tokens),
      growth_(kContextUnit),
      pool_(engine.kv_blocks, engine.block_tokens, engine.prefix_caching),
      phases_(static_cast<std::size_t>(engine.block_tokens), 0),
      expected_share_(kFirstShare),
      adapters_(static_cast<std::size_t>(engine.max_adapters)) {
  double chance = 1, emitted = 1;
  for (double k = 0; k < engine.drafted; ++k) {
    chance *= engine.acceptance;
    emitted += chance;
  }
  growth_ = static_cast<std::int64_t>(std::llround(emitted * static_cast<double>(kContextUnit)));
}

void Rank::enqueue(std::uint32_t handle) {
  (*slots_)[handle].state = Slot::State::kWaiting;
  waiting_.push_back(handle);
}

void Rank::append_running(std::uint32_t handle) {
  Slot& slot = (*slots_)[handle];
  slot.admission = ++admissions_;
  slot.previous = last_;
  slot.next = 0;
  (last_ != 0 ? (*slots_)[last_].next : first_) = handle;
  last_ = handle;
  ++running_;
}

/// Its prompt is computed, or will not be: neither a piece of a step nor a claim on memory any
/// more.
void Rank::stop_prefilling(std::uint32_t handle) {
  const Slot& slot = (*slots_)[handle];
  std::erase(prefilling_, handle);
  prefilling_outputs_ -= std::min(kMostReserved, slot.outputs - slot.generated);
}

void Rank::unlink(std::uint32_t handle) {
  Slot& slot = (*slots_)[handle];
  (slot.previous != 0 ? (*slots_)[slot.previous].next : first_) = slot.next;
  (slot.next != 0 ? (*slots_)[slot.next].previous : last_) = slot.previous;
  slot.previous = slot.next = 0;
  --running_;
  adapters_.leave(slot.request.adapter);
}

std::size_t Rank::phase_of(const Slot& slot) const {
  const std::int64_t phase = (slot.computed - slot.entered) % block_;
  return static_cast<std::size_t>(phase < 0 ? phase + block_ : phase);
}

/// Blocks that decode step `step` takes: one for each request whose last block is full.
std::int64_t Rank::need(std::int64_t step) const {
  if (engine_->reserves_outputs) return 0;
  const std::int64_t phase = (block_ - step % block_) % block_;
  return phases_[static_cast<std::size_t>(phase)];
}

std::int64_t Rank::decode_steps(const Slot& slot) const {
  std::int64_t left = slot.outputs - slot.generated;
  if (engine_->drafted <= 0) return left;
  const RandomStream stream(seed_, kAcceptanceStream, slot.request.index);
  std::uint64_t draw = static_cast<std::uint64_t>(slot.generated) * 64;
  std::int64_t steps = 0;
  for (; left > 0; ++steps) {
    --left;
    for (double k = 0; k < engine_->drafted && left > 0; ++k, --left)
      if (stream.uniform(draw++) >= engine_->acceptance) break;
  }
  return steps;
}

/// Writes into the slot what it has computed and generated after `step` decode steps.
void Rank::settle(Slot& slot, std::int64_t step) {
  const std::int64_t grown = (step - slot.entered) * growth_ / kContextUnit;
  slot.generated =
      step >= slot.ends ? slot.outputs : std::min(slot.outputs - 1, slot.generated + grown);
  slot.computed = slot.prompt + slot.generated - 1;
  slot.entered = step;
}

void Rank::drop_decoding(Slot& slot, std::int64_t step) {
  context_base_ -= slot.computed * kContextUnit - slot.entered * growth_;
  if (!engine_->reserves_outputs) --phases_[phase_of(slot)];
  remaining_base_ -= slot.ends;
  --decodes_;
  settle(slot, step);
  if (!engine_->reserves_outputs)
    slot.holding.owned = engine_->blocks_of(slot.computed + (granted_ ? 1 : 0));
}

void Rank::start_decoding(std::uint32_t handle, std::int64_t step) {
  Slot& slot = (*slots_)[handle];
  stop_prefilling(handle);
  ++slot.generated;
  enter(slot, handle, step);
}

void Rank::enter_fetched(std::uint32_t handle, std::int64_t step) {
  Slot& slot = (*slots_)[handle];
  append_running(handle);
  slot.fetched = true;
  slot.generated = 1;
  slot.computed = slot.prompt;
  enter(slot, handle, step);
}

void Rank::enter(Slot& slot, std::uint32_t handle, std::int64_t step) {
  slot.state = Slot::State::kDecoding;
  slot.entered = step;
  slot.ends = step + decode_steps(slot);
  context_base_ += slot.computed * kContextUnit - slot.entered * growth_;
  if (!engine_->reserves_outputs) ++phases_[phase_of(slot)];
  remaining_base_ += slot.ends;
  ++decodes_;
  endings_.push_back({.step = slot.ends, .admission = slot.admission, .handle = handle});
  std::push_heap(endings_.begin(), endings_.end(), later);
}

bool Rank::stale(const Ending& ending) const {
  const Slot& slot = (*slots_)[ending.handle];
  return slot.state != Slot::State::kDecoding || slot.admission != ending.admission;
}

void Rank::drop_stale() {
  while (!endings_.empty() && stale(endings_.front())) {
    std::pop_heap(endings_.begin(), endings_.end(), later);
    endings_.pop_back();
  }
}

std::uint32_t Rank::pop_finished(std::int64_t step) {
  drop_stale();
  if (endings_.empty() || endings_.front().step > step) return 0;
  const std::uint32_t handle = endings_.front().handle;
  std::pop_heap(endings_.begin(), endings_.end(), later);
  endings_.pop_back();
  return handle;
}

std::int64_t Rank::steps_ahead(std::int64_t step) {
  drop_stale();
  if (endings_.empty()) return 1;
  std::int64_t most = std::max<std::int64_t>(1, endings_.front().step - step);
  if (!waiting_.empty()) {
    // Who could not even try (somebody was preempted) tries at the next step.
    most = blocked_ ? std::min(most, std::max<std::int64_t>(1, look_again_ - step)) : 1;
  }
  if (engine_->reserves_outputs) return most;
  // The first step has its blocks already; every `block_` steps each request takes one more.
  const std::int64_t free = pool_.free_blocks();
  if ((most / block_ + 1) * decodes_ <= free) return most;
  std::int64_t left = free % decodes_;
  std::int64_t can = 1 + free / decodes_ * block_;
  while (can < most && need(step + can) <= left) left -= need(step + can++);
  return std::min(most, can);
}

void Rank::decoded(std::int64_t step, std::int64_t steps) {
  granted_ = false;
  if (engine_->prefill == cost::PrefillPolicy::kFirst) {
    expected_share_ =
        std::max(kLeastShare, expected_share_ - static_cast<double>(steps) *
                                                    (kFirstShare - kLeastShare) / kShareSteps);
  }
  if (engine_->reserves_outputs || steps <= 1) return;
  std::int64_t blocks = (steps - 1) / block_ * decodes_;
  for (std::int64_t j = steps - 1 - (steps - 1) % block_ + 1; j < steps; ++j)
    blocks += need(step + j);
  pool_.grow_anonymous(blocks);
  note_use();
}

std::uint32_t Rank::victim() const {
  if (engine_->prefill != cost::PrefillPolicy::kFirst) return last_;
  // Fewest outputs, longest input among equals.
  std::uint32_t chosen = 0;
  std::int64_t best = 0;
  for (std::uint32_t h = first_; h != 0; h = (*slots_)[h].next) {
    const Slot& slot = (*slots_)[h];
    const std::int64_t rank = (slot.generated - slot.entered) * (std::int64_t{1} << 24) -
                              slot.prompt;  // equal steps for all: entry tells who has fewer
    if (slot.state == Slot::State::kDecoding && (chosen == 0 || rank <= best)) {
      chosen = h;
      best = rank;
    }
  }
  return chosen != 0 ? chosen : last_;
}

void Rank::preempt(std::uint32_t handle, std::int64_t step) {
  Slot& slot = (*slots_)[handle];
  if (slot.state == Slot::State::kDecoding) {
    drop_decoding(slot, step);
  } else {
    stop_prefilling(handle);
    for (const Chunk& chunk : chunks_)
      if (chunk.handle == handle) slot.computed = chunk.cached;  // was not computed after all
    std::erase_if(chunks_, [&](const Chunk& chunk) { return chunk.handle == handle; });
  }
  pool_.index(slot.holding, slot.content(), slot.computed);
  pool_.release(slot.holding);
  slot.computed = 0;
  slot.state = Slot::State::kWaiting;
  ++slot.outcome.preemptions;
  ++preemptions_;
  unlink(handle);
  waiting_.push_front(handle);
  blocked_free_ = -1;
  preempted.push_back(handle);
}

/// Preempts until so many blocks are free; false when `asking` itself had to go.
bool Rank::make_room(std::int64_t blocks, std::int64_t step, std::uint32_t asking) {
  while (pool_.free_blocks() < blocks) {
    const std::uint32_t out = victim();
    if (out == 0) return false;
    preempt(out, step);
    if (out == asking) return false;
  }
  return true;
}

/// Blocks for one more token of everyone who decodes.
void Rank::grant_decodes(std::int64_t step) {
  if (decodes_ == 0) return;
  if (need(step) > pool_.free_blocks()) {
    const bool retract = engine_->prefill == cost::PrefillPolicy::kFirst;
    do {
      const std::uint32_t out = victim();
      if (out == 0) break;
      preempt(out, step);
    } while (need(step) > pool_.free_blocks() ||
             (retract && decodes_ > 1 && pool_.free_blocks() * block_ < decodes_ * kRetractTokens));
    if (retract) {
      std::int64_t generated = 0, all = 0;
      for (std::uint32_t h = first_; h != 0; h = (*slots_)[h].next) {
        const Slot& slot = (*slots_)[h];
        if (slot.state != Slot::State::kDecoding) continue;
        generated += slot.generated + step - slot.entered + kRetractTokens;
        all += slot.outputs;
      }
      if (all > 0)
        expected_share_ = std::min(1.0, static_cast<double>(generated) / static_cast<double>(all));
    }
  }
  pool_.grow_anonymous(need(step));
  granted_ = true;
  decode_now_ = decodes_ > 0;
  note_use();
}

void Rank::continue_prompts(std::int64_t& budget, std::int64_t step) {
  for (std::size_t i = 0; i < prefilling_.size() && budget > 0; ++i) {
    const std::uint32_t handle = prefilling_[i];
    Slot& slot = (*slots_)[handle];
    const std::int64_t tokens = std::min(slot.text() - slot.computed, budget);
    const std::int64_t blocks = engine_->blocks_of(slot.computed + tokens);
    if (blocks > slot.holding.owned) {
      if (!make_room(blocks - slot.holding.owned, step, handle)) return;
      pool_.grow(slot.holding, blocks);
    }
    add_chunk(handle, tokens);
    budget -= tokens;
  }
}

void Rank::add_chunk(std::uint32_t handle, std::int64_t tokens) {
  Slot& slot = (*slots_)[handle];
  chunks_.push_back({.handle = handle,
                     .tokens = tokens,
                     .cached = slot.computed,
                     .last = slot.computed + tokens == slot.text()});
  slot.computed += tokens;
  if (slot.request.id_tokens > 0) pool_.index(slot.holding, slot.content(), slot.computed);
  note_use();
}

bool Rank::room_for(const Slot& slot, const KvPool::Hit& hit, std::int64_t reached,
                    std::int64_t step) const {
  const std::int64_t to_come = slot.outputs - slot.generated;
  const std::int64_t wanted = engine_->reserves_outputs ? engine_->blocks_of(slot.text() + to_come)
                              : engine_->reserve_full_prompt ? engine_->blocks_of(slot.text())
                                                             : engine_->blocks_of(reached);
  const std::int64_t taken = wanted - hit.blocks + hit.free, free = pool_.free_blocks();
  if (taken > free) return false;
  if (engine_->prefill != cost::PrefillPolicy::kFirst || engine_->reserves_outputs) return true;
  // SGLang: what running requests are expected to need stays free.
  if (running_ == 0) return true;
  const auto expected = static_cast<double>(remaining_base_ - decodes_ * step) * expected_share_ +
                        static_cast<double>(prefilling_outputs_ + std::min(kMostReserved, to_come));
  return static_cast<double>((free - taken) * block_) >= expected;
}

/// Takes the head of the queue into the step, sets it aside or turns it out; false: it stays, and
/// so do those behind it.
bool Rank::admit_head(Time now, std::int64_t& budget, std::int64_t step) {
  const std::uint32_t handle = waiting_.front();
  Slot& slot = (*slots_)[handle];
  if (slot.request.deadline < now && slot.outcome.first_token == kNever) {
    waiting_.pop_front();
    blocked_free_ = -1;
    timed_out.push_back(handle);
    return true;
  }
  if (pool_.free_blocks() <= blocked_free_ && step < look_again_) {
    blocked_ = true;
    return false;
  }
  const bool known = slot.request.id_tokens > 0 || slot.outcome.preemptions > 0;
  const KvPool::Hit hit =
      known ? pool_.find(slot.content(), (slot.text() - 1) / block_) : KvPool::Hit{};
  const std::int64_t hits = hit.blocks * block_;
  const bool fetches = slot.part == Part::kOutput && !slot.fetched;
  const std::int64_t whole = slot.text() - hits;
  const std::int64_t tokens = fetches ? whole : std::min(whole, budget);
  // In-flight batching starts whole prompts unless it has to cut one that is alone.
  if (engine_->prefill == cost::PrefillPolicy::kInflight && !chunks_.empty() && tokens < whole)
    return false;
  if (!room_for(slot, hit, hits + tokens, step)) {
    blocked_ = true;
    blocked_free_ = pool_.free_blocks();
    look_again_ = engine_->prefill == cost::PrefillPolicy::kFirst
                      ? (step / kLookAgainSteps + 1) * kLookAgainSteps
                      : kNever;
    return false;
  }
  bool read = false;
  if (!adapters_.take(slot.request.adapter, read)) {
    set_aside_.push_back(handle);
    waiting_.pop_front();
    return true;
  }
  if (read) adapter_time_ += engine_->adapter_load;
  waiting_.pop_front();
  blocked_free_ = -1;
  pool_.take(slot.holding, slot.content(), hit);
  slot.computed = hits;
  if (slot.outcome.scheduled == kNever) {
    slot.outcome.scheduled = now;
    slot.outcome.cached_tokens = hits;
    hit_tokens_ += hits;
  }
  pool_.grow(slot.holding, engine_->reserves_outputs
                               ? engine_->blocks_of(slot.text() + slot.outputs - slot.generated)
                               : engine_->blocks_of(hits + tokens));
  note_use();
  if (fetches) {
    slot.state = Slot::State::kFetching;
    fetching.push_back(handle);
    return true;
  }
  append_running(handle);
  slot.state = Slot::State::kPrefilling;
  prefilling_.push_back(handle);
  prefilling_outputs_ += std::min(kMostReserved, slot.outputs - slot.generated);
  add_chunk(handle, tokens);
  budget -= tokens;
  return true;
}

void Rank::compose(Time now, std::int64_t step) {
  chunks_.clear();
  fetching.clear();
  timed_out.clear();
  preempted.clear();
  adapter_time_ = 0;
  decode_now_ = blocked_ = granted_ = false;
  const bool prompts_first = engine_->prefill == cost::PrefillPolicy::kFirst;
  std::int64_t budget = engine_->max_batched_tokens * engine_->lanes;
  if (!prompts_first) {
    grant_decodes(step);
    budget -= decodes_ * (1 + static_cast<std::int64_t>(engine_->drafted));
  }
  continue_prompts(budget, step);
  if (preempted.empty()) {
    while (!waiting_.empty() && budget > 0) {
      if (running_ >= engine_->max_sequences) {
        blocked_ = true;
        look_again_ = kNever;
        break;
      }
      if (!admit_head(now, budget, step)) break;
    }
    if (!set_aside_.empty()) blocked_free_ = -1;
    while (!set_aside_.empty()) {
      waiting_.push_front(set_aside_.back());
      set_aside_.pop_back();
    }
  }
  if (prompts_first && chunks_.empty()) grant_decodes(step);
  if (decodes_ == 0) decode_now_ = false;
}

void Rank::leave(std::uint32_t handle, std::int64_t step) {
  Slot& slot = (*slots_)[handle];
  if (slot.state == Slot::State::kDecoding) {
    drop_decoding(slot, step);
    unlink(handle);
    // The reply's text has a name only where the trace gives it one.
    if (slot.request.id_tokens > 0 && slot.names_reply())
      pool_.index(slot.holding, slot.content(), slot.computed);
  } else if (slot.state == Slot::State::kPrefilling) {
    stop_prefilling(handle);
    unlink(handle);
  }
  pool_.release(slot.holding);
}

void Rank::hold(std::uint32_t handle) {
  Slot& slot = (*slots_)[handle];
  stop_prefilling(handle);
  unlink(handle);
  slot.state = Slot::State::kHeld;
}

void Rank::release(std::uint32_t handle) {
  pool_.release((*slots_)[handle].holding);
  blocked_free_ = -1;
}

bool Rank::accepts() const { return !blocked_ && running_ < engine_->max_sequences; }

void Rank::clear() {
  waiting_.clear();
  prefilling_.clear();
  endings_.clear();
  chunks_.clear();
  adapters_.clear();
  fetching.clear();
  timed_out.clear();
  preempted.clear();
  first_ = last_ = 0;
  running_ = decodes_ = context_base_ = remaining_base_ = prefilling_outputs_ = 0;
  std::fill(phases_.begin(), phases_.end(), 0);
  decode_now_ = blocked_ = granted_ = false;
  blocked_free_ = -1;
  expected_share_ = kFirstShare;
  pool_.clear();
}

}  // namespace portolan::simulation
