// Result struct -> the JSON object of contract.md. Declared once per result: JSON, YAML, CSV,
// Markdown, --fields and the published schemas all follow from these declarations.
#pragma once

#include <string>
#include <string_view>

#include "app/execute.hpp"
#include "io/value.hpp"

namespace portolan::render {

struct ValueOptions {
  bool timing = true;  // elapsed_seconds and its kin
  bool explain = false;
};

/// The whole object: schema_version, command, catalogue, result, assumptions, sources, warnings
/// (and derivations with explain).
io::Value to_value(const app::Answer& answer, const ValueOptions& options);

/// {"code","message","where","hint"[,"errors"]}.
io::Value to_value(const Error& error);
io::Value to_value(const Derivation& derivation);

/// JSON Schema 2020-12 of a verb's object; null when there is no such verb.
io::Value schema(std::string_view verb);

/// The member of `result` whose items are the rows of CSV, JSONL, `name` and --fields ("plans",
/// "offers", with --stats "spread" …); empty when the result itself is the one row.
std::string_view items_key(const app::Envelope& envelope);
/// What a row has, as dotted names in the order of the schema, whether or not there are rows.
std::vector<std::string> row_names(const app::Envelope& envelope);
/// Whether a flag such as --errata is set in the request that was answered.
bool asks_for(const app::Envelope& envelope, std::string_view flag);

inline constexpr std::string_view kSchemaVersion = "1.0";

}  // namespace portolan::render
