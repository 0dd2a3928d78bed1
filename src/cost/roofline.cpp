#include "cost/roofline.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "cost/call_memory.hpp"
#include "cost/efficiency.hpp"
#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

double d(std::int64_t x) { return static_cast<double>(x); }

// Section 6.8: elementwise kernels on NVIDIA parts.
constexpr double kElementwiseShare = 0.8;
// Chunked scans are chains of small products and never fill the tensor cores: best of the public
// gated-delta and Mamba-2 tables is 0.15-0.3 of the bf16 peak.
constexpr double kScanComputeShare = 0.2;
constexpr double kScanFloors = 4;    // kernels of one chunked scan
constexpr double kUpdateFloors = 3;  // split and gating, normalisation, state update
// Sequences rise in blocks of this many queries and keys (section 6.5).
constexpr double kAttentionBlock = 128;
// MLA decode, H100 and B200 tables: share of bandwidth at long context; its floor over plain
// decode.
constexpr double kLatentShare = 0.76;
constexpr double kLatentFloor = 1.25;
// Fixed so that a query needs square roots only.
constexpr double kAttentionKnee = 4;

/// Expected value of max(1, ceil(x)) when x varies a little from step to step: x + 1/2 for large x,
/// 1 at one, smooth between.
double soft_ceil(double x) { return x <= 1.0 ? 1.0 : x + 0.5 * (1.0 - 1.0 / x); }

/// Padded work over useful work of the best tile (section 6.3); times m, so that it is defined for
/// m -> 0.
double padded_rows(const Machine& machine, double m, double n) {
  static constexpr std::array kTiles = {64.0, 128.0, 256.0};
  double best = 0;
  for (const double rows : kTiles) {
    const double row_tiles = soft_ceil(m / rows);
    for (const double columns : kTiles) {
      const double tiles = row_tiles * std::ceil(n / columns);
      const double waves =
          machine.multiprocessors > 0
              ? soft_ceil(tiles / machine.multiprocessors) * machine.multiprocessors
              : tiles;
      const double padded = waves * rows * columns / n;
      if (best == 0 || padded < best) best = padded;
    }
    if (m <= rows) break;  // larger tiles only pad more
  }
  return std::max(best, m);
}

KernelTime finish(const Machine& machine, KernelTime t, double peak, double knee) {
  const double ideal = std::max(peak > 0 ? t.flop / peak : 0.0, t.bytes / machine.bandwidth.raw());
  t.seconds = std::max(power_norm(t.compute, t.memory, knee), ideal) + t.floor;
  return t;
}

KernelTime finish_attention(KernelTime t) {
  t.seconds = power_norm(t.compute, t.memory, kAttentionKnee) + t.floor;
  return t;
}

/// Seconds per FLOP at the attainable rate.
double attainable(const Machine& machine, model::Compute compute) {
  const ComputeRate& rate = machine.rate(compute);
  return rate.peak.raw() * rate.efficiency;
}

/// Tokens a query attends of `cached`, after windows, sparse choice and compression.
double attended(const model::Operator& op, double context) {
  double seen = context;
  if (op.window > 0) seen = std::min(seen, d(op.window));
  if (op.sparse_top > 0) seen = std::min(seen, d(op.sparse_top));
  return seen / d(std::max<std::int64_t>(1, op.cache_stride));
}

}  // namespace

KernelTime curve_time(const Machine& machine, const Curve& curve, const Call& call,
                      model::Compute compute) {
  KernelTime t;
  t.seconds = curve.seconds(call);
  t.compute = call.compute / curve.roofline.compute;
  t.memory = call.memory / curve.roofline.memory;
  t.floor = std::min(curve.roofline.floor, t.seconds);
  t.flop = call.compute * machine.chip.peak[static_cast<std::size_t>(compute)];
  t.bytes = (call.memory + call.extra) * machine.chip.bandwidth;
  return t;
}

model::Compute compute_on(const Machine& machine, model::Format format) {
  const model::Compute own = model::compute_of(format);
  if (machine.rate(own).peak.raw() > 0) return own;
  if (own == model::Compute::kTf32 && machine.rate(model::Compute::kFp32).peak.raw() > 0)
    return model::Compute::kFp32;
  if (own == model::Compute::kFp32 || own == model::Compute::kTf32) return own;
  return model::Compute::kBf16;
}

Linear linear_on(const Machine& machine, double n, double k, model::Format format,
                 double weight_bytes) {
  Linear linear{.n = n, .k = k};
  linear.compute = compute_on(machine, format);
  linear.weight_bytes = weight_bytes >= 0 ? weight_bytes : model::bytes_per_weight(format);
  const bool native = linear.compute == model::compute_of(format);
  linear.input_bytes = native ? model::bytes_per_activation(format) : 2.0;
  linear.quantises_input = native && linear.input_bytes < 2.0;
  if (machine.kernels) {
    const std::string_view dtype = gemm_dtype(format, linear.compute);
    if (const auto type = gemm_type(dtype)) {
      linear.curve = machine.kernels->find("gemm", dtype).captured;
      linear.type = *type;
      linear.type.weight_bytes = linear.weight_bytes;
    }
  }
  return linear;
}

