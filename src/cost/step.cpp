#include "cost/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "cost/profile.hpp"
#include "cost/roofline.hpp"
#include "cost/step_price.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {
namespace {

using model::OpKind;

constexpr int kOctaves = 16;
// Steps per octave as powers of two: finer from 32 to 2,048 tokens, where products turn from memory
// to compute bound.
constexpr std::array<int, kOctaves> kStepBits = {1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2};
constexpr std::array<std::size_t, kOctaves + 1> kOffsets = [] {
  std::array<std::size_t, kOctaves + 1> offsets{};
  for (std::size_t e = 0; e < kOctaves; ++e)
    offsets[e + 1] = offsets[e] + (std::size_t{1} << kStepBits[e]);
  return offsets;
}();
constexpr double kLastKnot = 65536.0;

Error infeasible(std::string why, std::string message, std::string hint = {}) {
  Error error{.code = ErrorCode::kInfeasible,
              .message = std::move(message),
              .where = {},
              .why = std::move(why),
              .hint = std::move(hint),
              .also = {}};
  return error;
}

/// The first thing that does not divide, or nullopt.
std::optional<Error> layout_problem(const model::Architecture& architecture, const Machine& machine,
                                    const Deployment& deployment) {
  const std::int64_t tp = deployment.tp, pp = deployment.pp, ep = deployment.ep;
  if (tp < 1 || pp < 1 || ep < 1)
    return infeasible(
        "constraint",
        fmt::format("parallel degrees must be at least 1, got tp {}, pp {}, ep {}", tp, pp, ep));
  if (pp > std::max<std::int64_t>(1, architecture.layer_count())) {
    return infeasible("constraint", fmt::format("pp {} exceeds the {} layers of the model", pp,
                                                architecture.layer_count()));
  }
  const auto divides = [&](std::int64_t heads, std::string_view what) -> std::optional<Error> {
    if (heads % tp == 0) return std::nullopt;
    return infeasible("constraint",
                      fmt::format("tp {} does not divide the {} {}", tp, heads, what));
  };
  for (const model::LayerRun& run : architecture.layers) {
    const model::Mixer& m = run.mixer;
    if (auto error = divides(m.heads, "attention heads")) return error;
    if (auto error = divides(m.value_heads, "linear-attention heads")) return error;
    if (auto error = divides(m.ssm_heads, "state-space heads")) return error;
    if (m.kind == model::MixerKind::kAttention && m.kv_heads > 0 && m.kv_heads % tp != 0 &&
        tp % m.kv_heads != 0) {
      return infeasible("constraint",
                        fmt::format("tp {} and the {} key-value heads do not divide one another",
                                    tp, m.kv_heads));
    }
    const model::Channel& c = run.channel;
    if (c.kind == model::ChannelKind::kMoe && ep > 1 && c.experts % ep != 0) {
      return infeasible("constraint",
                        fmt::format("ep {} does not divide the {} experts", ep, c.experts));
    }
  }
  if (ep > tp ? ep % tp != 0 : tp % ep != 0) {
    return infeasible("constraint",
                      fmt::format("ep {} and tp {} do not divide one another", ep, tp));
  }
  const std::int64_t fast = machine.node.link == hardware::LinkKind::kSwitched ||
                                    machine.node.link == hardware::LinkKind::kTorus
                                ? std::max(machine.node.count, machine.node.link_domain)
                                : machine.node.count;
  if (tp > fast && !machine.node.network.rdma.value_or(false)) {
    return infeasible(
        "interconnect",
        fmt::format("tp {} spans nodes of {} accelerators without an RDMA network", tp,
                    machine.node.count),
        fmt::format("use tp {} and pipeline parallelism between nodes", machine.node.count));
  }
  return std::nullopt;
}

/// An architecture that is only partly known lowers the confidence by one tier, one known by its
/// size alone to the last.
Tier lowered(Tier tier, model::Coverage coverage) {
  switch (coverage) {
    case model::Coverage::kOperators:
      return tier;
    case model::Coverage::kPartial:
      return static_cast<Tier>(
          std::min(static_cast<int>(tier) + 1, static_cast<int>(Tier::kDatasheet)));
    case model::Coverage::kParameterCount:
      return Tier::kParameterCount;
  }
  return tier;
}

/// 80 % of a step priced by curves: what the engine's fit left on models that were left out, and
/// what carrying the curves to another accelerator adds, independent of it.
ErrorBand step_band(const Engine& engine, Tier tier) {
  if (!engine.tpot_band.known() || tier > Tier::kTransferred) return error_band(tier);
  double low = std::log(engine.tpot_band.low), high = std::log(engine.tpot_band.high);
  if (tier == Tier::kTransferred) {
    const ErrorBand carried = transfer_interval("gemm");
    low = -std::hypot(low, std::log(carried.low));
    high = std::hypot(high, std::log(carried.high));
  }
  return {std::exp(low), std::exp(high)};
}

}  // namespace

