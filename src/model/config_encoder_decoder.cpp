// Encoder-decoders: T5 and its kin, Whisper, BART and its kin. The encoder stands beside the
// decoder, which attends to it.
#include <fmt/format.h>

#include "model/config_layers.hpp"
#include "model/parameters.hpp"

namespace portolan::model {
namespace {

struct Stack {
  std::int64_t layers = 0, heads = 0, head_dim = 0, width = 0;
};

Mixer self_attention(const Stack& stack, const Traits& traits, bool causal, bool key_bias) {
  Mixer mixer{.kind = MixerKind::kAttention};
  mixer.heads = mixer.kv_heads = stack.heads;
  mixer.head_dim = mixer.v_head_dim = stack.head_dim;
  mixer.causal = causal;
  mixer.qkv_bias = traits.qkv_bias;
  mixer.out_bias = traits.out_bias;
  mixer.key_bias = key_bias;
  return mixer;
}

LayerRun layer_of(const Stack& stack, const TextModel& text, const Mixer& mixer, bool gated,
                  int norms) {
  LayerRun run{.count = stack.layers, .mixer = mixer};
  run.channel = {.kind = ChannelKind::kMlp,
                 .width = stack.width,
                 .gated = gated,
                 .bias = text.traits.mlp_bias};
  run.norm_parameters = norms * norm_parameters(text.traits.norm, text.hidden);
  return run;
}

}  // namespace

void read_encoder_decoder(ConfigReader& config, const TextModel& text, Architecture& model) {
  const Traits& traits = text.traits;
  const std::int64_t h = text.hidden;
  const auto stack = [&](Keys layers, Keys heads, Keys widths) {
    Stack made;
    made.layers = config.integer(layers, 1, kMostLayers).value_or(text.layers);
    made.heads = config.dimension(heads).value_or(0);
    if (made.heads == 0) {
      config.problem(*heads.begin(), fmt::format("missing key \"{}\"", *heads.begin()));
      made.heads = 1;
    }
    made.head_dim = config.dimension({"d_kv"}).value_or(std::max<std::int64_t>(1, h / made.heads));
    made.width = config.dimension(widths).value_or(4 * h);
    return made;
  };
  const Stack outer = stack({"encoder_layers", "num_layers"},
                            {"encoder_attention_heads", "num_heads"}, {"encoder_ffn_dim", "d_ff"});
  const Stack inner = stack({"decoder_layers", "num_decoder_layers"},
                            {"decoder_attention_heads", "num_heads"}, {"decoder_ffn_dim", "d_ff"});
  const bool gated = config.text({"feed_forward_proj"}).starts_with("gated");
  const bool whisper = config.has("num_mel_bins");
  const bool relative = config.has("d_kv");  // T5: position biases per head instead of embeddings

  Encoder encoder;
  encoder.name = "encoder";
  encoder.hidden = h;
  encoder.layers = {
      layer_of(outer, text, self_attention(outer, traits, false, !whisper), gated, 2)};
  encoder.other_parameters = norm_parameters(traits.norm, h);

  Mixer mixer = self_attention(inner, traits, true, !whisper);
  mixer.cross_heads = mixer.cross_kv_heads = inner.heads;
  mixer.cross_head_dim = inner.head_dim;
  model.layers = {layer_of(inner, text, mixer, gated, 3)};
  model.final_norm_parameters = norm_parameters(traits.norm, h);

  if (relative) {
    const std::int64_t buckets =
        config.integer({"relative_attention_num_buckets"}, 1, kWidest).value_or(32);
    const bool every = model.model_type == "umt5";  // each layer has its own
    encoder.other_parameters += buckets * outer.heads * (every ? outer.layers : 1);
    model.other_parameters += buckets * inner.heads * (every ? inner.layers : 1);
  } else if (whisper) {
    const std::int64_t mel = config.dimension({"num_mel_bins"}).value_or(80);
    encoder.other_parameters += 3 * h * (mel + h) + 2 * h;  // two convolutions of three taps
    encoder.other_parameters +=
        config.integer({"max_source_positions"}, 0, kWidest).value_or(1500) * h;
    const std::int64_t positions =
        config.integer({"max_target_positions"}, 0, kWidest).value_or(448);
    model.max_position = positions;
    model.other_parameters += positions * h;
  } else if (model.model_type == "bart" || model.model_type == "mbart") {
    const std::int64_t positions = (model.max_position + 2) * h;
    const std::int64_t embedding_norm = norm_parameters(traits.norm, h);
    encoder.other_parameters += positions + embedding_norm;
    model.other_parameters += positions + embedding_norm;
    if (model.model_type == "bart") {  // norms after the halves: no final one
      encoder.other_parameters -= norm_parameters(traits.norm, h);
      model.final_norm_parameters = 0;
    }
  }
  model.encoders.push_back(std::move(encoder));
}

}  // namespace portolan::model
