#include "cost/memory.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cost/memory_rank.hpp"
#include "model/count.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"

namespace portolan::cost {
namespace {

using model::Architecture;
using model::WeightClass;

double d(std::int64_t x) { return static_cast<double>(x); }
std::int64_t share(std::int64_t x, std::int64_t ranks) { return (x + ranks - 1) / ranks; }

// Vocabularies are padded to a multiple of this on every rank (vLLM).
constexpr double kVocabPadding = 64;

struct Stage {
  Architecture rank;   // layers of this stage on one rank, no ends
  double weights = 0;  // bytes of that rank, ends included
};

/// Layers of `stage`: the ones that do not divide go to the stages before the last (vLLM's rule).
std::int64_t stage_layers(std::int64_t layers, std::int64_t pp, std::int64_t stage) {
  const std::int64_t rest = layers % pp;
  return layers / pp + (stage >= pp - 1 - rest && stage < pp - 1 ? 1 : 0);
}

double rank_weights(const Architecture& whole, const Architecture& rank,
                    const Architecture& unsplit, const Deployment& deployment, bool first,
                    bool last) {
  const std::optional<model::Format> format =
      deployment.own_format ? std::nullopt : std::optional(deployment.weights);
  const auto bytes = [&](WeightClass weights) {
    return model::stored_bytes_per_weight(whole, weights, format);
  };
  const model::ParameterCount count = model::count_parameters(rank);
  // The router sees all experts on every rank.
  const double router = d(model::count_parameters(unsplit).router);
  double sum = d(count.attention) * bytes(WeightClass::kAttention) +
               d(count.mlp) * bytes(WeightClass::kMlp) +
               d(count.experts) * bytes(WeightClass::kExperts) +
               router * bytes(WeightClass::kRouter) +
               d(count.norms + count.other) * bytes(WeightClass::kEmbedding);
  const double tp = deployment.tp;
  const double padded = std::ceil(d(whole.vocab) / (kVocabPadding * tp)) * kVocabPadding;
  const double vocab_share = whole.vocab > 0 ? padded / d(whole.vocab) : 1.0 / tp;
  if (first) {
    sum += d(whole.embedding_parameters) * vocab_share * bytes(WeightClass::kEmbedding);
    sum += d(whole.other_parameters) * bytes(WeightClass::kEmbedding);
    sum += d(model::count_parameters(whole).encoders) / tp * bytes(WeightClass::kEmbedding);
  }
  if (last) {
    sum += d(whole.final_norm_parameters) * bytes(WeightClass::kEmbedding);
    sum += d(whole.head_parameters) * vocab_share * bytes(WeightClass::kHead);
    if (whole.tied_embeddings && deployment.pp > 1)
      sum += d(whole.embedding_parameters) * vocab_share * bytes(WeightClass::kEmbedding);
  }
  return sum;
}

std::vector<Stage> stages_of(const Architecture& architecture, const Deployment& deployment) {
  std::vector<Stage> stages;
  const std::int64_t layers = architecture.layer_count(), pp = std::max(1, deployment.pp);
  std::size_t run = 0;
  std::int64_t used = 0;  // layers of `run` already placed
  for (std::int64_t s = 0; s < pp; ++s) {
    Stage stage;
    Architecture unsplit;
    for (Architecture* part : {&stage.rank, &unsplit}) {
      part->hidden = architecture.hidden;
      part->causal = architecture.causal;
    }
    for (std::int64_t left = stage_layers(layers, pp, s);
         left > 0 && run < architecture.layers.size();) {
      const model::LayerRun& from = architecture.layers[run];
      const std::int64_t taken = std::min(left, from.count - used);
      stage.rank.layers.push_back(rank_layers(from, taken, deployment));
      unsplit.layers.push_back(from);
      unsplit.layers.back().count = taken;
      left -= taken;
      used += taken;
      if (used == from.count) {
        ++run;
        used = 0;
      }
    }
    stage.weights =
        rank_weights(architecture, stage.rank, unsplit, deployment, s == 0, s == pp - 1);
    stages.push_back(std::move(stage));
  }
  if (architecture.layers.empty()) {  // nothing but a parameter count is known
    const std::optional<model::Format> format =
        deployment.own_format ? std::nullopt : std::optional(deployment.weights);
    for (Stage& stage : stages)
      stage.weights = model::weight_bytes(architecture, format).raw() / deployment.accelerators();
  }
  return stages;
}

/// How many layers with and without a window share one page size: the smaller count, or the larger
/// when they nearly agree (vLLM pads the last group). 0 = one kind only.
std::int64_t page_group(const Architecture& rank) {
  std::int64_t windowed = 0, full = 0;
  for (const model::LayerRun& run : rank.layers) {
    if (run.mixer.kind == model::MixerKind::kMla) full += run.count;
    if (run.mixer.kind != model::MixerKind::kAttention) continue;
    (run.mixer.window > 0 ? windowed : full) += run.count;
  }
  if (windowed == 0 || full == 0) return 0;
  const std::int64_t low = std::min(windowed, full), high = std::max(windowed, full);
  return 4 * high < 5 * low ? high : low;
}

/// The layers of a rank as the engine's cache holds them.
Architecture cached_by(Architecture rank, WindowCache windows) {
  if (windows == WindowCache::kWindow) return rank;
  for (model::LayerRun& run : rank.layers) {
    if (windows == WindowCache::kFull || run.mixer.chunked_window) run.mixer.window = 0;
  }
  const std::int64_t group = page_group(rank);
  if (group == 0) return rank;
  std::int64_t windowed = 0;
  model::LayerRun* last = nullptr;
  for (model::LayerRun& run : rank.layers) {
    if (run.mixer.kind != model::MixerKind::kAttention || run.mixer.window == 0) continue;
    windowed += run.count;
    last = &run;
  }
  last->count += share(windowed, group) * group - windowed;
  return rank;
}

/// Bytes of one sequence on a rank of the stage that needs most.
struct SequenceCost {
  struct Rank {
    Architecture cache;
    double state = 0;
  };
  std::vector<Rank> ranks;
  double block = 16, bytes_per_element = 2;

