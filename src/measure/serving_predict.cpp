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
// System prompts of blis_s2r and its users, "9 to 11 prompts, 4 to 5 users each" (serving.md §8.2).
constexpr double kSystemPrompt = 100, kRoleplaySystem = 150, kUsers = 45;
constexpr double kBlock = 16;  // tokens of a vLLM cache block (column kv_blocks)

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_moe(const model::Architecture& architecture) {
  return std::any_of(
      architecture.layers.begin(), architecture.layers.end(),
      [](const model::LayerRun& run) { return run.channel.kind == model::ChannelKind::kMoe; });
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

void put(std::map<std::string, double>& figures, const std::string& name, const Law& law) {
  figures[name + "_mean"] = law.mean * kMs;
  figures[name + "_p50"] = law.p50 * kMs;
  figures[name + "_p90"] = law.p90 * kMs;
  figures[name + "_p99"] = law.p99 * kMs;
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
  const cost::Engine* engine = find_row_engine(row, gpu ? gpu->accelerator->vendor : "", profile());
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

Result<std::shared_ptr<const ServingPredictor::Deployed>> ServingPredictor::deployed(
    const ServingRow& row) {
  const model::Model* known = PORTOLAN_TRY(model(row.model));
  const bool moe = is_moe(known->architecture);
  const RowLayout layout = row_layout(row, moe);
  const hardware::Resolved gpu = PORTOLAN_TRY(find_accelerator(accelerators_, row.gpu));
  const cost::Engine* record = options_.engine != nullptr
                                   ? options_.engine
                                   : find_row_engine(row, gpu.accelerator->vendor, profile());
  const std::string key =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}", row.model, row.gpu, layout.tp, layout.pp, layout.ep,
                  row.precision, row.note("kv"), record != nullptr ? record->engine : row.engine,
                  static_cast<int>(row.load() == LoadKind::kOffline));
  auto found = deployed_.find(key);
  if (found == deployed_.end()) {
    auto build = [&]() -> Result<std::shared_ptr<const Deployed>> {
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
      cost::Machine machine = PORTOLAN_TRY(cost::make_machine(
          node_of(*gpu.accelerator, used), {.profile = &profile(),
                                            .accelerators = &accelerators_,
                                            .backend = cost::engine_family_name(engine.family),
                                            .version = {}}));
      if (const auto cap = number_before(row.gpu, "% power cap")) {
        const double clock = clock_under_cap(*cap / 100.0);
        for (cost::ComputeRate& rate : machine.rates) rate.efficiency *= clock;
        for (double& peak : machine.chip.peak) peak *= clock;
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
      return std::make_shared<const Deployed>(Deployed{.architecture = &known->architecture,
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
  return *found->second;
}

/// A row with the deployment it ran on and the limits it ran under.
struct ServingPredictor::Placed {
  std::shared_ptr<const Deployed> on;
  Lengths lengths;
  RowAnswer answer;
  std::int64_t blocks = 0;
};

Result<ServingPredictor::Placed> ServingPredictor::place(const ServingRow& row) {
  const Lengths lengths = PORTOLAN_TRY(lengths_of(row));
  const std::shared_ptr<const Deployed> on = PORTOLAN_TRY(deployed(row));
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
  return Placed{.on = on, .lengths = lengths, .answer = answer, .blocks = blocks};
}

Result<ServingPoint> ServingPredictor::point(const ServingRow& row) {
  const Placed placed = PORTOLAN_TRY(place(row));
  const Deployed& on = *placed.on;
  if (on.stand_in) return fail(unanswered(fmt::format("no engine \"{}\" is known", row.engine)));
  ServingPoint point;
  point.architecture = row.model;
  point.engine = record_name(on.engine, row.engine_version);
  point.step = std::shared_ptr<const cost::StepModel>(placed.on, &on.step);
  point.limits = placed.answer.limits();
  switch (row.load()) {
    case LoadKind::kClosedLoop:
      if (!row.batch || *row.batch < 1) return fail(unanswered("no number of clients in the row"));
      point.load = placed.answer.clients(*row.batch);
      break;
    case LoadKind::kOpenLoop:
      if (!row.qps || !(*row.qps > 0) || std::isinf(*row.qps))
        return fail(unanswered("open loop without a rate of arrivals: its load is not known"));
      point.arrivals = *row.qps / on.layout.replicas;
      point.work = placed.answer.arrivals();
      break;
    case LoadKind::kBurst:
    case LoadKind::kOffline:
    case LoadKind::kStatic:
    case LoadKind::kUnknown:
      return fail(unanswered("no open or closed loop"));
  }
  for (const MeasuredFigure& figure : row.figures) {
    if (figure.metric == "ttft_mean") point.ttft_ms = figure.value;
    if (figure.metric == "tpot_mean" || figure.metric == "itl_mean") point.tpot_ms = figure.value;
  }
  if (!point.ttft_ms && !point.tpot_ms)
    return fail(unanswered("neither ttft_ms_mean nor tpot_ms_mean was measured"));
  return point;
}

Result<const SimulatedLoad*> ServingPredictor::simulated(const ServingRow& row) {
  const Placed placed = PORTOLAN_TRY(place(row));
  const Deployed& on = *placed.on;
  const RowAnswer& answer = placed.answer;
  OpenLoad load;
  load.requests_per_second = *row.qps / on.layout.replicas;
  load.seconds = options_.stage_seconds;
  if (const auto requests = run_requests(row)) load.requests = *requests / on.layout.replicas;
  load.lengths = placed.lengths;
  load.varied = contains(to_lower(row.scenario), "trace");
  if (contains(row.notes_text, "shared system prompts")) {
    const double system = row.note("workload") == "roleplay" ? kRoleplaySystem : kSystemPrompt;
    load.recurring_tokens = std::min(
        load.lengths.input - 1, system + options_.recurring_share * (load.lengths.input - system));
    load.users = kUsers;
  }
  simulation::EngineOptions limits;
  limits.max_sequences = std::llround(answer.sequences / on.ranks());
  limits.max_batched_tokens = std::llround(answer.batched_tokens);
  if (row.kv_blocks) limits.kv_blocks = std::llround(*row.kv_blocks);
  limits.memory_fraction = row.note_number("gpu_mem_util");
  const std::string key = fmt::format(
      "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", fmt::ptr(placed.on.get()), load.requests_per_second,
      load.requests.value_or(0), load.lengths.input, load.lengths.output, load.varied,
      load.recurring_tokens, *limits.max_sequences, *limits.max_batched_tokens,
      fmt::format("{} {}", limits.kv_blocks.value_or(0), limits.memory_fraction.value_or(0)));
  auto found = simulated_.find(key);
  if (found == simulated_.end()) {
    auto simulate = [&]() -> Result<SimulatedLoad> {
      return simulate_load(
          PORTOLAN_TRY(simulation::make_engine_model(*on.architecture, on.step, limits)), load,
          options_.threads);
    };
    found = simulated_.emplace(key, simulate()).first;
  }
  if (!found->second) return std::unexpected(found->second.error());
  return &*found->second;
}

Result<ServingPrediction> ServingPredictor::predict(const ServingRow& row,
                                                    std::span<const ServingRow* const> stages) {
  const Placed placed = PORTOLAN_TRY(place(row));
  const Deployed* on = placed.on.get();
  const RowAnswer& answer = placed.answer;
  const Lengths& lengths = placed.lengths;
  const std::int64_t blocks = placed.blocks;
  const LoadKind load = row.load();
  const double replicas = on->layout.replicas;
  const bool trtllm = on->engine.family == cost::EngineFamily::kTrtllm;
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
      // Stages are weighted by their requests: all last as long.
      const ServingRow* alone = &row;
      std::span<const ServingRow* const> parts = stages.empty() ? std::span(&alone, 1) : stages;
      std::vector<std::pair<double, Law>> ttft, gap, e2e;
      for (const ServingRow* part : parts) {
        if (!part->qps || !(*part->qps > 0) || !std::isfinite(*part->qps)) continue;
        const SimulatedLoad& answered = *PORTOLAN_TRY(simulated(*part));
        ttft.emplace_back(*part->qps, answered.ttft);
        gap.emplace_back(*part->qps, answered.gap);
        e2e.emplace_back(*part->qps, answered.e2e);
        outcome.requests_per_second = replicas * answered.requests_per_second;
        outcome.output_tokens_per_second = replicas * answered.output_tokens_per_second;
        if (answered.watts) outcome.watts = replicas * *answered.watts;
        prediction.saturated = prediction.saturated || answered.saturated;
      }
      if (ttft.empty())
        return fail(unanswered("open loop without a rate of arrivals: its load is not known"));
      prediction.simulated = true;
      outcome.ttft = ttft.size() > 1 ? mixture(ttft) : ttft.front().second;
      outcome.gap = gap.size() > 1 ? mixture(gap) : gap.front().second;
      outcome.e2e = e2e.size() > 1 ? mixture(e2e) : e2e.front().second;
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
