#include "model/config_layers.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace portolan::model {
namespace {

struct Word {
  std::string_view text;
  LayerKind kind;
};
constexpr Word kWords[] = {
    {"full_attention", LayerKind::kFull},       {"attention", LayerKind::kFull},
    {"sliding_attention", LayerKind::kWindow},  {"chunked_attention", LayerKind::kChunk},
    {"linear_attention", LayerKind::kLinear},   {"deepseek_sparse_attention", LayerKind::kSparse},
    {"mamba", LayerKind::kMamba},               {"conv", LayerKind::kConv},
};

/// Layers that slide by the rule of the architecture, for configs without `layer_types`.
void apply_windows(ConfigReader& config, const TextModel& model, std::vector<LayerKind>& kinds) {
  if (!config.integer({"sliding_window"}, 0, kLongestContext).value_or(0)) return;
  const auto slide = [&](auto&& slides) {
    for (std::int64_t i = 0; i < model.layers; ++i) {
      LayerKind& kind = kinds[static_cast<std::size_t>(i)];
      if (kind == LayerKind::kFull && slides(i)) kind = LayerKind::kWindow;
    }
  };
  switch (model.traits.window) {
    case WindowRule::kNever: return;
    case WindowRule::kEvery: return slide([](std::int64_t) { return true; });
    case WindowRule::kFlagged: {
      if (!config.flag({"use_sliding_window"}).value_or(false)) return;
      const std::int64_t first = config.integer({"max_window_layers"}, 0, kMostLayers).value_or(0);
      return slide([first](std::int64_t i) { return i >= first; });
    }
    case WindowRule::kAlternate: return slide([](std::int64_t i) { return i % 2 == 0; });
    case WindowRule::kPattern: {
      const std::int64_t every =
          config.integer({"sliding_window_pattern"}, 1, kMostLayers).value_or(model.traits.window_pattern);
      return slide([every](std::int64_t i) { return every > 0 && (i + 1) % every != 0; });
    }
  }
}

/// Shape of ordinary attention from the config.
Mixer attention_shape(ConfigReader& config, const TextModel& model) {
  Mixer mixer{.kind = MixerKind::kAttention};
  const auto heads = config.dimension({"num_attention_heads", "n_head", "n_heads", "num_heads"});
  if (!heads) {
    config.problem("num_attention_heads", "missing key \"num_attention_heads\"");
    return mixer;
  }
  mixer.heads = *heads;
  mixer.kv_heads = config.dimension({"num_key_value_heads", "n_head_kv", "num_kv_heads"}).value_or(*heads);
  if (mixer.kv_heads > mixer.heads) {
    config.problem("num_key_value_heads", fmt::format("num_key_value_heads {} is more than the {} attention heads",
                                                      mixer.kv_heads, mixer.heads));
  }
  mixer.head_dim = config.dimension({"head_dim", "attention_head_dim"}).value_or(std::max<std::int64_t>(1, model.hidden / *heads));
  mixer.v_head_dim = config.dimension({"v_head_dim"}).value_or(mixer.head_dim);
  const auto bias = config.flag({"attention_bias", "qkv_bias", "use_qkv_bias"});
  mixer.qkv_bias = model.traits.qkv_bias || bias.value_or(false);
  mixer.out_bias = model.traits.out_bias || (!model.traits.qkv_bias && config.flag({"attention_bias"}).value_or(false));
  mixer.qk_norm = model.traits.qk_norm != QkNorm::kNone;
  mixer.sinks = model.traits.sinks;
  mixer.output_gate = model.traits.output_gate;
  return mixer;
}

Mixer mla_shape(ConfigReader& config) {
  Mixer mixer{.kind = MixerKind::kMla};
  const auto need = [&](std::string_view key) {
    const auto value = config.dimension({key});
    if (!value && !config.has(key)) config.problem(key, fmt::format("missing key \"{}\" of latent attention", key));
    return value.value_or(0);
  };
  mixer.heads = need("num_attention_heads");
  mixer.kv_heads = 1;
  mixer.kv_rank = need("kv_lora_rank");
  mixer.q_rank = config.integer({"q_lora_rank"}, 0, kWidest).value_or(0);
  mixer.nope_dim = need("qk_nope_head_dim");
  mixer.rope_dim = need("qk_rope_head_dim");
  mixer.v_head_dim = need("v_head_dim");
  mixer.head_dim = mixer.nope_dim + mixer.rope_dim;
  mixer.qkv_bias = mixer.out_bias = config.flag({"attention_bias"}).value_or(false);
  mixer.index_heads = config.integer({"index_n_heads"}, 0, kWidest).value_or(0);
  mixer.index_dim = config.integer({"index_head_dim"}, 0, kWidest).value_or(0);
  mixer.index_top = config.integer({"index_topk"}, 0, kLongestContext).value_or(0);
  return mixer;
}

struct Channels {
  Channel dense, sparse;
  std::vector<bool> is_sparse;  // per layer
};


Channels channel_shapes(ConfigReader& config, const TextModel& model) {
  Channels channels;
  const auto width = config.dimension({"intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"});
  channels.dense = {.kind = ChannelKind::kMlp, .width = width.value_or(4 * model.hidden)};
  channels.dense.gated = model.traits.gated;
  channels.dense.bias = model.traits.mlp_bias || config.flag({"mlp_bias"}).value_or(false);

  const std::int64_t experts =
      config.integer({"n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts"}, 0, kMostExperts)
          .value_or(0);
  channels.is_sparse.assign(static_cast<std::size_t>(model.layers), false);
  if (experts < 2) return channels;
  Channel& moe = channels.sparse;
  moe = {.kind = ChannelKind::kMoe, .gated = model.traits.gated, .bias = model.traits.expert_bias, .experts = experts};
  moe.top_k = config.integer({"num_experts_per_tok", "moe_top_k", "num_experts_per_token"}, 1, kMostExperts).value_or(2);
  if (moe.top_k > experts) {
    config.problem("num_experts_per_tok", fmt::format("{} experts per token of {} experts", moe.top_k, experts));
  }
  moe.expert_width =
      config.dimension({"moe_intermediate_size", "expert_ffn_hidden_size"}).value_or(channels.dense.width);
  moe.shared_experts = config.integer({"n_shared_experts", "num_shared_experts"}, 0, kMostExperts).value_or(0);
  moe.shared_width = moe.shared_experts * moe.expert_width;
  if (const auto shared = config.integer({"shared_expert_intermediate_size"}, 0, kWidest)) {
    moe.shared_width = *shared;
    if (*shared > 0) moe.shared_experts = std::max<std::int64_t>(moe.shared_experts, 1);
  }
  moe.shared_gate = model.traits.shared_gate && moe.shared_width > 0;
  moe.router_bias = model.traits.router_bias;

  const std::int64_t first = config.integer({"first_k_dense_replace"}, 0, kMostLayers).value_or(0);
  const std::vector<std::int64_t> listed = config.integers("moe_layer_freq", 0, 1);
  const std::int64_t step =
      listed.empty() ? config.integer({"moe_layer_freq"}, 1, kMostLayers).value_or(1) : 1;
  const std::int64_t every = config.integer({"decoder_sparse_step"}, 0, kMostLayers).value_or(1);
  const std::vector<std::int64_t> only_dense = config.integers("mlp_only_layers", 0, kMostLayers);
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    bool sparse = i >= first && i % step == 0 && every > 0 && (i + 1) % every == 0;
    if (at < listed.size()) sparse = listed[at] != 0;
    if (std::find(only_dense.begin(), only_dense.end(), i) != only_dense.end()) sparse = false;
    channels.is_sparse[at] = sparse;
  }
  return channels;
}

