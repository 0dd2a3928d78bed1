#include "measure/training_fit.hpp"

#include <fmt/format.h>

#include "market/catalogue.hpp"
#include "model/embedded.hpp"

namespace portolan::measure {
namespace {

/// Points whose truth is the stack with other constants.
std::vector<StepPoint> points_of(const training::Stack& truth) {
  static const auto kCatalogue = market::Catalogue::embedded().value();
  static const auto kModels = model::Library::open(model::embedded_models()).value();
  std::string csv =
      "model,layers,hidden,heads,kv_heads,ffn,vocab,attention,seq_len,gpu,gpus,tp,pp,fsdp_or_zero,"
      "microbatch,global_batch,precision,recompute,task,framework,step_time_s,date\n";
  for (const int hidden : {1024, 2048, 4096}) {
    for (const int tp : {1, 2, 4, 8}) {
      for (const int sequence : {2048, 8192}) {
        csv += fmt::format(
            "m{0},24,{0},16,16,{1},51200,MHA,{2},H100-80GB,8,{3},1,ZeRO-1,1,64,bf16,none,pretrain,"
            "Megatron-Bridge NeMo 26.04,1,2026-04-01\n",
            hidden, 4 * hidden, sequence, tp);
      }
    }
  }
  const KnownThings known{
      .accelerators = kCatalogue->accelerators(), .models = kModels, .threads = 1};
  auto points = step_points(Table::parse(csv, "t.csv").value(), known, "megatron-bridge-2026");
  for (StepPoint& point : points) point.measured = point.predict(truth);
  return points;
}

TEST(TrainingFit, FindsTheConstantsThatMadeThePoints) {
  const training::Stack& start = training::fused_stack();
  training::Stack truth = start;
  truth.product_share = 0.65;
  truth.elementwise_passes = 2.4;
  truth.corrections.tensor = 1.8;
  const auto points = points_of(truth);
  ASSERT_EQ(points.size(), 24u);
  const std::vector<std::string> levers = {"product_share", "elementwise_passes", "tensor"};
  const StackFit fit = fit_stack(points, start, levers);
  EXPECT_GT(fit.before.median_ape, 0.05);
  EXPECT_LT(fit.fitted.median_ape, 0.01);
  EXPECT_LT(fit.left_out.median_ape, 0.02);
  EXPECT_NEAR(fit.values[0], 0.65, 0.02);
  EXPECT_NEAR(fit.values[1] / 2.4, 1, 0.1);
  EXPECT_NEAR(fit.values[2] / 1.8, 1, 0.2);
}

TEST(TrainingFit, StaysWhereNothingSpeaksAgainst) {
  const training::Stack& start = training::fused_stack();
  const auto points = points_of(start);
  const std::vector<std::string> levers = {"product_share", "expert_exchange"};
  const StackFit fit = fit_stack(points, start, levers);
  EXPECT_NEAR(fit.values[0], start.product_share, 1e-3);
  EXPECT_NEAR(fit.values[1], start.corrections.expert_exchange, 1e-3);  // nothing dispatches
}

TEST(TrainingFit, EveryLeverMovesItsConstant) {
  for (const Lever& lever : stack_levers()) {
    training::Stack stack;
    const double value = (lever.low + lever.high) / 2;
    lever.set(stack, value);
    EXPECT_EQ(lever.get(stack), value) << lever.name;
    EXPECT_LT(lever.low, lever.high);
  }
}

TEST(TrainingFit, EveryStackSaysWhereItIsFrom) {
  for (const training::Stack& stack : training::stacks()) {
    EXPECT_FALSE(stack.source.empty()) << stack.name;
    EXPECT_FALSE(stack.date.empty()) << stack.name;
    EXPECT_EQ(training::find_stack(stack.name), &stack);
  }
}

}  // namespace
}  // namespace portolan::measure
