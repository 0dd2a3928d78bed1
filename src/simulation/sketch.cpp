#include "simulation/sketch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace portolan::simulation {
namespace {

__extension__ using Wide = unsigned __int128;

std::uint64_t bits_of(Time value) { return static_cast<std::uint64_t>(value); }

}  // namespace

Sketch::Sketch(bool exact) : exact_(exact) {}

std::size_t Sketch::bucket(Time value) {
  const auto width = static_cast<unsigned>(std::bit_width(bits_of(value)));
  const unsigned shift = width > kBits + 1 ? width - kBits - 1 : 0;
  return (std::size_t{shift} << kBits) + (bits_of(value) >> shift);
}

std::uint64_t Sketch::lower(std::size_t bucket) {
  constexpr std::uint64_t kOctave = std::uint64_t{1} << kBits;
  if (bucket < 2 * kOctave) return bucket;
  return ((bucket & (kOctave - 1)) | kOctave) << (((bucket >> kBits) - 1) & 63);
}

void Sketch::tally(Time smallest, Time largest) {
  min_ = std::min(min_, smallest);
  max_ = std::max(max_, largest);
  // Whole octaves at a time: a distribution that drifts makes room a few times, not for each
  // bucket.
  constexpr std::size_t kOctave = std::size_t{1} << kBits;
  const std::size_t from = bucket(smallest) & ~(kOctave - 1);
  const std::size_t to = (bucket(largest) | (kOctave - 1)) + 1;
  if (counts_.empty()) first_ = from;
  if (from < first_) {
    counts_.insert(counts_.begin(), first_ - from, 0);
    first_ = from;
  }
  if (to > first_ + counts_.size()) counts_.resize(to - first_, 0);
}

void Sketch::add(Time value, std::uint64_t times) {
  if (times == 0) return;
  value = std::max<Time>(value, 0);
  tally(value, value);
  counts_[bucket(value) - first_] += times;
  count_ += times;
  sum_ += Wide{bits_of(value)} * times;
  if (exact_) {
    samples_.push_back({value, times});
    sorted_ = false;
  }
}

void Sketch::add_run(Time first, Time step, std::uint64_t count, std::uint64_t times) {
  if (count == 0 || times == 0) return;
  if (step == 0 || count == 1) return add(first, count * times);
  const Time last = first + step * static_cast<Time>(count - 1);
  Time value = std::min(first, last);
  const Time rise = step < 0 ? -step : step;
  const Time largest = std::max(first, last);
  tally(value, largest);
  count_ += count * times;
  // An arithmetic progression: mean of its ends times its length.
  sum_ += (Wide{bits_of(first)} + bits_of(last)) * count / 2 * times;
  if (exact_) {
    for (std::uint64_t i = 0; i < count; ++i) {
      samples_.push_back({value + rise * static_cast<Time>(i), times});
    }
    sorted_ = false;
  }
  for (std::uint64_t left = count; left > 0;) {
    const std::size_t index = bucket(value);
    const std::uint64_t room = lower(index + 1) - bits_of(value);  // up to the next bucket
    std::uint64_t inside = 1;
    if (room > bits_of(rise)) inside = std::min(left, (room - 1) / bits_of(rise) + 1);
    counts_[index - first_] += inside * times;
    left -= inside;
    value += rise * static_cast<Time>(inside);
  }
}

void Sketch::merge(const Sketch& other) {
  exact_ = exact_ && other.exact_;
  if (!exact_) samples_ = {};
  if (other.count_ == 0) return;
  tally(other.min_, other.max_);
  const std::size_t from = bucket(other.min_), to = bucket(other.max_);
  for (std::size_t i = from; i <= to; ++i) counts_[i - first_] += other.counts_[i - other.first_];
  count_ += other.count_;
  sum_ += other.sum_;
  if (exact_) {
    samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
    sorted_ = false;
  }
}

double Sketch::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_) * 1e-12;
}

double Sketch::max() const { return to_seconds(max_); }

double Sketch::at_rank(std::uint64_t rank) const {
  if (exact_) {
    if (!sorted_) {
      std::sort(samples_.begin(), samples_.end(),
                [](const Sample& a, const Sample& b) { return a.value < b.value; });
      sorted_ = true;
    }
    for (const Sample& sample : samples_) {
      if (rank < sample.times) return static_cast<double>(sample.value);
      rank -= sample.times;
    }
  }
  if (rank == 0) return static_cast<double>(min_);
  if (rank + 1 >= count_) return static_cast<double>(max_);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (rank >= counts_[i]) {
      rank -= counts_[i];
      continue;
    }
    // Samples of a bucket are taken to be spread evenly over its whole picoseconds.
    const std::size_t index = first_ + i;
    const auto width = static_cast<double>(lower(index + 1) - lower(index) - 1);
    const double part = (static_cast<double>(rank) + 0.5) / static_cast<double>(counts_[i]);
    return std::clamp(static_cast<double>(lower(index)) + part * width, static_cast<double>(min_),
                      static_cast<double>(max_));
  }
  return static_cast<double>(max_);
}

double Sketch::quantile(double q) const {
  if (count_ == 0) return 0;
  const double position = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_ - 1);
  const auto rank = std::min(static_cast<std::uint64_t>(position), count_ - 1);
  const double below = at_rank(rank);
  const double part = position - static_cast<double>(rank);
  if (!(part > 0) || rank + 1 >= count_) return below * 1e-12;
  return (below + part * (at_rank(rank + 1) - below)) * 1e-12;
}

Percentiles percentiles(const Sketch& sketch) {
  return {.mean = sketch.mean(),
          .p50 = sketch.quantile(0.50),
          .p90 = sketch.quantile(0.90),
          .p95 = sketch.quantile(0.95),
          .p99 = sketch.quantile(0.99),
          .max = sketch.max(),
          .count = sketch.count()};
}

}  // namespace portolan::simulation
