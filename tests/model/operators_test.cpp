#include "model/operators.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/numeric_format.hpp"
#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

const Operator* find(const std::vector<Operator>& operators, std::string_view name) {
  const auto found = std::find_if(operators.begin(), operators.end(),
                                  [&](const Operator& op) { return op.name == name; });
  return found == operators.end() ? nullptr : &*found;
}

double weights_of(const std::vector<Operator>& operators) {
  double weights = 0;
  for (const Operator& op : operators) {
    if (op.kind == OpKind::kGemm)
      weights += op.count * static_cast<double>(op.n) * static_cast<double>(op.k);
    if (op.kind == OpKind::kGroupedGemm) {
      weights += op.count * static_cast<double>(op.experts) * static_cast<double>(op.n) *
                 static_cast<double>(op.k);
    }
  }
  return weights;
}

TEST(AttentionPairs, CausalWindowAndCache) {
  EXPECT_EQ(attention_pairs(8, 0, 0), 36);                 // n(n+1)/2
  EXPECT_EQ(attention_pairs(8, 0, 4), 8 * 4 - 4 * 3 / 2);  // n·w − w(w−1)/2
  EXPECT_EQ(attention_pairs(1, 99, 0), 100);               // a decode token attends to itself, too
  EXPECT_EQ(attention_pairs(1, 99, 10), 10);
  EXPECT_EQ(attention_pairs(4, 2, 4), 3 + 4 + 4 + 4);
}

TEST(ExpectedExperts, UniformRouting) {
  EXPECT_NEAR(expected_experts(128, 8, 32), 111.8, 0.05);
  EXPECT_NEAR(expected_experts(256, 8, 16), 102.0, 0.05);  // the common min(E, T·K) says 128
  EXPECT_EQ(expected_experts(8, 8, 1), 8);
  EXPECT_EQ(expected_experts(0, 0, 4), 0);
}

// 3 × forward, causal convention, all positions through the head.
TEST(TrainingFlopGoldens, PerToken) {
  EXPECT_NEAR(training_flop_per_token(named("llama-3-8b"), 8192).raw(), 5.147e10, 0.001e10);
  EXPECT_NEAR(training_flop_per_token(named("llama-3-70b"), 8192).raw(), 4.492e11, 0.001e11);
  EXPECT_NEAR(training_flop_per_token(named("llama-3.1-405b"), 8192).raw(), 2.524e12, 0.001e12);
  EXPECT_NEAR(training_flop_per_token(named("qwen3-30b-a3b"), 4096).raw(), 2.308e10, 0.001e10);
  EXPECT_NEAR(training_flop_per_token(named("deepseek-v3"), 4096).raw(), 2.504e11, 0.001e11);
}

