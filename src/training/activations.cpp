#include "training/activations.hpp"

#include <algorithm>

namespace portolan::training {
namespace {

double d(std::int64_t x) { return static_cast<double>(x); }

/// Bytes per token before sharding. `split` is divided by tp; `whole` only with sequence
/// parallelism.
struct Parts {
  double whole = 0, split = 0;
  double recomputable_whole = 0, recomputable_split = 0;  // what selective recompute drops
  double products = 0, cores = 0;  // split; outputs of products and of attention cores
  double gradients = 0;            // split; transient while the half runs backward
};

void add_mamba2(const model::Mixer& m, Parts& parts) {
  const double inner = d(m.inner), state = d(m.state), channels = inner + 2 * d(m.groups) * state;
  const double chunk = m.chunk > 0 ? d(m.chunk) : 256;
  const double projected = 2 * (inner + channels + d(m.ssm_heads));
  parts.split += projected + 2 * channels + 4 * inner +
                 4 * inner * state / chunk;  // in, conv, scan and norm outputs, fp32 chunk states
  parts.recomputable_split += 2 * channels + 2 * inner;
  parts.gradients += projected;
}

void add_mixer(const model::Mixer& m, const ActivationCase& how, Parts& parts) {
  using model::MixerKind;
  if (m.cross_heads > 0)
    parts.split += 4 * d(m.cross_heads) * d(m.cross_head_dim) + 4 * d(m.cross_heads);
  switch (m.kind) {
    case MixerKind::kNone:
      return;
    case MixerKind::kAttention:
    case MixerKind::kSharedKv: {
      const double q = d(m.heads) * d(m.head_dim), out = d(m.heads) * d(m.v_head_dim);
      const double kv =
          m.kind == MixerKind::kSharedKv ? 0 : d(m.kv_heads) * (d(m.head_dim) + d(m.v_head_dim));
      parts.split += 2 * q + 2 * kv + 2 * out + (m.output_gate ? 4 * out : 0);
      if (how.flash_attention) {
        parts.split += 4 * d(m.heads);  // log-sum-exp
      } else {
        const double seen = m.window > 0 ? std::min(how.sequence, d(m.window)) : how.sequence;
        const double scores =
            (how.dropout ? 5 : 2) * d(m.heads) * seen;  // softmax 2, dropped copy 2, mask 1
        parts.split += scores;
        parts.recomputable_split += scores;
      }
      parts.gradients += 2 * (q + kv + out);
      parts.products += 2 * (q + kv);
      parts.cores += 2 * out + 4 * d(m.heads);
      if (m.inner > 0) add_mamba2(m, parts);
      return;
    }
    case MixerKind::kMla: {
      const double q = d(m.heads) * d(m.nope_dim + m.rope_dim), out = d(m.heads) * d(m.v_head_dim);
      parts.whole += 2 * (d(m.q_rank) + d(m.kv_rank) + d(m.rope_dim));
      parts.split += 4 * q + 4 * out + 4 * d(m.heads);
      parts.recomputable_split +=
          (m.q_rank > 0 ? 4 : 2) * q + 2 * out;  // what the latents expand to
      parts.gradients += 2 * (2 * q + 2 * out);
      parts.products += 2 * (q + q + out);
      parts.cores += 2 * out + 4 * d(m.heads);
      return;
    }
    case MixerKind::kMamba2:
      add_mamba2(m, parts);
      return;
    case MixerKind::kMamba1: {
      const double inner = d(m.inner);
      parts.split += 4 * inner + 2 * inner + 2 * (d(m.dt_rank) + 2 * d(m.state)) + 6 * inner;
      parts.recomputable_split += 4 * inner;
      parts.gradients += 4 * inner;
      return;
    }
    case MixerKind::kGatedDelta: {
      const double key = d(m.key_heads) * d(m.key_dim), value = d(m.value_heads) * d(m.value_dim);
      const double chunk = m.chunk > 0 ? d(m.chunk) : 64;
      const double projected =
          2 * (2 * key + 2 * value + (m.fixed_decay ? 0 : 2 * d(m.value_heads)));
      const double convolved = m.conv > 0 ? 2 * (2 * key + value) : 0;
      parts.split += projected + convolved + 4 * value +
                     2 * d(m.value_heads) * d(m.key_dim) * d(m.value_dim) / chunk;
      parts.recomputable_split += convolved + 2 * value;
      parts.gradients += projected;
      return;
    }
    case MixerKind::kShortConv:  // three projections, their gated product, the convolution
      parts.split += 6 * d(m.inner) + 4 * d(m.inner);
      parts.recomputable_split += 4 * d(m.inner);
      parts.gradients += 6 * d(m.inner);
      return;
    case MixerKind::kLinear:
      return;  // its input is the norm's output
  }
}

/// up output 2 per column (two columns gated), product 2.
void add_mlp(double width, bool gated, bool fp8, Parts& parts) {
  const double product = fp8 ? width : 2 * width;
  parts.split += (gated ? 4 : 2) * width + product;
  parts.recomputable_split += product;
  parts.gradients += (gated ? 6 : 4) * width;
  parts.products += (gated ? 4 : 2) * width;
}

void add_channel(const model::Channel& c, std::int64_t hidden, const ActivationCase& how,
                 Parts& parts) {
  using model::ChannelKind;
  if (c.kind == ChannelKind::kMlp) return add_mlp(d(c.width), c.gated, how.fp8, parts);
  if (c.kind != ChannelKind::kMoe) return;
  Parts routed;
  add_mlp(d(c.top_k) * d(c.expert_width), c.gated, how.fp8, routed);
  const double exchanged =
      4 * d(c.top_k) * d(c.latent > 0 ? c.latent : hidden);  // permuted inputs and outputs
  parts.split += (routed.split + exchanged) * how.expert_imbalance + 4 * d(c.experts);
  parts.recomputable_split += routed.recomputable_split * how.expert_imbalance;
  parts.gradients += (routed.gradients + exchanged) * how.expert_imbalance;
  parts.products += (routed.products + exchanged / 2) * how.expert_imbalance;
  if (c.shared_width > 0) add_mlp(d(c.shared_width), c.gated, how.fp8, parts);
  if (c.dense_residual_width > 0) add_mlp(d(c.dense_residual_width), c.gated, how.fp8, parts);
}

}  // namespace

LayerActivations layer_activations(const model::Mixer& mixer, const model::Channel& channel,
                                   std::int64_t hidden, const ActivationCase& how) {
  const double h = d(hidden);
  Parts attention, feed_forward;
  add_mixer(mixer, how, attention);
  add_channel(channel, hidden, how, feed_forward);
  const double halves = (mixer.kind != model::MixerKind::kNone ? 1 : 0) +
                        (channel.kind != model::ChannelKind::kNone ? 1 : 0);
  Parts all;
  const double norm_out = how.fp8 ? h : 2 * h;
  all.whole =
      attention.whole + feed_forward.whole + halves * (2 * h + norm_out + (how.dropout ? h : 0));
  all.split = attention.split + feed_forward.split;
  all.recomputable_split = attention.recomputable_split + feed_forward.recomputable_split;
  if (how.flash_attention) {
    all.recomputable_whole = halves * norm_out;
  } else {
    all.recomputable_split =
        attention.recomputable_split;  // the attention core alone, as in arXiv 2205.05198
  }

  const double tp = how.tp, whole = how.sequence_parallel ? tp : 1;
  LayerActivations result;
  result.kept[0] = all.whole / whole + all.split / tp;
  result.kept[1] =
      (all.whole - all.recomputable_whole) / whole + (all.split - all.recomputable_split) / tp;
  if (how.by_operator) {
    // The layer's input, attention, and every second product; the outputs of the halves are wide.
    const double products = attention.products + feed_forward.products;
    result.kept[1] =
        (2 * h + halves * h) / whole + (attention.cores + feed_forward.cores + products / 2) / tp;
  }
  result.kept[2] = 2 * h / whole;
  result.working = 4 * h / whole + std::max(attention.gradients, feed_forward.gradients) / tp;
  return result;
}

double microbatches_in_flight(double microbatches, int stage, int pp, int virtual_stages) {
  if (virtual_stages <= 1 || pp <= 1)
    return std::min(microbatches, static_cast<double>(pp - stage));
  // Warm-up of stage i is 2(p − i − 1) + (v − 1)p chunks, one more is in work, each 1/v of the
  // stage (arXiv 2104.04473 §2.2).
  return std::min(microbatches, pp + (pp - 1.0 - 2.0 * stage) / virtual_stages);
}

}  // namespace portolan::training
