#include "planner/replica.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "cost/profile.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"

namespace portolan::planner {
namespace {

constexpr int kMostTensorParallel = 128;  // more ranks than any model has heads to give them
constexpr int kMostStages = 64;
constexpr std::int64_t kMostReplicaNodes = 8;  // more nodes in a row are no serving replica
constexpr double kNoNumber = std::numeric_limits<double>::infinity();

std::vector<NumberFormat> formats_of(const Job& job, const model::Architecture& architecture) {
  const model::Format own = architecture.weights;
  if (job.precision.empty()) return {{std::string(model::format_name(own)), own, true}};
  std::vector<NumberFormat> formats;
  for (const std::string& name : job.precision) {
    const Result<model::Format> format = model::parse_format(name);
    if (!format) continue;  // read_job has refused it
    const bool same = *format == own ||
                      (own != model::Format::kExact && support_word(*format) == support_word(own));
    formats.push_back({std::string(model::format_name(*format)), same ? own : *format, same});
  }
  return formats;
}

std::vector<CacheFormat> caches_of(const Job& job, const model::Architecture& architecture) {
  if (job.kv_precision.empty()) {
    const bool wide = architecture.weights == model::Format::kFp32 && job.precision.empty();
    return {wide ? CacheFormat{"fp32", 4} : CacheFormat{"bf16", 2}};
  }
  std::vector<CacheFormat> caches;
  for (const std::string& name : job.kv_precision) {
    const Result<double> bytes = model::kv_bytes_per_element(name);
    if (bytes) caches.push_back({to_lower(trim(name)), *bytes});
  }
  return caches;
}

std::string how(const Layout& layout, const std::string& format) {
  std::string text = fmt::format("tp{}", layout.tp);
  if (layout.pp > 1) text += fmt::format(" pp{}", layout.pp);
  if (layout.ep > 1) text += fmt::format(" ep{}", layout.ep);
  if (layout.nodes > 1) text += fmt::format(" over {} nodes", layout.nodes);
  return text + " " + format;
}

Reason reason_named(std::string_view name) {
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    if (reason_name(static_cast<Reason>(i)) == name) return static_cast<Reason>(i);
  }
  return Reason::kInterconnect;
}

}  // namespace

ReplicaJudge::ReplicaJudge(const Question& question)
    : job_(*question.job),
      architecture_(question.model->architecture),
      engine_(cost::serving_engine(question.kernels)),
      support_(question.market->support),
      formats_(formats_of(job_, architecture_)),
      caches_(caches_of(job_, architecture_)),
      layers_(architecture_.layer_count()) {
  const serving::Workload& work = job_.traffic.work;
  full_tokens_ = work.input_tokens + work.output_tokens;
  mean_tokens_ = serving::mean_tokens_held(work);
  experts_ = std::any_of(
      architecture_.layers.begin(), architecture_.layers.end(),
      [](const model::LayerRun& run) { return run.channel.kind == model::ChannelKind::kMoe; });
}

void ReplicaJudge::add(std::vector<Layout>& layouts, Layout layout) const {
  const std::int64_t most =
      job_.max_accelerators_per_replica.value_or(std::numeric_limits<std::int64_t>::max());
  if (layout.accelerators() > most) return;
  layouts.push_back(layout);
  if (!experts_ || layout.tp == 1) return;
  layout.ep = layout.tp;
  layouts.push_back(layout);
}

std::vector<Layout> ReplicaJudge::layouts_inside(std::int64_t count, bool pipelines) const {
  std::vector<Layout> layouts;
  const auto stages =
      pipelines ? static_cast<int>(std::clamp<std::int64_t>(layers_, 1, kMostStages)) : 1;
  for (int tp = 1; tp <= std::min<std::int64_t>(count, kMostTensorParallel); tp *= 2) {
    for (int pp = 1; pp <= stages && static_cast<std::int64_t>(tp) * pp <= count; ++pp) {
      // Powers of two, and what uses an odd node up: 3, 5, 6, 10 or 12 accelerators.
      const bool power = (pp & (pp - 1)) == 0;
      if (power || static_cast<std::int64_t>(tp) * pp == count) {
        add(layouts, {.tp = tp, .pp = pp, .ep = 1, .nodes = 1});
      }
    }
  }
  return layouts;
}

std::vector<Layout> ReplicaJudge::layouts_over_nodes(std::int64_t count) const {
  std::vector<Layout> layouts;
  int tp = 1;
  while (2 * tp <= std::min<std::int64_t>(count, kMostTensorParallel)) tp *= 2;
  for (std::int64_t nodes = 2; nodes <= std::min(kMostReplicaNodes, layers_); ++nodes) {
    add(layouts, {.tp = tp, .pp = static_cast<int>(nodes), .ep = 1, .nodes = nodes});
  }
  return layouts;
}

void ReplicaJudge::fail(Replica& replica, Reason reason, double factor, std::string lacked,
                        std::string change) const {
  replica.miss = Miss{.reason = reason,
                      .factor = factor,
                      .how = how(replica.layout, formats_[replica.format].name),
                      .lacked = std::move(lacked),
                      .change = std::move(change)};
}

