#include "measure/inferencex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "cost/memory.hpp"
#include "model/numeric_format.hpp"

namespace portolan::measure {
namespace {

// SemiAnalysis draws lengths evenly from 0.8 to 1 times the nominal ones (random-range-ratio 0.8).
constexpr double kShortest = 0.8;
// Runs of the vendor: nominal lengths, but outputs end early or late by a little, as their clients
// are seen to fall out of step.
constexpr double kVendorSpread = 0.05;

struct Row {
  const io::CsvTable& csv;
  std::size_t index;
  [[nodiscard]] const std::string& text(std::string_view column) const {
    static const std::string none;
    const int c = csv.column(column);
    return c < 0 ? none : csv.rows[index][static_cast<std::size_t>(c)];
  }
  [[nodiscard]] std::optional<double> number(std::string_view column) const {
    const std::optional<double> value = parse_double(text(column));
    return value && std::isfinite(*value) ? value : std::nullopt;
  }
  [[nodiscard]] int degree(std::string_view column) const {
    return static_cast<int>(std::clamp(number(column).value_or(1.0), 1.0, 4096.0));
  }
};

/// How the published launch scripts start an engine (InferenceX repository, benchmarks/single_node,
/// 2025-10 to 2026-04); what they leave alone is the engine's default.
struct Launch {
  double kv_bytes = 2;
  std::optional<double> memory_fraction, max_batched_tokens, largest_capture;
  double poll_steps = 1, gather_steps = 0;
  double drafted = 0;
};

// Share of drafted tokens that are accepted, the ones before them accepted: one figure for all runs
// with multi-token prediction (DeepSeek, random prompts behind a chat template). Fitted, as no run
// publishes it.
constexpr double kAcceptance = 0.68;

/// Runs with multi-token prediction are not marked in the table. The change log of the benchmark
/// repository tells them by image: TensorRT-LLM 1.1.0rc2.post2 had them from 2026-01-14 on,
/// 1.2.0rc6.post3 was used for nothing else (1.2.0rc6.post2 for the runs without).
bool drafts(const cost::Engine& engine, const std::string& version, const std::string& date,
            bool latent) {
  if (engine.family != cost::EngineFamily::kTrtllm || !latent) return false;
  return version == "1.2.0rc6.post3" || (version == "1.1.0rc2.post2" && date >= "2026-01-01");
}

Launch launch_of(const cost::Engine& engine, const model::Architecture& architecture,
                 bool blackwell, bool nvfp4, bool recent, bool public_scripts, double clients,
                 double input) {
  Launch launch;
  const bool latent = !architecture.layers.empty() &&
                      architecture.layers.back().mixer.kind == model::MixerKind::kMla;
  const bool sparse =
      !architecture.layers.empty() && architecture.layers.back().mixer.index_top > 0;
  if (!public_scripts) return launch;
  switch (engine.family) {
    case cost::EngineFamily::kVllm:
      // From 0.19 on the Blackwell scripts set the cache to fp8 and the budget to two prompts;
      // NVFP4 checkpoints name fp8 for the cache themselves.
      if (blackwell && (nvfp4 || recent)) launch.kv_bytes = 1;
      if (blackwell && recent) launch.max_batched_tokens = 2.0 * input;
      if (blackwell && recent) launch.largest_capture = latent ? 8192 : 2048;
      // The gpt-oss scripts set --max-cudagraph-capture-size.
      if (architecture.weights == model::Format::kMxfp4) launch.largest_capture = 2048;
      break;
    case cost::EngineFamily::kSglang:
      launch.kv_bytes = blackwell || !latent ? 1 : 2;
      launch.max_batched_tokens = latent ? 32768 : 16384;
      launch.memory_fraction = 0.82;
      // --scheduler-recv-interval of the DeepSeek scripts on Blackwell.
      if (latent && !sparse && blackwell) launch.poll_steps = clients >= 16 ? 30 : 10;
      break;
    case cost::EngineFamily::kTrtllm:
      launch.kv_bytes = latent ? 1 : 2;
      launch.gather_steps = 60;
      launch.memory_fraction = 0.8;
      launch.max_batched_tokens = latent ? std::max(8192.0, clients + input + 64.0) : 20000.0;
      break;
  }
  return launch;
}

using model::Format;

/// The checkpoint of a precision column: fp8 and int4 ones as published, NVFP4 ones with the routed
/// experts and dense layers in NVFP4 and attention in bf16 (NVIDIA's checkpoints of mixtures).
void store_as(model::Architecture& architecture, cost::Deployment& deployment,
              const std::string& precision, const std::string& experts) {
  const bool moe = !architecture.layers.empty() &&
                   architecture.layers.back().channel.kind == model::ChannelKind::kMoe;
  const Format own = model::stored_format(
      architecture, moe ? model::WeightClass::kExperts : model::WeightClass::kMlp, std::nullopt);
  deployment.own_format = true;
  if (precision.empty() || precision == "bf16") {
    if (own != Format::kBf16) {
      deployment.own_format = false;
      deployment.weights = Format::kBf16;
    }
    return;
  }
  if (precision == "fp8") {
    if (own == Format::kFp8 || own == Format::kFp8Block || own == Format::kMxfp4) return;
    deployment.own_format = false;
    deployment.weights = experts == "fp8_block" ? Format::kFp8Block : Format::kFp8;
    return;
  }
  if (precision == "fp4") {
    if (own == Format::kNvfp4 || own == Format::kMxfp4) return;
    if (!moe) {
      deployment.own_format = false;
      deployment.weights = Format::kNvfp4;
      return;
    }
    architecture.quantised_attention = architecture.quantised_mlp = true;
    architecture.quantised_experts = true;
    architecture.attention_weights = Format::kBf16;
    architecture.mlp_weights = architecture.expert_weights = Format::kNvfp4;
    return;
  }
  if (precision == "int4" && own != Format::kInt4) {
    architecture.quantised_experts = true;
    architecture.expert_weights = Format::kInt4;
    architecture.attention_weights = architecture.mlp_weights = Format::kBf16;
  }
}

hardware::Node node_of(const hardware::Accelerator& accelerator) {
  hardware::Node node;
  node.accelerator = &accelerator;
  node.count = 8;
  node.link = accelerator.link;
  node.link_per_direction = accelerator.link_per_direction;
  node.link_domain = accelerator.link_domain;
  return node;
}

/// vLLM 0.19 and later, whose launch scripts know data-parallel attention.
bool recent(const Row& row, const cost::Engine& engine) {
  const std::string& version = row.text("backend_version");
  return engine.family == cost::EngineFamily::kVllm && engine.engine >= "vllm-0.19" &&
         !version.empty() && version[0] >= '0' && version[0] <= '9';
}

/// Everything that rows share, kept while the table is read.
class Reader {
 public:
  Reader(const model::Library& library, const hardware::Accelerators& accelerators,
         const cost::Profile& profile)
      : library_(library), accelerators_(accelerators), profile_(profile) {}

