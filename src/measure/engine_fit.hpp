// Host constants of an engine family fitted to serving measurements, and what they leave when one
// model is left out.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cost/engine.hpp"
#include "measure/serving_point.hpp"

namespace portolan::measure {

/// A constant of cost::Engine that is fitted, in seconds.
struct EngineConstant {
  std::string name;
  double seconds = 0;
  double log_error = 0;  // standard error of ln(seconds); large where nothing decides it
};

/// Mean and median of |predicted - measured| / measured; share inside the 80 % band.
struct FitErrors {
  std::size_t points = 0;
  double ttft_mean = 0, ttft_median = 0, tpot_mean = 0, tpot_median = 0;
  double ttft_inside = 0, tpot_inside = 0;
};

struct EngineFit {
  cost::Engine engine;  // the record with constants and bands of this fit
  std::vector<EngineConstant> constants;
  FitErrors fit, held_out;  // held_out: each model predicted by a fit of the others
  std::vector<std::pair<std::string, FitErrors>> by_model;  // held out, by name
};

/// Gives `engine` the fitted constants of another record; scheduling and defaults stay.
void take_constants(cost::Engine& engine, const cost::Engine& from);

/// Fits the host constants of one family to `points` (others than its own are left aside), starting
/// from `start`: least squares of ln(measured / predicted) of both metrics with Cauchy's weights,
/// by Gauss-Newton in the logarithms of the constants, each held near its start by a weak prior. A
/// run measured once and listed several times counts once. Bands are quantiles of the left-out
/// residuals of models. Errors: invalid_input when fewer than 20 points of the family can be
/// answered. `threads` as of parallel loops; the result does not depend on it.
Result<EngineFit> fit_engine(std::span<const ServingPoint> points, const cost::Engine& start,
                             unsigned threads);

}  // namespace portolan::measure
