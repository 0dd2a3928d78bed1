// Command line -> verb, request object and output options, all from the option registry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/registry.hpp"
#include "base/date.hpp"
#include "base/result.hpp"
#include "io/value.hpp"

namespace portolan::cli {

/// What the common options say.
struct Common {
  std::string output = "table";
  std::vector<std::string> fields;
  bool no_header = false, explain = false, assumptions = false, offline = false, no_timing = false;
  bool quiet = false, verbose = false, ascii = false, csv_raw = false;
  std::optional<std::string> catalogue, profile;
  std::optional<Date> as_of;
  unsigned threads = 0;
  std::optional<std::int64_t> seed;
  std::string color = "auto";
};

struct Arguments {
  const app::Verb* verb = nullptr;
  bool help = false, full_help = false;
  Common common;
  io::Value request;  // keys of the verb's options that were given
};

/// `words` without the program's name; the first is the verb. Errors: usage, with nearest names.
Result<Arguments> parse_arguments(const std::vector<std::string>& words);

/// Whether the words ask for JSON, readable even when they do not parse: errors then are JSON too.
bool wants_json(const std::vector<std::string>& words);

}  // namespace portolan::cli
