// Configs from strangers: refused with a place, or read within bounds; never a crash.
#include <gtest/gtest.h>

#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

std::string with(std::string_view key, std::string_view value) {
  std::string json = R"({"model_type":"llama")";
  for (const std::string_view name :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    if (name == key) continue;
    json += joined({",\"", name, "\":", name == "num_hidden_layers" ? "2" : "64"});
  }
  return joined({json, ",\"", key, "\":", value, "}"});
}

TEST(HostileConfig, NumbersOutOfRange) {
  EXPECT_EQ(refusal(with("num_hidden_layers", "1000000000000000000")),
            "invalid_input: num_hidden_layers is 1000000000000000000; expected a whole number from "
            "1 to 10,000");
  EXPECT_EQ(refusal(with("num_hidden_layers", "10001")),
            "invalid_input: num_hidden_layers is 10001; expected a whole number from 1 to 10,000");
  EXPECT_EQ(refusal(with("hidden_size", "-1")),
            "invalid_input: hidden_size is -1; expected a whole number from 1 to 10,000,000");
  EXPECT_EQ(refusal(with("hidden_size", "9223372036854775808")),
            "invalid_input: hidden_size is 9223372036854775808; expected a whole number from 1 to "
            "10,000,000");
  EXPECT_EQ(refusal(with("vocab_size", "1e300")),
            "invalid_input: vocab_size is 1e300; expected a whole number from 1 to 100,000,000");
  EXPECT_EQ(
      refusal(with("num_attention_heads", "0")),
      "invalid_input: num_attention_heads is 0; expected a whole number from 1 to 10,000,000");
  EXPECT_EQ(
      refusal(with("num_attention_heads", "4.5")),
      "invalid_input: num_attention_heads is 4.5; expected a whole number from 1 to 10,000,000");
}

TEST(HostileConfig, WrongTypes) {
  EXPECT_EQ(refusal(with("hidden_size", "\"4096\"")),
            "invalid_input: hidden_size is a text, not a whole number");
  EXPECT_EQ(refusal(with("hidden_size", "{}")),
            "invalid_input: hidden_size is an object, not a whole number");
  EXPECT_EQ(refusal(with("hidden_size", "true")),
            "invalid_input: hidden_size is a truth value, not a whole number");
  EXPECT_EQ(refusal(with("attention_bias", "\"yes\"")),
            "invalid_input: attention_bias is a text, not true or false");
  EXPECT_EQ(refusal("[]"), "invalid_input: a model config is a JSON object");
  EXPECT_EQ(refusal("3"), "invalid_input: a model config is a JSON object");
  EXPECT_EQ(refusal("{"), refusal("{"));
  EXPECT_NE(refusal("{"), "accepted");
}

TEST(HostileConfig, MissingDimensionsAreAllNamed) {
  const auto result = read_config_text(R"({"model_type":"llama_like"})", "config.json");
  ASSERT_FALSE(result.has_value());
  const Error& error = result.error();
  ASSERT_EQ(error.also.size(), 2U);
  EXPECT_EQ(error.also[0].message, "missing key \"hidden_size\"");
  EXPECT_EQ(error.also[1].message, "missing key \"num_hidden_layers\"");
  EXPECT_EQ(error.also[0].where.file, "config.json");
  EXPECT_EQ(error.also[0].where.pointer, "/hidden_size");
}

TEST(HostileConfig, ProblemsHaveLinesAndPointers) {
  const auto result =
      read_config_text("{\n \"model_type\": \"llama\",\n \"hidden_size\": -5\n}", "config.json");
  ASSERT_FALSE(result.has_value());
  const Error& first = result.error().also.empty() ? result.error() : result.error().also.front();
  EXPECT_EQ(first.where.line, 3U);
  EXPECT_EQ(first.where.pointer, "/hidden_size");
}

TEST(HostileConfig, DuplicateKeysAreRefused) {
  EXPECT_NE(refusal(R"({"model_type":"llama","hidden_size":64,"hidden_size":65})"), "accepted");
}

TEST(HostileConfig, TooManyParameters) {
  const std::string answer = refusal(
      R"({"model_type":"mixtral","hidden_size":10000000,"num_hidden_layers":10000,"num_attention_heads":10000000,
      "head_dim":10000000,"num_local_experts":100000,"intermediate_size":10000000,"vocab_size":100000000})");
  EXPECT_EQ(answer.substr(0, 7), "limit: ") << answer;
}

