// Plans over the whole embedded market (target: under a second for the process on two cores), and
// candidates per second and core: a candidate is one strategy given time and memory.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "base/files.hpp"
#include "cost/memory.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "model/library.hpp"
#include "planner/plan.hpp"
#include "tests/cost/parts.hpp"
#include "training/run.hpp"

namespace portolan {
namespace {

void plan_market(benchmark::State& state, const char* example) {
  const auto catalogue = market::Catalogue::embedded().value();
  const std::string models = read_file(PORTOLAN_SOURCE_DIR "/data/models.jsonl").value();
  const auto library = model::Library::open(models).value();
  const std::string path = std::string(PORTOLAN_SOURCE_DIR "/examples/") + example + "/job.yaml";
  const auto document = io::parse_document(read_file(path).value(), path).value();
  const planner::Job job = planner::read_job(document, path).value();
  planner::PlanOptions options;
  options.threads = static_cast<unsigned>(state.range(0));
  options.today = catalogue->date();
  double evaluated = 0;
  for (auto _ : state) {
    const auto result = planner::plan(job, *catalogue, library, options).value();
    evaluated += static_cast<double>(result.search.evaluated);
    benchmark::DoNotOptimize(result.plans.data());
  }
  state.counters["evaluated"] = benchmark::Counter(evaluated, benchmark::Counter::kAvgIterations);
}
void serve_70b(benchmark::State& state) { plan_market(state, "chat-70b"); }
void train_8b(benchmark::State& state) { plan_market(state, "train-8b"); }
void four_candidates(benchmark::State& state) { plan_market(state, "candidates-quality"); }
void batch(benchmark::State& state) { plan_market(state, "batch-summaries"); }
void finetune_70b(benchmark::State& state) { plan_market(state, "finetune-lora"); }
BENCHMARK(serve_70b)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(train_8b)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(four_candidates)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(batch)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(finetune_70b)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// Serving: layout × precision × batch size on one machine, step time and memory of each.
void serving_candidates(benchmark::State& state) {
  const model::Architecture architecture = parts::llama_70b();
  const cost::Machine machine = parts::machine(parts::h100(), 8);
  struct Compiled {
    cost::StepModel step;
    cost::MemoryLayout memory;
    Bytes sequence;
  };
  std::vector<Compiled> replicas;
  for (const int tp : {2, 4, 8}) {
    for (const int pp : {1, 2}) {
      for (const bool fp8 : {false, true}) {
        cost::Deployment deployment{.tp = tp, .pp = pp};
        if (fp8) {
          deployment.weights = model::Format::kFp8;
          deployment.own_format = false;
        }
        replicas.push_back(
            {cost::StepModel::compile(architecture, machine, deployment, cost::default_engine())
                 .value(),
             cost::memory_layout(architecture, machine, deployment, {}),
             cost::sequence_bytes(architecture, deployment, 1150)});
      }
    }
  }
  std::int64_t fits = 0;
  for (auto _ : state) {
    for (const Compiled& replica : replicas) {
      for (double sequences = 1; sequences <= 256; ++sequences) {
        const Seconds time = replica.step
                                 .time({.decode_requests = sequences,
                                        .decode_context = 1150,
                                        .prefill_requests = sequences / 299,
                                        .prefill_tokens = 1000 * sequences / 299,
                                        .sampled = sequences})
                                 .total;
        const Bytes needed = replica.memory.fixed() + replica.sequence * sequences;
        fits +=
            static_cast<std::int64_t>(needed <= replica.memory.capacity && time < Seconds(0.05));
      }
    }
  }
  benchmark::DoNotOptimize(fits);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(replicas.size()) * 256);
}
BENCHMARK(serving_candidates);

// Training: every legal split of a run over so many nodes, none skipped.
void training_candidates(benchmark::State& state) {
  const training::Job job{.tokens = 1e12, .sequence = 8192, .global_batch_tokens = 4194304};
  hardware::Node node = parts::node(parts::h100(), 8);
  node.network.per_accelerator = BytesPerSecond(50e9);
  const auto trainer =
      training::Trainer::compile(parts::llama_70b(), cost::make_machine(node).value(), job).value();
  std::int64_t evaluated = 0;
  for (auto _ : state) {
    evaluated += static_cast<std::int64_t>(trainer.search_exhaustively(state.range(0)).evaluated);
  }
  state.SetItemsProcessed(evaluated);
}
BENCHMARK(training_candidates)->Arg(8)->Arg(64);

}  // namespace
}  // namespace portolan
