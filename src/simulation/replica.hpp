// One replica of an inference engine, event by event: admission, chunked prompts, the KV cache,
// preemption, and runs of equal decode steps taken at once (serving.md §1.4–1.8, 1.12, 3.3).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "simulation/engine_model.hpp"
#include "simulation/request.hpp"
#include "simulation/sketch.hpp"

namespace portolan::simulation {

/// What part of a request a replica does, where prompts and outputs are computed on different ones.
enum class Part : std::uint8_t {
  kWhole,
  kPrompt,  // up to the first token; its blocks stay until release()
  kOutput   // the prompt's cache comes over a link: see Replica::awaiting()
};

/// Work that a replica has had; sums, so that differences over an interval make sense.
struct Counters {
  std::uint64_t steps = 0, completed = 0, preemptions = 0;
  std::int64_t prompt_tokens = 0;  // computed, again after preemption included
  std::int64_t cached_tokens = 0;  // found in the prefix cache at first scheduling
  std::int64_t output_tokens = 0;
  Time busy = 0;
  double joules = 0;             // of steps
  std::int64_t peak_blocks = 0;  // most in use at once
};

/// What routers and autoscalers see, at one moment.
struct Load {
  std::int64_t waiting = 0, running = 0;  // requests; waiting has those in the front end
  std::int64_t waiting_tokens = 0;        // prompt tokens not yet computed
  std::int64_t running_tokens = 0;        // in the KV cache
  std::int64_t used_blocks = 0, total_blocks = 0;
};

/// Steps that a trace of events shows: `steps` of them, the first from `start` taking `first`, each
/// later one `growth` more.
struct Segment {
  std::uint32_t replica = 0;
  Time start = 0, first = 0, growth = 0;
  std::int64_t steps = 0, decodes = 0, prompt_tokens = 0, prompts = 0;
  std::int64_t waiting = 0, used_blocks = 0;
};

/// A request that ended here, or the part of it that was to be done here.
struct Finished {
  Outcome outcome;
  Request request;
  std::uint32_t handle = 0;  // of Part::kPrompt, for release()
};
/// A request that lost its machine: what was already sent to its client is not computed in vain.
struct Unfinished {
  Outcome outcome;
  Request request;
  std::int64_t emitted = 0;  // output tokens the client has
};

class Replica {
 public:
  /// `itl` takes the gaps between tokens of all requests; it must outlive the replica.
  Replica(std::shared_ptr<const EngineModel> engine, std::uint32_t id, std::uint64_t seed,
          Sketch& itl);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

  /// A request arrives at the front end at `now`, no earlier than any event already advanced to.
  /// `outcome` carries what is known from earlier tries (retries, first token); `emitted` tokens of
  /// its output are prompt now. False: it can never fit here (context or KV cache) and nothing
  /// changed.
  bool submit(Request request, const Outcome& outcome, Time now, Part part = Part::kWhole,
              std::int64_t emitted = 0);

  /// When something happens next without further requests; kNever when idle.
  [[nodiscard]] Time next_event() const;
  /// Does what is due at `now` == next_event().
  void advance(Time now);
  /// Parts that ended in the last advance(); the caller takes them out.
  [[nodiscard]] std::vector<Finished>& finished();

  // Split prompts and outputs.
  /// Blocks of a prompt whose cache has been fetched.
  void release(std::uint32_t handle, Time now);
  struct Awaiting {
    std::uint32_t handle = 0;
    std::uint64_t index = 0;  // of the request
    std::int64_t tokens = 0;  // to be fetched
  };
  /// Requests of Part::kOutput that got their blocks in the last advance() and wait for their
  /// cache; the caller takes them out and calls fetched() when it is there.
  [[nodiscard]] std::vector<Awaiting>& awaiting();
  void fetched(std::uint32_t handle, Time now);

  /// The machine is gone: all its requests, in the order they arrived; cache empty.
  std::vector<Unfinished> abandon(Time now);

  [[nodiscard]] Load load(Time now) const;
  [[nodiscard]] Counters counters(Time now) const;
  /// Leading tokens of a prompt that its cache holds now, for routers that know.
  [[nodiscard]] std::int64_t cached_prefix(const Request& request) const;
  [[nodiscard]] const EngineModel& engine() const;
  /// Called for each run of steps when it is over; nullptr: nobody looks.
  void watch(std::function<void(const Segment&)> segment);

 private:
  class Scheduler;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace portolan::simulation
