#include "serving/equilibrium.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace portolan::serving {
namespace {

// The affine step of serving.md §2.1: a = 10 ms, b = 40 us per decode, c = 50 us per prompt token.
double affine(double decodes, double prompt_tokens, double) {
  return 10e-3 + 40e-6 * decodes + 50e-6 * prompt_tokens;
}

constexpr EquilibriumInput kInput{.uncached_tokens = 200,
                                  .output_tokens = 200,
                                  .batch_cap = 1e9,
                                  .token_budget = 1e9,
                                  .output_cv2 = 0};

struct Simulated {
  double gap = 0, ttft = 0;
};
/// Event simulation: Poisson arrivals, whole prompts prefill in the next step, every running
/// request gains a token per step.
Simulated simulate(double rate, int requests) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> pause(rate);
  struct Request {
    double arrival = 0, first = 0;
    int left = 0;
  };
  std::deque<Request> waiting;
  std::vector<Request> running;
  double now = 0, next = pause(random), ttft = 0, gap = 0;
  int arrived = 0, finished = 0;
  while (finished < requests) {
    if (running.empty() && waiting.empty()) now = std::max(now, next);
    while (arrived < requests && next <= now) {
      waiting.push_back({.arrival = next, .first = 0, .left = 199});
      next += pause(random);
      ++arrived;
    }
    if (arrived == requests) next = 1e300;
    now +=
        affine(static_cast<double>(running.size()), 200.0 * static_cast<double>(waiting.size()), 0);
    for (std::size_t i = 0; i < running.size();) {
      if (--running[i].left > 0) {
        ++i;
        continue;
      }
      gap += (now - running[i].first) / 199;
      running[i] = running.back();
      running.pop_back();
      ++finished;
    }
    for (Request& request : waiting) {
      request.first = now;
      ttft += now - request.arrival;
      running.push_back(request);
    }
    waiting.clear();
  }
  return {.gap = gap / requests, .ttft = ttft / requests};
}

TEST(Equilibrium, GoldenTableOfTheLinearLaw) {
  struct Row {
    double rate, rho, gap_ms, ttft_ms;
  };
  const Equilibrium<decltype(&affine)> equilibrium(kInput, &affine);
  for (const Row& row :
       {Row{1, 0.02, 10.23, 24.7}, Row{10, 0.18, 12.25, 29.0}, Row{20, 0.36, 15.69, 35.0},
        Row{30, 0.54, 21.76, 45.3}, Row{40, 0.72, 35.0, 66.5}}) {
    const auto latency = equilibrium.latency(row.rate);
    EXPECT_NEAR(latency.tpot_mean * 1e3 / row.gap_ms, 1, 0.02) << row.rate;
    EXPECT_NEAR(latency.ttft_mean * 1e3 / row.ttft_ms, 1, 0.06) << row.rate;
    EXPECT_NEAR(row.rate * (50e-6 * 200 + 40e-6 * 199), row.rho, 0.005);
    const Simulated simulated = simulate(row.rate, 6000);
    EXPECT_NEAR(latency.tpot_mean / simulated.gap, 1, 0.025) << row.rate;
    EXPECT_NEAR(latency.ttft_mean / simulated.ttft, 1, 0.06) << row.rate;
  }
}

TEST(Equilibrium, CapacityFollowsTheLaw) {
  // 1/lambda_max = c P_u + b O' + a O / B*.
  EquilibriumInput in = kInput;
  in.batch_cap = 64;
  const Equilibrium<decltype(&affine)> equilibrium(in, &affine);
  EXPECT_NEAR(1 / equilibrium.lambda_max(), 50e-6 * 200 + 40e-6 * 199 + 10e-3 * 200 / 64, 1e-4);
}

TEST(Equilibrium, OneSlotIsOneRequestAfterAnother) {
  EquilibriumInput in = kInput;
  in.batch_cap = 1;
  const Equilibrium<decltype(&affine)> equilibrium(in, &affine);
  const double alone = 10e-3 + 50e-6 * 200 + 199 * (10e-3 + 40e-6);
  EXPECT_NEAR(equilibrium.lambda_max() * alone, 1, 0.02);
}

TEST(Equilibrium, TokenBudgetBoundsTheCapacity) {
  EquilibriumInput in = kInput;
  in.token_budget = 300;
  in.uncached_tokens = 2000;
  in.output_tokens = 2;
  const Equilibrium<decltype(&affine)> equilibrium(in, &affine);
  // No step takes more than 300 tokens: a prompt of 2,000 needs at least 6.7 steps of 25 ms.
  EXPECT_LT(equilibrium.lambda_max(), 1 / (6.6 * 25e-3));
  EXPECT_GT(equilibrium.lambda_max(), 0.8 / (6.7 * 25e-3));
}

TEST(Equilibrium, LatencyGrowsWithTheRate) {
  EquilibriumInput in = kInput;
  in.batch_cap = 100;
  in.output_cv2 = 1;
  in.async_scheduling = true;
  const Equilibrium<decltype(&affine)> equilibrium(in, &affine);
  double ttft = 0, ttft95 = 0, tpot = 0, tpot95 = 0, e2e95 = 0;
  for (double share = 0.001; share < 0.999; share += 0.001) {
    const auto latency = equilibrium.latency(share * equilibrium.lambda_max());
    EXPECT_GE(latency.ttft_mean, ttft * (1 - 1e-9)) << share;
    EXPECT_GE(latency.ttft_p95, ttft95 * (1 - 1e-9)) << share;
    EXPECT_GE(latency.tpot_mean, tpot * (1 - 1e-9)) << share;
    EXPECT_GE(latency.tpot_p95, tpot95 * (1 - 1e-9)) << share;
    EXPECT_GE(latency.e2e_p95, e2e95 * (1 - 1e-9)) << share;
    EXPECT_GE(latency.ttft_p95, latency.ttft_mean);
    ttft = latency.ttft_mean;
    ttft95 = latency.ttft_p95;
    tpot = latency.tpot_mean;
    tpot95 = latency.tpot_p95;
    e2e95 = latency.e2e_p95;
  }
  EXPECT_GT(ttft, 1.0);  // the queue before saturation
}

}  // namespace
}  // namespace portolan::serving
