#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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
  if (const io::Value* thinker = config.find("thinker_config");
      thinker != nullptr && thinker->is_object()) {
    if (const io::Value* part = thinker->find("text_config");
        part != nullptr && part->is_object()) {
      return {part, "/thinker_config/text_config"};
    }
  }
  return {&config, ""};
}

std::string first_architecture(const io::Value& config) {
  const io::Value* list = config.find("architectures");
  if (list == nullptr || !list->is_array() || list->array().empty() ||
      !list->array()[0].is_string())
    return {};
  return list->array()[0].string();
}

/// Nemotron-H states its layers as a list or a string and may leave their number to be counted.
std::optional<std::int64_t> listed_layers(ConfigReader& config) {
  std::size_t count = config.text({"hybrid_override_pattern"}).size();
  if (config.value_is_list("layers_block_type"))
    count = config.find("layers_block_type")->array().size();
  if (count == 0 || count > static_cast<std::size_t>(kMostLayers)) return std::nullopt;
  return static_cast<std::int64_t>(count);
}

/// The number of labels of a classifier; transformers writes the list of names instead of the
/// number.
std::int64_t label_count(ConfigReader& config) {
  if (const auto count = config.integer({"num_labels"}, 1, kWidest)) return *count;
  const io::Value* names = config.find("id2label");
  return names != nullptr && names->is_object() ? static_cast<std::int64_t>(names->object().size())
                                                : 2;
}

/// What stands around the layers of an encoder without a decoder.
void read_encoder_heads(ConfigReader& config, const Traits& traits, Architecture& model) {
  const std::int64_t h = model.hidden;
  const std::string& name = model.architecture;
  model.lm_head = false;
  model.head_parameters = 0;
  model.other_parameters += config.integer({"type_vocab_size"}, 0, kWidest).value_or(0) * h;
  const bool words = name.ends_with("ForMaskedLM") || name.ends_with("ForPreTraining");
  const bool classes = name.ends_with("ForSequenceClassification");
  if (words) model.other_parameters += h * h + h + norm_parameters(traits.norm, h) + model.vocab;
  if (classes) model.other_parameters += label_count(config) * (h + 1);
  if (traits.pooler && (!words || traits.pooler_with_head)) model.other_parameters += h * h + h;
}

void read_embeddings(ConfigReader& config, const Traits& traits, Architecture& model) {
  const std::int64_t h = model.hidden;
  const auto vocab = config.integer({"vocab_size", "padded_vocab_size"}, 1, kLargestVocabulary);
  if (!vocab && !config.has("vocab_size") && !config.has("padded_vocab_size")) {
    config.problem("vocab_size", "missing key \"vocab_size\"");
  }
  model.vocab = vocab.value_or(0);
  model.max_position =
      config
          .integer({"max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len",
                    "seq_length", "model_max_length", "max_context_length"},
                   0, kLongestContext)
          .value_or(0);
  model.tied_embeddings =
      config.flag({"tie_word_embeddings", "share_input_output_layers", "tie_embedding"})
          .value_or(traits.tied);
  // OPT-350m embeds into half the width; ELECTRA and ALBERT factorise, too.
  const std::int64_t width =
      config.dimension({"word_embed_proj_dim", "embedding_size"}).value_or(h);
  model.embedding_parameters = model.vocab * width;
  if (width != h) model.other_parameters += 2 * width * h;
  if (!model.tied_embeddings) model.head_parameters = model.vocab * width;
  // Llama 3.2 Vision embeds eight special tokens that it never predicts.
  if (config.has("cross_attention_layers")) model.embedding_parameters += 8 * h;
  if (config.flag({"lm_head_bias"}).value_or(traits.head_bias))
    model.head_parameters += model.vocab;
  const bool post_norm = !config.flag({"do_layer_norm_before"}).value_or(true);
  model.final_norm_parameters =
      traits.final_norm && !post_norm ? norm_parameters(traits.norm, h) : 0;
  if (traits.embedding_norm) model.other_parameters += norm_parameters(traits.norm, h);
  if (traits.learned_positions) {
    const std::int64_t rows = std::min(model.max_position, kWidest);
    model.other_parameters += (rows + traits.position_offset) * h;
  }
  if (traits.encoder_only) read_encoder_heads(config, traits, model);
}

