#include "measure/training_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "cost/machine.hpp"
#include "measure/training_architecture.hpp"
#include "measure/training_setting.hpp"
#include "model/operators.hpp"
#include "training/run.hpp"

namespace portolan::measure {
namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
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
  const cost::ErrorBand band = guessed ? cost::error_band(tier) : training::step_band(machine);
  p.low = band.low * predicted;
  p.high = band.high * predicted;
}

std::optional<ScoredPoint> score_step(const TableRow& row, const std::string& set,
                                      const KnownThings& known) {
  ScoredPoint p = point_of(row, set, "step_time");
  const auto architecture = training_architecture(row, known.models);
  auto setting = training_setting(row, known.accelerators, p.reason);
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
  if (columns_disagree(row, *architecture)) p.group += " columns_disagree";
  const auto trainer = training::Trainer::compile(*architecture, setting->machine, setting->job);
  if (!trainer) {
    p.reason = trainer.error().message;
    return p;
  }
  const auto run = predicted_run(*setting, *trainer);
  if (!run) {
    const auto error = trainer->objection(setting->strategy, setting->nodes);
    p.reason = error ? error->message : "not a legal strategy here";
    return p;
  }
  answer(p, run->step.raw() * batch / std::max(1.0, run->batch_tokens), setting->machine,
         *architecture);
  return p;
}

struct MemoryRun {
  Setting setting;
  model::Architecture architecture;
  training::RunEstimate run;
};

/// The run of a row of a memory table; nullopt with a reason when it cannot be answered.
std::optional<MemoryRun> memory_run(const TableRow& row, const KnownThings& known,
                                    std::string& reason, bool& strategy_known) {
  auto setting = training_setting(row, known.accelerators, reason);
  strategy_known = !setting || setting->strategy_known;
  if (!setting) return std::nullopt;
  auto architecture = training_architecture(row, known.models);
  if (!architecture) {
    reason = "neither dimensions, a known name nor a number of parameters";
    return std::nullopt;
  }
  // Nothing said of how several accelerators share the work: each has all of it.
  setting->strategy_known = true;
  if (row.text("framework") == "torchtune" && !row.has("recompute"))
    setting->strategy.recompute = training::Recompute::kFull;  // the default of its recipes
  const auto trainer = training::Trainer::compile(*architecture, setting->machine, setting->job);
  if (!trainer) {
    reason = trainer.error().message;
    return std::nullopt;
  }
  const auto run = predicted_run(*setting, *trainer);
  if (!run) {
    const auto error = trainer->objection(setting->strategy, setting->nodes);
    reason = error ? error->message : "not a legal strategy here";
    return std::nullopt;
  }
  return MemoryRun{*std::move(setting), *std::move(architecture), *run};
}

std::optional<ScoredPoint> score_peak(const TableRow& row, const std::string& set,
                                      const KnownThings& known) {
  const auto value = row.number("mem_per_gpu");
  const std::string& kind = row.text("mem_kind");
  if (!value || *value <= 0 || holds(kind, "analytic")) return std::nullopt;
  ScoredPoint p = point_of(row, set, "memory");
  p.measured = *value * (row.text("unit") == "GiB" ? kGiB : kGB).raw();
  bool strategy_known = true;
  const auto fit = memory_run(row, known, p.reason, strategy_known);
  p.group = group_of(row, strategy_known);
  if (!fit) return p;
  const training::RunEstimate* run = &fit->run;
  const Setting* setting = &fit->setting;
  // nvidia-smi counts the context and what the allocator reserves, torchtitan what is reserved, the
  // other frameworks' own peak neither.
  const Bytes kept = run->memory.total() - run->memory.overhead;
  const Bytes predicted = holds(kind, "nodes") ? run->memory.total()
                          : holds(kind, "torchtitan")
                              ? kept * (1 + setting->job.stack.allocator_slack)
                              : kept;
  answer(p, predicted.raw(), setting->machine, fit->architecture);
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

bool columns_disagree(const TableRow& row, const model::Architecture& architecture) {
  const auto step = row.number("step_time_s");
  const double gpus = row.number_or("gpus", 0), tflops = row.number_or("tflops_gpu", 0);
  if (!step || *step <= 0 || gpus <= 0 || tflops <= 0 || !row.has("global_batch")) return false;
  if (row.text("task") != "" && row.text("task") != "pretrain") return false;
  const double passes = row.text("tflops_kind").starts_with("hardware") ? 4 : 3;
  const double counted = counted_flop(architecture, row.number_or("seq_len", 0),
                                      row.number_or("global_batch", 0), passes) /
                         (*step * gpus * 1e12);
  return counted > 0 && std::abs(std::log(counted / tflops)) > std::log(1.5);
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

std::vector<Overflow> training_overflows(const Table& table, const KnownThings& known) {
  std::vector<Overflow> overflows;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TableRow row(table, i);
    if (row.text("mem_per_gpu") != "OOM") continue;
    Overflow overflow;
    overflow.label = point_of(row, "", "memory").label;
    bool known_strategy = true;
    if (const auto fit = memory_run(row, known, overflow.reason, known_strategy)) {
      overflow.predicted = fit->run.memory.total();
      overflow.usable = fit->setting.machine.node.accelerator->memory;
    }
    overflows.push_back(std::move(overflow));
  }
  return overflows;
}

}  // namespace portolan::measure
