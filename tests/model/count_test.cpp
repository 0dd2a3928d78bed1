#include "model/count.hpp"

#include <gtest/gtest.h>

#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

// (L, h, a, k, d, f, V) as in the table of goldens of the cost model.
std::string dense(std::string_view type, int layers, int hidden, int heads, int kv, int head_dim,
                  int width, int vocab) {
  return "{\"model_type\":\"" + std::string(type) +
         "\",\"num_hidden_layers\":" + std::to_string(layers) +
         ",\"hidden_size\":" + std::to_string(hidden) +
         ",\"num_attention_heads\":" + std::to_string(heads) +
         ",\"num_key_value_heads\":" + std::to_string(kv) +
         ",\"head_dim\":" + std::to_string(head_dim) +
         ",\"intermediate_size\":" + std::to_string(width) +
         ",\"vocab_size\":" + std::to_string(vocab) + "}";
}

// Exact integers of Σ layers (attention + channel + norms) + V·h·(1 or 2) + final norm, computed by
// hand from published shapes.
TEST(ParameterGoldens, DenseModelsAreExact) {
  EXPECT_EQ(count_parameters(read(dense("llama", 32, 4096, 32, 32, 128, 11008, 32000))).total,
            6'738'415'616);
  EXPECT_EQ(count_parameters(read(dense("llama", 32, 4096, 32, 8, 128, 14336, 128256))).total,
            8'030'261'248);
  EXPECT_EQ(count_parameters(read(dense("llama", 80, 8192, 64, 8, 128, 28672, 128256))).total,
            70'553'706'496);
  EXPECT_EQ(count_parameters(read(dense("llama", 126, 16384, 128, 8, 128, 53248, 128256))).total,
            405'853'388'800);
  EXPECT_EQ(count_parameters(read(dense("qwen3", 64, 5120, 64, 8, 128, 25600, 151936))).total,
            32'762'123'264);
}

TEST(ParameterGoldens, MixturesStateTotalAndActive) {
  const ParameterCount mixtral = count_parameters(named("mixtral-8x7b"));
  EXPECT_EQ(mixtral.total, 46'702'792'704);
  EXPECT_EQ(mixtral.active, 12'879'925'248);
  const ParameterCount qwen = count_parameters(named("qwen3-30b-a3b"));
  EXPECT_EQ(qwen.total, 30'532'122'624);
  EXPECT_EQ(qwen.active, 3'353'032'704);
  const ParameterCount oss = count_parameters(named("gpt-oss-120b"));
  EXPECT_EQ(oss.total, 116'829'156'672);
  EXPECT_NEAR(static_cast<double>(oss.active), 5.71e9, 0.005e9);
  EXPECT_NEAR(static_cast<double>(oss.active - oss.embedding), 5.13e9, 0.005e9);
}

TEST(ParameterGoldens, DeepSeekV3WithoutItsPredictionModule) {
  const ParameterCount count = count_parameters(named("deepseek-v3"));
  // 671,026,404,352 by the reference implementation and 58 correction biases of 256.
  EXPECT_EQ(count.total, 671'026'404'352 + 58 * 256);
  EXPECT_NEAR(static_cast<double>(count.active), 37.55e9, 0.005e9);
  EXPECT_NEAR(static_cast<double>(count.active - count.embedding), 36.62e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(count.mtp), 11.6e9, 0.1e9);
}

TEST(ParameterCountTest, PartsAddUp) {
  for (const std::string_view id : library().ids()) {
    const Architecture architecture = named(id);
    const ParameterCount c = count_parameters(architecture);
    EXPECT_EQ(c.total, c.embedding + c.head + c.attention + c.mlp + c.experts + c.router + c.norms +
                           c.encoders + c.other)
        << id;
    EXPECT_LE(c.active, c.total) << id;
    EXPECT_GT(c.total, 0) << id;
    for (const Encoder& encoder : architecture.encoders) EXPECT_GT(encoder.parameters, 0) << id;
  }
}

struct KvGolden {
  std::string_view id;
  double tokens, gib, tolerance;
};

// unslothai/unsloth#4757, recomputed (the table there prints GiB as "GB").
TEST(KvGoldens, OneSequence) {
  constexpr KvGolden kGoldens[] = {
      {"gemma-3-27b", 131072, 10.406, 0.001},   {"qwen3.5-27b", 262144, 16.000, 0.001},
      {"deepseek-v3.1", 163840, 10.723, 0.001}, {"kimi-k2.5", 262144, 17.156, 0.001},
      {"glm-5", 202752, 16.967, 0.001},         {"qwen3-0.6b", 40960, 4.375, 0.001},
      {"gpt-oss-20b", 131072, 3.003, 0.001},
  };
  for (const KvGolden& golden : kGoldens) {
    EXPECT_NEAR(gib(kv_bytes(named(golden.id), golden.tokens, 2)), golden.gib,
                golden.tolerance * golden.gib)
        << golden.id;
  }
}

TEST(KvGoldens, BytesPerToken) {
  const auto per_token = [](std::string_view id) { return kv_bytes_per_token(named(id), 2).raw(); };
  EXPECT_EQ(per_token("llama-3-8b"), 131'072);
  EXPECT_EQ(per_token("llama-3-70b"), 327'680);
  EXPECT_EQ(per_token("llama-3.1-405b"), 516'096);
  EXPECT_EQ(per_token("llama-2-7b"), 524'288);
  EXPECT_EQ(per_token("qwen3-32b"), 262'144);
  EXPECT_EQ(per_token("qwen3-30b-a3b"), 98'304);
  EXPECT_EQ(per_token("deepseek-v3"), 70'272);
}

// 48 layers of 48 value heads of 128 × 128 in fp32, and three tokens of convolution over 10,240
// channels.
TEST(StateGoldens, GatedDeltaOfQwen35) {
  const Bytes state = state_bytes(named("qwen3.5-27b"), 2);
  EXPECT_EQ(state.raw(), 48.0 * (48 * 128 * 128 * 4 + 3 * 10240 * 2));
  EXPECT_NEAR(gib(state), 0.146, 0.004);
  EXPECT_EQ(state_bytes(named("llama-3-8b"), 2).raw(), 0);
}

TEST(StateGoldens, CrossAttentionIsPerSourceToken) {
  // 32 layers of 2·20·64 elements.
  EXPECT_EQ(cross_kv_bytes_per_source_token(named("whisper-large-v3"), 2).raw(),
            32 * 2 * 20 * 64 * 2);
  EXPECT_EQ(cross_kv_bytes_per_source_token(named("llama-3-8b"), 2).raw(), 0);
}

TEST(IndexBytes, StandBesideTheKvCache) {
  // DeepSeek-V3.2: one fp8 key of 128 and a 4-byte scale per token and layer.
  EXPECT_EQ(index_bytes(named("deepseek-v3.2"), 1000).raw(), 61 * 1000 * 132.0);
  EXPECT_EQ(kv_bytes(named("deepseek-v3.2"), 1000, 2).raw(),
            kv_bytes(named("deepseek-v3"), 1000, 2).raw());
  EXPECT_EQ(index_bytes(named("deepseek-v3"), 1000).raw(), 0);
}

TEST(KvCache, EncodersKeepNothing) {
  EXPECT_EQ(kv_bytes(named("bert-base"), 512, 2).raw(), 0);
  EXPECT_EQ(kv_bytes(named("bge-reranker-v2-m3"), 512, 2).raw(), 0);
}

TEST(KvCache, CompressedAttentionKeepsOneEntryPerStride) {
  // DeepSeek-V4-Flash: 43 windows of 128, 21 layers with one entry per 4 tokens, 20 with one per
  // 128; 512 elements each.
  const Architecture flash = read(
      R"({"model_type":"deepseek_v4","hidden_size":4096,"num_hidden_layers":4,"num_attention_heads":64,
      "head_dim":512,"q_lora_rank":1024,"o_lora_rank":1024,"o_groups":8,"index_n_heads":64,"index_head_dim":128,"index_topk":512,
      "sliding_window":128,"compress_ratios":[0,4,128,4,0],"n_routed_experts":256,"num_experts_per_tok":6,"n_shared_experts":1,
      "moe_intermediate_size":2048,"vocab_size":129280})");
  EXPECT_EQ(kv_bytes(flash, 1024, 1).raw(), 512 * (4 * 128 + 2 * 256 + 8));
  EXPECT_EQ(index_bytes(flash, 1024).raw(), 2 * 256 * 132);
}

// The defect of others: a constant of bytes per token for models whose cache is not linear in
// tokens.
TEST(MaxTokens, InvertsKvBytes) {
  for (const std::string_view id : {"gemma-3-27b", "gpt-oss-20b", "gpt-oss-120b", "qwen3.5-27b",
                                    "llama-3-8b", "deepseek-v3", "gemma-2-9b"}) {
    const Architecture architecture = named(id);
    for (const double element : {2.0, 1.0, 0.5625, 1.0625}) {
      for (const std::int64_t tokens :
           {1, 127, 128, 129, 1023, 1024, 1025, 4096, 131072, 1000003}) {
        const TokenCapacity capacity = max_tokens(
            architecture, kv_bytes(architecture, static_cast<double>(tokens), element), element);
        EXPECT_EQ(capacity.tokens, tokens) << id << " " << element;
        EXPECT_FALSE(capacity.unbounded);
      }
    }
  }
}

TEST(MaxTokens, IsUnboundedWhenEveryLayerSlides) {
  const Architecture mistral = named("mistral-7b-v0.1");
  const Bytes full = kv_bytes(mistral, 4096, 2);
  EXPECT_TRUE(max_tokens(mistral, full, 2).unbounded);
  const TokenCapacity less = max_tokens(mistral, full - Bytes(1), 2);
  EXPECT_FALSE(less.unbounded);
  EXPECT_EQ(less.tokens, 4095);
  EXPECT_EQ(max_tokens(mistral, Bytes(0), 2).tokens, 0);
  EXPECT_EQ(max_tokens(mistral, Bytes(-1), 2).tokens, 0);
}

TEST(RuleParameters, AreTheRoundFigureOfTheField) {
  const auto model = library().named("gpt3-175b");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->parameters_for_rule(), 175e9);
  EXPECT_EQ(count_parameters(model->architecture).total, 174'604'259'328);
}

}  // namespace
}  // namespace portolan::model