/// Tables and projections beside the layers of Gemma 3n, Gemma 4 and DeepSeek-V4.
void read_side_channels(ConfigReader& config, Architecture& model) {
  const std::int64_t h = model.hidden, layers = model.layer_count();
  if (const auto side = config.integer({"hidden_size_per_layer_input"}, 0, kWidestSide).value_or(0);
      side > 0) {
    const std::int64_t rows =
        config.integer({"vocab_size_per_layer_input"}, 0, kLargestVocabulary).value_or(model.vocab);
    model.other_parameters += rows * layers * side + h * layers * side + side;
    model.notes.push_back(
        fmt::format("{} of the parameters are per-layer embeddings, which are looked up and may "
                    "stay in host memory",
                    si(static_cast<double>(rows * layers * side), "", 3)));
  }
  if (const auto n = config.integer({"altup_num_inputs"}, 0, 1024).value_or(0); n > 1) {
    model.other_parameters += 2 * (n - 1) * h * h;
  }
  if (const auto n = config.integer({"hc_mult"}, 0, 1024).value_or(0); n > 0) {
    model.other_parameters += n * n * h + n + 1;
  }
}

void read_mtp(ConfigReader& config, const TextModel& text, Architecture& model) {
  std::int64_t depth = config
                           .integer({"num_nextn_predict_layers", "mtp_num_hidden_layers",
                                     "num_mtp_modules", "num_mtp_layers"},
                                    0, 1000)
                           .value_or(0);
  if (!config.flag({"use_mtp"}).value_or(true)) depth = 0;
  if (depth == 0) return;
  for (LayerRun run : read_mtp_block(config, text)) {
    run.count *= depth;
    model.mtp_layers.push_back(run);
  }
  // DeepSeek-V3 §2.2: two norms, the projection of (hidden, embedding) and a final norm; embedding
  // and head are shared.
  model.mtp_other_parameters = depth * (2 * model.hidden * model.hidden + 3 * model.hidden);
}

/// Everything as doubles: a bound that cannot overflow.
double parameters_as_double(const Architecture& model) {
  double total =
      static_cast<double>(model.embedding_parameters) + static_cast<double>(model.head_parameters) +
      static_cast<double>(model.other_parameters) + static_cast<double>(model.mtp_other_parameters);
  for (const auto* runs : {&model.layers, &model.mtp_layers}) {
    for (const LayerRun& run : *runs) {
      const auto one = layer_parameters<double>(run.mixer, run.channel, model.hidden);
      total +=
          static_cast<double>(run.count) *
          (one.attention + one.mlp + one.experts + one.router +
           static_cast<double>(run.norm_parameters) + static_cast<double>(run.extra_parameters));
    }
  }
  for (const Encoder& encoder : model.encoders) total += encoder_parameters<double>(encoder);
  return total;
}

/// Where a dimension stands in a layout this reader does not take apart: "decoder", or empty.
std::string nested_dimensions(const io::Value& config) {
  for (const auto& [key, value] : config.object()) {
    if (value.find("hidden_size") != nullptr || value.find("d_model") != nullptr) return key;
  }
  return {};
}

/// The two dimensions without which nothing can be read; problems when they are missing.
struct Size {
  std::optional<std::int64_t> hidden, layers;
};

Size read_size(ConfigReader& config) {
  const std::size_t before = config.problems().errors.size();
  Size size;
  size.hidden = config.dimension({"hidden_size", "n_embd", "d_model", "model_dim", "dim"});
  if (!size.hidden && config.problems().errors.size() == before) {
    const std::string nested = nested_dimensions(config.object());
    config.problem("hidden_size", "missing key \"hidden_size\"",
                   nested.empty() ? std::string()
                                  : fmt::format("{} states one, but this layout is not known: give "
                                                "the language part as a config of its own",
                                                quoted(nested)));
  }
  const std::size_t between = config.problems().errors.size();
  size.layers = config.integer({"num_hidden_layers", "n_layer", "n_layers", "num_layers",
                                "decoder_layers", "num_transformer_layers"},
                               1, kMostLayers);
  if (!size.layers) size.layers = listed_layers(config);
  if (!size.layers && config.problems().errors.size() == between) {
    config.problem("num_hidden_layers", "missing key \"num_hidden_layers\"");
  }
  return size;
}

