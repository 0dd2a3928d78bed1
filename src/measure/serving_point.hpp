// One measured operating point of a serving engine, under a constant number of clients or at a rate
// of arrivals, resolved to what the model can answer.
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
  std::string engine;        // the record it would give: "vllm-0.19", family and version a.b
  /// Shared by the points of one model, machine and layout; its engine is the record of the row.
  std::shared_ptr<const cost::StepModel> step;
  serving::ClosedLoop load;
  /// Open loop: Poisson arrivals of `work` at so many requests a second, `load` means nothing then.
  /// 0: closed loop.
  double arrivals = 0;
  serving::Workload work;
  serving::EngineLimits limits;
  std::optional<double> ttft_ms, tpot_ms;  // measured means
};

/// Mean times; zero where nothing is predicted: no request fits, or arrivals outrun the engine.
struct ServingTimes {
  Seconds ttft_mean{0}, tpot_mean{0};
};
/// The point under its own engine, or under `engine` instead.
ServingTimes predict(const ServingPoint& point);
ServingTimes predict(const ServingPoint& point, const cost::Engine& engine);

/// Name of the record that measurements of a version give: that of `known` where it is for this
/// very version or the version is no number ("nightly-…"), else its family and "a.b".
std::string record_name(const cost::Engine& known, std::string_view version);

/// Every point as `ttft_mean` and `tpot_mean` in milliseconds, with the engine's 80 % interval.
/// `threads` as of parallel loops; the result does not depend on it.
std::vector<ScoredPoint> score_serving(std::span<const ServingPoint> points, unsigned threads);

}  // namespace portolan::measure