  ServingPoint point(const Row& row) {
    ServingPoint p;
    p.set = "inferencex";
    const bool disagg = row.text("mode") == "disagg";
    const std::string precision = row.text("precision").empty() ? "bf16" : row.text("precision");
    p.label = row.text("id");
    p.source = row.text("source");
    p.ttft_ms = row.number("measured_ttft_ms");
    p.tpot_ms = row.number("measured_tpot_ms");
    const auto accelerator = accelerators_.resolve(row.text("system"));
    const Result<model::Model>& found = named(row.text("model"));
    const bool moe = found && !found->architecture.layers.empty() &&
                     found->architecture.layers.back().channel.kind == model::ChannelKind::kMoe;
    p.group = fmt::format("{}{} {} {} {}", disagg ? "disagg " : "",
                          accelerator ? accelerator->accelerator->short_id.empty()
                                            ? accelerator->accelerator->id
                                            : accelerator->accelerator->short_id
                                      : row.text("system"),
                          row.text("backend"),
                          !found ? "unknown"
                          : moe  ? "moe"
                                 : "dense",
                          precision);
    if (disagg) {
      p.reason = "prefill and decode on separate workers is not modelled";
      return p;
    }
    if (!accelerator) p.reason = accelerator.error().message;
    if (!found) p.reason = found.error().message;
    const cost::Engine* engine =
        profile_.find_engine(row.text("backend"), row.text("backend_version"));
    if (engine == nullptr) p.reason = fmt::format("no engine \"{}\" is known", row.text("backend"));
    if (engine != nullptr) p.engine = record_name(*engine, row.text("backend_version"));
    const auto input = row.number("isl"), output = row.number("osl");
    if (!input || !output || *input < 1 || *output < 1) p.reason = "isl or osl is missing";
    if (!p.reason.empty()) return p;
    // The vendor's gap analysis repeats public runs, rounded.
    const bool public_runs = row.text("provenance").starts_with("SemiAnalysis") ||
                             row.text("id").find("gap_analysis") != std::string::npos;
    const double batch = row.number("batch_size").value_or(1.0);
    LayoutColumns columns{.tp = row.degree("tp"),
                          .attention_dp = row.degree("attention_dp"),
                          .moe_tp = row.degree("moe_tp"),
                          .moe_ep = row.degree("moe_ep"),
                          .launch_flags = public_runs,
                          .data_parallel_flag = recent(row, *engine)};
    p.load.clients = row.number("concurrency").value_or(batch * columns.tp);
    p.load.input_tokens = *input;
    p.load.output_tokens = *output;
    p.load.shortest = public_runs ? kShortest : 1.0 - kVendorSpread;
    p.load.longest = public_runs ? 1.0 : 1.0 + kVendorSpread;
    if (!public_runs && batch < p.load.clients) {
      // batch_size is what one rank of data-parallel attention, or one of several replicas, holds.
      const double share = std::round(p.load.clients / std::max(1.0, batch));
      if (moe && share == columns.tp) {
        columns.attention_dp = columns.tp;
        columns.tp = 1;
      } else {
        p.load.clients = batch;
      }
    }
    const Layout layout = layout_of(columns);
    resolve(p, row, found.value(), *accelerator->accelerator, *engine, layout, precision, moe,
            public_runs);
    return p;
  }

