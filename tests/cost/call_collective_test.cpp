#include "cost/call_collective.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cost/profile.hpp"
#include "market/catalogue.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

constexpr auto kAllReduce = CollectiveKind::kAllReduce;

Curve curve(const std::string& op, const std::string& dtype, const std::string& variant,
            double floor, double share = 0.8, const std::string& backend = "nccl") {
  Curve c;
  c.key = {.accelerator = "h100-sxm-80gb",
           .backend = backend,
           .version = "1",
           .op = op,
           .dtype = dtype,
           .kv_dtype = {},
           .variant = variant};
  c.roofline = {.memory = share, .floor = floor};
  return c;
}

Profile nvlink_profile() {
  Profile p;
  p.add(curve("nccl", "half", "all_reduce", 15e-6, 0.9));
  p.add(curve("nccl", "half", "all_gather", 7e-6, 0.7));
  p.add(curve("nccl", "half", "reduce_scatter", 7e-6, 0.7));
  p.add(curve("custom_allreduce", "bfloat16", "graph", 5e-6, 0.5, "vllm"));
  p.add(curve("custom_allreduce", "bfloat16", "eager", 22e-6, 0.5, "vllm"));
  p.add(curve("custom_allreduce", "bfloat16", "trtllm", 3e-6, 0.6, "trtllm"));
  return p;
}

/// Donors are looked up by their architecture.
const hardware::Accelerators& accelerators() {
  static const auto catalogue = market::Catalogue::embedded();
  return (*catalogue)->accelerators();
}

Machine machine(const hardware::Accelerator& a, const Profile& profile,
                std::string_view backend = "vllm") {
  return make_machine(parts::node(a, 8), {.profile = &profile,
                                          .accelerators = &accelerators(),
                                          .backend = backend,
                                          .version = {}})
      .value();
}

double us(const Machine& m, double bytes, LaunchMode mode = LaunchMode::kGraph) {
  return collective_time(m, kAllReduce, Bytes(bytes), 8, 8, mode).in(kMicrosecond);
}

TEST(LinkClass, ByRate) {
  EXPECT_EQ(link_variant("all_reduce", 450e9), "all_reduce");
  EXPECT_EQ(link_variant("all_reduce", 64e9), "all_reduce pcie5");
  EXPECT_EQ(link_variant("all_reduce", 32e9), "all_reduce pcie4");
  EXPECT_EQ(link_variant("all_reduce", 16e9), "all_reduce pcie4");
}

TEST(CollectiveCall, NoAlgorithmIsFasterThanTheLink) {
  EXPECT_DOUBLE_EQ(collective_call(450e9, kAllReduce, 450e9, 8).ideal(), 1.0);
  EXPECT_DOUBLE_EQ(collective_call(450e9, CollectiveKind::kAllGather, 450e9, 8).ideal(), 0.875);
  // Of eight choices on four ranks, a token reaches 3.6 of them.
  EXPECT_NEAR(expert_exchange_call(100e9, 8e9, 4, 8).ideal(),
              0.75 * 4 * (1 - std::pow(.75, 8)) / 8 * 8e9 / 100e9, 1e-9);
}

TEST(MeasuredCollective, TheEngineTakesTheFastestItHas) {
  const Profile p = nvlink_profile();
  const Machine vllm = machine(parts::h100(), p), trt = machine(parts::h100(), p, "trtllm");
  EXPECT_NEAR(us(vllm, 1024), 5, 0.2);
  EXPECT_NEAR(us(trt, 1024), 3, 0.2);
  EXPECT_NEAR(us(vllm, 1024, LaunchMode::kEager), 15, 0.2);  // NCCL before its own at 22
  // Large messages go to NCCL: 1 GiB at 0.9 of 450 GB/s.
  EXPECT_NEAR(us(vllm, 1 << 30), (1 << 30) / 405e9 * 1e6 + 15, 30);
  EXPECT_EQ(collective_tier(vllm, kAllReduce, 8, 8), Tier::kMeasured);
}

