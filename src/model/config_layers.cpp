// Puts the halves of the layers together and counts what belongs to neither: norms, gates, side
// channels.
#include "model/config_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace portolan::model {
namespace {

/// Norms of the hidden width in one layer.
std::int64_t hidden_norms(ConfigReader& config, const TextModel& model, const LayerRun& layer) {
  std::int64_t norms = model.traits.norms;
  if (config.has("new_decoder_architecture")) {  // Falcon
    if (config.flag({"new_decoder_architecture"}).value_or(false)) {
      norms = config.integer({"num_ln_in_parallel_attn"}, 1, 2).value_or(2);
    } else if (config.flag({"parallel_attn"}).value_or(true)) {
      norms = 1;
    }
  }
  if (config.flag({"use_parallel_residual"}).value_or(false) && config.has("use_qkv_bias"))
    norms = 1;  // StableLM
  // Gemma 4 norms the way into and out of both the experts and the MLP beside them.
  if (layer.channel.kind == ChannelKind::kMoe && config.flag({"enable_moe_block"}).value_or(false))
    norms += 3;
  return norms * norm_parameters(model.traits.norm, model.hidden);
}

/// Parameters of one layer that no operator of the list computes with.
std::int64_t extras(ConfigReader& config, const TextModel& model, const LayerRun& layer) {
  const std::int64_t h = model.hidden;
  const Mixer& mixer = layer.mixer;
  std::int64_t count = 0;
  if (model.traits.head_gate) count += h * mixer.heads;
  // Gemma 3n and 4: an embedding of the token for each layer, gated in and projected back.
  if (const auto side = config.integer({"hidden_size_per_layer_input"}, 0, kWidestSide).value_or(0);
      side > 0) {
    count += 2 * h * side + h;
  }
  // Gemma 3n: low-rank learned residual, alternating updates.
  if (const auto rank = config.integer({"laurel_rank"}, 0, kWidest).value_or(0); rank > 0)
    count += 2 * h * rank + h;
  if (const auto n = config.integer({"altup_num_inputs"}, 0, 1024).value_or(0); n > 0) {
    count += 2 * h + n * h + n * n + n * n * n;
  }
  if (layer.channel.kind == ChannelKind::kMoe &&
      config.flag({"enable_moe_block"}).value_or(false)) {
    count += h + layer.channel.experts;  // scales of the router's input and of each expert
  }
  // DeepSeek-V4: hyper-connections before both halves; position biases of the compressors.
  if (const auto n = config.integer({"hc_mult"}, 0, 1024).value_or(0); n > 0) {
    count += 2 * (n * (n + 2) * n * h + n * (n + 2) + 3);
  }
  if (mixer.compress > 0) {
    const std::int64_t series = mixer.index_heads > 0 ? 2 : 1;
    count +=
        series * mixer.compress * (mixer.head_dim + (mixer.index_heads > 0 ? mixer.index_dim : 0));
  }
  if (mixer.cross_heads > 0 && mixer.kind == MixerKind::kNone)
    count += 2;  // Llama 3.2 Vision: two gates
  if (config.text({"hidden_act"}) == "xielu") count += 2;
  if (mixer.kind == MixerKind::kAttention && mixer.inner > 0 &&
      config.flag({"mamba_rms_norm"}).value_or(false)) {
    count += mixer.inner;
  }
  if (config.flag({"conv_bias"}).value_or(false) && mixer.kind == MixerKind::kShortConv)
    count += 5 * h;
  return count;
}

void finish(ConfigReader& config, const TextModel& model, LayerRun& layer) {
  layer.norm_parameters =
      hidden_norms(config, model, layer) + mixer_norms(layer.mixer, model.traits);
  layer.extra_parameters = extras(config, model, layer);
}

/// Layers of the Puzzle search (Nemotron-NAS): each block states its KV groups and its MLP, or that
/// it has none.
std::vector<LayerRun> read_blocks(ConfigReader& config, const TextModel& model) {
  std::vector<LayerRun> runs;
  const io::Value* blocks = config.find("block_configs");
  if (!blocks->is_array() || blocks->array().size() != static_cast<std::size_t>(model.layers)) {
    config.problem(
        "block_configs",
        fmt::format("block_configs needs one object for each of the {} layers", model.layers));
    return runs;
  }
  const Mixer full = mixer_shape(config, model, LayerKind::kFull);
  const Channels channels = channel_shapes(config, model);
  for (std::size_t i = 0; i < blocks->array().size() && config.problems().errors.empty(); ++i) {
    ConfigReader block(blocks->array()[i], fmt::format("{}/block_configs/{}", config.pointer(), i),
                       nullptr, config.problems());
    LayerRun layer{.count = 1, .mixer = full, .channel = channels.dense};
    if (block.flag({"attention.no_op"}).value_or(false)) {
      layer.mixer = {};
    } else if (block.flag({"attention.replace_with_linear"}).value_or(false)) {
      layer.mixer = {.kind = MixerKind::kLinear};
    } else {
      const std::int64_t group =
          block.integer({"attention.n_heads_in_group"}, 1, std::max<std::int64_t>(1, full.heads))
              .value_or(1);
      layer.mixer.kv_heads =
          block.dimension({"attention.num_key_value_heads"}).value_or(full.heads / group);
      layer.mixer.window =
          block.integer({"attention.window_length"}, 0, kLongestContext).value_or(0);
    }
    if (block.flag({"ffn.no_op"}).value_or(false)) {
      layer.channel = {};
    } else if (const auto width = block.dimension({"ffn.intermediate_size"})) {
      layer.channel.width = *width;
    } else if (const auto factor = block.number({"ffn.ffn_mult"})) {
      // Two thirds of the multiple, rounded up to a multiple of 256 (as the modelling code does).
      const double wide = 2.0 * *factor * static_cast<double>(model.hidden) / 3.0;
      if (!(wide >= 1.0 && wide < static_cast<double>(kWidest))) {
        block.problem("ffn.ffn_mult", fmt::format("ffn_mult {} makes no believable MLP", *factor));
        return runs;
      }
      layer.channel.width = (static_cast<std::int64_t>(wide) + 255) / 256 * 256;
    }
    finish(config, model, layer);
    if (layer.mixer.kind == MixerKind::kNone)
      layer.norm_parameters -= norm_parameters(model.traits.norm, model.hidden);
    if (layer.channel.kind == ChannelKind::kNone)
      layer.norm_parameters -= norm_parameters(model.traits.norm, model.hidden);
    append_layer(runs, layer);
  }
  return runs;
}

/// What differs from layer to layer, as lists with one entry each; empty where it does not.
struct Varying {
  std::vector<std::int64_t> widths, heads, kv_heads;
};

Varying read_varying(ConfigReader& config, const TextModel& model) {
  const auto listed = [&](std::string_view key) {
    return config.value_is_list(key) ? config.per_layer({key}, 1, kWidest, model.layers)
                                     : std::vector<std::int64_t>{};
  };
  Varying varying{.widths = listed("intermediate_size"),
                  .heads = listed("num_query_heads"),
                  .kv_heads = listed("num_key_value_heads")};
  if (varying.kv_heads.empty()) varying.kv_heads = listed("num_kv_heads");
  // OpenELM states factors of the model's width and rounds to a multiple (make_divisible of its
  // modelling code).
  if (const io::Value* factors = config.find("ffn_multipliers");
      factors != nullptr && factors->is_array()) {
    const std::int64_t multiple = config.integer({"ffn_dim_divisor"}, 1, kWidest).value_or(256);
    for (const io::Value& factor : factors->array()) {
      const double width =
          factor.is_number() ? factor.number() * static_cast<double>(model.hidden) : 0.0;
      if (!(width >= 1.0 && width < static_cast<double>(kWidest)) ||
          varying.widths.size() > static_cast<std::size_t>(kMostLayers)) {
        config.problem("ffn_multipliers", "ffn_multipliers makes no believable MLP");
        break;
      }
      std::int64_t rounded = static_cast<std::int64_t>(width + static_cast<double>(multiple) / 2) /
                             multiple * multiple;
      rounded = std::max(rounded, multiple);
      if (static_cast<double>(rounded) < 0.9 * width) rounded += multiple;
      varying.widths.push_back(rounded);
    }
  }
  return varying;
}

void vary(const Varying& varying, std::size_t at, LayerRun& layer) {
  if (at < varying.widths.size()) layer.channel.width = varying.widths[at];
  if (at < varying.heads.size()) layer.mixer.heads = varying.heads[at];
  if (at < varying.kv_heads.size()) layer.mixer.kv_heads = varying.kv_heads[at];
}

}  // namespace

