// Trainable parameters of low-rank adapters.
#include "training/run.hpp"

namespace portolan::training {
namespace {

double d(std::int64_t x) { return static_cast<double>(x); }

/// Σ (in + out) over the projections of a Mamba-2 block.
double mamba2_sides(const model::Mixer& m, double h) {
  const double inner = d(m.inner);
  return (h + 2 * inner + 2 * d(m.groups) * d(m.state) + d(m.ssm_heads)) + (inner + h);
}

double mixer_sides(const model::Mixer& m, double h, LoraTargets targets) {
  using model::MixerKind;
  const bool all = targets == LoraTargets::kAllLinear;
  double sides = 0;
  if (m.cross_heads > 0) {
    const double q = h + d(m.cross_heads) * d(m.cross_head_dim),
                 kv = h + d(m.cross_kv_heads) * d(m.cross_head_dim);
    sides += all ? 2 * q + 2 * kv : q + kv;
  }
  switch (m.kind) {
    case MixerKind::kNone:
      return sides;
    case MixerKind::kAttention:
    case MixerKind::kSharedKv: {
      const double q =
          d(m.heads) * d(m.head_dim) + (m.output_gate ? d(m.heads) * d(m.v_head_dim) : 0);
      const bool own = m.kind == MixerKind::kAttention;
      const double key = own ? h + d(m.kv_heads) * d(m.head_dim) : 0;
      const double value = own && !m.shared_kv_projection ? h + d(m.kv_heads) * d(m.v_head_dim) : 0;
      sides += (m.q_rank > 0 ? d(m.q_rank) : h) + q + value;
      if (all)
        sides += (m.q_rank > 0 ? h + d(m.q_rank) : 0) + key + d(m.heads) * d(m.v_head_dim) + h;
      if (all && m.inner > 0) sides += mamba2_sides(m, h);
      return sides;
    }
    case MixerKind::kMla: {
      const double q_width = d(m.heads) * d(m.nope_dim + m.rope_dim),
                   kv_width = d(m.heads) * d(m.nope_dim + m.v_head_dim);
      const double q_up = m.q_rank > 0 ? d(m.q_rank) + q_width : h + q_width,
                   kv_up = d(m.kv_rank) + kv_width;
      sides += q_up + kv_up;
      if (all)
        sides += (m.q_rank > 0 ? h + d(m.q_rank) : 0) + h + d(m.kv_rank + m.rope_dim) +
                 d(m.heads) * d(m.v_head_dim) + h;
      return sides;
    }
    default:
      break;
  }
  if (!all) return sides;
  switch (m.kind) {
    case MixerKind::kMamba2:
      return sides + mamba2_sides(m, h);
    case MixerKind::kMamba1:
      return sides + (h + 2 * d(m.inner)) + (d(m.inner) + d(m.dt_rank + 2 * m.state)) +
             d(m.dt_rank + m.inner) + (d(m.inner) + h);
    case MixerKind::kShortConv:
      return sides + (h + 3 * d(m.inner)) + (d(m.inner) + h);
    case MixerKind::kLinear:
      return sides + 2 * h;
    case MixerKind::kGatedDelta: {
      const double key = d(m.key_heads) * d(m.key_dim), value = d(m.value_heads) * d(m.value_dim);
      return sides + (h + 2 * key + 2 * value) + (m.fixed_decay ? 0 : h + 2 * d(m.value_heads)) +
             (value + h);
    }
    default:
      return sides;
  }
}

double mlp_sides(double h, double width, bool gated) { return (gated ? 3 : 2) * (h + width); }

}  // namespace

double lora_parameters(const model::Architecture& architecture, std::int64_t rank,
                       LoraTargets targets) {
  const double h = d(architecture.hidden);
  double sides = 0;
  for (const model::LayerRun& run : architecture.layers) {
    double layer = mixer_sides(run.mixer, h, targets);
    if (targets == LoraTargets::kAllLinear) {
      const model::Channel& c = run.channel;
      if (c.kind == model::ChannelKind::kMlp) layer += mlp_sides(h, d(c.width), c.gated);
      if (c.shared_width > 0) layer += mlp_sides(h, d(c.shared_width), c.gated);
      if (c.dense_residual_width > 0) layer += mlp_sides(h, d(c.dense_residual_width), c.gated);
    }
    sides += d(run.count) * layer;
  }
  return d(rank) * sides;
}

}  // namespace portolan::training
