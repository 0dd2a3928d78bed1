// Defects of other predictors (training.md §16), each a test that we do not have it; and what is
// said of strategies that cannot be.
#include <gtest/gtest.h>

#include "cost/roofline.hpp"
#include "tests/training/parts.hpp"
#include "training/activations.hpp"
#include "training/run.hpp"

namespace portolan::training {
namespace {

RunEstimate run_of(const model::Architecture& architecture, const Job& job,
                   const Strategy& strategy) {
  const auto trainer = Trainer::compile(architecture, parts::machine(), job);
  EXPECT_TRUE(trainer);
  const auto run = trainer->evaluate(strategy, std::max(1, strategy.accelerators() / 8));
  EXPECT_TRUE(run) << strategy_text(strategy);
  return run.value_or(RunEstimate{});
}

TEST(Anchors, EmbeddingAndLogitsCostTimeAndMemory) {
  const Job job = parts::job(2048, 64);
  const Strategy strategy{.tp = 8, .pp = 4, .dp = 2};
  const RunEstimate small = run_of(parts::gpt(32, 8192, 64, 51200), job, strategy),
                    large = run_of(parts::gpt(32, 8192, 64, 250880), job, strategy);
  EXPECT_GT(large.step, small.step);
  EXPECT_GT(large.memory.total(), small.memory.total());
  EXPECT_TRUE(large.fullest_stage == 0 || large.fullest_stage == 3);
}

TEST(Anchors, CausalAttentionIsHalf) {
  model::Architecture causal = parts::llama3_8b(), whole = causal;
  whole.layers.front().mixer.causal = false;
  Job job = parts::job(32768, 8);
  job.stack.corrections = {};
  const Strategy strategy{.dp = 8, .zero = 3, .recompute = Recompute::kFull};
  const auto core = [&](const model::Architecture& a, double sequence) {
    Job longer = job;
    longer.sequence = sequence;
    longer.global_batch_tokens = 8 * sequence;
    return run_of(a, longer, strategy).compute.raw();
  };
  // What grows with the square is the core: second differences leave it alone.
  const double s = 32768;
  const auto square = [&](const model::Architecture& a) {
    return core(a, 4 * s) / 4 - core(a, 2 * s) / 2;
  };
  EXPECT_NEAR(square(causal) / square(whole), 0.5, 0.02);
}

TEST(Anchors, LargeProductsStayBelowTheCeiling) {
  // A100: 0.87 sustained; GPT-3's products on one rank of eight.
  const double seconds = cost::gemm_time(parts::machine(), {.n = 49152, .k = 12288}, 8192).seconds;
  const double rate = 2.0 * 8192 * 49152 * 12288 / seconds;
  EXPECT_LE(rate / 989e12, 0.805);
}

TEST(Anchors, AsManyMicrobatchesAsStagesWasteHalf) {
  const RunEstimate run =
      run_of(parts::gpt(64, 8192, 64), parts::job(2048, 8), {.tp = 8, .pp = 8, .dp = 1});
  EXPECT_NEAR(run.bubble / (run.bubble + run.compute), 7.0 / 15, 0.05);
}

TEST(Anchors, ShardedStatesAreDividedOnce) {
  // P/64 on a rank, its optimizer over the eight replicas, not over all 512.
  Job job = parts::job(2048, 64);
  job.optimizer = Optimizer::kAdamMegatron;
  const model::Architecture a = parts::gpt(64, 8192, 64);
  const double p = 12.0 * 64 * 8192 * 8192 / 64;
  const RunEstimate run = run_of(a, job, {.tp = 8, .pp = 8, .dp = 8, .zero = 1});
  EXPECT_NEAR(run.memory.optimizer.raw() / (12 * p / 8), 1, 1e-9);
  EXPECT_NEAR(run.memory.gradients.raw() / (4 * p), 1, 1e-9);
  EXPECT_NEAR(run.memory.weights.raw() / (2 * p), 1, 1e-9);
}

TEST(Anchors, ActivationsKnowContextAndRecomputation) {
  const Job job = parts::job(32768, 8);
  const auto kept = [&](int cp, Recompute recompute) {
    return run_of(parts::llama3_8b(), job,
                  {.cp = cp, .dp = 8 / cp, .zero = 1, .recompute = recompute})
        .memory.activations.raw();
  };
  EXPECT_NEAR(kept(2, Recompute::kNone) / kept(1, Recompute::kNone), 0.5, 1e-9);
  EXPECT_LT(kept(1, Recompute::kFull), kept(1, Recompute::kSelective));
  EXPECT_LT(kept(1, Recompute::kSelective), kept(1, Recompute::kNone));
}

TEST(Anchors, ExpertsAreDividedByTheirOwnDegrees) {
  Job job = parts::job(4096, 64);
  job.stack.corrections = {};
  const model::Architecture a = parts::qwen3_30b_a3b();
  const double experts = 48.0 * 128 * 3 * 2048 * 768;
  const auto weights = [&](int ep) {
    return run_of(a, job, {.tp = 8, .ep = ep, .dp = 8, .zero = 0}).memory.weights.raw();
  };
  // Whole experts over eight ranks, or each split over the tensor ranks: an eighth either way; over
  // 64 ranks a 64th.
  EXPECT_NEAR((weights(8) - weights(64)) / (2 * experts * (1.0 / 8 - 1.0 / 64)), 1, 1e-6);
  EXPECT_NEAR(weights(8) / weights(1), 1, 1e-2);
}

TEST(Anchors, StatesAreNotAllThereIs) {
  for (const int zero : {0, 1, 2, 3}) {
    const RunEstimate run =
        run_of(parts::llama3_8b(), parts::job(8192, 64), {.dp = 8, .zero = zero});
    EXPECT_GT(run.memory.total().raw(),
              (run.memory.weights + run.memory.gradients + run.memory.optimizer).raw() * 1.05);
  }
}

TEST(Schedules, ZeroBubbleFillsTheDrainAndTheSecondPaysInMemory) {
  const Job job = parts::job(2048, 32);
  const model::Architecture a = parts::gpt(64, 8192, 64);
  Strategy s{.tp = 8, .pp = 8, .dp = 1};
  const RunEstimate plain = run_of(a, job, s);
  s.schedule = Schedule::kZeroBubble1;
  const RunEstimate first = run_of(a, job, s);
  s.schedule = Schedule::kZeroBubble2;
  const RunEstimate second = run_of(a, job, s);
  // With F = B = W the bubble of 1F1B falls to a third, then to nothing.
  EXPECT_NEAR(first.bubble / plain.bubble, 1.0 / 3, 0.12);
  EXPECT_LT(second.bubble, first.bubble);
  EXPECT_EQ(first.memory.total(), plain.memory.total());
  EXPECT_NEAR(second.memory.activations / plain.memory.activations, 15.0 / 8, 0.1);
}

TEST(Hybrid, ShardGroupsHoldMoreAndReduceAcross) {
  const Job job = parts::job(8192, 128);
  Strategy s{.dp = 64, .zero = 3};
  const RunEstimate all = run_of(parts::llama3_8b(), job, s);
  s.shard = 8;
  const RunEstimate groups = run_of(parts::llama3_8b(), job, s);
  EXPECT_NEAR(groups.memory.optimizer / all.memory.optimizer, 8, 1e-9);
  s.shard = 64;
  EXPECT_EQ(run_of(parts::llama3_8b(), job, s).step, all.step);
}

TEST(Optimizers, StateByRecipe) {
  const auto bytes = [](Optimizer optimizer) {
    Job job = parts::job(8192, 64);
    job.optimizer = optimizer;
    return run_of(parts::llama3_8b(), job, {.dp = 8, .zero = 0}).memory.optimizer.raw();
  };
  const double p = 8030261248;
  EXPECT_NEAR(bytes(Optimizer::kAdafactor) / (4 * p), 1, 1e-6);
  EXPECT_NEAR(bytes(Optimizer::kLion) / (8 * p), 1, 1e-6);
  // Embedding, head and final norm keep Adam's.
  EXPECT_NEAR(bytes(Optimizer::kMuon) / (8 * p + 4 * (2.0 * 128256 * 4096 + 4096)), 1, 1e-6);
  Job job = parts::job(8192, 64);
  const RunEstimate adam = run_of(parts::llama3_8b(), job, {.dp = 8, .zero = 0});
  job.optimizer = Optimizer::kMuon;
  EXPECT_GT(run_of(parts::llama3_8b(), job, {.dp = 8, .zero = 0}).optimizer_update,
            adam.optimizer_update);
}

struct Refused {
  Strategy strategy;
  const char* says;
  const char* hint;
};
class Objection : public testing::TestWithParam<Refused> {};
TEST_P(Objection, NamesTheNearestLegalValue) {
  const auto trainer =
      Trainer::compile(parts::qwen3_30b_a3b(), parts::machine(), parts::job(4096, 64));
  const Refused& refused = GetParam();
  EXPECT_FALSE(trainer->evaluate(refused.strategy, 2));
  const auto error = trainer->objection(refused.strategy, 2);
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find(refused.says), std::string::npos) << error->message;
  EXPECT_EQ(error->hint, refused.hint);
}
INSTANTIATE_TEST_SUITE_P(
    Training, Objection,
    testing::Values(
        Refused{{.tp = 3, .dp = 16}, "tp 3", "tp 2"},
        Refused{{.pp = 64, .dp = 16}, "more stages", "pp 48"},
        Refused{{.ep = 256, .dp = 16}, "ep 256", "ep 16"},
        Refused{{.tp = 8, .dp = 4}, "not 16", "dp 2"},
        Refused{{.dp = 16, .microbatch = 3}, "no multiple", "a batch of 48 samples"},
        Refused{{.pp = 2, .dp = 8, .virtual_stages = 40}, "virtual stages", "virtual_stages 25"},
        Refused{{.dp = 16, .zero = 4}, "stage 4", "zero 3"},
        Refused{{.dp = 16, .zero = 3, .shard = 5}, "shard 5", "shard 4"}));

TEST(NoObjection, NothingToSayOfALegalStrategy) {
  const auto trainer =
      Trainer::compile(parts::qwen3_30b_a3b(), parts::machine(), parts::job(4096, 64));
  EXPECT_FALSE(trainer->objection({.ep = 8, .dp = 16, .zero = 1}, 2));
}

}  // namespace
}  // namespace portolan::training
