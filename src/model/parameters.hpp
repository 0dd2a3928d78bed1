// Parameter formulas of one layer, written once for exact integers and for doubles that cannot
// overflow.
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

/// Attention over `cross` heads of another sequence.
template <class Number>
Number cross_attention(const Mixer& m, Number h) {
  const Number d = Number(m.cross_head_dim), a = Number(m.cross_heads),
               k = Number(m.cross_kv_heads);
  Number total = Number(2) * h * d * (a + k);
  if (m.qkv_bias) total += d * (a + (m.key_bias ? Number(2) : Number(1)) * k);
  if (m.out_bias) total += h;
  return total;
}

template <class Number>
Number attention(const Mixer& m, Number h) {
  const Number a = Number(m.heads), k = Number(m.kv_heads), d = Number(m.head_dim),
               dv = Number(m.v_head_dim);
  const bool own = m.kind == MixerKind::kAttention;
  const Number q = a * d, key = own ? k * d : Number(0),
               value = own && !m.shared_kv_projection ? k * dv : Number(0);
  Number total = h * (key + value);
  total += m.q_rank > 0 ? h * Number(m.q_rank) + Number(m.q_rank) * q : h * q;
  // DeepSeek-V4 §2.3.1: each of out_groups groups of heads goes to out_rank, all of them together
  // to the hidden width.
  total += m.out_rank > 0
               ? a * dv * Number(m.out_rank) + Number(m.out_groups) * Number(m.out_rank) * h
               : a * dv * h;
  // Its compressor: keys and gates, two overlapping series of both where an indexer chooses among
  // the entries.
  if (m.compress > 0) total += h * d * Number(m.index_heads > 0 ? 4 : 2);
  if (m.output_gate) total += h * a * dv;
  if (m.qkv_bias) total += q + (m.key_bias ? key : Number(0)) + value;
  if (m.out_bias) total += h;
  if (m.sinks) total += a;
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

/// The indexer of sparse attention: queries from the q latent (or the hidden state), one key per
/// token, one weight per head.
template <class Number>
Number indexer(const Mixer& m, Number h) {
  if (m.index_heads == 0) return Number(0);
  const Number heads = Number(m.index_heads), dim = Number(m.index_dim);
  const Number from = m.q_rank > 0 ? Number(m.q_rank) : h;
  // MiniMax-M3 (blocks) scores with the queries alone; DeepSeek's indexer weighs the heads. Over
  // compressed entries (DeepSeek-V4) two overlapping series of keys and their gates are computed.
  const Number keys = m.compress > 0 ? Number(4) * h * dim : h * dim;
  return from * heads * dim + keys + (m.index_block > 0 ? Number(0) : h * heads);
}

/// Dao & Gu 2024: in-projection to (z, x, B, C, dt), depthwise convolution over (x, B, C) with
/// bias, A, D and dt bias per head.
template <class Number>
Number mamba2(const Mixer& m, Number h) {
  const Number inner = Number(m.inner), heads = Number(m.ssm_heads);
  const Number channels = inner + Number(2) * Number(m.groups) * Number(m.state);
  return h * (inner + channels + heads) + channels * (Number(m.conv) + Number(1)) +
         Number(3) * heads + inner * h;
}

/// Gu & Dao 2023.
template <class Number>
Number mamba1(const Mixer& m, Number h) {
  const Number inner = Number(m.inner), state = Number(m.state), rank = Number(m.dt_rank);
  return h * Number(2) * inner + inner * (Number(m.conv) + Number(1)) +
         inner * (rank + Number(2) * state) + rank * inner + inner + inner * state + inner +
         inner * h;
}

template <class Number>
Number gated_delta(const Mixer& m, Number h) {
  const Number key = Number(m.key_heads) * Number(m.key_dim),
               value = Number(m.value_heads) * Number(m.value_dim);
  const Number heads = Number(m.value_heads), taps = (Number(2) * key + value) * Number(m.conv);
  if (m.fixed_decay) return h * Number(2) * (key + value) + value * h;
  if (m.gate_rank > 0) {
    // Kimi Linear: decay per channel and output gate, each through gate_rank; beta per head; A per
    // head, dt bias per channel.
    const Number rank = Number(m.gate_rank);
    return h * (Number(2) * key + value) + taps + Number(2) * h * rank + rank * (key + value) +
           h * heads + key + heads + value * h;
  }
  return h * Number(2) * (key + value) + h * Number(2) * heads + taps + Number(2) * heads +
         value * h;
}

/// LFM2: input gate, output gate and signal, a depthwise convolution, the way back.
template <class Number>
Number short_convolution(const Mixer& m, Number h) {
  const Number inner = Number(m.inner);
  return h * Number(3) * inner + inner * Number(m.conv) + inner * h;
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
  if (m.cross_heads > 0) total += formula::cross_attention<Number>(m, h);
  switch (m.kind) {
    case MixerKind::kNone:
      return total;
    case MixerKind::kAttention:
    case MixerKind::kSharedKv:
      total += formula::attention<Number>(m, h) + formula::indexer<Number>(m, h);
      if (m.inner > 0) total += formula::mamba2<Number>(m, h);
      return total;
    case MixerKind::kMla:
      return total + formula::mla<Number>(m, h) + formula::indexer<Number>(m, h);
    case MixerKind::kMamba1:
      return total + formula::mamba1<Number>(m, h);
    case MixerKind::kMamba2:
      return total + formula::mamba2<Number>(m, h);
    case MixerKind::kGatedDelta:
      return total + formula::gated_delta<Number>(m, h);
    case MixerKind::kShortConv:
      return total + formula::short_convolution<Number>(m, h);
    case MixerKind::kLinear:
      return total + h * h;
  }
  return total;
}

template <class Number>
LayerParameters<Number> layer_parameters(const Mixer& mixer, const Channel& c,
                                         std::int64_t hidden) {
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
    if (c.shared_width > 0)
      result.mlp += formula::mlp<Number>(h, Number(c.shared_width), c.gated, false);
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
    total += Number(run.count) * (one.attention + one.mlp + one.experts + one.router +
                                  Number(run.norm_parameters) + Number(run.extra_parameters));
  }
  return total;
}

}  // namespace portolan::model
