// Getters of a job document that refuse what a job cannot mean: zero limits, empty or repeated
// lists.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "io/fields.hpp"
#include "planner/job.hpp"

namespace portolan::planner {

/// Entries of any list of a job file.
inline constexpr std::size_t kMostNames = 1000;

inline bool is_scalar(const io::Value& value) {
  return value.is_string() || value.is_number() || value.is_bool();
}

/// The text of one scalar read with a parser of the quantity grammar; a problem keeps its hint.
template <class T>
std::optional<T> parsed(io::Fields& fields, std::string_view key,
                        Result<T> (*parse)(std::string_view)) {
  const io::Value* value = fields.get(key);
  if (value == nullptr) return std::nullopt;
  if (!is_scalar(*value)) {
    fields.problem(key, "expected one value");
    return std::nullopt;
  }
  Result<T> result = parse(value->scalar_text());
  if (result) return *std::move(result);
  fields.problem(key, result.error().message, result.error().hint);
  return std::nullopt;
}

/// A value that must lie above zero and at most `most`: zero is a contradiction, no absent limit.
std::optional<double> positive(io::Fields& fields, std::string_view key,
                               std::optional<double> value, double most);
std::optional<Seconds> positive_duration(io::Fields& fields, std::string_view key);

/// A list of names that must not be empty or hold one twice.
std::vector<std::string> names(io::Fields& fields, std::string_view key);

/// The `where:` of a job.
WhereToLook read_where(const io::Value& value, const std::string& pointer, JobKind kind,
                       io::Problems& problems);

}  // namespace portolan::planner
