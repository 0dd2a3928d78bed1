// One published operating point of a serving engine under a constant number of clients, resolved to
// what the model can answer.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cost/engine.hpp"
#include "cost/step.hpp"
#include "measure/score.hpp"
#include "serving/closed_loop.hpp"

namespace portolan::measure {

struct ServingPoint {
  std::string set, group, label, source;
  std::string reason;        // why the model cannot answer; empty when it can
  std::string architecture;  // what a leave-model-out split keeps together
  /// Shared by the points of one model, machine and layout; its engine is the record of the row.
  std::shared_ptr<const cost::StepModel> step;
  serving::ClosedLoop load;
  serving::EngineLimits limits;
  std::optional<double> ttft_ms, tpot_ms;  // measured means
};

/// The point under `engine` instead of its own record.
serving::ClosedLoopResult predict(const ServingPoint& point, const cost::Engine& engine);

/// Every point as `ttft_mean` and `tpot_mean` in milliseconds, with the engine's 80 % interval.
/// `threads` as of parallel loops; the result does not depend on it.
std::vector<ScoredPoint> score_serving(std::span<const ServingPoint> points, unsigned threads);

}  // namespace portolan::measure
