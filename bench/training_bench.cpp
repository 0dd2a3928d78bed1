// Speed of the strategy search. items_per_second of Exhaustive counts strategies given time and
// memory on one core.
#include <benchmark/benchmark.h>

#include "tests/training/parts.hpp"
#include "training/run.hpp"

namespace portolan::training {
namespace {

struct Subject {
  const char* name;
  model::Architecture architecture;
  Job job;
  std::int64_t nodes;
};

const Subject& subject(std::int64_t index) {
  static const Subject kSubjects[] = {
      {"GPT-3 175B on 64", parts::gpt(96, 12288, 96, 51200), parts::job(2048, 1536), 8},
      {"Llama-3.1 405B on 4096", parts::llama3_405b(), parts::job(8192, 2048), 512},
      {"Qwen3-30B-A3B on 512", parts::qwen3_30b_a3b(), parts::job(4096, 1024), 64},
      {"Llama-3 8B on 8", parts::llama3_8b(), parts::job(8192, 512), 1},
  };
  return kSubjects[index];
}

void Exhaustive(benchmark::State& state) {
  const Subject& s = subject(state.range(0));
  const auto trainer = Trainer::compile(s.architecture, parts::machine(), s.job);
  std::uint64_t evaluated = 0;
  for (auto _ : state) {
    const auto search = trainer->search_exhaustively(s.nodes);
    evaluated += search.evaluated;
    benchmark::DoNotOptimize(search.smallest_memory);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(evaluated));
  state.SetLabel(s.name);
}
BENCHMARK(Exhaustive)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

void Pruned(benchmark::State& state) {
  const Subject& s = subject(state.range(0));
  const auto trainer = Trainer::compile(s.architecture, parts::machine(), s.job);
  Trainer::Search search;
  for (auto _ : state) {
    search = trainer->search(s.nodes);
    benchmark::DoNotOptimize(search.smallest_memory);
  }
  state.counters["candidates"] = static_cast<double>(search.candidates);
  state.counters["evaluated"] = static_cast<double>(search.evaluated);
  state.SetLabel(s.name);
}
BENCHMARK(Pruned)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

void Compile(benchmark::State& state) {
  const Subject& s = subject(state.range(0));
  const cost::Machine machine = parts::machine();
  for (auto _ : state) benchmark::DoNotOptimize(Trainer::compile(s.architecture, machine, s.job));
  state.SetLabel(s.name);
}
BENCHMARK(Compile)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);

void Evaluate(benchmark::State& state) {
  const Subject& s = subject(1);
  const auto trainer = Trainer::compile(s.architecture, parts::machine(), s.job);
  const Strategy strategy{.tp = 8, .pp = 16, .dp = 32, .virtual_stages = 4};
  for (auto _ : state) benchmark::DoNotOptimize(trainer->evaluate(strategy, s.nodes));
}
BENCHMARK(Evaluate);

}  // namespace
}  // namespace portolan::training