 private:
  const Result<model::Model>& named(const std::string& name) {
    auto at = models_.find(name);
    if (at == models_.end()) at = models_.emplace(name, library_.find(name)).first;
    return at->second;
  }

  void resolve(ServingPoint& p, const Row& row, const model::Model& model,
               const hardware::Accelerator& accelerator, const cost::Engine& engine,
               const Layout& layout, const std::string& precision, bool moe, bool public_runs) {
    p.architecture = fmt::format("{} {} {}", model.architecture.model_type,
                                 model.architecture.hidden, model.architecture.layer_count());
    const bool blackwell = accelerator.architecture.starts_with("blackwell");
    const bool nvfp4 = precision == "fp4" && model.architecture.weights != Format::kMxfp4;
    const Launch launch =
        launch_of(engine, model.architecture, blackwell, nvfp4, recent(row, engine), public_runs,
                  p.load.clients, p.load.input_tokens);
    if (public_runs &&
        drafts(engine, row.text("backend_version"), row.text("date"),
               model.architecture.layers.back().mixer.kind == model::MixerKind::kMla)) {
      p.load.drafted = layout.attention_dp > 1 ? 1 : 3;
      p.load.acceptance = kAcceptance;
    }
    p.load.gather_steps = launch.gather_steps;
    cost::Deployment deployment{.tp = layout.tp, .ep = moe ? layout.ep : 1};
    deployment.kv_bytes_per_element = launch.kv_bytes;
    const std::string key =
        fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}", row.text("model"), accelerator.id, engine.engine,
                    precision, row.text("moe_quant"), layout.tp, deployment.ep, launch.kv_bytes,
                    launch.largest_capture.value_or(0));
    auto at = compiled_.find(key);
    if (at == compiled_.end()) {
      Compiled entry;
      entry.architecture = model.architecture;
      store_as(entry.architecture, deployment, precision == "bf16" ? "" : precision,
               row.text("moe_quant"));
      entry.deployment = deployment;
      auto machine = cost::make_machine(node_of(accelerator),
                                        {.profile = &profile_,
                                         .accelerators = &accelerators_,
                                         .backend = cost::engine_family_name(engine.family),
                                         .version = {}});
      if (!machine) {
        entry.reason = machine.error().message;
      } else {
        // An accelerator without the arithmetic of a checkpoint runs it as weights only.
        cost::Engine launched = engine;
        if (launch.largest_capture)
          launched.graphs.largest = launched.captured_prompt_tokens = *launch.largest_capture;
        auto step = cost::StepModel::compile(entry.architecture, *machine, deployment, launched);
        if (step) {
          entry.step = std::make_shared<const cost::StepModel>(std::move(*step));
        } else {
          entry.reason = step.error().message;
        }
      }
      at = compiled_.emplace(key, std::move(entry)).first;
    }
    const Compiled& entry = at->second;
    if (!entry.step) {
      p.reason = entry.reason;
      return;
    }
    p.step = entry.step;
    p.load.poll_steps = launch.poll_steps;
    p.limits.max_batched_tokens = launch.max_batched_tokens.value_or(engine.max_num_batched_tokens);
    p.limits.max_sequences = std::max(engine.max_num_seqs, p.load.clients);
    // In the vendor's dense TensorRT-LLM runs one client at a time waits for a whole request: the
    // mean time to first token grows by the length of a request over the number of clients.
    if (!public_runs && !moe && engine.family == cost::EngineFamily::kTrtllm &&
        p.load.clients > 1.0)
      p.limits.max_sequences = p.load.clients - 1.0;
    p.limits.kv_sequences =
        kv_sequences(entry, engine, launch, p) * std::max(1, entry.deployment.ep / layout.tp);
  }

