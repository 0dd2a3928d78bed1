// Predicted beside measured: one point of one metric, and the statistics of groups of them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace portolan::measure {

/// One measured value and what the model says about it. Both in the unit of the column.
struct ScoredPoint {
  std::string set, group, metric;  // contract.md: "ttft_mean", "latency", … ; a point has one group
  std::string label;               // what was measured, as a user reads it
  double measured = 0;
  std::optional<double> predicted;  // nullopt: not answered, `reason` says why
  std::optional<double> low, high;  // 80 % interval of the prediction
  std::string tier;                 // cost::tier_name of the evidence behind the prediction
  std::string method{};             // "simulated", "simulated, saturated"; empty: in closed form
  std::string reason;
  std::string source;  // of the measurement
};

/// Statistics of one (set, group, metric). Fractions: 0.05 is 5 %. The medians are of |p - m| / m.
struct GroupScore {
  std::string set, group, metric;
  std::size_t points = 0;  // measured, whether answered or not
  std::size_t n = 0;       // scored
  double covered = 0;      // n / points
  std::optional<double> median_ape, mean_ape, p90_ape;
  std::optional<double> bias;      // median of (p - m) / m
  std::optional<double> interval;  // share of scored points with an interval that holds the truth
};

/// Groups sorted by set, group, metric. Quantiles interpolate between order statistics.
std::vector<GroupScore> score(std::span<const ScoredPoint> points);
/// All points as one group with the given names.
GroupScore score_all(std::span<const ScoredPoint> points, const std::string& set,
                     const std::string& group, const std::string& metric);

/// Linear interpolation between order statistics of a sorted, non-empty sequence (NumPy's default).
double quantile(std::span<const double> sorted, double q);

}  // namespace portolan::measure
