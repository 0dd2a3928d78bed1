// Shared steps of reading a verb's request object into its struct.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/fields.hpp"

namespace portolan::app {

/// Ends reading: unknown keys are reported, and all problems of the request become one error. A
/// request typed as flags names the flag of each problem ("--batch") besides its key.
Result<void> finish_request(io::Fields& fields, io::Problems& problems);

/// A flag given as text or a JSON boolean.
bool flag(io::Fields& fields, std::string_view key);

/// Splits every text at commas: `--provider aws,lambda` is a list of two.
std::vector<std::string> text_list(io::Fields& fields, std::string_view key);

/// One of `allowed`, the first when absent; anything else is a problem with the nearest names.
std::string choice(io::Fields& fields, std::string_view key,
                   std::span<const std::string_view> allowed);

/// An age such as "30d" in whole days.
std::optional<std::int64_t> age_days(io::Fields& fields, std::string_view key);

/// Names the flag in an error that came from the value of it; what has a place already keeps it.
template <class T>
Result<T> about(std::string_view argument, Result<T> result) {
  if (!result && result.error().where.empty()) {
    Error error = std::move(result).error();
    error.where.argument = argument;
    return fail(std::move(error));
  }
  return result;
}

/// `name` if it is one of `known` (ids of the catalogue), else not_found with the nearest names;
/// `what` is "vendor".
Result<std::string> known_name(std::string_view what, std::string_view argument,
                               const std::string& name, std::vector<std::string_view> known,
                               std::string_view list_command);

}  // namespace portolan::app
