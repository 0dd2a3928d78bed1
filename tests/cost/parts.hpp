// Hand-built accelerators, nodes and models for the tests of cost and serving: figures of the
// vendors' datasheets and the published configs, independent of the embedded tables.
#pragma once

#include <cmath>
#include <string>

#include "cost/machine.hpp"
#include "cost/step.hpp"
#include "hardware/node.hpp"
#include "model/architecture.hpp"

namespace portolan::parts {

using hardware::Accelerator;
using hardware::LinkKind;
using hardware::Rate;

struct AcceleratorFigures {
  std::string id = {}, architecture = {}, memory_type = {};
  double memory_bytes = 0, bandwidth_gbs = 0, bf16 = 0, fp8 = 0, fp4 = 0, int8 = 0,
         measured_bf16 = 0, measured_fp8 = 0, tdp = 0;
  LinkKind link = LinkKind::kNone;
  double link_gbs = 0;
  int domain = 1, pcie = 4, multiprocessors = 0;
  std::string vendor = "nvidia";
};

inline Accelerator accelerator(const AcceleratorFigures& f) {
  Accelerator a;
  a.id = f.id;
  a.vendor = f.vendor;
  a.architecture = f.architecture;
  a.memory = Bytes(f.memory_bytes);
  a.memory_type = f.memory_type;
  a.bandwidth = BytesPerSecond(f.bandwidth_gbs * 1e9);
  const auto set = [&](Rate rate, double tflops) {
    if (tflops > 0) a.peak[static_cast<std::size_t>(rate)] = FlopPerSecond(tflops * 1e12);
  };
  set(Rate::kBf16, f.bf16);
  set(Rate::kFp16, f.bf16);
  set(Rate::kFp8, f.fp8);
  set(Rate::kFp4, f.fp4);
  set(Rate::kInt8, f.int8);
  if (f.measured_bf16 > 0) a.measured_bf16 = FlopPerSecond(f.measured_bf16 * 1e12);
  if (f.measured_fp8 > 0) a.measured_fp8 = FlopPerSecond(f.measured_fp8 * 1e12);
  if (f.tdp > 0) a.tdp = Watts(f.tdp);
  a.link = f.link;
  if (f.link_gbs > 0) a.link_per_direction = BytesPerSecond(f.link_gbs * 1e9);
  a.link_domain = f.domain;
  a.pcie_generation = f.pcie;
  if (f.multiprocessors > 0) a.multiprocessors = f.multiprocessors;
  a.source = "datasheet";
  return a;
}

inline const Accelerator& h100() {
  static const Accelerator a = accelerator({.id = "h100-sxm-80gb",
                                            .architecture = "hopper",
                                            .memory_type = "HBM3",
                                            .memory_bytes = 85.0e9,
                                            .bandwidth_gbs = 3350,
                                            .bf16 = 989,
                                            .fp8 = 1979,
                                            .int8 = 1979,
                                            .measured_bf16 = 794.5,
                                            .measured_fp8 = 1402.6,
                                            .tdp = 700,
                                            .link = LinkKind::kSwitched,
                                            .link_gbs = 450,
                                            .domain = 8,
                                            .pcie = 5,
                                            .multiprocessors = 132});
  return a;
}
inline const Accelerator& h200() {
  static const Accelerator a = accelerator({.id = "h200-sxm-141gb",
                                            .architecture = "hopper",
                                            .memory_type = "HBM3e",
                                            .memory_bytes = 150.1e9,
                                            .bandwidth_gbs = 4800,
                                            .bf16 = 989,
                                            .fp8 = 1979,
                                            .int8 = 1979,
                                            .measured_bf16 = 794.5,
                                            .measured_fp8 = 1453.4,
                                            .tdp = 700,
                                            .link = LinkKind::kSwitched,
                                            .link_gbs = 450,
                                            .domain = 8,
                                            .pcie = 5,
                                            .multiprocessors = 132});
  return a;
}
inline const Accelerator& b200() {
  static const Accelerator a = accelerator({.id = "b200-sxm-180gb",
                                            .architecture = "blackwell",
                                            .memory_type = "HBM3e",
                                            .memory_bytes = 191.5e9,
                                            .bandwidth_gbs = 8000,
                                            .bf16 = 2250,
                                            .fp8 = 4500,
                                            .fp4 = 9000,
                                            .int8 = 4500,
                                            .measured_bf16 = 1745,
                                            .measured_fp8 = 3432.5,
                                            .tdp = 1000,
                                            .link = LinkKind::kSwitched,
                                            .link_gbs = 900,
                                            .domain = 8,
                                            .pcie = 5,
                                            .multiprocessors = 148});
  return a;
}
inline const Accelerator& b300() {
  static const Accelerator a = accelerator({.id = "b300-sxm-288gb",
                                            .architecture = "blackwell-ultra",
                                            .memory_type = "HBM3e",
                                            .memory_bytes = 288.4e9,
                                            .bandwidth_gbs = 8000,
                                            .bf16 = 2250,
                                            .fp8 = 4500,
                                            .fp4 = 13500,
                                            .measured_bf16 = 1769,
                                            .measured_fp8 = 3353.3,
                                            .tdp = 1100,
                                            .link = LinkKind::kSwitched,
                                            .link_gbs = 900,
                                            .domain = 8,
                                            .pcie = 5,
                                            .multiprocessors = 148});
  return a;
}
inline const Accelerator& a100() {
  static const Accelerator a = accelerator({.id = "a100-sxm-80gb",
                                            .architecture = "ampere",
                                            .memory_type = "HBM2e",
                                            .memory_bytes = 85.1e9,
                                            .bandwidth_gbs = 2039,
                                            .bf16 = 312,
                                            .int8 = 624,
                                            .measured_bf16 = 271.2,
                                            .tdp = 400,
                                            .link = LinkKind::kSwitched,
                                            .link_gbs = 300,
                                            .domain = 8,
                                            .pcie = 4,
                                            .multiprocessors = 108});
  return a;
}
inline const Accelerator& l40s() {
  static const Accelerator a = accelerator({.id = "l40s",
                                            .architecture = "ada",
                                            .memory_type = "GDDR6",
                                            .memory_bytes = 48.3e9,
                                            .bandwidth_gbs = 864,
                                            .bf16 = 362,
                                            .fp8 = 733,
                                            .int8 = 733,
                                            .tdp = 350,
                                            .pcie = 4,
                                            .multiprocessors = 142});
  return a;
}
inline const Accelerator& rtx_pro_6000() {
  static const Accelerator a = accelerator({.id = "rtx-pro-6000-server",
                                            .architecture = "blackwell",
                                            .memory_type = "GDDR7",
                                            .memory_bytes = 102.6e9,
                                            .bandwidth_gbs = 1597,
                                            .bf16 = 468,
                                            .fp8 = 936,
                                            .fp4 = 1871,
                                            .tdp = 600,
                                            .pcie = 5,
                                            .multiprocessors = 188});
  return a;
}
inline const Accelerator& rtx4090() {
  static const Accelerator a = accelerator({.id = "rtx-4090",
                                            .architecture = "ada",
                                            .memory_type = "GDDR6X",
                                            .memory_bytes = 25250627584.0,
                                            .bandwidth_gbs = 1008,
                                            .bf16 = 165.2,
                                            .fp8 = 330.3,
                                            .int8 = 660.6,
                                            .tdp = 450,
                                            .pcie = 4,
                                            .multiprocessors = 128});
  return a;
}
inline const Accelerator& mi300x() {
  static const Accelerator a = accelerator({.id = "mi300x-192gb",
                                            .architecture = "cdna3",
                                            .memory_type = "HBM3",
                                            .memory_bytes = 205.8e9,
                                            .bandwidth_gbs = 5300,
                                            .bf16 = 1307,
                                            .fp8 = 2615,
                                            .int8 = 2615,
                                            .measured_bf16 = 668.4,
                                            .tdp = 750,
                                            .link = LinkKind::kMesh,
                                            .link_gbs = 448,
                                            .domain = 8,
                                            .pcie = 5,
                                            .multiprocessors = 304,
                                            .vendor = "amd"});
  return a;
}
inline const Accelerator& v100() {
  static const Accelerator a = [] {
    Accelerator v = accelerator({.id = "v100-sxm2-16gb",
                                 .architecture = "volta",
                                 .memory_type = "HBM2",
                                 .memory_bytes = 16.9e9,
                                 .bandwidth_gbs = 898,
                                 .tdp = 300,
                                 .link = LinkKind::kSwitched,
                                 .link_gbs = 150,
                                 .domain = 8,
                                 .pcie = 3,
                                 .multiprocessors = 80});
    v.peak[static_cast<std::size_t>(Rate::kFp16)] = FlopPerSecond(125e12);
    return v;
  }();
  return a;
}

inline hardware::Node node(const Accelerator& a, std::int64_t count) {
  hardware::Node n;
  n.accelerator = &a;
  n.count = count;
  n.link = a.link;
  n.link_per_direction = a.link_per_direction;
  n.link_domain = a.link_domain;
  return n;
}
inline cost::Machine machine(const Accelerator& a, std::int64_t count = 1) {
  return cost::make_machine(node(a, count)).value();
}

/// A decoder of identical attention layers.
struct Shape {
  std::int64_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
  std::int64_t experts = 0, top_k = 0, expert_width = 0;
  bool tied = false;
};
inline model::Architecture decoder(const Shape& s) {
  model::Architecture a;
  a.model_type = "test";
  a.hidden = s.hidden;
  a.vocab = s.vocab;
  a.tied_embeddings = s.tied;
  a.embedding_parameters = s.vocab * s.hidden;
  a.head_parameters = s.tied ? 0 : s.vocab * s.hidden;
  a.final_norm_parameters = s.hidden;
  model::LayerRun run;
  run.count = s.layers;
  run.mixer = {.kind = model::MixerKind::kAttention,
               .heads = s.heads,
               .kv_heads = s.kv_heads,
               .head_dim = s.head_dim,
               .v_head_dim = s.head_dim};
  run.norm_parameters = 2 * s.hidden;
  if (s.experts > 0) {
    run.channel = {.kind = model::ChannelKind::kMoe,
                   .gated = true,
                   .experts = s.experts,
                   .top_k = s.top_k,
                   .expert_width = s.expert_width};
  } else {
    run.channel = {.kind = model::ChannelKind::kMlp, .width = s.ffn, .gated = true};
  }
  a.layers.push_back(run);
  return a;
}
inline model::Architecture llama_8b() {
  return decoder({.layers = 32,
                  .hidden = 4096,
                  .heads = 32,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 14336,
                  .vocab = 128256});
}
inline model::Architecture llama_70b() {
  return decoder({.layers = 80,
                  .hidden = 8192,
                  .heads = 64,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 28672,
                  .vocab = 128256});
}
inline model::Architecture llama2_7b() {
  return decoder({.layers = 32,
                  .hidden = 4096,
                  .heads = 32,
                  .kv_heads = 32,
                  .head_dim = 128,
                  .ffn = 11008,
                  .vocab = 32000});
}
inline model::Architecture llama2_70b() {
  return decoder({.layers = 80,
                  .hidden = 8192,
                  .heads = 64,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 28672,
                  .vocab = 32000});
}
inline model::Architecture qwen25_7b() {
  return decoder({.layers = 28,
                  .hidden = 3584,
                  .heads = 28,
                  .kv_heads = 4,
                  .head_dim = 128,
                  .ffn = 18944,
                  .vocab = 152064});
}
inline model::Architecture qwen3_14b() {
  return decoder({.layers = 40,
                  .hidden = 5120,
                  .heads = 40,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 17408,
                  .vocab = 151936});
}
inline model::Architecture nemo_12b() {
  return decoder({.layers = 40,
                  .hidden = 5120,
                  .heads = 32,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 14336,
                  .vocab = 131072});
}
inline model::Architecture yi_34b() {
  return decoder({.layers = 60,
                  .hidden = 7168,
                  .heads = 56,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 20480,
                  .vocab = 64000});
}
inline model::Architecture codellama_34b() {
  return decoder({.layers = 48,
                  .hidden = 8192,
                  .heads = 64,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 22016,
                  .vocab = 32000});
}
inline model::Architecture mixtral_8x7b() {
  return decoder({.layers = 32,
                  .hidden = 4096,
                  .heads = 32,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 0,
                  .vocab = 32000,
                  .experts = 8,
                  .top_k = 2,
                  .expert_width = 14336});
}
inline model::Architecture mixtral_8x22b() {
  return decoder({.layers = 56,
                  .hidden = 6144,
                  .heads = 48,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .ffn = 0,
                  .vocab = 32768,
                  .experts = 8,
                  .top_k = 2,
                  .expert_width = 16384});
}
inline model::Architecture qwen3_30b_a3b() {
  return decoder({.layers = 48,
                  .hidden = 2048,
                  .heads = 32,
                  .kv_heads = 4,
                  .head_dim = 128,
                  .ffn = 0,
                  .vocab = 151936,
                  .experts = 128,
                  .top_k = 8,
                  .expert_width = 768});
}
/// DeepSeek-V3 without its MTP block: 3 dense and 58 expert layers, latent attention, fp8 blocks.
inline model::Architecture deepseek_v3() {
  model::Architecture a = decoder({.layers = 3,
                                   .hidden = 7168,
                                   .heads = 128,
                                   .kv_heads = 128,
                                   .head_dim = 128,
                                   .ffn = 18432,
                                   .vocab = 129280});
  a.layers[0].mixer = {.kind = model::MixerKind::kMla,
                       .heads = 128,
                       .kv_heads = 128,
                       .head_dim = 192,
                       .v_head_dim = 128,
                       .q_rank = 1536,
                       .kv_rank = 512,
                       .nope_dim = 128,
                       .rope_dim = 64};
  a.layers.push_back(a.layers[0]);
  a.layers[1].count = 58;
  a.layers[1].channel = {.kind = model::ChannelKind::kMoe,
                         .gated = true,
                         .experts = 256,
                         .top_k = 8,
                         .expert_width = 2048,
                         .shared_experts = 1,
                         .shared_width = 2048};
  a.weights = model::Format::kFp8Block;
  return a;
}
/// gpt-oss-20b: alternating windows of 128 and full attention, mxfp4 experts.
inline model::Architecture gpt_oss_20b() {
  model::Architecture a = decoder({.layers = 12,
                                   .hidden = 2880,
                                   .heads = 64,
                                   .kv_heads = 8,
                                   .head_dim = 64,
                                   .ffn = 0,
                                   .vocab = 201088,
                                   .experts = 32,
                                   .top_k = 4,
                                   .expert_width = 2880});
  a.layers.push_back(a.layers[0]);
  a.layers[1].mixer.window = 128;
  a.weights = model::Format::kMxfp4;
  a.quantised_attention = false;
  return a;
}

}  // namespace portolan::parts
