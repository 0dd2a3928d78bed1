// Runs a scenario against traffic: the event loop over replicas, and the result.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "simulation/replica.hpp"
#include "simulation/scenario.hpp"
#include "simulation/sketch.hpp"
#include "simulation/source.hpp"

namespace portolan::simulation {

/// How the load stood to the capacity.
enum class Verdict : std::uint8_t {
  kStable,
  kBacklogged,  // a queue built up but was worked off: percentiles depend on how long it lasted
  kOverloaded   // the queue only grew: latencies measure the length of the run
};
const char* verdict_name(Verdict verdict);

struct Latencies {
  Percentiles ttft, tpot, itl, e2e, queue;
};

/// Figures over a group of requests: a class, a pool, a model, or all.
struct GroupResult {
  std::string name;
  std::uint64_t offered = 0, completed = 0, rejected = 0, shed = 0, timed_out = 0, lost = 0,
                hosted = 0, unfinished = 0;          // unfinished: when the run was stopped
  std::int64_t input_tokens = 0, output_tokens = 0;  // of completed and hosted ones
  Latencies latency;                                 // of these; itl is 0 but for all and pools
  std::uint64_t good = 0;                            // answered within every target of their class
  std::optional<std::uint64_t> met_ttft, met_tpot, met_e2e;  // where there are targets
  std::optional<double> usd;
};

struct PoolResult {
  GroupResult group;
  Counters counters;
  std::int64_t kv_blocks = 0;  // of one replica, all ranks
  std::int64_t most_replicas = 0;
  double replica_seconds = 0;                        // paid for
  std::optional<double> usd, usd_idle, usd_loading;  // usd has the other two in it
  std::optional<double> joules;                      // steps and idling
  std::uint64_t cold_starts = 0, spot_losses = 0, failures = 0;
  double on_demand_seconds = 0;        // in replica_seconds: paid for in place of spot ones
  double ready_share = 0;              // of the simulated time, with at least one replica ready
  std::int64_t lost_tokens = 0;        // computed on machines that went away, to be computed again
  std::uint64_t swaps = 0, wakes = 0;  // models loaded, and made to compute, on shared machines
  double swap_seconds = 0;             // spent loading
  double transferred_bytes = 0, transfer_wait_seconds = 0;  // of caches sent to other pools
};

struct RunResult {
  GroupResult all;
  std::vector<GroupResult> classes, models;
  std::vector<PoolResult> pools;
  double simulated_seconds = 0;  // from the first arrival to the last token
  double offered_requests_per_second = 0, output_tokens_per_second = 0;
  Verdict verdict = Verdict::kStable;
  std::string verdict_reason;  // for verdicts other than stable: the figures it rests on
  std::optional<double> usd, joules;
  std::optional<double> usd_hosted;  // in usd
  std::uint64_t retried_requests = 0;
  std::uint64_t events = 0;
  bool stopped = false;  // more waited than is worth simulating: see verdict_reason
};

/// Who else wants to know as it happens. Unset: nobody.
struct Observers {
  std::function<void(const Outcome&)> request;  // when it is over
  std::function<void(const Segment&)> segment;
  /// Every `interval` of simulated time: the pools' state.
  struct Sample {
    Time time = 0;
    std::uint32_t pool = 0;
    Load load;          // summed over replicas
    Counters counters;  // summed, since the start
    std::int64_t ready = 0, loading = 0;
    double usd = 0;  // so far
  };
  std::function<void(const Sample&)> sample;
  Time interval = 10 * kSecond;
  /// Told now and then: requests over, simulated time. Returning false stops the run (cancelled).
  std::function<bool(std::uint64_t done, Time now)> progress;
};

/// Deterministic: same scenario, same traffic, same bits. Errors: those of the source; infeasible
/// when a pool can hold no request; usage for contradictions in the scenario; `cancelled`.
Result<RunResult> run(const Scenario& scenario, Source& source, const Observers& observers);

}  // namespace portolan::simulation