KernelTime gemm_time(const Machine& machine, const Linear& linear, double m) {
  if (m <= 0) return {};
  constexpr double kOutputBytes = 2.0;  // activations between operators are 16 bit
  if (linear.curve != nullptr)
    return curve_time(machine, *linear.curve,
                      gemm_call(machine.chip, linear.type, m, linear.n, linear.k), linear.compute);
  KernelTime t;
  t.flop = 2.0 * m * linear.n * linear.k;
  t.bytes = linear.input_bytes * m * linear.k + linear.weight_bytes * linear.n * linear.k +
            kOutputBytes * m * linear.n;
  const double padding = std::pow(padded_rows(machine, m, linear.n) / m, machine.wave_exponent);
  t.compute =
      t.flop * padding * (1.0 + machine.short_k / linear.k) / attainable(machine, linear.compute);
  const double share = machine.bandwidth_efficiency * machine.bandwidth.raw();
  t.memory = t.bytes / share;
  t.floor = machine.launch.raw();
  if (linear.quantises_input) {
    // A kernel of its own that reads 16 bit and writes 8 or 4 (section 6.2: the term max(t_q0,
    // 3mk/(e_q W))).
    const double pass = m * linear.k * (2.0 + linear.input_bytes);
    t.bytes += pass;
    t.floor += std::max(machine.launch.raw(), pass / (kElementwiseShare * machine.bandwidth.raw()));
  }
  return finish(machine, t, machine.rate(linear.compute).peak.raw(), machine.knee);
}

KernelTime grouped_time(const Machine& machine, const Experts& experts, double tokens) {
  if (tokens <= 0 || experts.experts_total <= 0) return {};
  const double fed = tokens * experts.token_groups;
  const double touched = model::expected_experts(
      experts.experts, experts.top_k * experts.experts / experts.experts_total, fed);
  const double rows = fed * experts.top_k * experts.experts / experts.experts_total;
  const Linear& one = experts.linear;
  const GroupedShares shares = grouped_shares(experts.format, one.compute);
  // Section 6.7: the fullest of ep ranks under power_law_1.01 routing, medians 1.05, 1.12, 1.16 at
  // 1, 4, 8 ranks. On one rank only the tiles are uneven; the bytes are those of the experts
  // touched.
  const double ranks = std::max(1.0, experts.experts_total / std::max(1.0, experts.experts));
  const double skew = 1.05 + 0.037 * std::log2(ranks), byte_skew = 1.0 + 0.037 * std::log2(ranks);
  KernelTime t;
  t.flop = 2.0 * rows * one.n * one.k;
  t.bytes =
      touched * one.weight_bytes * one.n * one.k + rows * (one.input_bytes * one.k + 2.0 * one.n);
  t.compute = skew * t.flop /
              (machine.rate(one.compute).peak.raw() * shares.compute *
               machine.rate(one.compute).efficiency /
               std::max(0.01, machine.rate(model::Compute::kBf16).efficiency));
  t.memory = byte_skew * t.bytes / (shares.bandwidth * machine.bandwidth.raw());
  t.floor = shares.floor_us * 1e-6 * machine.launch.raw() / 2.6e-6;
  return finish(machine, t, machine.rate(one.compute).peak.raw(), kGroupedKnee);
}

KernelTime sampler_time(const Machine& machine, double vocabulary, double positions) {
  if (positions <= 0) return {};
  constexpr double kKernels = 9.0;
  const double bytes = kSamplerBytesPerLogit * vocabulary * positions;
  if (machine.sampler != nullptr)
    return curve_time(machine, *machine.sampler, pass_call(machine.chip, bytes),
                      model::Compute::kBf16);
  KernelTime t = elementwise_time(machine, bytes);
  t.seconds += (kKernels - 1.0) * machine.launch.raw();
  t.floor += (kKernels - 1.0) * machine.launch.raw();
  return t;
}

KernelTime elementwise_time(const Machine& machine, double bytes) {
  if (bytes <= 0) return {};
  if (machine.passes != nullptr)
    return curve_time(machine, *machine.passes, pass_call(machine.chip, bytes),
                      model::Compute::kBf16);
  KernelTime t;
  t.bytes = bytes;
  t.memory = bytes / (kElementwiseShare * machine.bandwidth.raw());
  t.floor = machine.launch.raw();
  return finish(machine, t, 0, 1);
}

