// Vision towers and their projectors: one row of facts per kind of tower, as for the language
// models.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "model/config_layers.hpp"
#include "model/parameters.hpp"

namespace portolan::model {
namespace {

/// How image features reach the width of the language model (v = tower width, t = text width, m =
/// merged patches per side).
enum class Projector : std::uint8_t {
  kNone,
  kTwoLinear,   // v·t, t·t with biases (LLaVA)
  kOneLinear,   // v·t (PaliGemma with bias; Gemma 4 without)
  kGemma3,      // v·t and a norm over v
  kQwenMerger,  // norm over v; m²v·m²v and m²v·out with biases; more of the same for deepstack
  kPixtral,     // norm over v; m²v·v; v·t, t·t
  kInternVl,    // LayerNorm over m²v; m²v·t, t·t with biases
  kLlama4,      // pixel-shuffle adapter, then one matrix
  kMiniMax,     // v·p, p·p; m²p·p, p·p with biases
  kStep         // two strided convolutions, then one matrix
};
enum class Positions : std::uint8_t { kNone, kGrid, kField };

struct TowerTraits {
  std::string_view types;  // vision_config.model_type, or the model_type around it
  bool gated = false;
  NormKind norm = NormKind::kLayer;
  int norms = 2;
  bool qkv_bias = true, out_bias = true, mlp_bias = true, qk_norm = false;
  bool patch_bias = false;
  int temporal = 1;
  Positions positions = Positions::kGrid;
  bool class_token = false, pre_norm = false, post_norm = true, layer_scale = false;
  Projector projector = Projector::kTwoLinear;
};

/// Caps that keep products of a tower's dimensions far below 2^63.
constexpr std::int64_t kWidestTower = 1'000'000, kMostPatches = 10'000, kLargestPatch = 4'096,
                       kMostMerged = 64;

constexpr TowerTraits kTowers[] = {
    {.types = "clip_vision_model clip", .class_token = true, .pre_norm = true},
    {.types = "siglip_vision_model siglip siglip2_vision_model", .patch_bias = true},
    {.types = "qwen2_vl",
     .temporal = 2,
     .positions = Positions::kNone,
     .post_norm = false,
     .projector = Projector::kQwenMerger},
    {.types = "qwen2_5_vl",
     .gated = true,
     .norm = NormKind::kRms,
     .temporal = 2,
     .positions = Positions::kNone,
     .post_norm = false,
     .projector = Projector::kQwenMerger},
    {.types = "qwen3_vl qwen3_vl_moe qwen3_5 qwen3_5_moe qwen3_5_vision qwen3_5_moe_vision",
     .patch_bias = true,
     .temporal = 2,
     .positions = Positions::kField,
     .post_norm = false,
     .projector = Projector::kQwenMerger},
    {.types = "kimi_k25 kimi_vl moonvit kimi_k25_vision",
     .patch_bias = true,
     .positions = Positions::kField,
     .projector = Projector::kQwenMerger},
    {.types = "pixtral",
     .gated = true,
     .norm = NormKind::kRms,
     .qkv_bias = false,
     .out_bias = false,
     .mlp_bias = false,
     .positions = Positions::kNone,
     .pre_norm = true,
     .post_norm = false,
     .projector = Projector::kPixtral},
    {.types = "llama4_vision_model llama4",
     .class_token = true,
     .pre_norm = true,
     .projector = Projector::kLlama4},
    {.types = "gemma4_vision gemma4",
     .gated = true,
     .norm = NormKind::kRms,
     .norms = 4,
     .qkv_bias = false,
     .out_bias = false,
     .mlp_bias = false,
     .qk_norm = true,
     .positions = Positions::kField,
     .post_norm = false,
     .projector = Projector::kOneLinear},
    {.types = "minimax_m3_vl",
     .temporal = 2,
     .positions = Positions::kNone,
     .pre_norm = true,
     .post_norm = false,
     .projector = Projector::kMiniMax},
    {.types = "internvl_vision intern_vit_6b internvl internvl_chat",
     .qkv_bias = false,
     .patch_bias = true,
     .class_token = true,
     .post_norm = false,
     .layer_scale = true,
     .projector = Projector::kInternVl},
    {.types = "step3p7_vision step3p7",
     .pre_norm = true,
     .post_norm = false,
     .layer_scale = true,
     .projector = Projector::kStep},
};

const TowerTraits* find_tower(std::string_view type) {
  for (const TowerTraits& row : kTowers) {
    for (const std::string_view name : split(row.types, ' ')) {
      if (!type.empty() && name == type) return &row;
    }
  }
  return nullptr;
}

struct Tower {
  const TowerTraits& traits;
  std::int64_t width = 0, text = 0, merge = 1;
};

std::int64_t linear(std::int64_t from, std::int64_t to, bool bias) {
  return from * to + (bias ? to : 0);
}

std::int64_t projector_parameters(ConfigReader& vision, ConfigReader& outer, const Tower& tower) {
  const std::int64_t v = tower.width, t = tower.text, merged = tower.merge * tower.merge * v;
  switch (tower.traits.projector) {
    case Projector::kNone:
      return 0;
    case Projector::kTwoLinear: {
      const bool bias = outer.flag({"multimodal_projector_bias"}).value_or(true);
      return linear(v, t, bias) + linear(t, t, bias);
    }
    case Projector::kOneLinear:
      return linear(v, t, outer.text({"model_type"}) == "paligemma");
    case Projector::kGemma3:
      return linear(v, t, false) + v;
    case Projector::kQwenMerger: {
      // Qwen2-VL keeps the tower's width in embed_dim and calls the way out hidden_size.
      const std::int64_t out =
          vision.has("embed_dim")
              ? vision.dimension({"hidden_size"}).value_or(t)
              : vision.dimension({"out_hidden_size", "text_hidden_size"}).value_or(t);
      const std::int64_t body = linear(merged, merged, true) + linear(merged, out, true);
      const auto deep = static_cast<std::int64_t>(
          vision.integers("deepstack_visual_indexes", 0, kMostLayers).size());
      return norm_parameters(tower.traits.norm, v) + body +
             deep * (norm_parameters(tower.traits.norm, merged) + body);
    }
    case Projector::kPixtral: {
      const bool bias = outer.flag({"multimodal_projector_bias"}).value_or(false);
      return v + linear(merged, v, false) + linear(v, t, bias) + linear(t, t, bias);
    }
    case Projector::kInternVl:
      return 2 * merged + linear(merged, t, true) + linear(t, t, true);
    case Projector::kLlama4: {
      const std::int64_t in = vision.dimension({"intermediate_size"}).value_or(4 * v);
      const std::int64_t middle = vision.dimension({"projector_input_dim"}).value_or(4096);
      const std::int64_t out = vision.dimension({"projector_output_dim"}).value_or(4096);
      return in * middle + middle * out + vision.dimension({"vision_output_dim"}).value_or(out) * t;
    }
    case Projector::kMiniMax: {
      const std::int64_t p = outer.dimension({"projector_hidden_size"}).value_or(t);
      return linear(v, p, true) + linear(p, p, true) +
             linear(tower.merge * tower.merge * p, p, true) + linear(p, p, true);
    }
    case Projector::kStep:
      return linear(9 * v, 2 * v, true) + linear(18 * v, 4 * v, true) + linear(4 * v, t, false);
  }
  return 0;
}

std::int64_t position_rows(ConfigReader& vision, const Tower& tower, std::int64_t image,
                           std::int64_t patch) {
  switch (tower.traits.positions) {
    case Positions::kNone:
      return 0;
    case Positions::kGrid:
      return (image / patch) * (image / patch) + (tower.traits.class_token ? 1 : 0);
    case Positions::kField: {
      if (const auto rows = vision.integer({"num_position_embeddings"}, 1, kWidest)) return *rows;
      if (const auto rows = vision.dimension({"position_embedding_size"}))
        return 2 * *rows;  // Gemma 4: one table per axis
      return vision.integer({"init_pos_emb_height"}, 1, kMostPatches).value_or(64) *
             vision.integer({"init_pos_emb_width"}, 1, kMostPatches).value_or(64);
    }
  }
  return 0;
}

/// SigLIP's attention pooling: a probe, attention, a norm and an MLP.
std::int64_t pooling_head(std::int64_t v, std::int64_t width) {
  return v + 4 * (v * v + v) + 2 * v + parameters_detail::mlp<std::int64_t>(v, width, false, true);
}

/// Llama 3.2 Vision: tile embeddings, a second, gated transformer, outputs of several layers side
/// by side.
std::int64_t mllama_extras(ConfigReader& vision, std::int64_t v, std::int64_t patches,
                           std::int64_t text) {
  const std::int64_t tiles = vision.integer({"max_num_tiles"}, 1, 64).value_or(4);
  const std::int64_t ratios =
      2 * tiles + 1;  // aspect ratios a page of `tiles` tiles can have, and the padding: 9 for 4
  const std::int64_t output = vision.dimension({"vision_output_dim"}).value_or(7680);
  return ratios * tiles * (patches + 1) * v + 1 + 2 * (ratios * tiles * v + 1) +
         linear(output, text, true);
}

void read_vision(ConfigReader& outer, const io::Value& object, const std::string& key,
                 Architecture& model) {
  ConfigReader vision(object, fmt::format("{}/{}", outer.pointer(), key), nullptr,
                      outer.problems());
  const std::string own = vision.text({"model_type"});
  const std::string around = outer.text({"model_type"});
  const TowerTraits* row = around == "minimax_m3_vl" ? find_tower(around) : find_tower(own);
  if (row == nullptr) row = find_tower(around);
  static constexpr TowerTraits kPlain{.types = ""};
  const bool mllama = around == "mllama";
  if (row == nullptr) {
    row = &kPlain;
    if (!mllama) {
      model.notes.push_back(
          fmt::format("vision tower {} is not known: counted as a plain transformer over patches",
                      quoted(own.empty() ? around : own)));
    }
  }
  TowerTraits traits = *row;
  if (around == "paligemma") traits.projector = Projector::kOneLinear;
  if (around == "gemma3") traits.projector = Projector::kGemma3;
  if (around == "clip" || around == "siglip") traits.projector = Projector::kNone;
  if (around == "llava" || around == "llava_next") traits.projector = Projector::kTwoLinear;
  if (around == "mllama") {
    traits.qkv_bias = traits.out_bias = false;
    traits.class_token = traits.pre_norm = true;
    traits.projector = Projector::kNone;
  }

  const auto width =
      vision.has("embed_dim")
          ? vision.integer({"embed_dim"}, 1, kWidestTower)
          : vision.integer({"hidden_size", "vt_hidden_size", "width"}, 1, kWidestTower);
  const auto layers = vision.integer(
      {"num_hidden_layers", "depth", "vt_num_hidden_layers", "layers"}, 1, kMostLayers);
  const auto heads = vision.dimension(
      {"num_attention_heads", "num_heads", "vt_num_attention_heads", "attention_heads"});
  if (!width || !layers || !heads) {
    if (outer.problems().errors.empty()) {
      model.notes.push_back(fmt::format(
          "{} does not state its layers, width and heads: the tower is not counted", key));
    }
    return;
  }
  Encoder tower;
  tower.name = "vision tower";
  tower.hidden = *width;
  tower.patch = vision.integer({"patch_size"}, 1, kLargestPatch).value_or(14);
  tower.image_size = vision.dimension({"image_size"}).value_or(0);
  tower.merge = vision
                    .integer({"spatial_merge_size", "pooling_kernel_size", "merge_kernel_size",
                              "img_token_compression_config.spatial_merge_size"},
                             1, kMostMerged)
                    .value_or(outer.integer({"spatial_merge_size"}, 1, kMostMerged)
                                  .value_or(traits.projector == Projector::kInternVl ||
                                                    traits.projector == Projector::kQwenMerger
                                                ? 2
                                                : 1));
  if (tower.image_size / tower.patch > kMostPatches) {
    vision.problem("image_size",
                   fmt::format("an image of {} pixels in patches of {} is not believable",
                               tower.image_size, tower.patch));
    return;
  }

  LayerRun layer{.count = *layers};
  layer.mixer = {.kind = MixerKind::kAttention, .heads = *heads, .kv_heads = *heads};
  layer.mixer.head_dim = layer.mixer.v_head_dim = std::max<std::int64_t>(1, *width / *heads);
  layer.mixer.qkv_bias = traits.qkv_bias;
  layer.mixer.out_bias = traits.out_bias;
  layer.mixer.causal = false;
  const double ratio = std::clamp(vision.number({"mlp_ratio"}).value_or(4.0), 0.0, 1000.0);
  layer.channel = {.kind = ChannelKind::kMlp, .gated = traits.gated, .bias = traits.mlp_bias};
  layer.channel.width =
      vision.dimension({"intermediate_size", "vt_intermediate_size"})
          .value_or(static_cast<std::int64_t>(static_cast<double>(*width) * ratio));
  layer.norm_parameters = traits.norms * norm_parameters(traits.norm, *width) +
                          (traits.qk_norm ? 2 * layer.mixer.head_dim : 0);
  layer.extra_parameters = traits.layer_scale ? 2 * *width : 0;
  // Qwen2.5-VL: most layers attend inside windows of this many pixels.
  const std::int64_t window = vision.integer({"window_size"}, 0, kWidest).value_or(0) / tower.patch;
  const std::vector<std::int64_t> full = vision.integers("fullatt_block_indexes", 0, kMostLayers);
  layer.count = 1;
  for (std::int64_t i = 0; i < *layers; ++i) {
    const bool windowed =
        !full.empty() && window > 0 && std::find(full.begin(), full.end(), i) == full.end();
    layer.mixer.window = windowed ? window * window : 0;
    append_layer(tower.layers, layer);
  }

  const std::int64_t frames =
      vision.integer({"temporal_patch_size"}, 1, kMostMerged).value_or(traits.temporal);
  const std::int64_t channels =
      vision.integer({"in_channels", "num_channels", "in_chans"}, 1, kLargestPatch).value_or(3);
  tower.other_parameters =
      channels * frames * tower.patch * tower.patch * *width + (traits.patch_bias ? *width : 0);
  const Tower shape{traits, *width, model.hidden, tower.merge};
  tower.other_parameters += position_rows(vision, shape, tower.image_size, tower.patch) * *width;
  const std::int64_t norm = norm_parameters(traits.norm, *width);
  tower.other_parameters += (traits.class_token ? *width : 0) + (traits.pre_norm ? norm : 0) +
                            (traits.post_norm ? norm : 0);
  if (own.starts_with("siglip") &&
      vision.flag({"vision_use_head"}).value_or(around != "llava" && around != "paligemma")) {
    tower.other_parameters += pooling_head(*width, layer.channel.width);
  }
  if (mllama) {
    const std::int64_t side = tower.image_size / tower.patch;
    tower.other_parameters += mllama_extras(vision, *width, side * side, model.hidden);
    LayerRun gated = layer;
    gated.count = vision.integer({"num_global_layers"}, 0, kMostLayers).value_or(8);
    gated.extra_parameters = 2;
    if (gated.count > 0) tower.layers.push_back(gated);
  }
  tower.other_parameters += projector_parameters(vision, outer, shape);
  if (around == "clip") {
    const std::int64_t projection = outer.dimension({"projection_dim"}).value_or(512);
    tower.other_parameters += projection * (*width + model.hidden) + 1;
  }
  model.encoders.push_back(std::move(tower));
}

}  // namespace

void read_towers(ConfigReader& outer, Architecture& model) {
  for (const std::string_view key : {"vision_config", "vision_tower_config", "vit_config"}) {
    const io::Value* object = outer.find(key);
    if (object == nullptr) continue;
    if (object->is_object()) {
      read_vision(outer, *object, std::string(key), model);
    } else {
      outer.problem(key, fmt::format("{} is not an object", key));
    }
    break;
  }
  for (const std::string_view key : {"audio_config", "audio_encoder_config", "sound_config"}) {
    if (outer.has(key))
      model.notes.push_back(fmt::format("the audio tower of {} is not counted", key));
  }
}

}  // namespace portolan::model