std::string_view bound_name(Bound bound) {
  switch (bound) {
    case Bound::kCompute:
      return "compute";
    case Bound::kMemory:
      return "memory";
    case Bound::kCommunication:
      return "communication";
    case Bound::kOverhead:
      return "overhead";
  }
  return "unknown";
}

Bound StepTime::bound() const {
  return static_cast<Bound>(std::max_element(by_bound.begin(), by_bound.end()) - by_bound.begin());
}

StepModel::StepModel() = default;
StepModel::StepModel(const StepModel&) = default;
StepModel::StepModel(StepModel&&) noexcept = default;
StepModel& StepModel::operator=(const StepModel&) = default;
StepModel& StepModel::operator=(StepModel&&) noexcept = default;
StepModel::~StepModel() = default;

/// "experts up" … "experts down" of one kind of layer, where a curve of the whole block exists.
void StepModel::find_blocks() {
  covered_.assign(operators_.size(), false);
  for (std::size_t i = 0; i < operators_.size(); ++i) {
    if (operators_[i].kind != OpKind::kGroupedGemm || covered_[i]) continue;
    std::size_t down = i + 1;
    while (down < operators_.size() && operators_[down].kind != OpKind::kGroupedGemm) ++down;
    if (down == operators_.size()) return;
    ExpertBlock block =
        expert_block(machine_, operators_[i], operators_[down], formats_[i], weight_bytes_[i]);
    if (block.kernel.curve == nullptr) continue;
    covered_[i] = covered_[down] = true;
    for (std::size_t j = i + 1; j < operators_.size() && j <= down + 1; ++j)
      if (operators_[j].name == "experts activation") covered_[j] = true;
    blocks_.emplace_back(i, std::move(block));
  }
}

void StepModel::Row::add(double count, const KernelTime& t, double power_share) {
  seconds[t.compute > t.memory ? 0 : 1] += count * (t.seconds - t.floor);
  seconds[3] += count * t.floor;
  seconds[4] += count * power_share * t.seconds;
}

double StepModel::Table::knot(std::size_t index) {
  for (std::size_t e = 0; e < kOctaves; ++e) {
    if (index < kOffsets[e + 1]) {
      return std::ldexp(
          1.0 + static_cast<double>(index - kOffsets[e]) / static_cast<double>(1 << kStepBits[e]),
          static_cast<int>(e));
    }
  }
  return kLastKnot;
}

