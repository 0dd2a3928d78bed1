// A constant number of clients: what must hold whatever the kernels cost.
#include "serving/closed_loop.hpp"

#include <gtest/gtest.h>

#include "tests/cost/parts.hpp"

namespace portolan::serving {
namespace {

cost::Engine plain(cost::PrefillPolicy prefill = cost::PrefillPolicy::kMixed) {
  cost::Engine engine = *cost::find_engine("vllm", "0.19");
  engine.prefill = prefill;
  engine.captured_prompt_tokens = 1e9;
  engine.per_output_token = engine.after_decode = Seconds(0);
  return engine;
}

cost::StepModel step_of(const cost::Engine& engine, const cost::Deployment& deployment = {}) {
  return cost::StepModel::compile(parts::llama_8b(), parts::machine(parts::h100(), 8), deployment,
                                  engine)
      .value();
}

constexpr EngineLimits kLimits{.max_sequences = 1024, .max_batched_tokens = 8192};
constexpr ClosedLoop kLoad{
    .clients = 16, .input_tokens = 1000, .output_tokens = 200, .shortest = 0.8};

TEST(ClosedLoop, OneClientIsPromptThenDecodes) {
  cost::Engine engine = plain();
  engine.async_scheduling = false;
  engine.front_end = Seconds(5e-3);
  engine.per_prompt_token = Seconds(1e-6);
  const cost::StepModel step = step_of(engine);
  const ClosedLoopResult r = closed_loop(
      step, {.clients = 1, .requests = 4, .input_tokens = 1000, .output_tokens = 101}, kLimits);
  const double prompt =
      step.time({.prefill_requests = 1, .prefill_tokens = 1000, .sampled = 1}).total.raw();
  EXPECT_NEAR(r.ttft_mean.raw(), 5e-3 + 1e-3 + prompt, 1e-9);
  const double middle =
      step.time({.decode_requests = 1, .decode_context = 1050.5, .sampled = 1}).total.raw();
  EXPECT_NEAR(r.tpot_mean.raw() / middle, 1, 0.01);
  EXPECT_NEAR(r.e2e_mean.raw(), r.ttft_mean.raw() + 100 * r.tpot_mean.raw(), 1e-6);
  EXPECT_NEAR(r.output_tokens_per_second * r.e2e_mean.raw(), 101, 1);
}

TEST(ClosedLoop, LittlesLaw) {
  const ClosedLoopResult r = closed_loop(step_of(plain()), kLoad, kLimits);
  const double rate = r.output_tokens_per_second / (0.9 * 200);
  // Clients are always waiting for an answer but for the tail of the run.
  EXPECT_NEAR(rate * r.e2e_mean.raw() / 16, 1, 0.12);
}

TEST(ClosedLoop, MoreClientsWaitLongerAndGetMoreDone) {
  const cost::StepModel step = step_of(plain());
  ClosedLoopResult last;
  for (const double clients : {1.0, 4.0, 16.0, 64.0}) {
    ClosedLoop load = kLoad;
    load.clients = clients;
    const ClosedLoopResult r = closed_loop(step, load, kLimits);
    EXPECT_GT(r.tpot_mean.raw(), last.tpot_mean.raw()) << clients;
    EXPECT_GT(r.output_tokens_per_second, last.output_tokens_per_second) << clients;
    last = r;
  }
}

TEST(ClosedLoop, TheQueueForSlotsIsInTheTimeToFirstToken) {
  const cost::StepModel step = step_of(plain());
  EngineLimits narrow = kLimits;
  narrow.kv_sequences = 8;
  const ClosedLoopResult wide = closed_loop(step, kLoad, kLimits),
                         queued = closed_loop(step, kLoad, narrow);
  // Half of the clients wait for the other half.
  EXPECT_GT(queued.ttft_mean.raw(), 0.4 * queued.e2e_mean.raw());
  EXPECT_LT(queued.tpot_mean.raw(), wide.tpot_mean.raw());
  EXPECT_LE(queued.batch, 8.0);
  // Nothing fits.
  narrow.kv_sequences = 0.5;
  EXPECT_EQ(closed_loop(step, kLoad, narrow).tpot_mean.raw(), 0);
}

TEST(ClosedLoop, PollingDelaysTheFirstTokenNotTheOthers) {
  const cost::StepModel step = step_of(plain(cost::PrefillPolicy::kFirst));
  ClosedLoop load = kLoad;
  const ClosedLoopResult at_once = closed_loop(step, load, kLimits);
  load.poll_steps = 30;
  const ClosedLoopResult polled = closed_loop(step, load, kLimits);
  EXPECT_GT(polled.ttft_mean.raw(), at_once.ttft_mean.raw() + 5 * at_once.tpot_mean.raw());
  EXPECT_LT(polled.tpot_mean.raw(), 1.05 * at_once.tpot_mean.raw());
}

TEST(ClosedLoop, AnArrivalWaitsForTheStepThatIsAlreadyComposed) {
  cost::Engine engine = plain();
  engine.async_scheduling = false;
  const ClosedLoopResult sync = closed_loop(step_of(engine), kLoad, kLimits);
  engine.async_scheduling = true;
  const ClosedLoopResult async = closed_loop(step_of(engine), kLoad, kLimits);
  EXPECT_GT(async.ttft_mean.raw(), sync.ttft_mean.raw());
  EXPECT_LT(async.ttft_mean.raw(), sync.ttft_mean.raw() + 2 * sync.tpot_mean.raw());
}

TEST(ClosedLoop, AcceptedDraftsShortenTheWaitForTokens) {
  const cost::StepModel step = step_of(plain());
  ClosedLoop load = kLoad;
  load.clients = 4;
  const double none = closed_loop(step, load, kLimits).tpot_mean.raw();
  load.drafted = 1;
  load.acceptance = 1;
  const double all = closed_loop(step, load, kLimits).tpot_mean.raw();
  load.acceptance = 0;
  const double wasted = closed_loop(step, load, kLimits).tpot_mean.raw();
  EXPECT_LT(all, 0.65 * none);
  EXPECT_GT(all, 0.45 * none);
  EXPECT_GT(wasted, none);
}

TEST(ClosedLoop, SameInputSameResult) {
  const cost::StepModel step = step_of(plain());
  EXPECT_EQ(closed_loop(step, kLoad, kLimits).ttft_mean.raw(),
            closed_loop(step, kLoad, kLimits).ttft_mean.raw());
}

}  // namespace
}  // namespace portolan::serving
