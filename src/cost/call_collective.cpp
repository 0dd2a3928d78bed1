#include "cost/call_collective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

using hardware::LinkKind;

// Slower than any link between accelerators, faster than PCIe of generation 5.
constexpr double kFabric = 100e9;
// Between the rates of PCIe generations 4 and 5 (x16: 32 and 64 GB/s).
constexpr double kRecentPcie = 45e9;
// Unit and knee of the protocol term; its weight is fitted.
constexpr double kProtocolStep = 0.1e-6, kProtocolSize = 16384;
// Choices of a token in the models whose exchange was measured.
constexpr double kExchangeTopK = 8;

/// Bytes over the busiest link of any algorithm, over message bytes.
double least_volume(CollectiveKind kind, double ranks) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
    case CollectiveKind::kPointToPoint:
      return 1.0;
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllToAll:
      return (ranks - 1.0) / ranks;
  }
  return 1.0;
}

std::string_view name_of(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return "all_reduce";
    case CollectiveKind::kAllGather:
    case CollectiveKind::kPointToPoint:  // half of an all-gather of two
      return "all_gather";
    case CollectiveKind::kReduceScatter:
      return "reduce_scatter";
    case CollectiveKind::kAllToAll:
      return "alltoall";
  }
  return "";
}

Call call_of(double link, double volume, double bytes, double ranks) {
  Call call;
  call.memory = bytes * volume / link;
  call.extra = kProtocolStep * std::log2(ranks) * std::log2(1.0 + bytes / kProtocolSize);
  call.at = {static_cast<float>(std::log2(std::max(1.0, bytes))),
             static_cast<float>(std::log2(ranks)), 0, 0};
  return call;
}

/// The link a group uses, and whether curves of other accelerators say anything of it: those of
/// meshes, tori and bridges were never measured.
struct Link {
  double rate = 0;
  bool transferable = false;
};

Link link_of(const Machine& machine, double ranks) {
  const hardware::Node& node = machine.node;
  const double rate = node.link_per_direction.value_or(BytesPerSecond(0.0)).raw();
  const bool linked =
      rate > 0 && node.link != LinkKind::kNone && (node.link != LinkKind::kBridge || ranks <= 2.0);
  if (linked) return {rate, node.link == LinkKind::kSwitched};
  const hardware::Accelerator& a = *node.accelerator;
  if (a.pcie_per_direction) return {a.pcie_per_direction->raw(), true};
  return {4e9 * std::exp2(std::clamp(a.pcie_generation.value_or(4), 1, 6) - 1), true};
}

class Search {
 public:
  Search(const Machine& machine, Link link) : machine_(machine), link_(link) {}
  /// The curve, none where its evidence is of another kind of link.
  [[nodiscard]] Chosen find(std::string_view op, std::string_view dtype,
                            std::string_view name) const {
    const Chosen found = machine_.kernels->find(op, dtype, link_variant(name, link_.rate));
    if (found.curve != nullptr && !link_.transferable && found.tier > Tier::kSibling) return {};
    return found;
  }
  /// Takes the curve if it is faster than what is there.
  void offer(const Chosen& chosen, const Call& call) {
    if (chosen.curve == nullptr) return;
    const double seconds = chosen.curve->seconds(call);
    if (!best_ || seconds < best_->seconds) best_ = {.seconds = seconds, .tier = chosen.tier};
  }
  [[nodiscard]] const std::optional<MeasuredCollective>& best() const { return best_; }

 private:
  const Machine& machine_;
  Link link_;
  std::optional<MeasuredCollective> best_;
};

/// Dispatch and combine share what both need; one of the two.
void offer_exchange(Search& search, double link, double bytes, double ranks,
                    std::optional<MeasuredCollective>& best) {
  const Call call = expert_exchange_call(link, bytes, ranks, kExchangeTopK);
  for (const std::string_view kernel : {"two_sided", "one_sided"}) {
    double sum = 0;
    Tier tier = Tier::kMeasured;
    bool whole = true;
    for (const std::string_view part : {"prepare", "dispatch", "combine"}) {
      Chosen chosen;
      for (const std::string_view dtype : {"bfloat16", "nvfp4"})
        if (chosen.curve == nullptr)
          chosen = search.find("trtllm_alltoall", dtype, fmt::format("{} {}", kernel, part));
      if (chosen.curve == nullptr) {
        whole = whole && part == "prepare";  // the one-sided kernel has no such step
        continue;
      }
      sum += chosen.curve->seconds(call);
      tier = std::max(tier, chosen.tier);
    }
    if (whole && sum > 0 && (!best || sum / 2 < best->seconds))
      best = MeasuredCollective{.seconds = sum / 2, .tier = tier};
  }
}

}  // namespace

std::string_view link_class(double link) {
  return link >= kFabric ? "" : link >= kRecentPcie ? "pcie5" : "pcie4";
}

std::string link_variant(std::string_view name, double link) {
  const std::string_view behind = link_class(link);
  return behind.empty() ? std::string(name) : fmt::format("{} {}", name, behind);
}

Call collective_call(double link, CollectiveKind kind, double bytes, double ranks) {
  return call_of(link, least_volume(kind, ranks), bytes, ranks);
}

Call expert_exchange_call(double link, double bytes, double ranks, double top_k) {
  const double reached = ranks * (1.0 - std::pow(1.0 - 1.0 / ranks, top_k));
  return call_of(link, (ranks - 1.0) / ranks * reached / top_k, bytes, ranks);
}

std::optional<MeasuredCollective> measured_collective(const Machine& machine, CollectiveKind kind,
                                                      double bytes, double ranks, LaunchMode mode) {
  if (machine.kernels == nullptr || ranks <= 1.0 || bytes <= 0.0) return std::nullopt;
  const Link link = link_of(machine, ranks);
  Search search(machine, link);
  // One rank sends S, the other nothing: as a gathered buffer of 2 S, of which each sends half.
  const bool pair = kind == CollectiveKind::kPointToPoint;
  const Call call = pair ? collective_call(link.rate, CollectiveKind::kAllGather, 2 * bytes, 2)
                         : collective_call(link.rate, kind, bytes, ranks);
  for (const std::string_view library : {"nccl", "oneccl"}) {
    Chosen chosen = search.find(library, "half", name_of(kind));
    if (chosen.curve == nullptr) chosen = search.find(library, "int8", name_of(kind));
    search.offer(chosen, call);
  }
  if (kind == CollectiveKind::kAllReduce) {
    const bool tensorrt = machine.kernels->backend() == "trtllm";
    const std::string_view own = tensorrt                     ? "trtllm"
                                 : mode == LaunchMode::kEager ? "eager"
                                                              : "graph";
    search.offer(search.find("custom_allreduce", "bfloat16", own), call);
  }
  std::optional<MeasuredCollective> best = search.best();
  if (kind == CollectiveKind::kAllToAll && machine.kernels->backend() == "trtllm")
    offer_exchange(search, link.rate, bytes, ranks, best);
  return best;
}

}  // namespace portolan::cost
