#include "model/library.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"

namespace portolan::model {
namespace {

constexpr std::string_view kSuffixes[] = {"-instruct", "-it", "-chat", "-base", "-hf", "-pt"};

/// The text value of a member near the start of a line; empty when it is null or absent. The
/// catalogue holds no escapes.
std::string_view text_member(std::string_view line, std::string_view quoted_key) {
  const auto at = line.find(quoted_key);
  if (at == std::string_view::npos) return {};
  const auto begin = at + quoted_key.size();
  if (begin >= line.size() || line[begin] != '"') return {};
  const auto end = line.find('"', begin + 1);
  return end == std::string_view::npos ? std::string_view{}
                                       : line.substr(begin + 1, end - begin - 1);
}

std::vector<std::string_view> list_member(std::string_view line, std::string_view quoted_key) {
  std::vector<std::string_view> items;
  const auto at = line.find(quoted_key);
  if (at == std::string_view::npos) return items;
  std::size_t position = at + quoted_key.size();
  const auto close = line.find(']', position);
  if (close == std::string_view::npos) return items;
  while (position < close) {
    const auto begin = line.find('"', position);
    if (begin == std::string_view::npos || begin > close) break;
    const auto end = line.find('"', begin + 1);
    if (end == std::string_view::npos) break;
    items.push_back(line.substr(begin + 1, end - begin - 1));
    position = end + 1;
  }
  return items;
}

/// Without organisation and without the suffix of a variant of the same shape.
std::string bare_name(std::string_view name) {
  if (const auto slash = name.rfind('/'); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  for (const std::string_view suffix : kSuffixes) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
      break;
    }
  }
  return std::string(name);
}

/// Python's json module writes numbers that JSON does not have.
std::string without_python_numbers(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (inside) {
      if (c == '\\' && i + 1 < text.size()) {
        result += c;
        result += text[i + 1];
        i += 2;
        continue;
      }
      inside = c != '"';
      result += c;
      ++i;
      continue;
    }
    bool replaced = false;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (text.substr(i, word.size()) != word) continue;
      result += "null";
      i += word.size();
      replaced = true;
      break;
    }
    if (replaced) continue;
    inside = c == '"';
    result += c;
    ++i;
  }
  return result;
}

bool has_model_suffix(std::string_view name) {
  return name.ends_with(".json") || name.ends_with(".gguf") || name.ends_with(".safetensors");
}

/// A quantised checkpoint of NVIDIA keeps its recipe beside the config.
void add_recipe(io::Value& config, const std::string& folder) {
  if (config.find("quantization_config") != nullptr) return;
  const auto text = read_file(folder + "/hf_quant_config.json");
  if (!text) return;
  const auto recipe = io::parse_json(*text, "hf_quant_config.json", io::DuplicateKeys::kRefuse);
  if (!recipe || !recipe->is_object()) return;
  if (const io::Value* quantisation = recipe->find("quantization");
      quantisation != nullptr && quantisation->is_object()) {
    config.set("quantization_config", *quantisation);
  }
}

Result<io::Value> parse_config(std::string_view text, const std::string& file) {
  if (text.find("NaN") == std::string_view::npos &&
      text.find("Infinity") == std::string_view::npos) {
    return io::parse_json(text, file, io::DuplicateKeys::kRefuse);
  }
  return io::parse_json(without_python_numbers(text), file, io::DuplicateKeys::kRefuse);
}

Result<Model> from_config_file(const std::string& path, const std::string& id) {
  const std::string text = PORTOLAN_TRY(read_file(path));
  io::Value config = PORTOLAN_TRY(parse_config(text, path));
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  if (path != "-" && config.is_object()) add_recipe(config, folder);
  Model model;
  model.id = id;
  model.source = path == "-" ? "standard input" : path;
  model.architecture = PORTOLAN_TRY(read_config(config, path));
  if (path == "-") return model;
  // An index of shards states the bytes of all tensors.
  if (const auto index = read_file(folder + "/model.safetensors.index.json")) {
    const auto value =
        io::parse_json(*index, "model.safetensors.index.json", io::DuplicateKeys::kRefuse);
    const io::Value* metadata = value ? value->find("metadata") : nullptr;
    const io::Value* bytes = metadata != nullptr ? metadata->find("total_size") : nullptr;
    if (bytes != nullptr && bytes->is_integer() && bytes->integer() > 0) {
      model.architecture.exact_weight_bytes = static_cast<std::uint64_t>(bytes->integer());
    }
  }
  return model;
}

