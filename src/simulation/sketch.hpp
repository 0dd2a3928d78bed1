// Distributions without storing samples: a histogram of relative width 0.1 % with exact mean, into
// which runs of equally spaced values go at once (serving.md §3.4).
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/request.hpp"

namespace portolan::simulation {

/// Non-negative durations. Quantiles are within 0.1 % of those of the sorted samples (linear
/// interpolation between order statistics, NumPy's default); means are exact.
class Sketch {
 public:
  /// With `exact`, all samples are kept besides and quantiles come from them.
  explicit Sketch(bool exact = false);

  void add(Time value) { add(value, 1); }
  void add(Time value, std::uint64_t times);
  /// `times` samples at each of first, first + step, …, `count` values (step may be 0 or negative
  /// as long as all values stay >= 0). Time proportional to the buckets crossed.
  void add_run(Time first, Time step, std::uint64_t count, std::uint64_t times);
  void merge(const Sketch& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean() const;  // seconds; 0 when empty
  /// Seconds; `q` in [0, 1]; 0 when empty.
  [[nodiscard]] double quantile(double q) const;
  [[nodiscard]] double max() const;  // seconds, exact

 private:
  [[nodiscard]] static std::size_t bucket(Time value);
  [[nodiscard]] static Time lower(std::size_t bucket);  // smallest value of a bucket
  std::uint64_t count_ = 0;
  Time max_ = 0;
  __extension__ unsigned __int128 sum_ = 0;
  bool exact_ = false;
  std::size_t first_ = 0;               // bucket that counts_[0] stands for
  std::vector<std::uint64_t> counts_;   // grown as needed
  std::vector<Time> samples_;           // of exact ones
};

/// The figures that results print, in seconds.
struct Percentiles {
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
  std::uint64_t count = 0;
};
Percentiles percentiles(const Sketch& sketch);

}  // namespace portolan::simulation
