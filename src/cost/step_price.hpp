// Prices of single operators inside a step, shared by the tables and the exact evaluation; private
// to this room.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "cost/call_attention.hpp"
#include "cost/call_moe.hpp"
#include "cost/roofline.hpp"
#include "cost/step.hpp"

namespace portolan::cost {

// Operators of a plain decoder layer on one rank: two norms with the residual, projections,
// rotation, attention, gated MLP. Launching a layer with more takes longer in proportion.
inline constexpr double kPlainLayerOperators = 9;

struct Priced {
  KernelTime kernel;
  std::array<double, 4> by_bound{};
  bool communication = false;
};

/// One operator whose time depends on the number of tokens (or sampled positions) alone.
class TokenPrice {
 public:
  TokenPrice(const Machine& machine, const model::Operator& op, model::Format format,
             double weight_bytes, const Deployment& deployment);
  [[nodiscard]] Priced operator()(double tokens) const;
  /// Share of the board limit while `priced` runs; 0 for communication, which idles.
  [[nodiscard]] double power(const PowerModel& power, const Priced& priced) const;

 private:
  const Machine& machine_;
  const model::Operator& op_;
  const Deployment& deployment_;
  Linear linear_;
  model::Format format_ = model::Format::kBf16;
};

/// The curves of an attention core, found once; null = the machine's shares price it.
struct CoreCurves {
  const Curve* prefill = nullptr;
  const Curve* decode = nullptr;
  const Curve* mixed = nullptr;  // of steps with prompts and decodes; null: the sum of both
  AttentionShape shape;
  LatentShape latent;
  Linear expansion;  // of cached latents to the keys and values of all heads, for each chunk
};
CoreCurves core_curves(const Machine& machine, const model::Operator& op, double kv_bytes);
KernelTime decode_time(const Machine& machine, const model::Operator& op, const CoreCurves& core,
                       double kv_bytes, const Batch& batch);
KernelTime prefill_time(const Machine& machine, const model::Operator& op, const CoreCurves& core,
                        double kv_bytes, const Batch& batch, double chunk);

/// A block of routed experts priced as the one call that engines run and tables measure: the
/// product up, the activation and the product down.
struct ExpertBlock {
  MoeKernel kernel;  // without a curve the three operators are priced one by one
  MoeShape shape;
  const ExpertLoads* loads = nullptr;
  model::Compute compute = model::Compute::kBf16;
  double token_groups = 1;
  [[nodiscard]] Priced price(const Machine& machine, double tokens) const;
};
ExpertBlock expert_block(const Machine& machine, const model::Operator& up,
                         const model::Operator& down, model::Format format, double weight_bytes);

/// Sends of hidden state and residual between pipeline stages.
struct PipelineHops {
  double sum = 0, slowest = 0;
};
PipelineHops pipeline_hops(const Machine& machine, double hidden, double tokens,
                           const Deployment& deployment, std::int64_t crossings);

/// Writing the new keys and values (or latents) of `tokens` tokens into the cache, one kernel per
/// layer.
KernelTime cache_write_time(const Machine& machine, const model::Operator& op, double kv_bytes,
                            double tokens);

/// Host time that the accelerator does not hide (cost-model.md §11.2): input preparation, sampling
/// output and the work for prompts show in every step; launching layers without a captured graph
/// runs ahead of the accelerator and shows only where it is the longer of the two.
double visible_host(const Engine& engine, const Machine& machine, double busy, double layers,
                    const Batch& batch);

/// All accelerators of the replica: `busy` seconds of kernels on each of them, `loaded` the same
/// weighted with their share of the board limit, and the share `idle` for the rest of the step.
Joules replica_energy(Watts limit, double idle, double busy, double loaded, const StepTime& time,
                      const Deployment& deployment);

}  // namespace portolan::cost
