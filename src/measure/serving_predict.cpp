#include "measure/serving_predict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/text.hpp"
#include "cost/memory.hpp"
#include "cost/profile.hpp"
#include "model/numeric_format.hpp"
#include "serving/closed_loop.hpp"
#include "serving/offline.hpp"
#include "serving/steady_state.hpp"

namespace portolan::measure {
namespace {

constexpr double kMs = 1e3;
constexpr double kBlock = 16;  // tokens of a vLLM cache block (column kv_blocks)

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_moe(const model::Architecture& architecture) {
  return std::any_of(
      architecture.layers.begin(), architecture.layers.end(),
      [](const model::LayerRun& run) { return run.channel.kind == model::ChannelKind::kMoe; });
}

Error unanswered(std::string message) {
  return Error{.code = ErrorCode::kInfeasible,
               .message = std::move(message),
               .where = {},
               .why = {},
               .hint = {},
               .also = {}};
}

/// Weight format of a row's precision; nullopt: the checkpoint's own.
Result<std::optional<model::Format>> weight_format(const std::string& precision) {
  const std::string lower = to_lower(trim(precision));
  if (lower.empty()) return std::nullopt;
  if (lower == "16-bit" || lower == "16bit" || lower == "half") return model::Format::kBf16;
  if (lower == "fp4") return model::Format::kNvfp4;
  return PORTOLAN_TRY(model::parse_format(lower));
}

/// Share of the clock that is left when the board may draw `cap` of its limit: dynamic power goes
/// with the cube of the clock (voltage follows it), the idle floor with nothing.
double clock_under_cap(double cap) {
  constexpr double kIdle = 0.18;  // of the limit (cost-model.md §12)
  return std::cbrt(std::clamp((cap - kIdle) / (1.0 - kIdle), 0.01, 1.0));
}

/// Gaudi, TPU, Trainium: a step is one compiled program.
bool compiles_whole_programs(const hardware::Accelerator& accelerator) {
  return accelerator.architecture.starts_with("gaudi") || accelerator.vendor == "google" ||
         accelerator.vendor == "aws";
}

hardware::Node node_of(const hardware::Accelerator& accelerator, int used) {
  hardware::Node node;
  node.accelerator = &accelerator;
  // Published points of several accelerators are of one node unless its links reach further.
  node.count =
      std::max<std::int64_t>(accelerator.link_domain > 8 ? accelerator.link_domain : 8, used);
  node.link = accelerator.link;
  node.link_per_direction = accelerator.link_per_direction;
  node.link_domain = accelerator.link_domain;
  return node;
}

/// Latency of many requests: the mean and enough of its distribution to mix stages.
struct Law {
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0;
  [[nodiscard]] double quantile(double u) const {
    const std::array<std::pair<double, double>, 6> knots = {{{0.0, std::max(0.0, 2 * p50 - p95)},
                                                             {0.5, p50},
                                                             {0.9, p90},
                                                             {0.95, p95},
                                                             {0.99, p99},
                                                             {1.0, p99 + 0.25 * (p99 - p90)}}};
    for (std::size_t i = 1; i < knots.size(); ++i) {
      if (u > knots[i].first) continue;
      const double share = (u - knots[i - 1].first) / (knots[i].first - knots[i - 1].first);
      return knots[i - 1].second + share * (knots[i].second - knots[i - 1].second);
    }
    return knots.back().second;
  }
};

/// A law with a normal upper half, from its mean and 95th percentile.
Law law_of(double mean, double p95) {
  constexpr double kZ90 = 1.2815515655446004, kZ95 = 1.6448536269514722, kZ99 = 2.3263478740408408;
  const double sd = std::max(0.0, p95 - mean) / kZ95;
  return {.mean = mean, .p50 = mean, .p90 = mean + kZ90 * sd, .p95 = p95, .p99 = mean + kZ99 * sd};
}
Law law_of(const serving::Spread& s, double shift) {
  return {s.mean + shift, s.p50 + shift, s.p90 + shift, s.p95 + shift, s.p99 + shift};
}

/// All requests of several stages together.
Law mixture(std::span<const std::pair<double, Law>> parts) {
  constexpr int kSamples = 200;
  std::vector<std::pair<double, double>> samples;
  double total = 0, mean = 0;
  for (const auto& [weight, law] : parts) {
    total += weight;
    mean += weight * law.mean;
    for (int i = 0; i < kSamples; ++i)
      samples.emplace_back(law.quantile((i + 0.5) / kSamples), weight / kSamples);
  }
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double q) {
    double below = 0;
    for (const auto& [value, weight] : samples) {
      below += weight;
      if (below >= q * total) return value;
    }
    return samples.back().first;
  };
  return {mean / total, at(0.5), at(0.9), at(0.95), at(0.99)};
}

/// Latencies (seconds) and rates of one load.
struct Outcome {
  Law ttft, gap, e2e;
  double requests_per_second = 0, output_tokens_per_second = 0;
  std::optional<double> watts;
  PredictedRun run;
};

void put(std::map<std::string, double>& figures, const std::string& name, const Law& law) {
  figures[name + "_mean"] = law.mean * kMs;
  figures[name + "_p50"] = law.p50 * kMs;
  figures[name + "_p90"] = law.p90 * kMs;
  figures[name + "_p99"] = law.p99 * kMs;
}

/// Requests of NVIDIA's throughput tables by prompt and output length (TensorRT-LLM
/// docs/source/performance/perf-overview.md, "Preparing a Dataset").
double benchmark_requests(double input, double output) {
  struct Run {
    double input, output, requests;
  };
  constexpr std::array kRuns = {
      Run{128, 128, 30000},   Run{128, 2048, 3000},   Run{128, 4096, 1500},
      Run{1000, 2000, 1500},  Run{2048, 128, 3000},   Run{2048, 2048, 1500},
      Run{5000, 500, 1500},   Run{1000, 1000, 3000},  Run{500, 2000, 3000},
      Run{20000, 2000, 1000}, Run{1024, 1024, 3000},  Run{8192, 1024, 1500},
      Run{1024, 8192, 1500},  Run{32768, 1024, 1000}, Run{1024, 32768, 1000},
      Run{100000, 1024, 300}};
  for (const Run& run : kRuns) {
    if (run.input == input && run.output == output) return run.requests;
  }
  // Another length: as many as the table gives to one of the same size.
  const double tokens = input + output;
  return tokens <= 512 ? 30000 : tokens <= 2500 ? 3000 : tokens <= 10000 ? 1500 : 1000;
}

/// Batch and token limits that trtllm-bench chooses for a data set of fixed lengths (TensorRT-LLM
/// tensorrt_llm/bench/build/tuning.py): what the cache may hold, at most 4,096, and the tokens that
/// keep such a batch fed.
struct BenchLimits {
  double max_sequences = 0, max_batched_tokens = 0;
};
BenchLimits bench_limits(double cache_requests, double input, double output, double pp) {
  const auto up = [](double x, double step) { return step * std::ceil(x / step); };
  const double batch = std::min(cache_requests, 4096.0) / pp;
  const double tokens = std::min(batch * (1.0 + input / output), 32768.0);
  BenchLimits limits;
  limits.max_sequences =
      pp * (batch < 256 ? std::max(64.0, up(batch, 32)) : up(batch, batch < 1024 ? 128 : 256));
  limits.max_batched_tokens =
      tokens < 4096 ? std::max(2048.0, up(tokens, 256)) : up(tokens, tokens < 8192 ? 512 : 1024);
  return limits;
}

}  // namespace

