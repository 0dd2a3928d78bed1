#include "cost/call_moe.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "cost/profile.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

constexpr Routing kBalanced{.alpha = 0}, kMild{.alpha = 1.01}, kStrong{.alpha = 1.2};

TEST(ExpertLoads, StripesFallEvenly) {
  const ExpertLoads loads(256, 8, 8, kBalanced);
  const auto many = loads.at(1024);
  EXPECT_DOUBLE_EQ(many.rows, 1024);  // 1024 × 8 / 8
  EXPECT_DOUBLE_EQ(many.experts, 32);
  EXPECT_DOUBLE_EQ(many.padding, 4);  // 32 rows an expert in tiles of 128
  EXPECT_DOUBLE_EQ(loads.skew(1024), 1);
  // Stripes touch min(E, T k) experts; uniform routing would touch 102 of 128 choices.
  EXPECT_DOUBLE_EQ(ExpertLoads(256, 8, 1, kBalanced).at(16).experts, 128);
}

// Means over 400 draws of the published law by an independent program.
TEST(ExpertLoads, PowerLawsAgreeWithAnotherProgram) {
  struct Case {
    double tokens, experts, top_k, ranks;
    Routing routing;
    double skew, touched, padding;
  };
  for (const Case& c : {Case{4096, 128, 8, 8, kMild, 1.703, 15.998, 1.197},
                        Case{4096, 128, 8, 1, kMild, 1.000, 127.985, 1.357},
                        Case{256, 256, 8, 8, kStrong, 1.411, 28.675, 10.158},
                        Case{4096, 8, 2, 8, kMild, 3.699, 1.0, 1.007},
                        Case{16, 256, 8, 1, kMild, 1.0, 96.835, 96.835},
                        Case{16384, 128, 8, 32, kMild, 3.668, 4.0, 1.02}}) {
    const ExpertLoads loads(c.experts, c.top_k, c.ranks, c.routing);
    SCOPED_TRACE(c.tokens * 1e6 + c.experts * 1e3 + c.ranks);
    EXPECT_NEAR(loads.skew(c.tokens), c.skew, 0.06 * c.skew);
    EXPECT_NEAR(loads.at(c.tokens).experts, c.touched, 0.03 * c.touched);
    EXPECT_NEAR(loads.at(c.tokens).padding, c.padding, 0.06 * c.padding);
  }
}

TEST(ExpertLoads, OneTokenTouchesItsChoicesAndNoTokenNothing) {
  const ExpertLoads loads(128, 4, 1, kMild);
  EXPECT_DOUBLE_EQ(loads.at(1).rows, 4);
  EXPECT_DOUBLE_EQ(loads.at(1).experts, 4);
  EXPECT_DOUBLE_EQ(loads.at(0.25).rows, 1);
  EXPECT_DOUBLE_EQ(loads.at(0.25).experts, 1);
  EXPECT_EQ(loads.at(0).rows, 0);
  EXPECT_EQ(loads.at(0).experts, 0);
}

TEST(ExpertLoads, ComputedOnceForAShape) {
  const MoeShape shape{.hidden = 2048, .inter = 768, .top_k = 8, .experts = 128};
  EXPECT_EQ(&expert_loads(shape, kMild), &expert_loads(shape, kMild));
  EXPECT_NE(&expert_loads(shape, kMild), &expert_loads(shape, kStrong));
}

RC_GTEST_PROP(ExpertLoadsLaw, StayWithinWhatThereIs, ()) {
  const double experts = *rc::gen::inRange(1, 300);
  const double top_k = *rc::gen::inRange(1, static_cast<int>(std::min(experts, 22.0)) + 1);
  const double ranks = *rc::gen::inRange(1, static_cast<int>(experts) + 1);
  const Routing routing{.alpha = *rc::gen::element(0.0, 0.8, 1.0, 1.01, 1.2)};
  const ExpertLoads loads(experts, top_k, ranks, routing);
  for (const double tokens : {0.5, 1.0, 7.0, 100.0, 4000.0, 1e6}) {
    const auto load = loads.at(tokens);
    RC_ASSERT(load.rows > 0);
    RC_ASSERT(load.rows <= tokens * top_k * (1 + 1e-9));
    RC_ASSERT(load.experts <= std::ceil(experts / ranks) + 1e-9);
    RC_ASSERT(load.experts <= tokens * top_k + 1e-9 || tokens < 1);
    RC_ASSERT(load.padding >= 1);
    if (routing.alpha > 0) RC_ASSERT(loads.skew(tokens) >= 1 - 1e-9);
    RC_ASSERT(loads.at(tokens * 1.5).rows >= load.rows * (1 - 1e-9));
  }
}

Chip h100_chip() { return chip_of(parts::h100()); }

