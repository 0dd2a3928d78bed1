// Readers and writers of JSON, YAML and CSV text, with caps against hostile input and places for
// every problem.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/value.hpp"

namespace portolan::io {

enum class DuplicateKeys : std::uint8_t { kKeepLast, kRefuse };

/// Defaults of experience.md §13. Exceeding a cap is `limit` with the number.
struct TextLimits {
  std::uint64_t bytes = 64ull << 20;
  int depth = 64;
  std::uint64_t nodes = 1'000'000;
  std::uint64_t string_bytes = 1ull << 20;
  std::uint64_t key_bytes = 1024;
  /// Heap bytes the values may take beyond the fixed 24 MiB, per byte of text.
  std::uint64_t memory_factor = 3;
  /// JSON only: NaN, Infinity and -Infinity, which Python writes into model configs, read as null.
  bool python_constants = false;
};

/// Strict RFC 8259 (UTF-8, no comments). Errors: malformed (file:line:column), limit, invalid_input
/// for a refused duplicate key.
Result<Value> parse_json(std::string_view text, const std::string& file, DuplicateKeys duplicates,
                         const TextLimits& limits = {});

/// Reads a text whose outermost value is an object or an array and hands over its members one by
/// one (the key is empty in an array), so that memory does not grow with their number. Duplicate
/// keys of the outermost object are not noticed. An error of `take` ends the reading.
Result<void> each_json_member(std::string_view text, const std::string& file,
                              const TextLimits& limits,
                              const std::function<Result<void>(std::string_view, Value)>& take);

/// YAML 1.2 core restricted to one document: plain true/false -> bool, null/~/empty -> null,
/// numbers -> numbers (text kept), all else strings. Duplicate keys, merge keys, tags and several
/// documents are errors; aliases expand within the caps. Besides `limits`: 4 MiB of text, 128 KiB
/// for one text or one flow list that begins a line or stands in another.
Result<Value> parse_yaml(std::string_view text, const std::string& file,
                         const TextLimits& limits = {});

/// JSON if the text begins with '{' or '[', YAML otherwise (a JSON file is read with duplicates
/// refused).
Result<Value> parse_document(std::string_view text, const std::string& file);

std::string write_json(const Value& value,
                       bool indented);  // one trailing newline when indented, none otherwise
std::string write_yaml(const Value& value);

/// A CSV table in memory: RFC 4180, CRLF and byte-order mark accepted, header row required, columns
/// found by name.
struct CsvTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::uint64_t> lines;                       // line of each row's start
  [[nodiscard]] int column(std::string_view name) const;  // -1 when absent
};
Result<CsvTable> parse_csv(std::string_view text, const std::string& file);
/// Quotes as needed; `guard_formulas` prefixes cells starting with = + - @ tab CR (that are not
/// numbers) with '.
std::string csv_line(std::span<const std::string> cells, bool guard_formulas);

}  // namespace portolan::io
