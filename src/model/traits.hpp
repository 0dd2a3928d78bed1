// What configs leave unsaid: one row of facts per architecture, so that exceptions are data and not classes.
#pragma once

#include <cstdint>
#include <string_view>

namespace portolan::model {

enum class NormKind : std::uint8_t { kRms, kLayer, kLayerNoBias, kNone };  // parameters: h, 2h, h, 0
/// Norms of queries and keys: one vector of head_dim each, one over all heads together, one vector per head.
enum class QkNorm : std::uint8_t { kNone, kHeadDim, kWidth };
/// Which layers slide when the config has no `layer_types`.
enum class WindowRule : std::uint8_t {
  kNever,      // `sliding_window` is ignored
  kEvery,      // every layer, if `sliding_window` is a number
  kFlagged,    // only with use_sliding_window: true, from layer max_window_layers on (Qwen2, Qwen3)
  kAlternate,  // layers 0, 2, 4 … slide (Gemma 2, gpt-oss)
  kPattern     // all but each n-th layer slide; n from sliding_window_pattern or the row (Gemma 3, Cohere 2)
};

/// One architecture. Fields of the config win over everything here.
struct Traits {
  std::string_view types = {};     // model_type values, separated by spaces
  std::string_view classes = {};   // stems of `architectures` entries, for configs whose model_type is missing or unknown
  bool gated = true;
  NormKind norm = NormKind::kRms;
  int norms = 2;              // of the hidden width, per layer
  bool qkv_bias = false, out_bias = false, mlp_bias = false;
  QkNorm qk_norm = QkNorm::kNone;
  bool tied = false;
  WindowRule window = WindowRule::kNever;
  int window_pattern = 0;     // kPattern: each n-th layer is full
  bool sinks = false;         // one learned sink logit per head
  bool router_bias = false;   // a correction bias per expert, or the bias of the router
  bool expert_bias = false;
  bool shared_gate = false;   // one gate value for the shared expert
  bool output_gate = false;   // attention output multiplied by a gate as wide as it
  bool head_bias = false;
  bool learned_positions = false;
  int position_offset = 0;    // rows beyond max_position_embeddings (OPT: 2)
  bool embedding_norm = false;
  bool encoder_only = false;
  /// Class defaults that published configs omit: "key=value key=value".
  std::string_view defaults = {};
};

/// The row of a model_type or, failing that, of an architecture class; nullptr when neither is known.
const Traits* find_traits(std::string_view model_type, std::string_view architecture);
/// The default of `key` in a row; -1 when the row has none.
std::int64_t trait_default(const Traits& traits, std::string_view key);

}  // namespace portolan::model
