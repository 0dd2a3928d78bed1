// Model FLOP of forward passes, summed over the operator list of one rank that holds everything.
#include <algorithm>
#include <cmath>

#include "model/operators.hpp"
#include "model/parameters.hpp"

namespace portolan::model {
namespace {

double d(std::int64_t x) { return static_cast<double>(x); }

/// Query-key pairs of attention `op`: window, sparse choice (a window over the most relevant
/// tokens) and compression.
double pairs_of(const Operator& op, double n, double cached) {
  double window = op.window > 0 ? d(op.window) : 0.0;
  if (op.sparse_top > 0 && (window == 0.0 || d(op.sparse_top) < window)) window = d(op.sparse_top);
  if (!op.causal) return n * (cached + n);
  return attention_pairs(n, cached, window) / d(op.cache_stride);
}

/// FLOP of one operator for `n` new tokens after `cached`; `decode` chooses the absorbed and
/// recurrent forms.
double flop_of(const Operator& op, double n, double cached, double sampled, bool decode) {
  switch (op.kind) {
    case OpKind::kGemm:
      return 2.0 * (op.sampled ? sampled : n) * d(op.n) * d(op.k);
    case OpKind::kGroupedGemm:
      return 2.0 * n * d(op.top_k) * d(op.n) * d(op.k);
    case OpKind::kAttention:
      return 2.0 * d(op.heads) * d(op.d_qk + op.d_v) * pairs_of(op, n, cached);
    case OpKind::kMla: {
      const double width = decode ? d(2 * op.kv_rank + op.rope_dim) : d(op.d_qk + op.d_v);
      const double nope = d(op.d_qk - op.rope_dim);
      // Prefill expands the cached latents again for each chunk.
      const double again =
          decode ? 0.0 : 2.0 * cached * d(op.heads) * (nope + d(op.d_v)) * d(op.kv_rank);
      return 2.0 * d(op.heads) * width * pairs_of(op, n, cached) + again;
    }
    case OpKind::kScan:
      return n * (decode ? op.scan_flop_decode : op.scan_flop_prefill);
    default:
      return 0.0;
  }
}

double forward(const Architecture& architecture, double n, double cached, double sampled,
               bool decode) {
  double flop = 0;
  for (const Operator& op : operators(architecture, {}))
    flop += op.count * flop_of(op, n, cached, sampled, decode);
  return flop;
}

}  // namespace

double attention_pairs(double n, double cached, double window) {
  const double limit = window > 0.0 ? window : cached + n;
  const double j0 = std::clamp(limit - cached, 0.0, n);
  return j0 * cached + j0 * (j0 + 1.0) / 2.0 + (n - j0) * limit;
}

double expected_experts(double experts, double top_k, double tokens) {
  if (experts <= 0.0) return 0.0;
  return experts * (1.0 - std::pow(1.0 - std::min(1.0, top_k / experts), tokens));
}

Flop prefill_flop(const Architecture& architecture, double new_tokens, double cached_tokens,
                  double sampled) {
  return Flop(forward(architecture, new_tokens, cached_tokens, sampled, false));
}

Flop decode_flop_per_token(const Architecture& architecture, double context) {
  return Flop(forward(architecture, 1.0, std::max(0.0, context - 1.0), 1.0, true));
}

Flop training_flop_per_token(const Architecture& architecture, double sequence) {
  return Flop(3.0 * forward(architecture, sequence, 0.0, sequence, false) / sequence);
}

Flop encoder_flop(const Architecture& architecture, double source_tokens) {
  double flop = 0;
  for (const Encoder& encoder : architecture.encoders) {
    double tokens = source_tokens;
    if (encoder.patch > 0 && encoder.image_size > 0) {
      const double side = std::ceil(d(encoder.image_size) / d(encoder.patch));
      tokens = side * side;
    }
    double per_token = 0, attention = 0;
    for (const LayerRun& run : encoder.layers) {
      const auto one = layer_parameters<double>(run.mixer, run.channel, encoder.hidden);
      per_token += d(run.count) * 2.0 * (one.attention + one.mlp + one.active_experts);
      const double seen = run.mixer.window > 0 ? std::min(tokens, d(run.mixer.window)) : tokens;
      attention += d(run.count) * 2.0 * d(run.mixer.heads) *
                   d(run.mixer.head_dim + run.mixer.v_head_dim) * seen;
    }
    flop += tokens * (per_token + attention);
  }
  if (architecture.encoders.empty()) return Flop(0.0);
  // Keys and values that the decoder's cross attention takes from the source, once per request.
  double cross = 0;
  for (const LayerRun& run : architecture.layers) {
    cross += d(run.count) * 4.0 * d(architecture.hidden) * d(run.mixer.cross_kv_heads) *
             d(run.mixer.cross_head_dim);
  }
  return Flop(flop + source_tokens * cross);
}

}  // namespace portolan::model
