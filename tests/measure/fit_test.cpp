// The fitter: a planted roofline is found again, a planted surface is learnt, and the errors it
// reports are those of points it has not seen.
#include "measure/fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "measure/score.hpp"

namespace portolan::measure {
namespace {

/// A product of m rows on a part of 100 TFLOP/s and 1 TB/s.
cost::Call call_of(double m, double n, double k) {
  cost::Call call;
  call.compute = 2 * m * n * k / 100e12;
  call.memory = 2 * (m * k + n * k + m * n) / 1e12;
  call.depth = k;
  call.at = {static_cast<float>(std::log2(m)), static_cast<float>(std::log2(n)),
             static_cast<float>(std::log2(k)), 0};
  return call;
}

template <class Seconds>
std::vector<FitPoint> points_of(const Seconds& seconds) {
  std::vector<FitPoint> points;
  for (double m = 1; m <= 8192; m *= 2)
    for (double n = 256; n <= 16384; n *= 2)
      for (double k = 256; k <= 16384; k *= 2) {
        const cost::Call call = call_of(m, n, k);
        points.push_back({.call = call,
                          .seconds = seconds(call),
                          .site = static_cast<std::uint64_t>(n * 65536 + k)});
      }
  return points;
}

FitOptions options() {
  FitOptions o;
  for (float at = 0; at <= 13; at += 1) o.knots[0].push_back(at);
  for (float at = 8; at <= 14; at += 1) o.knots[1].push_back(at);
  o.knots[2] = o.knots[1];
  return o;
}

TEST(Fit, FindsAPlantedRoofline) {
  const cost::Roofline planted{.compute = 0.7, .memory = 0.85, .knee = 3.5, .floor = 3e-6};
  const auto points = points_of([&](const cost::Call& c) { return planted.seconds(c); });
  const cost::Curve curve = fit_curve(points, options());
  EXPECT_NEAR(curve.roofline.compute, 0.7, 0.03);
  EXPECT_NEAR(curve.roofline.memory, 0.85, 0.03);
  EXPECT_NEAR(curve.roofline.floor, 3e-6, 0.4e-6);
  EXPECT_LT(curve.median_point, 0.01F);
  EXPECT_LT(curve.median_site, 0.01F);
  EXPECT_EQ(curve.rows, points.size());
  for (const FitPoint& p : points)
    EXPECT_NEAR(curve.seconds(p.call) / p.seconds, 1.0, 0.05) << p.call.at[0];
}

TEST(Fit, LearnsASmoothSurface) {
  const cost::Roofline base{.compute = 0.7, .memory = 0.8, .knee = 3, .floor = 3e-6};
  const auto points = points_of([&](const cost::Call& c) {
    const double x = static_cast<double>(c.at[0]), y = static_cast<double>(c.at[1]);
    return base.seconds(c) * std::exp(0.15 + 0.15 * std::sin(0.6 * x) * std::cos(0.5 * y));
  });
  EXPECT_LT(fit_curve(points, options()).median_site, 0.02F);
}

TEST(Fit, LeftOutErrorsAreThoseOfTheNoise) {
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0.0, 0.08);
  const cost::Roofline base{.compute = 0.6, .memory = 0.7, .knee = 3, .floor = 3e-6};
  const auto points =
      points_of([&](const cost::Call& c) { return base.seconds(c) * std::exp(noise(random)); });
  const cost::Curve curve = fit_curve(points, options());
  std::vector<double> seen;
  for (const FitPoint& p : points)
    seen.push_back(std::abs(curve.seconds(p.call) / p.seconds - 1.0));
  std::sort(seen.begin(), seen.end());
  // The median of |N(0, 0.08)| is 0.054: no honest left-out error of pure noise is below it.
  EXPECT_GT(curve.median_point, 0.049F);
  EXPECT_LT(curve.median_point, 0.09F);
  EXPECT_LT(quantile(seen, 0.5), static_cast<double>(curve.median_point));
  EXPECT_NEAR(curve.by_point.at[1], -0.10F, 0.04F);
  EXPECT_NEAR(curve.by_point.at[5], 0.10F, 0.04F);
}

TEST(Fit, SmallSamplesHaveNoLeftOutErrors) {
  const cost::Roofline base;
  auto points = points_of([&](const cost::Call& c) { return base.seconds(c); });
  points.resize(9);
  const cost::Curve curve = fit_curve(points, options());
  EXPECT_EQ(curve.by_point.points, 0U);
  EXPECT_GT(curve.seconds(points.front().call), 0.0);
}

TEST(Knots, JoinNeighboursAndKeepTheEnds) {
  EXPECT_EQ(knots_of({3, 1, 1, 1.2F, 2, 3}, 0.5F, 10), (std::vector<float>{1, 2, 3}));
  const auto few = knots_of({0, 1, 2, 3, 4, 5, 6, 7, 8}, 0.5F, 4);
  ASSERT_EQ(few.size(), 4U);
  EXPECT_EQ(few.front(), 0.0F);
  EXPECT_EQ(few.back(), 8.0F);
}

}  // namespace
}  // namespace portolan::measure
