#include "training/launch_flags.hpp"

#include <gtest/gtest.h>

namespace portolan::training {
namespace {

void round_trip(const FlaggedRun& run, Framework framework) {
  const auto flags = launch_flags(run, framework);
  ASSERT_TRUE(flags) << flags.error().message;
  const auto back = read_flags(*flags, framework, run.strategy.accelerators());
  ASSERT_TRUE(back) << *flags << ": " << back.error().message;
  EXPECT_EQ(back->strategy, run.strategy) << *flags;
  EXPECT_EQ(back->sequence, run.sequence);
  EXPECT_EQ(back->sequences, run.sequences);
  EXPECT_EQ(back->compute, run.compute) << *flags;
  EXPECT_EQ(back->scaling, run.scaling) << *flags;
}

TEST(LaunchFlags, MegatronSaysEverything) {
  for (const int zero : {0, 1, 2, 3}) {
    for (const Recompute recompute : {Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
      round_trip({.strategy = {.tp = 4,
                               .pp = 8,
                               .ep = 16,
                               .cp = 2,
                               .dp = 8,
                               .zero = zero,
                               .microbatch = 2,
                               .virtual_stages = 3,
                               .recompute = recompute},
                  .sequence = 8192,
                  .sequences = 256},
                 Framework::kMegatron);
    }
  }
  for (const Scaling scaling :
       {Scaling::kTensor, Scaling::kRow, Scaling::kBlock, Scaling::kMicro}) {
    round_trip({.strategy = {.tp = 2, .dp = 4, .zero = 1},
                .compute = model::Compute::kFp8,
                .scaling = scaling},
               Framework::kMegatron);
  }
  round_trip({.strategy = {.dp = 8, .zero = 1},
              .compute = model::Compute::kFp4,
              .scaling = Scaling::kMicro},
             Framework::kMegatron);
}

TEST(LaunchFlags, TheOthersSayWhatTheyCan) {
  round_trip({.strategy = {.tp = 8,
                           .pp = 4,
                           .dp = 8,
                           .zero = 3,
                           .virtual_stages = 2,
                           .recompute = Recompute::kFull},
              .sequence = 8192,
              .sequences = 64},
             Framework::kTorchtitan);
  round_trip({.strategy = {.cp = 4, .dp = 2, .zero = 3, .recompute = Recompute::kSelective},
              .sequence = 131072,
              .sequences = 2,
              .compute = model::Compute::kFp8,
              .scaling = Scaling::kRow},
             Framework::kTorchtitan);
  round_trip({.strategy = {.tp = 2, .dp = 8, .zero = 2, .microbatch = 4},
              .sequence = 4096,
              .sequences = 64},
             Framework::kDeepspeed);
  round_trip({.strategy = {.dp = 8, .zero = 3, .microbatch = 2, .recompute = Recompute::kFull},
              .sequence = 2048,
              .sequences = 64},
             Framework::kAccelerate);
}

TEST(LaunchFlags, WhatCannotBeSaidIsNamedWithWhatCan) {
  const auto pipeline = launch_flags({.strategy = {.pp = 4, .dp = 2}}, Framework::kDeepspeed);
  ASSERT_FALSE(pipeline);
  EXPECT_NE(pipeline.error().message.find("pp4"), std::string::npos);
  EXPECT_EQ(pipeline.error().hint, "dp8 zero3 mb1");
  EXPECT_FALSE(launch_flags({.strategy = {.dp = 8, .zero = 1}}, Framework::kTorchtitan));
  EXPECT_FALSE(launch_flags({.strategy = {.dp = 8, .zero = 1}}, Framework::kAccelerate));
}

TEST(LaunchFlags, BadFlagsNameTheNearestGoodOnes) {
  const auto read = [](const char* flags, std::int64_t accelerators) {
    return read_flags(flags, Framework::kMegatron, accelerators);
  };
  EXPECT_EQ(
      read("--tensor-model-parallel-size 8 --pipeline-model-parallel-size 3", 64).error().hint,
      "48 accelerators");
  EXPECT_EQ(read("--tensor-model-parallel-size 1.6", 8).error().hint,
            "--tensor-model-parallel-size 2");
  EXPECT_FALSE(read("--tensor-model-parallel-size many", 8));
  EXPECT_FALSE(read("--micro-batch-size", 8));
  EXPECT_EQ(read("--global-batch-size 60 --micro-batch-size 2", 8).error().hint,
            "a global batch of 64");
  EXPECT_FALSE(read_flags("--ds.zero_optimization.stage 4", Framework::kDeepspeed, 8));
  // What is not about the split is left alone.
  EXPECT_TRUE(read("--lr 3e-4 --train-iters=100 --bf16", 8));
  EXPECT_FALSE(parse_framework("megatron2"));
  EXPECT_EQ(*parse_framework("deepspeed"), Framework::kDeepspeed);
}

}  // namespace
}  // namespace portolan::training
