// Models from the headers of GGUF and safetensors files. GGUF metadata is renamed to the fields of
// a config.json, so that one reader builds every architecture; the tensors give the exact bytes.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/model_files.hpp"
#include "model/count.hpp"
#include "model/library.hpp"

namespace portolan::model {
namespace {

struct Rename {
  std::string_view from, to;
};

// general.architecture of llama.cpp -> model_type. Where both agree no row is needed.
constexpr Rename kArchitectures[] = {
    {"mistral3", "ministral3"},
    {"qwen2vl", "qwen2"},
    {"qwen2moe", "qwen2_moe"},
    {"qwen3moe", "qwen3_moe"},
    {"qwen3vl", "qwen3"},
    {"qwen3vlmoe", "qwen3_moe"},
    {"qwen3next", "qwen3_next"},
    {"qwen35", "qwen3_5_text"},
    {"qwen35moe", "qwen3_5_moe_text"},
    {"gemma3", "gemma3_text"},
    {"gemma3n", "gemma3n_text"},
    {"gemma4", "gemma4_text"},
    {"phi2", "phi"},
    {"gptneox", "gpt_neox"},
    {"starcoder", "gpt_bigcode"},
    {"command-r", "cohere"},
    {"deepseek2", "deepseek_v3"},
    {"glm4moe", "glm4_moe"},
    {"glm-dsa", "glm_moe_dsa"},
    {"gpt-oss", "gpt_oss"},
    {"llama4", "llama4_text"},
    {"minimax-m2", "minimax_m2"},
    {"grok", "grok-1"},
    {"granitehybrid", "granitemoehybrid"},
    {"nemotron_h_moe", "nemotron_h"},
    {"falcon-h1", "falcon_h1"},
    {"lfm2moe", "lfm2_moe"},
    {"ernie4_5-moe", "ernie4_5_moe"},
    {"hunyuan-moe", "hunyuan_v1_moe"},
    {"hunyuan-dense", "hunyuan_v1_dense"},
    {"nomic-bert", "nomic_bert"},
    {"mimo2", "mimo_v2_flash"},
    {"step35", "step3p5"},
    {"kimi-linear", "kimi_linear"},
    {"bailingmoe", "bailing_moe"},
    {"bailingmoe2", "bailing_moe_v2"},
    {"exaone-moe", "exaone_moe"},
    {"internlm2", "internlm2"},
    {"deci", "llama"},
};

// Metadata below "<architecture>." -> field of a config.json.
constexpr Rename kFields[] = {
    {"block_count", "num_hidden_layers"},
    {"context_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads"},
    {"attention.key_length", "head_dim"},
    {"attention.value_length", "v_head_dim"},
    {"attention.sliding_window", "sliding_window"},
    {"attention.chunk_size", "attention_chunk_size"},
    {"attention.q_lora_rank", "q_lora_rank"},
    {"attention.kv_lora_rank", "kv_lora_rank"},
    {"attention.shared_kv_layers", "num_kv_shared_layers"},
    {"attention.indexer.head_count", "index_n_heads"},
    {"attention.indexer.key_length", "index_head_dim"},
    {"attention.indexer.top_k", "index_topk"},
    {"full_attention_interval", "full_attention_interval"},
    {"expert_count", "num_local_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
    {"expert_shared_count", "n_shared_experts"},
    {"leading_dense_block_count", "first_k_dense_replace"},
    {"interleave_moe_layer_step", "interleave_moe_layer_step"},
    {"embedding_length_per_layer_input", "hidden_size_per_layer_input"},
    {"shortconv.l_cache", "conv_L_cache"},
    {"vocab_size", "vocab_size"},
};

std::string_view renamed(std::string_view architecture) {
  for (const Rename& row : kArchitectures) {
    if (row.from == architecture) return row.to;
  }
  return architecture;
}

class GgufReader {
 public:
  explicit GgufReader(const io::GgufHeader& header) : header_(header) {
    if (const io::Value* name = header.metadata.find("general.architecture");
        name != nullptr && name->is_string()) {
      architecture_ = name->string();
    }
  }
  [[nodiscard]] const std::string& architecture() const { return architecture_; }

  /// The fields of a config.json that this metadata means.
  io::Value config() const {
    io::Value config{io::Value::Object{}};
    std::string type(renamed(architecture_));
    if (type == "llama" && number("expert_count").value_or(0) > 1) type = "mixtral";
    config.set("model_type", type);
    for (const Rename& row : kFields) {
      if (const io::Value* value = find(row.from);
          value != nullptr && (value->is_number() || value->is_array())) {
        config.set(std::string(row.to), *value);
      }
    }
    if (find("vocab_size") == nullptr) {
      if (const auto tokens = vocabulary()) config.set("vocab_size", *tokens);
    }
    // Without tensors the file does not say; the architecture's habit counts.
    if (!header_.tensors.empty()) {
      config.set("tie_word_embeddings", !has_tensor("output.weight"));
    }
    latent_attention(config);
    recurrent_layers(config, type);
    return config;
  }

  /// Without them the defaults of the architecture would pass for the file's own.
  [[nodiscard]] bool states_size() const {
    return number("block_count").has_value() && number("embedding_length").has_value();
  }
  [[nodiscard]] std::int64_t prediction_layers() const {
    return number("nextn_predict_layers").value_or(0);
  }

 private:
  const io::Value* find(std::string_view key) const {
    return header_.metadata.find(fmt::format("{}.{}", architecture_, key));
  }
  std::optional<std::int64_t> number(std::string_view key) const {
    const io::Value* value = find(key);
    return value != nullptr && value->is_integer() ? std::optional(value->integer()) : std::nullopt;
  }
  bool has_tensor(std::string_view name) const {
    return std::any_of(header_.tensors.begin(), header_.tensors.end(),
                       [&](const io::TensorInfo& tensor) { return tensor.name == name; });
  }
  std::optional<std::int64_t> vocabulary() const {
    const io::Value* tokens = header_.metadata.find("tokenizer.ggml.tokens");
    if (tokens == nullptr) return std::nullopt;
    if (tokens->is_array()) return static_cast<std::int64_t>(tokens->array().size());
    const io::Value* length = tokens->find("length");
    return length != nullptr && length->is_integer() ? std::optional(length->integer())
                                                     : std::nullopt;
  }

  /// Files with the absorbed form state the latent as key and value length and the heads' own in
  /// the _mla keys.
  void latent_attention(io::Value& config) const {
    if (!number("attention.kv_lora_rank")) return;
    const std::int64_t rope = number("rope.dimension_count").value_or(64);
    const auto key = number("attention.key_length_mla") ? number("attention.key_length_mla")
                                                        : number("attention.key_length");
    const auto value = number("attention.value_length_mla") ? number("attention.value_length_mla")
                                                            : number("attention.value_length");
    if (key) config.set("qk_nope_head_dim", *key - rope);
    config.set("qk_rope_head_dim", rope);
    if (value) config.set("v_head_dim", *value);
  }

  /// Hybrids state a KV head count of 0 for layers without a cache; the recurrence is under ssm.*.
  void recurrent_layers(io::Value& config, const std::string& type) const {
    const bool delta = type.starts_with("qwen3");
    const auto heads = number("ssm.time_step_rank"), inner = number("ssm.inner_size"),
               state = number("ssm.state_size");
    const auto groups = number("ssm.group_count"), conv = number("ssm.conv_kernel");
    if (delta && heads && inner && state && groups && *heads > 0) {
      config.set("linear_num_value_heads", *heads);
      config.set("linear_num_key_heads", *groups);
      config.set("linear_key_head_dim", *state);
      config.set("linear_value_head_dim", *inner / *heads);
      if (conv) config.set("linear_conv_kernel_dim", *conv);
      if (!number("full_attention_interval") && find("attention.head_count_kv") != nullptr &&
          !find("attention.head_count_kv")->is_array()) {
        config.set("full_attention_interval", 4);
      }
    } else if (state && inner) {
      const bool first = type == "mamba" || type == "falcon_mamba" || type == "jamba";
      config.set(first ? "state_size" : "mamba_d_state", *state);
      if (first) {
        const io::Value* hidden = find("embedding_length");
        if (hidden != nullptr && hidden->is_integer() && hidden->integer() > 0) {
          config.set("mamba_expand", std::max<std::int64_t>(1, *inner / hidden->integer()));
        }
        if (heads) config.set("mamba_dt_rank", *heads);
      } else {
        config.set("mamba_d_ssm", *inner);
        if (heads) config.set("mamba_n_heads", *heads);
        if (groups) config.set("mamba_n_groups", *groups);
      }
      if (conv) config.set("conv_kernel", *conv);
    }
    const io::Value* kv = find("attention.head_count_kv");
    if (kv == nullptr || !kv->is_array()) return;
    const io::Value* widths = find("feed_forward_length");
    io::Value::Array words;
    std::int64_t some = 0;
    bool mixed = false, zero = false;
    for (std::size_t i = 0; i < kv->array().size(); ++i) {
      const io::Value& entry = kv->array()[i];
      const std::int64_t count = entry.is_integer() ? entry.integer() : 0;
      zero = zero || count == 0;
      if (count > 0) mixed = mixed || (some > 0 && some != count);
      if (count > 0) some = count;
      const bool mlp = widths != nullptr && widths->is_array() && i < widths->array().size() &&
                       widths->array()[i].is_integer() && widths->array()[i].integer() > 0;
      if (count > 0) {
        words.emplace_back("full_attention");
      } else if (type == "nemotron_h" && mlp) {
        words.emplace_back(number("expert_count").value_or(0) > 1 ? "moe" : "mlp");
      } else {
        words.emplace_back(delta                      ? "linear_attention"
                           : type.starts_with("lfm2") ? "conv"
                                                      : "mamba");
      }
    }
    if (!zero) return;
    config.set("layer_types", std::move(words));
    if (some > 0 && !mixed) config.set("num_key_value_heads", some);
    if (type == "nemotron_h" && widths != nullptr && widths->is_array()) {
      for (const io::Value& width : widths->array()) {
        if (width.is_integer() && width.integer() > 0)
          config.set("intermediate_size", width.integer());
      }
    }
  }

  const io::GgufHeader& header_;
  std::string architecture_;
};

std::int64_t elements_of(const std::vector<io::TensorInfo>& tensors) {
  // Doubles first: a hostile header may state more elements than an integer holds.
  double sum = 0;
  for (const io::TensorInfo& tensor : tensors) sum += static_cast<double>(tensor.elements);
  return sum < 1e16 ? static_cast<std::int64_t>(sum) : 0;
}

/// The type that holds most bytes: what people call the quantisation of the file.
std::string main_type(const std::vector<io::TensorInfo>& tensors) {
  std::map<std::string, double> bytes;
  for (const io::TensorInfo& tensor : tensors)
    bytes[tensor.type] += static_cast<double>(tensor.bytes);
  std::string best;
  double most = -1;
  for (const auto& [type, size] : bytes) {
    if (size > most) {
      most = size;
      best = type;
    }
  }
  return best;
}

void set_sizes(Architecture& architecture, const std::vector<io::TensorInfo>& tensors,
               std::uint64_t bytes) {
  architecture.dtype_name = main_type(tensors);
  if (tensors.empty()) {
    architecture.notes.emplace_back(
        "the file holds no tensors: weights are counted from the shape, in bf16");
    return;
  }
  architecture.weights = Format::kExact;
  architecture.exact_weight_bytes = bytes;
}

Architecture only_elements(const std::vector<io::TensorInfo>& tensors, std::string why) {
  Architecture architecture;
  architecture.coverage = Coverage::kParameterCount;
  architecture.other_parameters = elements_of(tensors);
  architecture.causal = architecture.lm_head = false;
  architecture.notes.push_back(std::move(why));
  return architecture;
}

Result<Model> from_gguf(const std::string& path) {
  const io::GgufHeader header = PORTOLAN_TRY(io::read_gguf_file(path));
  const GgufReader reader(header);
  Model model;
  model.id = path;
  model.source = path;
  if (reader.architecture().empty()) {
    model.architecture = only_elements(header.tensors,
                                       "the file does not name its architecture "
                                       "(general.architecture): only its tensors are counted");
    set_sizes(model.architecture, header.tensors, header.tensor_bytes);
    return model;
  }
  Result<Architecture> read =
      reader.states_size()
          ? read_config(reader.config(), path)
          : fail(ErrorCode::kInvalidInput,
                 fmt::format("{} states no block_count and embedding_length", quoted(path)));
  if (!read) {
    if (header.tensors.empty()) {
      Error error = std::move(read).error();
      error.why =
          fmt::format("the metadata of {} does not describe a model, and the file holds no tensors",
                      quoted(reader.architecture()));
      return fail(std::move(error));
    }
    model.architecture = only_elements(
        header.tensors,
        fmt::format(
            "the metadata of {} does not describe its layers ({}): only its tensors are counted",
            quoted(reader.architecture()), read.error().message));
    set_sizes(model.architecture, header.tensors, header.tensor_bytes);
    return model;
  }
  model.architecture = *std::move(read);
  Architecture& architecture = model.architecture;
  set_sizes(architecture, header.tensors, header.tensor_bytes);
  if (reader.prediction_layers() > 0) {
    architecture.notes.push_back(
        fmt::format("the file counts {} multi-token-prediction layer(s) among its layers",
                    reader.prediction_layers()));
  }
  const auto counted = static_cast<double>(count_parameters(architecture).total);
  const auto held = static_cast<double>(elements_of(header.tensors));
  if (held > 0 && (counted > 1.01 * held || counted < 0.99 * held)) {
    architecture.notes.push_back(fmt::format(
        "the shape makes {} parameters, the tensors hold {}: work is estimated from the shape",
        si(counted, "", 4), si(held, "", 4)));
  }
  return model;
}

Result<Model> from_safetensors(const std::string& path) {
  const io::SafetensorsHeader header = PORTOLAN_TRY(io::read_safetensors_file(path));
  Model model;
  model.id = path;
  model.source = path;
  const auto slash = path.rfind('/');
  const std::string config =
      (slash == std::string::npos ? std::string() : path.substr(0, slash + 1)) + "config.json";
  if (exists(config)) {
    const std::string text = PORTOLAN_TRY(read_file(config));
    model.architecture = PORTOLAN_TRY(read_config_text(text, config));
    // One shard of several holds a part only.
    const auto counted = static_cast<double>(count_parameters(model.architecture).total);
    const auto held = static_cast<double>(elements_of(header.tensors));
    if (held >= 0.9 * counted) {
      model.architecture.exact_weight_bytes = header.tensor_bytes;
    } else {
      model.architecture.notes.push_back(
          fmt::format("the file holds {} of {} parameters: sizes are those of the whole model",
                      si(held, "", 4), si(counted, "", 4)));
    }
    return model;
  }
  model.architecture = only_elements(
      header.tensors, "there is no config.json beside the file: only its tensors are counted");
  set_sizes(model.architecture, header.tensors, header.tensor_bytes);
  return model;
}

}  // namespace

Result<Model> read_model_file(const std::string& path) {
  if (path.ends_with(".safetensors")) return from_safetensors(path);
  return from_gguf(path);
}

}  // namespace portolan::model
