// The largest sustainable rate, against functions whose answer is known.
#include "simulation/rate_search.hpp"

#include <gtest/gtest.h>

namespace portolan::simulation {
namespace {

// A server whose time to first token is 0.1 s / (1 − rate / 10); unstable from 10 on.
Result<Probe> server(double rate) {
  Probe probe;
  probe.requests_per_second = rate;
  probe.stable = rate < 10;
  if (probe.stable) probe.latency.ttft.p95 = 0.1 / (1 - rate / 10);
  return probe;
}

TEST(RateSearch, FindsTheRateWhereTheTargetIsMet) {
  for (const double guess : {0.2, 4.9, 5.0, 5.1, 9.9, 60.0}) {
    const SustainedLoad found = sustained_load(server, {.ttft_p95 = Seconds(0.2)},
                                               {.guess = guess, .most = 100, .precision = 0.005})
                                    .value();
    EXPECT_LE(found.requests_per_second, 5.0) << guess;
    EXPECT_GT(found.requests_per_second, 5.0 / 1.0051) << guess;
    EXPECT_EQ(found.binding.target, "ttft_p95");
    EXPECT_EQ(found.probe.requests_per_second, found.requests_per_second);
    EXPECT_LT(found.probes, 30);
  }
}

TEST(RateSearch, WithoutTargetsStabilityOrTheBoundDecides) {
  const SustainedLoad free =
      sustained_load(server, {}, {.guess = 3, .most = 100, .precision = 0.005}).value();
  EXPECT_NEAR(free.requests_per_second, 10, 0.06);
  EXPECT_EQ(free.binding.target, "capacity");
  const SustainedLoad bound = sustained_load(server, {}, {.guess = 3, .most = 8}).value();
  EXPECT_EQ(bound.requests_per_second, 8);
  EXPECT_EQ(bound.binding.target, "most");
  EXPECT_EQ(sustained_load(server, {}, {.guess = 30, .most = 8}).value().probes, 1);
}

TEST(RateSearch, ATargetMissedAtAnyLoadIsRateZero) {
  const SustainedLoad none =
      sustained_load(server, {.ttft_p95 = Seconds(0.05)}, {.guess = 3, .most = 8}).value();
  EXPECT_EQ(none.requests_per_second, 0);
  EXPECT_EQ(none.binding.target, "ttft_p95");
  EXPECT_NEAR(none.binding.value, 0.1, 0.01);
}

TEST(RateSearch, ErrorsEndIt) {
  const auto broken = [](double) -> Result<Probe> {
    return fail(ErrorCode::kInfeasible, "no room");
  };
  EXPECT_EQ(sustained_load(broken, {}, {.guess = 1, .most = 2}).error().message, "no room");
  EXPECT_EQ(sustained_load(server, {}, {.guess = 0, .most = 2}).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace portolan::simulation
