// Host times of an engine fitted to serving measurements, and what they leave when one model is
// left out.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cost/engine.hpp"
#include "cost/profile.hpp"
#include "measure/serving_point.hpp"

namespace portolan::measure {

/// A constant of cost::Engine that is fitted, in seconds.
struct EngineConstant {
  std::string name;
  double seconds = 0;
  double known = 0;      // of the record the fit starts from
  double log_error = 0;  // standard error of ln(seconds)
  /// False: the points say less about it than the prior does, so it stays near what was known.
  bool decided = false;
};

/// Mean and median of |predicted - measured| / measured; share inside the 80 % band.
struct FitErrors {
  std::size_t points = 0;  // the larger of the two
  std::size_t ttft_points = 0, tpot_points = 0;
  double ttft_mean = 0, ttft_median = 0, tpot_mean = 0, tpot_median = 0;
  std::optional<double> ttft_inside, tpot_inside;  // unset: no band, from too few points
};

struct EngineFit {
  cost::Engine engine;  // the record with constants and bands of this fit
  std::vector<EngineConstant> constants;
  FitErrors recorded;       // by the record the fit starts from
  FitErrors fit, held_out;  // held_out: each part predicted by a fit of the others
  /// What a part is: "model", or where all points are of one model "load" (its clients or rate).
  std::string left_out;
  std::vector<std::pair<std::string, FitErrors>> by_part;  // held out, by name
};

/// Gives `engine` the fitted constants of another record; scheduling and defaults stay.
void take_constants(cost::Engine& engine, const cost::Engine& from);

/// Fits the host constants of one family to `points` (others than its own are left aside), starting
/// from `start`: least squares of ln(measured / predicted) of both metrics with Cauchy's weights,
/// by Gauss-Newton in the logarithms of the constants, each held near its start by a weak prior. A
/// run measured once and listed several times counts once. Bands are quantiles of the left-out
/// residuals. Errors: invalid_input where the points cannot tell the constants: fewer than 12 of
/// the family can be answered, all have much the same load, or none of the constants is decided.
/// `threads` as of parallel loops; the result does not depend on it.
Result<EngineFit> fit_engine(std::span<const ServingPoint> points, const cost::Engine& start,
                             unsigned threads);

/// One fit for each record that the points name (ServingPoint::engine), by name; `start` of each is
/// what `profile` knows of it. What cannot be fitted is in `refused`.
struct EngineFits {
  std::vector<EngineFit> fits;
  std::vector<std::pair<std::string, Error>> refused;  // by engine
};
EngineFits fit_engines(std::span<const ServingPoint> points, const cost::Profile& profile,
                       unsigned threads);

}  // namespace portolan::measure