void StepModel::Table::add_to(Row& sum, double tokens) const {
  static_assert(kOffsets[kOctaves] + 1 == kKnots);
  double scale = 1;
  if (tokens >= kLastKnot) {  // linear from the last knot on
    scale = tokens / kLastKnot;
    for (std::size_t i = 0; i < sum.seconds.size(); ++i)
      sum.seconds[i] += scale * rows[kKnots - 1].seconds[i];
    return;
  }
  const auto bits = std::bit_cast<std::uint64_t>(std::max(1.0, tokens));
  const auto octave = static_cast<std::size_t>((bits >> 52) - 1023);
  const int shift = 52 - kStepBits[octave];
  const std::uint64_t mantissa = bits & ((std::uint64_t{1} << 52) - 1);
  const std::size_t index = kOffsets[octave] + static_cast<std::size_t>(mantissa >> shift);
  const double share =
      std::ldexp(static_cast<double>(mantissa & ((std::uint64_t{1} << shift) - 1)), -shift);
  const Row &low = rows[index], &high = rows[index + 1];
  for (std::size_t i = 0; i < sum.seconds.size(); ++i)
    sum.seconds[i] += low.seconds[i] + share * (high.seconds[i] - low.seconds[i]);
}

Result<StepModel> StepModel::compile(const model::Architecture& architecture,
                                     const Machine& machine, const Deployment& deployment,
                                     const Engine& engine) {
  if (auto problem = layout_problem(architecture, machine, deployment))
    return fail(std::move(*problem));
  const std::optional<model::Format> format =
      deployment.own_format ? std::nullopt : std::optional(deployment.weights);
  StepModel step;
  step.machine_ = machine;
  step.machine_.tier = lowered(machine.tier, architecture.coverage);
  if (machine.kernels)
    step.machine_.band = step_band(engine, step.machine_.tier);
  else if (step.machine_.tier != machine.tier)
    step.machine_.band = error_band(step.machine_.tier);
  step.machine_.slowdown = engine.kernel_factor;
  step.power_ = PowerModel(step.machine_);
  const auto small_share = [&](const KernelTime& t) {
    return step.power_.share(PowerClass::kGemm, model::Compute::kBf16, t);
  };
  step.deployment_ = deployment;
  step.engine_ = engine;
  step.operators_ = model::operators(architecture, {.tp = deployment.tp, .ep = deployment.ep});
  step.hidden_ = static_cast<double>(architecture.hidden);
  step.layer_count_ = static_cast<double>(std::max<std::int64_t>(1, architecture.layer_count()));
  for (const model::Operator& op : step.operators_)
    step.launched_ += op.sampled ? 0.0 : op.count / kPlainLayerOperators;
  for (std::size_t i = 0; i < step.operators_.size(); ++i) {
    const model::Operator& op = step.operators_[i];
    const model::Format stored = model::stored_format(architecture, op.weights, format);
    if (op.weights != model::WeightClass::kNone && !supports(machine, stored)) {
      return fail(infeasible("precision_unsupported",
                             fmt::format("accelerator \"{}\" has no {} arithmetic",
                                         machine.node.accelerator->id, model::format_name(stored)),
                             "choose bf16, or an accelerator that has it"));
    }
    step.formats_.push_back(stored);
    step.weight_bytes_.push_back(model::stored_bytes_per_weight(architecture, op.weights, format));
    if (op.kind == OpKind::kAttention || op.kind == OpKind::kMla || op.kind == OpKind::kScan)
      step.closed_.push_back(i);
  }
  const std::int64_t layers = std::max<std::int64_t>(1, architecture.layer_count()),
                     pp = deployment.pp;
  // Engines put the layers that do not divide on stages without the head.
  const std::int64_t fewest = layers / pp;
  const std::int64_t most = layers % pp == 0 ? fewest : fewest + 1;
  step.share_with_head_ = static_cast<double>(fewest) / step.layer_count_;
  step.share_without_ = static_cast<double>(most) / step.layer_count_;
  const std::int64_t per_node = std::max<std::int64_t>(1, machine.node.count);
  step.crossings_ = std::clamp<std::int64_t>(
      (deployment.accelerators() + per_node - 1) / per_node - 1, 0, pp - 1);

  step.find_blocks();
  for (const auto& [first, block] : step.blocks_) {
    const model::Operator& op = step.operators_[first];
    const bool shared = op.token_groups > 1;
    step.shared_experts_ = step.shared_experts_ || shared;
    for (std::size_t k = 0; k < Table::kKnots; ++k) {
      const Priced priced = block.price(step.machine_, Table::knot(k));
      Row& row = (shared ? step.experts_ : step.layers_).rows[k];
      for (std::size_t b = 0; b < 4; ++b) row.seconds[b] += op.count * priced.by_bound[b];
      row.seconds[4] += op.count * priced.kernel.seconds *
                        step.power_.share(PowerClass::kMoe, block.compute, priced.kernel);
    }
  }
  for (std::size_t i = 0; i < step.operators_.size(); ++i) {
    if (step.covered_[i]) continue;
    const model::Operator& op = step.operators_[i];
    if (op.kind == OpKind::kAttention || op.kind == OpKind::kMla || op.kind == OpKind::kScan) {
      for (std::size_t k = 0; k < Table::kKnots && architecture.causal && architecture.lm_head;
           ++k) {
        const KernelTime t =
            cache_write_time(machine, op, deployment.kv_bytes_per_element, Table::knot(k));
        step.layers_.rows[k].add(op.count, t, small_share(t));
      }
      if (engine.repeats_kv_heads && op.kind == OpKind::kAttention)
        step.operators_[i].kv_heads = op.heads;
      step.cores_.push_back(
          core_curves(step.machine_, step.operators_[i], deployment.kv_bytes_per_element));
      continue;
    }
    const TokenPrice price(step.machine_, op, step.formats_[i], step.weight_bytes_[i], deployment);
    const bool shared = op.token_groups > 1 || op.kind == OpKind::kAllToAll;
    step.shared_experts_ = step.shared_experts_ || shared;
    Table& table = shared ? step.experts_ : op.sampled ? step.head_ : step.layers_;
    for (std::size_t k = 0; k < Table::kKnots; ++k) {
      const Priced priced = price(Table::knot(k));
      Row& row = table.rows[k];
      for (std::size_t b = 0; b < 4; ++b) row.seconds[b] += op.count * priced.by_bound[b];
      row.seconds[4] += op.count * priced.kernel.seconds * price.power(step.power_, priced);
    }
  }
  step.vocabulary_ =
      architecture.lm_head && architecture.causal ? static_cast<double>(architecture.vocab) : 0.0;
  for (std::size_t k = 0; k < Table::kKnots && step.vocabulary_ > 0; ++k) {
    const KernelTime t = sampler_time(machine, step.vocabulary_, Table::knot(k));
    step.head_.rows[k].add(1.0, t, small_share(t));
  }
  return step;
}