/// A model on accelerators under an engine, compiled.
struct ServingPredictor::Deployed {
  const model::Architecture* architecture = nullptr;
  cost::Engine engine;
  cost::Machine machine;
  cost::Deployment deployment;
  RowLayout layout;
  cost::StepModel step;
  cost::Tier tier;
  cost::ErrorBand band;
  bool stand_in = false;  // for an engine nobody has a record of

  [[nodiscard]] double ranks() const {
    return deployment.ep > deployment.tp ? static_cast<double>(deployment.ep) / deployment.tp : 1.0;
  }
  [[nodiscard]] cost::MemoryLayout memory(double fraction, double batched_tokens,
                                          double sequences) const {
    return cost::memory_layout(*architecture, machine, deployment,
                               {.utilisation = fraction,
                                .max_batched_tokens = batched_tokens,
                                .max_sequences = sequences / ranks(),
                                .engine = &engine.memory});
  }
  /// Requests of `tokens` tokens that the caches of the replica hold, fractional; negative where
  /// the weights alone do not fit.
  [[nodiscard]] double cache_requests(const cost::MemoryLayout& held, double tokens) const {
    const double room = held.left_for_sequences().raw();
    if (room <= 0) return -1.0;
    const double each =
        cost::sequence_bytes(*architecture, deployment, tokens, &engine.memory).raw();
    return each > 0 ? ranks() * room / each : 1e9;
  }
};

