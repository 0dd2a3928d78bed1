// An answer as text in the format the user asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/execute.hpp"
#include "base/result.hpp"
#include "render/table.hpp"

namespace portolan::render {

enum class Format : std::uint8_t { kTable, kWide, kJson, kJsonl, kCsv, kYaml, kMarkdown, kName };
Result<Format> parse_format(std::string_view name);

struct Options {
  Format format = Format::kTable;
  Style style;
  std::vector<std::string> fields;  // --fields a,b.c
  bool explain = false, assumptions = false, timing = true, csv_raw = false, indent_json = false;
};

/// Errors: usage for a field that does not exist (with nearest names).
Result<std::string> format_answer(const app::Answer& answer, const Options& options);
/// "--fields help": what --fields takes for this answer, one name per line.
std::string field_names(const app::Answer& answer);

}  // namespace portolan::render
