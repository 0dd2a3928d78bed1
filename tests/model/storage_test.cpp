// Formats of checkpoints from quantization_config.
#include <gtest/gtest.h>

#include "model/numeric_format.hpp"
#include "model/operators.hpp"
#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

Architecture moe(std::string_view quantisation) {
  return read(joined(
      {R"({"model_type":"qwen3_moe","hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,"head_dim":16,"vocab_size":100,
      "num_experts":8,"num_experts_per_tok":2,"moe_intermediate_size":32,"torch_dtype":"bfloat16","quantization_config":)",
       quantisation, "}"}));
}

std::string formats(const Architecture& model) {
  std::string text;
  for (const WeightClass each : {WeightClass::kAttention, WeightClass::kMlp, WeightClass::kExperts,
                                 WeightClass::kRouter, WeightClass::kHead}) {
    text += std::string(text.empty() ? "" : " ") +
            std::string(format_name(stored_format(model, each, std::nullopt)));
  }
  return text;
}

TEST(Quantisation, Methods) {
  EXPECT_EQ(formats(moe(R"({"quant_method":"fp8","weight_block_size":[128,128]})")),
            "fp8-block fp8-block fp8-block bf16 bf16");
  EXPECT_EQ(formats(moe(R"({"quant_method":"fbgemm_fp8"})")), "fp8 fp8 fp8 bf16 bf16");
  EXPECT_EQ(formats(moe(R"({"quant_method":"awq","bits":4})")), "int4 int4 int4 bf16 bf16");
  EXPECT_EQ(formats(moe(R"({"quant_method":"gptq","bits":8})")),
            "int8-weight-only int8-weight-only int8-weight-only bf16 bf16");
  EXPECT_EQ(formats(moe(R"({"quant_method":"bitsandbytes","load_in_4bit":true})")),
            "nf4 nf4 nf4 bf16 bf16");
  EXPECT_EQ(
      formats(moe(
          R"({"quant_method":"mxfp4","modules_to_not_convert":["model.layers.*.self_attn","lm_head"]})")),
      "bf16 mxfp4 mxfp4 bf16 bf16");
}

TEST(Quantisation, ListsOfExceptions) {
  // modelopt: shared experts and attention named layer by layer.
  EXPECT_EQ(
      formats(moe(
          R"({"quant_method":"modelopt","quant_algo":"NVFP4","ignore":["lm_head","model.layers.0.self_attn*",
      "model.layers.1.self_attn*","model.layers.2.self_attn*","model.layers.3.self_attn*","model.layers.0.mlp.gate"]})")),
      "bf16 nvfp4 nvfp4 bf16 bf16");
  // compressed-tensors: patterns.
  EXPECT_EQ(
      formats(moe(
          R"({"quant_method":"compressed-tensors","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4,"type":"int",
      "group_size":32}}},"ignore":["lm_head","re:.*self_attn.*","re:.*shared_experts.*"]})")),
      "bf16 bf16 int4 bf16 bf16");
  // Norms and routers are never quantised: naming them says nothing about the rest.
  EXPECT_EQ(
      formats(moe(
          R"({"quant_method":"fp8","modules_to_not_convert":["model.layers.0.self_attn.kv_a_layernorm",
      "model.layers.1.self_attn.kv_a_layernorm","model.layers.2.self_attn.kv_a_layernorm","model.layers.3.input_layernorm","gate"]})")),
      "fp8 fp8 fp8 bf16 bf16");
}

TEST(Quantisation, MixedPrecision) {
  EXPECT_EQ(
      formats(moe(R"({"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{
      "model.layers.0.self_attn.q_proj":{"quant_algo":"FP8"},"model.layers.0.mlp.experts":{"quant_algo":"W4A16_NVFP4"},
      "lm_head":{"quant_algo":"W4A16_NVFP4"}}})")),
      "fp8 bf16 nvfp4 bf16 nvfp4");
  // fp8 in blocks everywhere, the experts in nvfp4; the exceptions concern nvfp4 only.
  EXPECT_EQ(
      formats(moe(
          R"({"quant_method":"fp8","weight_block_size":[128,128],"quant_algo":"MIXED_PRECISION","ignore":["*.attn.*"],
      "quantized_layers":{"layers.0.ffn.experts":{"quant_algo":"NVFP4"}}})")),
      "fp8-block fp8-block nvfp4 bf16 bf16");
}

TEST(Quantisation, UnknownMethodIsANote) {
  const Architecture model = moe(R"({"quant_method":"dreams"})");
  EXPECT_EQ(formats(model), "bf16 bf16 bf16 bf16 bf16");
  ASSERT_EQ(model.notes.size(), 1U);
  EXPECT_EQ(model.notes[0], "unknown quantisation \"dreams\": weights are counted as bf16");
}

TEST(Quantisation, DeepSeekV4StatesItsExpertsApart) {
  const Architecture model = read(
      R"({"model_type":"qwen3_moe","hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,"head_dim":16,
      "vocab_size":100,"num_experts":8,"num_experts_per_tok":2,"moe_intermediate_size":32,"expert_dtype":"fp4",
      "quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}})");
  EXPECT_EQ(formats(model), "fp8-block fp8-block mxfp4 bf16 bf16");
}

}  // namespace
}  // namespace portolan::model
