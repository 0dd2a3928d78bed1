// Candidates per second: one equilibrium, and the largest rate within an objective.
#include <benchmark/benchmark.h>

#include "serving/steady_state.hpp"
#include "tests/cost/parts.hpp"

namespace portolan {
namespace {

const cost::StepModel& step() {
  static const cost::StepModel model =
      cost::StepModel::compile(parts::llama_70b(), parts::machine(parts::h100(), 8), {.tp = 4},
                               cost::default_engine())
          .value();
  return model;
}
constexpr serving::Workload kWork{.input_tokens = 1000, .output_tokens = 300};
constexpr serving::EngineLimits kLimits{
    .max_sequences = 256, .max_batched_tokens = 8192, .kv_sequences = 200};

void equilibrium(benchmark::State& state) {
  double rate = 0.5;
  for (auto _ : state) {
    rate = rate > 4 ? 0.5 : rate * 1.1;
    benchmark::DoNotOptimize(serving::steady_state(step(), kWork, kLimits, rate));
  }
}
void rate_within_objective(benchmark::State& state) {
  double limit = 0.03;
  for (auto _ : state) {
    limit = limit > 0.06 ? 0.03 : limit * 1.01;
    benchmark::DoNotOptimize(serving::sustained_rate(
        step(), kWork, kLimits, {.ttft_p95 = Seconds(1.0), .tpot_p95 = Seconds(limit)}, 0.8));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(equilibrium);
BENCHMARK(rate_within_objective);

}  // namespace
}  // namespace portolan