ServingPredictor::ServingPredictor(const model::Library& library,
                                   const hardware::Accelerators& accelerators,
                                   const ServingOptions& options)
    : library_(library), accelerators_(accelerators), options_(options) {}
ServingPredictor::~ServingPredictor() = default;

std::string ServingPredictor::engine_label(const ServingRow& row) const {
  const auto gpu = find_accelerator(accelerators_, row.gpu);
  const cost::Engine* engine = find_row_engine(row, gpu ? gpu->accelerator->vendor : "");
  if (engine != nullptr) return engine->engine;
  return row.engine.empty() ? "engine not stated" : row.engine;
}

Result<const model::Model*> ServingPredictor::model(const std::string& name) {
  auto found = models_.find(name);
  if (found == models_.end()) found = models_.emplace(name, find_model(library_, name)).first;
  if (!found->second) return std::unexpected(found->second.error());
  return &*found->second;
}

std::string ServingPredictor::kind(const ServingRow& row) {
  const auto found = model(row.model);
  if (!found) return "unknown";
  return is_moe((*found)->architecture) ? "moe" : "dense";
}

Result<const ServingPredictor::Deployed*> ServingPredictor::deployed(const ServingRow& row) {
  const model::Model* known = PORTOLAN_TRY(model(row.model));
  const bool moe = is_moe(known->architecture);
  const RowLayout layout = row_layout(row, moe);
  const hardware::Resolved gpu = PORTOLAN_TRY(find_accelerator(accelerators_, row.gpu));
  const cost::Engine* record =
      options_.engine != nullptr ? options_.engine : find_row_engine(row, gpu.accelerator->vendor);
  const std::string key =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}", row.model, row.gpu, layout.tp, layout.pp, layout.ep,
                  row.precision, row.note("kv"), record != nullptr ? record->engine : row.engine,
                  static_cast<int>(row.load() == LoadKind::kOffline));
  auto found = deployed_.find(key);
  if (found == deployed_.end()) {
    auto build = [&]() -> Result<std::unique_ptr<Deployed>> {
      // An engine nobody has a record of has a stand-in, with the confidence of a datasheet: one
      // that launches kernels one by one, or where programs are compiled whole, one that does not.
      const cost::Engine& engine = record != nullptr ? *record
                                   : compiles_whole_programs(*gpu.accelerator)
                                       ? cost::default_engine()
                                       : *cost::find_engine("vllm", "0.2");
      const std::optional<model::Format> format = PORTOLAN_TRY(weight_format(row.precision));

      cost::Deployment deployment{.tp = layout.tp, .pp = layout.pp, .ep = layout.ep};
      deployment.own_format = !format.has_value();
      deployment.weights = format.value_or(known->architecture.weights);
      const bool trtllm = engine.family == cost::EngineFamily::kTrtllm;
      const double weight_bytes = model::nominal_bytes_per_weight(deployment.weights);
      if (const std::string kv = row.note("kv"); !kv.empty()) {
        deployment.kv_bytes_per_element = PORTOLAN_TRY(model::kv_bytes_per_element(to_lower(kv)));
      } else if (trtllm && weight_bytes < 2.0 && deployment.weights != model::Format::kInt8) {
        deployment.kv_bytes_per_element = 1;  // its quantised checkpoints carry an fp8 cache
      }
      // The published throughput runs of mixtures of experts use attention data parallelism from
      // the PyTorch workflow on (perf-overview.md, "For MoE models").
      if (trtllm && moe && layout.tp > 1 && row.load() == LoadKind::kOffline &&
          engine.engine != "trtllm-0.17" && known->architecture.layers.front().mixer.heads > 0 &&
          contains(to_lower(row.engine), "pytorch")) {
        deployment.ep = layout.tp;
        deployment.tp = 1;
      }

      const int used = deployment.pp * std::max(deployment.tp, deployment.ep);
      const cost::Profile& profile =
          options_.profile != nullptr ? *options_.profile : cost::shipped_profile();
      cost::Machine machine = PORTOLAN_TRY(cost::make_machine(
          node_of(*gpu.accelerator, used), {.profile = &profile,
                                            .accelerators = &accelerators_,
                                            .backend = cost::engine_family_name(engine.family),
                                            .version = {}}));
      if (const auto cap = number_before(row.gpu, "% power cap")) {
        const double clock = clock_under_cap(*cap / 100.0);
        for (cost::ComputeRate& rate : machine.rates) rate.efficiency *= clock;
        machine.prefill_attention *= clock;
      }
      auto step =
          PORTOLAN_TRY(cost::StepModel::compile(known->architecture, machine, deployment, engine));
      cost::Tier tier = step.machine().tier;
      cost::ErrorBand band = step.machine().band;
      if (record == nullptr && tier < cost::Tier::kDatasheet) {
        tier = cost::Tier::kDatasheet;
        band = cost::error_band(tier);
      }
      return std::make_unique<Deployed>(Deployed{.architecture = &known->architecture,
                                                 .engine = engine,
                                                 .machine = std::move(machine),
                                                 .deployment = deployment,
                                                 .layout = layout,
                                                 .step = std::move(step),
                                                 .tier = tier,
                                                 .band = band,
                                                 .stand_in = record == nullptr});
    };
    found = deployed_.emplace(key, build()).first;
  }
  if (!found->second) return std::unexpected(found->second.error());
  return found->second->get();
}

