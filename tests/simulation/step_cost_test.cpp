// Step times in whole picoseconds: close to the step model, and a run of steps is their sum.
#include "simulation/step_cost.hpp"

#include <gtest/gtest.h>

#include "tests/cost/parts.hpp"

namespace portolan::simulation {
namespace {

cost::StepModel model_of(const cost::Deployment& deployment = {}) {
  return cost::StepModel::compile(parts::llama_8b(), parts::machine(parts::h100(), 8), deployment,
                                  *cost::find_engine("vllm", "0.19"))
      .value();
}

TEST(StepCost, DecodeRunsFollowTheStepModel) {
  const StepCost cost(model_of(), 1, 0);
  for (const std::int64_t decodes : {1, 3, 17, 64, 200}) {
    for (const std::int64_t context : {1, 15, 100, 777, 5000, 60'000}) {
      const double exact = cost.model()
                               .time({.decode_requests = static_cast<double>(decodes),
                                      .decode_context = static_cast<double>(context),
                                      .sampled = static_cast<double>(decodes)})
                               .total.raw();
      const DecodeRun run = cost.decode(decodes, decodes * context, decodes);
      EXPECT_NEAR(to_seconds(run.first) / exact, 1, 1e-3) << decodes << " at " << context;
      EXPECT_GE(run.steps, 1);
    }
  }
}

TEST(StepCost, StepByStepIsTheRunAtOnce) {
  const StepCost cost(model_of(), 1, 0);
  for (const std::int64_t context_sum : {70L, 7'003L, 123'456L}) {
    const DecodeRun run = cost.decode(7, context_sum, 7);
    for (std::int64_t j = 0; j < std::min<std::int64_t>(run.steps, 50); ++j) {
      const DecodeRun later = cost.decode(7, context_sum + 7 * j, 7);
      EXPECT_EQ(later.first, run.first + j * run.growth);
      EXPECT_EQ(later.growth, run.growth);
    }
  }
}

}  // namespace
}  // namespace portolan::simulation
