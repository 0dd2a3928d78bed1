// A query of the step cost, exact and tabulated, and its compilation: the hot path under planner
// and simulator.
#include <benchmark/benchmark.h>

#include "cost/memory.hpp"
#include "cost/profile.hpp"
#include "cost/step.hpp"
#include "tests/cost/parts.hpp"

namespace portolan {
namespace {

/// With the shipped curves, as plan and estimate have it.
cost::Machine machine_of(const hardware::Accelerator& gpu) {
  return cost::make_machine(parts::node(gpu, 8), {.profile = &cost::shipped_profile()}).value();
}
cost::StepModel model_of(const model::Architecture& a, const hardware::Accelerator& gpu,
                         const cost::Deployment& deployment) {
  return cost::StepModel::compile(a, machine_of(gpu), deployment, cost::default_engine()).value();
}

void query(benchmark::State& state, const cost::StepModel& step, bool prefill) {
  cost::Batch batch{.decode_requests = 1,
                    .decode_context = 1000,
                    .prefill_requests = prefill ? 1.0 : 0.0,
                    .prefill_tokens = prefill ? 700.0 : 0.0,
                    .sampled = 1};
  for (auto _ : state) {
    batch.decode_requests = batch.decode_requests > 200 ? 1.25 : batch.decode_requests + 1.75;
    batch.sampled = batch.decode_requests;
    benchmark::DoNotOptimize(step.time(batch));
  }
}
void decode_dense(benchmark::State& state) {
  query(state, model_of(parts::llama_70b(), parts::h100(), {.tp = 8}), false);
}
void mixed_dense(benchmark::State& state) {
  query(state, model_of(parts::llama_70b(), parts::h100(), {.tp = 8}), true);
}
void mixed_latent(benchmark::State& state) {
  query(state, model_of(parts::deepseek_v3(), parts::b200(), {.tp = 8, .ep = 8}), true);
}
void mixed_windows(benchmark::State& state) {
  query(state, model_of(parts::gpt_oss_20b(), parts::h100(), {}), true);
}
BENCHMARK(decode_dense);
BENCHMARK(mixed_dense);
BENCHMARK(mixed_latent);
BENCHMARK(mixed_windows);

void compile_step(benchmark::State& state, const model::Architecture& a,
                  const hardware::Accelerator& gpu, const cost::Deployment& deployment) {
  const cost::Machine machine = machine_of(gpu);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        cost::StepModel::compile(a, machine, deployment, cost::default_engine()));
}
void compile_dense(benchmark::State& state) {
  compile_step(state, parts::llama_70b(), parts::h100(), {.tp = 8});
}
void compile_latent(benchmark::State& state) {
  compile_step(state, parts::deepseek_v3(), parts::b200(), {.tp = 8, .ep = 8});
}
BENCHMARK(compile_dense);
BENCHMARK(compile_latent);

void memory_of_a_rank(benchmark::State& state) {
  const model::Architecture a = parts::llama_70b();
  const cost::Machine machine = parts::machine(parts::h100(), 8);
  const cost::Deployment deployment{.tp = 4, .pp = 2};
  for (auto _ : state)
    benchmark::DoNotOptimize(
        cost::max_sequences(a, cost::memory_layout(a, machine, deployment, {}), deployment, 1300));
}
BENCHMARK(memory_of_a_rank);

}  // namespace
}  // namespace portolan
