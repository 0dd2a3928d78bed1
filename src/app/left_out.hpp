// How far fitted kernel curves are off on points that were left out of their fit, pooled by
// operator.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/kernels.hpp"

namespace portolan::app {

/// Means of the curves' medians and 90th percentiles, weighted by rows; 0.05 is 5 %. Unset where no
/// curve is large enough to leave anything out.
struct LeftOut {
  std::string op, accelerator;
  std::size_t curves = 0, rows = 0, rejected = 0;  // rejected: faster than physics
  std::optional<double> median_point, p90_point;   // one point of a line left out
  std::optional<double> median_site, p90_site;     // all points of a shape
};

/// Sorted by op, then accelerator; without `by_accelerator` one of each op, accelerator empty.
std::vector<LeftOut> left_out_of(std::span<const measure::CalibrationLine> lines,
                                 bool by_accelerator);

}  // namespace portolan::app
