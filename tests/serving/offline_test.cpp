#include "serving/offline.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/cost/parts.hpp"

namespace portolan::serving {
namespace {

cost::Engine engine(bool reserves, cost::PrefillPolicy prefill) {
  cost::Engine e = cost::default_engine();
  e.reserves_outputs = reserves;
  e.prefill = prefill;
  return e;
}

cost::StepModel compiled(const cost::Engine& e, cost::Deployment deployment = {}) {
  return cost::StepModel::compile(parts::llama_8b(), parts::machine(parts::h100(), 8), deployment,
                                  e)
      .value();
}

double decode_seconds(const cost::StepModel& step, double requests, double context) {
  return step.time({.decode_requests = requests, .decode_context = context, .sampled = requests})
      .total.raw();
}

TEST(OfflineRun, AStaticBatchIsItsPromptsAndThenItsDecodes) {
  const auto step = compiled(engine(true, cost::PrefillPolicy::kFirst));
  const auto run = offline_run(step, {.requests = 8, .input_tokens = 128, .output_tokens = 16},
                               {.max_sequences = 8, .max_batched_tokens = 1024});
  ASSERT_TRUE(run);
  const double prompts =
      step.time({.prefill_requests = 8, .prefill_tokens = 1024, .sampled = 8}).total.raw();
  double decodes = 0;
  for (int i = 0; i < 15; ++i) decodes += decode_seconds(step, 8, 130.0 + i);
  EXPECT_NEAR(run->makespan.raw(), prompts + decodes, 0.005 * (prompts + decodes));
  EXPECT_NEAR(run->ttft.mean, prompts, 1e-9);
  EXPECT_NEAR(run->tpot.mean, decodes / 15, 0.005 * decodes / 15);
  EXPECT_DOUBLE_EQ(run->steps, 16);
  EXPECT_NEAR(run->output_tokens_per_second, 8 * 16 / run->makespan.raw(), 1e-6);
  EXPECT_EQ(run->preemptions, 0);
}

TEST(OfflineRun, TheTailCostsAShortRunMoreThanALongOne) {
  const auto step = compiled(engine(true, cost::PrefillPolicy::kInflight));
  const OfflineLimits limits{.max_sequences = 64, .max_batched_tokens = 2048};
  // One more than fit at once: the last runs alone.
  OfflineJob job{.requests = 65, .input_tokens = 500, .output_tokens = 200};
  const double few = offline_run(step, job, limits)->output_tokens_per_second;
  job.requests = 640;
  const double many = offline_run(step, job, limits)->output_tokens_per_second;
  EXPECT_GT(many, 1.2 * few);
}

TEST(OfflineRun, ReservedMemoryIsNeverExceededAndNobodyIsPreempted) {
  const auto step = compiled(engine(true, cost::PrefillPolicy::kInflight));
  const auto run = offline_run(step, {.requests = 100, .input_tokens = 100, .output_tokens = 300},
                               {.whole_sequences = 10.9});
  ASSERT_TRUE(run);
  EXPECT_LE(run->batch, 10.0);
  EXPECT_GT(run->batch, 9.0);
  EXPECT_EQ(run->preemptions, 0);
}

TEST(OfflineRun, AdmissionByPromptPreemptsWhenOutputsFillTheMemory) {
  const auto step = compiled(engine(false, cost::PrefillPolicy::kFirst));
  const OfflineJob job{.requests = 40, .input_tokens = 100, .output_tokens = 300};
  const auto tight = offline_run(step, job, {.whole_sequences = 10});
  const auto ample = offline_run(step, job, {});
  ASSERT_TRUE(tight && ample);
  EXPECT_GT(tight->preemptions, 0);
  EXPECT_EQ(ample->preemptions, 0);
  EXPECT_GT(tight->makespan.raw(), ample->makespan.raw());
}

TEST(OfflineRun, RequestsThatComeSlowlyDoNotWaitAndThoseThatComeTooFastDo) {
  const auto step = compiled(engine(false, cost::PrefillPolicy::kMixed));
  OfflineJob job{.requests = 50, .input_tokens = 512, .output_tokens = 50, .spacing = 5};
  const OfflineLimits limits{.max_sequences = 4};
  const auto slow = offline_run(step, job, limits);
  const double alone =
      step.time({.prefill_requests = 1, .prefill_tokens = 512, .sampled = 1}).total.raw();
  EXPECT_NEAR(slow->ttft.mean, alone, 1e-9);
  EXPECT_GT(slow->makespan.raw(), 49 * 5);
  job.spacing = 0.01;
  const auto fast = offline_run(step, job, limits);
  EXPECT_GT(fast->ttft.p99, 10 * alone);
  EXPECT_LT(fast->ttft.p50, fast->ttft.p99);
}

TEST(OfflineRun, ClientsThatWaitForTheirAnswerSeeNoQueue) {
  const auto step = compiled(engine(false, cost::PrefillPolicy::kMixed));
  const OfflineLimits limits{.max_sequences = 8};
  OfflineJob job{.requests = 80, .input_tokens = 512, .output_tokens = 50};
  const double queued = offline_run(step, job, limits)->ttft.mean;
  job.closed_loop = true;
  const double clients = offline_run(step, job, limits)->ttft.mean;
  EXPECT_LT(clients, 0.2 * queued);
}

TEST(OfflineRun, NothingFits) {
  const auto step = compiled(engine(true, cost::PrefillPolicy::kMixed));
  EXPECT_FALSE(offline_run(step, {.requests = 1, .input_tokens = 10, .output_tokens = 10},
                           {.whole_sequences = 0.5}));
}

RC_GTEST_PROP(OfflineRun, EveryRequestIsServedAndNoRunBeatsItsSteps, ()) {
  static const auto kReserving = compiled(engine(true, cost::PrefillPolicy::kInflight));
  static const auto kGrowing = compiled(engine(false, cost::PrefillPolicy::kMixed));
  static const auto kFirst = compiled(engine(false, cost::PrefillPolicy::kFirst));
  static const auto kStages = compiled(engine(true, cost::PrefillPolicy::kInflight), {.pp = 2});
  const cost::StepModel* steps[] = {&kReserving, &kGrowing, &kFirst, &kStages};
  const cost::StepModel& step = *steps[*rc::gen::inRange(0, 4)];
  const OfflineJob job{.requests = static_cast<double>(*rc::gen::inRange(1, 200)),
                       .input_tokens = static_cast<double>(*rc::gen::inRange(1, 3000)),
                       .output_tokens = static_cast<double>(*rc::gen::inRange(1, 300)),
                       .spacing = 0.001 * *rc::gen::inRange(0, 50)};
  const OfflineLimits limits{.max_sequences = static_cast<double>(*rc::gen::inRange(1, 300)),
                             .max_batched_tokens = static_cast<double>(*rc::gen::inRange(64, 8192)),
                             .whole_sequences = 0.5 * *rc::gen::inRange(4, 400)};
  const auto run = offline_run(step, job, limits);
  RC_ASSERT(run.has_value());
  RC_ASSERT(run->makespan.raw() > 0);
  RC_ASSERT(run->steps >= job.output_tokens);
  RC_ASSERT(run->ttft.mean <= run->e2e.mean + 1e-9);
  RC_ASSERT(run->e2e.p50 <= run->e2e.p99 + 1e-12);
  RC_ASSERT(run->e2e.p99 <= run->makespan.raw() + 1e-9);
  RC_ASSERT(run->batch <= limits.max_sequences + 1e-6);
}

}  // namespace
}  // namespace portolan::serving