std::int64_t mixer_norms(const Mixer& mixer, QkNorm rule) {
  if (mixer.kind == MixerKind::kMla) {
    // LayerNorm over the index key, with bias.
    return mixer.q_rank + mixer.kv_rank + (mixer.index_heads > 0 ? 2 * mixer.index_dim : 0);
  }
  switch (rule) {
    case QkNorm::kNone: return 0;
    case QkNorm::kHeadDim: return 2 * mixer.head_dim;
    case QkNorm::kWidth: return (mixer.heads + mixer.kv_heads) * mixer.head_dim;
  }
  return 0;
}

}  // namespace

std::int64_t norm_parameters(NormKind kind, std::int64_t width) {
  switch (kind) {
    case NormKind::kRms:
    case NormKind::kLayerNoBias: return width;
    case NormKind::kLayer: return 2 * width;
    case NormKind::kNone: return 0;
  }
  return 0;
}

void append_layer(std::vector<LayerRun>& runs, const LayerRun& layer) {
  if (!runs.empty()) {
    LayerRun& last = runs.back();
    if (last.mixer == layer.mixer && last.channel == layer.channel &&
        last.norm_parameters == layer.norm_parameters && last.extra_parameters == layer.extra_parameters) {
      last.count += layer.count;
      return;
    }
  }
  runs.push_back(layer);
}

std::vector<LayerKind> layer_kinds(ConfigReader& config, TextModel& model) {
  const auto count = static_cast<std::size_t>(model.layers);
  std::vector<LayerKind> kinds(count, LayerKind::kFull);
  const std::vector<std::string> words = config.texts("layer_types");
  if (words.empty()) {
    if (const auto every = config.integer({"full_attention_interval"}, 1, kMostLayers)) {
      for (std::size_t i = 0; i < count; ++i) {
        if ((i + 1) % static_cast<std::size_t>(*every) != 0) kinds[i] = LayerKind::kLinear;
      }
    }
    apply_windows(config, model, kinds);
    return kinds;
  }
  if (words.size() < count) {
    config.problem("layer_types", fmt::format("layer_types has {} entries for {} layers", words.size(), count));
    return kinds;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto* const word = std::find_if(std::begin(kWords), std::end(kWords),
                                          [&](const Word& known) { return known.text == words[i]; });
    if (word == std::end(kWords)) {
      config.problem("layer_types", fmt::format("unknown layer type {} of layer {}", quoted(words[i]), i));
      return kinds;
    }
    kinds[i] = word->kind;
  }
  return kinds;
}

std::vector<LayerRun> read_layers(ConfigReader& config, TextModel& model) {
  std::vector<LayerRun> runs;
  const std::vector<LayerKind> kinds = layer_kinds(config, model);
  const bool latent = config.has("kv_lora_rank");
  const Mixer full = latent ? mla_shape(config) : attention_shape(config, model);
  const std::int64_t window = config.integer({"sliding_window"}, 0, kLongestContext).value_or(0);
  const Channels channels = channel_shapes(config, model);
  if (!config.problems().errors.empty()) return runs;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    LayerRun layer{.count = 1, .mixer = full};
    if (kinds[i] == LayerKind::kWindow) layer.mixer.window = window;
    layer.channel = channels.is_sparse[i] ? channels.sparse : channels.dense;
    layer.norm_parameters = model.traits.norms * norm_parameters(model.traits.norm, model.hidden) +
                            mixer_norms(layer.mixer, model.traits.qk_norm);
    append_layer(runs, layer);
  }
  return runs;
}

}  // namespace portolan::model
