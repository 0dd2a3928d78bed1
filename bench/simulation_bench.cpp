// A whole simulation, traffic included: requests and steps per second, and instructions per event
// where the machine has a counter. `./dev bench simulation --trace=FILE` runs a trace of yours too.
#include <benchmark/benchmark.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>

#include "cost/profile.hpp"
#include "model/library.hpp"
#include "simulation/run.hpp"
#include "simulation/traffic.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::simulation {
namespace {

std::string& trace_path() {
  static std::string path;
  return path;
}

/// Instructions retired by this thread in user mode; nothing where the kernel or the (virtual)
/// machine has no counter.
class Instructions {
 public:
  Instructions() {
    perf_event_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_kernel = attributes.exclude_hv = 1;
    file_ = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
  }
  Instructions(const Instructions&) = delete;
  Instructions& operator=(const Instructions&) = delete;
  ~Instructions() {
    if (file_ >= 0) close(file_);
  }
  [[nodiscard]] bool known() const { return file_ >= 0; }
  [[nodiscard]] double count() const {
    std::uint64_t value = 0;
    if (file_ < 0 || read(file_, &value, sizeof value) != sizeof value) return 0;
    return static_cast<double>(value);
  }

 private:
  int file_ = -1;
};

/// Qwen3-14B, the model that BLIS's speed was measured on.
model::Architecture qwen3_14b() {
  return model::read_config_text(R"({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
    "hidden_size": 5120, "num_hidden_layers": 40, "num_attention_heads": 40,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 17408, "vocab_size": 151936,
    "max_position_embeddings": 40960, "tie_word_embeddings": false, "hidden_act": "silu",
    "torch_dtype": "bfloat16"})",
                                 "qwen3-14b")
      .value();
}

Scenario scenario_of(const model::Architecture& architecture, std::int64_t replicas,
                     std::int64_t block_tokens) {
  const cost::Machine machine =
      cost::make_machine(parts::node(parts::h100(), 8), {.profile = &cost::shipped_profile()})
          .value();
  const cost::StepModel step =
      cost::StepModel::compile(architecture, machine, {}, *cost::find_engine("vllm-0.19")).value();
  EngineOptions options;
  options.block_tokens = block_tokens;
  options.max_model_len = 262'144;
  Scenario scenario;
  scenario.models = {"model"};
  scenario.pools.resize(1);
  scenario.pools[0].name = "main";
  scenario.pools[0].engine =
      std::make_shared<EngineModel>(make_engine_model(architecture, step, options).value());
  scenario.pools[0].replicas = replicas;
  return scenario;
}

template <class Open>
void simulate(benchmark::State& state, const Scenario& scenario, Open open) {
  const Instructions instructions;
  double requests = 0, steps = 0, events = 0, counted = 0;
  for (auto _ : state) {
    const double before = instructions.count();
    auto source = open();
    const RunResult result = run(scenario, *source, {}).value();
    counted += instructions.count() - before;
    requests += static_cast<double>(result.all.offered);
    events += static_cast<double>(result.events);
    for (const PoolResult& pool : result.pools) steps += static_cast<double>(pool.counters.steps);
  }
  using benchmark::Counter;
  state.counters["requests"] = Counter(requests, Counter::kIsRate);
  state.counters["steps"] = Counter(steps, Counter::kIsRate);
  state.counters["events"] = Counter(events, Counter::kIsRate);
  if (instructions.known())
    state.counters["instructions/event"] = counted / events;
  else
    state.SetLabel("no instruction counter here");
}

/// Requests like those of the Mooncake conversation trace: 12,000 prompt tokens of which a third
/// was there before, 343 outputs, 3.4 a second, eight replicas in turn.
void conversations(benchmark::State& state) {
  const Scenario scenario = scenario_of(parts::llama_8b(), 8, state.range(0));
  TrafficSpec traffic;
  traffic.streams.resize(1);
  Stream& stream = traffic.streams[0];
  stream.rate = 3.4;
  stream.input = {.kind = Lengths::Kind::kLogNormal, .mean = 8000, .cv = 1.3, .high = 120'000};
  stream.output = {.kind = Lengths::Kind::kLogNormal, .mean = 343, .cv = 0.6, .high = 2000};
  stream.prefix = SharedPrefix{.groups = 40, .users = 100, .system_tokens = 4000};
  stream.requests = 12'000;
  simulate(state, scenario, [&] { return make_traffic(traffic).value(); });
}
BENCHMARK(conversations)->Arg(16)->Arg(512)->Unit(benchmark::kMillisecond);

/// 1,000 requests of 512 and 128 tokens, Poisson at 5 a second, one replica of Qwen3-14B: what
/// inference-sim (BLIS) was timed on, 3.15 CPU-seconds.
void blis_workload(benchmark::State& state) {
  const Scenario scenario = scenario_of(qwen3_14b(), 1, 16);
  TrafficSpec traffic;
  traffic.streams.resize(1);
  Stream& stream = traffic.streams[0];
  stream.rate = 5;
  stream.input.mean = 512;
  stream.output.mean = 128;
  stream.requests = 1000;
  simulate(state, scenario, [&] { return make_traffic(traffic).value(); });
}
BENCHMARK(blis_workload)->Unit(benchmark::kMillisecond);

void trace(benchmark::State& state) {
  const Scenario scenario = scenario_of(parts::llama_8b(), state.range(1), state.range(0));
  TraceOptions options;
  options.path = trace_path();
  if (auto source = open_trace(options); !source) {
    state.SkipWithError(source.error().message.c_str());
    return;
  }
  simulate(state, scenario, [&] { return open_trace(options).value(); });
}

}  // namespace
}  // namespace portolan::simulation

int main(int argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    constexpr const char* kTrace = "--trace=";
    if (std::strncmp(argv[i], kTrace, std::strlen(kTrace)) == 0)
      portolan::simulation::trace_path() = argv[i] + std::strlen(kTrace);
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  if (!portolan::simulation::trace_path().empty()) {
    benchmark::RegisterBenchmark("trace", portolan::simulation::trace)
        ->Args({16, 8})
        ->Args({512, 8})
        ->Args({16, 1})
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