double StepModel::rows(const Batch& batch) const {
  // Steps that replay captured graphs run at the next captured size.
  if (batch.prefill_tokens <= 0)
    return engine_.graphs.padded(batch.decode_requests) * (1.0 + batch.drafted);
  const double tokens = batch.decode_tokens() + batch.prefill_tokens;
  return tokens <= engine_.captured_prompt_tokens ? engine_.graphs.padded(tokens) : tokens;
}

double StepModel::expert_tokens(const Batch& batch) {
  const double own = batch.decode_tokens() + batch.prefill_tokens;
  return batch.mean_rank_tokens > 0 ? std::min(own, batch.mean_rank_tokens) : own;
}

void StepModel::add_layers(Row& sum, const Batch& batch) const {
  layers_.add_to(sum, rows(batch));
  if (!shared_experts_) return;
  experts_.add_to(sum, expert_tokens(batch));
}

StepTime StepModel::time(const Batch& batch) const {
  StepTime result;
  const double tokens = batch.decode_requests + batch.prefill_tokens;
  if (tokens <= 0) return result;
  Row body, head;
  add_layers(body, batch);
  const double chunk =
      batch.prefill_requests > 0 ? batch.prefill_tokens / batch.prefill_requests : 0.0;
  for (std::size_t c = 0; c < closed_.size(); ++c) {
    const model::Operator& op = operators_[closed_[c]];
    const KernelTime decode =
        decode_time(machine_, op, cores_[c], deployment_.kv_bytes_per_element, batch);
    const KernelTime prefill =
        prefill_time(machine_, op, cores_[c], deployment_.kv_bytes_per_element, batch, chunk);
    body.add(op.count, decode);
    body.add(op.count, prefill);
  }
  if (batch.sampled > 0) {
    head_.add_to(head, batch.sampled);
    if (batch.sampled < 1.0) {
      for (double& s : head.seconds) s *= batch.sampled;
    }
  }
  double body_sum = 0, head_sum = 0;
  for (std::size_t b = 0; b < 4; ++b) {
    body_sum += body.seconds[b];
    head_sum += head.seconds[b];
    result.by_bound[b] = Seconds(body.seconds[b] + head.seconds[b]);
  }
  const int pp = deployment_.pp;
  double hop = 0, hops = 0;
  if (pp > 1) {
    const PipelineHops p = pipeline_hops(machine_, hidden_, tokens, deployment_, crossings_);
    hop = p.slowest;
    hops = p.sum;
    result.by_bound[2] += Seconds(hops);
  }
  double drafts = 0;
  if (batch.drafted > 0 && batch.decode_requests > 0) {
    Row layer, one_head;
    layers_.add_to(layer, batch.decode_requests);
    if (shared_experts_) experts_.add_to(layer, batch.decode_requests);
    head_.add_to(one_head, batch.decode_requests);
    for (std::size_t b = 0; b < 4; ++b) {
      const double seconds =
          batch.drafted * (layer.seconds[b] / layer_count_ + one_head.seconds[b]);
      result.by_bound[b] += Seconds(seconds);
      drafts += seconds;
    }
  }
  const double busy = body_sum + head_sum + hops + drafts;
  const double host = visible_host(engine_, machine_, busy, launched_, batch);
  result.by_bound[3] += Seconds(host);
  result.total = Seconds(busy + host);
  result.stage =
      pp == 1
          ? result.total
          : Seconds(std::max(share_with_head_ * body_sum + head_sum, share_without_ * body_sum) +
                    hop + host / pp);
  return result;
}

