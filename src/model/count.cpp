#include "model/count.hpp"

#include <algorithm>
#include <cmath>

#include "model/parameters.hpp"

namespace portolan::model {
namespace {

/// Cached elements of one layer: a part that stops growing at `window` tokens (0 = never) and one
/// entry per `stride` tokens.
double cached_elements(const Mixer& m, double tokens) {
  switch (m.kind) {
    case MixerKind::kAttention: {
      const double seen = m.window > 0 ? std::min(tokens, static_cast<double>(m.window)) : tokens;
      const auto width =
          static_cast<double>(m.kv_heads) * static_cast<double>(m.head_dim + m.v_head_dim);
      if (m.out_rank == 0) return width * seen;
      // DeepSeek-V4 caches one vector of head_dim as key and value: the window, and one entry per
      // `compress` tokens.
      const double entries =
          m.compress > 0 ? std::floor(tokens / static_cast<double>(m.compress)) : 0.0;
      return static_cast<double>(m.head_dim) * (seen + entries);
    }
    case MixerKind::kMla:
      return static_cast<double>(m.kv_rank + m.rope_dim) * tokens;
    default:
      return 0.0;
  }
}

}  // namespace

std::int64_t Architecture::layer_count() const {
  std::int64_t count = 0;
  for (const LayerRun& run : layers) count += run.count;
  return count;
}

double Model::parameters_for_rule() const {
  if (rule_parameters) return *rule_parameters;
  if (published_parameters) return *published_parameters;
  return static_cast<double>(count_parameters(architecture).total);
}

ParameterCount count_parameters(const Architecture& architecture) {
  ParameterCount count;
  for (const LayerRun& run : architecture.layers) {
    const auto one = layer_parameters<std::int64_t>(run.mixer, run.channel, architecture.hidden);
    count.attention += run.count * one.attention;
    count.mlp += run.count * one.mlp;
    count.experts += run.count * one.experts;
    count.router += run.count * one.router;
    count.norms += run.count * run.norm_parameters;
    count.other += run.count * run.extra_parameters;
    count.active += run.count * one.active_experts;
  }
  for (const LayerRun& run : architecture.mtp_layers) {
    const auto one = layer_parameters<std::int64_t>(run.mixer, run.channel, architecture.hidden);
    count.mtp += run.count * (one.attention + one.mlp + one.experts + one.router +
                              run.norm_parameters + run.extra_parameters);
  }
  count.mtp += architecture.mtp_other_parameters;
  count.embedding = architecture.embedding_parameters;
  count.head = architecture.head_parameters;
  count.norms += architecture.final_norm_parameters;
  count.other += architecture.other_parameters;
  for (const Encoder& encoder : architecture.encoders)
    count.encoders += encoder_parameters<std::int64_t>(encoder);
  const std::int64_t dense = count.embedding + count.head + count.attention + count.mlp +
                             count.router + count.norms + count.other;
  count.total = dense + count.experts + count.encoders;
  count.active += dense;
  return count;
}

Bytes kv_bytes(const Architecture& architecture, double tokens, double bytes_per_element) {
  if (!architecture.causal) return Bytes(0.0);
  double elements = 0;
  for (const LayerRun& run : architecture.layers) {
    elements += static_cast<double>(run.count) * cached_elements(run.mixer, tokens);
  }
  return Bytes(elements * bytes_per_element);
}

Bytes kv_bytes_per_token(const Architecture& architecture, double bytes_per_element) {
  return kv_bytes(architecture, 1.0, bytes_per_element);
}

Bytes state_bytes(const Architecture& architecture, double bytes_per_element) {
  double bytes = 0;
  for (const LayerRun& run : architecture.layers) {
    const Mixer& m = run.mixer;
    double state = 0, convolution = 0;
    if (m.kind == MixerKind::kGatedDelta) {
      state = static_cast<double>(m.value_heads) * static_cast<double>(m.key_dim) *
              static_cast<double>(m.value_dim);
      if (m.conv > 1) {
        convolution = static_cast<double>(m.conv - 1) *
                      (2.0 * static_cast<double>(m.key_heads) * static_cast<double>(m.key_dim) +
                       static_cast<double>(m.value_heads) * static_cast<double>(m.value_dim));
      }
    } else if (m.kind == MixerKind::kShortConv) {
      convolution = static_cast<double>(m.conv - 1) * static_cast<double>(m.inner);
    } else if (m.inner > 0) {
      state = static_cast<double>(m.inner) * static_cast<double>(m.state);
      const double groups = m.kind == MixerKind::kMamba1 ? 0.0 : static_cast<double>(m.groups);
      if (m.conv > 1) {
        convolution = static_cast<double>(m.conv - 1) *
                      (static_cast<double>(m.inner) + 2.0 * groups * static_cast<double>(m.state));
      }
    }
    // The recurrent state is kept in fp32 by the kernels of every hybrid model (mamba_ssm_dtype
    // float32).
    bytes += static_cast<double>(run.count) * (state * 4.0 + convolution * bytes_per_element);
  }
  return Bytes(bytes);
}

Bytes cross_kv_bytes_per_source_token(const Architecture& architecture, double bytes_per_element) {
  double elements = 0;
  for (const LayerRun& run : architecture.layers) {
    elements += static_cast<double>(run.count) * 2.0 *
                static_cast<double>(run.mixer.cross_kv_heads) *
                static_cast<double>(run.mixer.cross_head_dim);
  }
  return Bytes(elements * bytes_per_element);
}

Bytes index_bytes(const Architecture& architecture, double tokens) {
  double bytes = 0;
  for (const LayerRun& run : architecture.layers) {
    const Mixer& m = run.mixer;
    if (m.index_heads == 0) continue;
    const double entries =
        m.compress > 0 ? std::floor(tokens / static_cast<double>(m.compress)) : tokens;
    bytes += static_cast<double>(run.count) * entries * (static_cast<double>(m.index_dim) + 4.0);
  }
  return Bytes(bytes);
}

TokenCapacity max_tokens(const Architecture& architecture, Bytes budget, double bytes_per_element) {
  // kv_bytes is monotone in tokens, so the largest count that fits is found by halving; 2^50 tokens
  // keep doubles exact.
  constexpr std::int64_t kMost = std::int64_t{1} << 50;
  const auto fits = [&](std::int64_t tokens) {
    return kv_bytes(architecture, static_cast<double>(tokens), bytes_per_element) <= budget;
  };
  if (fits(kMost)) return {.tokens = kMost, .unbounded = true};
  if (!fits(0)) return {};
  std::int64_t low = 0, high = kMost;  // low fits, high does not
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return {.tokens = low, .unbounded = false};
}

}  // namespace portolan::model