std::string text_of(const io::Value& line, std::string_view key) {
  const io::Value* value = line.find(key);
  return value != nullptr && value->is_string() ? value->string() : std::string();
}

std::optional<double> number_of(const io::Value& line, std::string_view key) {
  const io::Value* value = line.find(key);
  return value != nullptr && value->is_number() ? std::optional(value->number()) : std::nullopt;
}

bool truth_of(const io::Value& line, std::string_view key) {
  const io::Value* value = line.find(key);
  return value != nullptr && value->is_bool() && value->boolean();
}

/// A model known by its number of parameters alone.
Architecture counted_only(double parameters) {
  Architecture architecture;
  architecture.coverage = Coverage::kParameterCount;
  architecture.other_parameters = static_cast<std::int64_t>(parameters);
  architecture.causal = false;
  architecture.lm_head = false;
  architecture.notes.emplace_back(
      "only the number of parameters is known: work is 2 FLOP per parameter and token, and there "
      "is no KV cache");
  return architecture;
}

Result<Model> model_of(std::string_view line) {
  const io::Value value =
      PORTOLAN_TRY(io::parse_json(line, "models.jsonl", io::DuplicateKeys::kRefuse));
  Model model;
  model.id = text_of(value, "id");
  model.hf_id = text_of(value, "hf_id");
  model.family = text_of(value, "family");
  model.released = text_of(value, "released");
  model.licence = text_of(value, "licence");
  model.source = text_of(value, "source");
  model.date = text_of(value, "date");
  model.note = text_of(value, "note");
  model.published_source = text_of(value, "published_parameters_source");
  model.published_parameters = number_of(value, "published_parameters");
  model.published_active_parameters = number_of(value, "published_active_parameters");
  if (const io::Value* row = value.find("article"); row != nullptr && row->is_object()) {
    model.article = ArticleRow{.training_flop = number_of(*row, "training_flop").value_or(0),
                               .text = truth_of(*row, "text"),
                               .decoder_only = truth_of(*row, "decoder_only"),
                               .source = text_of(*row, "source"),
                               .date = text_of(*row, "date")};
  }
  model.rule_parameters = number_of(value, "rule_parameters");
  if (const io::Value* aliases = value.find("aliases"); aliases != nullptr && aliases->is_array()) {
    for (const io::Value& alias : aliases->array()) {
      if (alias.is_string()) model.aliases.push_back(alias.string());
    }
  }
  const io::Value* config = value.find("config");
  if (config == nullptr || config->is_null()) {
    if (!model.published_parameters) {
      return fail(ErrorCode::kInvalidInput,
                  fmt::format("model {} has neither a config nor a number of parameters",
                              quoted(model.id)));
    }
    model.architecture = counted_only(*model.published_parameters);
    return model;
  }
  model.architecture = PORTOLAN_TRY(read_config(*config, "models.jsonl"));
  return model;
}

}  // namespace

Result<Architecture> read_config_text(std::string_view text, const std::string& file) {
  const io::Value config = PORTOLAN_TRY(parse_config(text, file));
  return read_config(config, file);
}

Result<Library> Library::open(std::string_view jsonl) {
  Library library;
  for (std::string_view line : split(jsonl, '\n')) {
    if (trim(line).empty()) continue;
    const std::size_t number = library.lines_.size();
    // The names come before the config, which may be long.
    const std::string_view head = line.substr(0, line.find("\"config\":"));
    const std::string_view id = text_member(head, "\"id\":");
    if (id.empty()) {
      return fail(ErrorCode::kInvalidInput,
                  fmt::format("line {} of the model catalogue has no id", number + 1));
    }
    library.lines_.push_back(line);
    library.index_.push_back({to_lower(id), id, number});
    if (const std::string_view hf = text_member(head, "\"hf_id\":"); !hf.empty()) {
      library.index_.push_back({to_lower(hf), hf, number});
    }
    for (const std::string_view alias : list_member(head, "\"aliases\":")) {
      library.index_.push_back({to_lower(alias), alias, number});
    }
  }
  std::sort(library.index_.begin(), library.index_.end(), [](const Key& a, const Key& b) {
    return a.lower != b.lower ? a.lower < b.lower : a.line < b.line;
  });
  for (std::size_t i = 1; i < library.index_.size(); ++i) {
    const Key& previous = library.index_[i - 1];
    if (previous.lower == library.index_[i].lower && previous.line != library.index_[i].line) {
      return fail(
          ErrorCode::kInvalidInput,
          fmt::format("the model catalogue gives the name {} twice", quoted(previous.lower)));
    }
  }
  return library;
}