std::optional<Joules> StepModel::energy(const Batch& batch, const StepTime& time) const {
  const std::optional<Watts> limit = machine_.node.accelerator->tdp;
  if (!limit) return std::nullopt;
  const double tokens = batch.decode_requests + batch.prefill_tokens;
  Row row;
  if (tokens > 0) {
    add_layers(row, batch);
    const double chunk =
        batch.prefill_requests > 0 ? batch.prefill_tokens / batch.prefill_requests : 0.0;
    for (std::size_t c = 0; c < closed_.size(); ++c) {
      const model::Operator& op = operators_[closed_[c]];
      const double kv = deployment_.kv_bytes_per_element;
      const bool latent = op.kind == OpKind::kMla;
      const auto add = [&](const KernelTime& t, PowerClass power_class) {
        row.add(op.count, t, power_.share(power_class, model::Compute::kBf16, t));
      };
      add(decode_time(machine_, op, cores_[c], kv, batch),
          latent ? PowerClass::kDecodeMla : PowerClass::kDecodeAttention);
      add(prefill_time(machine_, op, cores_[c], kv, batch, chunk),
          latent ? PowerClass::kContextMla : PowerClass::kContextAttention);
    }
    Row head;
    if (batch.sampled > 0) head_.add_to(head, batch.sampled);
    for (std::size_t b = 0; b < row.seconds.size(); ++b)
      row.seconds[b] += head.seconds[b] * std::min(1.0, batch.sampled);
  }
  const double busy = row.seconds[0] + row.seconds[1] + row.seconds[3];  // not communication
  return replica_energy(*limit, power_.idle(), busy, row.seconds[4], time, deployment_);
}

