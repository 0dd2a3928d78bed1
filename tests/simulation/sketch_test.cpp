// Sketches against the sorted samples themselves.
#include "simulation/sketch.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

namespace portolan::simulation {
namespace {

constexpr double kQuantiles[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};

/// Durations over the whole range, many of them of the same size.
rc::Gen<Time> durations() {
  return rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 63), rc::gen::arbitrary<std::uint64_t>()),
                      [](auto pair) {
                        const auto value = static_cast<Time>(pair.second >> (63 - pair.first) >> 1);
                        return std::min(value, kLongest);
                      });
}

/// numpy.quantile, in seconds.
double quantile(std::vector<Time> samples, double q) {
  std::sort(samples.begin(), samples.end());
  const double position = q * static_cast<double>(samples.size() - 1);
  const auto rank = static_cast<std::size_t>(position);
  const auto low = static_cast<double>(samples[rank]);
  const auto high = static_cast<double>(samples[std::min(rank + 1, samples.size() - 1)]);
  return (low + (high - low) * (position - std::floor(position))) * 1e-12;
}

bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * b + 1e-18; }

/// Everything that can be read of two sketches is the same, bit for bit.
bool same(const Sketch& a, const Sketch& b) {
  bool equal = a.count() == b.count() && a.mean() == b.mean() && a.max() == b.max();
  for (const double q : kQuantiles) equal = equal && a.quantile(q) == b.quantile(q);
  // Each order statistic by itself: the counts of all buckets.
  for (std::uint64_t i = 0; i < a.count() && a.count() < 2000; ++i) {
    const double q = static_cast<double>(i) / static_cast<double>(a.count());
    equal = equal && a.quantile(q) == b.quantile(q);
  }
  return equal;
}

RC_GTEST_PROP(SketchLaws, QuantilesAreThoseOfTheSamplesWithinTheirWidth, ()) {
  const auto samples = *rc::gen::nonEmpty(rc::gen::container<std::vector<Time>>(durations()));
  Sketch sketch, exact(true);
  long double sum = 0;
  for (const Time t : samples) {
    sketch.add(t);
    exact.add(t);
    sum += static_cast<long double>(t);
  }
  for (const double q : kQuantiles) {
    RC_ASSERT(near(sketch.quantile(q), quantile(samples, q), 1e-3));
    RC_ASSERT(near(exact.quantile(q), quantile(samples, q), 1e-14));
  }
  const auto mean = static_cast<double>(sum / static_cast<long double>(samples.size()) * 1e-12L);
  RC_ASSERT(near(sketch.mean(), mean, 1e-15));
  RC_ASSERT(sketch.mean() == exact.mean());
  RC_ASSERT(sketch.max() == to_seconds(*std::max_element(samples.begin(), samples.end())));
  RC_ASSERT(sketch.count() == samples.size());
}

RC_GTEST_PROP(SketchLaws, ARunIsItsValuesOneByOne, ()) {
  const auto count = *rc::gen::inRange<std::uint64_t>(0, 2000);
  const auto times = *rc::gen::inRange<std::uint64_t>(0, 5);
  const Time step = *rc::gen::map(durations(), [](Time t) { return t / 4000; });
  const Time base = *durations() / 2;
  const bool falling = *rc::gen::arbitrary<bool>();
  const bool exact = *rc::gen::arbitrary<bool>();
  const Time first = falling ? base + step * static_cast<Time>(count) : base;
  const Time by = falling ? -step : step;
  Sketch whole(exact), single(exact);
  whole.add_run(first, by, count, times);
  for (std::uint64_t i = 0; i < count; ++i) single.add(first + by * static_cast<Time>(i), times);
  RC_ASSERT(same(whole, single));
}