// Absorbed decode of DeepSeek-V3: 278,528 FLOP per cached position and layer; prefill 81,920 per
// pair.
TEST(LatentAttention, AbsorbedAndExpandedForms) {
  const Architecture model = named("deepseek-v3");
  const double step =
      (decode_flop_per_token(model, 2001) - decode_flop_per_token(model, 1001)).raw();
  EXPECT_EQ(step, 61 * 278'528 * 1000.0);
  const double n = 64, pairs = n * (n + 1) / 2;
  const std::vector<Operator> operators_of_model = operators(model, {});
  const Operator* core = find(operators_of_model, "mla attention");
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(2 * core->heads * (core->d_qk + core->d_v), 81'920);
  const double linear = prefill_flop(model, n, 0, 1).raw() - 61 * 81'920 * pairs;
  const double twice =
      prefill_flop(model, 2 * n, 0, 2).raw() - 61 * 81'920 * (2 * n * (2 * n + 1) / 2);
  EXPECT_NEAR(twice, 2 * linear, 1);
}

TEST(DecodeFlop, IsTwiceTheActiveWeightsPlusAttention) {
  const Architecture model = named("llama-3-8b");
  const ParameterCount count = count_parameters(model);
  const double linear = 2.0 * static_cast<double>(count.total - count.embedding - count.norms);
  EXPECT_EQ(decode_flop_per_token(model, 1000).raw(), linear + 32.0 * 4 * 32 * 128 * 1000);
}

TEST(PrefillFlop, ChunksAddUp) {
  for (const std::string_view id : {"llama-3-8b", "gemma-3-27b", "gpt-oss-20b"}) {
    const Architecture model = named(id);
    const double whole = prefill_flop(model, 4096, 0, 1).raw();
    const double parts =
        prefill_flop(model, 1024, 0, 0).raw() + prefill_flop(model, 3072, 1024, 1).raw();
    EXPECT_NEAR(parts / whole, 1.0, 1e-12) << id;
  }
}

TEST(Operators, HoldEveryWeightOnce) {
  for (const std::string_view id :
       {"llama-3-8b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-120b", "qwen3.5-27b",
        "nemotron-h-56b", "jamba-v0.1", "qwen3-next-80b-a3b", "gemma-3-27b", "minimax-text-01",
        "opt-66b"}) {
    const Architecture model = named(id);
    const ParameterCount count = count_parameters(model);
    double expected =
        static_cast<double>(count.attention + count.mlp + count.experts + count.router);
    expected += static_cast<double>(model.vocab) * static_cast<double>(model.hidden);
    // Biases, sinks, convolutions and the small vectors of recurrences are parameters without a
    // product.
    EXPECT_NEAR(weights_of(operators(model, {})) / expected, 1.0, 0.002) << id;
  }
}

TEST(Operators, AreFewWhateverTheDepth) {
  for (const std::string_view id : library().ids()) {
    const Architecture model = named(id);
    EXPECT_LE(operators(model, {.tp = 8, .ep = 1}).size(), 80U) << id;
    EXPECT_GE(operators(model, {}).size(), 1U) << id;
  }
}

TEST(TensorParallel, DividesHeadsAndReplicatesKeys) {
  const std::vector<Operator> eight = operators(named("llama-3-70b"), {.tp = 8, .ep = 1});
  EXPECT_EQ(find(eight, "attention qkv")->n, (8 + 2) * 128);
  EXPECT_EQ(find(eight, "attention")->kv_heads, 1);
  const std::vector<Operator> sixteen = operators(named("llama-3-70b"), {.tp = 16, .ep = 1});
  EXPECT_EQ(find(sixteen, "attention qkv")->n,
            (4 + 2) * 128);  // 8 KV heads on 16 ranks: each holds one
  ASSERT_NE(find(sixteen, "attention all-reduce"), nullptr);
  EXPECT_EQ(find(sixteen, "attention all-reduce")->count, 80);
  EXPECT_EQ(find(sixteen, "attention all-reduce")->message_elements, 8192);
  EXPECT_EQ(find(operators(named("llama-3-70b"), {}), "attention all-reduce"), nullptr);
}

TEST(TensorParallel, LatentIsNotSplit) {
  const std::vector<Operator> eight = operators(named("deepseek-v3"), {.tp = 8, .ep = 1});
  EXPECT_EQ(find(eight, "mla kv down")->n, 576);
  EXPECT_EQ(find(eight, "mla attention")->heads, 16);
}

TEST(ExpertParallel, DividesExpertsThenWidths) {
  const Architecture model = named("deepseek-v3");
  const auto up = [&](int tp, int ep) {
    return *find(operators(model, {.tp = tp, .ep = ep}), "experts up");
  };
  EXPECT_EQ(up(8, 1).experts, 256);
  EXPECT_EQ(up(8, 1).n, 2 * 2048 / 8);
  EXPECT_EQ(up(8, 8).experts, 32);
  EXPECT_EQ(up(8, 8).n, 2 * 2048);
  EXPECT_EQ(up(1, 32).experts, 8);
  EXPECT_EQ(up(1, 32).token_groups, 32);
  EXPECT_NE(find(operators(model, {.tp = 1, .ep = 32}), "experts dispatch"), nullptr);
  EXPECT_EQ(find(operators(model, {.tp = 8, .ep = 8}), "experts dispatch"),
            nullptr);  // tokens are on every rank already
}

TEST(Operators, ParameterCountAloneIsOneProduct) {
  const Architecture model = named("chinchilla-70b");
  const std::vector<Operator> all = operators(model, {});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_NEAR(decode_flop_per_token(model, 1000).raw(), 2 * 70e9, 1);
  EXPECT_NEAR(training_flop_per_token(model, 2048).raw(), 6 * 70e9, 1);
}

TEST(SparseAttention, StopsGrowing) {
  const Architecture model = named("deepseek-v3.2");
  const double near = decode_flop_per_token(model, 100'000).raw(),
               far = decode_flop_per_token(model, 200'000).raw();
  // Beyond 2,048 tokens only the indexer's scores grow: 2·64·128 per token and layer.
  EXPECT_EQ(far - near, 61.0 * 2 * 64 * 128 * 100'000);
}

TEST(EncoderFlop, CountsImagesAndSourceTokens) {
  EXPECT_EQ(encoder_flop(named("llama-3-8b"), 100).raw(), 0);
  // Gemma 3: 64 × 64 patches through 27 layers.
  const Architecture gemma = named("gemma-3-27b");
  ASSERT_EQ(gemma.encoders.size(), 1U);
  const double attention = 27.0 * 4 * 1152 * 4096 * 4096;
  const double linear = 27.0 * 2 * 4096 * (4 * 1152.0 * 1152 + 2 * 1152.0 * 4304);
  EXPECT_NEAR(encoder_flop(gemma, 0).raw() / (attention + linear), 1.0, 0.002);
  // T5-11B: 24 layers of 1,024 width, 128 heads of 128, 65,536 wide, and the cross attention of 24.
  const double source = 512, h = 1024, heads = 128.0 * 128;
  const double encoder = 24 * source * (2 * (4 * h * heads + 2 * h * 65536) + 4 * heads * source);
  const double cross = 24 * source * 4 * h * heads;
  EXPECT_NEAR(encoder_flop(named("t5-11b"), source).raw() / (encoder + cross), 1.0, 1e-9);
}

TEST(StoredFormat, FollowsTheClassOfWeights) {
  const Architecture fp8 = named("deepseek-v3");
  EXPECT_EQ(stored_format(fp8, WeightClass::kExperts, std::nullopt), Format::kFp8Block);
  EXPECT_EQ(stored_format(fp8, WeightClass::kHead, std::nullopt), Format::kBf16);
  EXPECT_EQ(stored_format(fp8, WeightClass::kExperts, Format::kInt4), Format::kInt4);
  EXPECT_EQ(stored_format(fp8, WeightClass::kEmbedding, Format::kInt4), Format::kBf16);
  EXPECT_EQ(stored_format(fp8, WeightClass::kEmbedding, Format::kFp32), Format::kFp32);
  const Architecture oss = named("gpt-oss-120b");
  EXPECT_EQ(stored_format(oss, WeightClass::kExperts, std::nullopt), Format::kMxfp4);
  EXPECT_EQ(stored_format(oss, WeightClass::kAttention, std::nullopt), Format::kBf16);
}

}  // namespace
}  // namespace portolan::model