// Per accelerator, with one request of full length: the least that serves anything.
Bytes ReplicaJudge::needed(const Replica& replica) const {
  return replica.memory.fixed() +
         cost::sequence_bytes(architecture_, replica.deployment, full_tokens_);
}

void ReplicaJudge::lay_out(Replica& replica, const cost::Machine& machine) const {
  replica.limits.engine = &engine_.memory;
  // A small token budget costs throughput and saves activations: the second try.
  for (const double budget : {8192.0, 2048.0}) {
    replica.limits.max_batched_tokens = budget;
    replica.memory =
        cost::memory_layout(architecture_, machine, replica.deployment, replica.limits);
    if (needed(replica) <= replica.memory.capacity) return;
  }
}

std::string ReplicaJudge::memory_text(const Replica& replica) const {
  const double n = replica.deployment.accelerators();
  const Bytes kv = cost::sequence_bytes(architecture_, replica.deployment, full_tokens_);
  return fmt::format(
      "needs {}, has {} (weights {}, KV {} for 1 x {} tokens, activations and overhead {})",
      bytes_text(needed(replica) * n), bytes_text(replica.memory.capacity * n),
      bytes_text(replica.memory.weights * n), bytes_text(kv * n),
      with_commas(static_cast<std::int64_t>(full_tokens_)),
      bytes_text((replica.memory.activations + replica.memory.overhead) * n));
}

// What would make it fit: the first smaller format the part computes, or more accelerators.
std::string ReplicaJudge::memory_change(const Replica& replica,
                                        const cost::Machine& machine) const {
  std::string text;
  for (const model::Format format : {model::Format::kFp8, model::Format::kInt4}) {
    const auto known =
        find_support(support_, "serve", *machine.node.accelerator, format, job_.engine);
    if (!std::holds_alternative<Support>(known) || !cost::supports(machine, format)) continue;
    Replica other = replica;
    other.deployment.weights = format;
    other.deployment.own_format = false;
    lay_out(other, machine);
    if (needed(other) > other.memory.capacity) continue;
    text = fmt::format("precision: [{}] (then needs {})", model::format_name(format),
                       bytes_text(needed(other) * other.deployment.accelerators()));
    break;
  }
  for (int tp = 2 * replica.layout.tp; tp <= kMostStages; tp *= 2) {
    Replica other = replica;
    other.deployment.tp = tp;
    other.deployment.ep = replica.layout.ep > 1 ? tp : 1;
    lay_out(other, machine);
    if (needed(other) > other.memory.capacity) continue;
    text += fmt::format("{}{} accelerators in one node", text.empty() ? "" : ", or ",
                        tp * replica.layout.pp);
    break;
  }
  return text;
}

bool ReplicaJudge::supported(Replica& replica, const cost::Machine& machine) const {
  const hardware::Accelerator& accelerator = *machine.node.accelerator;
  const NumberFormat& format = formats_[replica.format];
  auto known = find_support(support_, "serve", accelerator, format.format, job_.engine);
  if (auto* no = std::get_if<NoSupport>(&known)) {
    fail(replica,
         no->what == Unsupported::kEngine ? Reason::kEngineUnsupported
                                          : Reason::kPrecisionUnsupported,
         kNoNumber, std::move(no->lacked), std::move(no->change));
    return false;
  }
  replica.support = std::get<Support>(known);
  if (!cost::supports(machine, format.format)) {
    fail(replica, Reason::kPrecisionUnsupported, kNoNumber,
         fmt::format("{} has no arithmetic for {}", accelerator.id, format.name),
         "precision: [bf16]");
    return false;
  }
  return true;
}

// The links the user insists on (R53).
bool ReplicaJudge::linked(Replica& replica, const cost::Machine& machine) const {
  if (job_.where.need_scale_up_link && replica.deployment.accelerators() > 1 &&
      machine.node.link == hardware::LinkKind::kNone) {
    fail(replica, Reason::kInterconnect, kNoNumber,
         "its accelerators talk over PCIe, where.interconnect asks for nvlink",
         "take nvlink out of where.interconnect");
    return false;
  }
  if (job_.where.need_rdma && replica.layout.nodes > 1 &&
      !machine.node.network.rdma.value_or(false)) {
    fail(replica, Reason::kInterconnect, kNoNumber,
         "no RDMA is known between its nodes, where.interconnect asks for it",
         "take rdma out of where.interconnect");
    return false;
  }
  return true;
}