/// A config that leaves its size to the class is unusual enough to be told.
void note_defaults(const ConfigReader& config, Architecture& model) {
  std::string keys;
  for (const std::string_view key :
       {"hidden_size", "n_embd", "num_hidden_layers", "n_layer", "num_attention_heads", "n_head",
        "intermediate_size", "vocab_size"}) {
    const std::vector<std::string>& used = config.defaulted();
    if (std::find(used.begin(), used.end(), key) == used.end()) continue;
    keys += fmt::format("{}{}", keys.empty() ? "" : ", ", key);
  }
  if (keys.empty()) return;
  model.notes.push_back(fmt::format("not in the config, taken from the defaults of {}: {}",
                                    quoted(model.model_type), keys));
}

bool is_encoder_decoder(ConfigReader& config) {
  return config.flag({"is_encoder_decoder"}).value_or(false) || config.has("num_decoder_layers") ||
         (config.has("encoder_layers") && config.has("decoder_layers"));
}

void read_parts(ConfigReader& config, ConfigReader& outer, const Traits& traits,
                Architecture& model) {
  const Size size = read_size(config);
  if (!size.hidden || !size.layers) return;
  model.hidden = *size.hidden;
  const TextModel text{
      .traits = traits, .hidden = *size.hidden, .layers = *size.layers, .notes = model.notes};
  read_embeddings(config, traits, model);
  const bool two = is_encoder_decoder(config);
  if (two) {
    read_encoder_decoder(config, text, model);
  } else {
    model.layers = read_layers(config, text);
  }
  if (!config.problems().errors.empty()) return;
  if (!two) {
    read_side_channels(config, model);
    read_mtp(config, text, model);
  }
  read_towers(outer, model);
  if (model.encoders.empty() && !two && model.architecture.ends_with("ForConditionalGeneration")) {
    model.notes.push_back(fmt::format(
        "{} has a tower for images or sound that the config does not describe: only the language "
        "part is counted",
        model.architecture));
  }
}

}  // namespace

Result<Architecture> read_config(const io::Value& config, const std::string& file) {
  io::Problems problems{.file = file, .errors = {}};
  if (!config.is_object()) {
    problems.add(config, "", "a model config is a JSON object");
    return fail(combine(std::move(problems.errors), file));
  }
  const TextPart part = text_part(config);
  ConfigReader reader(*part.object, part.pointer, part.object == &config ? nullptr : &config,
                      problems);

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

  // The parts of a diffusion pipeline have shapes of their own kind.
  if (const std::string part_of = reader.text({"_class_name"}); !part_of.empty()) {
    problems.add(config, "/_class_name",
                 fmt::format("{} is a part of a diffusers pipeline, whose layers are not read",
                             quoted(part_of)),
                 "name its .safetensors file: the parameters are counted from the tensors");
    return fail(combine(std::move(problems.errors), file));
  }
  ConfigReader outer(config, "", nullptr, problems);
  read_parts(reader, outer, *traits, model);
  note_defaults(reader, model);
  if (!traits->note.empty()) model.notes.emplace_back(traits->note);
  read_storage(reader, model);
  for (Encoder& encoder : model.encoders) {
    const double size = encoder_parameters<double>(encoder);
    if (size <= kMostParameters) encoder.parameters = encoder_parameters<std::int64_t>(encoder);
  }
  if (problems.errors.empty() && parameters_as_double(model) > kMostParameters) {
    problems.add(
        config, "",
        fmt::format("these dimensions make {} parameters, more than the 1e16 this tool accepts",
                    si(parameters_as_double(model), "", 3)),
        {}, ErrorCode::kLimit);
  }
  if (!problems.errors.empty()) return fail(combine(std::move(problems.errors), file));
  return model;
}

}  // namespace portolan::model