Result<Model> Library::named(std::string_view name) const {
  const std::string wanted = to_lower(trim(name));
  const auto found =
      std::lower_bound(index_.begin(), index_.end(), wanted,
                       [](const Key& key, const std::string& text) { return key.lower < text; });
  if (found != index_.end() && found->lower == wanted) return model_of(lines_[found->line]);

  // Only one model left when organisations and variants are dropped on both sides?
  const std::string bare = bare_name(wanted);
  std::vector<std::size_t> matches;
  for (const Key& key : index_) {
    if (bare_name(key.lower) == bare &&
        std::find(matches.begin(), matches.end(), key.line) == matches.end()) {
      matches.push_back(key.line);
    }
  }
  if (matches.size() == 1) return model_of(lines_[matches.front()]);
  if (matches.size() > 1) {
    std::string hint = "say which:";
    for (const std::size_t line : matches)
      hint += fmt::format(" {}", text_member(lines_[line], "\"id\":"));
    return fail(ErrorCode::kNotFound,
                fmt::format("{} may be any of {} models", quoted(name), matches.size()), hint);
  }
  const std::vector<std::string_view> known = names();
  std::string hint = did_you_mean(wanted, known);
  if (hint.empty()) {
    constexpr std::size_t kShortest = 3, kMost = 6;  // characters; names
    std::vector<std::string_view> with;
    for (const std::string_view candidate : known) {
      if (wanted.size() >= kShortest && candidate.find(wanted) != std::string_view::npos)
        with.push_back(candidate);
    }
    for (std::size_t i = 0; i < std::min(with.size(), kMost); ++i)
      hint += (i == 0 ? "" : ", ") + std::string(with[i]);
    if (with.size() > kMost) hint += fmt::format(" and {} more have it", with.size() - kMost);
  }
  if (hint.empty()) hint = "portolan models lists the names";
  hint += hint.ends_with('?') ? " A " : "; a ";
  hint += "config.json, a folder with one, a .gguf and a .safetensors file work, too";
  return fail(ErrorCode::kNotFound, fmt::format("unknown model {}", quoted(name)), hint);
}

Result<Model> Library::find(std::string_view name_or_path) const {
  const std::string path(name_or_path);
  if (path == "-") return from_config_file(path, "standard input");
  const bool file_name = has_model_suffix(path);
  if (!file_name) {
    const std::string wanted = to_lower(trim(name_or_path));
    const auto found =
        std::lower_bound(index_.begin(), index_.end(), wanted,
                         [](const Key& key, const std::string& text) { return key.lower < text; });
    // A name of the catalogue wins over a folder that happens to be called so.
    if (found != index_.end() && found->lower == wanted) return model_of(lines_[found->line]);
    if (is_directory(path)) {
      const std::string inside = path + (path.ends_with('/') ? "" : "/") + "config.json";
      if (exists(inside)) return from_config_file(inside, path);
      return fail(ErrorCode::kNotFound, fmt::format("folder {} holds no config.json", quoted(path)),
                  "name the .gguf or .safetensors file inside it");
    }
    if (!exists(path)) return named(name_or_path);
  }
  if (path.ends_with(".gguf") || path.ends_with(".safetensors")) return read_model_file(path);
  return from_config_file(path, path);
}

std::vector<std::string_view> Library::ids() const {
  std::vector<std::string_view> ids;
  ids.reserve(lines_.size());
  for (const std::string_view line : lines_) ids.push_back(text_member(line, "\"id\":"));
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::string_view> Library::names() const {
  std::vector<std::string_view> names;
  names.reserve(index_.size());
  for (const Key& key : index_) names.push_back(key.spelling);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace portolan::model
