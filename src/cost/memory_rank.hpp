// Pieces of the memory model that its files share; private to this room.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cost/memory.hpp"

namespace portolan::cost {

/// The slice of `run` that one tensor/expert rank holds, `count` layers of it.
model::LayerRun rank_layers(model::LayerRun run, std::int64_t count, const Deployment& deployment);

/// Largest working memory of one step on a rank: of the layers at max_batched_tokens, of sampling
/// max_num_seqs rows, or of the largest image the engine profiles (cost-model.md §10.4).
double activation_bytes(const model::Architecture& architecture, const Deployment& deployment,
                        const MemoryLimits& limits, const EngineMemory& engine);

/// What is neither weights, cache nor working memory, on a rank.
struct Overhead {
  double context = 0, communicator = 0, runtime = 0, graphs = 0;
  [[nodiscard]] double total() const { return context + communicator + runtime + graphs; }
};
Overhead overhead_bytes(const model::Architecture& architecture,
                        const hardware::Accelerator& accelerator, const Deployment& deployment,
                        const EngineMemory& engine);

}  // namespace portolan::cost