namespace {

struct Lengths {
  double input = 0, output = 0;
};

Result<Lengths> lengths_of(const ServingRow& row) {
  Lengths lengths;
  const std::optional<double> output = row.effective_outputs();
  if (!row.input_tokens || *row.input_tokens < 1)
    return fail(unanswered("no prompt length in the row"));
  lengths.input = *row.input_tokens;
  if (output && *output >= 1) {
    lengths.output = *output;
  } else if (const auto stated = number_before(row.notes_text, " out per")) {
    lengths.output = *stated;  // "1024 in / 1024 out per …"
  } else {
    return fail(unanswered("no output length in the row"));
  }
  return lengths;
}

/// Requests of the whole run where the row says so ("500 requests", "requests=725").
std::optional<double> run_requests(const ServingRow& row) {
  if (const auto noted = row.note_number("requests"); noted && *noted >= 1) return noted;
  if (const auto stated = number_before(row.scenario, "requests"); stated && *stated >= 1)
    return stated;
  return std::nullopt;
}

}  // namespace

/// The loads of a row, answered one by one.
class RowAnswer {
 public:
  RowAnswer(const ServingRow& row, const cost::Engine& engine, const cost::StepModel& step,
            const ServingOptions& options, double replicas, Lengths lengths)
      : row_(row),
        engine_(engine),
        step_(step),
        options_(options),
        replicas_(replicas),
        lengths_(lengths) {
    sequences = row.max_num_seqs.value_or(engine.max_num_seqs);
    batched_tokens = row.max_num_batched_tokens.value_or(engine.max_num_batched_tokens);
  }

