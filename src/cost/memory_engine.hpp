// Memory that an inference engine needs beside weights and cache, as data: one record per family
// and version, each number with what it was measured on.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/quantity.hpp"

namespace portolan::cost {

/// How an engine sizes its KV cache.
enum class CacheRule : std::uint8_t {
  kShareOfDevice,      // vLLM: share · device - weights - peak of a dummy run
  kShareOfFree,        // SGLang: share · (free at start) - weights; activations live in the rest
  kShareOfWhatIsLeft,  // TensorRT-LLM: share · (device - everything else)
};

/// What layers with a window hold in the cache (cost-model.md §10.3).
enum class WindowCache : std::uint8_t {
  kWindow,        // min(tokens, window)
  kFull,          // as many tokens as layers without a window
  kPagesInCommon  // layer groups of one size share pages: windows kept, groups padded;
                  // block-local (chunked) windows are charged in full
};

/// Bytes are per accelerator.
struct EngineMemory {
  CacheRule rule = CacheRule::kShareOfDevice;
  WindowCache windows = WindowCache::kWindow;
  double block_tokens = 16;  // a sequence holds whole blocks
  double null_blocks = 0;    // allocated, never given to a sequence
  /// CUDA context and loaded modules. vLLM takes them outside of its share, the others inside.
  Bytes context{0};
  /// What appears while the model loads and runs once and no tensor accounts for: library handles
  /// and workspaces, allocator slack. On parts with HBM, and on parts with GDDR.
  Bytes runtime{0}, runtime_gddr{0};
  /// Buffers of the communicator at 1, 2, 4, 8 and more ranks; linear between in octaves.
  std::array<double, 4> communicator{};
  /// Sampling from full logits, all ranks gather the whole vocabulary: bytes per logit of
  /// max_num_seqs rows.
  double bytes_per_logit = 6;
  /// Copies of the hidden states of all batched tokens that outlive the layers.
  double hidden_copies = 2;
  /// Tokens of cached latents that MLA expands to full heads at a time during prefill; 0 = none.
  double latent_workspace_tokens = 0;
  bool rotary_table = false;  // cosines and sines of every position up to the model's maximum
  /// Captured graphs: bytes of one layer of one capture, number of captures.
  double graph_bytes_per_layer = 0, graph_captures = 0;
  bool graphs_in_share = false;  // counted against the share
  std::string_view source, date;
};

/// The record for version a.b of a family as a·1000 + b (19 for 0.19, 1000 for 1.0); the nearest
/// older record, or the oldest. `family`: 0 vLLM, 1 SGLang, 2 TensorRT-LLM (EngineFamily's order).
const EngineMemory& engine_memory(int family, int version);

}  // namespace portolan::cost
