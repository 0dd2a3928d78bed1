// Volumes of training.md §6: what each axis of a strategy sends, against the collectives of the
// cost model.
#include <gtest/gtest.h>

#include "cost/machine.hpp"
#include "tests/training/parts.hpp"
#include "training/run.hpp"

namespace portolan::training {
namespace {

using cost::CollectiveKind;

constexpr double kLayers = 16, kHidden = 4096, kSequence = 2048;
constexpr double kParameters = 12 * kLayers * kHidden * kHidden;

/// A stack in which nothing hides.
Stack bare_stack() {
  Stack stack = fused_stack();
  stack.data_overlap = stack.tensor_overlap = stack.expert_overlap = stack.pipeline_overlap = 0;
  stack.corrections = {};
  return stack;
}

Job bare_job(double sequences) {
  Job job = parts::job(kSequence, sequences);
  job.stack = bare_stack();
  return job;
}

double exchange(const model::Architecture& architecture, const Job& job, const Strategy& strategy) {
  const auto trainer = Trainer::compile(architecture, parts::machine(), job);
  const auto run = trainer->evaluate(strategy, strategy.accelerators() / 8);
  EXPECT_TRUE(run);
  return run ? run->exposed_communication.raw() : 0;
}
double exchange(const Job& job, const Strategy& strategy) {
  return exchange(
      parts::gpt(static_cast<std::int64_t>(kLayers), static_cast<std::int64_t>(kHidden), 32), job,
      strategy);
}

double collective(CollectiveKind kind, double bytes, std::int64_t ranks, std::int64_t per_node) {
  return cost::collective_time(parts::machine(), kind, Bytes{bytes}, ranks, per_node).raw();
}

TEST(TensorParallel, TwoExchangesPerLayerAndPass) {
  const double x = kSequence * kHidden * 2;
  const double once = collective(CollectiveKind::kAllGather, x, 8, 8) +
                      collective(CollectiveKind::kReduceScatter, x, 8, 8);
  const Strategy strategy{.tp = 8, .zero = 0};
  // Two per layer, forward and backward, and the embedding's; four microbatches.
  EXPECT_NEAR(exchange(bare_job(4), strategy) / (4 * (2 * 2 * kLayers + 2) * once), 1, 1e-9);
  Strategy recomputed = strategy;
  recomputed.recompute = Recompute::kFull;
  EXPECT_NEAR(exchange(bare_job(4), recomputed) / (4 * (3 * 2 * kLayers + 2) * once), 1, 1e-9);
  Job whole = bare_job(4);
  whole.stack.sequence_parallel = false;
  const double reduced = collective(CollectiveKind::kAllReduce, x, 8, 8);
  EXPECT_NEAR(exchange(whole, strategy) / (4 * (2 * 2 * kLayers + 2) * reduced), 1, 1e-9);
}

TEST(DataParallel, GradientsOnceWeightsOnce) {
  const double gradients = 2 * kParameters, weights = 2 * kParameters;
  EXPECT_NEAR(exchange(bare_job(32), {.dp = 16, .zero = 0}),
              collective(CollectiveKind::kAllReduce, gradients, 16, 8), 1e-9);
  const double sharded = collective(CollectiveKind::kReduceScatter, gradients, 16, 8) +
                         collective(CollectiveKind::kAllGather, weights, 16, 8);
  EXPECT_NEAR(exchange(bare_job(32), {.dp = 16, .zero = 1}), sharded, 1e-9);
}

TEST(DataParallel, ZeroTwoReducesAndZeroThreeGathersEachMicrobatch) {
  const double reduce = collective(CollectiveKind::kReduceScatter, 2 * kParameters, 16, 8);
  const double gather = collective(CollectiveKind::kAllGather, 2 * kParameters, 16, 8);
  EXPECT_NEAR(exchange(bare_job(64), {.dp = 16, .zero = 2}), 4 * reduce + gather, 1e-9);
  EXPECT_NEAR(exchange(bare_job(64), {.dp = 16, .zero = 3}), 4 * (reduce + 2 * gather), 1e-9);
}

TEST(DataParallel, HidesBehindTheBackwardPass) {
  Job job = bare_job(32);
  const double open = exchange(job, {.dp = 16, .zero = 1});
  job.stack.data_overlap = 1;
  const double hidden = exchange(job, {.dp = 16, .zero = 1});
  EXPECT_LT(hidden, open);
  EXPECT_GE(hidden,
            open / kLayers * (1 - 1e-9));  // the last bucket has nothing left to hide behind
}

TEST(PipelineParallel, TwoHopsPerBoundaryAndTwoPerMicrobatch) {
  const double hop = collective(CollectiveKind::kPointToPoint, kSequence * kHidden * 2, 2, 2);
  EXPECT_NEAR(exchange(bare_job(32), {.pp = 8, .zero = 0}) / ((2 * 7 + 2 * 32) * hop), 1, 1e-9);
  EXPECT_NEAR(exchange(bare_job(32), {.pp = 8, .zero = 0, .virtual_stages = 2}) / (2 * 7 * 2 * hop),
              1, 1e-9);
  const double across = collective(CollectiveKind::kPointToPoint, kSequence * kHidden * 2, 2, 1);
  EXPECT_GT(across, hop);
  EXPECT_NEAR(exchange(bare_job(32), {.pp = 16, .zero = 0}) / ((2 * 15 + 2 * 32) * across), 1,
              1e-9);
}

TEST(ExpertParallel, DispatchAndCombineForwardAndBackward) {
  const auto model = parts::qwen3_30b_a3b();
  const Strategy strategy{.ep = 8, .dp = 8, .zero = 0};
  Job job = bare_job(8);
  const double with = exchange(model, job, strategy);
  job.stack.expert_overlap = 1;
  const double without = exchange(model, job, strategy);
  const double sent = kSequence * 8 * 2048 * 2;  // tokens · top-k · hidden · 16 bit
  EXPECT_NEAR((with - without) / (48 * 2 * 2 * collective(CollectiveKind::kAllToAll, sent, 8, 8)),
              1, 1e-9);
}

TEST(ContextParallel, HalvesTheTokensAndHidesItsRing) {
  Job job = parts::job(32768, 16);
  job.stack = bare_stack();
  const auto trainer = *Trainer::compile(parts::llama3_8b(), parts::machine(), job);
  const Strategy whole{.tp = 4, .dp = 2, .zero = 0, .recompute = Recompute::kFull};
  Strategy ring = whole;
  ring.cp = 2;
  ring.dp = 1;
  const auto one = trainer.evaluate(whole, 1), two = trainer.evaluate(ring, 1);
  EXPECT_NEAR(two->memory.activations / one->memory.activations, 0.5, 1e-9);
  EXPECT_NEAR(two->memory.logits / one->memory.logits, 0.5, 1e-9);
  // The rank sees half of each of twice as many sequences: the same work, its keys and values
  // hidden behind attention.
  EXPECT_NEAR(two->compute / one->compute, 1, 0.02);
  EXPECT_LT(two->exposed_communication / two->step, 0.25);
}

}  // namespace
}  // namespace portolan::training