  double sequences = 0, batched_tokens = 0;
  double whole_requests = 0, mean_requests = 0;  // that the cache holds: of full and of mean length

  [[nodiscard]] Outcome offline(const serving::OfflineJob& job, bool online) const {
    const serving::OfflineRun run = *serving::offline_run(step_, job,
                                                          {.max_sequences = sequences,
                                                           .max_batched_tokens = batched_tokens,
                                                           .whole_sequences = whole_requests});
    const double front = online ? front_seconds() : 0.0;
    const double token = online ? engine_.per_output_token.raw() : 0.0;
    const double after = online ? engine_.after_decode.raw() : 0.0;
    Outcome outcome;
    outcome.ttft = law_of(run.ttft, front);
    outcome.gap = law_of(run.tpot, token);
    outcome.e2e = law_of(run.e2e, front + after + token * std::max(0.0, job.output_tokens - 1.0));
    outcome.output_tokens_per_second = replicas_ * run.output_tokens_per_second;
    outcome.requests_per_second = outcome.output_tokens_per_second / job.output_tokens;
    if (run.energy) outcome.watts = replicas_ * run.energy->raw() / run.makespan.raw();
    outcome.run = {run.makespan.raw(), run.steps, run.request_steps};
    return outcome;
  }

  [[nodiscard]] Outcome static_batch(double batch, double outputs) const {
    serving::OfflineJob job{
        .requests = batch, .input_tokens = lengths_.input, .output_tokens = outputs};
    Outcome outcome = offline(job, false);
    // The clock of a batch stops when its last request is done.
    const double makespan = batch * outputs * replicas_ / outcome.output_tokens_per_second;
    outcome.e2e = {makespan, makespan, makespan, makespan, makespan};
    return outcome;
  }

  [[nodiscard]] Outcome open_loop(double qps) const {
    const double rate = qps / replicas_;
    const bool shared_prompts = contains(row_.notes_text, "shared system prompts");
    const bool trace = contains(to_lower(row_.scenario), "trace");
    serving::Workload work{.input_tokens = lengths_.input + engine_.chat_template_tokens,
                           .output_tokens = lengths_.output,
                           .cached_share = shared_prompts ? options_.cached_share : 0.0,
                           .input_cv2 = trace ? 1.0 : 0.0,
                           .output_cv2 = trace ? 1.0 : 0.0};
    const serving::EngineLimits limits{.max_sequences = sequences,
                                       .max_batched_tokens = batched_tokens,
                                       .kv_sequences = mean_requests};
    const serving::SteadyState state = serving::steady_state(step_, work, limits, rate);
    const std::optional<double> total = run_requests(row_);
    if (state.saturated || !state.ttft_mean || !state.e2e_mean) {
      // More comes than can be done: waiting grows until arrivals end.
      return offline({.requests = std::max(
                          1.0, std::ceil(total.value_or(qps * options_.stage_seconds) / replicas_)),
                      .input_tokens = work.input_tokens,
                      .output_tokens = work.output_tokens,
                      .cached_share = work.cached_share,
                      .spacing = 1.0 / rate},
                     true);
    }
    Outcome outcome;
    outcome.ttft = law_of(state.ttft_mean->raw(), state.ttft_p95->raw());
    if (state.tpot_mean) outcome.gap = law_of(state.tpot_mean->raw(), state.tpot_p95->raw());
    outcome.e2e = law_of(state.e2e_mean->raw(), state.e2e_p95->raw());
    // A run of so many requests lasts until the last of them is answered.
    const double tail = total ? outcome.e2e.mean : 0.0;
    outcome.requests_per_second = total ? *total / (*total / qps + tail) : qps;
    outcome.output_tokens_per_second = outcome.requests_per_second * lengths_.output;
    if (state.power) outcome.watts = replicas_ * state.power->raw();
    return outcome;
  }

