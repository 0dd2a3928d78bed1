// From a config to its layers: which kind each layer is, what its two halves look like, run-length
// encoded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/architecture.hpp"
#include "model/config_reader.hpp"
#include "model/traits.hpp"

namespace portolan::model {

/// What the mixing half of a layer does, before its shape is filled in.
enum class LayerKind : std::uint8_t {
  kFull,
  kWindow,
  kChunk,
  kSparse,
  kLinear,
  kMamba,
  kConv,
  kCompressedSparse,
  kCompressedHeavy,  // DeepSeek-V4
  kCross,            // attention to the image only (Llama 3.2 Vision)
  kMlpOnly,
  kMoeOnly  // Nemotron-H: a layer is one half
};

/// What the steps that build a text model share.
struct TextModel {
  const Traits& traits;
  std::int64_t hidden = 0, layers = 0;
  std::vector<std::string>& notes;
};

/// One kind per layer. Lists of the wrong length or with unknown words are problems.
std::vector<LayerKind> layer_kinds(ConfigReader& config, const TextModel& model);

/// The mixing half of layers of one kind; norms of queries, keys and states are counted by
/// mixer_norms.
Mixer mixer_shape(ConfigReader& config, const TextModel& model, LayerKind kind);
std::int64_t mixer_norms(const Mixer& mixer, const Traits& traits);

/// The channel halves of a model and which of the two each layer has.
struct Channels {
  Channel dense, sparse;
  std::vector<bool> is_sparse;
};
Channels channel_shapes(ConfigReader& config, const TextModel& model);

/// All layers of the text part. Problems are added to the reader's; the result is then meaningless.
std::vector<LayerRun> read_layers(ConfigReader& config, const TextModel& model);
/// One multi-token-prediction block: a full-attention layer with the channel of the last layers.
std::vector<LayerRun> read_mtp_block(ConfigReader& config, const TextModel& model);

/// Layers of an encoder-decoder (T5, Whisper, BART): the decoder's into `model`, the encoder beside
/// it, embeddings and positions counted.
void read_encoder_decoder(ConfigReader& config, const TextModel& text, Architecture& model);
/// Vision and audio towers with their projectors; what cannot be counted becomes a note.
void read_towers(ConfigReader& outer, Architecture& model);

/// Appends a layer, extending the last run when it is the same.
void append_layer(std::vector<LayerRun>& runs, const LayerRun& layer);
/// Parameters of one norm over `width`.
std::int64_t norm_parameters(NormKind kind, std::int64_t width);

}  // namespace portolan::model
