// Which kind each layer is: lists of words, numbers or letters, periods, and the rule of the
// architecture.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "model/config_layers.hpp"

namespace portolan::model {
namespace {

struct Word {
  std::string_view text;
  LayerKind kind;
};
constexpr Word kWords[] = {
    {"full_attention", LayerKind::kFull},
    {"attention", LayerKind::kFull},
    {"global", LayerKind::kFull},
    {"sliding_attention", LayerKind::kWindow},
    {"sliding_window", LayerKind::kWindow},
    {"local", LayerKind::kWindow},
    {"chunked_attention", LayerKind::kChunk},
    {"linear_attention", LayerKind::kLinear},
    {"deepseek_sparse_attention", LayerKind::kSparse},
    {"indexed_attention", LayerKind::kSparse},
    {"minimax_m3_sparse", LayerKind::kSparse},
    {"compressed_sparse_attention", LayerKind::kCompressedSparse},
    {"heavily_compressed_attention", LayerKind::kCompressedHeavy},
    {"mamba", LayerKind::kMamba},
    {"conv", LayerKind::kConv},
    {"mlp", LayerKind::kMlpOnly},
    {"moe", LayerKind::kMoeOnly},
};

std::optional<LayerKind> kind_of_letter(char letter) {
  switch (letter) {
    case 'M':
      return LayerKind::kMamba;
    case '*':
      return LayerKind::kFull;
    case '-':
      return LayerKind::kMlpOnly;
    case 'E':
      return LayerKind::kMoeOnly;
    default:
      return std::nullopt;
  }
}

std::optional<LayerKind> kind_of_ratio(std::int64_t ratio) {
  if (ratio == 0) return LayerKind::kWindow;
  return ratio < 32 ? LayerKind::kCompressedSparse : LayerKind::kCompressedHeavy;
}

using Kinds = std::vector<LayerKind>;

/// Numbers of layers to one kind, all others to another.
Kinds listed(const std::vector<std::int64_t>& layers, std::size_t count, LayerKind inside,
             LayerKind outside) {
  Kinds kinds(count, outside);
  for (const std::int64_t layer : layers) {
    if (layer >= 0 && static_cast<std::size_t>(layer) < count)
      kinds[static_cast<std::size_t>(layer)] = inside;
  }
  return kinds;
}

bool long_enough(ConfigReader& config, std::string_view key, std::size_t entries,
                 std::size_t layers) {
  if (entries >= layers) return true;
  config.problem(key, fmt::format("{} has {} entries for {} layers", key, entries, layers));
  return false;
}

Kinds from_words(ConfigReader& config, std::string_view key, std::size_t count) {
  const std::vector<std::string> words = config.texts(key);
  // Transformers 5 calls Mamba layers "linear_attention", too.
  const bool mamba = config.has("mamba_d_state") || config.has("ssm_state_size");
  Kinds kinds(count, LayerKind::kFull);
  if (!long_enough(config, key, words.size(), count)) return kinds;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* const word =
        std::find_if(std::begin(kWords), std::end(kWords),
                     [&](const Word& known) { return known.text == words[i]; });
    if (word == std::end(kWords)) {
      config.problem(key, fmt::format("unknown layer type {} of layer {}", quoted(words[i]), i));
      return kinds;
    }
    kinds[i] = word->kind == LayerKind::kLinear && mamba ? LayerKind::kMamba : word->kind;
  }
  return kinds;
}

Kinds from_letters(ConfigReader& config, std::string_view key, std::size_t count) {
  const std::string letters = config.text({key});
  Kinds kinds(count, LayerKind::kFull);
  if (!long_enough(config, key, letters.size(), count)) return kinds;
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = kind_of_letter(letters[i]);
    if (!kind) {
      config.problem(key,
                     fmt::format("unknown layer letter {} of layer {}; known are M, *, - and E",
                                 quoted(std::string_view(letters).substr(i, 1)), i));
      return kinds;
    }
    kinds[i] = *kind;
  }
  return kinds;
}

/// A list of numbers, one per layer, with a meaning each.
template <class Meaning>
Kinds from_numbers(ConfigReader& config, std::string_view key, std::size_t count, Meaning meaning) {
  const std::vector<std::int64_t> numbers = config.integers(key, 0, kWidest);
  Kinds kinds(count, LayerKind::kFull);
  if (!long_enough(config, key, numbers.size(), count)) return kinds;
  for (std::size_t i = 0; i < count; ++i) kinds[i] = meaning(numbers[i]);
  return kinds;
}

