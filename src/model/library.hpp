// Finding a model: by name in the catalogue, from a config.json or its folder, a GGUF or a
// safetensors file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/value.hpp"
#include "model/architecture.hpp"

namespace portolan::model {

/// Reads a Hugging Face config. Unknown architectures are read from generic fields with coverage
/// lowered and a note. Errors: invalid_input with every problem and its place (absurd counts,
/// missing dimensions, wrong types).
Result<Architecture> read_config(const io::Value& config, const std::string& file);

/// Reads the text of a config.json. Python writes NaN and Infinity into JSON: outside of strings
/// they are read as null. Errors: malformed, limit, invalid_input (duplicate keys, the problems of
/// the config).
Result<Architecture> read_config_text(std::string_view text, const std::string& file);

/// The embedded catalogue of named models.
class Library {
 public:
  /// `jsonl`: the text of data/models.jsonl; kept by reference, one line is parsed per look-up
  /// (indexed by id, alias, Hugging Face id).
  static Result<Library> open(std::string_view jsonl);

  /// A name, a path to a config.json (or any .json), a folder with one, a .gguf or a .safetensors
  /// file; "-" reads a config from stdin. A path exists or contains '/' with a known suffix; a name
  /// matches ids, aliases and Hugging Face ids, case-insensitively. Errors: not_found with nearest
  /// names; the errors of the readers.
  [[nodiscard]] Result<Model> find(std::string_view name_or_path) const;
  /// A name without its -Instruct, -it, -Chat … or its organisation is understood where only one
  /// model can be meant.
  [[nodiscard]] Result<Model> named(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> ids() const;  // sorted
  [[nodiscard]] std::vector<std::string_view> names()
      const;  // ids, aliases and Hugging Face ids, sorted, for completion and suggestions

 private:
  std::vector<std::string_view> lines_;
  struct Key {
    std::string lower;          // what is compared
    std::string_view spelling;  // as written in the catalogue
    std::size_t line = 0;
  };
  std::vector<Key> index_;  // sorted by `lower`
};

/// Builds a Model from a GGUF header or safetensors header (metadata gives the architecture where
/// it can; tensor sizes give exact weights).
Result<Model> read_model_file(const std::string& path);

}  // namespace portolan::model
