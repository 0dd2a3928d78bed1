// What a model is: one flat record per architecture that every reader fills and everything else
// reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace portolan::model {

/// Storage format of a tensor class. Bytes per element in numeric_format.hpp.
enum class Format : std::uint8_t {
  kFp32,
  kTf32,
  kBf16,
  kFp16,
  kFp8,
  kFp8Block,
  kInt8,
  kInt8WeightOnly,
  kInt4,
  kNvfp4,
  kMxfp4,
  kNf4,
  kExact  // sizes are known tensor by tensor (GGUF, safetensors): `exact_weight_bytes` holds them
};

enum class MixerKind : std::uint8_t {
  kNone,
  kAttention,
  kMla,
  kMamba1,
  kMamba2,
  kGatedDelta,
  kSharedKv,   // kSharedKv: attention that reuses another layer's cache
  kShortConv,  // gated short convolution (LFM2): `inner` wide, `conv` taps
  kLinear      // attention replaced by one square matrix (Nemotron-NAS)
};

/// The token-mixing half of a layer. Fields not used by `kind` are zero.
struct Mixer {
  MixerKind kind = MixerKind::kNone;
  // attention (and shared KV)
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0,
               v_head_dim = 0;  // v_head_dim = head_dim unless stated
  std::int64_t window = 0;      // tokens; 0 = full attention
  bool chunked_window = false;  // attention_chunk_size: block-local instead of sliding
  bool qkv_bias = false, out_bias = false, qk_norm = false, sinks = false, output_gate = false;
  bool causal = true;
  bool key_bias = true;  // with qkv_bias: keys have one too (Whisper's have none)
  bool shared_kv_projection =
      false;  // keys and values come from one projection (Gemma 4); both are cached
  // MLA; q_rank also of attention whose queries are factorised (DeepSeek-V4, Step3)
  std::int64_t q_rank = 0, kv_rank = 0, nope_dim = 0, rope_dim = 0;
  std::int64_t index_heads = 0, index_dim = 0,
               index_top = 0;    // sparse MLA (DeepSeek-V3.2, GLM-5 style)
  std::int64_t index_block = 0;  // cached tokens chosen in blocks of this size (0 = token by token)
  // compressed attention (DeepSeek-V4): beside the window, one cached entry per `compress` tokens;
  // grouped low-rank output
  std::int64_t compress = 0, out_rank = 0, out_groups = 0;
  // state-space / linear attention; an attention mixer with inner > 0 has Mamba-2 heads beside it
  // in the same layer (Falcon-H1)
  std::int64_t inner = 0, ssm_heads = 0, ssm_head_dim = 0, state = 0, groups = 0, conv = 0,
               chunk = 0, dt_rank = 0;
  std::int64_t key_heads = 0, key_dim = 0, value_heads = 0, value_dim = 0;  // gated delta
  std::int64_t gate_rank = 0;  // Kimi linear attention: forget and output gates through this rank
  bool fixed_decay =
      false;  // lightning attention: gated delta without convolution, learned decay and beta
  // cross attention of a decoder (in addition to self attention, or alone with kind kNone in
  // Llama 3.2 Vision)
  std::int64_t cross_heads = 0, cross_kv_heads = 0, cross_head_dim = 0;
  friend bool operator==(const Mixer&, const Mixer&) = default;
};

enum class ChannelKind : std::uint8_t { kNone, kMlp, kMoe };

/// The channel half of a layer: a dense MLP or a mixture of experts.
struct Channel {
  ChannelKind kind = ChannelKind::kNone;
  std::int64_t width = 0;  // f, dense MLP
  bool gated = false, bias = false;
  std::int64_t experts = 0, top_k = 0, expert_width = 0;  // E, K, f_e
  std::int64_t shared_experts = 0,
               shared_width = 0;  // shared_width = total width of the shared part
  bool shared_gate = false, router_bias = false;
  std::int64_t dense_residual_width = 0;  // dense MLP beside the experts (Arctic style)
  std::int64_t latent = 0;  // routed experts work on a projection of this width instead of `hidden`
                            // (Nemotron 3); 0 = hidden
  friend bool operator==(const Channel&, const Channel&) = default;
};

