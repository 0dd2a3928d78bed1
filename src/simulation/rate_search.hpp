// The largest rate at which a system keeps its latency targets, by bisection over simulations.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "serving/steady_state.hpp"
#include "simulation/run.hpp"

namespace portolan::simulation {

/// What simulations at one rate showed.
struct Probe {
  double requests_per_second = 0;
  bool stable = true;  // the queue did not only grow
  Latencies latency;   // of the requests that count
};
/// All requests of a run count.
Probe probe_of(const RunResult& result, double requests_per_second);

/// Whether every target holds in a stable run; else `miss` names the worst one missed, by the
/// factor it is missed by: "ttft_p95" …, or "capacity" where the queue only grew.
bool meets(const Probe& probe, const serving::Slo& slo, serving::Miss* miss = nullptr);

struct RateBounds {
  double guess = 0;         // where the search begins; > 0
  double most = 0;          // no rate above is tried: what the system can do at all; > 0
  double precision = 0.01;  // of the rate found
};

struct SustainedLoad {
  double requests_per_second = 0;  // 0: even a thousandth of the guess misses a target
  Probe probe;                     // at that rate; at the lightest one tried when it is 0
  serving::Miss binding;           // what the next higher rate missed; "most" when it was not tried
  std::int64_t probes = 0;         // rates tried
};

/// The targets are taken to hold at every rate below one at which they hold: give simulations that
/// draw the same random numbers at every rate. Errors are those of `probe`, the first one ends the
/// search; usage for bounds that are not above 0.
Result<SustainedLoad> sustained_load(const std::function<Result<Probe>(double rate)>& probe,
                                     const serving::Slo& slo, const RateBounds& bounds);

}  // namespace portolan::simulation
