#include "model/config_storage.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/numeric_format.hpp"

namespace portolan::model {
namespace {

/// Does any text of the list name a part containing one of the words?
bool excludes(ConfigReader& quantisation, std::initializer_list<std::string_view> words) {
  for (const std::string_view key : {"modules_to_not_convert", "ignore", "exclude_modules"}) {
    const io::Value* list = quantisation.find(key);
    if (list == nullptr || !list->is_array()) continue;
    for (const io::Value& item : list->array()) {
      if (!item.is_string()) continue;
      for (const std::string_view word : words) {
        if (item.string().find(word) != std::string::npos) return true;
      }
    }
  }
  return false;
}

/// bits of the first weight group of compressed-tensors / modelopt, 0 when absent.
std::int64_t group_bits(ConfigReader& quantisation, std::string& kind) {
  const io::Value* groups = quantisation.find("config_groups");
  if (groups == nullptr || !groups->is_object()) return 0;
  for (const auto& [name, group] : groups->object()) {
    const io::Value* weights = group.find("weights");
    if (weights == nullptr) continue;
    const io::Value* bits = weights->find("num_bits");
    const io::Value* type = weights->find("type");
    if (type != nullptr && type->is_string()) kind = type->string();
    if (bits != nullptr && bits->is_integer()) return bits->integer();
  }
  return 0;
}

}  // namespace

void read_storage(ConfigReader& config, Architecture& model) {
  model.dtype_name = config.text({"torch_dtype", "dtype"});
  if (!model.dtype_name.empty()) {
    if (const auto format = parse_format(model.dtype_name)) {
      model.weights = model.unquantised = *format;
    } else {
      model.notes.push_back(fmt::format("unknown dtype {}: counted as bf16", quoted(model.dtype_name)));
    }
  }
  const io::Value* found = config.find("quantization_config");
  if (found == nullptr || !found->is_object()) return;
  ConfigReader quantisation(*found, config.pointer() + "/quantization_config", nullptr, config.problems());
  const std::string method = to_lower(quantisation.text({"quant_method"}));
  const std::string algorithm = to_lower(quantisation.text({"quant_algo"}));
  std::string kind;
  const std::int64_t bits = group_bits(quantisation, kind);
  if (algorithm == "nvfp4") {
    model.weights = Format::kNvfp4;
  } else if (method == "fp8" || algorithm == "fp8") {
    model.weights = quantisation.has("weight_block_size") ? Format::kFp8Block : Format::kFp8;
  } else if (method == "awq" || method == "gptq") {
    model.weights = quantisation.integer({"bits", "w_bit"}, 1, 16).value_or(4) >= 8 ? Format::kInt8WeightOnly : Format::kInt4;
  } else if (method == "mxfp4") {
    model.weights = Format::kMxfp4;
  } else if (method == "bitsandbytes") {
    model.weights = quantisation.flag({"load_in_8bit"}).value_or(false) ? Format::kInt8WeightOnly : Format::kNf4;
  } else if (bits == 4) {
    model.weights = kind == "float" ? Format::kNvfp4 : Format::kInt4;
  } else if (bits == 8) {
    model.weights = kind == "float" ? Format::kFp8 : Format::kInt8;
  } else {
    model.notes.push_back(fmt::format("unknown quantisation {}: weights counted as {}",
                                      quoted(method.empty() ? algorithm : method), format_name(model.weights)));
    return;
  }
  model.quantised_attention = !excludes(quantisation, {"self_attn", ".attn", "attention"});
  model.quantised_mlp = !excludes(quantisation, {"shared_expert", ".mlp*", ".mlp.gate_proj"});
}

}  // namespace portolan::model