/// Layers that slide by the rule of the architecture.
void apply_windows(ConfigReader& config, const TextModel& model, Kinds& kinds) {
  const auto become = [&](LayerKind kind, auto&& chosen) {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] == LayerKind::kFull && chosen(static_cast<std::int64_t>(i))) kinds[i] = kind;
    }
  };
  if (model.traits.window == WindowRule::kChunked) {
    if (config.integer({"attention_chunk_size"}, 0, kLongestContext).value_or(0) == 0) return;
    const std::vector<std::int64_t> rotary = config.integers("no_rope_layers", 0, 1);
    return become(LayerKind::kChunk, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      return at < rotary.size() ? rotary[at] == 1 : (i + 1) % 4 != 0;
    });
  }
  if (config.integer({"sliding_window", "local_attention"}, 0, kLongestContext).value_or(0) == 0)
    return;
  const std::int64_t every =
      config.value_is_text("sliding_window_pattern")
          ? static_cast<std::int64_t>(config.text({"sliding_window_pattern"}).size())
          : config
                .integer({"sliding_window_pattern", "_sliding_window_pattern",
                          "global_attn_every_n_layers"},
                         0, kMostLayers)
                .value_or(model.traits.window_pattern);
  switch (model.traits.window) {
    case WindowRule::kNever:
    case WindowRule::kChunked:
      return;
    case WindowRule::kEvery:
      return become(LayerKind::kWindow, [](std::int64_t) { return true; });
    case WindowRule::kFlagged: {
      if (!config.flag({"use_sliding_window"}).value_or(false)) return;
      const std::int64_t first = config.integer({"max_window_layers"}, 0, kMostLayers).value_or(0);
      return become(LayerKind::kWindow, [first](std::int64_t i) { return i >= first; });
    }
    case WindowRule::kAlternate:
      return become(LayerKind::kWindow, [](std::int64_t i) { return i % 2 == 0; });
    case WindowRule::kPattern:
      return become(LayerKind::kWindow,
                    [every](std::int64_t i) { return every > 0 && (i + 1) % every != 0; });
    case WindowRule::kPatternFirst:
      return become(LayerKind::kWindow,
                    [every](std::int64_t i) { return every > 0 && i % every != 0; });
  }
}

}  // namespace

std::vector<LayerKind> layer_kinds(ConfigReader& config, const TextModel& model) {
  const auto count = static_cast<std::size_t>(model.layers);
  if (config.value_is_text("hybrid_override_pattern"))
    return from_letters(config, "hybrid_override_pattern", count);
  for (const std::string_view key : {"layer_types", "layers_block_type", "attention_layers"}) {
    if (config.has(key)) return from_words(config, key, count);
  }
  if (config.has("compress_ratios")) {
    return from_numbers(config, "compress_ratios", count,
                        [](std::int64_t ratio) { return *kind_of_ratio(ratio); });
  }
  if (config.has("attn_type_list")) {
    return from_numbers(config, "attn_type_list", count, [](std::int64_t full) {
      return full != 0 ? LayerKind::kFull : LayerKind::kLinear;
    });
  }
  if (config.has("hybrid_layer_pattern")) {
    return from_numbers(config, "hybrid_layer_pattern", count, [](std::int64_t slides) {
      return slides != 0 ? LayerKind::kWindow : LayerKind::kFull;
    });
  }
  if (config.has("sparse_attention_config.sparse_attention_freq")) {
    return from_numbers(
        config, "sparse_attention_config.sparse_attention_freq", count,
        [](std::int64_t sparse) { return sparse != 0 ? LayerKind::kSparse : LayerKind::kFull; });
  }
  if (config.has("linear_attn_config.kda_layers")) {  // counted from 1
    std::vector<std::int64_t> layers =
        config.integers("linear_attn_config.kda_layers", 1, kMostLayers);
    for (std::int64_t& layer : layers) --layer;
    return listed(layers, count, LayerKind::kLinear, LayerKind::kFull);
  }
  if (config.has("full_attn_idxs")) {
    return listed(config.integers("full_attn_idxs", 0, kMostLayers), count, LayerKind::kFull,
                  LayerKind::kConv);
  }
  if (config.has("attn_layer_indices")) {
    return listed(config.integers("attn_layer_indices", 0, kMostLayers), count, LayerKind::kFull,
                  LayerKind::kMamba);
  }
  if (config.has("cross_attention_layers")) {
    return listed(config.integers("cross_attention_layers", 0, kMostLayers), count,
                  LayerKind::kCross, LayerKind::kFull);
  }
  Kinds kinds(count, LayerKind::kFull);
  if (const auto period = config.integer({"attn_layer_period"}, 1, kMostLayers)) {
    const std::int64_t offset = config.integer({"attn_layer_offset"}, 0, kMostLayers).value_or(0);
    for (std::int64_t i = 0; i < model.layers; ++i) {
      if (i % *period != offset) kinds[static_cast<std::size_t>(i)] = LayerKind::kMamba;
    }
    return kinds;
  }
  if (const auto every = config.integer({"full_attention_interval"}, 1, kMostLayers)) {
    for (std::int64_t i = 0; i < model.layers; ++i) {
      if ((i + 1) % *every != 0) kinds[static_cast<std::size_t>(i)] = LayerKind::kLinear;
    }
    return kinds;
  }
  // Nothing says otherwise: all layers are state-space layers.
  if (model.traits.single_half || (config.has("mamba_n_heads") && !model.traits.parallel_mamba)) {
    return Kinds(count, LayerKind::kMamba);
  }
  apply_windows(config, model, kinds);
  return kinds;
}

}  // namespace portolan::model
