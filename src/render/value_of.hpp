// Result struct -> the JSON object of contract.md. Declared once per result: JSON, YAML, CSV, Markdown, --fields and the published
// schemas all follow from these declarations.
#pragma once

#include <string>
#include <string_view>

#include "app/execute.hpp"
#include "io/value.hpp"

namespace portolan::render {

struct ValueOptions {
  bool timing = true;   // elapsed_seconds and its kin
  bool explain = false;
};

/// The whole object: schema_version, command, catalogue, result, assumptions, sources, warnings (and derivations with explain).
io::Value to_value(const app::Answer& answer, const ValueOptions& options);

/// {"code","message","where","hint"[,"errors"]}.
io::Value to_value(const Error& error);
io::Value to_value(const Derivation& derivation);

/// JSON Schema 2020-12 of a verb's object; null when there is no such verb.
io::Value schema(std::string_view verb);

/// The list of items a verb's CSV, JSONL and `name` formats iterate over: the JSON pointer key inside result ("plans", "offers" …);
/// empty when the result itself is the one item.
std::string_view items_key(std::string_view verb);

inline constexpr std::string_view kSchemaVersion = "1.0";

}  // namespace portolan::render