/// `count` identical layers in a row.
struct LayerRun {
  std::int64_t count = 0;
  Mixer mixer = {};
  Channel channel = {};
  std::int64_t norm_parameters = 0;   // of one layer, biases of norms included
  std::int64_t extra_parameters = 0;  // of one layer, anything else counted but not computed
                                      // (gates, scales), so that totals agree
};

/// A plain encoder stack (vision tower, audio tower, the encoder of an encoder-decoder).
struct Encoder {
  std::string name;  // "vision tower", "encoder"
  std::int64_t hidden = 0;
  std::vector<LayerRun> layers;
  std::int64_t other_parameters = 0;  // patch embedding, position embedding, projector
  std::int64_t parameters = 0;        // total; filled by count_parameters
  std::int64_t patch = 0, image_size = 0, merge = 1;
};

enum class Coverage : std::uint8_t {
  kOperators,      // the whole operator list is known
  kPartial,        // unknown model_type read from generic fields; `notes` say what is assumed
  kParameterCount  // only a number of parameters (2N / 6N)
};

struct Architecture {
  std::string model_type;                                // as in the config
  std::string architecture;                              // "LlamaForCausalLM"
  std::int64_t hidden = 0, vocab = 0, max_position = 0;  // max_position 0 = unknown
  bool tied_embeddings = false;
  bool causal = true;  // false: encoder only (BERT): no KV cache, no per-token logits
  bool lm_head = true;
  std::vector<LayerRun> layers;  // run-length encoded, in order
  std::int64_t embedding_parameters =
      0;  // input embedding only (vocab × hidden; factorised forms as they are)
  std::int64_t head_parameters = 0;   // 0 when tied
  std::int64_t other_parameters = 0;  // position embeddings, token types, final norm, poolers
  std::int64_t final_norm_parameters = 0;
  std::vector<Encoder> encoders;
  std::vector<LayerRun> mtp_layers;  // multi-token-prediction blocks, beside the layer count
  std::int64_t mtp_other_parameters = 0;

  // storage
  Format weights = Format::kBf16;  // of the bulk (linear layers)
  Format unquantised =
      Format::kBf16;  // embeddings, head, norms, router, and what `modules_to_not_convert` names
  bool quantised_attention = true, quantised_experts = true, quantised_head = false;
  bool quantised_mlp = true;  // dense MLPs and shared experts
  // Classes stored in another format than the bulk (mixed checkpoints: fp8 attention beside fp4
  // experts).
  std::optional<Format> attention_weights, mlp_weights, expert_weights, head_weights;
  std::string dtype_name;                           // the checkpoint's own, for messages
  std::optional<std::uint64_t> exact_weight_bytes;  // from tensor headers

  Coverage coverage = Coverage::kOperators;
  std::vector<std::string> notes;  // warnings a user must see
  [[nodiscard]] std::int64_t layer_count() const;
};

/// A row of the reference article's table of models (R13): published training FLOP, and which of
/// its columns apply.
struct ArticleRow {
  double training_flop = 0;
  bool text = false,
       decoder_only = false;  // unit is a text token; prompt and answer both count in full
  std::string source, date;
};

/// A model as a user names it: identity, published facts, and the architecture.
struct Model {
  std::string id;     // catalogue id, or the path
  std::string hf_id;  // empty when unknown
  std::vector<std::string> aliases;
  std::string family, released, licence, source, date, note;
  std::optional<double> published_parameters, published_active_parameters;
  std::string published_source;
  std::optional<double> rule_parameters;  // the round figure the field quotes (175e9 for gpt3-175b)
  std::optional<ArticleRow> article;
  Architecture architecture;
  /// The count the rule of thumb uses: rule_parameters, else published, else counted.
  [[nodiscard]] double parameters_for_rule() const;
};

}  // namespace portolan::model