TEST(MoeCall, CountsTheFullestRank) {
  const MoeShape shape{.hidden = 2048, .inter = 768, .top_k = 8, .experts = 128, .expert_ranks = 4};
  const Chip chip = h100_chip();
  const Call call =
      moe_call(chip, *moe_type("bfloat16"), shape, expert_loads(shape, kBalanced), 4096);
  const double rows = 4096 * 8 / 4.0, elements = 3 * 2048.0 * 768;
  EXPECT_DOUBLE_EQ(call.compute, 2 * rows * elements /
                                     chip.peak[static_cast<std::size_t>(model::Compute::kBf16)]);
  EXPECT_NEAR(call.memory, (32 * elements * 2 + 4096 * 2048 * 4) / chip.bandwidth, 1e-12);
  EXPECT_DOUBLE_EQ(call.waste, 1);
  EXPECT_NEAR(call.at[0], 8, 1e-5);  // 4096 × 8 / 128 rows an expert
  EXPECT_NEAR(call.at[1], 5, 1e-5);
  EXPECT_NEAR(call.at[3], std::log2(2048.0 / 768), 1e-5);
}

TEST(MoeCall, WithoutGateTwoProductsOfThree) {
  MoeShape shape{.hidden = 2688, .inter = 1856, .top_k = 6, .experts = 128};
  const Chip chip = h100_chip();
  const auto price = [&] {
    return moe_call(chip, *moe_type("bfloat16"), shape, expert_loads(shape, kMild), 512).compute;
  };
  const double gated = price();
  shape.gated = false;
  EXPECT_NEAR(price() / gated, 2.0 / 3.0, 1e-12);
}

TEST(MoeCall, NarrowShardsArePaddedToATile) {
  const MoeShape shape{
      .hidden = 2048, .inter = 512, .top_k = 8, .experts = 256, .tensor_ranks = 32};
  const Call call =
      moe_call(h100_chip(), *moe_type("fp8"), shape, expert_loads(shape, kBalanced), 16384);
  EXPECT_DOUBLE_EQ(call.waste, 8);  // 16 columns in a tile of 128
}

Curve curve(const std::string& dtype, const std::string& variant, double floor,
            const std::string& accelerator = "h100-sxm-80gb") {
  Curve c;
  c.key = {.accelerator = accelerator,
           .backend = "trtllm",
           .version = "1",
           .op = "moe",
           .dtype = dtype,
           .kv_dtype = {},
           .variant = variant};
  c.roofline = {.compute = 0.5, .memory = 0.8, .floor = floor};
  return c;
}

KernelSet set_of(std::initializer_list<Curve> curves) {
  static std::vector<std::unique_ptr<Profile>> kept;  // sets point into their profile
  kept.push_back(std::make_unique<Profile>());
  for (const Curve& c : curves) kept.back()->add(c);
  return KernelSet(*kept.back(), nullptr, parts::h100(), "trtllm", "1");
}

TEST(MoeKernel, FasterOfTheTwoKernels) {
  const KernelSet set = set_of({curve("nvfp4", "", 30e-6), curve("nvfp4", "min_latency", 10e-6)});
  const MoeKernel k = moe_kernel(set, model::Format::kNvfp4, model::Compute::kFp4, true);
  ASSERT_NE(k.curve, nullptr);
  ASSERT_NE(k.another, nullptr);
  EXPECT_DOUBLE_EQ(k.seconds(Call{.memory = 1e-6}), 1e-6 / 0.8 + 10e-6);
  EXPECT_EQ(k.tier, Tier::kMeasured);
}

TEST(MoeKernel, StorageFallsBackToTheNearestMeasured) {
  const KernelSet set = set_of({curve("bfloat16", "", 1e-6), curve("w4a16_mxfp4", "", 2e-6)});
  const auto name = [&](model::Format format, model::Compute compute) {
    const MoeKernel k = moe_kernel(set, format, compute, true);
    return k.curve == nullptr ? std::string() : k.curve->key.dtype;
  };
  using model::Compute;
  using model::Format;
  EXPECT_EQ(name(Format::kMxfp4, Compute::kBf16), "w4a16_mxfp4");
  EXPECT_EQ(name(Format::kInt4, Compute::kBf16), "w4a16_mxfp4");
  EXPECT_EQ(name(Format::kBf16, Compute::kBf16), "bfloat16");
  EXPECT_EQ(name(Format::kFp8, Compute::kFp8), "");
  // Eight-bit weights without arithmetic of their own: bf16 kernels, half the bytes.
  EXPECT_DOUBLE_EQ(moe_kernel(set, Format::kFp8, Compute::kBf16, true).type.weight_bytes,
                   model::bytes_per_weight(Format::kFp8));
}

TEST(MoeKernel, UngatedKernelsFirstForUngatedExperts) {
  const KernelSet set = set_of({curve("fp8", "", 1e-6), curve("fp8", "nongated", 2e-6)});
  using model::Compute;
  using model::Format;
  EXPECT_EQ(moe_kernel(set, Format::kFp8, Compute::kFp8, false).curve->key.variant, "nongated");
  EXPECT_EQ(moe_kernel(set, Format::kFp8, Compute::kFp8, true).curve->key.variant, "");
  const KernelSet gated = set_of({curve("fp8", "", 1e-6)});
  EXPECT_EQ(moe_kernel(gated, Format::kFp8, Compute::kFp8, false).curve->key.variant, "");
}

}  // namespace
}  // namespace portolan::cost
