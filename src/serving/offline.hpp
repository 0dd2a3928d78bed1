// A finite run of identical requests through an engine, step by step: static batches, offline
// throughput benchmarks with their ramp and tail, servers that receive more than they can do.
#pragma once

#include <cstdint>
#include <optional>

#include "base/quantity.hpp"
#include "cost/step.hpp"

namespace portolan::serving {

/// What is asked of the engine: `requests` of fixed lengths.
struct OfflineJob {
  double requests = 1;
  double input_tokens = 0, output_tokens = 0;
  double cached_share = 0;  // of prompt tokens found in a prefix cache
  double spacing = 0;       // seconds between arrivals; 0: all are there at the start
  /// Clients send the next request when one is answered: the clock of a request starts when it is
  /// admitted, and `max_sequences` is the number of clients.
  bool closed_loop = false;
};

struct OfflineLimits {
  double max_sequences = 256;        // in service at once, whole replica
  double max_batched_tokens = 8192;  // of a step, per data-parallel rank
  /// Requests of full length (prompt and all outputs) whose memory the KV caches of the replica
  /// have, fractional; below 1 nothing can be served.
  double whole_sequences = 1e9;
};

/// Mean and order statistics over requests.
struct Spread {
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0;
};

struct OfflineRun {
  Seconds makespan{0};     // from the first arrival to the last token
  Spread ttft, tpot, e2e;  // seconds, on the engine's clock; tpot is zero for a single output
  double output_tokens_per_second = 0;
  double steps = 0;
  double request_steps =
      0;                   // requests of each step, summed: what host time per request is paid for
  double batch = 0;        // requests in service, mean over time
  double preemptions = 0;  // requests that lost their cache and were computed again
  cost::Bound bound = cost::Bound::kMemory;  // where most of the time went
  /// All accelerators of the replica, over the whole run; nullopt when their board power is
  /// unknown.
  std::optional<Joules> energy;
};

/// Runs the job under the engine's rules (cost::Engine of the step model): who goes first, prompts
/// or decodes; whether the whole length is reserved at admission (no preemption ever) or requests
/// are admitted while their prompt fits and the latest are preempted and computed again when memory
/// runs out. Prompts are taken in order and cut into chunks at the token budget. Steps between two
/// changes of the batch are taken at once. nullopt: not even one request fits.
std::optional<OfflineRun> offline_run(const cost::StepModel& step, const OfflineJob& job,
                                      const OfflineLimits& limits);

}  // namespace portolan::serving
