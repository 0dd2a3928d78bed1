// Working memory and fixed overheads of an engine on one rank.
#include <cmath>

#include "cost/memory_rank.hpp"

namespace portolan::cost {
namespace {

using model::Architecture;

constexpr double kActivation = 2.0;  // bytes: activations between operators are 16 bit

double d(std::int64_t x) { return static_cast<double>(x); }

/// Elements per token of the widest moment of a stack of layers on one rank: three copies of the
/// hidden state (residual, normed, input) beside the projections of a mixer or of an MLP. A dense
/// gated MLP holds gate, up and their product at once.
struct Widest {
  double hidden = 0, layer = 0, routed = 0, latent_heads = 0, latent = 0;
};

Widest widest_of(const std::vector<model::LayerRun>& layers, double hidden,
                 const Deployment& deployment) {
  Widest w;
  w.hidden = 3.0 * hidden;
  for (const model::LayerRun& run : layers) {
    const model::LayerRun rank = rank_layers(run, run.count, deployment);
    const model::Mixer& m = rank.mixer;
    const model::Channel& c = rank.channel;
    const double value = d(m.v_head_dim > 0 ? m.v_head_dim : m.head_dim);
    const bool latent = m.kind == model::MixerKind::kMla;
    const double attention = latent
                                 ? d(m.heads) * d(2 * (m.nope_dim + m.rope_dim) + 2 * m.v_head_dim)
                                 : d(m.heads + 2 * m.kv_heads) * d(m.head_dim) + d(m.heads) * value;
    const double recurrent =
        2.0 * d(m.inner) + 2.0 * d(m.key_heads * m.key_dim + m.value_heads * m.value_dim);
    const double dense = d(c.width + c.shared_width) * (c.gated ? 3.0 : 2.0);
    w.layer = std::max({w.layer, attention, recurrent, dense});
    if (latent) {
      w.latent = std::max(w.latent, d(m.kv_rank + m.rope_dim));
      w.latent_heads = std::max(w.latent_heads, d(m.heads) * (d(m.nope_dim) + value));
    }
    if (c.kind == model::ChannelKind::kMoe) {
      // Rows of all chosen experts: up (later overwritten by down) and the activated product.
      const double width = c.latent > 0 ? d(c.latent) : hidden, expert = d(c.expert_width);
      const double local = d(c.top_k) / std::max(1.0, d(deployment.ep) / d(deployment.tp));
      w.routed =
          std::max(w.routed, local * (std::max(width, expert * (c.gated ? 2.0 : 1.0)) + expert));
    }
  }
  return w;
}

/// Vision towers run on the largest input the token budget admits: `merge`² patches a token.
double encoder_bytes(const Architecture& architecture, const Deployment& deployment,
                     const MemoryLimits& limits) {
  double most = 0;
  for (const model::Encoder& encoder : architecture.encoders) {
    if (encoder.patch <= 0 || encoder.hidden <= 0) continue;
    const double merge = d(std::max<std::int64_t>(1, encoder.merge));
    const double side = encoder.image_size > 0 ? d(encoder.image_size) / d(encoder.patch) : 0.0;
    const double patches = std::max(limits.max_batched_tokens * merge * merge, side * side);
    const Widest w = widest_of(encoder.layers, d(encoder.hidden), deployment);
    // The outputs wait beside the tokens of the language model.
    most = std::max(most, kActivation * (patches * (w.hidden + w.layer) +
                                         limits.max_batched_tokens * d(architecture.hidden)));
  }
  return most;
}

/// Linear in octaves between 1, 2, 4 and 8 ranks.
double communicator_bytes(const EngineMemory& engine, int ranks) {
  const double octave = std::clamp(std::log2(std::max(1.0, static_cast<double>(ranks))), 0.0, 3.0);
  const auto low = static_cast<std::size_t>(octave);
  const std::size_t high = std::min<std::size_t>(low + 1, 3);
  const double share = octave - static_cast<double>(low);
  return engine.communicator[low] + share * (engine.communicator[high] - engine.communicator[low]);
}

/// Cosines and sines of every position the model was made for (vLLM keeps them in 16 bit, one table
/// for all layers): 2.7 GB for Llama 4 Scout's ten million.
double rotary_bytes(const Architecture& architecture) {
  double dimension = 0;
  for (const model::LayerRun& run : architecture.layers) {
    const model::Mixer& m = run.mixer;
    if (m.kind == model::MixerKind::kMla) dimension = std::max(dimension, d(m.rope_dim));
    if (m.kind == model::MixerKind::kAttention) dimension = std::max(dimension, d(m.head_dim));
  }
  return kActivation * dimension * d(architecture.max_position);
}

}  // namespace

double activation_bytes(const Architecture& architecture, const Deployment& deployment,
                        const MemoryLimits& limits, const EngineMemory& engine) {
  const double hidden = d(architecture.hidden), tokens = limits.max_batched_tokens;
  const Widest w = widest_of(architecture.layers, hidden, deployment);
  double layers = kActivation * tokens * (w.hidden + w.layer + w.routed);
  if (w.latent > 0) {
    layers += kActivation * engine.latent_workspace_tokens * (w.latent + w.latent_heads);
  }
  double sampling = 0;
  if (architecture.causal && architecture.lm_head) {
    const double rows = std::min(limits.max_sequences, tokens);
    sampling = engine.bytes_per_logit * rows * d(architecture.vocab) +
               engine.hidden_copies * kActivation * tokens * hidden;
  }
  return std::max({layers, sampling, encoder_bytes(architecture, deployment, limits)});
}

Overhead overhead_bytes(const Architecture& architecture, const hardware::Accelerator& accelerator,
                        const Deployment& deployment, const EngineMemory& engine) {
  Overhead overhead;
  overhead.communicator = communicator_bytes(engine, deployment.accelerators());
  // Encoders have no engine of their own: they run beside others, in one pass, nothing captured
  // (bge-reranker-v2-m3 takes 0.9 GiB in all, cost-model.md §10.4).
  if (!architecture.causal) return overhead;
  overhead.context = engine.context.raw();
  const double layers = std::ceil(d(architecture.layer_count()) / deployment.pp);
  const bool gddr = accelerator.memory_type.starts_with("GDDR");
  overhead.runtime = (gddr ? engine.runtime_gddr : engine.runtime).raw() +
                     (engine.rotary_table ? rotary_bytes(architecture) : 0.0);
  overhead.graphs = engine.graph_captures * engine.graph_bytes_per_layer * layers;
  return overhead;
}

}  // namespace portolan::cost
