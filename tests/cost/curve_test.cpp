// Curves: the roofline under them, the grid of residuals, and the bound of physics.
#include "cost/curve.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cost/call_gemm.hpp"
#include "cost/call_memory.hpp"

namespace portolan::cost {
namespace {

Grid small_grid() {
  Grid grid;
  grid.knots[0] = {0, 1, 3};
  grid.knots[1] = {10, 20};
  grid.step = 0.1F;
  grid.cells = {0, 10, 20, 30, 40, 50};  // last axis fastest
  return grid;
}

TEST(Grid, IsMultilinearBetweenKnotsAndHeldOutside) {
  const Grid grid = small_grid();
  EXPECT_EQ(grid.size(), 6U);
  EXPECT_NEAR(grid.value({0, 10, 0, 0}), 0.0, 1e-6);
  EXPECT_NEAR(grid.value({1, 20, 0, 0}), 3.0, 1e-6);
  EXPECT_NEAR(grid.value({2, 15, 0, 0}), 0.1 * (20 + 30 + 40 + 50) / 4.0, 1e-6);
  EXPECT_NEAR(grid.value({-5, 5, 7, 7}), 0.0, 1e-6);
  EXPECT_NEAR(grid.value({9, 99, 0, 0}), 5.0, 1e-6);
}

TEST(Grid, SaysWhatItCovers) {
  const Grid grid = small_grid();
  EXPECT_TRUE(grid.covers({3.4F, 15, 0, 0}));
  EXPECT_FALSE(grid.covers({3.6F, 15, 0, 0}));
  EXPECT_FALSE(grid.covers({2, 9.4F, 0, 0}));
  EXPECT_TRUE(grid.covers({2, 15, 99, 99}));  // axes not used
}

TEST(Grid, WithoutCellsLeavesTheRoofline) { EXPECT_EQ(Grid().value({1, 2, 3, 4}), 0.0); }

TEST(Roofline, AddsComputeAndMemoryByItsKnee) {
  const Roofline r{.compute = 0.5, .memory = 0.8, .knee = 2, .floor = 1e-6, .wave = 1};
  Call call{.compute = 3e-6, .memory = 8e-6};
  EXPECT_NEAR(r.seconds(call), std::hypot(6e-6, 10e-6) + 1e-6, 1e-12);
  call.waste = 2;
  EXPECT_NEAR(r.seconds(call), std::hypot(12e-6, 10e-6) + 1e-6, 1e-12);
  const Roofline deep{
      .compute = 1, .memory = 1, .knee = 3, .floor = 0, .short_k = 100, .pass = 0.5};
  EXPECT_NEAR(deep.seconds({.compute = 1e-3, .depth = 100, .extra = 1e-4}), 2e-3 + 2e-4, 1e-12);
}

TEST(Curve, IsNeverFasterThanPhysics) {
  Curve curve;
  curve.roofline = {.compute = 1, .memory = 1, .knee = 3, .floor = 0};
  curve.grid.knots[0] = {0, 1};
  curve.grid.step = 0.01F;
  curve.grid.cells = {-100, -100};
  EXPECT_EQ(curve.seconds({.compute = 2e-6, .memory = 5e-6}), 5e-6);
}

TEST(GemmCall, CountsWorkAndBytes) {
  Chip chip;
  chip.peak[static_cast<std::size_t>(model::Compute::kBf16)] = 1e12;
  chip.bandwidth = 1e9;
  chip.multiprocessors = 4;
  const Call call = gemm_call(chip, *gemm_type("bfloat16"), 128, 256, 64);
  EXPECT_DOUBLE_EQ(call.compute, 2.0 * 128 * 256 * 64 / 1e12);
  EXPECT_DOUBLE_EQ(call.memory, 2.0 * (128 * 64 + 256 * 64 + 128 * 256) / 1e9);
  EXPECT_DOUBLE_EQ(call.depth, 64);
  EXPECT_GE(call.waste, 1.0);
  EXPECT_FALSE(gemm_type("int3").has_value());
  // A type without arithmetic of its own is unpacked: 16-bit rate, its own bytes.
  const Call unpacked = gemm_call(chip, *gemm_type("fp8"), 128, 256, 64);
  EXPECT_DOUBLE_EQ(unpacked.compute, call.compute);
  EXPECT_LT(unpacked.memory, call.memory);
}

TEST(GemmCall, RowsJumpAfterPowersOfTwoAndStayOrdered) {
  for (const double m : {16.0, 128.0, 1024.0})
    EXPECT_GT(gemm_rows_axis(m + 1), gemm_rows_axis(m) + kRowsJump) << m;
  EXPECT_NEAR(gemm_rows_axis(9) - gemm_rows_axis(8), std::log2(9.0 / 8.0), 1e-6);
  for (double m = 1; m < 5000; ++m) EXPECT_LT(gemm_rows_axis(m), gemm_rows_axis(m + 1)) << m;
  Chip chip;
  chip.peak.fill(1e12);
  chip.bandwidth = 1e9;
  EXPECT_EQ(gemm_call(chip, *gemm_type("fp8_block"), 64, 64, 64).at[3], 0.0F);
  EXPECT_EQ(gemm_call(chip, *gemm_type("fp8_block"), 65, 64, 64).at[3], 1.0F);
}

TEST(ScaleCall, ReadsTwoBytesAndWritesOne) {
  Chip chip;
  chip.bandwidth = 1e9;
  EXPECT_DOUBLE_EQ(scale_call(chip, 10, 100, 0).memory, 2000.0 / 1e9);
  EXPECT_DOUBLE_EQ(scale_call(chip, 10, 100, 1).memory, 3000.0 / 1e9);
  EXPECT_EQ(scale_call(chip, 10, 100, 1).compute, 0.0);
}

TEST(HeadProductCall, IsOneProductForEachHead) {
  Chip chip;
  chip.peak.fill(1e12);
  chip.bandwidth = 1e9;
  const GemmType type = *gemm_type("bfloat16");
  const Call one = gemm_call(chip, type, 32, kTableLatent, kTableHead);
  const Call all = head_product_call(chip, type, 16, 32, kTableLatent, kTableHead);
  EXPECT_DOUBLE_EQ(all.compute, 16 * one.compute);
  EXPECT_DOUBLE_EQ(all.memory, 16 * one.memory);
}

}  // namespace
}  // namespace portolan::cost