std::int64_t norm_parameters(NormKind kind, std::int64_t width) {
  switch (kind) {
    case NormKind::kRms:
    case NormKind::kLayerNoBias:
      return width;
    case NormKind::kLayer:
      return 2 * width;
    case NormKind::kNone:
      return 0;
  }
  return 0;
}

void append_layer(std::vector<LayerRun>& runs, const LayerRun& layer) {
  if (!runs.empty()) {
    LayerRun& last = runs.back();
    if (last.mixer == layer.mixer && last.channel == layer.channel &&
        last.norm_parameters == layer.norm_parameters &&
        last.extra_parameters == layer.extra_parameters) {
      last.count += layer.count;
      return;
    }
  }
  runs.push_back(layer);
}

std::vector<LayerRun> read_layers(ConfigReader& config, const TextModel& model) {
  if (config.has("block_configs")) return read_blocks(config, model);
  std::vector<LayerRun> runs;
  const std::vector<LayerKind> kinds = layer_kinds(config, model);
  std::map<LayerKind, Mixer> shapes;
  for (const LayerKind kind : kinds) {
    if (!shapes.contains(kind)) shapes[kind] = mixer_shape(config, model, kind);
  }
  const Channels channels = channel_shapes(config, model);
  const Varying varying = read_varying(config, model);
  const std::int64_t shared = config.integer({"num_kv_shared_layers"}, 0, kMostLayers)
                                  .value_or(0);  // trailing layers without a cache of their own
  const bool wide = config.flag({"use_double_wide_mlp"}).value_or(false);
  const std::vector<std::string> indexers = config.texts("indexer_types"),
                                 mlps = config.texts("mlp_layer_types");
  const std::int64_t hashed = config.integer({"num_hash_layers"}, 0, kMostLayers).value_or(0);
  if (!config.problems().errors.empty()) return runs;

  std::map<std::pair<LayerKind, bool>, LayerRun>
      finished;  // norms and extras are the same for all layers of a kind
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const LayerKind kind = kinds[i];
    const bool sparse = channels.is_sparse[i];
    LayerRun& known = finished[{kind, sparse}];
    if (known.count == 0) {
      known = {
          .count = 1, .mixer = shapes[kind], .channel = sparse ? channels.sparse : channels.dense};
      if (model.traits.single_half) {
        if (kind == LayerKind::kMoeOnly)
          known.channel = channels.sparse;
        else if (kind == LayerKind::kMlpOnly)
          known.channel = channels.dense;
        else
          known.channel = {};
      }
      finish(config, model, known);
    }
    LayerRun layer = known;
    vary(varying, i, layer);
    // DeepSeek-V4: the first layers route by a table over the vocabulary, without a learned
    // correction.
    if (static_cast<std::int64_t>(i) < hashed || (i < mlps.size() && mlps[i] == "hash_moe"))
      layer.channel.router_bias = false;
    if (i < indexers.size() && indexers[i] == "shared" && layer.mixer.index_heads > 0) {
      // GLM-5.2: the tokens an earlier layer chose.
      layer.mixer.index_heads = layer.mixer.index_dim = 0;
      finish(config, model, layer);
    }
    if (static_cast<std::int64_t>(i) >= model.layers - shared &&
        layer.mixer.kind == MixerKind::kAttention) {
      layer.mixer.kind = MixerKind::kSharedKv;
      if (wide) layer.channel.width *= 2;
      finish(config, model, layer);
    }
    if (model.traits.double_layers && sparse) {
      // LongCat: each layer attends twice, with an MLP after each, and the experts run beside the
      // second.
      LayerRun half = layer;
      half.channel = channels.dense;
      append_layer(runs, half);
      layer.channel.dense_residual_width = channels.dense.width;
      layer.extra_parameters +=
          model.hidden * config.integer({"zero_expert_num"}, 0, kMostExperts).value_or(0);
    }
    append_layer(runs, layer);
  }
  return runs;
}

std::vector<LayerRun> read_mtp_block(ConfigReader& config, const TextModel& model) {
  std::vector<LayerRun> runs;
  const Channels channels = channel_shapes(config, model);
  const Channel channel =
      channels.sparse.kind == ChannelKind::kMoe ? channels.sparse : channels.dense;
  const LayerKind kind = config.has("o_lora_rank")     ? LayerKind::kWindow
                         : config.has("index_n_heads") ? LayerKind::kSparse
                                                       : LayerKind::kFull;
  LayerRun layer{.count = 1, .mixer = mixer_shape(config, model, kind), .channel = channel};
  finish(config, model, layer);
  if (!model.traits.single_half) {
    runs.push_back(layer);
    return runs;
  }
  LayerRun first = layer, second = layer;
  first.channel = {};
  second.mixer = {};
  finish(config, model, first);
  finish(config, model, second);
  runs.push_back(first);
  runs.push_back(second);
  return runs;
}

}  // namespace portolan::model
