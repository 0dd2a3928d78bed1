// What configs leave unsaid: one row of facts per architecture, so that exceptions are data and not
// classes.
#pragma once

#include <cstdint>
#include <string_view>

namespace portolan::model {

enum class NormKind : std::uint8_t {
  kRms,
  kLayer,
  kLayerNoBias,
  kNone
};  // parameters: h, 2h, h, 0
/// Norms of queries and keys: one vector of head_dim each, or one over all heads together.
enum class QkNorm : std::uint8_t { kNone, kHeadDim, kWidth };
/// Which layers slide when the config has no list of layer types.
enum class WindowRule : std::uint8_t {
  kNever,      // `sliding_window` is ignored
  kEvery,      // every layer, if `sliding_window` is a number
  kFlagged,    // only with use_sliding_window: true, from layer max_window_layers on (Qwen2, Qwen3)
  kAlternate,  // layers 0, 2, 4 … slide (Gemma 2, gpt-oss)
  kPattern,    // all but each n-th layer slide; n from sliding_window_pattern or the row (Gemma 3,
               // Cohere 2)
  kPatternFirst,  // the same, but layers 0, n, 2n … are the full ones (ModernBERT)
  kChunked  // layers with rotary positions see only their chunk of attention_chunk_size (Llama 4)
};
/// The recurrent half of a hybrid's linear layers.
enum class LinearKind : std::uint8_t { kGatedDelta, kLightning, kKimiDelta };

/// One architecture. Fields of the config win over everything here.
struct Traits {
  // g++ 12 warns about omitted members without an initialiser, even an empty one.
  // NOLINTBEGIN(readability-redundant-member-init)
  std::string_view types = {};  // model_type values, separated by spaces
  /// Stems of `architectures` entries, for configs whose model_type is missing or unknown.
  std::string_view classes = {};
  bool gated = true;
  NormKind norm = NormKind::kRms;
  int norms = 2;  // of the hidden width, per layer
  bool final_norm = true;
  bool qkv_bias = false, out_bias = false, mlp_bias = false;
  bool attention_bias_covers_out =
      true;                            // attention_bias: true gives the output projection one, too
  std::string_view all_bias_key = {};  // a flag that switches the biases of all linear layers
  std::string_view attention_bias_key = {};  // a flag that switches those of attention
  QkNorm qk_norm = QkNorm::kNone;
  std::string_view qk_norm_key = {};  // a flag that switches them
  bool qk_norm_default = true;        // when that flag is absent
  bool tied = false;
  WindowRule window = WindowRule::kNever;
  int window_pattern = 0;    // kPattern: each n-th layer is full
  bool sinks = false;        // one learned sink logit per head
  bool router_bias = false;  // a correction bias per expert, or the bias of the router
  bool expert_bias = false;
  bool shared_gate = false;  // one gate value for the shared expert
  bool shared_expert =
      false;  // a shared expert as wide as `intermediate_size` beside the routed ones (Llama 4)
  bool output_gate = false;  // attention output multiplied by a gate as wide as it
  bool head_gate = false;    // … by one gate per head
  bool head_bias = false;
  bool learned_positions = false;
  int position_offset = 0;  // rows beyond max_position_embeddings (OPT: 2)
  bool embedding_norm = false;
  bool encoder_only = false;
  bool pooler = false;
  bool pooler_with_head =
      false;                 // the checkpoints with a masked-word head carry the pooler, too (BERT)
  bool single_half = false;  // a layer is a mixer or a channel, not both (Nemotron-H, Mamba)
  bool double_layers = false;  // two attentions and two MLPs per layer (LongCat)
  int mamba = 2;               // version of its state-space layers
  bool state_norms = false;    // norms over dt, B and C of Mamba layers (Jamba)
  LinearKind linear = LinearKind::kGatedDelta;
  bool parallel_mamba = false;  // attention and Mamba-2 heads side by side (Falcon-H1)
  int width_divisor = 1;  // intermediate_size counts gate and up together (Qwen 1, RecurrentGemma)
  /// Class defaults that published configs omit: "key=value key=value".
  std::string_view defaults = {};
  std::string_view note = {};  // what this reading leaves out, for the user
  // NOLINTEND(readability-redundant-member-init)
};

/// The row of a model_type or, failing that, of an architecture class; nullptr when neither is
/// known.
const Traits* find_traits(std::string_view model_type, std::string_view architecture);
/// The default of `key` in a row; -1 when the row has none.
std::int64_t trait_default(const Traits& traits, std::string_view key);

}  // namespace portolan::model
