#include "cost/step.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstddef>

#include "tests/cost/parts.hpp"

/// Allocations of the program so far (allocations.cpp).
std::size_t allocations();

namespace portolan::cost {
namespace {

StepModel compile(const model::Architecture& a, const Machine& m,
                  const Deployment& deployment = {}) {
  auto step = StepModel::compile(a, m, deployment, default_engine());
  EXPECT_TRUE(step) << (step ? "" : step.error().message);
  return std::move(*step);
}

Batch decode(double requests, double context) {
  return {.decode_requests = requests, .decode_context = context, .sampled = requests};
}

double exact(const StepModel& step, const Batch& batch) {
  double sum = 0;
  for (const auto& op : step.breakdown(batch)) sum += op.seconds.raw();
  return sum;
}

TEST(Step, DecodeOfLlama8bIsTheWeightRead) {
  // 16.06 GB less the input embedding at 3.35 TB/s is 4.48 ms; nothing may be faster, and the rest
  // of a step is small.
  const StepModel step = compile(parts::llama_8b(), parts::machine(parts::h100()));
  const StepTime t = step.time(decode(1, 1024));
  EXPECT_GT(t.total.in(kMillisecond), 4.48);
  EXPECT_LT(t.total.in(kMillisecond), 7.5);
  EXPECT_EQ(t.bound(), Bound::kMemory);
}

TEST(Step, LongPrefillIsComputeBound) {
  const StepModel step = compile(parts::llama_8b(), parts::machine(parts::h100()));
  const StepTime t = step.time({.prefill_requests = 1, .prefill_tokens = 8192, .sampled = 1});
  EXPECT_EQ(t.bound(), Bound::kCompute);
  // 2 · 7.5e9 · 8192 FLOP in the layers at 0.8 of 989 TFLOP/s is 0.145 s, attention besides.
  EXPECT_GT(t.total.raw(), 0.145);
  EXPECT_LT(t.total.raw(), 0.20);
}

// llmservingsim profile of one RTX 4090, Llama-3.1-8B, bf16 (serving.md §1.9): kernels without
// gaps.
TEST(Step, ProfileOfOneRtx4090) {
  const StepModel step = compile(parts::llama_8b(), parts::machine(parts::rtx4090()));
  EXPECT_NEAR(step.time(decode(1, 1024)).total.in(kMillisecond) / 16.80, 1, 0.25);
  EXPECT_NEAR(step.time(decode(16, 1024)).total.in(kMillisecond) / 20.08, 1, 0.25);
  EXPECT_NEAR(step.time(decode(32, 1024)).total.in(kMillisecond) / 23.92, 1, 0.25);
  EXPECT_NEAR(step.time({.prefill_requests = 1, .prefill_tokens = 2048, .sampled = 1})
                      .total.in(kMillisecond) /
                  193.0,
              1, 0.25);
}

TEST(Step, TablesAgreeWithTheExactEvaluation) {
  const Machine h = parts::machine(parts::h100(), 8), l = parts::machine(parts::l40s(), 8),
                b = parts::machine(parts::b200(), 8);
  struct Case {
    model::Architecture architecture;
    const Machine& machine;
    Deployment deployment;
  };
  for (const Case& c :
       {Case{parts::llama_8b(), h, {}}, Case{parts::llama_70b(), h, {.tp = 8}},
        Case{parts::llama_70b(), h, {.tp = 4, .pp = 3}}, Case{parts::mixtral_8x7b(), l, {.tp = 4}},
        Case{parts::deepseek_v3(), b, {.tp = 8, .ep = 8}}, Case{parts::gpt_oss_20b(), b, {}},
        Case{parts::qwen3_30b_a3b(), l, {.tp = 2}}}) {
    const StepModel step = compile(c.architecture, c.machine, c.deployment);
    for (double tokens = 1; tokens < 60000; tokens *= 1.0371) {
      for (const Batch& batch : {decode(tokens, 700), Batch{.decode_requests = 3,
                                                            .decode_context = 2000,
                                                            .prefill_requests = 1,
                                                            .prefill_tokens = tokens,
                                                            .prefill_cached = 100,
                                                            .sampled = 4}}) {
        EXPECT_NEAR(step.time(batch).total.raw() / exact(step, batch), 1, 0.01) << tokens;
      }
    }
  }
}

TEST(Step, QueryAllocatesNothing) {
  const StepModel step =
      compile(parts::deepseek_v3(), parts::machine(parts::b200(), 8), {.tp = 8, .ep = 8});
  const Batch batch{.decode_requests = 33,
                    .decode_context = 2000,
                    .prefill_requests = 1,
                    .prefill_tokens = 700,
                    .sampled = 34};
  const std::size_t before = allocations();
  const StepTime t = step.time(batch);
  EXPECT_EQ(allocations(), before);
  EXPECT_GT(t.total.raw(), 0);
  EXPECT_EQ(step.time({}).total.raw(), 0);
}

TEST(Step, PipelineLatencyAndRate) {
  const Machine m = parts::machine(parts::h100(), 8);
  const StepModel one = compile(parts::llama_70b(), m, {.tp = 4}),
                  two = compile(parts::llama_70b(), m, {.tp = 4, .pp = 2});
  const Batch batch = decode(32, 1000);
  EXPECT_NEAR(two.time(batch).total / one.time(batch).total, 1.0, 0.02);
  EXPECT_NEAR(two.time(batch).stage / one.time(batch).total, 0.5, 0.03);
  EXPECT_EQ(one.time(batch).stage.raw(), one.time(batch).total.raw());
}

TEST(Step, WhatDoesNotDivideIsRefused) {
  const Machine m = parts::machine(parts::h100(), 8);
  const auto refused = [&](const model::Architecture& a, const Machine& machine,
                           const Deployment& deployment) {
    auto step = StepModel::compile(a, machine, deployment, default_engine());
    EXPECT_FALSE(step);
    EXPECT_EQ(step.error().code, ErrorCode::kInfeasible);
    return step.error();
  };
  EXPECT_EQ(refused(parts::llama_8b(), m, {.tp = 3}).message,
            "tp 3 does not divide the 32 attention heads");
  EXPECT_EQ(refused(parts::llama_8b(), m, {.pp = 33}).message,
            "pp 33 exceeds the 32 layers of the model");
  EXPECT_EQ(refused(parts::llama_70b(), parts::machine(parts::l40s(), 4), {.tp = 8}).why,
            "interconnect");
  const Error fp8 = refused(parts::llama_8b(), parts::machine(parts::a100(), 8),
                            {.weights = model::Format::kFp8, .own_format = false});
  EXPECT_EQ(fp8.why, "precision_unsupported");
  EXPECT_EQ(fp8.message, "accelerator \"a100-sxm-80gb\" has no fp8 arithmetic");
}

TEST(Step, EnergyIsBetweenIdleAndLimit) {
  const StepModel step = compile(parts::llama_70b(), parts::machine(parts::h100(), 8), {.tp = 8});
  for (const Batch& batch : {decode(1, 100), decode(64, 4000),
                             Batch{.prefill_requests = 4, .prefill_tokens = 8192, .sampled = 4}}) {
    const StepTime t = step.time(batch);
    const double watts = step.energy(batch, t)->raw() / t.stage.raw();
    EXPECT_GT(watts, step.idle_power()->raw());
    EXPECT_LE(watts, 8 * 700.0);
  }
}

TEST(Step, UnknownBoardPowerIsUnknownEnergy) {
  hardware::Accelerator a = parts::h100();
  a.tdp.reset();
  const StepModel step = compile(parts::llama_8b(), parts::machine(a));
  EXPECT_FALSE(step.energy(decode(1, 1), step.time(decode(1, 1))));
}

TEST(Step, SizeAloneIsTheWeightReadAtTheLastTier) {
  model::Architecture a;
  a.other_parameters = 12'000'000'000;
  a.coverage = model::Coverage::kParameterCount;
  const StepModel step = compile(a, parts::machine(parts::h100()));
  EXPECT_EQ(step.machine().tier, Tier::kParameterCount);
  // 24 GB at 0.867 of 3.35 TB/s.
  EXPECT_NEAR((step.time(decode(1, 1)).total - default_engine().per_step).in(kMillisecond), 8.3,
              0.6);
  EXPECT_NEAR(step.time({.prefill_requests = 1, .prefill_tokens = 4096, .sampled = 0}).total.raw(),
              2 * 12e9 * 4096 / 794e12, 0.02);
}

TEST(Step, OperatorCountDoesNotGrowWithLayers) {
  const StepModel step = compile(parts::llama_70b(), parts::machine(parts::h100(), 8), {.tp = 8});
  EXPECT_LT(step.breakdown(decode(8, 100)).size(), 30u);
}

RC_GTEST_PROP(StepLaw, MoreWorkNeverFaster, ()) {
  static const StepModel models[] = {
      compile(parts::llama_70b(), parts::machine(parts::h100(), 8), {.tp = 8}),
      compile(parts::qwen3_30b_a3b(), parts::machine(parts::l40s(), 4), {.tp = 2}),
      compile(parts::deepseek_v3(), parts::machine(parts::b200(), 8), {.tp = 8, .ep = 8})};
  Batch a{.decode_requests = *rc::gen::inRange(0, 4000) / 8.0,
          .decode_context = *rc::gen::inRange(1, 100000) * 1.0,
          .prefill_requests = *rc::gen::inRange(1, 8) * 1.0,
          .prefill_tokens = *rc::gen::inRange(8, 16000) * 1.0};
  a.sampled = a.decode_requests + a.prefill_requests;
  Batch b = a;
  b.decode_requests += *rc::gen::inRange(0, 100) / 8.0;
  b.decode_context += *rc::gen::inRange(0, 1000);
  b.prefill_tokens += *rc::gen::inRange(0, 1000);
  b.sampled = b.decode_requests + b.prefill_requests;
  for (const StepModel& step : models)
    RC_ASSERT(step.time(b).total.raw() >= step.time(a).total.raw() * (1 - 1e-12));
}

RC_GTEST_PROP(StepLaw, BetterHardwareNeverSlower, ()) {
  hardware::Accelerator better = parts::h100();
  const double f = 1.0 + *rc::gen::inRange(0, 100) / 100.0,
               w = 1.0 + *rc::gen::inRange(0, 100) / 100.0,
               l = 1.0 + *rc::gen::inRange(0, 100) / 100.0;
  for (auto& peak : better.peak) {
    if (peak) *peak *= f;
  }
  *better.measured_bf16 *= f;
  *better.measured_fp8 *= f;
  better.bandwidth *= w;
  *better.link_per_direction *= l;
  const Batch batch{.decode_requests = *rc::gen::inRange(0, 400) * 1.0,
                    .decode_context = *rc::gen::inRange(1, 10000) * 1.0,
                    .prefill_requests = 1,
                    .prefill_tokens = *rc::gen::inRange(1, 8000) * 1.0,
                    .sampled = 8};
  static const StepModel slow =
      compile(parts::mixtral_8x7b(), parts::machine(parts::h100(), 8), {.tp = 4});
  const StepModel fast = compile(parts::mixtral_8x7b(), parts::machine(better, 8), {.tp = 4});
  RC_ASSERT(fast.time(batch).total.raw() <= slow.time(batch).total.raw() * (1 + 1e-9));
}

}  // namespace
}  // namespace portolan::cost
