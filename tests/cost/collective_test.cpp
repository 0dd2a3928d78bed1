#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "cost/machine.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

constexpr auto kAllReduce = CollectiveKind::kAllReduce;

double bus(const Machine& m, double bytes, std::int64_t ranks) {
  const double g = static_cast<double>(ranks);
  return bytes * 2 * (g - 1) / g /
         collective_time(m, kAllReduce, Bytes(bytes), ranks, ranks).raw() / 1e9;
}

TEST(Collective, OneRankOrNoBytesCostNothing) {
  const Machine m = parts::machine(parts::h100(), 8);
  EXPECT_EQ(collective_time(m, kAllReduce, Bytes(1e6), 1, 8).raw(), 0);
  EXPECT_EQ(collective_time(m, kAllReduce, Bytes(0.0), 8, 8).raw(), 0);
  EXPECT_EQ(link_bandwidth(m, 1).raw(), 0);
}

// Best measured bus bandwidth of 8 ranks (public NCCL and engine tables, cost-model.md §7.2), GB/s.
TEST(Collective, LargeAllReduceReachesTheMeasuredBusBandwidth) {
  EXPECT_NEAR(bus(parts::machine(parts::a100(), 8), 1e9, 8), 225, 22.5);
  EXPECT_NEAR(bus(parts::machine(parts::h100(), 8), 1e9, 8), 457, 46);
  EXPECT_NEAR(bus(parts::machine(parts::b200(), 8), 1e9, 8), 715, 72);
  EXPECT_NEAR(bus(parts::machine(parts::h100(), 8), 1e9, 2), 326, 33);
  EXPECT_NEAR(bus(parts::machine(parts::rtx_pro_6000(), 8), 1e9, 8), 24.5, 6.1);
}

TEST(Collective, SmallAllReduceIsTheEngineFloor) {
  // vLLM in a graph, 8 x H100: 4.6 us at 1 kB, 7.9 at 131 kB, 12 at 524 kB, 19.4 at 2.1 MB.
  const Machine m = parts::machine(parts::h100(), 8);
  EXPECT_NEAR(collective_time(m, kAllReduce, Bytes(1024.0), 8, 8).in(kMicrosecond), 4.7, 1.0);
  EXPECT_NEAR(collective_time(m, kAllReduce, Bytes(131072.0), 8, 8).in(kMicrosecond), 7.9, 1.6);
  EXPECT_NEAR(collective_time(m, kAllReduce, Bytes(524288.0), 8, 8).in(kMicrosecond), 12.0, 2.4);
  EXPECT_NEAR(collective_time(m, kAllReduce, Bytes(2097152.0), 8, 8).in(kMicrosecond), 19.4, 3.9);
}

// 2^25 bf16 elements over 8 L40S: 53-55 ms measured; a 32 GB/s link model says 3.7.
TEST(Collective, PcieBoxesAreFarBelowTheLink) {
  const Machine m = parts::machine(parts::l40s(), 8);
  EXPECT_NEAR(collective_time(m, kAllReduce, Bytes(67108864.0), 8, 8).in(kMillisecond), 54, 13.5);
}

// 1 GB point to point at 50 GB/s attainable in one direction is 20 ms: neither halved nor doubled.
TEST(Collective, DirectionConvention) {
  hardware::Node node = parts::node(parts::h100(), 8);
  node.network = {.fabric = "RDMA",
                  .per_accelerator = BytesPerSecond(62.5e9),
                  .rdma = true,
                  .source = {},
                  .date = {}};
  const Machine m = make_machine(node).value();
  ASSERT_NEAR(m.network.raw(), 50e9, 1);  // 62.5 at the NIC share of 0.8
  const double t =
      collective_time(m, CollectiveKind::kPointToPoint, Bytes(1e9), 2, 1).in(kMillisecond);
  EXPECT_GT(t, 20.0);
  EXPECT_NEAR(t, 20.0, 0.05);
}

TEST(Collective, BridgeServesPairsOnly) {
  hardware::Accelerator a = parts::accelerator({.id = "a100-pcie-80gb",
                                                .architecture = "ampere",
                                                .memory_type = "HBM2e",
                                                .memory_bytes = 85e9,
                                                .bandwidth_gbs = 1935,
                                                .bf16 = 312,
                                                .link = hardware::LinkKind::kBridge,
                                                .link_gbs = 300,
                                                .domain = 2,
                                                .pcie = 4});
  const Machine m = parts::machine(a, 4);
  EXPECT_GT(link_bandwidth(m, 2).in(kGBPerSecond), 150);
  EXPECT_LT(link_bandwidth(m, 4).in(kGBPerSecond), 10);
}

TEST(Collective, MeshPairsHaveOneLink) {
  const Machine m = parts::machine(parts::mi300x(), 8);
  EXPECT_NEAR(link_bandwidth(m, 2).in(kGBPerSecond), 64 * 0.7, 0.1);
  EXPECT_NEAR(link_bandwidth(m, 8).in(kGBPerSecond), 448 * 0.7, 0.1);
}

TEST(Collective, BoxesDoNotShareTheirSwitchButRacksDo) {
  const Machine box = parts::machine(parts::h100(), 8);
  EXPECT_GT(collective_time(box, kAllReduce, Bytes(1e8), 16, 8).raw(),
            5 * collective_time(box, kAllReduce, Bytes(1e8), 8, 8).raw());
  hardware::Node rack = parts::node(parts::b200(), 4);
  rack.link_domain = 72;
  const Machine m = make_machine(rack).value();
  EXPECT_LT(collective_time(m, kAllReduce, Bytes(1e8), 16, 4).raw(),
            1.5 * collective_time(m, kAllReduce, Bytes(1e8), 8, 8).raw());
}

RC_GTEST_PROP(CollectiveLaw, MoreBytesNeverFaster, ()) {
  const double bytes = static_cast<double>(*rc::gen::inRange(1, 1 << 30));
  const auto ranks = *rc::gen::inRange<std::int64_t>(2, 33);
  const auto kind = static_cast<CollectiveKind>(*rc::gen::inRange(0, 5));
  for (const hardware::Accelerator* a : {&parts::h100(), &parts::l40s(), &parts::mi300x()}) {
    const Machine m = parts::machine(*a, 8);
    RC_ASSERT(collective_time(m, kind, Bytes(bytes * 1.01), ranks, 8).raw() >=
              collective_time(m, kind, Bytes(bytes), ranks, 8).raw());
  }
}

RC_GTEST_PROP(CollectiveLaw, FasterLinkNeverSlower, ()) {
  hardware::Node node = parts::node(parts::h100(), 8);
  const double scale = 1.0 + *rc::gen::inRange(0, 400) / 100.0;
  const auto ranks = *rc::gen::inRange<std::int64_t>(2, 33);
  const Bytes bytes(static_cast<double>(*rc::gen::inRange(1, 1 << 28)));
  node.network.per_accelerator = BytesPerSecond(25e9);
  const Machine slow = make_machine(node).value();
  node.link_per_direction = *node.link_per_direction * scale;
  node.network.per_accelerator = BytesPerSecond(25e9 * scale);
  const Machine fast = make_machine(node).value();
  for (int kind = 0; kind < 5; ++kind) {
    RC_ASSERT(collective_time(fast, static_cast<CollectiveKind>(kind), bytes, ranks, 8).raw() <=
              collective_time(slow, static_cast<CollectiveKind>(kind), bytes, ranks, 8).raw());
  }
}

}  // namespace
}  // namespace portolan::cost