TEST(HostileConfig, EverythingAtItsCapIsALimitAndNotAnOverflow) {
  for (const std::string_view type : {"deepseek_v3", "nemotron_h", "qwen3_next", "gemma3n_text",
                                      "deepseek_v4", "kimi_linear", "minimax_m3", "falcon_h1"}) {
    std::string json = joined({"{\"model_type\":\"", type, "\""});
    for (const std::string_view key : {"hidden_size",
                                       "num_attention_heads",
                                       "head_dim",
                                       "intermediate_size",
                                       "moe_intermediate_size",
                                       "q_lora_rank",
                                       "kv_lora_rank",
                                       "qk_nope_head_dim",
                                       "qk_rope_head_dim",
                                       "v_head_dim",
                                       "o_lora_rank",
                                       "o_groups",
                                       "index_n_heads",
                                       "index_head_dim",
                                       "mamba_num_heads",
                                       "mamba_head_dim",
                                       "ssm_state_size",
                                       "n_groups",
                                       "linear_num_key_heads",
                                       "linear_num_value_heads",
                                       "linear_key_head_dim",
                                       "linear_value_head_dim",
                                       "laurel_rank",
                                       "shared_expert_intermediate_size",
                                       "sliding_window"}) {
      json += joined({",\"", key, "\":10000000"});
    }
    json +=
        R"(,"num_hidden_layers":10000,"vocab_size":100000000,"num_experts":100000,"num_experts_per_tok":100000,
        "hidden_size_per_layer_input":65536,"vocab_size_per_layer_input":100000000,"altup_num_inputs":1024,"hc_mult":1024,
        "num_nextn_predict_layers":1000,"n_shared_experts":100000})";
    EXPECT_EQ(refusal(json).substr(0, 7), "limit: ") << type;
  }
}

TEST(HostileConfig, ListsOfTheWrongLength) {
  EXPECT_EQ(refusal(with("layer_types", R"(["full_attention"])")),
            "invalid_input: layer_types has 1 entries for 2 layers");
  EXPECT_EQ(refusal(with("layer_types", R"(["full_attention","warp_drive"])")),
            "invalid_input: unknown layer type \"warp_drive\" of layer 1");
  EXPECT_EQ(refusal(with("layer_types", R"(["full_attention",3])")),
            "invalid_input: layer_types holds a number, not only texts");
  std::string huge = "[";
  for (int i = 0; i < 20'000; ++i) huge += "0,";
  huge += "0]";
  EXPECT_EQ(refusal(with("compress_ratios", huge)),
            "invalid_input: compress_ratios has 20,001 entries, more than the 10,000 layers a "
            "model may have");
}

TEST(HostileConfig, DeepNesting) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += R"({"text_config":)";
  EXPECT_NE(refusal(deep), "accepted");
  EXPECT_NE(refusal(with("text_config", R"({"text_config":{"text_config":{}}})")), "accepted");
}

TEST(HostileConfig, MoreKvHeadsThanHeads) {
  EXPECT_EQ(refusal(with("num_key_value_heads", "128")),
            "invalid_input: 128 KV heads are more than the 64 attention heads");
}

TEST(HostileConfig, ContradictoryExperts) {
  EXPECT_EQ(refusal(with("num_local_experts", "4,\"num_experts_per_tok\":8")),
            "invalid_input: 8 experts per token of 4 experts");
}

TEST(HostileConfig, TowersAreBounded) {
  EXPECT_NE(
      refusal(with("vision_config",
                   R"({"hidden_size":1000001,"num_hidden_layers":2,"num_attention_heads":2})")),
      "accepted");
  EXPECT_NE(
      refusal(with(
          "vision_config",
          R"({"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":2,"image_size":10000000,"patch_size":1})")),
      "accepted");
  EXPECT_NE(refusal(with("vision_config", "7")), "accepted");
}

TEST(HostileConfig, LayoutsThatAreNotKnownSayWhereTheDimensionsAre) {
  const auto nested = read_config_text(
      R"({"model_type":"t5gemma","encoder":{"hidden_size":64},"decoder":{"hidden_size":64}})", "f");
  ASSERT_FALSE(nested.has_value());
  EXPECT_NE(format_error(nested.error()).find("\"encoder\" states one"), std::string::npos)
      << format_error(nested.error());
  const auto diffusion = read_config_text(R"({"_class_name":"FluxTransformer2DModel"})", "f");
  ASSERT_FALSE(diffusion.has_value());
  EXPECT_EQ(
      diffusion.error().message,
      "\"FluxTransformer2DModel\" is a part of a diffusers pipeline, whose layers are not read");
}

TEST(HostileConfig, ControlCharactersAreEscapedInMessages) {
  const std::string answer = refusal(with("layer_types", R"(["full_attention","\u001b[2J"])"));
  EXPECT_EQ(answer.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace portolan::model