std::optional<Watts> StepModel::idle_power() const {
  const std::optional<Watts> limit = machine_.node.accelerator->tdp;
  if (!limit) return std::nullopt;
  return *limit * (power_.idle() * deployment_.accelerators());
}

std::vector<StepModel::OperatorTime> StepModel::breakdown(const Batch& batch) const {
  std::vector<OperatorTime> list;
  const double tokens = batch.decode_requests + batch.prefill_tokens;
  if (tokens <= 0) return list;
  const double chunk =
      batch.prefill_requests > 0 ? batch.prefill_tokens / batch.prefill_requests : 0.0;
  double busy = 0;
  const auto add = [&](std::string name, double count, const KernelTime& t, Bound bound) {
    if (t.seconds <= 0) return;
    busy += count * t.seconds;
    list.push_back({std::move(name), count, Flop(count * t.flop), Bytes(count * t.bytes),
                    Seconds(count * t.seconds), bound});
  };
  const auto bound_of = [](const KernelTime& t) {
    if (t.floor > 0.5 * t.seconds) return Bound::kOverhead;
    return t.compute > t.memory ? Bound::kCompute : Bound::kMemory;
  };
  const auto fed = [&](bool shared) {
    return std::max(1.0, shared ? expert_tokens(batch) : rows(batch));
  };
  std::size_t closed = 0, blocks = 0;
  for (std::size_t i = 0; i < operators_.size(); ++i) {
    const model::Operator& op = operators_[i];
    if (covered_[i]) {
      if (blocks < blocks_.size() && blocks_[blocks].first == i) {
        const ExpertBlock& block = blocks_[blocks++].second;
        const Priced priced = block.price(machine_, fed(op.token_groups > 1));
        add("experts", op.count, priced.kernel, bound_of(priced.kernel));
      }
      continue;
    }
    if (op.kind == OpKind::kAttention || op.kind == OpKind::kMla || op.kind == OpKind::kScan) {
      const CoreCurves& core = cores_[closed++];
      const KernelTime decode =
          decode_time(machine_, op, core, deployment_.kv_bytes_per_element, batch);
      add(op.name + " (decode)", op.count, decode, bound_of(decode));
      const KernelTime prefill =
          prefill_time(machine_, op, core, deployment_.kv_bytes_per_element, batch, chunk);
      add(op.name + " (prefill)", op.count, prefill, bound_of(prefill));
      const KernelTime write =
          vocabulary_ > 0 ? cache_write_time(machine_, op, deployment_.kv_bytes_per_element,
                                             std::max(1.0, tokens))
                          : KernelTime{};
      add("cache write", op.count, write, bound_of(write));
      continue;
    }
    const TokenPrice price(machine_, op, formats_[i], weight_bytes_[i], deployment_);
    if (!op.sampled) {
      const bool shared = op.token_groups > 1 || op.kind == OpKind::kAllToAll;
      const Priced priced = price(fed(shared));
      add(op.name, op.count, priced.kernel,
          priced.communication ? Bound::kCommunication : bound_of(priced.kernel));
    } else if (batch.sampled > 0) {
      const Priced priced = price(std::max(1.0, batch.sampled));
      add(op.name, op.count * std::min(1.0, batch.sampled), priced.kernel,
          priced.communication ? Bound::kCommunication : bound_of(priced.kernel));
    }
  }
  if (vocabulary_ > 0 && batch.sampled > 0) {
    const KernelTime t = sampler_time(machine_, vocabulary_, std::max(1.0, batch.sampled));
    add("sampler", std::min(1.0, batch.sampled), t, bound_of(t));
  }
  if (deployment_.pp > 1) {
    KernelTime hops;
    hops.seconds = pipeline_hops(machine_, hidden_, tokens, deployment_, crossings_).sum;
    add("pipeline send", 1, hops, Bound::kCommunication);
  }
  KernelTime host;
  host.seconds = visible_host(engine_, machine_, busy, launched_, batch);
  add("host", 1, host, Bound::kOverhead);
  return list;
}

}  // namespace portolan::cost
