// Shapes of the channel half of a layer: dense MLP, routed and shared experts, and which layers
// have which.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "model/config_layers.hpp"

namespace portolan::model {
namespace {

/// "gated-gelu" and the like; plain for the classic activations of an unknown architecture.
bool is_gated(ConfigReader& config, const Traits& traits) {
  const std::string form = config.text({"feed_forward_proj", "activation_function"});
  if (form.starts_with("gated") || form == "swiglu" || form == "geglu") return true;
  if (!traits.types.empty()) return traits.gated;
  const std::string activation =
      config.text({"hidden_act", "hidden_activation", "activation_function", "activation"});
  return activation != "relu" && activation != "relu2" && activation != "gelu" &&
         activation != "gelu_new" && activation != "gelu_fast";
}

Channel dense_mlp(ConfigReader& config, const TextModel& model) {
  Channel channel{.kind = ChannelKind::kMlp};
  channel.width =
      config.value_is_list("intermediate_size")
          ? 0  // differs from layer to layer: read_layers fills it in
          : config
                .dimension({"dense_intermediate_size", "intermediate_size_mlp", "intermediate_size",
                            "ff_intermediate_size", "ffn_hidden_size", "ffn_dim", "n_inner", "d_ff",
                            "hidden_dim", "ffn_config.ffn_hidden_size"})
                .value_or(config.integer({"expansion_ratio"}, 1, 1024).value_or(4) * model.hidden);
  channel.width /= model.traits.width_divisor;
  channel.gated = is_gated(config, model.traits);
  channel.bias = model.traits.mlp_bias || config.flag({"mlp_bias"}).value_or(false);
  if (const auto all = model.traits.all_bias_key.empty()
                           ? std::nullopt
                           : config.flag({model.traits.all_bias_key})) {
    channel.bias = *all;
  }
  // LFM2 states the width before the two thirds of a gated MLP and rounds it up.
  if (config.flag({"block_auto_adjust_ff_dim"}).value_or(false)) {
    const double factor = config.number({"block_ffn_dim_multiplier"}).value_or(1.0);
    const std::int64_t multiple = config.dimension({"block_multiple_of"}).value_or(256);
    const std::int64_t thirds = 2 * config.dimension({"block_ff_dim"}).value_or(channel.width) / 3;
    const double width = static_cast<double>(thirds) * factor;
    if (width >= 1.0 && width < static_cast<double>(kWidest)) {
      channel.width = (static_cast<std::int64_t>(width) + multiple - 1) / multiple * multiple;
    }
  }
  return channel;
}

Channel experts(ConfigReader& config, const TextModel& model, const Channel& dense,
                std::int64_t count) {
  const Traits& traits = model.traits;
  Channel moe{.kind = ChannelKind::kMoe,
              .gated = dense.gated,
              .bias = traits.expert_bias,
              .experts = count};
  moe.top_k =
      config
          .integer({"num_experts_per_tok", "moe_top_k", "num_experts_per_token", "moe_topk",
                    "moe_k", "num_selected_experts", "top_k_experts", "ffn_config.moe_top_k"},
                   1, kMostExperts)
          .value_or(2);
  if (moe.top_k > count) {
    config.problem("num_experts_per_tok",
                   fmt::format("{} experts per token of {} experts", moe.top_k, count));
  }
  moe.expert_width =
      config
          .dimension({"moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size",
                      "ffn_config.ffn_hidden_size", "intermediate_size"})
          .value_or(dense.width);
  moe.latent = config.integer({"moe_latent_size"}, 0, kWidest).value_or(0);
  moe.shared_experts = config
                           .integer({"n_shared_experts", "num_shared_experts",
                                     "moe_num_shared_experts", "num_shared_expert"},
                                    0, kMostExperts)
                           .value_or(0);
  moe.shared_width = moe.shared_experts * moe.expert_width;
  if (const auto width =
          config.integer({"shared_expert_intermediate_size", "moe_shared_expert_intermediate_size",
                          "share_expert_dim", "share_expert_dims", "shared_intermediate_size"},
                         0, kWidest)) {
    moe.shared_width = *width * (config.has("moe_shared_expert_intermediate_size")
                                     ? std::max<std::int64_t>(1, moe.shared_experts)
                                     : 1);
  }
  if (traits.shared_expert) moe.shared_width = moe.expert_width;
  if (moe.shared_width > 0) moe.shared_experts = std::max<std::int64_t>(moe.shared_experts, 1);
  moe.shared_gate = traits.shared_gate && moe.shared_width > 0;
  moe.router_bias = traits.router_bias;
  if (const auto biased = config.flag(
          {"use_expert_bias", "use_moe_router_bias", "moe_router_enable_expert_bias"})) {
    moe.router_bias = *biased;
  }
  // A dense MLP beside the experts: Grok-2, Gemma 4, Arctic (as wide as the model).
  if (config.flag({"residual_moe", "enable_moe_block"}).value_or(false))
    moe.dense_residual_width = dense.width;
  if (config.flag({"parallel_attn_mlp_res"}).value_or(false))
    moe.dense_residual_width = model.hidden;
  return moe;
}

/// "3,4,5" or a list of layer numbers.
std::vector<std::int64_t> layer_numbers(ConfigReader& config, std::string_view key) {
  if (!config.value_is_text(key)) return config.integers(key, 0, kMostLayers);
  std::vector<std::int64_t> numbers;
  const std::string text = config.text({key});
  for (const std::string_view part : split(text, ',')) {
    if (const auto number = parse_int(trim(part))) numbers.push_back(*number);
  }
  return numbers;
}

std::vector<bool> sparse_layers(ConfigReader& config, const TextModel& model) {
  const auto count = static_cast<std::size_t>(model.layers);
  std::vector<bool> sparse(count, true);
  if (const std::vector<std::string> words = config.texts("mlp_layer_types"); !words.empty()) {
    if (words.size() < count) {
      config.problem("mlp_layer_types", fmt::format("mlp_layer_types has {} entries for {} layers",
                                                    words.size(), count));
      return sparse;
    }
    for (std::size_t i = 0; i < count; ++i) sparse[i] = words[i] != "dense";
    return sparse;
  }
  for (const std::string_view key : {"moe_layers_enum", "moe_layers"}) {
    if (!config.has(key)) continue;
    std::fill(sparse.begin(), sparse.end(), false);
    for (const std::int64_t layer : layer_numbers(config, key)) {
      if (layer >= 0 && static_cast<std::size_t>(layer) < count)
        sparse[static_cast<std::size_t>(layer)] = true;
    }
    return sparse;
  }
  const std::vector<std::int64_t> listed = config.integers("moe_layer_freq", 0, 1);
  const auto period = [&](Keys keys) { return config.integer(keys, 1, kMostLayers).value_or(1); };
  const std::int64_t first =
      config
          .integer({"first_k_dense_replace", "num_dense_layers", "moe_layer_start_index"}, 0,
                   kMostLayers)
          .value_or(0);
  const std::int64_t last = config.integer({"moe_layer_end_index"}, -1, kMostLayers).value_or(-1);
  const std::int64_t frequency = listed.empty() ? period({"moe_layer_freq"}) : 1;
  const std::int64_t step = period({"decoder_sparse_step", "interleave_moe_layer_step",
                                    "moe_layer_interval", "moe_layer_frequency"});
  const std::int64_t expert_period = period({"expert_layer_period"});
  const std::int64_t expert_offset =
      config.integer({"expert_layer_offset"}, 0, kMostLayers).value_or(0);
  const std::vector<std::int64_t> dense_only = config.integers("mlp_only_layers", 0, kMostLayers);
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    bool here = i >= first && (last < 0 || i <= last) && i % frequency == 0 &&
                (i + 1) % step == 0 && i % expert_period == expert_offset;
    if (at < listed.size()) here = listed[at] != 0;
    if (std::find(dense_only.begin(), dense_only.end(), i) != dense_only.end()) here = false;
    sparse[at] = here;
  }
  return sparse;
}

}  // namespace

Channels channel_shapes(ConfigReader& config, const TextModel& model) {
  Channels channels;
  channels.dense = dense_mlp(config, model);
  channels.is_sparse.assign(static_cast<std::size_t>(model.layers), false);
  const std::int64_t count = config
                                 .integer({"n_routed_experts", "num_local_experts", "num_experts",
                                           "moe_num_experts", "ffn_config.moe_num_experts"},
                                          0, kMostExperts)
                                 .value_or(0);
  if (count < 2) {
    // Granite 4 without experts keeps only the shared MLP.
    if (config.has("num_local_experts") && config.has("shared_intermediate_size")) {
      channels.dense.width =
          config.dimension({"shared_intermediate_size"}).value_or(channels.dense.width);
    }
    return channels;
  }
  channels.sparse = experts(config, model, channels.dense, count);
  channels.is_sparse = sparse_layers(config, model);
  return channels;
}

}  // namespace portolan::model
