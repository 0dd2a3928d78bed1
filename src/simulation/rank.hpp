// The scheduler of one data-parallel rank: its queue, its running requests and its KV cache, and
// what the next step computes (serving.md §1.4–1.7, 1.12). Private to the room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "simulation/adapters.hpp"
#include "simulation/engine_model.hpp"
#include "simulation/kv_pool.hpp"
#include "simulation/replica.hpp"
#include "simulation/request.hpp"

namespace portolan::simulation {

/// A request inside a replica. Contexts are in units of 1/kContextUnit token, because a step of
/// speculative decoding adds a fractional number of tokens on average.
inline constexpr std::int64_t kContextUnit = 1024;

struct Slot {
  enum class State : std::uint8_t {
    kFree,
    kFrontEnd,
    kWaiting,
    kPrefilling,
    kDecoding,
    kFetching,  // blocks are there, the prompt's cache is on its way
    kHeld       // done, blocks kept until the cache has been fetched
  };
  Request request;
  Outcome outcome;
  State state = State::kFree;
  Part part = Part::kWhole;
  bool fetched = false;       // a kOutput part whose cache has come
  bool decoded_once = false;  // since it last began to decode
  std::int32_t rank = 0;
  std::int64_t prompt = 0;             // tokens, template and earlier outputs included
  std::int64_t outputs = 0;            // still to be generated here
  std::int64_t generated = 0;          // outputs generated; while decoding, at entry
  std::int64_t computed = 0;           // tokens whose cache exists; while decoding, at entry
  std::int64_t entered = 0, ends = 0;  // decode steps
  std::int64_t emitted_before = 0;     // by other replicas
  Time last_token = kNever;            // end of the step that gave its last token
  std::uint64_t admission = 0;         // order in `running`
  KvPool::Holding holding;
  std::uint32_t previous = 0, next = 0;  // in `running`, 0 = none
  [[nodiscard]] std::int64_t text() const { return prompt + generated; }
  /// Whether the trace names the text of the reply too: more ids than the prompt's runs.
  [[nodiscard]] bool names_reply() const {
    return static_cast<std::int64_t>(request.ids.size()) * request.id_tokens -
               request.input_tokens >=
           request.id_tokens;
  }
  [[nodiscard]] Content content() const {
    Content text{.ids = request.ids, .id_tokens = request.id_tokens, .owner = request.index + 1};
    if (!names_reply()) text.named_tokens = request.input_tokens;
    return text;
  }
};

/// Requests of a replica by handle; handle 0 is nobody.
class Slots {
 public:
  std::uint32_t take();
  void give_back(std::uint32_t handle);
  Slot& operator[](std::uint32_t handle) { return all_[handle]; }
  const Slot& operator[](std::uint32_t handle) const { return all_[handle]; }
  [[nodiscard]] std::uint32_t end() const { return static_cast<std::uint32_t>(all_.size()); }

 private:
  std::vector<Slot> all_ = std::vector<Slot>(1);
  std::vector<std::uint32_t> free_;
};

/// A piece of a prompt in a step.
struct Chunk {
  std::uint32_t handle = 0;
  std::int64_t tokens = 0, cached = 0;  // new ones, and those before them
  bool last = false;
};

class Rank {
 public:
  Rank(const EngineModel& engine, Slots& slots, std::uint64_t seed);

  /// Joins the queue's end.
  void enqueue(std::uint32_t handle);
  /// The prompt's cache has come: it decodes from the next step on.
  void enter_fetched(std::uint32_t handle, std::int64_t decode_step);

  /// Decides the next step; `now` is when it begins, `step` the number of decode steps so far.
  /// After it, chunks() and decodes() say what it computes.
  void compose(Time now, std::int64_t step);
  [[nodiscard]] const std::vector<Chunk>& chunks() const { return chunks_; }
  /// Whether running requests generate in the step composed (not beside prompts that go first).
  [[nodiscard]] bool decoding() const { return decode_now_; }
  [[nodiscard]] std::int64_t decodes() const { return decodes_; }
  [[nodiscard]] std::int64_t context_sum(std::int64_t step) const {
    return (context_base_ + decodes_ * step * growth_) / kContextUnit;
  }
  [[nodiscard]] std::int64_t context_growth() const { return growth_; }  // a step, in units
  /// How many decode steps the composed batch can take before somebody ends or memory runs out.
  [[nodiscard]] std::int64_t steps_ahead(std::int64_t step);
  /// `steps` decode steps from `step` on were taken (the last of them may be a mixed one).
  void decoded(std::int64_t step, std::int64_t steps);
  /// Somebody whose outputs are complete after decode step `step`; 0 = nobody (more).
  std::uint32_t pop_finished(std::int64_t step);
  /// The last chunk of a prompt is computed: it decodes from the next step on. Not for requests of
  /// a single output.
  void start_decoding(std::uint32_t handle, std::int64_t step);
  /// Leaves for good: blocks go back. The slot is the caller's to free.
  void leave(std::uint32_t handle, std::int64_t step);
  /// Leaves the running requests, blocks stay (until release()).
  void hold(std::uint32_t handle);
  void release(std::uint32_t handle);

