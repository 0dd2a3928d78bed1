// Fitting one efficiency curve to measured calls: roofline numbers first, then the residual grid,
// judged on points that were left out.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cost/curve.hpp"

namespace portolan::measure {

/// One measured call. `site` names the group that is left out together (all m of one (n, k), all
/// points of one head layout).
struct FitPoint {
  cost::Call call;
  double seconds = 0;
  std::uint64_t site = 0;
};

struct FitOptions {
  std::array<std::vector<float>, cost::kCurveAxes> knots;
  /// Start values; the numbers named free are fitted, the others kept.
  cost::Roofline start;
  bool fit_wave = false, fit_short_k = false, fit_pass = false, fit_memory = true,
       fit_compute = true, fit_knee = true;
  /// Weight of second differences along each axis, against one point of weight 1 in a cell.
  std::array<double, cost::kCurveAxes> smooth = {0.05, 0.05, 0.05, 0.05};
  int folds = 8;
};

/// Points faster than physics (ideal() > seconds) must be gone already. At least one point. The
/// key, source, date and `rejected` of the curve are the caller's.
cost::Curve fit_curve(std::span<const FitPoint> points, const FitOptions& options);

/// Ascending distinct values, at most `most` of them: neighbours closer than `apart` are joined.
std::vector<float> knots_of(std::vector<float> values, float apart, std::size_t most);

}  // namespace portolan::measure
