#include "measure/training_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <string_view>
#include <tuple>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "cost/machine.hpp"
#include "measure/training_architecture.hpp"
#include "model/operators.hpp"
#include "training/run.hpp"

namespace portolan::measure {
namespace {

using training::Method;
using training::Optimizer;
using training::Recompute;
using training::Strategy;

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The network between nodes, one direction of one accelerator in GB/s. What the notes say comes
/// first ("400Gb/s per GPU", "8 GPUs/node, 800 Gb/s"); else the usual ports of the generation: four
/// of 100 Gbit/s for eight V100 or for the A100 of Jean Zay, HDR 200 for other A100, 400 Gbit/s
/// from Hopper on.
double network_gb(const TableRow& row, const hardware::Accelerator& accelerator,
                  std::int64_t per_node) {
  const std::string notes = to_lower(row.text("notes"));
  for (std::size_t at = notes.find("gb/s"); at != std::string::npos;
       at = notes.find("gb/s", at + 1)) {
    // Lower case has made Gb of GB; every network in the tables is given in bits.
    std::size_t end = at;
    while (end > 0 && notes[end - 1] == ' ') --end;
    std::size_t begin = end;
    while (begin > 0 && (std::isdigit(static_cast<unsigned char>(notes[begin - 1])) != 0)) --begin;
    const auto bits = parse_double(std::string_view(notes).substr(begin, end - begin));
    if (!bits || *bits <= 0) continue;
    const bool each = notes.compare(at, 12, "gb/s per gpu") == 0;
    return *bits / 8 / (each ? 1.0 : static_cast<double>(per_node));
  }
  const bool many = row.whole_or("gpus", 1) > per_node;
  if (accelerator.architecture == "volta" ||
      (many && row.text("framework") == "Megatron-DeepSpeed"))
    return 6.25;
  return accelerator.architecture == "ampere" ? 25 : 50;
}

struct Setting {
  Strategy strategy;
  training::Job job;
  std::int64_t nodes = 1;
  cost::Machine machine;
  bool strategy_known = true, precision_known = true;
};

/// The software behind a framework's name.
const training::Stack& stack_of(const std::string& framework) {
  for (const char* old : {"Megatron-LM", "Megatron-DeepSpeed", "DeepSpeed ZeRO"}) {
    if (holds(framework, old)) return training::unfused_stack();
  }
  for (const char* eager : {"torchtune", "LitGPT", "torchtitan", "llm-foundry", "nanotron"}) {
    if (holds(framework, eager)) return training::eager_stack();
  }
  return training::fused_stack();
}

Optimizer optimizer_of(const std::string& framework, const std::string& precision,
                       const std::string& stated) {
  if (stated == "AdamW8bit") return Optimizer::kAdam8bit;
  if (framework == "Megatron-DeepSpeed" && precision == "bf16")
    return Optimizer::kAdamDeepspeedBf16;
  if (holds(framework, "Megatron")) return Optimizer::kAdamMegatron;
  if (framework == "torchtune" || holds(framework, "llm-foundry")) return Optimizer::kAdamBf16;
  if (framework == "torchtitan") return Optimizer::kAdamFp32;
  return Optimizer::kAdamMixed;
}

int zero_stage(const std::string& text) {
  if (text.starts_with("FSDP") || holds(text, "ZeRO-3") || text == "3") return 3;
  if (holds(text, "ZeRO-2") || text == "2") return 2;
  if (holds(text, "ZeRO-1") || text == "1") return 1;
  return 0;
}

/// A precision as arithmetic; empty = what the accelerator's recipes use: 8 bit where it has it.
model::Compute compute_of(const std::string& precision, const cost::Machine& machine) {
  if (holds(precision, "fp4")) return model::Compute::kFp4;
  if (holds(precision, "fp8")) return model::Compute::kFp8;
  const bool eight = machine.rate(model::Compute::kFp8).peak.raw() > 0;
  return precision.empty() && eight ? model::Compute::kFp8 : model::Compute::kBf16;
}

std::optional<Setting> setting_of(const TableRow& row, const KnownThings& known,
                                  std::string& reason) {
  const hardware::Accelerator* accelerator =
      training_accelerator(known.accelerators, row.text("gpu"), row.number_or("gpu_mem_gb", 0));
  if (accelerator == nullptr) {
    reason = fmt::format("unknown accelerator {}", quoted(row.text("gpu")));
    return std::nullopt;
  }
  Setting s;
  const std::int64_t gpus = std::max<std::int64_t>(1, row.whole_or("gpus", 1));
  // Racks with one domain of links are built of nodes of four.
  const std::int64_t full = accelerator->link_domain > 16 ? 4 : 8;
  hardware::Node node;
  node.accelerator = accelerator;
  node.count = std::min(gpus, full);
  while (gpus % node.count != 0) --node.count;
  node.link = accelerator->link;
  node.link_per_direction = accelerator->link_per_direction;
  node.link_domain = std::min(accelerator->link_domain, gpus);
  node.network.per_accelerator = network_gb(row, *accelerator, node.count) * kGBPerSecond;
  node.network.rdma = true;
  s.nodes = gpus / node.count;
  auto machine = cost::make_machine(node);
  if (!machine) {
    reason = machine.error().message;
    return std::nullopt;
  }
  s.machine = *machine;

  const std::string zero = row.text("fsdp_or_zero") + row.text("zero"),
                    framework = row.text("framework"), recompute = row.text("recompute"),
                    precision = to_lower(row.text("precision"));
  Strategy& t = s.strategy;
  const bool degrees = row.has("tp") && row.has("pp");
  s.strategy_known = degrees || gpus == 1 || zero_stage(zero) == 3;
  s.precision_known = !precision.empty();
  t.tp = static_cast<int>(row.whole_or("tp", 1));
  t.pp = static_cast<int>(row.whole_or("pp", 1));
  t.cp = static_cast<int>(row.whole_or("cp", 1));
  t.ep = static_cast<int>(row.whole_or("ep", 1));
  if (const std::int64_t inner = std::int64_t{t.tp} * t.pp * t.cp; inner < 1 || gpus % inner != 0) {
    // Degrees that cannot be of so many accelerators say nothing.
    s.strategy_known = false;
    t.tp = t.pp = t.cp = 1;
  }
  const std::int64_t inner = std::int64_t{t.tp} * t.pp * t.cp;
  t.dp = static_cast<int>(gpus / inner);
  if (const double batch = row.number_or("global_batch", 0);
      batch >= 1 && t.dp > batch && std::fmod(t.dp, batch) == 0) {
    // More replicas than samples: the accelerators left over share the sequences.
    t.cp *= t.dp / static_cast<int>(batch);
    t.dp = static_cast<int>(batch);
  }
  t.microbatch = static_cast<int>(row.whole_or("microbatch", 1));
  t.virtual_stages = static_cast<int>(row.whole_or("vpp", 1));
  t.zero = zero_stage(zero);
  // Of these runs the papers say that layers were computed again, the tables only where to look.
  const bool elsewhere = framework == "Megatron-DeepSpeed" && holds(recompute, "vTrain");
  t.recompute = holds(recompute, "full") || elsewhere ? Recompute::kFull
                : holds(recompute, "selective")       ? Recompute::kSelective
                                                      : Recompute::kNone;
  s.job.compute = compute_of(precision, s.machine);
  s.job.method = row.text("task") == "qlora" || row.has("quant") ? Method::kQlora
                 : row.text("task").starts_with("lora") || row.text("task").starts_with("adapter")
                     ? Method::kLora
                     : Method::kFull;
  s.job.tokens = 1e12;
  s.job.sequence = row.number_or("seq_len", 0);
  const double sequences =
      row.number_or("global_batch", s.strategy_known ? static_cast<double>(t.dp) * t.microbatch
                                                     : static_cast<double>(gpus));
  s.job.global_batch_tokens = sequences * s.job.sequence;
  s.job.stack = stack_of(framework);
  if (holds(recompute, "sequence-parallel") || holds(recompute, "sequence parallel"))
    s.job.stack.sequence_parallel = true;
  s.job.optimizer = optimizer_of(framework, precision, row.text("optimizer"));
  return s;
}

/// Model FLOP of a step in the counter of frameworks that publish TFLOP/s alone: the whole square
/// of attention, layers `passes` times, logits three times (arXiv 2104.04473 eq. 3).
double counted_flop(const model::Architecture& a, double sequence, double sequences,
                    double passes) {
  const double all = model::prefill_flop(a, sequence, 0, sequence).raw(),
               logits = 2 * sequence * static_cast<double>(a.hidden * a.vocab);
  double half = 0;
  for (const model::LayerRun& run : a.layers) {
    half += static_cast<double>(run.count * run.mixer.heads *
                                (run.mixer.head_dim + run.mixer.v_head_dim)) *
            sequence * (sequence - 1);
  }
  return sequences * (passes * (all - logits + half) + 3 * logits);
}

/// Seconds of one step as published: read, or from tokens/s, or from TFLOP/s of a known counter.
std::optional<double> published_step(const TableRow& row,
                                     const std::optional<model::Architecture>& architecture,
                                     double batch_tokens) {
  if (const auto step = row.number("step_time_s"); step && *step > 0) return step;
  const double gpus = row.number_or("gpus", 0);
  if (const auto rate = row.number("tokens_s_gpu"); rate && *rate > 0 && gpus > 0)
    return batch_tokens / (*rate * gpus);
  const double tflops = row.number_or("tflops_gpu", 0);
  if (tflops <= 0 || gpus <= 0 || !row.has("global_batch") || !architecture || !row.has("layers") ||
      !row.has("hidden"))
    return std::nullopt;
  const double passes = row.text("tflops_kind").starts_with("hardware") ? 4 : 3;
  return counted_flop(*architecture, row.number_or("seq_len", 0), row.number_or("global_batch", 0),
                      passes) /
         (tflops * 1e12 * gpus);
}

/// The row's own strategy; where the microbatch was not published the fastest that fits, where the
/// strategy was not the best of a search.
std::optional<training::RunEstimate> predicted_run(const TableRow& row, const Setting& setting,
                                                   const training::Trainer& trainer) {
  if (!setting.strategy_known) {
    const auto search = trainer.search(setting.nodes);
    if (search.estimate) return search.estimate;
    return trainer.evaluate(search.leanest, setting.nodes);  // nothing fits: the least too large
  }
  auto run = trainer.evaluate(setting.strategy, setting.nodes);
  if (row.has("microbatch")) return run;
  for (const int b : {2, 4, 8, 16}) {
    Strategy other = setting.strategy;
    other.microbatch = b;
    const auto candidate = trainer.evaluate(other, setting.nodes);
    if (candidate && candidate->memory.total() <= trainer.usable() &&
        (!run || candidate->step < run->step))
      run = candidate;
  }
  return run;
}

std::string group_of(const TableRow& row, bool strategy_known) {
  std::string group = framework_family(row.text("framework"));
  if (group.empty()) group = "unnamed framework";
  if (row.whole_or("moe_experts", 0) > 0) group += " MoE";
  const std::string& task = row.text("task");
  if (!task.empty() && task != "pretrain" && !holds(group, task)) group += " " + task;
  if (holds(row.text("precision"), "not stated")) group += " precision_not_stated";
  if (row.whole_or("gpus", 1) <= 8) group += " one node";
  if (!strategy_known) group += " strategy_unknown";
  return group;
}

ScoredPoint point_of(const TableRow& row, const std::string& set, std::string metric) {
  ScoredPoint p;
  p.set = set;
  p.metric = std::move(metric);
  p.label = fmt::format("{} on {}x {}, {} tokens", row.text("model"), row.text("gpus"),
                        row.text("gpu"), row.text("seq_len"));
  if (row.has("precision")) p.label += ", " + row.text("precision");
  if (row.has("id")) p.label += ", row " + row.text("id");
  p.source = row.text("source");
  return p;
}

void answer(ScoredPoint& p, double predicted, const cost::Machine& machine,
            const model::Architecture& architecture) {
  p.predicted = predicted;
  const bool guessed = architecture.coverage != model::Coverage::kOperators;
  const cost::Tier tier = guessed ? cost::Tier::kParameterCount : machine.tier;
  p.tier = cost::tier_name(tier);
  const cost::ErrorBand band = guessed ? cost::error_band(tier) : machine.band;
  p.low = band.low * predicted;
  p.high = band.high * predicted;
}

std::optional<ScoredPoint> score_step(const TableRow& row, const std::string& set,
                                      const KnownThings& known) {
  ScoredPoint p = point_of(row, set, "step_time");
  const auto architecture = training_architecture(row, known.models);
  auto setting = setting_of(row, known, p.reason);
  const double batch = setting ? setting->job.global_batch_tokens
                               : row.number_or("global_batch", row.number_or("gpus", 1)) *
                                     row.number_or("seq_len", 0);
  const auto measured = published_step(row, architecture, batch);
  if (!measured || *measured <= 0) return std::nullopt;
  p.measured = *measured;
  const bool degrees = row.has("tp") && row.has("pp");
  p.group = group_of(row, setting ? setting->strategy_known && setting->precision_known
                                  : degrees && row.has("precision"));
  if (!setting) return p;
  if (!architecture) {
    p.reason = "neither dimensions, a known name nor a number of parameters";
    return p;
  }
  const auto trainer = training::Trainer::compile(*architecture, setting->machine, setting->job);
  if (!trainer) {
    p.reason = trainer.error().message;
    return p;
  }
  const auto run = predicted_run(row, *setting, *trainer);
  if (!run) {
    p.reason =
        fmt::format("{} is not a legal strategy here", training::strategy_text(setting->strategy));
    return p;
  }
  answer(p, run->step.raw() * batch / std::max(1.0, run->batch_tokens), setting->machine,
         *architecture);
  return p;
}

std::optional<ScoredPoint> score_peak(const TableRow& row, const std::string& set,
                                      const KnownThings& known) {
  const auto value = row.number("mem_per_gpu");
  const std::string& kind = row.text("mem_kind");
  if (!value || *value <= 0 || holds(kind, "analytic")) return std::nullopt;
  ScoredPoint p = point_of(row, set, "memory");
  p.measured = *value * (row.text("unit") == "GiB" ? kGiB : kGB).raw();
  auto setting = setting_of(row, known, p.reason);
  p.group = group_of(row, !setting || setting->strategy_known);
  if (!setting) return p;
  const auto architecture = training_architecture(row, known.models);
  if (!architecture) {
    p.reason = "neither dimensions, a known name nor a number of parameters";
    return p;
  }
  if (holds(row.text("recompute"), "offload")) {
    p.reason = "activations kept in host memory are not modelled";
    return p;
  }
  if (row.text("framework") == "torchtune" && !row.has("recompute"))
    setting->strategy.recompute = Recompute::kFull;  // the default of its recipes
  const auto trainer = training::Trainer::compile(*architecture, setting->machine, setting->job);
  if (!trainer) {
    p.reason = trainer.error().message;
    return p;
  }
  const auto run = predicted_run(row, *setting, *trainer);
  if (!run) {
    p.reason =
        fmt::format("{} is not a legal strategy here", training::strategy_text(setting->strategy));
    return p;
  }
  // nvidia-smi counts the context and what the allocator reserves, a framework's own peak does not.
  const bool whole = holds(kind, "nodes") || holds(kind, "RAM");
  const Bytes predicted = whole ? run->memory.total() : run->memory.total() - run->memory.overhead;
  answer(p, predicted.raw(), setting->machine, *architecture);
  p.low.reset();  // the tier's band is one of time
  p.high.reset();
  return p;
}

template <class Score>
std::vector<ScoredPoint> score_rows(const Table& table, unsigned threads, Score score) {
  std::vector<std::optional<ScoredPoint>> slots(table.size());
  parallel_for(table.size(), threads, [&](std::size_t i) { slots[i] = score(TableRow(table, i)); });
  std::vector<ScoredPoint> points;
  points.reserve(slots.size());
  for (std::optional<ScoredPoint>& slot : slots) {
    if (slot) points.push_back(std::move(*slot));
  }
  return points;
}

}  // namespace

const hardware::Accelerator* training_accelerator(const hardware::Accelerators& accelerators,
                                                  const std::string& name, double memory_gb) {
  std::vector<const hardware::Accelerator*> found = accelerators.matching(name);
  // "H100-96GB" is no catalogue name, "H100" is; "GB300/GB200 class" begins with one.
  if (found.empty()) found = accelerators.matching(name.substr(0, name.rfind('-')));
  if (found.empty()) found = accelerators.matching(name.substr(0, name.find_first_of("/ ")));
  const auto key = [&](const hardware::Accelerator* a) {
    const double link = a->link_per_direction ? a->link_per_direction->raw() : 0;
    const double memory = a->memory_label_bytes.raw() / 1e9;
    return std::tuple(-a->link_domain, -link,
                      memory_gb > 0 ? std::abs(memory - memory_gb) : -memory,
                      std::string_view(a->id));
  };
  const auto best = std::min_element(found.begin(), found.end(),
                                     [&](auto* a, auto* b) { return key(a) < key(b); });
  return best == found.end() ? nullptr : *best;
}

std::string framework_family(const std::string& framework) {
  std::string family;
  for (std::string_view word : split(framework, ' ')) {
    const std::string_view digits =
        !word.empty() && (word.front() == 'v' || word.front() == 'r') ? word.substr(1) : word;
    const bool version =
        !digits.empty() && std::isdigit(static_cast<unsigned char>(digits.front())) != 0;
    if (!version && !word.empty()) family += (family.empty() ? "" : " ") + std::string(word);
  }
  return family;
}

std::vector<ScoredPoint> score_training(const Table& table, const std::string& set,
                                        const KnownThings& known) {
  return score_rows(table, known.threads,
                    [&](const TableRow& row) { return score_step(row, set, known); });
}

std::vector<ScoredPoint> score_training_memory(const Table& table, const std::string& set,
                                               const KnownThings& known) {
  return score_rows(table, known.threads,
                    [&](const TableRow& row) { return score_peak(row, set, known); });
}

}  // namespace portolan::measure
