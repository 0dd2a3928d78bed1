#include "cost/machine.hpp"

#include <gtest/gtest.h>

#include "cost/efficiency.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

using model::Compute;
using model::Format;

TEST(Machine, MeasuredCeilingReplacesTheDatasheet) {
  const Machine m = parts::machine(parts::h100());
  EXPECT_EQ(m.tier, Tier::kCeiling);
  EXPECT_NEAR(m.rate(Compute::kBf16).efficiency, 794.5 / 989, 1e-9);
  EXPECT_NEAR(m.rate(Compute::kFp8).efficiency, 1402.6 / 1979, 1e-9);
  EXPECT_NE(m.rate(Compute::kBf16).source.find("794.5 of 989"), std::string::npos);
}

TEST(Machine, FamilySharesWhereNothingWasMeasured) {
  const Machine m = parts::machine(parts::l40s());
  EXPECT_EQ(m.tier, Tier::kTransferred);
  EXPECT_NEAR(m.rate(Compute::kBf16).efficiency, 0.68, 1e-9);
}

TEST(Machine, UnknownVendorTakesTheDatasheetTierAtNineTenths) {
  hardware::Accelerator a = parts::accelerator({.id = "x1",
                                                .architecture = "x",
                                                .memory_bytes = 64e9,
                                                .bandwidth_gbs = 2000,
                                                .bf16 = 400,
                                                .fp8 = 800,
                                                .vendor = "x"});
  const Machine m = parts::machine(a);
  EXPECT_EQ(m.tier, Tier::kDatasheet);
  EXPECT_NEAR(m.rate(Compute::kBf16).efficiency, 0.675, 1e-9);
  EXPECT_NEAR(m.rate(Compute::kFp8).efficiency, 0.54, 1e-9);
  EXPECT_NEAR(m.bandwidth_efficiency, 0.72, 1e-9);
}

TEST(Machine, MemoryKindSeparatesBlackwellBoards) {
  EXPECT_LT(kernel_family(parts::b200()).fp8, 0.75);
  EXPECT_NE(&kernel_family(parts::b200()), &kernel_family(parts::rtx_pro_6000()));
  EXPECT_EQ(kernel_family(parts::h200()).id_prefix, "h200");
}

TEST(Machine, NeedsBandwidthAndARate) {
  const hardware::Accelerator a =
      parts::accelerator({.id = "empty", .bandwidth_gbs = 0, .bf16 = 10});
  const auto m = make_machine(parts::node(a, 1));
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().code, ErrorCode::kInfeasible);
  EXPECT_NE(m.error().message.find("memory bandwidth"), std::string::npos);
}

TEST(Machine, FormatsByGeneration) {
  const Machine hopper = parts::machine(parts::h100()), ampere = parts::machine(parts::a100()),
                blackwell = parts::machine(parts::b200());
  EXPECT_TRUE(supports(hopper, Format::kFp8));
  EXPECT_FALSE(supports(ampere, Format::kFp8));
  EXPECT_TRUE(supports(ampere, Format::kInt8));
  EXPECT_TRUE(supports(ampere, Format::kInt4));
  EXPECT_TRUE(supports(blackwell, Format::kNvfp4));
  EXPECT_TRUE(supports(hopper, Format::kMxfp4));                        // weight-only
  EXPECT_TRUE(supports(parts::machine(parts::v100()), Format::kBf16));  // falls back to fp16
}

TEST(Machine, UnknownNetworkIsStated) {
  const Machine m = parts::machine(parts::h100(), 8);
  EXPECT_NE(m.network_source.find("unknown"), std::string::npos);
  EXPECT_NEAR(m.network.raw(), 12.5e9 / 8 * 0.8, 1);
}

}  // namespace
}  // namespace portolan::cost
