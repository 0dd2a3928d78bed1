// One stage of an open-loop load answered by simulating it: Poisson arrivals for the stage's
// length, several seeds together. Inside measure/.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "measure/serving_answer.hpp"
#include "simulation/engine_model.hpp"

namespace portolan::measure {

/// What comes to one replica.
struct OpenLoad {
  double requests_per_second = 0;
  double seconds = 0;              // arrivals end then, unless after
  std::optional<double> requests;  // so many
  Lengths lengths;
  bool varied = false;  // lengths as in traces: exponential around the mean, else constant
  double recurring_tokens =
      0;  // leading tokens of a prompt that other prompts of its user begin with
  double users = 1;
};

struct SimulatedLoad {
  Law ttft, gap, e2e;  // s; gap: of a request's mean gaps, weighted by their number in the mean
  double requests_per_second = 0, output_tokens_per_second = 0;
  std::optional<double> watts;  // of one replica, mean over the run
  bool saturated = false;       // the queue grew as long as requests came
};

/// Errors: those of the simulator; infeasible where no request fits. `threads` as of parallel
/// loops; the result does not depend on it.
Result<SimulatedLoad> simulate_load(const simulation::EngineModel& engine, const OpenLoad& load,
                                    unsigned threads);

}  // namespace portolan::measure