  struct Compiled {
    model::Architecture architecture;
    cost::Deployment deployment;
    std::shared_ptr<const cost::StepModel> step;
    std::string reason;
  };

  /// Requests whose cache fits on one rank of attention.
  static double kv_sequences(const Compiled& entry, const cost::Engine& engine,
                             const Launch& launch, const ServingPoint& p) {
    const double fraction = launch.memory_fraction.value_or(engine.memory_fraction);
    const bool of_free = engine.memory_base == cost::MemoryBase::kFreeAfterWeights;
    cost::MemoryLimits limits{.utilisation = of_free ? 1.0 : fraction,
                              .max_batched_tokens = p.limits.max_batched_tokens,
                              .max_sequences = p.load.clients};
    const cost::MemoryLayout layout =
        cost::memory_layout(entry.architecture, entry.step->machine(), entry.deployment, limits);
    const double mean = 0.5 * (p.load.longest + p.load.shortest);
    const double held =
        mean * (p.load.input_tokens + (engine.reserves_outputs ? 1.0 : 0.5) * p.load.output_tokens);
    const double each = cost::sequence_bytes(entry.architecture, entry.deployment, held).raw();
    const double left = layout.left_for_sequences().raw() * (of_free ? fraction : 1.0);
    // A published run did fit: where our own count of its memory disagrees, nothing is capped.
    if (each <= 0 || left < each) return p.load.clients;
    return std::floor(left / each);
  }

  const model::Library& library_;
  const hardware::Accelerators& accelerators_;
  const cost::Profile& profile_;
  std::map<std::string, Result<model::Model>> models_;
  std::map<std::string, Compiled> compiled_;
};

}  // namespace

bool is_inferencex(const io::CsvTable& csv) {
  return csv.column("measured_ttft_ms") >= 0 && csv.column("measured_tpot_ms") >= 0 &&
         csv.column("moe_ep") >= 0 && csv.column("concurrency") >= 0;
}

Layout layout_of(const LayoutColumns& c) {
  Layout layout{.tp = c.tp, .ep = c.moe_ep, .attention_dp = c.attention_dp};
  const int product = c.tp * c.attention_dp;
  if (c.launch_flags && c.moe_ep > 1) {
    if (c.moe_tp == c.moe_ep && product == c.moe_tp * c.moe_ep) {
      layout.attention_dp = c.attention_dp > 1 ? c.moe_ep : 1;
      layout.tp = c.attention_dp > 1 ? 1 : c.moe_tp;
      layout.ep = c.moe_ep;
    } else if (c.tp > 1 && c.attention_dp == c.tp && c.moe_tp == 1 && c.moe_ep == product) {
      if (c.data_parallel_flag) return {.tp = 1, .ep = c.tp, .attention_dp = c.tp};
      return {.tp = c.tp, .ep = c.tp, .attention_dp = 1};
    }
  }
  // Data-parallel ranks of attention hold whole experts between them.
  if (layout.attention_dp > 1) layout.ep = layout.tp * layout.attention_dp;
  return layout;
}

Result<std::vector<ServingPoint>> read_inferencex(const io::CsvTable& csv, const std::string& file,
                                                  const model::Library& library,
                                                  const hardware::Accelerators& accelerators,
                                                  const cost::Profile* profile) {
  for (const char* column : {"model", "system", "backend", "backend_version", "precision", "mode",
                             "isl", "osl", "concurrency", "tp", "attention_dp", "moe_tp", "moe_ep",
                             "measured_ttft_ms", "measured_tpot_ms"}) {
    if (csv.column(column) < 0) {
      return fail(ErrorCode::kInvalidInput,
                  fmt::format("{}: column \"{}\" is missing", file, column),
                  "the header must be that of the InferenceX table");
    }
  }
  Reader reader(library, accelerators, profile != nullptr ? *profile : cost::shipped_profile());
  std::vector<ServingPoint> points;
  points.reserve(csv.rows.size());
  for (std::size_t i = 0; i < csv.rows.size(); ++i) points.push_back(reader.point({csv, i}));
  return points;
}

Result<std::vector<ScoredPoint>> score_inferencex(const io::CsvTable& csv, const std::string& file,
                                                  const model::Library& library,
                                                  const hardware::Accelerators& accelerators,
                                                  unsigned threads, const cost::Profile* profile) {
  const std::vector<ServingPoint> points =
      PORTOLAN_TRY(read_inferencex(csv, file, library, accelerators, profile));
  return score_serving(points, threads);
}

}  // namespace portolan::measure
