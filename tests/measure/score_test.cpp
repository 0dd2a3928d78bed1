// Statistics of predicted against measured.
#include "measure/score.hpp"

#include <gtest/gtest.h>

namespace portolan::measure {
namespace {

ScoredPoint point(double measured, std::optional<double> predicted) {
  return {.set = "s",
          .group = "g",
          .metric = "latency",
          .label = {},
          .measured = measured,
          .predicted = predicted,
          .low = {},
          .high = {},
          .tier = {},
          .reason = {},
          .source = {}};
}

TEST(Score, UnansweredPointsCountAgainstCoverage) {
  const std::vector<ScoredPoint> points = {point(10, 11), point(10, 8), point(10, std::nullopt),
                                           point(10, 10)};
  const auto groups = score(points);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].n, 3u);
  EXPECT_DOUBLE_EQ(groups[0].covered, 0.75);
  EXPECT_NEAR(*groups[0].median_ape, 0.1, 1e-12);
  EXPECT_NEAR(*groups[0].mean_ape, 0.1, 1e-12);
  EXPECT_NEAR(*groups[0].bias, 0.0, 1e-12);
  EXPECT_FALSE(groups[0].interval);
}

TEST(Score, IntervalShareCountsOnlyPointsThatHaveOne) {
  std::vector<ScoredPoint> points = {point(10, 11), point(20, 10), point(1, 1)};
  points[0].low = 9;
  points[0].high = 12;
  points[1].low = 9;
  points[1].high = 12;
  EXPECT_DOUBLE_EQ(*score(points)[0].interval, 0.5);
}

TEST(Score, QuantilesInterpolate) {
  const std::vector<double> sorted = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(sorted, 1.0), 4.0);
}

}  // namespace
}  // namespace portolan::measure
