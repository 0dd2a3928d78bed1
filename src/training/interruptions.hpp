// A run with its interruptions, played through many times: how long it takes, with quantiles, and
// where the time goes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/derivation.hpp"
#include "base/quantity.hpp"

namespace portolan::training {

/// A cause of stops that come independently of each other.
struct StopKind {
  std::string_view name;
  double per_accelerator_hour = 0;
};
/// 419 unexpected stops in 54 days on 16,384 H100 by cause (Llama 3, arXiv 2407.21783 table 5,
/// 2024-07-23); "other" is what the table's smaller causes sum to.
std::span<const StopKind> stop_kinds();

/// Where checkpoints go.
struct CheckpointStore {
  std::string_view name, source;
  BytesPerSecond per_accelerator{0};  // sustained write of a run's checkpoint
  bool asynchronous = false;          // the run waits for the copy to the host only
};
/// Parallel file system, object store, local disks with a copy in the background. By name:
/// "filesystem", "object", "local".
std::span<const CheckpointStore> checkpoint_stores();
/// Seconds that training stands still for a checkpoint of `bytes` spread over the accelerators.
Seconds checkpoint_pause(const CheckpointStore& store, Bytes bytes, double accelerators);

struct Interruptions {
  double accelerators = 1;
  Seconds work{0};           // wall time of the run if nothing stopped it
  Seconds checkpoint{0};     // pause of one checkpoint
  Seconds interval{0};       // work between two; 0 = the best for independent failures
  Seconds restart{600};      // detect, restart, reload, warm up
  double failure_scale = 1;  // over the rates of stop_kinds(); 0 = nothing fails
  // Spot: reclaims of the whole run per hour, the warning before one (a checkpoint that fits into
  // it loses no work) and the mean wait until capacity is back.
  double reclaims_per_hour = 0;
  Seconds warning{0}, wait{0};
  std::uint64_t seed = 1;
  std::int32_t plays = 1000;
};

struct InterruptedRun {
  Seconds mean{0}, p10{0}, p50{0}, p90{0};  // wall time
  double goodput = 1;                       // work / mean
  Seconds interval{0};
  double stops = 0, reclaims = 0;  // mean of one run
  // Mean seconds of one run: mean = work + checkpoints + lost + restarts + waiting.
  Seconds checkpoints{0}, lost{0}, restarts{0}, waiting{0};
};

/// Deterministic: the same request gives the same bytes. Stops are exponential; one during a
/// restart begins it again. A run that would stop more than a million times ends there with
/// infinite times.
InterruptedRun play(const Interruptions& run);

/// The played run as a tree: wall time <- work, checkpoints, lost work, restarts; rate by cause.
Derivation explain(const Interruptions& run, const InterruptedRun& played);

}  // namespace portolan::training
