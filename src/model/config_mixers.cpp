// Shapes of the mixing half of a layer: attention in its forms, latent attention, recurrences.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "model/config_layers.hpp"

namespace portolan::model {
namespace {

/// A dimension that has no default.
std::int64_t need(ConfigReader& config, std::string_view key) {
  if (const auto value = config.dimension({key})) return *value;
  if (!config.has(key)) config.problem(key, fmt::format("missing key \"{}\"", key));
  return 0;
}

std::int64_t kv_head_count(ConfigReader& config, std::int64_t heads) {
  // Lists, one entry per layer, are put in by read_layers.
  if (config.value_is_list("num_key_value_heads") || config.value_is_list("num_kv_heads"))
    return heads;
  // Falcon: the old decoder shares one KV head and ignores num_kv_heads.
  if (config.flag({"multi_query"}).value_or(false) &&
      !config.flag({"new_decoder_architecture"}).value_or(false))
    return 1;
  if (config.has("new_decoder_architecture") &&
      !config.flag({"new_decoder_architecture"}).value_or(false))
    return heads;
  if (config.flag({"multi_query_attention"}).value_or(false)) {
    return config.dimension({"multi_query_group_num"}).value_or(1);
  }
  return config
      .dimension({"num_key_value_heads", "num_kv_heads", "n_head_kv", "num_attention_groups",
                  "attn_config.kv_n_heads"})
      .value_or(heads);
}

void read_biases(ConfigReader& config, const Traits& traits, Mixer& mixer) {
  mixer.qkv_bias = traits.qkv_bias;
  mixer.out_bias = traits.out_bias;
  if (const auto all =
          traits.all_bias_key.empty() ? std::nullopt : config.flag({traits.all_bias_key})) {
    mixer.qkv_bias = mixer.out_bias = *all;
  }
  if (!traits.attention_bias_key.empty()) {
    // ChatGLM and StableLM bias queries, keys and values; InternLM's `bias` covers the output, too.
    mixer.qkv_bias = config.flag({traits.attention_bias_key}).value_or(false);
    mixer.out_bias = traits.attention_bias_key == "bias" && mixer.qkv_bias;
  }
  if (const auto bias = config.flag({"attention_bias"}); bias && !traits.qkv_bias) {
    mixer.qkv_bias = *bias;
    mixer.out_bias = *bias && traits.attention_bias_covers_out;
  }
  if (const auto out = config.flag({"attention_out_bias"})) mixer.out_bias = *out;
  if (const auto qkv = config.flag({"qkv_bias"})) mixer.qkv_bias = *qkv;
}

Mixer attention(ConfigReader& config, const TextModel& model) {
  const Traits& traits = model.traits;
  Mixer mixer{.kind = MixerKind::kAttention};
  mixer.causal = !traits.encoder_only;
  const auto heads =
      config.value_is_list("num_query_heads")
          ? std::optional<std::int64_t>(1)
          : config.dimension({"num_attention_heads", "n_head", "n_heads", "num_heads"});
  if (!heads) {
    if (!config.has("num_attention_heads")) {
      config.problem("num_attention_heads", "missing key \"num_attention_heads\"");
    }
    return mixer;
  }
  mixer.heads = *heads;
  mixer.kv_heads = config.has("block_configs") ? *heads : kv_head_count(config, *heads);
  if (mixer.kv_heads > mixer.heads) {
    config.problem("num_key_value_heads",
                   fmt::format("{} KV heads are more than the {} attention heads", mixer.kv_heads,
                               mixer.heads));
  }
  mixer.head_dim = config.dimension({"head_dim", "attention_head_dim", "kv_channels"})
                       .value_or(std::max<std::int64_t>(1, model.hidden / *heads));
  mixer.v_head_dim = config.dimension({"v_head_dim"}).value_or(mixer.head_dim);
  read_biases(config, traits, mixer);
  mixer.qk_norm = traits.qk_norm != QkNorm::kNone;
  if (!traits.qk_norm_key.empty()) {
    mixer.qk_norm = config.flag({traits.qk_norm_key}).value_or(traits.qk_norm_default);
  }
  mixer.sinks = config.flag({"add_full_attention_sink_bias"}).value_or(traits.sinks);
  mixer.output_gate =
      config.flag({"attn_output_gate", "attention_output_gate"}).value_or(traits.output_gate);
  mixer.q_rank = config.integer({"share_q_dim"}, 0, kWidest)
                     .value_or(0);  // Step3: queries through one shared matrix
  return mixer;
}

std::int64_t window_of(ConfigReader& config) {
  return config
      .integer({"sliding_window", "sliding_window_size", "window_size", "local_attention",
                "attention_window_size"},
               0, kLongestContext)
      .value_or(0);
}

/// Sliding layers may have shapes of their own (MiMo-V2, Step-3.5).
Mixer window_attention(ConfigReader& config, const TextModel& model) {
  Mixer mixer = attention(config, model);
  mixer.window = window_of(config);
  if (model.traits.head_gate && !config.has("num_sliding_attention_heads") &&
      !config.has("attention_other_setting")) {
    model.notes.emplace_back(
        "the config states no heads for sliding layers: they count as many as the full ones");
  }
  mixer.heads = config
                    .dimension({"swa_num_attention_heads", "num_sliding_attention_heads",
                                "attention_other_setting.num_attention_heads"})
                    .value_or(mixer.heads);
  mixer.kv_heads =
      config.dimension({"swa_num_key_value_heads", "attention_other_setting.num_attention_groups"})
          .value_or(mixer.kv_heads);
  mixer.head_dim = config.dimension({"swa_head_dim"}).value_or(mixer.head_dim);
  mixer.v_head_dim = config.dimension({"swa_v_head_dim"}).value_or(mixer.v_head_dim);
  mixer.sinks = config.flag({"add_swa_attention_sink_bias"}).value_or(mixer.sinks);
  return mixer;
}

/// Full layers of Gemma 4 have wider heads, fewer KV heads and one projection for keys and values.
Mixer full_attention(ConfigReader& config, const TextModel& model) {
  Mixer mixer = attention(config, model);
  if (const auto wide = config.dimension({"global_head_dim"}))
    mixer.head_dim = mixer.v_head_dim = *wide;
  if (config.flag({"attention_k_eq_v"}).value_or(false)) {
    mixer.shared_kv_projection = true;
    mixer.kv_heads = config.dimension({"num_global_key_value_heads"}).value_or(mixer.kv_heads);
  }
  return mixer;
}

Mixer latent_attention(ConfigReader& config) {
  Mixer mixer{.kind = MixerKind::kMla};
  mixer.heads = need(config, "num_attention_heads");
  mixer.kv_heads = 1;
  mixer.kv_rank = need(config, "kv_lora_rank");
  mixer.q_rank = config.integer({"q_lora_rank"}, 0, kWidest).value_or(0);
  mixer.nope_dim = need(config, "qk_nope_head_dim");
  mixer.rope_dim = need(config, "qk_rope_head_dim");
  mixer.v_head_dim = need(config, "v_head_dim");
  mixer.head_dim = mixer.nope_dim + mixer.rope_dim;
  mixer.qkv_bias = mixer.out_bias = config.flag({"attention_bias"}).value_or(false);
  mixer.index_heads = config.integer({"index_n_heads"}, 0, kWidest).value_or(0);
  mixer.index_dim = config.integer({"index_head_dim"}, 0, kWidest).value_or(0);
  mixer.index_top = config.integer({"index_topk"}, 0, kLongestContext).value_or(0);
  return mixer;
}

/// MiniMax-M3: attention over the best blocks of the cache, chosen by an indexer of its own.
Mixer block_sparse_attention(ConfigReader& config, const TextModel& model) {
  Mixer mixer = attention(config, model);
  mixer.index_heads =
      config.dimension({"sparse_attention_config.sparse_num_index_heads", "index_n_heads"})
          .value_or(0);
  mixer.index_dim =
      config.dimension({"sparse_attention_config.sparse_index_dim", "index_head_dim"}).value_or(0);
  mixer.index_block =
      config.dimension({"sparse_attention_config.sparse_block_size", "index_block_size"})
          .value_or(1);
  const std::int64_t blocks =
      config
          .integer({"sparse_attention_config.sparse_topk_blocks", "index_topk_blocks"}, 0, kWidest)
          .value_or(0);
  mixer.index_top = blocks * mixer.index_block;
  return mixer;
}

/// DeepSeek-V4 §2.3: one shared key-value vector per token, a window, and compressed entries of
/// everything before.
Mixer compressed_attention(ConfigReader& config, LayerKind kind) {
  Mixer mixer{.kind = MixerKind::kAttention};
  mixer.heads = need(config, "num_attention_heads");
  mixer.kv_heads = 1;
  mixer.head_dim = mixer.v_head_dim = need(config, "head_dim");
  mixer.q_rank = need(config, "q_lora_rank");
  mixer.out_rank = need(config, "o_lora_rank");
  mixer.out_groups = need(config, "o_groups");
  mixer.window = window_of(config);
  mixer.shared_kv_projection = mixer.sinks = true;
  if (kind == LayerKind::kCompressedHeavy) {
    mixer.compress =
        config.dimension({"compress_rates.heavily_compressed_attention"}).value_or(128);
  } else if (kind == LayerKind::kCompressedSparse) {
    mixer.compress = config.dimension({"compress_rates.compressed_sparse_attention"}).value_or(4);
    mixer.index_heads = need(config, "index_n_heads");
    mixer.index_dim = need(config, "index_head_dim");
    mixer.index_top = config.integer({"index_topk"}, 0, kLongestContext).value_or(0);
  }
  return mixer;
}

void fill_mamba2(ConfigReader& config, const TextModel& model, Mixer& mixer) {
  mixer.ssm_heads =
      config.dimension({"mamba_num_heads", "mamba_n_heads", "n_mamba_heads", "num_heads"})
          .value_or(0);
  mixer.ssm_head_dim =
      config.value_is_text("mamba_d_head")  // "auto"
          ? 0
          : config.dimension({"mamba_head_dim", "mamba_d_head", "head_dim"}).value_or(0);
  const std::int64_t expand = config.integer({"mamba_expand", "expand"}, 1, 1024).value_or(2);
  mixer.inner = config.dimension({"mamba_d_ssm"}).value_or(0);
  if (mixer.inner == 0) {
    mixer.inner = mixer.ssm_heads > 0 && mixer.ssm_head_dim > 0
                      ? mixer.ssm_heads * mixer.ssm_head_dim
                      : expand * model.hidden;
  }
  if (mixer.ssm_heads == 0) mixer.ssm_heads = std::max<std::int64_t>(1, mixer.inner / 64);
  mixer.ssm_head_dim = std::max<std::int64_t>(1, mixer.inner / mixer.ssm_heads);
  mixer.state = config.dimension({"mamba_d_state", "ssm_state_size", "state_size"}).value_or(128);
  mixer.groups = config.dimension({"mamba_n_groups", "n_groups", "mamba_ngroups"}).value_or(1);
  mixer.conv = config.dimension({"mamba_d_conv", "conv_kernel"}).value_or(4);
  mixer.chunk = config.dimension({"mamba_chunk_size", "chunk_size"}).value_or(256);
}

Mixer mamba(ConfigReader& config, const TextModel& model) {
  if (model.traits.mamba == 2) {
    Mixer mixer{.kind = MixerKind::kMamba2};
    fill_mamba2(config, model, mixer);
    return mixer;
  }
  Mixer mixer{.kind = MixerKind::kMamba1};
  mixer.inner = config.integer({"mamba_expand", "expand"}, 1, 1024).value_or(2) * model.hidden;
  if (const auto width = config.dimension({"intermediate_size"}); width && model.traits.single_half)
    mixer.inner = *width;
  mixer.state = config.dimension({"mamba_d_state", "state_size"}).value_or(16);
  mixer.conv = config.dimension({"mamba_d_conv", "conv_kernel"}).value_or(4);
  const std::int64_t automatic = (model.hidden + 15) / 16;
  mixer.dt_rank =
      config.value_is_text("mamba_dt_rank") || config.value_is_text("time_step_rank")  // "auto"
          ? automatic
          : config.dimension({"mamba_dt_rank", "time_step_rank"}).value_or(automatic);
  return mixer;
}

Mixer linear_attention(ConfigReader& config, const TextModel& model) {
  Mixer mixer{.kind = MixerKind::kGatedDelta};
  switch (model.traits.linear) {
    case LinearKind::kGatedDelta:
      mixer.key_heads = need(config, "linear_num_key_heads");
      mixer.value_heads = need(config, "linear_num_value_heads");
      mixer.key_dim = need(config, "linear_key_head_dim");
      mixer.value_dim = need(config, "linear_value_head_dim");
      mixer.conv = config.dimension({"linear_conv_kernel_dim"}).value_or(4);
      return mixer;
    case LinearKind::kLightning: {
      const Mixer shape = attention(config, model);
      mixer.key_heads = mixer.value_heads = shape.heads;
      mixer.key_dim = mixer.value_dim = shape.head_dim;
      mixer.fixed_decay = true;
      mixer.chunk = config.dimension({"block_size"}).value_or(256);
      return mixer;
    }
    case LinearKind::kKimiDelta:
      mixer.key_heads = mixer.value_heads =
          config.dimension({"linear_attn_config.num_heads", "linear_num_heads"}).value_or(32);
      mixer.key_dim = mixer.value_dim =
          config.dimension({"linear_attn_config.head_dim", "linear_head_dim"}).value_or(128);
      mixer.conv =
          config.dimension({"linear_attn_config.short_conv_kernel_size", "linear_conv_kernel_dim"})
              .value_or(4);
      mixer.gate_rank = mixer.key_dim;
      return mixer;
  }
  return mixer;
}

Mixer cross_attention(ConfigReader& config, const TextModel& model) {
  const Mixer shape = attention(config, model);
  Mixer mixer;
  mixer.cross_heads = shape.heads;
  mixer.cross_kv_heads = shape.kv_heads;
  mixer.cross_head_dim = shape.head_dim;
  return mixer;
}

}  // namespace

Mixer mixer_shape(ConfigReader& config, const TextModel& model, LayerKind kind) {
  const bool latent = config.has("kv_lora_rank");
  switch (kind) {
    case LayerKind::kFull: {
      if (latent) return latent_attention(config);
      if (config.has("o_lora_rank")) return compressed_attention(config, kind);
      Mixer mixer = full_attention(config, model);
      if (model.traits.parallel_mamba) fill_mamba2(config, model, mixer);
      return mixer;
    }
    case LayerKind::kWindow:
      return config.has("o_lora_rank") ? compressed_attention(config, kind)
                                       : window_attention(config, model);
    case LayerKind::kChunk: {
      Mixer mixer = attention(config, model);
      mixer.window = config.integer({"attention_chunk_size"}, 0, kLongestContext).value_or(0);
      mixer.chunked_window = mixer.window > 0;
      return mixer;
    }
    case LayerKind::kSparse:
      return latent ? latent_attention(config) : block_sparse_attention(config, model);
    case LayerKind::kCompressedSparse:
    case LayerKind::kCompressedHeavy:
      return compressed_attention(config, kind);
    case LayerKind::kLinear:
      return linear_attention(config, model);
    case LayerKind::kMamba:
      return mamba(config, model);
    case LayerKind::kConv: {
      Mixer mixer{.kind = MixerKind::kShortConv};
      mixer.inner = model.hidden;
      mixer.conv = config.dimension({"conv_L_cache"}).value_or(3);
      return mixer;
    }
    case LayerKind::kCross:
      return cross_attention(config, model);
    case LayerKind::kMlpOnly:
    case LayerKind::kMoeOnly:
      return {};
  }
  return {};
}

std::int64_t mixer_norms(const Mixer& mixer, const Traits& traits) {
  const std::int64_t query_latent = mixer.q_rank;
  switch (mixer.kind) {
    case MixerKind::kNone:
      return mixer.cross_heads > 0 ? 2 * mixer.cross_head_dim : 0;
    case MixerKind::kMla:
      // The index keys pass a LayerNorm with bias.
      return query_latent + mixer.kv_rank + (mixer.index_heads > 0 ? 2 * mixer.index_dim : 0);
    case MixerKind::kMamba1:
      return traits.state_norms ? mixer.dt_rank + 2 * mixer.state : 0;
    case MixerKind::kMamba2:
      return mixer.inner;
    case MixerKind::kGatedDelta:
      return mixer.fixed_decay ? mixer.value_heads * mixer.value_dim : mixer.value_dim;
    case MixerKind::kShortConv:
    case MixerKind::kLinear:
      return 0;
    case MixerKind::kAttention:
    case MixerKind::kSharedKv:
      break;
  }
  if (mixer.out_rank > 0) {  // DeepSeek-V4: latent of the queries, key-value vector, compressed
                             // entries, index entries
    return query_latent + mixer.head_dim * (mixer.compress > 0 ? 2 : 1) +
           (mixer.index_heads > 0 ? mixer.index_dim : 0);
  }
  std::int64_t norms = query_latent + (mixer.index_heads > 0 ? 2 * mixer.index_dim : 0);
  if (!mixer.qk_norm) return norms;
  const bool keys = mixer.kind == MixerKind::kAttention;
  if (traits.qk_norm == QkNorm::kHeadDim) norms += (keys ? 2 : 1) * mixer.head_dim;
  if (traits.qk_norm == QkNorm::kWidth)
    norms += (mixer.heads + (keys ? mixer.kv_heads : 0)) * mixer.head_dim;
  return norms;
}

}  // namespace portolan::model