// A public model counted two bytes an element whatever the type: 8-bit messages are half as long.
TEST(MeasuredCollective, MessagesAreBytes) {
  const Profile p = nvlink_profile();
  const Machine m = machine(parts::h100(), p);
  const double elements = 1 << 28;
  const double wide = us(m, 2 * elements), narrow = us(m, elements);
  EXPECT_NEAR(wide / narrow, 2.0, 0.05);
}

TEST(MeasuredCollective, NvlinkCurvesSayNothingOfOtherLinks) {
  const Profile p = nvlink_profile();
  ASSERT_EQ(collective_tier(machine(parts::h200(), p), kAllReduce, 8, 8), Tier::kTransferred);
  for (const hardware::Accelerator* a : {&parts::l40s(), &parts::mi300x()}) {
    const Machine with = machine(*a, p), without = parts::machine(*a, 8);
    EXPECT_DOUBLE_EQ(us(with, 1e6), us(without, 1e6)) << a->id;
    EXPECT_EQ(collective_tier(with, kAllReduce, 8, 8), Tier::kCeiling) << a->id;
  }
}

TEST(MeasuredCollective, NodesTalkByFormula) {
  const Profile p = nvlink_profile();
  const Machine m = machine(parts::h100(), p);
  EXPECT_EQ(collective_tier(m, kAllReduce, 16, 8), Tier::kDatasheet);
  const double inside = collective_time(m, CollectiveKind::kReduceScatter, Bytes(1e8), 8, 8).raw() +
                        collective_time(m, CollectiveKind::kAllGather, Bytes(1e8), 8, 8).raw();
  EXPECT_GT(collective_time(m, kAllReduce, Bytes(1e8), 16, 8).raw(), inside);
}

TEST(MeasuredCollective, APairSendsHalfOfAGatheredBuffer) {
  const Profile p = nvlink_profile();
  const Machine m = machine(parts::h100(), p);
  EXPECT_NEAR(collective_time(m, CollectiveKind::kPointToPoint, Bytes(1e9), 2, 2).in(kMillisecond),
              1e9 / (0.7 * 450e9) * 1e3, 0.05);
}

TEST(MeasuredCollective, BusBandwidthFromTheCurve) {
  const Profile p = nvlink_profile();
  EXPECT_NEAR(link_bandwidth(machine(parts::h100(), p), 8).in(kGBPerSecond), 1.75 * 0.9 * 450, 10);
}

// Best bus bandwidth of 1 GiB over all ranks, GB/s (cost-model.md §7.2), and the time of 2^25 bf16
// elements over 8 L40S, 53 to 55 ms, where a link model says 3.7.
TEST(ShippedCollectives, AgreeWithTheMeasuredTable) {
  struct Row {
    std::string_view id;
    std::int64_t ranks;
    double busbw, within;
  };
  for (const Row& r :
       {Row{"a100-sxm-80gb", 8, 227, 0.10}, Row{"h100-sxm-80gb", 8, 469, 0.10},
        Row{"h200-sxm-141gb", 8, 470, 0.10}, Row{"b200-sxm-180gb", 8, 728, 0.10},
        Row{"b300-sxm-288gb", 8, 729, 0.10}, Row{"rtx-pro-6000-server", 8, 24.7, 0.25}}) {
    const auto* a = accelerators().by_id(r.id);
    ASSERT_NE(a, nullptr) << r.id;
    const Machine m = machine(*a, shipped_profile());
    EXPECT_NEAR(link_bandwidth(m, r.ranks).in(kGBPerSecond), r.busbw, r.within * r.busbw) << r.id;
  }
  const Machine l40s = machine(*accelerators().by_id("l40s"), shipped_profile());
  EXPECT_NEAR(collective_time(l40s, kAllReduce, Bytes(67108864.0), 8, 8).in(kMillisecond), 54,
              13.5);
}

}  // namespace
}  // namespace portolan::cost