Replica ReplicaJudge::judge(const Layout& layout, std::size_t format, std::size_t cache,
                            const cost::Machine& machine) const {
  Replica replica;
  replica.layout = layout;
  replica.format = format;
  replica.cache = cache;
  replica.deployment = {.tp = layout.tp,
                        .pp = layout.pp,
                        .ep = layout.ep,
                        .weights = formats_[format].format,
                        .own_format = formats_[format].own,
                        .kv_bytes_per_element = caches_[cache].bytes};
  if (!supported(replica, machine)) return replica;
  lay_out(replica, machine);
  replica.engine.max_sequences = replica.limits.max_sequences;
  replica.engine.max_batched_tokens = replica.limits.max_batched_tokens;
  replica.engine.kv_sequences = static_cast<double>(
      cost::max_sequences(architecture_, replica.memory, replica.deployment, mean_tokens_));
  const Bytes capacity = replica.memory.capacity;
  if (needed(replica) > capacity || replica.engine.kv_sequences < 1) {
    const double factor = capacity.raw() > 0 ? needed(replica) / capacity : kNoNumber;
    fail(replica, Reason::kMemory, factor, memory_text(replica), memory_change(replica, machine));
    return replica;
  }
  if (!linked(replica, machine)) return replica;
  auto step = cost::StepModel::compile(architecture_, machine, replica.deployment, engine_);
  if (!step) {
    fail(replica, reason_named(step.error().why), kNoNumber, step.error().message,
         step.error().hint);
    return replica;
  }
  replica.step = std::make_shared<const cost::StepModel>(*std::move(step));
  replica.timed = true;
  measure(replica);
  return replica;
}

void ReplicaJudge::measure(Replica& replica) const {
  const serving::Workload& work = job_.traffic.work;
  if (job_.kind == JobKind::kBatch) {
    replica.requests_per_second =
        serving::full_throughput(*replica.step, work, replica.engine).max_requests_per_second;
    return;
  }
  const serving::SustainedRate sustained =
      serving::sustained_rate(*replica.step, work, replica.engine, job_.slo, job_.max_utilisation);
  replica.requests_per_second = sustained.requests_per_second;
  if (sustained.requests_per_second > 0) return;
  const serving::Miss& miss = sustained.miss;
  fail(replica, Reason::kSlo, miss.limit > 0 ? miss.value / miss.limit : kNoNumber,
       fmt::format("{} {} on an idle replica, {} is wanted", miss.target,
                   duration_text(Seconds(miss.value)), duration_text(Seconds(miss.limit))),
       fmt::format("slo: {{{}: {}}}", miss.target, duration_text(Seconds(miss.value * 1.05))));
}

void ReplicaJudge::describe(const Replica& replica, Plan& plan) const {
  plan.accelerators_per_replica = replica.deployment.accelerators();
  plan.deployment = replica.deployment;
  plan.precision = formats_[replica.format].name;
  plan.kv_precision = caches_[replica.cache].name;
  plan.tier = replica.step->machine().tier;
  plan.engine = replica.support.row->engine;
  plan.support_confidence = replica.support.row->confidence;
  plan.advise_proof_of_concept = replica.support.row->advise_proof_of_concept;
  plan.limits = replica.engine;
  plan.step = replica.step;
  if (replica.support.as_fp16) plan.notes.emplace_back("bf16 weights are computed in fp16 here");
}

void ReplicaJudge::describe_load(const Replica& replica, const serving::SteadyState& state,
                                 double rate, Plan& plan) const {
  plan.utilisation = state.utilisation;
  plan.bound = state.bound;
  plan.batch = state.batch;
  plan.ttft_p95 = state.ttft_p95;
  plan.tpot_p95 = state.tpot_p95;
  plan.ttft_mean = state.ttft_mean;
  plan.tpot_mean = state.tpot_mean;
  if (state.power) plan.power = *state.power * static_cast<double>(plan.replicas);
  plan.memory_per_accelerator =
      replica.memory.fixed() +
      state.batch * cost::sequence_bytes(architecture_, replica.deployment, mean_tokens_);
  const serving::Workload& work = job_.traffic.work;
  const double fresh = work.input_tokens * (1 - work.cached_share);
  const Flop per_request = model::prefill_flop(architecture_, fresh, work.input_tokens - fresh, 1) +
                           std::max(0.0, work.output_tokens - 1) *
                               model::decode_flop_per_token(architecture_, mean_tokens_);
  const FlopPerSecond peak =
      replica.step->machine().rate(model::compute_of(replica.deployment.weights)).peak;
  if (peak.raw() > 0) {
    plan.mfu = per_request.raw() * rate / (peak.raw() * replica.deployment.accelerators());
  }
}

double ReplicaJudge::sustained_when_times_scale(const Replica& replica, double factor,
                                                bool& misses) const {
  // With every time f times as long the system is the same one on a slower clock: targets of 1/f
  // the length, 1/f of the rate.
  const auto scaled = [&](std::optional<Seconds> target) {
    return target ? std::optional(*target / factor) : std::nullopt;
  };
  const serving::Slo& slo = job_.slo;
  const serving::Slo targets{.ttft_p95 = scaled(slo.ttft_p95),
                             .tpot_p95 = scaled(slo.tpot_p95),
                             .ttft_mean = scaled(slo.ttft_mean),
                             .tpot_mean = scaled(slo.tpot_mean),
                             .e2e_p95 = scaled(slo.e2e_p95)};
  const auto rate = [&](const serving::Slo& wanted) {
    return serving::sustained_rate(*replica.step, job_.traffic.work, replica.engine, wanted,
                                   job_.max_utilisation)
        .requests_per_second;
  };
  const double within = rate(targets);
  misses = !(within > 0);
  return (misses ? rate({}) : within) / factor;
}

}  // namespace portolan::planner
