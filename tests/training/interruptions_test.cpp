#include "training/interruptions.hpp"

#include <gtest/gtest.h>

#include "training/goodput.hpp"

namespace portolan::training {
namespace {

// training.md §10: a mean of 3.09 h between stops, restarts of 10 min.
constexpr Seconds kMean{3.09 * 3600}, kTen{600};

Interruptions run_of(double checkpoint) {
  double per_hour = 0;
  for (const StopKind& kind : stop_kinds()) per_hour += kind.per_accelerator_hour;
  return {.accelerators = 3600 / kMean.raw() / per_hour,
          .work = Seconds{30 * 86400.0},
          .checkpoint = Seconds{checkpoint},
          .restart = kTen,
          .plays = 400};
}

TEST(Interruptions, TheKindsAreTheStopsOfLlamaThree) {
  double per_hour = 0;
  for (const StopKind& kind : stop_kinds()) per_hour += kind.per_accelerator_hour;
  EXPECT_NEAR(per_hour, kFailuresPerAcceleratorHour, 1e-9);
}

TEST(Interruptions, PlayedAndExactGoodputAgreeWithinHalfAPoint) {
  for (const auto& [checkpoint, exact] : {std::pair(30.0, 0.8796), std::pair(5.0, 0.9194)}) {
    EXPECT_NEAR(goodput(Seconds{checkpoint}, kMean, kTen).share, exact, 1e-4);
    EXPECT_NEAR(play(run_of(checkpoint)).goodput, exact, 0.005);
  }
}

TEST(Interruptions, TimeIsTheSumOfItsParts) {
  Interruptions run = run_of(30);
  run.reclaims_per_hour = 0.2;
  run.warning = Seconds{120};
  run.wait = Seconds{900};
  const InterruptedRun played = play(run);
  EXPECT_NEAR((run.work + played.checkpoints + played.lost + played.restarts + played.waiting) /
                  played.mean,
              1, 1e-9);
  EXPECT_LT(played.p10, played.p50);
  EXPECT_LT(played.p50, played.p90);
  EXPECT_GT(played.reclaims, 0);
}

TEST(Interruptions, WhatHurtsNeverHelps) {
  const double usual = play(run_of(30)).goodput;
  Interruptions worse = run_of(30);
  worse.restart = Seconds{1200};
  EXPECT_LT(play(worse).goodput, usual);
  worse = run_of(30);
  worse.failure_scale = 2;
  EXPECT_LT(play(worse).goodput, usual);
  EXPECT_LT(play(run_of(120)).goodput, usual);
  Interruptions spot = run_of(30);
  spot.reclaims_per_hour = 0.5;
  spot.wait = Seconds{600};
  const double warned_none = play(spot).goodput;
  EXPECT_LT(warned_none, usual);
  spot.warning = Seconds{120};
  EXPECT_GT(play(spot).goodput, warned_none);
}

TEST(Interruptions, NothingFailsNothingIsLost) {
  Interruptions run = run_of(30);
  run.failure_scale = 0;
  const InterruptedRun played = play(run);
  EXPECT_EQ(played.mean, run.work);
  EXPECT_EQ(played.p90, run.work);
  EXPECT_EQ(played.goodput, 1);
}

TEST(Interruptions, HopelessRunsEnd) {
  Interruptions run = run_of(30);
  run.failure_scale = 1e5;
  run.plays = 1;
  EXPECT_LT(play(run).goodput, 1e-3);
}

TEST(Interruptions, TheSameRequestGivesTheSameFigures) {
  const InterruptedRun one = play(run_of(30)), two = play(run_of(30));
  EXPECT_EQ(one.mean, two.mean);
  EXPECT_EQ(one.p90, two.p90);
  Interruptions other = run_of(30);
  other.seed = 2;
  EXPECT_NE(play(other).mean, one.mean);
}

TEST(Interruptions, TheTreeNamesEveryCause) {
  const Interruptions run = run_of(30);
  const Derivation tree = explain(run, play(run));
  EXPECT_EQ(tree.inputs.size(), 3 + stop_kinds().size());
  for (std::size_t i = 3; i < tree.inputs.size(); ++i) EXPECT_FALSE(tree.inputs[i].source.empty());
}

}  // namespace
}  // namespace portolan::training
