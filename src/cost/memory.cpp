#include "cost/memory.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "model/count.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"

namespace portolan::cost {
namespace {

using model::Architecture;
using model::WeightClass;

double d(std::int64_t x) { return static_cast<double>(x); }
std::int64_t share(std::int64_t x, std::int64_t ranks) { return (x + ranks - 1) / ranks; }

// CUDA context and libraries (section 10.5: 0.4-0.8 GB).
constexpr double kContext = 0.5e9;
// CUDA graphs and allocator slack: what eight recorded vLLM block counts leave beyond context,
// NCCL, activations and logits is 0.2-0.8 GB, median 0.4 (serving.md section 1.3; test
// MemoryLayout.RecordedBlockCounts).
constexpr double kGraphsAndSlack = 0.4e9;
// NCCL buffers at 1, 2, 4 and 8 ranks (aiconfigurator systems data, 2026-07-14).
constexpr std::array kNccl = {0.0, 342.0, 392.0, 392.0};
// Tokens per KV block (vLLM): a sequence holds whole blocks.
constexpr double kBlock = 16;
constexpr double kVocabPadding = 64;

/// The slice of `run` that one tensor/expert rank holds.
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

/// Bytes of one sequence on a rank of the stage that needs most.
double sequence_on(const std::vector<Stage>& stages, const Deployment& deployment, double tokens) {
  double most = 0;
  const double held = std::ceil(tokens / kBlock) * kBlock;
  for (const Stage& stage : stages) {
    const double bytes = model::kv_bytes(stage.rank, held, deployment.kv_bytes_per_element).raw() +
                         model::index_bytes(stage.rank, held).raw() +
                         model::state_bytes(stage.rank, 2.0).raw();
    most = std::max(most, bytes);
  }
  return most;
}

double activation_bytes(const Architecture& architecture, const Deployment& deployment,
                        const MemoryLimits& limits) {
  // Section 10.4. The widest tensor of a layer lives beside the hidden state; the slope agrees with
  // the 37 kB per token of Llama-3.1-70B at tp 4 (45 here).
  double widest = 0, routed = 0;
  for (const model::LayerRun& run : architecture.layers) {
    const model::LayerRun rank = rank_layers(run, run.count, deployment);
    const model::Mixer& m = rank.mixer;
    const model::Channel& c = rank.channel;
    const double value = d(m.v_head_dim > 0 ? m.v_head_dim : m.head_dim);
    const double attention = m.kind == model::MixerKind::kMla
                                 ? d(m.heads) * d(2 * (m.nope_dim + m.rope_dim) + 2 * m.v_head_dim)
                                 : d(m.heads + 2 * m.kv_heads) * d(m.head_dim) + d(m.heads) * value;
    const double recurrent =
        2.0 * d(m.inner) + 2.0 * d(m.key_heads * m.key_dim + m.value_heads * m.value_dim);
    const double dense = d(c.width + c.shared_width) * (c.gated ? 2.0 : 1.0);
    widest = std::max({widest, attention, recurrent, dense});
    if (c.kind == model::ChannelKind::kMoe) {
      const double width = d(c.latent > 0 ? c.latent : architecture.hidden),
                   expert = d(c.expert_width) * (c.gated ? 2.0 : 1.0);
      const double local = static_cast<double>(c.top_k) /
                           std::max(1.0, static_cast<double>(deployment.ep) / deployment.tp);
      routed = std::max(routed, local * 2.0 * std::max(width, expert));
    }
  }
  constexpr double kActivation = 2.0,
                   kLogit = 2.0 + 4.0;  // 16-bit activations; logits in 16 bit and fp32
  const double tokens = limits.max_batched_tokens;
  double bytes = kActivation * tokens * (d(architecture.hidden) + widest + routed);
  if (architecture.causal && architecture.lm_head)
    bytes += limits.max_sequences * d(architecture.vocab) / deployment.tp * kLogit;
  return bytes;
}

double overhead_bytes(const Architecture& architecture, const Deployment& deployment) {
  const double octave =
      std::min(3.0, std::log2(std::max(1.0, static_cast<double>(deployment.accelerators()))));
  const auto low = static_cast<std::size_t>(octave);
  const double nccl = octave >= 3.0 ? kNccl[3]
                                    : kNccl[low] + (octave - d(static_cast<std::int64_t>(low))) *
                                                       (kNccl[low + 1] - kNccl[low]);
  return kContext + nccl * kMiB.raw() + (architecture.causal ? kGraphsAndSlack : 0.0);
}

}  // namespace

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
  layout.activations = Bytes(activation_bytes(architecture, deployment, limits));
  layout.overhead = Bytes(overhead_bytes(architecture, deployment));
  layout.capacity = machine.node.accelerator->memory * limits.utilisation;
  return layout;
}

Bytes sequence_bytes(const Architecture& architecture, const Deployment& deployment,
                     double tokens) {
  return Bytes(sequence_on(stages_of(architecture, deployment), deployment, tokens));
}

std::int64_t max_sequences(const Architecture& architecture, const MemoryLayout& layout,
                           const Deployment& deployment, double tokens) {
  const double left = layout.left_for_sequences().raw();
  if (left <= 0) return 0;
  const double each = sequence_bytes(architecture, deployment, tokens).raw();
  if (each <= 0) return kUnlimitedSequences;
  return static_cast<std::int64_t>(std::min(d(kUnlimitedSequences), std::floor(left / each)));
}

std::int64_t max_context(const Architecture& architecture, const MemoryLayout& layout,
                         const Deployment& deployment, std::int64_t sequences) {
  const double left = layout.left_for_sequences().raw();
  if (left <= 0 || sequences <= 0) return 0;
  const std::vector<Stage> stages = stages_of(architecture, deployment);
  const auto fits = [&](std::int64_t tokens) {
    return d(sequences) * sequence_on(stages, deployment, d(tokens)) <= left;
  };
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
