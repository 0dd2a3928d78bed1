// Collectives (cost-model.md §7): measured curves inside a node where there are any, else the bus
// bandwidth of switched links, what PCIe hosts really give, meshes and tori; the network between
// nodes.
#include <algorithm>
#include <array>
#include <cmath>

#include "cost/call_collective.hpp"
#include "cost/efficiency.hpp"
#include "cost/machine.hpp"

namespace portolan::cost {
namespace {

using hardware::LinkKind;

/// Value of a table given at 2, 4 and 8 ranks, linear in log2 of the ranks, held beyond.
double at_ranks(const double (&table)[3], double ranks) {
  const double octave = std::clamp(std::log2(std::max(2.0, ranks)), 1.0, 3.0);
  const auto low = static_cast<std::size_t>(std::min(1.0, octave - 1.0));
  const double share = octave - 1.0 - static_cast<double>(low);
  return table[low] + share * (table[low + 1] - table[low]);
}

// PCIe x16, one way, by generation.
constexpr std::array kPcie = {0.0, 4e9, 8e9, 16e9, 32e9, 64e9, 128e9};
// Bus bandwidth over the link rate at 2, 4, 8 accelerators (section 7.2, 7.4). From generation 5
// on: RTX PRO 6000 boxes (one root per pair, peer to peer). Before: L40S, dual socket, through the
// host. Interval x/÷ 2.5.
constexpr double kPcieNew[3] = {0.53, 0.40, 0.38};
constexpr double kPcieOld[3] = {0.38, 0.18, 0.066};
constexpr double kPcieFloor = 6e-6;    // at 2 ranks, doubling with the ranks: 6, 12, 24 us measured
constexpr double kBridgeShare = 0.73;  // as a switched pair
constexpr double kMeshShare = 0.70;    // RCCL rings on a full mesh; unverified
constexpr double kTorusShare = 0.80;   // unverified
constexpr double kMeshFloor = 12e-6, kTorusFloor = 10e-6, kBridgeFloor = 5e-6;
// Protocol steps between the floor and full bandwidth: c · log2(1 + S/S0), c by rank (H100 and B200
// vLLM tables).
constexpr double kProtocolStep = 0.3e-6, kProtocolSize = 16384;
constexpr double kNetworkHop =
    10e-6;  // RDMA message between nodes (aiconfigurator p2p latency 10 us)
constexpr double kSocketHop = 35e-6;  // without RDMA; unverified
constexpr double kPointFloor = 5e-6;  // within a node

struct Intra {
  double busbw = 0, floor = 0;
};

double pcie_rate(const hardware::Accelerator& a) {
  const int generation = std::clamp(a.pcie_generation.value_or(4), 1, 6);
  return kPcie[static_cast<std::size_t>(generation)];
}

Intra pcie(const Machine& machine, double ranks) {
  const hardware::Accelerator& a = *machine.node.accelerator;
  const bool recent = a.pcie_generation.value_or(4) >= 5;
  return {pcie_rate(a) * at_ranks(recent ? kPcieNew : kPcieOld, ranks),
          kPcieFloor * std::max(1.0, ranks / 2.0)};
}

Intra intra(const Machine& machine, CollectiveKind kind, double ranks) {
  const hardware::Node& node = machine.node;
  const double link = node.link_per_direction.value_or(BytesPerSecond(0.0)).raw();
  switch (link > 0 ? node.link : LinkKind::kNone) {
    case LinkKind::kSwitched: {
      const LinkShares& shares = switched_shares(node.accelerator->architecture);
      const double spread =
          0.55 +
          0.15 * std::log2(std::min(8.0, std::max(2.0, ranks)));  // NCCL floors grow with the ring
      switch (kind) {
        case CollectiveKind::kAllReduce:
          return {link * at_ranks(shares.all_reduce, ranks), shares.all_reduce_floor_us * 1e-6};
        case CollectiveKind::kAllGather:
        case CollectiveKind::kReduceScatter:
          return {link * at_ranks(shares.all_gather, ranks), shares.floor_us * spread * 1e-6};
        case CollectiveKind::kAllToAll:
          return {link * at_ranks(shares.all_to_all, ranks), shares.floor_us * spread * 1e-6};
        case CollectiveKind::kPointToPoint:
          return {link * shares.all_gather[2], kPointFloor};
      }
      break;
    }
    case LinkKind::kBridge:
      if (ranks <= 2.0) return {link * kBridgeShare, kBridgeFloor};
      break;
    case LinkKind::kMesh: {
      // The stated rate is the sum over all peers; a group of g uses g - 1 of them, a pair one.
      // In NVIDIA's cube meshes (P100, V100) each accelerator has four neighbours.
      const double peers =
          node.accelerator->vendor == "nvidia"
              ? 4.0
              : static_cast<double>(std::max<std::int64_t>(2, node.link_domain)) - 1.0;
      const double used =
          kind == CollectiveKind::kPointToPoint ? 1.0 : std::min(peers, ranks - 1.0);
      return {link / peers * used * kMeshShare, kMeshFloor};
    }
    case LinkKind::kTorus: {
      // The stated rate is the sum over the axes; a group of two uses one link of one axis, one of
      // 16 all of them.
      const double used =
          kind == CollectiveKind::kPointToPoint ? 0.25 : std::min(1.0, 0.25 * std::log2(ranks));
      return {link * used * kTorusShare, kTorusFloor};
    }
    case LinkKind::kNone:
      break;
  }
  return pcie(machine, ranks);
}

/// Bytes on the busiest link over message bytes.
double volume(CollectiveKind kind, double ranks) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return 2.0 * (ranks - 1.0) / ranks;
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllToAll:
      return (ranks - 1.0) / ranks;
    case CollectiveKind::kPointToPoint:
      return 1.0;
  }
  return 1.0;
}