RC_GTEST_PROP(SketchLaws, MergingIsAddingInAnyOrder, ()) {
  const auto parts = *rc::gen::container<std::vector<std::vector<Time>>>(
      rc::gen::container<std::vector<Time>>(durations()));
  const bool exact = *rc::gen::arbitrary<bool>();
  Sketch all(exact), forward(exact), backward(exact);
  std::vector<Sketch> sketches;
  for (const auto& part : parts) {
    Sketch& sketch = sketches.emplace_back(exact);
    for (const Time t : part) {
      sketch.add(t);
      all.add(t);
    }
  }
  for (const Sketch& sketch : sketches) forward.merge(sketch);
  std::reverse(sketches.begin(), sketches.end());
  for (const Sketch& sketch : sketches) backward.merge(sketch);
  RC_ASSERT(same(forward, all));
  RC_ASSERT(same(backward, all));
}

TEST(Sketch, NothingIsZero) {
  const Sketch sketch;
  EXPECT_EQ(sketch.count(), 0U);
  EXPECT_EQ(sketch.mean(), 0);
  EXPECT_EQ(sketch.quantile(0.5), 0);
  EXPECT_EQ(sketch.max(), 0);
}

TEST(Sketch, ExtremesAreHeld) {
  Sketch sketch;
  sketch.add(0);
  sketch.add(1);
  sketch.add(kLongest);
  EXPECT_EQ(sketch.quantile(0), 0);
  EXPECT_EQ(sketch.quantile(0.5), 1e-12);
  EXPECT_EQ(sketch.quantile(1), to_seconds(kLongest));
  EXPECT_NEAR(sketch.mean(), 100.0 * 86'400 / 3, 1e-6);
  sketch.add(kNever);  // beyond what is simulated, but no overflow
  EXPECT_EQ(sketch.max(), to_seconds(kNever));
  sketch.add_run(0, 1, 5000, 1'000'000'000'000);
  EXPECT_NEAR(sketch.quantile(0.5), 2.5e-9, 2.5e-12);
}

TEST(Sketch, OneValueIsItsOwnQuantile) {
  Sketch sketch;
  sketch.add(123'456'789'012'345, 1'000'000);
  for (const double q : kQuantiles) EXPECT_EQ(sketch.quantile(q), to_seconds(123'456'789'012'345));
  EXPECT_DOUBLE_EQ(sketch.mean(), 123.456789012345);
}

TEST(Sketch, MatchesNumPy) {
  // numpy.quantile([1, 2, 4, 8, 16], [.1, .5, .9, .99]) in milliseconds.
  for (const bool exact : {false, true}) {
    Sketch sketch(exact);
    for (const Time ms : {16, 1, 8, 2, 4}) sketch.add(ms * (kSecond / 1000));
    EXPECT_NEAR(sketch.quantile(0.1), 1.4e-3, exact ? 1e-15 : 1.4e-6);
    EXPECT_NEAR(sketch.quantile(0.5), 4e-3, exact ? 1e-15 : 4e-6);
    EXPECT_NEAR(sketch.quantile(0.9), 12.8e-3, exact ? 1e-15 : 12.8e-6);
    EXPECT_NEAR(sketch.quantile(0.99), 15.68e-3, exact ? 1e-15 : 15.68e-6);
  }
}

TEST(Sketch, PercentilesAreTheSketchs) {
  Sketch sketch;
  sketch.add_run(kSecond, kSecond, 100, 1);
  const Percentiles p = percentiles(sketch);
  EXPECT_EQ(p.count, 100U);
  EXPECT_DOUBLE_EQ(p.mean, 50.5);
  EXPECT_NEAR(p.p50, 50.5, 0.0505);
  EXPECT_NEAR(p.p90, 90.1, 0.0901);
  EXPECT_NEAR(p.p95, 95.05, 0.0951);
  EXPECT_NEAR(p.p99, 99.01, 0.0991);
  EXPECT_EQ(p.max, 100);
}

TEST(Sketch, WhatIsMergedWithASketchIsASketch) {
  Sketch exact(true), rough;
  exact.add(1'000'000'007);
  rough.add(3'000'000'007);
  exact.merge(rough);
  EXPECT_EQ(exact.count(), 2U);
  EXPECT_NEAR(exact.quantile(0.5), 2e-3, 2e-6);
}

}  // namespace
}  // namespace portolan::simulation
