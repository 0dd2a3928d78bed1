// Time of one operator on one accelerator: roofline with measured ceilings, tiles and waves, launch
// floors.
#pragma once

#include "base/quantity.hpp"
#include "cost/call_gemm.hpp"
#include "cost/machine.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"

namespace portolan::cost {

/// What one kernel does and how long it takes (cost-model.md §6.1).
/// seconds = (compute^p + memory^p)^(1/p) + floor, never below FLOP/F or bytes/W.
struct KernelTime {
  double seconds = 0;
  double compute = 0, memory = 0, floor = 0;  // seconds at attainable rates, and the launch floor
  double flop = 0, bytes = 0;
};

/// A linear layer as it is stored and computed on this machine.
struct Linear {
  double n = 0, k = 0;      // y[m,n] = x[m,k] w[k,n], per rank
  double weight_bytes = 2;  // per element, scales included
  double input_bytes = 2;   // per activation element read
  model::Compute compute = model::Compute::kBf16;
  bool quantises_input = false;  // dynamic fp8/fp4/int8: one pass over the activations before
  const Curve* curve = nullptr;  // fitted; null = the machine's shares
  GemmType type = {};            // of the curve
};

/// The arithmetic a format runs in here: its own where the accelerator has it, else bf16 with
/// weight-only storage.
model::Compute compute_on(const Machine& machine, model::Format format);
/// `weight_bytes` < 0 takes the format's own; kExact needs the average of the file.
Linear linear_on(const Machine& machine, double n, double k, model::Format format,
                 double weight_bytes = -1);

/// A call priced by its fitted curve; `compute` is the arithmetic of its FLOP.
KernelTime curve_time(const Machine& machine, const Curve& curve, const Call& call,
                      model::Compute compute);

/// Dense product with `m` rows; m may be fractional (a mean over steps): tiles and waves enter as
/// their expectation.
KernelTime gemm_time(const Machine& machine, const Linear& linear, double m);

/// Routed experts of one rank: `tokens` before top-k duplication. Rows spread evenly, distinct
/// experts uniform, the slowest rank carries the routing skew of `ep` ranks.
struct Experts {
  Linear linear;  // of one expert
  double experts = 0, experts_total = 0, top_k = 0, token_groups = 1;
  model::Format format = model::Format::kBf16;
};
KernelTime grouped_time(const Machine& machine, const Experts& experts, double tokens);

/// Memory-only kernels: norms, activations, rope, embedding look-ups.
KernelTime elementwise_time(const Machine& machine, double bytes);

inline constexpr double kSamplerBytesPerLogit = 7.0;
/// Sampling from full logits: about 9 kernels and 7 bytes per logit (LLMServingSim profile of vLLM
/// 0.19 on RTX PRO 6000: 24.7 us for one sequence, 164 us for 256 of a vocabulary of 128,256).
KernelTime sampler_time(const Machine& machine, double vocabulary, double positions);

/// Softmax attention of `requests` chunks of `tokens` new tokens each after `cached` ones
/// (prefill).
KernelTime prefill_attention_time(const Machine& machine, const model::Operator& op,
                                  double kv_bytes, double requests, double tokens, double cached);
/// One new token for each of `requests` sequences of `context` tokens (decode).
KernelTime decode_attention_time(const Machine& machine, const model::Operator& op, double kv_bytes,
                                 double requests, double context);
/// State-space and linear-attention recurrences.
KernelTime scan_prefill_time(const Machine& machine, const model::Operator& op, double tokens);
KernelTime scan_decode_time(const Machine& machine, const model::Operator& op, double requests);

}  // namespace portolan::cost
