#include "model/traits.hpp"

#include "base/text.hpp"

namespace portolan::model {
namespace {

constexpr Traits kTable[] = {
    {.types = "llama smollm3 yi aquila deepseek", .classes = "Llama"},
    {.types = "mistral ministral3", .classes = "Mistral", .window = WindowRule::kEvery},
    {.types = "mixtral", .classes = "Mixtral", .window = WindowRule::kEvery},
    {.types = "qwen2 qwen2_vl qwen2_5_vl qwen2_vl_text qwen2_5_vl_text", .classes = "Qwen2", .qkv_bias = true,
     .window = WindowRule::kFlagged},
    {.types = "mimo", .classes = "MiMo", .qkv_bias = true, .window = WindowRule::kFlagged},
    {.types = "qwen2_moe", .classes = "Qwen2Moe", .qkv_bias = true, .window = WindowRule::kFlagged,
     .shared_gate = true},
    {.types = "qwen3 qwen3_vl_text qwen3_moe qwen3_vl_moe_text", .classes = "Qwen3 Qwen3Moe",
     .qk_norm = QkNorm::kHeadDim, .window = WindowRule::kFlagged},
    {.types = "deepseek_v2", .classes = "DeepseekV2"},
    {.types = "deepseek_v3 kimi_k2 deepseek_v32 glm_moe_dsa", .classes = "DeepseekV3 DeepseekV32 GlmMoeDsa",
     .router_bias = true},
};

bool lists(std::string_view words, std::string_view word) {
  for (const std::string_view entry : split(words, ' ')) {
    if (entry == word) return true;
  }
  return false;
}

/// "LlamaForCausalLM" -> "Llama".
std::string_view class_stem(std::string_view architecture) {
  for (const std::string_view tail : {"For", "LMHead", "Model"}) {
    if (const auto at = architecture.find(tail); at != std::string_view::npos && at > 0) {
      architecture = architecture.substr(0, at);
    }
  }
  return architecture;
}

}  // namespace

const Traits* find_traits(std::string_view model_type, std::string_view architecture) {
  if (!model_type.empty()) {
    for (const Traits& row : kTable) {
      if (lists(row.types, model_type)) return &row;
    }
  }
  const std::string_view stem = class_stem(architecture);
  if (stem.empty()) return nullptr;
  for (const Traits& row : kTable) {
    if (lists(row.classes, stem)) return &row;
  }
  return nullptr;
}

std::int64_t trait_default(const Traits& traits, std::string_view key) {
  for (const std::string_view entry : split(traits.defaults, ' ')) {
    if (entry.size() > key.size() && entry.substr(0, key.size()) == key && entry[key.size()] == '=') {
      return parse_int(entry.substr(key.size() + 1)).value_or(-1);
    }
  }
  return -1;
}

}  // namespace portolan::model
