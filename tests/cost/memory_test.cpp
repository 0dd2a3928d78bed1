#include "cost/memory.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "model/count.hpp"
#include "model/numeric_format.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

TEST(Memory, SequenceBytesOfOneRankAreTheArchitectures) {
  for (const model::Architecture& a :
       {parts::llama_8b(), parts::mixtral_8x7b(), parts::deepseek_v3(), parts::gpt_oss_20b()}) {
    EXPECT_NEAR(sequence_bytes(a, {}, 8192).raw(), model::kv_bytes(a, 8192, 2).raw(), 1);
  }
}

TEST(Memory, KeyValueHeadsAreCeiledAndLatentsAreNotDivided) {
  // 8 KV heads over 16 ranks: one each, so half of the 8-rank share is not reached.
  EXPECT_NEAR(sequence_bytes(parts::llama_70b(), {.tp = 8}, 1024).raw(), 327680.0 * 1024 / 8, 1);
  EXPECT_NEAR(sequence_bytes(parts::llama_70b(), {.tp = 16}, 1024).raw(), 327680.0 * 1024 / 8, 1);
  EXPECT_NEAR(sequence_bytes(parts::deepseek_v3(), {.tp = 8}, 1024).raw(), 70272.0 * 1024, 1);
}

TEST(Memory, WeightsOfOneRankAreTheFile) {
  const model::Architecture a = parts::llama_8b();
  const Machine m = parts::machine(parts::h100());
  // 128,256 tokens are a multiple of 64: no padding.
  EXPECT_NEAR(memory_layout(a, m, {}, {}).weights.raw(), model::weight_bytes(a, std::nullopt).raw(),
              1);
  EXPECT_NEAR(memory_layout(a, m, {}, {}).weights.raw(), 2.0 * 8030261248, 2 * 8030261248 * 1e-3);
}

TEST(Memory, ShardsReplicateNormsRouterAndLatentDown) {
  const model::Architecture a = parts::deepseek_v3();
  const Machine m = parts::machine(parts::h200(), 8);
  const double whole = model::weight_bytes(a, std::nullopt).raw();
  const double rank = memory_layout(a, m, {.tp = 8, .ep = 8}, {}).weights.raw();
  EXPECT_GT(rank, whole / 8 * 1.005);
  EXPECT_LT(rank, whole / 8 * 1.05);
}

TEST(Memory, PipelineTakesTheFullestStage) {
  const model::Architecture a = parts::llama_70b();
  const Machine m = parts::machine(parts::h100(), 8);
  const double layer = (memory_layout(a, m, {}, {}).weights.raw() - 2.0 * 2 * 128256 * 8192) / 80;
  // 80 layers over 3 stages: 26 with the embedding, 27, 26 with the head.
  const double two = memory_layout(a, m, {.pp = 3}, {}).weights.raw();
  EXPECT_NEAR(two, std::max(27 * layer, 27 * layer + 2.0 * 128256 * 8192), 3 * layer * 0.5);
  EXPECT_GT(two, 26 * layer + 2.0 * 128256 * 8192 - 1e6);
}

// Recorded vLLM block counts, block of 16 tokens, utilisation 0.9 (serving.md §1.3).
TEST(MemoryLayout, RecordedBlockCounts) {
  struct Case {
    const char* name;
    model::Architecture architecture;
    const hardware::Accelerator& gpu;
    int tp;
    double budget, sequences, blocks, tolerance;
  };
  for (const Case& c :
       {Case{"Llama-3.1-8B 4090", parts::llama_8b(), parts::rtx4090(), 1, 2048, 256, 2588, 0.05},
        Case{"Llama-2-7B", parts::llama2_7b(), parts::h100(), 1, 2048, 128, 7463, 0.03},
        Case{"Qwen2.5-7B", parts::qwen25_7b(), parts::h100(), 1, 2048, 128, 65368, 0.03},
        Case{"Mistral-Nemo", parts::nemo_12b(), parts::h100(), 1, 2048, 128, 19251, 0.03},
        Case{"Mistral-Nemo tp2", parts::nemo_12b(), parts::h100(), 2, 2048, 128, 48009, 0.03},
        Case{"Yi-34B tp2", parts::yi_34b(), parts::h100(), 2, 2048, 128, 20793, 0.03},
        Case{"Llama-3.1-70B tp4 2048", parts::llama_70b(), parts::h100(), 4, 2048, 128, 30425,
             0.03},
        Case{"Llama-3.1-70B tp4 8192", parts::llama_70b(), parts::h100(), 4, 8192, 128, 30251,
             0.03}}) {
    const Deployment deployment{.tp = c.tp};
    const MemoryLayout layout = memory_layout(
        c.architecture, parts::machine(c.gpu, c.tp), deployment,
        {.utilisation = 0.9, .max_batched_tokens = c.budget, .max_sequences = c.sequences});
    const double block = sequence_bytes(c.architecture, deployment, 16).raw();
    const double blocks = layout.left_for_sequences().raw() / block;
    EXPECT_NEAR(blocks / c.blocks, 1.0, c.tolerance) << c.name;
  }
}

