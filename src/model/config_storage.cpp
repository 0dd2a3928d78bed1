#include "model/config_storage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/text.hpp"
#include "model/numeric_format.hpp"

namespace portolan::model {
namespace {

/// The classes of weights that checkpoints quantise one by one.
enum Class : std::size_t { kAttention, kMlp, kExperts, kHead, kClasses };

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The class a module name or a pattern of names belongs to: "model.layers.3.self_attn*",
/// "re:.*shared_experts.*", "lm_head".
std::optional<Class> class_of(std::string_view name) {
  for (const std::string_view other :
       {"norm", "embed", "mtp", "vis", "projector", "indexer", "bias", "router"}) {
    if (contains(name, other)) return std::nullopt;
  }
  if (name.ends_with(".gate") || name == "gate" || name.ends_with("expert_gate"))
    return std::nullopt;
  if (contains(name, "shared_expert")) return kMlp;
  if (contains(name, "experts")) return kExperts;
  if (contains(name, "attn") || contains(name, "attention") || contains(name, "mixer"))
    return kAttention;
  if (contains(name, "mlp") || contains(name, "ffn") || contains(name, "feed_forward")) return kMlp;
  if (name.ends_with("head")) return kHead;
  return std::nullopt;
}

struct Algorithm {
  std::string_view name;
  Format format;
};
// Names of quant_method and quant_algo that say everything.
constexpr Algorithm kAlgorithms[] = {
    {"fp8", Format::kFp8},
    {"fbgemm_fp8", Format::kFp8},
    {"mxfp8", Format::kFp8Block},
    {"nvfp4", Format::kNvfp4},
    {"w4a16_nvfp4", Format::kNvfp4},
    {"mxfp4", Format::kMxfp4},
    {"w4a16_awq", Format::kInt4},
    {"w4a8_awq", Format::kInt4},
    {"int4_awq", Format::kInt4},
    {"int8_sq", Format::kInt8},
    {"w8a8_sq", Format::kInt8},
    {"int8", Format::kInt8},
    {"eetq", Format::kInt8WeightOnly},
};
// Methods whose width is a field of its own.
constexpr std::string_view kByBits[] = {
    "awq",    "gptq",        "auto-round", "autoround", "hqq",
    "marlin", "gptq_marlin", "awq_marlin", "quanto",    "intel/auto-round"};

std::optional<Format> format_of_algorithm(std::string_view name) {
  for (const Algorithm& row : kAlgorithms) {
    if (row.name == name) return row.format;
  }
  return std::nullopt;
}

/// The format of a "weights" object of compressed-tensors and modelopt: num_bits, type, group_size.
std::optional<Format> format_of_weights(const io::Value& weights, bool activations) {
  const io::Value* bits = weights.find("num_bits");
  const io::Value* type = weights.find("type");
  const io::Value* group = weights.find("group_size");
  if (bits == nullptr || !bits->is_integer()) return std::nullopt;
  const bool floating = type != nullptr && type->is_string() && type->string() == "float";
  if (bits->integer() == 8) {
    if (floating) return Format::kFp8;
    return activations ? Format::kInt8 : Format::kInt8WeightOnly;
  }
  if (bits->integer() != 4) return std::nullopt;
  if (!floating) return Format::kInt4;
  return group != nullptr && group->is_integer() && group->integer() == 32 ? Format::kMxfp4
                                                                           : Format::kNvfp4;
}

using Formats = std::array<std::optional<Format>, kClasses>;

/// "quantized_layers": module -> {quant_algo}, of modelopt's mixed precision.
Formats formats_of_layers(const io::Value& layers) {
  Formats formats;
  for (const auto& [name, entry] : layers.object()) {
    const auto which = class_of(name);
    const io::Value* algorithm = entry.find("quant_algo");
    if (!which || formats[*which] || algorithm == nullptr || !algorithm->is_string()) continue;
    formats[*which] = format_of_algorithm(to_lower(algorithm->string()));
  }
  return formats;
}

/// "config_groups": formats with the modules they apply to; "Linear" is every linear layer but the
/// head.
Formats formats_of_groups(const io::Value& groups) {
  Formats formats;
  for (const auto& [name, group] : groups.object()) {
    const io::Value* weights = group.find("weights");
    if (weights == nullptr) continue;
    const auto format = format_of_weights(*weights, group.find("input_activations") != nullptr);
    const io::Value* targets = group.find("targets");
    if (!format) continue;
    if (targets == nullptr || !targets->is_array() || targets->array().empty()) {
      for (const Class each : {kAttention, kMlp, kExperts})
        formats[each] = formats[each].value_or(*format);
      continue;
    }
    for (const io::Value& target : targets->array()) {
      if (!target.is_string()) continue;
      if (const auto which = class_of(target.string())) {
        formats[*which] = formats[*which].value_or(*format);
      } else if (target.string() == "Linear") {
        for (const Class each : {kAttention, kMlp, kExperts})
          formats[each] = formats[each].value_or(*format);
      }
    }
  }
  return formats;
}

/// Classes that the lists of exceptions leave out: named by a pattern, or in at least half of the
/// layers.
std::array<bool, kClasses> excluded(ConfigReader& quantisation, std::int64_t layers) {
  std::array<std::int64_t, kClasses> votes{};
  std::array<bool, kClasses> result{};
  for (const std::string_view key :
       {"modules_to_not_convert", "ignore", "exclude_modules", "ignored_layers"}) {
    const io::Value* list = quantisation.find(key);
    if (list == nullptr || !list->is_array()) continue;
    for (const io::Value& item : list->array()) {
      if (!item.is_string()) continue;
      const std::string& name = item.string();
      const auto which = class_of(name);
      if (!which) continue;
      bool numbered = false;
      for (const char c : name)
        numbered = numbered || std::isdigit(static_cast<unsigned char>(c)) != 0;
      if (!numbered) result[*which] = true;
      ++votes[*which];
    }
  }
  for (std::size_t i = 0; i < kClasses; ++i)
    result[i] = result[i] || 2 * votes[i] >= std::max<std::int64_t>(2, layers);
  return result;
}

/// The bulk format from the method's own fields; nullopt with a note when it is unknown.
std::optional<Format> bulk_format(ConfigReader& quantisation, Architecture& model) {
  const std::string method = to_lower(quantisation.text({"quant_method"}));
  const std::string algorithm = to_lower(quantisation.text({"quant_algo"}));
  if (const auto format = format_of_algorithm(algorithm)) return format;
  for (const std::string_view known : kByBits) {
    if (method != known) continue;
    const std::int64_t bits =
        quantisation.integer({"bits", "w_bit", "nbits", "weight_bits"}, 1, 16).value_or(4);
    if (bits != 4 && bits != 8) {
      model.notes.push_back(fmt::format("{}-bit {} weights are counted as {}", bits, method,
                                        bits < 4 ? "int4" : "int8"));
    }
    return bits > 4 ? Format::kInt8WeightOnly : Format::kInt4;
  }
  if (method == "bitsandbytes") {
    return quantisation.flag({"load_in_8bit", "_load_in_8bit"}).value_or(false)
               ? Format::kInt8WeightOnly
               : Format::kNf4;
  }
  if (const auto format = format_of_algorithm(method)) {
    return *format == Format::kFp8 && quantisation.has("weight_block_size") ? Format::kFp8Block
                                                                            : *format;
  }
  return std::nullopt;
}

void read_quantisation(ConfigReader& quantisation, Architecture& model) {
  const std::optional<Format> bulk = bulk_format(quantisation, model);
  const io::Value* layers = quantisation.find("quantized_layers");
  const io::Value* groups = quantisation.find("config_groups");
  const bool by_layer = layers != nullptr && layers->is_object();
  Formats formats;
  if (by_layer) {
    formats = formats_of_layers(*layers);
  } else if (groups != nullptr && groups->is_object()) {
    formats = formats_of_groups(*groups);
  }
  if (bulk) {
    for (const Class each : {kAttention, kMlp, kExperts})
      formats[each] = formats[each].value_or(*bulk);
  }
  if (!formats[kAttention] && !formats[kMlp] && !formats[kExperts]) {
    const std::string name = quantisation.text({"quant_method", "quant_algo"});
    model.notes.push_back(fmt::format("unknown quantisation {}: weights are counted as {}",
                                      quoted(name), format_name(model.weights)));
    return;
  }
  // A mixed checkpoint lists what it quantises; its exceptions concern the lower precision only.
  std::array<bool, kClasses> out{};
  if (!by_layer) out = excluded(quantisation, model.layer_count());
  if (model.weights == Format::kMxfp4 || formats[kExperts] == Format::kMxfp4)
    out[kAttention] = out[kAttention] || !by_layer;

  const bool moe = std::any_of(model.layers.begin(), model.layers.end(), [](const LayerRun& run) {
    return run.channel.kind == ChannelKind::kMoe;
  });
  const auto main = formats[moe ? kExperts : kMlp];
  model.weights =
      main.value_or(formats[kMlp].value_or(formats[kAttention].value_or(model.weights)));
  const auto assign = [&](Class which, bool& quantised, std::optional<Format>& own) {
    quantised = formats[which].has_value() && !out[which];
    if (quantised && *formats[which] != model.weights) own = formats[which];
  };
  assign(kAttention, model.quantised_attention, model.attention_weights);
  assign(kMlp, model.quantised_mlp, model.mlp_weights);
  assign(kExperts, model.quantised_experts, model.expert_weights);
  assign(kHead, model.quantised_head, model.head_weights);
}

}  // namespace

void read_storage(ConfigReader& config, Architecture& model) {
  model.dtype_name = config.text({"torch_dtype", "dtype"});
  if (!model.dtype_name.empty()) {
    if (const auto format = parse_format(model.dtype_name)) {
      model.weights = model.unquantised = *format;
    } else {
      model.notes.push_back(
          fmt::format("unknown dtype {}: counted as bf16", quoted(model.dtype_name)));
    }
  }
  const io::Value* found = config.find("quantization_config");
  if (found != nullptr && found->is_object()) {
    ConfigReader quantisation(*found, config.pointer() + "/quantization_config", nullptr,
                              config.problems());
    // A checkpoint that was quantised from fp32 keeps its other tensors in 16 bits.
    if (model.unquantised == Format::kFp32) model.weights = model.unquantised = Format::kBf16;
    read_quantisation(quantisation, model);
  }
  // DeepSeek-V4 states the format of its experts beside the fp8 of everything else (fp4 with a
  // power-of-two scale per 32).
  if (config.text({"expert_dtype"}) == "fp4" && model.expert_weights != Format::kNvfp4)
    model.expert_weights = Format::kMxfp4;
}

}  // namespace portolan::model
