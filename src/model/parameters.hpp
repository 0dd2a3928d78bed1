// Parameter formulas of one layer, written once for exact integers and for doubles that cannot overflow.
#pragma once

#include <cstdint>

#include "model/architecture.hpp"

namespace portolan::model {

/// Parameters of one layer by class. Norms are LayerRun::norm_parameters.
template <class Number>
struct LayerParameters {
  Number attention{}, mlp{}, experts{}, active_experts{}, router{};
};

namespace parameters_detail {

template <class Number>
Number attention(const Mixer& m, Number h) {
  const Number a = Number(m.heads), k = Number(m.kv_heads), d = Number(m.head_dim), dv = Number(m.v_head_dim);
  const Number q = a * d, key = k * d, value = m.shared_kv_projection ? Number(0) : k * dv;
  Number total = h * (q + key + value) + a * dv * h;
  if (m.kind == MixerKind::kSharedKv) total = h * q + a * dv * h;
  if (m.output_gate) total += h * a * dv;
  if (m.qkv_bias) total += m.kind == MixerKind::kSharedKv ? q : q + key + value;
  if (m.out_bias) total += h;
  if (m.sinks) total += a;
  if (m.cross_heads > 0) {
    const Number cross = Number(m.cross_head_dim);
    total += Number(2) * h * cross * (Number(m.cross_heads) + Number(m.cross_kv_heads));
  }
  return total;
}

/// DeepSeek-V2 §2.1; the q path is one matrix when q_rank is 0.
template <class Number>
Number mla(const Mixer& m, Number h) {
  const Number a = Number(m.heads), rq = Number(m.q_rank), rkv = Number(m.kv_rank);
  const Number nope = Number(m.nope_dim), rope = Number(m.rope_dim), dv = Number(m.v_head_dim);
  const Number q_width = a * (nope + rope);
  Number total = m.q_rank > 0 ? h * rq + rq * q_width : h * q_width;
  total += h * (rkv + rope) + rkv * a * (nope + dv) + a * dv * h;
  if (m.qkv_bias) total += (m.q_rank > 0 ? rq : Number(0)) + rkv + rope;
  if (m.out_bias) total += h;
  return total;
}

/// The indexer of sparse attention: queries from the q latent (or the hidden state), one key per token, one weight per head.
template <class Number>
Number indexer(const Mixer& m, Number h) {
  if (m.index_heads == 0) return Number(0);
  const Number heads = Number(m.index_heads), dim = Number(m.index_dim);
  const Number from = m.q_rank > 0 ? Number(m.q_rank) : h;
  // MiniMax-M3 (blocks) scores with the queries alone; DeepSeek's indexer weighs the heads.
  return from * heads * dim + h * dim + (m.index_block > 0 ? Number(0) : h * heads);
}

/// Dao & Gu 2024: in-projection to (z, x, B, C, dt), depthwise convolution over (x, B, C) with bias, A, D and dt bias per head.
template <class Number>
Number mamba2(const Mixer& m, Number h) {
  const Number inner = Number(m.inner), heads = Number(m.ssm_heads);
  const Number channels = inner + Number(2) * Number(m.groups) * Number(m.state);
  return h * (inner + channels + heads) + channels * (Number(m.conv) + Number(1)) + Number(3) * heads + inner * h;
}

/// Gu & Dao 2023.
template <class Number>
Number mamba1(const Mixer& m, Number h) {
  const Number inner = Number(m.inner), state = Number(m.state), rank = Number(m.dt_rank);
  return h * Number(2) * inner + inner * (Number(m.conv) + Number(1)) + inner * (rank + Number(2) * state) +
         rank * inner + inner + inner * state + inner + inner * h;
}

template <class Number>
Number gated_delta(const Mixer& m, Number h) {
  const Number key = Number(m.key_heads) * Number(m.key_dim), value = Number(m.value_heads) * Number(m.value_dim);
  const Number heads = Number(m.value_heads);
  Number total = h * Number(2) * (key + value) + value * h;
  if (!m.fixed_decay) {
    total += h * Number(2) * heads + (Number(2) * key + value) * Number(m.conv) + Number(2) * heads;
  }
  return total;
}

/// A (gated) MLP between `h` and `width`, biases on request.
template <class Number>
Number mlp(Number h, Number width, bool gated, bool bias) {
  const Number up = gated ? Number(2) : Number(1);
  return (up + Number(1)) * h * width + (bias ? up * width + h : Number(0));
}

}  // namespace parameters_detail

template <class Number>
Number mixer_parameters(const Mixer& m, std::int64_t hidden) {
  namespace formula = parameters_detail;
  const Number h = Number(hidden);
  Number total{};
  switch (m.kind) {
    case MixerKind::kNone: break;
    case MixerKind::kAttention:
    case MixerKind::kSharedKv: total = formula::attention<Number>(m, h) + formula::indexer<Number>(m, h); break;
    case MixerKind::kMla: total = formula::mla<Number>(m, h) + formula::indexer<Number>(m, h); break;
    case MixerKind::kMamba1: return formula::mamba1<Number>(m, h);
    case MixerKind::kMamba2: return formula::mamba2<Number>(m, h);
    case MixerKind::kGatedDelta: return formula::gated_delta<Number>(m, h);
  }
  if (m.inner > 0) total += formula::mamba2<Number>(m, h);
  return total;
}

template <class Number>
LayerParameters<Number> layer_parameters(const Mixer& mixer, const Channel& c, std::int64_t hidden) {
  namespace formula = parameters_detail;
  const Number h = Number(hidden);
  LayerParameters<Number> result;
  result.attention = mixer_parameters<Number>(mixer, hidden);
  if (c.kind == ChannelKind::kMlp) {
    result.mlp = formula::mlp<Number>(h, Number(c.width), c.gated, c.bias);
  } else if (c.kind == ChannelKind::kMoe) {
    const Number work = c.latent > 0 ? Number(c.latent) : h;
    const Number one = formula::mlp<Number>(work, Number(c.expert_width), c.gated, c.bias);
    result.experts = Number(c.experts) * one;
    result.active_experts = Number(c.top_k) * one;
    result.router = h * Number(c.experts) + (c.router_bias ? Number(c.experts) : Number(0));
    if (c.latent > 0) result.mlp += Number(2) * h * work;
    if (c.shared_width > 0) result.mlp += formula::mlp<Number>(h, Number(c.shared_width), c.gated, false);
    if (c.shared_gate) result.router += h;
    if (c.dense_residual_width > 0) {
      result.mlp += formula::mlp<Number>(h, Number(c.dense_residual_width), c.gated, false);
    }
  }
  return result;
}

/// Everything an encoder holds.
template <class Number>
Number encoder_parameters(const Encoder& encoder) {
  Number total = Number(encoder.other_parameters);
  for (const LayerRun& run : encoder.layers) {
    const auto one = layer_parameters<Number>(run.mixer, run.channel, encoder.hidden);
    total += Number(run.count) * (one.attention + one.mlp + one.experts + one.router + Number(run.norm_parameters) +
                                  Number(run.extra_parameters));
  }
  return total;
}

}  // namespace portolan::model