KernelTime prefill_attention_time(const Machine& machine, const model::Operator& op,
                                  double kv_bytes, double requests, double tokens, double cached) {
  if (requests <= 0 || tokens <= 0) return {};
  KernelTime t;
  const double heads = d(op.heads), context = cached + tokens;
  const double stride = d(std::max<std::int64_t>(1, op.cache_stride));
  double window = op.window > 0 ? d(op.window) : 0.0;
  if (op.sparse_top > 0 && (window == 0.0 || d(op.sparse_top) < window)) window = d(op.sparse_top);
  const double width = d(op.d_qk + op.d_v);
  double pairs = op.causal ? model::attention_pairs(tokens, cached, window) : tokens * context;
  t.flop = requests * 2.0 * heads * width * pairs / stride;
  // Blocks cut by the diagonal (and by the far edge of a window) are computed whole.
  const double block = std::min(kAttentionBlock, tokens);
  pairs += op.causal ? tokens * block / 2.0 * (window > 0.0 && context > window ? 2.0 : 1.0) : 0.0;
  double work = requests * 2.0 * heads * width * pairs / stride;
  double kv_elements =
      op.kind == model::OpKind::kMla ? d(op.kv_rank + op.rope_dim) : d(op.kv_heads) * width;
  double element_bytes = kv_bytes;
  if (op.d_v == 0) element_bytes = 1.0;  // index keys are fp8 in every engine
  const double seen = window > 0.0 && !op.sparse_top ? std::min(context, window + tokens) : context;
  t.bytes = requests * (element_bytes * kv_elements * seen / stride + 2.0 * tokens * heads * width);
  double extra = 0;
  if (op.kind == model::OpKind::kMla) {
    // Cached latents are expanded to full heads again for each chunk (section 2.5).
    const double nope = d(op.d_qk - op.rope_dim);
    const double expand = requests * 2.0 * cached * heads * (nope + d(op.d_v)) * d(op.kv_rank);
    t.flop += expand;
    extra = expand / attainable(machine, model::Compute::kBf16);
  }
  const double blocks = requests * heads * std::max(1.0, tokens / kAttentionBlock);
  if (machine.multiprocessors > 0) {
    const double share = blocks / machine.multiprocessors;
    work *= share < 1.0 ? std::min(1.0 / share, 8.0) : soft_ceil(share) / share;
  }
  const double efficiency = machine.prefill_attention * head_dimension_factor(d(op.d_qk));
  t.compute = work / (machine.rate(model::Compute::kBf16).peak.raw() * efficiency) + extra;
  t.memory = t.bytes / (machine.decode_attention * machine.bandwidth.raw());
  t.floor = machine.decode_attention_floor.raw() * std::min(1.0, requests);
  return finish_attention(t);
}

KernelTime decode_attention_time(const Machine& machine, const model::Operator& op, double kv_bytes,
                                 double requests, double context) {
  if (requests <= 0) return {};
  KernelTime t;
  const double heads = d(op.heads), seen = attended(op, context);
  double element_bytes = kv_bytes, share = machine.decode_attention, floor = 1.0;
  double flop_per_pair = 2.0 * heads * d(op.d_qk + op.d_v);
  double kv_elements = d(op.kv_heads) * d(op.d_qk + op.d_v),
         io_elements = heads * d(op.d_qk + op.d_v);
  if (op.kind == model::OpKind::kMla) {
    flop_per_pair = 2.0 * heads * d(2 * op.kv_rank + op.rope_dim);
    kv_elements = d(op.kv_rank + op.rope_dim);
    io_elements = heads * d(2 * op.kv_rank + op.rope_dim);
    share *= kLatentShare;
    floor = kLatentFloor;
  } else if (op.d_v == 0) {
    element_bytes = 1.0;
  }
  t.flop = requests * flop_per_pair * seen;
  t.bytes = requests * (element_bytes * kv_elements * seen + 2.0 * io_elements);
  t.compute = t.flop / (machine.rate(model::Compute::kBf16).peak.raw() * machine.prefill_attention);
  t.memory = t.bytes / (share * machine.bandwidth.raw());
  t.floor = floor * machine.decode_attention_floor.raw() * std::min(1.0, requests);
  return finish_attention(t);
}

KernelTime scan_prefill_time(const Machine& machine, const model::Operator& op, double tokens) {
  if (tokens <= 0) return {};
  KernelTime t;
  t.flop = tokens * op.scan_flop_prefill;
  t.bytes = tokens * 2.0 * op.scan_io_elements;
  t.compute = t.flop / (machine.rate(model::Compute::kBf16).peak.raw() * kScanComputeShare);
  t.memory = t.bytes / (kElementwiseShare * machine.bandwidth.raw());
  t.floor = kScanFloors * machine.launch.raw();
  return finish_attention(t);
}

KernelTime scan_decode_time(const Machine& machine, const model::Operator& op, double requests) {
  if (requests <= 0) return {};
  constexpr double kStateBytes = 4.0;  // kept in fp32
  KernelTime t;
  t.flop = requests * op.scan_flop_decode;
  t.bytes = requests * (kStateBytes * op.scan_state_elements + 2.0 * op.scan_io_elements);
  t.compute = t.flop / (machine.rate(model::Compute::kBf16).peak.raw() * kScanComputeShare);
  t.memory = t.bytes / (kElementwiseShare * machine.bandwidth.raw());
  t.floor = kUpdateFloors * machine.launch.raw() * std::min(1.0, requests);
  return finish_attention(t);
}

}  // namespace portolan::cost
