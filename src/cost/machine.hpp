// A node as the cost model sees it: attainable rates, launch floor and collective speeds, each with
// the tier they come from.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "cost/curve.hpp"
#include "hardware/node.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {

/// Where an efficiency comes from (cost-model.md §8), best first.
enum class Tier : std::uint8_t {
  kMeasured,
  kSibling,
  kTransferred,
  kCeiling,
  kDatasheet,
  kParameterCount
};
std::string_view tier_name(Tier tier);

/// Attainable compute of one arithmetic: t = ((FLOP/(e_c·F))^p + (bytes/(e_m·W))^p)^(1/p) + t_0
/// (cost-model.md §6.1).
struct ComputeRate {
  FlopPerSecond peak{0};  // dense datasheet peak; 0 = not supported
  double efficiency = 0;  // e_c, attainable share
  Tier tier = Tier::kDatasheet;
  std::string source;  // "measured ceiling 794.5 of 989 TFLOP/s (…)"
};

/// Relative error quantiles of a predicted time: truth lies in [low, high] × value at 80 %.
struct ErrorBand {
  double low = 1, high = 1;
};
ErrorBand error_band(Tier tier);

class KernelSet;
class Profile;

/// Where the fitted curves of a machine's kernels come from. Without a profile there are none, and
/// kernels are priced with the machine's own shares: what sustained training reaches, where curves
/// of short benchmarks are too fast (cost-model.md §8, §11.3).
struct KernelSource {
  const Profile* profile = nullptr;                      // must outlive the machine
  const hardware::Accelerators* accelerators = nullptr;  // where donors are looked up
  std::string_view backend = "vllm", version = {};       // empty version: the newest
};

/// The accelerator behind `node` must outlive the machine.
struct Machine {
  hardware::Node node;
  Chip chip;
  std::shared_ptr<const KernelSet> kernels;  // null = none
  const Curve* passes = nullptr;             // of norms, rotations, activations; null = by share
  const Curve* sampler = nullptr;            // of sampling; null = by share
  std::array<ComputeRate, 6> rates;          // by model::Compute
  BytesPerSecond bandwidth{0};
  double bandwidth_efficiency = 0.8;  // e_m
  double knee = 3;                    // p
  Seconds launch{0};                  // t_0 per kernel
  double short_k = 0;                 // k_0: compute slows by (k + k_0)/k (cost-model.md §6.3)
  double wave_exponent = 0;           // of tile and wave quantisation
  double multiprocessors = 0;         // 0 = unknown: tiles are rounded, waves are not
  double prefill_attention = 0.6;     // e_c of context attention at head dimension 128 (§6.5)
  double decode_attention = 0.85;     // e_m of decode attention (§6.6)
  Seconds decode_attention_floor{0};
  /// Time of the engine's kernels over that of the ones which shares and curves describe; set when
  /// a step is compiled for an engine.
  double slowdown = 1;
  BytesPerSecond network{0};   // attainable, one direction, per accelerator; between nodes
  std::string network_source;  // says so when the network is unknown and a default was taken
  Tier tier = Tier::kDatasheet;
  ErrorBand band;
  [[nodiscard]] const ComputeRate& rate(model::Compute compute) const {
    return rates[static_cast<std::size_t>(compute)];
  }
};

/// Errors: infeasible when the accelerator has neither bandwidth nor any peak (nothing can be
/// computed).
Result<Machine> make_machine(const hardware::Node& node, const KernelSource& source = {});

/// Whether the accelerator has arithmetic for the format (fp8 from Ada/Hopper on, fp4 on Blackwell;
/// weight-only formats compute in bf16; bf16 on parts without it falls back to fp16).
bool supports(const Machine& machine, model::Format format);

enum class CollectiveKind : std::uint8_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kPointToPoint
};
/// How an engine launches kernels: captured in a graph, or one by one.
enum class LaunchMode : std::uint8_t { kGraph, kEager };
/// Time of one collective of `message` bytes over `ranks` accelerators, `ranks_per_node` of them in
/// each node; nccl-tests size convention (the whole gathered buffer). One rank or zero bytes cost
/// nothing. Within the node by measured curves where the machine has them for its kind of link,
/// else by link kind (cost-model.md §7); between nodes over the NIC, always by formula.
Seconds collective_time(const Machine& machine, CollectiveKind kind, Bytes message,
                        std::int64_t ranks, std::int64_t ranks_per_node,
                        LaunchMode mode = LaunchMode::kGraph);
/// How close the evidence behind that time is: the tier of the curve, ceiling where shares of
/// measured links stand in, datasheet as soon as nodes talk to each other.
Tier collective_tier(const Machine& machine, CollectiveKind kind, std::int64_t ranks,
                     std::int64_t ranks_per_node);
/// Bus bandwidth inside the node for `ranks` accelerators (0 when there is one).
BytesPerSecond link_bandwidth(const Machine& machine, std::int64_t ranks);

}  // namespace portolan::cost
