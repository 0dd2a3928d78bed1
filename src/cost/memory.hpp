// Memory of an inference replica per accelerator: weights, KV cache by architecture, recurrent
// state, activations, engine overhead.
#pragma once

#include <cstdint>

#include "base/quantity.hpp"
#include "cost/memory_engine.hpp"
#include "cost/step.hpp"
#include "model/architecture.hpp"

namespace portolan::cost {

/// All per accelerator, of the fullest rank (largest pipeline stage).
struct MemoryLayout {
  Bytes weights{0};
  Bytes kv_per_token{0};  // before any window is full
  Bytes state_per_sequence{0};
  Bytes activations{0};  // at the largest batched token count
  Bytes overhead{0};     // CUDA context, NCCL, graphs, tables, allocator slack
  /// What `fixed()` and the sequences may take together: the device's memory, or less where the
  /// engine's rule leaves the rest unused (cost-model.md §10.3).
  Bytes capacity{0};
  WindowCache windows = WindowCache::kWindow;
  double block_tokens = 16;
  [[nodiscard]] Bytes fixed() const { return weights + activations + overhead; }
  [[nodiscard]] Bytes left_for_sequences() const { return capacity - fixed(); }
};

struct MemoryLimits {
  double utilisation = 0.90;  // the engine's memory fraction; of what, its CacheRule says
  double max_batched_tokens = 8192;
  double max_sequences = 256;
  const EngineMemory* engine = nullptr;  // nullptr: of default_engine(); must outlive the limits
};

/// Memory as programs on the accelerator see it: the driver keeps 0.4-0.8 GiB of what it reports
/// for an NVIDIA part (start-up logs of ten of them; 79.2 of 79.65 GiB on H100).
Bytes device_memory(const hardware::Accelerator& accelerator);

MemoryLayout memory_layout(const model::Architecture& architecture, const Machine& machine,
                           const Deployment& deployment, const MemoryLimits& limits);
/// KV and state bytes per accelerator of one sequence of `tokens` tokens, in whole blocks of 16;
/// with an engine, its blocks and what it keeps for layers with a window, else windows respected.
Bytes sequence_bytes(const model::Architecture& architecture, const Deployment& deployment,
                     double tokens, const EngineMemory* engine = nullptr);
/// Blocks of the KV cache as the engine counts them at start-up (layer groups of a model with
/// windows share pages: a block is then of one group); 0 when weights and buffers leave no room.
std::int64_t kv_blocks(const model::Architecture& architecture, const MemoryLayout& layout,
                       const Deployment& deployment);
/// No sequence needs memory (encoders), or no context is too long (windows and recurrent state
/// only).
inline constexpr std::int64_t kUnlimitedSequences = std::int64_t{1} << 30,
                              kUnlimitedContext = std::int64_t{1} << 40;
/// Sequences of `tokens` tokens that fit; 0 when the weights alone do not.
std::int64_t max_sequences(const model::Architecture& architecture, const MemoryLayout& layout,
                           const Deployment& deployment, double tokens);
/// Longest context of `sequences` sequences that fits; 0 when none does, the model's maximum is not
/// applied.
std::int64_t max_context(const model::Architecture& architecture, const MemoryLayout& layout,
                         const Deployment& deployment, std::int64_t sequences);

/// Whole-instance parts for `estimate`: weights, activations and overhead summed over the
/// accelerators (replicated parts counted as often as they are held); KV cache and state as the
/// architecture needs them, once.
struct InstanceMemory {
  Bytes weights{0}, kv{0}, state{0}, activations{0}, overhead{0};
  [[nodiscard]] Bytes total() const { return weights + kv + state + activations + overhead; }
};

InstanceMemory instance_memory(const model::Architecture& architecture, const Machine& machine,
                               const Deployment& deployment, const MemoryLimits& limits,
                               std::int64_t sequences, double context);

}  // namespace portolan::cost