TEST(Memory, GptOssIsChargedByWindow) {
  // 32 sequences of 8,192 tokens, bf16: 6.09 GiB with windows, 12.0 when every layer is charged in
  // full.
  EXPECT_NEAR(32 * sequence_bytes(parts::gpt_oss_20b(), {}, 8192).in(kGiB), 6.09, 0.01);
}

TEST(Memory, NothingFitsWhenWeightsDoNot) {
  const model::Architecture a = parts::llama_70b();
  const Machine m = parts::machine(parts::h100());
  const MemoryLayout layout = memory_layout(a, m, {}, {});
  EXPECT_EQ(max_sequences(a, layout, {}, 1024), 0);
  EXPECT_EQ(max_context(a, layout, {}, 1), 0);
}

TEST(Memory, ContextIsTheInverseOfSequenceBytes) {
  const model::Architecture a = parts::llama_8b();
  const Machine m = parts::machine(parts::h100());
  const MemoryLayout layout = memory_layout(a, m, {}, {});
  for (const std::int64_t sequences : {1, 3, 64}) {
    const std::int64_t tokens = max_context(a, layout, {}, sequences);
    const auto n = static_cast<double>(sequences);
    EXPECT_LE(n * sequence_bytes(a, {}, static_cast<double>(tokens)).raw(),
              layout.left_for_sequences().raw());
    EXPECT_GT(n * sequence_bytes(a, {}, static_cast<double>(tokens + 1)).raw(),
              layout.left_for_sequences().raw());
  }
}

TEST(Memory, EncodersNeedNoCacheAndNoLogits) {
  model::Architecture a = parts::decoder({.layers = 24,
                                          .hidden = 1024,
                                          .heads = 16,
                                          .kv_heads = 16,
                                          .head_dim = 64,
                                          .ffn = 4096,
                                          .vocab = 250002,
                                          .tied = true});
  a.causal = false;
  a.lm_head = false;
  const Machine m = parts::machine(parts::h100());
  const MemoryLayout layout =
      memory_layout(a, m, {}, {.max_batched_tokens = 8192, .max_sequences = 256});
  EXPECT_EQ(sequence_bytes(a, {}, 8192).raw(), 0);
  EXPECT_EQ(max_sequences(a, layout, {}, 8192), kUnlimitedSequences);
  EXPECT_LT(layout.activations.in(kGB), 0.25);
}

RC_GTEST_PROP(MemoryLaw, MoreMemoryNeverLessFeasible, ()) {
  hardware::Accelerator bigger = parts::h100();
  bigger.memory *= 1.0 + *rc::gen::inRange(0, 300) / 100.0;
  const int tp = 1 << *rc::gen::inRange(0, 4);
  const double tokens = *rc::gen::inRange(1, 100000);
  const model::Architecture a = parts::llama_70b();
  const Deployment deployment{.tp = tp};
  const auto fit = [&](const hardware::Accelerator& gpu) {
    return max_sequences(a, memory_layout(a, parts::machine(gpu, 8), deployment, {}), deployment,
                         tokens);
  };
  RC_ASSERT(fit(bigger) >= fit(parts::h100()));
}

RC_GTEST_PROP(MemoryLaw, MoreRanksNeverMoreMemoryEach, ()) {
  const model::Architecture a =
      *rc::gen::element(parts::llama_70b(), parts::mixtral_8x22b(), parts::deepseek_v3());
  const int tp = 1 << *rc::gen::inRange(0, 3);
  const Machine m = parts::machine(parts::b300(), 8);
  const MemoryLayout one = memory_layout(a, m, {.tp = tp}, {}),
                     two = memory_layout(a, m, {.tp = 2 * tp}, {});
  RC_ASSERT(two.weights <= one.weights);
  RC_ASSERT(two.kv_per_token <= one.kv_per_token);
  RC_ASSERT(two.activations <= one.activations);
}

}  // namespace
}  // namespace portolan::cost
