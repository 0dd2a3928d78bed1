// Models and machines the training tests share; written out so that they depend on no table.
#pragma once

#include "cost/machine.hpp"
#include "hardware/node.hpp"
#include "model/architecture.hpp"
#include "training/run.hpp"

namespace portolan::training::parts {

/// Llama style: grouped-query attention, SwiGLU, RMSNorm, untied embeddings.
inline model::Architecture llama(std::int64_t layers, std::int64_t hidden, std::int64_t heads,
                                 std::int64_t kv_heads, std::int64_t ffn, std::int64_t vocab) {
  model::Architecture a;
  a.hidden = hidden;
  a.vocab = vocab;
  model::LayerRun run{.count = layers, .mixer = {}, .channel = {}, .norm_parameters = 2 * hidden};
  run.mixer.kind = model::MixerKind::kAttention;
  run.mixer.heads = heads;
  run.mixer.kv_heads = kv_heads;
  run.mixer.head_dim = run.mixer.v_head_dim = hidden / heads;
  run.channel.kind = model::ChannelKind::kMlp;
  run.channel.width = ffn;
  run.channel.gated = true;
  a.layers = {run};
  a.embedding_parameters = a.head_parameters = vocab * hidden;
  a.final_norm_parameters = hidden;
  return a;
}
inline model::Architecture llama3_8b() { return llama(32, 4096, 32, 8, 14336, 128256); }
inline model::Architecture llama3_405b() { return llama(126, 16384, 128, 8, 53248, 128256); }

/// GPT style: plain MLP of 4h, no biases, no norms: 12 h² parameters a layer and nothing else.
inline model::Architecture gpt(std::int64_t layers, std::int64_t hidden, std::int64_t heads,
                               std::int64_t vocab = 0) {
  model::Architecture a = llama(layers, hidden, heads, heads, 4 * hidden, vocab);
  a.layers.front().channel.gated = false;
  a.layers.front().norm_parameters = 0;
  a.tied_embeddings = true;
  a.head_parameters = a.final_norm_parameters = 0;
  a.lm_head = vocab > 0;
  return a;
}

/// Qwen3-30B-A3B: 128 experts, 8 of them per token.
inline model::Architecture qwen3_30b_a3b() {
  model::Architecture a = llama(48, 2048, 32, 4, 0, 151936);
  a.layers.front().mixer.head_dim = a.layers.front().mixer.v_head_dim = 128;
  model::Channel& c = a.layers.front().channel;
  c.kind = model::ChannelKind::kMoe;
  c.experts = 128;
  c.top_k = 8;
  c.expert_width = 768;
  return a;
}

/// An H100 SXM: 989 TFLOP/s bf16 of which 795 are reached for long, 80 GB at 3.35 TB/s, NVLink 450
/// GB/s each way.
inline const hardware::Accelerator& h100() {
  static const hardware::Accelerator accelerator = [] {
    hardware::Accelerator a;
    a.id = "h100-sxm-80gb";
    a.vendor = "nvidia";
    a.architecture = "hopper";
    a.memory = 85.0 * kGB;
    a.memory_type = "HBM3";
    a.bandwidth = 3350.0 * kGBPerSecond;
    a.peak[static_cast<std::size_t>(hardware::Rate::kFp32)] = 67 * kTFlopPerSecond;
    a.peak[static_cast<std::size_t>(hardware::Rate::kBf16)] = 989 * kTFlopPerSecond;
    a.peak[static_cast<std::size_t>(hardware::Rate::kFp8)] = 1979 * kTFlopPerSecond;
    a.measured_bf16 = 795 * kTFlopPerSecond;
    a.link = hardware::LinkKind::kSwitched;
    a.link_per_direction = 450.0 * kGBPerSecond;
    a.link_domain = 8;
    a.multiprocessors = 132;
    return a;
  }();
  return accelerator;
}

/// A node of `count` H100 with 400 Gbit/s of RDMA network each.
inline cost::Machine machine(std::int64_t count = 8,
                             const hardware::Accelerator& accelerator = h100()) {
  hardware::Node node;
  node.accelerator = &accelerator;
  node.count = count;
  node.link = accelerator.link;
  node.link_per_direction = accelerator.link_per_direction;
  node.link_domain = std::min(accelerator.link_domain, count);
  node.network.per_accelerator = 50.0 * kGBPerSecond;
  node.network.rdma = true;
  return *cost::make_machine(node);
}

inline Job job(double sequence, double global_batch_sequences) {
  Job j;
  j.tokens = 1e12;
  j.sequence = sequence;
  j.global_batch_tokens = global_batch_sequences * sequence;
  return j;
}

}  // namespace portolan::training::parts