  [[nodiscard]] Outcome closed(double clients) const {
    const serving::ClosedLoopResult run =
        serving::closed_loop(step_,
                             {.clients = clients / replicas_,
                              .input_tokens = lengths_.input,
                              .output_tokens = lengths_.output},
                             {.max_sequences = sequences,
                              .max_batched_tokens = batched_tokens,
                              .kv_sequences = mean_requests});
    const auto level = [](Seconds mean) {
      return Law{mean.raw(), mean.raw(), mean.raw(), mean.raw(), mean.raw()};
    };
    Outcome outcome;
    outcome.ttft = level(run.ttft_mean);
    outcome.gap = level(run.tpot_mean);
    outcome.e2e = level(run.e2e_mean);
    outcome.output_tokens_per_second = replicas_ * run.output_tokens_per_second;
    outcome.requests_per_second = outcome.output_tokens_per_second / lengths_.output;
    return outcome;
  }

 private:
  [[nodiscard]] double front_seconds() const {
    return engine_.front_end.raw() + engine_.per_prompt_token.raw() * lengths_.input;
  }
  const ServingRow& row_;
  const cost::Engine& engine_;
  const cost::StepModel& step_;
  const ServingOptions& options_;
  const double replicas_;
  const Lengths lengths_;
};

Result<ServingPrediction> ServingPredictor::predict(const ServingRow& row,
                                                    std::span<const ServingRow* const> stages) {
  const Lengths lengths = PORTOLAN_TRY(lengths_of(row));
  const Deployed* on = PORTOLAN_TRY(deployed(row));
  const LoadKind load = row.load();
  const double replicas = on->layout.replicas;
  RowAnswer answer(row, on->engine, on->step, options_, replicas, lengths);

  // Limits the row does not state follow from how it was run.
  const bool trtllm = on->engine.family == cost::EngineFamily::kTrtllm;
  double fraction = row.note_number("gpu_mem_util").value_or(on->engine.memory_fraction);
  const double length = lengths.input + lengths.output;
  if (load == LoadKind::kOffline && trtllm) {
    fraction = 0.95;  // of free memory, "in majority of cases" (perf-overview.md)
    const double holds = on->cache_requests(on->memory(fraction, 2048, 64), length);
    if (holds > 0) {
      // Each data-parallel rank of attention is tuned for itself.
      const BenchLimits tuned =
          bench_limits(holds / on->ranks(), lengths.input, lengths.output, on->deployment.pp);
      if (!row.max_num_seqs) answer.sequences = tuned.max_sequences * on->ranks();
      if (!row.max_num_batched_tokens) answer.batched_tokens = tuned.max_batched_tokens;
    }
  }
  if (load == LoadKind::kStatic && row.batch) {
    answer.sequences = std::max(1.0, std::ceil(*row.batch / replicas));
    // Static sessions take all prompts at once; engines without chunks take whole prompts.
    if (trtllm) answer.batched_tokens = answer.sequences * lengths.input;
  }
  if (on->engine.prefill == cost::PrefillPolicy::kFirst)
    answer.batched_tokens = std::max(answer.batched_tokens, lengths.input);
  if (load == LoadKind::kClosedLoop && row.batch && !row.max_num_seqs)
    answer.sequences = std::max(answer.sequences, std::ceil(*row.batch / replicas));

  const double mean_length = lengths.input + 0.5 * lengths.output;
  const cost::MemoryLayout memory = on->memory(fraction, answer.batched_tokens, answer.sequences);
  answer.whole_requests = on->cache_requests(memory, length);
  answer.mean_requests =
      on->engine.reserves_outputs ? answer.whole_requests : on->cache_requests(memory, mean_length);
  if (answer.whole_requests < 0) {
    return fail(unanswered(
        fmt::format("the weights do not fit on {} x {}", row.gpu,
                    on->deployment.pp * std::max(on->deployment.tp, on->deployment.ep))));
  }
  const auto blocks = cost::kv_blocks(*on->architecture, memory, on->deployment);
  if (row.kv_blocks) {
    answer.whole_requests = *row.kv_blocks / std::ceil(length / kBlock);
    answer.mean_requests = *row.kv_blocks / std::ceil(mean_length / kBlock);
  }
  if (answer.whole_requests < 1.0) {
    return fail(
        unanswered(fmt::format("no request of {:.0f} tokens fits into the KV cache", length)));
  }

  ServingPrediction prediction;
  prediction.tier = on->tier;
  prediction.band = on->band;
  std::map<std::string, double>& figures = prediction.figures;
  Outcome outcome;
  switch (load) {
    case LoadKind::kStatic: {
      if (!row.batch || *row.batch < 1) return fail(unanswered("no batch size in the row"));
      if (const auto longest = static_cast<double>(on->architecture->max_position);
          !trtllm && on->engine.engine != "vllm-0.2" && longest > 0 && lengths.input >= longest) {
        return fail(unanswered(fmt::format(
            "the prompt fills the model's longest context, {:.0f} tokens: nothing is generated",
            longest)));
      }
      const double batch = std::ceil(*row.batch / replicas);
      outcome = answer.static_batch(batch, lengths.output);
      const Outcome first = answer.static_batch(batch, 1.0);
      outcome.ttft = first.e2e;
      break;
    }
    case LoadKind::kOffline:
      outcome = answer.offline({.requests = std::ceil(run_requests(row).value_or(benchmark_requests(
                                                          lengths.input, lengths.output)) /
                                                      replicas),
                                .input_tokens = lengths.input,
                                .output_tokens = lengths.output},
                               false);
      break;
    case LoadKind::kBurst:
      outcome = answer.offline({.requests = std::ceil(run_requests(row).value_or(1000) / replicas),
                                .input_tokens = lengths.input,
                                .output_tokens = lengths.output},
                               true);
      break;
    case LoadKind::kClosedLoop:
      if (!row.batch || *row.batch < 1) return fail(unanswered("no number of clients in the row"));
      outcome = answer.closed(*row.batch);
      break;
    case LoadKind::kOpenLoop: {
      std::vector<double> rates;
      for (const ServingRow* stage : stages) {
        if (stage->qps && *stage->qps > 0 && std::isfinite(*stage->qps))
          rates.push_back(*stage->qps);
      }
      if (rates.empty() && row.qps && *row.qps > 0) rates.push_back(*row.qps);
      if (rates.empty())
        return fail(unanswered("open loop without a rate of arrivals: its load is not known"));
      std::vector<std::pair<double, Law>> ttft, gap, e2e;
      for (const double rate : rates) {
        const Outcome part = answer.open_loop(rate);
        ttft.emplace_back(rate, part.ttft);
        gap.emplace_back(rate, part.gap);
        e2e.emplace_back(rate, part.e2e);
        outcome = part;
      }
      if (rates.size() > 1) {
        outcome.ttft = mixture(ttft);
        outcome.gap = mixture(gap);
        outcome.e2e = mixture(e2e);
      }
      break;
    }
    case LoadKind::kUnknown:
      return fail(unanswered("the row says neither a rate, nor clients, nor a batch"));
  }
  if (load == LoadKind::kStatic || load == LoadKind::kOffline) prediction.run = outcome.run;
  prediction.engine = &on->engine;
  prediction.stand_in = on->stand_in;
  put(figures, "ttft", outcome.ttft);
  put(figures, "tpot", outcome.gap);
  put(figures, "itl", outcome.gap);
  put(figures, "e2e", outcome.e2e);
  figures["output_tokens_per_second"] = outcome.output_tokens_per_second;
  figures["total_tokens_per_second"] =
      outcome.output_tokens_per_second * (1.0 + lengths.input / lengths.output);
  figures["requests_per_second"] = outcome.requests_per_second;
  if (outcome.watts) figures["power"] = *outcome.watts;
  if (blocks > 0) figures["kv_blocks"] = static_cast<double>(blocks);
  return prediction;
}

}  // namespace portolan::measure
