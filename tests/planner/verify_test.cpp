// Plans held against simulations of them.
#include "planner/verify.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "planner/ranking.hpp"
#include "planner/trial.hpp"
#include "tests/planner/world.hpp"

namespace portolan::planner {
namespace {

World world() {
  World w;
  w.add("acme", "a8", parts::h100(), 8, "20");
  w.add("bolt", "b8", parts::h100(), 8, "24");
  w.add("cove", "c2", parts::l40s(), 2, "3");
  return w;
}

PlanResult verified(const World& w, const Job& job, std::size_t verify, unsigned threads = 1) {
  PlanOptions options;
  options.threads = threads;
  options.today = *parse_date("2026-06-11");
  options.verify = verify;
  Result<PlanResult> result = plan_on(job, w.market(), {World::model(parts::llama_8b())}, options);
  EXPECT_TRUE(result) << (result ? "" : format_error(result.error()));
  return result ? *std::move(result) : PlanResult{};
}

constexpr const char* kChat =
    "job: serve\nmodel: m\n"
    "traffic: {requests_per_second: 60, input_tokens: 600, output_tokens: 200}\n"
    "slo: {ttft_p95: 500ms, tpot_p95: 40ms}\n";

TEST(Verify, SimulationBearsTheClosedFormOut) {
  const World w = world();
  const PlanResult result = verified(w, job_of(kChat), 3);
  ASSERT_EQ(result.plans.size(), 3u);
  EXPECT_EQ(result.search.verified, 3u);
  EXPECT_GT(result.search.simulated_requests, 10'000u);
  for (const Plan& plan : result.plans) {
    ASSERT_TRUE(plan.verified);
    const Verification& v = *plan.verified;
    EXPECT_NEAR(v.rate / v.rate_closed_form, 1, 0.1) << v.why;
    EXPECT_NEAR(v.capacity / v.capacity_closed_form, 1, 0.05);
    EXPECT_LE(v.rate, 0.8 * v.capacity * (1 + 1e-9));
    ASSERT_TRUE(v.tpot_p95 && v.ttft_p95);
    EXPECT_NEAR(v.tpot_p95->raw() / plan.tpot_p95->raw(), 1, 0.1);
    EXPECT_GE(static_cast<double>(v.replicas) * v.rate, 60 * (1 - 1e-9));
    EXPECT_LT(static_cast<double>(v.replicas - 1) * v.rate, 60);
    EXPECT_NE(v.verdict, Verdict::kFails);
    EXPECT_EQ(v.why.empty(), v.disagreement <= 0.1);
  }
  for (std::size_t i = 1; i < result.plans.size(); ++i) {
    EXPECT_LE(result.plans[i - 1].verified->usd_per_hour.raw(),
              result.plans[i].verified->usd_per_hour.raw());
    EXPECT_EQ(result.plans[i].rank, static_cast<int>(i) + 1);
  }
}

TEST(Verify, OffByDefaultAndTheSameAtAnyThreadCount) {
  const World w = world();
  for (const Plan& plan : verified(w, job_of(kChat), 0).plans) EXPECT_FALSE(plan.verified);
  const PlanResult one = verified(w, job_of(kChat), 2, 1), four = verified(w, job_of(kChat), 2, 4);
  ASSERT_EQ(one.plans.size(), four.plans.size());
  for (std::size_t i = 0; i < one.plans.size(); ++i) {
    ASSERT_EQ(one.plans[i].verified.has_value(), four.plans[i].verified.has_value());
    EXPECT_EQ(one.plans[i].offer, four.plans[i].offer);
    if (!one.plans[i].verified) continue;
    EXPECT_EQ(one.plans[i].verified->rate, four.plans[i].verified->rate);
    EXPECT_EQ(one.plans[i].verified->ttft_p95->raw(), four.plans[i].verified->ttft_p95->raw());
  }
}

TEST(Verify, BatchTakesAsLongAsPlanned) {
  const World w = world();
  const PlanResult result =
      verified(w,
               job_of("job: batch\nmodel: m\n"
                      "traffic: {requests: 2M, input_tokens: 600, output_tokens: 200}\n"),
               2);
  ASSERT_FALSE(result.plans.empty());
  const Plan& plan = result.plans.front();
  ASSERT_TRUE(plan.verified);
  ASSERT_TRUE(plan.verified->duration && plan.verified->usd_total);
  EXPECT_NEAR(*plan.verified->duration / *plan.duration, 1, 0.1) << plan.verified->why;
  EXPECT_NEAR(plan.verified->rate / plan.verified->rate_closed_form, 1, 0.1);
}

TEST(Verify, TrainingIsNotSimulated) {
  const World w = world();
  const PlanResult result = verified(
      w,
      job_of("job: train\nmodel: m\ntokens: 10B\nsequence_length: 4096\nglobal_batch_tokens: 1M\n"),
      2);
  ASSERT_FALSE(result.warnings.empty());
  EXPECT_NE(result.warnings.back().find("only serving and batch"), std::string::npos);
  for (const Plan& plan : result.plans) EXPECT_FALSE(plan.verified);
}

TEST(Verify, APlanBeyondTheCapFailsAndFallsBehind) {
  // With a queue that closed form and simulation see alike nothing fails by itself: a plan is
  // given a rate that it does not have.
  const World w = world();
  const Job job = job_of(kChat);
  PlanResult result = verified(w, job, 0);
  ASSERT_EQ(result.plans.size(), 3u);
  const Market market = w.market();
  const Filter filter = Filter::make(job, market, *parse_date("2026-06-11")).value();
  result.job.slo.tpot_p95 = Seconds(1e-6);
  for (std::size_t i = 1; i < 3; ++i) result.plans[i].step = nullptr;  // cannot be simulated
  PlanOptions options;
  options.verify = 1;
  ASSERT_TRUE(verify(result, market, filter, options));
  const Plan& last = result.plans.back();
  ASSERT_TRUE(last.verified);
  EXPECT_EQ(last.verified->verdict, Verdict::kFails);
  EXPECT_NE(last.verified->why.find("tpot_p95 is missed at any load"), std::string::npos);
  EXPECT_EQ(last.rank, 3);
  EXPECT_FALSE(result.warnings.empty());
}

// serving.md §2.1: the affine step, its table simulated and in closed form.
TEST(Trial, GoldenTableOfTheLinearLaw) {
  cost::Engine engine = cost::default_engine();
  engine.per_step = Seconds(10e-3);
  engine.per_request = Seconds(40e-6);
  engine.per_prefill_token = Seconds(50e-6);
  engine.per_layer = engine.per_prefill_step = Seconds(0);
  engine.front_end = engine.fan_out = engine.per_prompt_token = Seconds(0);
  engine.after_decode = engine.per_output_token = Seconds(0);
  engine.async_scheduling = false;
  const model::Architecture tiny = parts::decoder({.layers = 1,
                                                   .hidden = 64,
                                                   .heads = 1,
                                                   .kv_heads = 1,
                                                   .head_dim = 64,
                                                   .ffn = 64,
                                                   .vocab = 64});
  const cost::StepModel step =
      cost::StepModel::compile(tiny, parts::machine(parts::h100()), {}, engine).value();
  const serving::Workload work{.input_tokens = 200, .output_tokens = 200, .output_cv2 = 0};
  const serving::EngineLimits limits{.max_sequences = 4096, .max_batched_tokens = 65536};
  const Trials trials = Trials::make(tiny, step, work, limits, 1, 1).value();
  struct Row {
    double rate, gap_ms, ttft_ms;
  };
  for (const Row& row : {Row{1, 10.23, 24.7}, Row{10, 12.25, 29.0}, Row{20, 15.69, 35.0},
                         Row{30, 21.76, 45.3}, Row{40, 35.0, 66.5}}) {
    const serving::SteadyState state = serving::steady_state(step, work, limits, row.rate);
    const Trial trial = trials.at_rate(row.rate, 2 * state.batch).value();
    // The last row multiplies what the kernels of the small model take besides, and chance.
    const double slack = row.rate < 40 ? 1 : 2;
    EXPECT_NEAR(trial.probe.latency.tpot.mean * 1e3 / row.gap_ms, 1, 0.025 * slack) << row.rate;
    EXPECT_NEAR(trial.probe.latency.ttft.mean * 1e3 / row.ttft_ms, 1, 0.05) << row.rate;
    EXPECT_NEAR(state.tpot_mean->raw() / trial.probe.latency.tpot.mean, 1, 0.03) << row.rate;
    EXPECT_NEAR(state.ttft_mean->raw() / trial.probe.latency.ttft.mean, 1, 0.06) << row.rate;
    EXPECT_NEAR(state.tpot_p95->raw() / trial.probe.latency.tpot.p95, 1, 0.06 * slack) << row.rate;
    EXPECT_NEAR(state.ttft_p95->raw() / trial.probe.latency.ttft.p95, 1, 0.1) << row.rate;
  }
}

}  // namespace
}  // namespace portolan::planner
