// Model configs: refused with a place, or read as a model whose counts, caches and operators are
// finite and in order. The first byte chooses between the bytes as JSON text and bytes as choices:
// a model type, then keys with values.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "contract.hpp"
#include "model/count.hpp"
#include "model/library.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"

using namespace portolan;
using namespace portolan::model;

namespace {

constexpr std::string_view kTypes[] = {
    "llama",
    "mistral",
    "qwen2",
    "qwen3_moe",
    "mixtral",
    "deepseek_v3",
    "deepseek_v4",
    "glm_moe_dsa",
    "gpt_oss",
    "gemma2",
    "gemma3",
    "gemma3n",
    "gemma4",
    "llama4",
    "qwen3_next",
    "qwen3_5_moe",
    "nemotron_h",
    "jamba",
    "mamba",
    "mamba2",
    "falcon_h1",
    "lfm2",
    "kimi_linear",
    "minimax_m3",
    "minimax",
    "longcat_flash",
    "openelm",
    "gpt2",
    "opt",
    "bloom",
    "falcon",
    "mpt",
    "bert",
    "t5",
    "whisper",
    "bart",
    "mllama",
    "clip",
    "llava",
    "nemotron-nas",
    "step3p5",
    "mimo_v2_flash",
    "granitemoehybrid",
    "dbrx",
    "nobody",
};
constexpr std::string_view kKeys[] = {
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "tie_word_embeddings",
    "attention_bias",
    "mlp_bias",
    "hidden_act",
    "sliding_window",
    "use_sliding_window",
    "max_window_layers",
    "sliding_window_pattern",
    "layer_types",
    "layers_block_type",
    "hybrid_override_pattern",
    "full_attention_interval",
    "attn_layer_period",
    "attn_layer_offset",
    "attn_layer_indices",
    "full_attn_idxs",
    "attn_type_list",
    "hybrid_layer_pattern",
    "compress_ratios",
    "compress_rates",
    "no_rope_layers",
    "attention_chunk_size",
    "cross_attention_layers",
    "num_local_experts",
    "n_routed_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "n_shared_experts",
    "shared_expert_intermediate_size",
    "moe_shared_expert_intermediate_size",
    "moe_latent_size",
    "first_k_dense_replace",
    "moe_layer_freq",
    "decoder_sparse_step",
    "mlp_only_layers",
    "mlp_layer_types",
    "moe_layers_enum",
    "expert_layer_period",
    "expert_layer_offset",
    "interleave_moe_layer_step",
    "kv_lora_rank",
    "q_lora_rank",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
    "index_n_heads",
    "index_head_dim",
    "index_topk",
    "indexer_types",
    "o_lora_rank",
    "o_groups",
    "hc_mult",
    "num_hash_layers",
    "num_nextn_predict_layers",
    "mamba_num_heads",
    "mamba_head_dim",
    "mamba_d_head",
    "mamba_expand",
    "mamba_d_state",
    "ssm_state_size",
    "state_size",
    "n_groups",
    "conv_kernel",
    "mamba_dt_rank",
    "mamba_d_ssm",
    "linear_num_key_heads",
    "linear_num_value_heads",
    "linear_key_head_dim",
    "linear_value_head_dim",
    "linear_conv_kernel_dim",
    "linear_attn_config",
    "sparse_attention_config",
    "num_kv_shared_layers",
    "use_double_wide_mlp",
    "hidden_size_per_layer_input",
    "vocab_size_per_layer_input",
    "laurel_rank",
    "altup_num_inputs",
    "global_head_dim",
    "num_global_key_value_heads",
    "attention_k_eq_v",
    "enable_moe_block",
    "swa_num_key_value_heads",
    "swa_head_dim",
    "attention_other_setting",
    "block_configs",
    "ffn_multipliers",
    "ffn_dim_divisor",
    "num_query_heads",
    "num_kv_heads",
    "multi_query",
    "new_decoder_architecture",
    "parallel_attn",
    "conv_L_cache",
    "block_auto_adjust_ff_dim",
    "block_multiple_of",
    "block_ffn_dim_multiplier",
    "is_encoder_decoder",
    "d_model",
    "d_kv",
    "d_ff",
    "num_layers",
    "num_decoder_layers",
    "num_heads",
    "encoder_layers",
    "decoder_layers",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "num_mel_bins",
    "feed_forward_proj",
    "type_vocab_size",
    "num_labels",
    "word_embed_proj_dim",
    "torch_dtype",
    "quantization_config",
    "expert_dtype",
    "vision_config",
    "audio_config",
    "text_config",
    "attn_config",
    "ffn_config",
    "zero_expert_num",
    "residual_moe",
    "architectures",
    "model_type",
};
// Values; those that open an object are filled with the keys that follow until one closes it.
constexpr std::string_view kValues[] = {
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "8",
    "16",
    "32",
    "64",
    "80",
    "128",
    "256",
    "1024",
    "4096",
    "12288",
    "65536",
    "10000",
    "10001",
    "100000",
    "10000000",
    "10000001",
    "100000000",
    "-1",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551616",
    "1e18",
    "1e300",
    "2.5",
    "4.0",
    "null",
    "true",
    "false",
    "\"\"",
    "\"auto\"",
    "\"silu\"",
    "\"gated-gelu\"",
    "\"fp4\"",
    "\"bfloat16\"",
    "\"M*E-M*E-\"",
    "\"LLLG\"",
    "\"3,4,5\"",
    "[]",
    "[0]",
    "[0,4,128,0]",
    "[1,0,1,1]",
    "[\"full_attention\",\"sliding_attention\"]",
    "[\"linear_attention\",\"full_attention\",\"linear_attention\",\"full_attention\"]",
    "[\"mamba\",\"attention\",\"moe\",\"mlp\"]",
    "[\"dense\",\"sparse\"]",
    "[0.5,1.0,2.0,4.0]",
    "[10000000,10000000]",
    "[{\"attention\":{\"n_heads_in_group\":8},\"ffn\":{\"ffn_mult\":2.625}}]",
    "{\"quant_method\":\"fp8\",\"weight_block_size\":[128,128]}",
    "{\"quant_method\":\"awq\",\"bits\":4}",
    "{\"quant_algo\":\"MIXED_PRECISION\",\"quantized_layers\":{\"a.self_attn.q\":{\"quant_algo\":"
    "\"FP8\"}}}",
    "{\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"patch_size\":14,"
    "\"image_size\":224}",
    "{\"kda_layers\":[1,2],\"num_heads\":4,\"head_dim\":8}",
    "{\"moe_num_experts\":8,\"moe_top_k\":2,\"ffn_hidden_size\":64}",
    "{\"kv_n_heads\":2}",
    "[\"BertForMaskedLM\"]",
    "[\"T5ForConditionalGeneration\"]",
};

std::string chosen_json(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return "{}";
  std::string json = "{\"model_type\":\"" + std::string(kTypes[data[0] % std::size(kTypes)]) + "\"";
  // A believable start, so that most inputs get past the first checks; later keys of the same name
  // are dropped.
  bool used[std::size(kKeys)] = {};
  used[std::size(kKeys) - 1] = true;
  for (std::size_t i = 1; i + 1 < size && i < 256; i += 2) {
    const std::size_t key = data[i] % std::size(kKeys);
    if (used[key]) continue;
    used[key] = true;
    json += ",\"" + std::string(kKeys[key]) +
            "\":" + std::string(kValues[data[i + 1] % std::size(kValues)]);
  }
  constexpr std::string_view kBase[] = {"16", "4", "4", "2"};
  for (std::size_t key = 0; key < std::size(kBase); ++key) {
    if (!used[key]) json += ",\"" + std::string(kKeys[key]) + "\":" + std::string(kBase[key]);
  }
  if (!used[6]) json += ",\"vocab_size\":100";
  return json + "}";
}

void check(const Architecture& model) {
  const ParameterCount count = count_parameters(model);
  fuzz::require(count.total >= 0 && static_cast<double>(count.total) <= 1.1e16,
                "total out of range");
  fuzz::require(count.active >= 0 && count.active <= count.total, "more active than held");
  double before = -1;
  for (const double tokens : {0.0, 1.0, 100.0, 1e4, 1e6}) {
    const double bytes = kv_bytes(model, tokens, 2).raw();
    fuzz::require(std::isfinite(bytes) && bytes >= before, "cache shrinks");
    before = bytes;
  }
  const TokenCapacity capacity = max_tokens(model, Bytes(1e9), 2);
  fuzz::require(kv_bytes(model, static_cast<double>(capacity.tokens), 2).raw() <= 1e9,
                "capacity does not fit");
  fuzz::require(std::isfinite(state_bytes(model, 2).raw()) && state_bytes(model, 2).raw() >= 0,
                "state");
  fuzz::require(std::isfinite(weight_bytes(model, std::nullopt).raw()), "weights");
  for (const Shard shard : {Shard{1, 1}, Shard{8, 1}, Shard{4, 16}}) {
    for (const Operator& op : operators(model, shard)) {
      fuzz::require(op.count >= 1 && op.n >= 0 && op.k >= 0 && op.heads >= 0,
                    "operator " + op.name);
    }
  }
  for (const Flop flop : {decode_flop_per_token(model, 1000), prefill_flop(model, 100, 100, 1),
                          training_flop_per_token(model, 1000), encoder_flop(model, 100)}) {
    fuzz::require(std::isfinite(flop.raw()) && flop.raw() >= 0, "work");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = size > 0 && (data[0] == '{' || data[0] == '[')
                               ? std::string(reinterpret_cast<const char*>(data), size)
                               : chosen_json(data, size);
  const Result<Architecture> model = read_config_text(text, "f");
  if (model) {
    check(*model);
  } else {
    fuzz::check_refusal(model.error(), false);
  }
  return 0;
}
