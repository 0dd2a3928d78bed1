#include "serving/steady_state.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/cost/parts.hpp"

namespace portolan::serving {
namespace {

cost::StepModel compile(const model::Architecture& a, const cost::Machine& m,
                        const cost::Deployment& deployment = {}) {
  return cost::StepModel::compile(a, m, deployment, cost::default_engine()).value();
}

const cost::StepModel& llama_8b() {
  static const cost::StepModel step = compile(parts::llama_8b(), parts::machine(parts::h100()));
  return step;
}
constexpr Workload kChat{.input_tokens = 1000, .output_tokens = 300};
constexpr EngineLimits kLimits{
    .max_sequences = 256, .max_batched_tokens = 8192, .kv_sequences = 300};

TEST(SteadyState, SaturationIsFlaggedAndHasNoLatency) {
  const SteadyState idle = steady_state(llama_8b(), kChat, kLimits, 0.01);
  EXPECT_FALSE(idle.saturated);
  ASSERT_TRUE(idle.ttft_mean && idle.tpot_mean && idle.e2e_mean);
  const SteadyState over =
      steady_state(llama_8b(), kChat, kLimits, 1.01 * idle.max_requests_per_second);
  EXPECT_TRUE(over.saturated);
  EXPECT_FALSE(over.ttft_mean || over.tpot_p95 || over.e2e_mean);
  EXPECT_NEAR(over.utilisation, 1.01, 1e-9);
}

TEST(SteadyState, LittlesLaw) {
  for (const double rate : {0.5, 2.0, 8.0}) {
    const SteadyState s = steady_state(llama_8b(), kChat, kLimits, rate);
    const double service = s.e2e_mean->raw() - cost::default_engine().front_end.raw();
    EXPECT_NEAR(s.batch / (rate * service), 1, 0.15) << rate;
    EXPECT_NEAR(s.output_tokens_per_second, rate * 300, 1e-6);
  }
}

TEST(SteadyState, PowerIsBetweenIdleAndLimit) {
  const SteadyState low = steady_state(llama_8b(), kChat, kLimits, 0.001),
                    high = steady_state(llama_8b(), kChat, kLimits, 10);
  ASSERT_TRUE(low.power && high.power);
  EXPECT_GE(low.power->raw(), 0.17 * 700);
  EXPECT_LT(low.power->raw(), high.power->raw());
  EXPECT_LE(high.power->raw(), 700);
}

TEST(SteadyState, OneOutputTokenHasNoTpot) {
  const SteadyState s =
      steady_state(llama_8b(), {.input_tokens = 500, .output_tokens = 1}, kLimits, 2);
  EXPECT_TRUE(s.ttft_mean);
  EXPECT_FALSE(s.tpot_mean);
}

TEST(SteadyState, FullThroughputIsTheCapacity) {
  const SteadyState full = full_throughput(llama_8b(), kChat, kLimits);
  EXPECT_FALSE(full.saturated);
  EXPECT_NEAR(full.max_requests_per_second,
              steady_state(llama_8b(), kChat, kLimits, 1).max_requests_per_second, 1e-9);
  EXPECT_NEAR(full.output_tokens_per_second, 300 * full.max_requests_per_second, 1e-6);
  EXPECT_NEAR(full.batch, 256, 1);
}

TEST(SteadyState, PipelineKeepsThroughputAndAddsNoSpeed) {
  const cost::Machine m = parts::machine(parts::h100(), 8);
  const cost::StepModel flat = compile(parts::llama_70b(), m, {.tp = 4}),
                        deep = compile(parts::llama_70b(), m, {.tp = 4, .pp = 2});
  const double one = full_throughput(flat, kChat, kLimits).max_requests_per_second,
               two = full_throughput(deep, kChat, {.max_sequences = 512}).max_requests_per_second;
  EXPECT_GT(two, 1.6 * one);
  EXPECT_LT(two, 2.1 * one);
}

TEST(SteadyState, NothingFitsNothingIsServed) {
  const EngineLimits none{.max_sequences = 256, .max_batched_tokens = 8192, .kv_sequences = 0};
  EXPECT_TRUE(steady_state(llama_8b(), kChat, none, 1).saturated);
  EXPECT_EQ(full_throughput(llama_8b(), kChat, none).max_requests_per_second, 0);
  const SustainedRate r = sustained_rate(llama_8b(), kChat, none, {}, 0.8);
  EXPECT_EQ(r.requests_per_second, 0);
  EXPECT_EQ(r.miss.target, "memory");
}

TEST(SteadyState, WhollyCachedPromptsStillComputeOneToken) {
  const SteadyState s = steady_state(
      llama_8b(), {.input_tokens = 1000, .output_tokens = 100, .cached_share = 1.0}, kLimits, 1);
  ASSERT_TRUE(s.ttft_mean);
  EXPECT_LT(s.ttft_mean->raw(),
            steady_state(llama_8b(), {.input_tokens = 1000, .output_tokens = 100}, kLimits, 1)
                .ttft_mean->raw());
}

TEST(Slo, MissNamesTheTargetAndItsSize) {
  const SteadyState s = steady_state(llama_8b(), kChat, kLimits, 4);
  Miss miss;
  EXPECT_TRUE(meets(s, {}, &miss));
  EXPECT_FALSE(meets(s, {.tpot_p95 = Seconds(1e-3)}, &miss));
  EXPECT_EQ(miss.target, "tpot_p95");
  EXPECT_EQ(miss.limit, 1e-3);
  EXPECT_GT(miss.value, 1e-3);
}

TEST(SustainedRate, MeetsTheObjectiveAndNoMore) {
  const Slo slo{.ttft_p95 = Seconds(0.3), .tpot_p95 = Seconds(0.015)};
  const SustainedRate r = sustained_rate(llama_8b(), kChat, kLimits, slo, 0.8);
  EXPECT_GT(r.requests_per_second, 0);
  EXPECT_TRUE(meets(r.state, slo));
  EXPECT_FALSE(meets(steady_state(llama_8b(), kChat, kLimits, 1.01 * r.requests_per_second), slo));
  EXPECT_FALSE(r.miss.target.empty());
}

TEST(SustainedRate, UtilisationBindsWithoutObjective) {
  const SustainedRate r = sustained_rate(llama_8b(), kChat, kLimits, {}, 0.8);
  EXPECT_NEAR(r.state.utilisation, 0.8, 1e-6);
  EXPECT_EQ(r.miss.target, "utilisation");
}

TEST(SustainedRate, ImpossibleObjectiveNamesTheMiss) {
  const SustainedRate r =
      sustained_rate(llama_8b(), kChat, kLimits, {.tpot_p95 = Seconds(0.002)}, 0.8);
  EXPECT_EQ(r.requests_per_second, 0);
  EXPECT_EQ(r.miss.target, "tpot_p95");
  EXPECT_GT(r.miss.value, 0.002);
}

RC_GTEST_PROP(ServingLaw, LatencyIsMonotoneInTheRate, ()) {
  static const cost::StepModel models[] = {
      compile(parts::llama_8b(), parts::machine(parts::h100())),
      compile(parts::qwen3_30b_a3b(), parts::machine(parts::l40s(), 2), {.tp = 2}),
      compile(parts::llama_70b(), parts::machine(parts::a100(), 8), {.tp = 4, .pp = 2})};
  const cost::StepModel& step = models[*rc::gen::inRange(0, 3)];
  const Workload work{.input_tokens = *rc::gen::inRange(1, 20000) * 1.0,
                      .output_tokens = *rc::gen::inRange(1, 3000) * 1.0,
                      .cached_share = *rc::gen::inRange(0, 10) / 10.0,
                      .input_cv2 = *rc::gen::inRange(0, 20) / 10.0,
                      .output_cv2 = *rc::gen::inRange(0, 20) / 10.0};
  const EngineLimits limits{.max_sequences = *rc::gen::inRange(1, 512) * 1.0,
                            .max_batched_tokens = *rc::gen::element(1024.0, 2048.0, 8192.0),
                            .kv_sequences = *rc::gen::inRange(1, 400) * 1.0};
  const double most = steady_state(step, work, limits, 0).max_requests_per_second;
  const double low = *rc::gen::inRange(1, 990) / 1000.0,
               high = low + *rc::gen::inRange(1, 9) / 1000.0;
  const SteadyState a = steady_state(step, work, limits, low * most),
                    b = steady_state(step, work, limits, high * most);
  RC_ASSERT(!a.saturated && !b.saturated);
  const auto grows = [](const std::optional<Seconds>& x, const std::optional<Seconds>& y) {
    return x.has_value() == y.has_value() && (!x || y->raw() >= x->raw() * (1 - 1e-6));
  };
  RC_ASSERT(grows(a.ttft_mean, b.ttft_mean));
  RC_ASSERT(grows(a.ttft_p95, b.ttft_p95));
  RC_ASSERT(grows(a.tpot_mean, b.tpot_mean));
  RC_ASSERT(grows(a.tpot_p95, b.tpot_p95));
  RC_ASSERT(grows(a.e2e_mean, b.e2e_mean));
  RC_ASSERT(grows(a.e2e_p95, b.e2e_p95));
}

}  // namespace
}  // namespace portolan::serving