  /// Whether a request that came now could be admitted at the next step.
  [[nodiscard]] bool accepts() const;
  [[nodiscard]] bool idle() const { return running_ == 0 && waiting_.empty(); }
  [[nodiscard]] std::int64_t running() const { return running_; }
  [[nodiscard]] std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_.size()); }
  [[nodiscard]] std::int64_t prefilling() const {
    return static_cast<std::int64_t>(prefilling_.size());
  }
  [[nodiscard]] const KvPool& pool() const { return pool_; }
  [[nodiscard]] std::uint64_t preemptions() const { return preemptions_; }
  [[nodiscard]] std::int64_t hit_tokens() const { return hit_tokens_; }
  [[nodiscard]] std::int64_t peak_blocks() const { return peak_blocks_; }
  /// Extra time the composed step needs to read adapters.
  [[nodiscard]] Time adapter_time() const { return adapter_time_; }
  /// Requests that got blocks and wait for their cache, found by the last compose().
  std::vector<std::uint32_t> fetching;
  /// Requests whose deadline passed in the queue, found by the last compose().
  std::vector<std::uint32_t> timed_out;
  /// Requests that lost their cache in the last compose().
  std::vector<std::uint32_t> preempted;
  void clear();

 private:
  struct Ending {
    std::int64_t step = 0;
    std::uint64_t admission = 0;
    std::uint32_t handle = 0;
  };
  static bool later(const Ending& a, const Ending& b) {
    return a.step != b.step ? a.step > b.step : a.admission > b.admission;
  }
  [[nodiscard]] std::size_t phase_of(const Slot& slot) const;
  [[nodiscard]] std::int64_t need(std::int64_t step) const;
  [[nodiscard]] std::int64_t decode_steps(const Slot& slot) const;
  void settle(Slot& slot, std::int64_t step);
  bool make_room(std::int64_t blocks, std::int64_t step, std::uint32_t asking);
  void preempt(std::uint32_t victim, std::int64_t step);
  [[nodiscard]] std::uint32_t victim() const;
  void grant_decodes(std::int64_t step);
  void continue_prompts(std::int64_t& budget, std::int64_t step);
  void add_chunk(std::uint32_t handle, std::int64_t tokens);
  void enter(Slot& slot, std::uint32_t handle, std::int64_t step);
  [[nodiscard]] bool stale(const Ending& ending) const;
  void drop_stale();
  bool admit_head(Time now, std::int64_t& budget, std::int64_t step);
  [[nodiscard]] bool room_for(const Slot& slot, const KvPool::Hit& hit, std::int64_t reached,
                              std::int64_t step) const;
  void append_running(std::uint32_t handle);
  void stop_prefilling(std::uint32_t handle);
  void unlink(std::uint32_t handle);
  void drop_decoding(Slot& slot, std::int64_t step);
  void note_use() { peak_blocks_ = std::max(peak_blocks_, pool_.used_blocks()); }

  const EngineModel* engine_;
  Slots* slots_;
  std::uint64_t seed_;
  std::int64_t block_, growth_;
  KvPool pool_;
  std::deque<std::uint32_t> waiting_;
  std::vector<std::uint32_t> prefilling_, set_aside_;  // in order of admission
  std::uint32_t first_ = 0, last_ = 0;                 // of `running`
  std::int64_t running_ = 0, decodes_ = 0, context_base_ = 0;
  std::vector<std::int64_t> phases_;  // decoding requests by when they need their next block
  std::vector<Ending> endings_;       // heap; entries of requests that left are stale
  std::int64_t remaining_base_ = 0;   // outputs to come of the decoding ones, plus `step` each
  std::int64_t prefilling_outputs_ = 0;
  std::vector<Chunk> chunks_;
  bool decode_now_ = false, blocked_ = false;
  bool granted_ = false;              // the composed decode step has its blocks
  std::int64_t blocked_free_ = -1;    // free blocks when the head of the queue did not fit
  std::int64_t look_again_ = kNever;  // decode step at which it is tried again in any case
  std::uint64_t admissions_ = 0, preemptions_ = 0;
  std::int64_t hit_tokens_ = 0, peak_blocks_ = 0;
  /// SGLang's guess of the share of remaining outputs that will really be generated.
  double expected_share_ = 0.7;
  Time adapter_time_ = 0;
  Adapters adapters_;
};

}  // namespace portolan::simulation