double inside(const Machine& machine, CollectiveKind kind, double bytes, double ranks,
              LaunchMode mode) {
  if (ranks <= 1.0) return 0.0;
  if (const auto measured = measured_collective(machine, kind, bytes, ranks, mode))
    return measured->seconds;
  const Intra link = intra(machine, kind, ranks);
  const double steps =
      kind == CollectiveKind::kPointToPoint
          ? 0.0
          : kProtocolStep * std::log2(ranks) * std::log2(1.0 + bytes / kProtocolSize);
  return link.floor + steps + bytes * volume(kind, ranks) / link.busbw;
}

double between(const Machine& machine, CollectiveKind kind, double bytes, double nodes) {
  const double hop =
      machine.node.network.rdma.value_or(machine.node.network.per_accelerator.has_value())
          ? kNetworkHop
          : kSocketHop;
  const double hops = kind == CollectiveKind::kPointToPoint ? 1.0
                      : kind == CollectiveKind::kAllReduce  ? 2.0 * std::log2(nodes)
                                                            : std::log2(nodes);
  return hop * std::max(1.0, hops) + bytes * volume(kind, nodes) / machine.network.raw();
}

/// Accelerators that talk at link speed. A rack-scale domain (NVL72, a torus) reaches over nodes;
/// eight or fewer is one box, and two rented boxes never share it.
std::int64_t reach_of(const Machine& machine, std::int64_t ranks_per_node) {
  constexpr std::int64_t kBox = 8;
  const bool rack = machine.node.link_domain > kBox && (machine.node.link == LinkKind::kSwitched ||
                                                        machine.node.link == LinkKind::kTorus);
  return std::max<std::int64_t>({1, ranks_per_node, rack ? machine.node.link_domain : 1});
}

}  // namespace

BytesPerSecond link_bandwidth(const Machine& machine, std::int64_t ranks) {
  if (ranks <= 1) return BytesPerSecond(0.0);
  constexpr double kLarge = 1 << 30;
  const auto g = static_cast<double>(ranks);
  if (const auto measured =
          measured_collective(machine, CollectiveKind::kAllReduce, kLarge, g, LaunchMode::kGraph))
    return BytesPerSecond(kLarge * volume(CollectiveKind::kAllReduce, g) / measured->seconds);
  return BytesPerSecond(intra(machine, CollectiveKind::kAllReduce, g).busbw);
}

Seconds collective_time(const Machine& machine, CollectiveKind kind, Bytes message,
                        std::int64_t ranks, std::int64_t ranks_per_node, LaunchMode mode) {
  const double bytes = message.raw();
  if (ranks <= 1 || bytes <= 0) return Seconds(0.0);
  const std::int64_t reach = reach_of(machine, ranks_per_node);
  const auto g = static_cast<double>(ranks), q = static_cast<double>(std::min(ranks, reach));
  if (ranks <= reach) return Seconds(inside(machine, kind, bytes, g, mode));
  const double nodes = std::ceil(g / q);
  switch (kind) {
    case CollectiveKind::kAllReduce:
      // Reduce-scatter in the node, a ring of S/q per rail between nodes, all-gather in the node.
      return Seconds(inside(machine, CollectiveKind::kReduceScatter, bytes, q, mode) +
                     between(machine, kind, bytes / q, nodes) +
                     inside(machine, CollectiveKind::kAllGather, bytes, q, mode));
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
      return Seconds(inside(machine, kind, bytes, q, mode) +
                     between(machine, kind, bytes / q, nodes));
    case CollectiveKind::kAllToAll:
      // Two levels: S (g - q)/g leaves the node, the rest stays.
      return Seconds(inside(machine, kind, bytes * q / g, q, mode) +
                     between(machine, CollectiveKind::kPointToPoint, bytes * (g - q) / g, nodes));
    case CollectiveKind::kPointToPoint:
      return Seconds(between(machine, kind, bytes, nodes));
  }
  return Seconds(0.0);
}

Tier collective_tier(const Machine& machine, CollectiveKind kind, std::int64_t ranks,
                     std::int64_t ranks_per_node) {
  if (ranks > reach_of(machine, ranks_per_node)) return Tier::kDatasheet;
  constexpr double kMessage = 1 << 20;
  const auto measured =
      measured_collective(machine, kind, kMessage, static_cast<double>(ranks), LaunchMode::kGraph);
  return measured ? measured->tier : Tier::kCeiling;
}

}  // namespace portolan::cost
