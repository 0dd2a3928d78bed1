#include "training/activations.hpp"

#include <gtest/gtest.h>

#include "tests/training/parts.hpp"

namespace portolan::training {
namespace {

/// Activations and states of the first stage in GiB, arXiv 2205.05198 table 3 and figures 1, 7:
/// exact, the formulas are arithmetic.
struct Paper {
  const char* name;
  std::int64_t layers, hidden, heads;
  int tp, pp, virtual_stages, microbatch;
  double tp_only, selective, states;
};
constexpr Paper kPapers[] = {
    {"22B", 48, 6144, 64, 8, 1, 1, 4, 59.25, 9.5625, 45.5625},
    {"175B", 96, 12288, 96, 8, 8, 3, 1, 66.84375, 12.3515625, 45.5625},
    {"530B", 105, 20480, 128, 8, 35, 3, 1, 114.0234375, 23.076171875, 31.640625},
    {"1T", 128, 25600, 160, 8, 64, 1, 1, 131.25, 26.5625, 32.958984375},
};

class PaperTable : public testing::TestWithParam<Paper> {};

double kept(const Paper& p, bool sequence_parallel, Recompute recompute) {
  const auto a = parts::gpt(p.layers, p.hidden, p.heads);
  const ActivationCase how{.tp = static_cast<double>(p.tp),
                           .sequence_parallel = sequence_parallel,
                           .flash_attention = false,
                           .dropout = true,
                           .fp8 = false,
                           .sequence = 2048};
  const LayerActivations layer =
      layer_activations(a.layers.front().mixer, a.layers.front().channel, p.hidden, how);
  const double per_stage = static_cast<double>(p.layers) / p.pp;
  const double in_flight = microbatches_in_flight(1000, 0, p.pp, p.virtual_stages);
  return layer.kept[static_cast<std::size_t>(recompute)] * 2048 * p.microbatch * per_stage *
         in_flight / kGiB.raw();
}

TEST_P(PaperTable, Activations) {
  EXPECT_DOUBLE_EQ(kept(GetParam(), false, Recompute::kNone), GetParam().tp_only);
  EXPECT_DOUBLE_EQ(kept(GetParam(), true, Recompute::kSelective), GetParam().selective);
}

TEST_P(PaperTable, WeightsGradientsAndOptimizer) {
  const Paper& p = GetParam();
  Job job = parts::job(2048, 8 * p.pp * p.microbatch);
  job.optimizer = Optimizer::kAdamMegatron;
  job.stack = unfused_stack();
  const auto trainer =
      Trainer::compile(parts::gpt(p.layers, p.hidden, p.heads), parts::machine(), job);
  ASSERT_TRUE(trainer);
  const Strategy strategy{.tp = p.tp,
                          .pp = p.pp,
                          .zero = 0,
                          .microbatch = p.microbatch,
                          .virtual_stages = p.virtual_stages};
  const auto run = trainer->evaluate(strategy, p.pp);
  ASSERT_TRUE(run);
  EXPECT_DOUBLE_EQ((run->memory.weights + run->memory.gradients + run->memory.optimizer).in(kGiB),
                   p.states);
}

INSTANTIATE_TEST_SUITE_P(Korthikanti2022, PaperTable, testing::ValuesIn(kPapers),
                         [](const auto& paper) { return "Gpt" + std::string(paper.param.name); });

TEST(Activations, ClassicLayerWithoutTensorParallelismKeeps34hPlus5as) {
  const auto a = parts::gpt(1, 1024, 16);
  const ActivationCase how{.flash_attention = false, .dropout = true, .sequence = 512};
  EXPECT_DOUBLE_EQ(
      layer_activations(a.layers.front().mixer, a.layers.front().channel, 1024, how).kept[0],
      34.0 * 1024 + 5.0 * 16 * 512);
}

TEST(Activations, LlamaLayer) {
  const auto a = parts::llama3_8b();
  const auto layer =
      layer_activations(a.layers.front().mixer, a.layers.front().channel, 4096, {.sequence = 8192});
  EXPECT_DOUBLE_EQ(layer.kept[0], 139392);  // 8h + 4ad + 4kd + 4a + 6f
  EXPECT_NEAR(layer.kept[0] * 8192 * 32 / kGiB.raw(), 34.03, 0.005);
  EXPECT_DOUBLE_EQ(layer.kept[2] * 8192 * 32 / kGiB.raw(), 2.0);
  // Norm outputs 4h and the product 2f are computed again.
  EXPECT_DOUBLE_EQ(layer.kept[0] - layer.kept[1], 4.0 * 4096 + 2.0 * 14336);
}

TEST(Activations, MixtureOfExpertsReplacesTheMlp) {
  const auto a = parts::qwen3_30b_a3b();
  const model::LayerRun& run = a.layers.front();
  const auto layer = layer_activations(run.mixer, run.channel, 2048, {.sequence = 4096});
  const double attention = 8.0 * 2048 + 4.0 * 32 * 128 + 4.0 * 4 * 128 + 4.0 * 32;
  EXPECT_DOUBLE_EQ(layer.kept[0], attention + 8 * (4.0 * 2048 + 6.0 * 768) + 4.0 * 128);
  const auto skewed =
      layer_activations(run.mixer, run.channel, 2048, {.sequence = 4096, .expert_imbalance = 1.1});
  EXPECT_DOUBLE_EQ(skewed.kept[0] - layer.kept[0], 0.1 * 8 * (4.0 * 2048 + 6.0 * 768));
}

TEST(Activations, LatentAttentionKeepsLatentsAndExpandedHeads) {
  model::Mixer m;  // DeepSeek-V3
  m.kind = model::MixerKind::kMla;
  m.heads = 128;
  m.q_rank = 1536;
  m.kv_rank = 512;
  m.nope_dim = 128;
  m.rope_dim = 64;
  m.v_head_dim = 128;
  const auto layer = layer_activations(m, {}, 7168, {.sequence = 4096});
  const double latents = 2.0 * (1536 + 512 + 64), heads = 4.0 * 128 * 192 + 4.0 * 128 * 128;
  EXPECT_DOUBLE_EQ(layer.kept[0], 4.0 * 7168 + latents + heads + 4.0 * 128);
  EXPECT_DOUBLE_EQ(layer.kept[1], 2.0 * 7168 + latents + 2.0 * 128 * 128 + 4.0 * 128);
}

TEST(Activations, InFlight) {
  EXPECT_EQ(microbatches_in_flight(64, 0, 8, 1), 8);
  EXPECT_EQ(microbatches_in_flight(64, 7, 8, 1), 1);
  EXPECT_EQ(microbatches_in_flight(3, 0, 8, 1), 3);
  EXPECT_DOUBLE_EQ(microbatches_in_flight(64, 0, 8, 3), 8 * (1 + 7.0 / 24));
}

TEST(Activations, LogitsOfTheLastStage) {
  const auto trainer = Trainer::compile(parts::llama3_8b(), parts::machine(1), parts::job(8192, 8));
  ASSERT_TRUE(trainer);
  const auto run = trainer->evaluate({.recompute = Recompute::kFull}, 1);
  ASSERT_TRUE(run);
  EXPECT_NEAR(run->memory.logits.in(kGiB), 9.785, 0.001);  // 8192 · 128256 · 10 B
}

}  // namespace
}  // namespace portolan::training
