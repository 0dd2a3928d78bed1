#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/config_layers.hpp"
#include "model/config_reader.hpp"
#include "model/config_storage.hpp"
#include "model/library.hpp"
#include "model/parameters.hpp"

namespace portolan::model {
namespace {

/// The object that describes the language part, and the way to it.
struct TextPart {
  const io::Value* object;
  std::string pointer;
};

TextPart text_part(const io::Value& config) {
  for (const std::string_view key : {"text_config", "llm_config", "language_config"}) {
    if (const io::Value* part = config.find(key); part != nullptr && part->is_object()) {
      return {part, fmt::format("/{}", key)};
    }
  }
  if (const io::Value* thinker = config.find("thinker_config"); thinker != nullptr && thinker->is_object()) {
    if (const io::Value* part = thinker->find("text_config"); part != nullptr && part->is_object()) {
      return {part, "/thinker_config/text_config"};
    }
  }
  return {&config, ""};
}

std::string first_architecture(const io::Value& config) {
  const io::Value* list = config.find("architectures");
  if (list == nullptr || !list->is_array() || list->array().empty() || !list->array()[0].is_string()) return {};
  return list->array()[0].string();
}

void read_embeddings(ConfigReader& config, const Traits& traits, Architecture& model) {
  const auto vocab = config.integer({"vocab_size", "padded_vocab_size"}, 1, kLargestVocabulary);
  if (!vocab && !config.has("vocab_size")) config.problem("vocab_size", "missing key \"vocab_size\"");
  model.vocab = vocab.value_or(0);
  model.max_position =
      config.integer({"max_position_embeddings", "n_positions", "max_seq_len", "seq_length"}, 0, kLongestContext)
          .value_or(0);
  model.tied_embeddings = config.flag({"tie_word_embeddings"}).value_or(traits.tied);
  model.embedding_parameters = model.vocab * model.hidden;
  if (!model.tied_embeddings) model.head_parameters = model.embedding_parameters;
  if (traits.head_bias) model.head_parameters += model.vocab;
  model.final_norm_parameters = norm_parameters(traits.norm, model.hidden);
  if (traits.embedding_norm) model.other_parameters += norm_parameters(traits.norm, model.hidden);
  if (traits.learned_positions) model.other_parameters += (model.max_position + traits.position_offset) * model.hidden;
}

void read_mtp(ConfigReader& config, Architecture& model) {
  const std::int64_t depth =
      config.integer({"num_nextn_predict_layers", "mtp_num_hidden_layers"}, 0, kMostLayers).value_or(0);
  if (depth == 0 || model.layers.empty()) return;
  LayerRun block = model.layers.back();
  block.count = depth;
  model.mtp_layers.push_back(block);
  // DeepSeek-V3 §2.2: two norms, the projection of (hidden, embedding) and a final norm; embedding and head are shared.
  model.mtp_other_parameters = depth * (2 * model.hidden * model.hidden + 3 * model.hidden);
}

/// Everything as doubles: a bound that cannot overflow.
double parameters_as_double(const Architecture& model) {
  double total = static_cast<double>(model.embedding_parameters) + static_cast<double>(model.head_parameters) +
                 static_cast<double>(model.other_parameters) + static_cast<double>(model.mtp_other_parameters);
  for (const auto* runs : {&model.layers, &model.mtp_layers}) {
    for (const LayerRun& run : *runs) {
      const auto one = layer_parameters<double>(run.mixer, run.channel, model.hidden);
      total += static_cast<double>(run.count) * (one.attention + one.mlp + one.experts + one.router +
                                                 static_cast<double>(run.norm_parameters) +
                                                 static_cast<double>(run.extra_parameters));
    }
  }
  for (const Encoder& encoder : model.encoders) total += encoder_parameters<double>(encoder);
  return total;
}

}  // namespace

Result<Architecture> read_config(const io::Value& config, const std::string& file) {
  io::Problems problems{.file = file, .errors = {}};
  if (!config.is_object()) {
    problems.add(config, "", "a model config is a JSON object");
    return fail(combine(std::move(problems.errors), file));
  }
  const TextPart part = text_part(config);
  ConfigReader reader(*part.object, part.pointer, part.object == &config ? nullptr : &config, problems);

  Architecture model;
  model.model_type = reader.text({"model_type"});
  model.architecture = first_architecture(config);
  const Traits* traits = find_traits(model.model_type, first_architecture(*part.object));
  if (traits == nullptr) traits = find_traits(reader.text({"model_type"}), model.architecture);
  static constexpr Traits kGeneric{};
  if (traits == nullptr) {
    traits = &kGeneric;
    model.coverage = Coverage::kPartial;
    model.notes.push_back(fmt::format(
        "unknown architecture {}: read from its fields as a decoder with gated MLP and RMS norms",
        quoted(model.model_type.empty() ? model.architecture : model.model_type)));
  }
  reader.set_defaults(traits);
  model.causal = !traits->encoder_only;

  const auto hidden = reader.dimension({"hidden_size", "n_embd", "d_model", "dim"});
  if (!hidden && !reader.has("hidden_size")) reader.problem("hidden_size", "missing key \"hidden_size\"");
  const auto layers = reader.integer({"num_hidden_layers", "n_layer", "n_layers", "num_layers"}, 1, kMostLayers);
  if (!layers && !reader.has("num_hidden_layers")) {
    reader.problem("num_hidden_layers", "missing key \"num_hidden_layers\"");
  }
  model.hidden = hidden.value_or(0);
  if (hidden && layers) {
    TextModel text{.traits = *traits, .hidden = *hidden, .layers = *layers, .notes = model.notes};
    model.layers = read_layers(reader, text);
    read_embeddings(reader, *traits, model);
    read_mtp(reader, model);
  }
  read_storage(reader, model);
  if (problems.errors.empty() && parameters_as_double(model) > kMostParameters) {
    problems.add(config, "", fmt::format("these dimensions make {} parameters, more than the 1e16 this tool accepts",
                                         si(parameters_as_double(model), "", 3)),
                 {}, ErrorCode::kLimit);
  }
  if (!problems.errors.empty()) return fail(combine(std::move(problems.errors), file));
  return model;
}

}  // namespace portolan::model
