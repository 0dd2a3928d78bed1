// Collectives inside one node as calls of a curve, and the curves that stand for them on a machine.
//
// Operators of the profile: "nccl" and "oneccl" (variants all_reduce, all_gather, reduce_scatter,
// alltoall), "custom_allreduce" (the engines' own: graph, eager, trtllm) and "trtllm_alltoall"
// (dispatch, combine and so on of experts over NVLink). Behind the name stands the kind of link,
// because a curve of NVLink says nothing of a PCIe host: "all_reduce pcie4".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cost/curve.hpp"
#include "cost/machine.hpp"

namespace portolan::cost {

/// "" for links between accelerators, "pcie5" for hosts from generation 5 on, "pcie4" for older
/// ones; by the rate of the link, bytes/s one way.
std::string_view link_class(double link);
std::string link_variant(std::string_view name, double link);

/// One collective of `bytes` (nccl-tests size: of all-gather and reduce-scatter the whole buffer,
/// of all-to-all what each rank sends) over `ranks` at `link` bytes/s. `memory` is what no
/// algorithm beats: an all-reduce moves every byte once where the switch adds, not 2(g-1)/g times.
/// `extra` stands for the protocol steps between floor and bandwidth, log2(g)·log2(1 + S/S0).
/// Coordinates: log2 of the bytes and of the ranks.
Call collective_call(double link, CollectiveKind kind, double bytes, double ranks);
/// All-to-all of routed experts: `bytes` as if every choice were sent (tokens × top_k × width);
/// a token goes once to each rank that holds some of its `top_k` experts.
Call expert_exchange_call(double link, double bytes, double ranks, double top_k);

/// Time of a collective inside a node by measured curves, and how close their evidence is.
struct MeasuredCollective {
  double seconds = 0;
  Tier tier = Tier::kDatasheet;
};
/// What the engine of the machine's curves takes: the fastest of what it has in its mode, NCCL or
/// its own all-reduce. nullopt: no curve for this kind of link.
std::optional<MeasuredCollective> measured_collective(const Machine& machine, CollectiveKind kind,
                                                      double bytes, double ranks, LaunchMode mode);

}  // namespace portolan::cost
