// From tables to a strategy's time and memory.
#include <algorithm>
#include <cmath>
#include <limits>

#include "training/tables.hpp"

namespace portolan::training {
namespace {

using cost::CollectiveKind;

// A batch may move by so much to become whole microbatches on every replica: 4M means 2^22 as often
// as 4·10^6 (4.9 % apart).
constexpr double kBatchTolerance = 0.05;
// Layers whose weights are gathered at once with zero 3: the one in work and the next.
constexpr double kGatheredUnits = 2;
// Weights travel in 16 bit whatever the master copy is.
constexpr double kTravellingWeight = 2;

/// What is not hidden of `seconds` of exchange behind `work`: the excess, and the first or last of
/// `units` messages.
double exposed(double seconds, double work, double overlap, double units) {
  return std::min(seconds, std::max(0.0, seconds - overlap * work) + seconds / units);
}

// Adam's state in fp32, what Muon leaves embeddings, norms and the head: master and two moments.
constexpr double kAdamState = 12;

/// Muon's five Newton-Schulz iterations of 4·m²·n + 2·m³ FLOP (m ≤ n) for each matrix of a layer
/// (training.md §8).
double orthogonal_flop(const ShardedClass& layer) {
  constexpr double kIterations = 5;
  double flop = 0;
  for (const Product& product : layer.products) {
    const double m = std::min(product.linear.n, product.linear.k),
                 n = std::max(product.linear.n, product.linear.k);
    flop += kIterations * product.count * std::max(1.0, product.experts) *
            (4 * m * m * n + 2 * m * m * m);
  }
  return flop;
}

}  // namespace

const Sharding* Compiled::sharding(int tp) const {
  for (const Sharding& sharding : shardings) {
    if (sharding.tp == tp) return &sharding;
  }
  return nullptr;
}

double Compiled::usable() const { return machine.node.accelerator->memory.raw(); }

std::int64_t Compiled::per_node(double ranks, double stride) const {
  const double together = std::max(1.0, std::floor(fast_domain / stride));
  return static_cast<std::int64_t>(std::min(ranks, together));
}

double Compiled::collective(CollectiveKind kind, double bytes, double ranks, double stride) const {
  return cost::collective_time(machine, kind, Bytes{bytes}, static_cast<std::int64_t>(ranks),
                               per_node(ranks, stride))
      .raw();
}

int Compiled::microbatches(int dp, int microbatch) const {
  const double sequences = job.global_batch_tokens / job.sequence,
               slots = static_cast<double>(dp) * microbatch;
  const double count = std::max(1.0, std::round(sequences / slots));
  if (count > std::numeric_limits<int>::max() ||
      std::abs(count * slots - sequences) > kBatchTolerance * sequences)
    return 0;
  return static_cast<int>(count);
}

StageSet Compiled::stage_set(int pp, int virtual_stages) const {
  StageSet set{.pp = pp, .virtual_stages = virtual_stages, .stages = {}, .counts = {}};
  const std::size_t kinds = classes.size(), layers = class_of_layer.size();
  const auto p = static_cast<std::size_t>(pp), v = static_cast<std::size_t>(virtual_stages);
  // Uneven chunks give the remainder to the middle; the first, then the last, which work on the
  // ends too, stay light.
  const std::size_t chunks = p * v;
  std::vector<std::size_t> lengths(chunks, layers / chunks);
  std::size_t rest = layers % chunks;
  for (std::size_t i = 1; i + 1 < chunks && rest > 0; ++i, --rest) ++lengths[i];
  if (rest > 0) ++lengths[0];
  std::vector<std::size_t> begin(chunks + 1, 0);
  for (std::size_t i = 0; i < chunks; ++i) begin[i + 1] = begin[i] + lengths[i];

  std::vector<double> counts(kinds);
  for (std::size_t i = 0; i < p; ++i) {
    std::fill(counts.begin(), counts.end(), 0.0);
    double total = 0;
    for (std::size_t chunk = i; chunk < chunks; chunk += p) {
      for (std::size_t layer = begin[chunk]; layer < begin[chunk + 1]; ++layer)
        counts[class_of_layer[layer]] += 1;
      total += static_cast<double>(lengths[chunk]);
    }
    const bool first = i == 0, last = i + 1 == p;
    if (last) {
      for (std::size_t k = 0; k < kinds; ++k) {
        counts[k] += mtp_layers[k];
        total += mtp_layers[k];
      }
    }
    bool known = false;
    for (std::size_t j = 1; j < set.stages.size() && !known && !last; ++j) {
      known = std::equal(counts.begin(), counts.end(),
                         set.counts.begin() + static_cast<std::ptrdiff_t>(j * kinds));
    }
    if (known) continue;
    set.stages.push_back(
        {.index = static_cast<int>(i), .first = first, .last = last, .layers = total});
    set.counts.insert(set.counts.end(), counts.begin(), counts.end());
  }
  return set;
}

StateSet Compiled::state_set(const Sharding& sharding, const StageSet& stages, int cp, int ep,
                             int dp, int zero, int shard) const {
  StateSet set;
  const double replicas = shard > 0 ? static_cast<double>(dp) * cp / shard : 1;
  const double group = static_cast<double>(dp) * cp / replicas;
  const double expert_group = ep > 1 ? group * sharding.tp / ep : group;
  const double stride = sharding.tp, expert_stride = ep > 1 ? ep : stride;
  const bool full = job.method == Method::kFull;
  const double frozen_linear =
      job.method == Method::kQlora ? model::bytes_per_weight(model::Format::kNf4) : 2;
  const std::size_t kinds = classes.size();
  const auto expert_parameters = [&](std::size_t kind) {
    return ep > 1 ? shardings.front().classes[kind].expert_parameters / ep
                  : sharding.classes[kind].expert_parameters;
  };

  double unit = 0,
         unit_frozen = 0;  // the largest layer or end, trained parameters and frozen bytes
  for (std::size_t k = 0; k < kinds; ++k) {
    const double all = sharding.classes[k].parameters + expert_parameters(k);
    unit = std::max(unit, full ? all : sharding.classes[k].adapter_parameters);
    if (!full) unit_frozen = std::max(unit_frozen, all * frozen_linear);
  }
  if (full)
    unit = std::max({unit, sharding.embedding, has_head ? sharding.head : 0});
  else
    unit_frozen = std::max({unit_frozen, 2 * sharding.embedding, has_head ? 2 * sharding.head : 0});

  double most = -1;
  for (std::size_t i = 0; i < stages.stages.size(); ++i) {
    const StageSet::Stage& stage = stages.stages[i];
    double dense = 0, expert = 0, adapters = 0, ends = 0;
    for (std::size_t k = 0; k < kinds; ++k) {
      const double count = stages.counts[i * kinds + k];
      dense += count * sharding.classes[k].parameters;
      expert += count * expert_parameters(k);
      adapters += count * sharding.classes[k].adapter_parameters;
    }
    if (stage.first) ends += sharding.embedding + first_parameters;
    if (stage.last) {
      ends += last_parameters + mtp_parameters;
      if (has_head && (!tied || stages.pp > 1)) ends += sharding.head;
    }
    const double trained = full ? dense + ends : adapters, trained_expert = full ? expert : 0;
    const double frozen = full ? 0 : dense * frozen_linear + 2 * ends,
                 frozen_expert = full ? 0 : expert * frozen_linear;

    const auto share = [&](int from, double a, double b) {
      return zero >= from ? a / group + b / expert_group : a + b;
    };
    StateSet::Stage state;
    state.weights = recipe.weights * share(3, trained, trained_expert) +
                    share(3, frozen, frozen_expert) + (stage.first ? frozen_bytes : 0);
    state.gradients = recipe.gradients * share(2, trained, trained_expert);
    state.optimizer = recipe.state * share(1, trained, trained_expert);
    if (full && job.optimizer == Optimizer::kMuon)
      state.optimizer += (kAdamState - recipe.state) * share(1, ends, 0);
    // Under a pipeline the weights of a stage stay gathered and its gradients whole until the step
    // ends: microbatches of one stage follow each other too closely to fetch them again.
    const bool resident = zero >= 3 && stages.pp > 1;
    if (zero >= 3 && group > 1) {
      const double travelling = std::min(recipe.weights, kTravellingWeight);
      state.weights += resident || job.stack.gathers_whole
                           ? travelling * (trained + trained_expert) + frozen + frozen_expert
                           : kGatheredUnits * (travelling * unit + unit_frozen);
    }
    if (zero >= 2 && group > 1)
      state.gradients += recipe.gradients * (resident ? trained + trained_expert : unit);
    set.stages.push_back(state);

    const double size = trained + trained_expert + frozen + frozen_expert;
    if (size <= most) continue;
    most = size;
    set.units = std::max(1.0, stage.layers);
    const CollectiveKind kind =
        zero >= 1 ? CollectiveKind::kReduceScatter : CollectiveKind::kAllReduce;
    const double factor = job.stack.corrections.data;
    set.reduce =
        factor * (collective(kind, trained * recipe.gradients, group, stride) +
                  collective(kind, trained_expert * recipe.gradients, expert_group, expert_stride));
    const double travelling = trained * kTravellingWeight + (zero >= 3 ? frozen : 0);
    const double travelling_expert =
        trained_expert * kTravellingWeight + (zero >= 3 ? frozen_expert : 0);
    set.gather_forward =
        zero == 0 ? 0
                  : factor * (collective(CollectiveKind::kAllGather, travelling, group, stride) +
                              collective(CollectiveKind::kAllGather, travelling_expert,
                                         expert_group, expert_stride));
    set.gather_backward = zero >= 3 ? set.gather_forward : 0;
    if (replicas > 1) {
      // Each shard's sum is reduced once more over the groups, which lie a group apart.
      set.reduce += factor * collective(CollectiveKind::kAllReduce,
                                        share(2, trained, trained_expert) * recipe.gradients,
                                        replicas, stride * group);
    }
    if (tied && full && stages.pp > 1 && has_head) {
      set.reduce += factor * collective(CollectiveKind::kAllReduce,
                                        sharding.embedding * recipe.gradients, 2, fast_domain);
    }
    // Adam reads the gradient and reads and writes weight, master and moments: about 30 bytes
    // (training.md §8).
    const double updated = share(1, trained, trained_expert);
    // A transient copy of the gradients (recipes above Adam's 12 bytes) is in the 30 already.
    const double traffic =
        updated * (recipe.gradients + 2 * std::min(recipe.state, kAdamState) + 2 * recipe.weights);
    set.update = job.stack.corrections.optimizer * cost::elementwise_time(machine, traffic).seconds;
    if (full && job.optimizer == Optimizer::kMuon) {
      const cost::ComputeRate& rate = machine.rate(model::Compute::kBf16);
      double flop = 0;
      for (std::size_t k = 0; k < kinds; ++k)
        flop += stages.counts[i * kinds + k] * orthogonal_flop(sharding.classes[k]);
      set.update += flop / (zero >= 1 ? group : 1) / (rate.peak.raw() * rate.efficiency);
    }
  }
  return set;
}

Outcome Compiled::combine(const StageSet& stages, const LayerSet& layers, const StateSet& states,
                          int microbatches, int zero, int accelerators, Schedule schedule) const {
  const std::size_t kinds = classes.size();
  const double m = microbatches;
  const Stack& stack = job.stack;
  Outcome out;
  LayerSet::Cost slowest;
  double slowest_seconds = -1, fullest = -1;
  for (std::size_t i = 0; i < stages.stages.size(); ++i) {
    const StageSet::Stage& stage = stages.stages[i];
    LayerSet::Cost cost;
    for (std::size_t k = 0; k < kinds; ++k)
      cost.add(layers.layers[k], stages.counts[i * kinds + k]);
    if (stage.first) cost.add(layers.first, 1);
    if (stage.last) cost.add(layers.last, 1);
    if (cost.seconds() > slowest_seconds) {
      slowest_seconds = cost.seconds();
      slowest = cost;
    }
    const StateSet::Stage& state = states.stages[i];
    const double in_flight =
        schedule == Schedule::kZeroBubble2
            ? std::min(m, 2.0 * (stages.pp - stage.index) - 1)
            : microbatches_in_flight(m, stage.index, stages.pp, stages.virtual_stages);
    double kept = cost.activations * in_flight;
    if (stack.offloads_activations && stage.layers > 0) kept *= std::min(1.0, 2 / stage.layers);
    const double logits = stage.last ? layers.logits : 0;
    // Two moments can be the fullest: the loss, when all is kept and the logits are there, and the
    // first layer backward, when the loss has gone. Gradients made on demand are not there yet, but
    // are when the pass ends and activations have gone.
    const bool late = stack.gradients_on_demand && microbatches == 1;
    const double working = std::max(0.0, layers.working - logits);
    double activations = kept + working,
           gradients = stack.optimizer_in_backward ? state.gradients / std::max(1.0, stage.layers)
                                                   : state.gradients;
    if (late) {
      // At the end one layer is left, with what was kept of it.
      const double end = layers.working + cost.activations / std::max(1.0, stage.layers);
      if (kept + logits + working > gradients + end) {
        gradients = 0;
      } else {
        activations = end;
      }
    }
    const double shown = late && gradients > 0 ? 0 : logits;
    const double used = state.weights + gradients + state.optimizer + activations + shown;
    if (used > fullest) {
      fullest = used;
      out.weights = state.weights;
      out.gradients = gradients;
      out.optimizer = state.optimizer;
      out.activations = activations;
      out.logits = shown;
      out.fullest_stage = stage.index;
    }
  }
  out.overhead = stack.allocator_slack * fullest + stack.context.raw() +
                 (accelerators > 1 ? stack.communication_buffers.raw() : 0);

  const double p = stages.pp, v = stages.virtual_stages;
  const double hop = accelerators > fast_domain ? layers.hop_across : layers.hop_inside;
  const double rho = stack.data_overlap, units = states.units;
  double data = 0;
  if (zero >= 3) {
    const double times = stages.pp > 1 ? 1 : m;
    data = times * (exposed(states.gather_forward, slowest.forward, rho, units) +
                    exposed(states.gather_backward + states.reduce, slowest.backward, rho, units));
  } else {
    const double reductions = zero == 2 ? m : 1;
    data = reductions * exposed(states.reduce, slowest.backward, rho, units) +
           exposed(states.gather_forward, slowest.forward, rho, units);
  }
  const double straggler =
      1 + stack.straggler_per_decade * std::max(0.0, std::log10(accelerators / 1000.0));
  out.compute = straggler * m * (slowest.forward + slowest.backward);
  // The other stages' passes for one microbatch, less what weight gradients fill of them: F + B − W
  // and F + B − 2W by stage, B the input gradient (arXiv 2401.10241 table 1).
  const double filled = schedule == Schedule::kZeroBubble2   ? 3
                        : schedule == Schedule::kZeroBubble1 ? 2
                                                             : 0;
  out.bubble = straggler *
               std::max(0.0, layers.all - slowest_seconds -
                                 filled * std::max(0.0, layers.all_weight - slowest.weight)) /
               v;
  // Warm-up and drain pass every boundary both ways; in between 1F1B exchanges twice per
  // microbatch, interleaving hides that.
  const double steady = v > 1 ? 0 : 2 * m * (1 - stack.pipeline_overlap);
  out.communication = straggler * (m * slowest.communication +
                                   (p > 1 ? (2 * (p - 1) * v + steady) * hop : 0) + data);
  out.update = straggler * states.update;
  out.host = straggler * (m * slowest.host + stack.host_per_step.raw());
  return out;
}

Goodput Compiled::goodput_of(double accelerators) const {
  const Seconds mean{3600.0 / (kFailuresPerAcceleratorHour * accelerators)};
  const Seconds checkpoint = Bytes{kCheckpointBytesPerParameter * trained_parameters} /
                             (kCheckpointBandwidthPerAccelerator * accelerators);
  return goodput(checkpoint, mean, kRestart);
}

RunEstimate Compiled::finish(const Strategy& s, const Outcome& o) const {
  const double g = s.accelerators();
  RunEstimate run;
  run.compute = Seconds{o.compute};
  run.bubble = Seconds{o.bubble};
  run.exposed_communication = Seconds{o.communication};
  run.optimizer_update = Seconds{o.update};
  run.host = Seconds{o.host};
  run.step = Seconds{o.step()};
  run.memory = {Bytes{o.weights},     Bytes{o.gradients}, Bytes{o.optimizer},
                Bytes{o.activations}, Bytes{o.logits},    Bytes{o.overhead}};
  run.fullest_stage = o.fullest_stage;
  run.batch_tokens =
      static_cast<double>(microbatches(s.dp, s.microbatch)) * s.dp * s.microbatch * job.sequence;
  run.tokens_per_second = run.batch_tokens / o.step();
  run.mfu =
      model_flop_per_token * run.tokens_per_second / (g * machine.rate(job.compute).peak.raw());
  run.goodput = goodput_of(g).share;
  run.steps = std::ceil(job.tokens / run.batch_tokens);
  run.duration = Seconds{job.tokens / (run.tokens_per_second * run.goodput)};
  return run;
}

}  // namespace portolan::training
