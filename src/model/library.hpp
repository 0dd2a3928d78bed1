// Finding a model: by name in the catalogue, from a config.json or its folder, a GGUF or a safetensors file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/value.hpp"
#include "model/architecture.hpp"

namespace portolan::model {

/// Reads a Hugging Face config. Unknown architectures are read from generic fields with coverage lowered and a note.
/// Errors: invalid_input with every problem and its place (absurd counts, missing dimensions, wrong types).
Result<Architecture> read_config(const io::Value& config, const std::string& file);

/// The embedded catalogue of named models.
class Library {
 public:
  /// `jsonl`: the text of data/models.jsonl; kept by reference, one line is parsed per look-up (indexed by id, alias, Hugging Face id).
  static Result<Library> open(std::string_view jsonl);

  /// A name, a path to a config.json (or any .json), a folder with one, a .gguf or a .safetensors file; "-" reads a config from stdin.
  /// A path exists or contains '/' with a known suffix; a name matches ids, aliases and Hugging Face ids, case-insensitively.
  /// Errors: not_found with nearest names; the errors of the readers.
  [[nodiscard]] Result<Model> find(std::string_view name_or_path) const;
  [[nodiscard]] Result<Model> named(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> ids() const;    // sorted
  [[nodiscard]] std::vector<std::string_view> names() const;  // ids, aliases and Hugging Face ids, sorted, for completion and suggestions

 private:
  std::vector<std::string_view> lines_;
  std::vector<std::string> keys_storage_;
  std::vector<std::pair<std::string, std::size_t>> index_;  // lower-case name -> line, sorted
};

/// Builds a Model from a GGUF header or safetensors header (metadata gives the architecture where it can; tensor sizes give exact weights).
Result<Model> read_model_file(const std::string& path);

}  // namespace portolan::model