  SequenceCost(const std::vector<Stage>& stages, const Deployment& deployment, WindowCache windows,
               double block_tokens)
      : block(block_tokens), bytes_per_element(deployment.kv_bytes_per_element) {
    for (const Stage& stage : stages) {
      ranks.push_back({.cache = cached_by(stage.rank, windows),
                       .state = model::state_bytes(stage.rank, 2.0).raw()});
    }
  }
  [[nodiscard]] double operator()(double tokens) const {
    double most = 0;
    const double held = std::ceil(tokens / block) * block;
    for (const Rank& rank : ranks) {
      most = std::max(most, model::kv_bytes(rank.cache, held, bytes_per_element).raw() +
                                model::index_bytes(rank.cache, held).raw() + rank.state);
    }
    return most;
  }
};

}  // namespace

model::LayerRun rank_layers(model::LayerRun run, std::int64_t count, const Deployment& deployment) {
  const std::int64_t tp = deployment.tp, ep = deployment.ep;
  const std::int64_t expert_tp = share(tp, std::min(tp, ep));
  run.count = count;
  model::Mixer& m = run.mixer;
  for (std::int64_t* split : {&m.heads, &m.kv_heads, &m.inner, &m.ssm_heads, &m.groups,
                              &m.key_heads, &m.value_heads, &m.cross_heads, &m.cross_kv_heads}) {
    *split = share(*split, tp);
  }
  model::Channel& c = run.channel;
  for (std::int64_t* split : {&c.width, &c.shared_width, &c.dense_residual_width})
    *split = share(*split, tp);
  c.expert_width = share(c.expert_width, expert_tp);
  c.experts = share(c.experts, ep);
  return run;
}

MemoryLayout memory_layout(const Architecture& architecture, const Machine& machine,
                           const Deployment& deployment, const MemoryLimits& limits) {
  MemoryLayout layout;
  const std::vector<Stage> stages = stages_of(architecture, deployment);
  for (const Stage& stage : stages) {
    layout.weights = std::max(layout.weights, Bytes(stage.weights));
    layout.kv_per_token =
        std::max(layout.kv_per_token,
                 model::kv_bytes_per_token(stage.rank, deployment.kv_bytes_per_element) +
                     model::index_bytes(stage.rank, 1.0));
    layout.state_per_sequence =
        std::max(layout.state_per_sequence, model::state_bytes(stage.rank, 2.0));
  }
  const EngineMemory& engine = limits.engine != nullptr ? *limits.engine : default_engine().memory;
  const Overhead overhead =
      overhead_bytes(architecture, *machine.node.accelerator, deployment, engine);
  const double device = device_memory(*machine.node.accelerator).raw();
  layout.activations = Bytes(activation_bytes(architecture, deployment, limits, engine));
  layout.overhead = Bytes(overhead.total());
  layout.windows = engine.windows;
  layout.block_tokens = engine.block_tokens;
  const double weights = layout.weights.raw(), fixed = layout.fixed().raw();
  double left = 0;  // for sequences, by the engine's rule
  switch (engine.rule) {
    case CacheRule::kShareOfDevice:
      left = limits.utilisation * device - weights - layout.activations.raw() - overhead.runtime -
             overhead.communicator - (engine.graphs_in_share ? overhead.graphs : 0.0);
      break;
    case CacheRule::kShareOfFree:
      left = limits.utilisation * (device - overhead.context - overhead.communicator) - weights -
             overhead.runtime;
      break;
    case CacheRule::kShareOfWhatIsLeft:
      left = limits.utilisation * (device - fixed);
      break;
  }
  layout.capacity = Bytes(fixed + std::min(left, device - fixed));
  return layout;
}

Bytes device_memory(const hardware::Accelerator& accelerator) {
  if (!accelerator.memory_reported || accelerator.vendor != "nvidia") return accelerator.memory;
  // RTX 3090 0.40, RTX 4090 0.47, L40S 0.57, RTX PRO 6000 0.58, H100 0.44, A100 0.75, H200 0.59,
  // B200 0.70, GB200 0.72, B300 0.91 GiB: what nvidia-smi lists less what CUDA offers.
  return accelerator.memory * (1 - 0.0013) - kGiB * 0.45;
}

Bytes sequence_bytes(const Architecture& architecture, const Deployment& deployment, double tokens,
                     const EngineMemory* engine) {
  const SequenceCost cost(stages_of(architecture, deployment), deployment,
                          engine != nullptr ? engine->windows : WindowCache::kWindow,
                          engine != nullptr ? engine->block_tokens : 16.0);
  return Bytes(cost(tokens));
}

std::int64_t kv_blocks(const Architecture& architecture, const MemoryLayout& layout,
                       const Deployment& deployment) {
  const double left = layout.left_for_sequences().raw();
  double largest = 0;  // bytes of a block
  for (const Stage& stage : stages_of(architecture, deployment)) {
    const Architecture rank = cached_by(stage.rank, layout.windows);
    const std::int64_t group = layout.windows == WindowCache::kPagesInCommon ? page_group(rank) : 0;
    double token = (model::kv_bytes_per_token(rank, deployment.kv_bytes_per_element) +
                    model::index_bytes(rank, 1.0))
                       .raw();
    if (group > 0) token *= d(group) / d(rank.layer_count());
    largest = std::max(largest, token * layout.block_tokens);
  }
  if (left <= 0) return 0;
  if (largest <= 0) return kUnlimitedSequences;
  return static_cast<std::int64_t>(std::min(d(kUnlimitedSequences), std::floor(left / largest)));
}

std::int64_t max_sequences(const Architecture& architecture, const MemoryLayout& layout,
                           const Deployment& deployment, double tokens) {
  const double left = layout.left_for_sequences().raw();
  if (left <= 0) return 0;
  const SequenceCost cost(stages_of(architecture, deployment), deployment, layout.windows,
                          layout.block_tokens);
  const double each = cost(tokens);
  if (each <= 0) return kUnlimitedSequences;
  return static_cast<std::int64_t>(std::min(d(kUnlimitedSequences), std::floor(left / each)));
}

std::int64_t max_context(const Architecture& architecture, const MemoryLayout& layout,
                         const Deployment& deployment, std::int64_t sequences) {
  const double left = layout.left_for_sequences().raw();
  if (left <= 0 || sequences <= 0) return 0;
  const SequenceCost cost(stages_of(architecture, deployment), deployment, layout.windows,
                          layout.block_tokens);
  const auto fits = [&](std::int64_t tokens) { return d(sequences) * cost(d(tokens)) <= left; };
  if (fits(kUnlimitedContext)) return kUnlimitedContext;
  if (!fits(1)) return 0;
  std::int64_t low = 1, high = kUnlimitedContext;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

InstanceMemory instance_memory(const Architecture& architecture, const Machine& machine,
                               const Deployment& deployment, const MemoryLimits& limits,
                               std::int64_t sequences, double context) {
  InstanceMemory memory;
  for (const Stage& stage : stages_of(architecture, deployment))
    memory.weights += Bytes(stage.weights) * static_cast<double>(deployment.tp);
  const MemoryLayout layout = memory_layout(architecture, machine, deployment, limits);
  memory.kv =
      model::kv_bytes(architecture, context, deployment.kv_bytes_per_element) * d(sequences);
  memory.state = model::state_bytes(architecture, 2.0) * d(sequences);
  memory.activations = layout.activations * static_cast<double>(deployment.accelerators());
  memory.overhead = layout.overhead * static_cast<double>(deployment.accelerators());
  return memory;
}

}  // namespace portolan::cost
