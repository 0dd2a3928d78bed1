// Distributions without storing samples: a histogram of relative width 0.1 % with exact mean, into
// which runs of equally spaced values go at once (serving.md §3.4).
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/request.hpp"

namespace portolan::simulation {

/// Non-negative durations (negative ones count as 0). Quantiles are within 0.1 % of those of the
/// sorted samples (linear interpolation between order statistics, NumPy's default); mean, smallest
/// and largest are exact. Counts and sums are integers, so neither the order of adding nor that of
/// merging shows.
class Sketch {
 public:
  /// With `exact`, all samples are kept besides and quantiles come from them. The first quantile
  /// after an add sorts them, so quantiles of one exact sketch are not for several threads at once.
  explicit Sketch(bool exact = false);

  void add(Time value) { add(value, 1); }
  void add(Time value, std::uint64_t times);
  /// `times` samples at each of first, first + step, …, `count` values (step may be 0 or negative
  /// as long as all values stay >= 0). Time proportional to the buckets crossed.
  void add_run(Time first, Time step, std::uint64_t count, std::uint64_t times);
  /// Exact only while both are.
  void merge(const Sketch& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean() const;  // seconds; 0 when empty
  /// Seconds; `q` in [0, 1]; 0 when empty.
  [[nodiscard]] double quantile(double q) const;
  [[nodiscard]] double max() const;  // seconds, exact

 private:
  struct Sample {
    Time value;
    std::uint64_t times;
  };
  // Eleven significant bits of the value: whole picoseconds below 2048, then 1024 to the octave.
  static constexpr unsigned kBits = 10;
  [[nodiscard]] static std::size_t bucket(Time value);
  [[nodiscard]] static std::uint64_t lower(std::size_t bucket);  // smallest value of a bucket
  void tally(Time smallest, Time largest);  // bounds, and room for the buckets between
  [[nodiscard]] double at_rank(std::uint64_t rank) const;  // order statistic, in picoseconds
  std::uint64_t count_ = 0;
  Time min_ = kNever, max_ = 0;
  __extension__ unsigned __int128 sum_ = 0;
  bool exact_ = false;
  std::size_t first_ = 0;                // bucket that counts_[0] stands for
  std::vector<std::uint64_t> counts_;    // grown as needed
  mutable std::vector<Sample> samples_;  // of exact ones
  mutable bool sorted_ = false;
};

/// The figures that results print, in seconds.
struct Percentiles {
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
  std::uint64_t count = 0;
};
Percentiles percentiles(const Sketch& sketch);

}  // namespace portolan::simulation
