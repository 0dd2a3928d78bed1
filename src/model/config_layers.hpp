// From a config to its layers: which kind each layer is, what its two halves look like, run-length encoded.
#pragma once

#include <string>
#include <vector>

#include "model/architecture.hpp"
#include "model/config_reader.hpp"
#include "model/traits.hpp"

namespace portolan::model {

/// What the mixing half of a layer does, before its shape is filled in.
enum class LayerKind : std::uint8_t {
  kFull, kWindow, kChunk, kSparse, kLinear, kMamba, kConv,
  kCompressedSparse, kCompressedHeavy,  // DeepSeek-V4
  kMlpOnly, kMoeOnly                    // Nemotron-H: a layer is one half
};

/// Facts shared by the steps that build a text model.
struct TextModel {
  const Traits& traits;
  std::int64_t hidden = 0, layers = 0;
  std::vector<std::string>& notes;
};

/// One kind per layer. Lists of the wrong length or with unknown words are problems.
std::vector<LayerKind> layer_kinds(ConfigReader& config, TextModel& model);

/// All layers of the text part. Problems are added to the reader's; the result is then meaningless.
std::vector<LayerRun> read_layers(ConfigReader& config, TextModel& model);

/// Appends a layer, extending the last run when it is the same.
void append_layer(std::vector<LayerRun>& runs, const LayerRun& layer);

/// Parameters of one norm over `width`.
std::int64_t norm_parameters(NormKind kind, std::int64_t width);

}  // namespace portolan::model
