// Small text tools: nearest names, escaping of text from outside, number formatting independent of
// the locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace portolan {

std::string to_lower(std::string_view text);  // ASCII
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

/// Length of the valid UTF-8 sequence that begins at `at` (1 to 4 bytes) and its code point; 0 if
/// there is none (RFC 3629: no overlong forms, no surrogates).
std::size_t utf8_length(std::string_view text, std::size_t at, std::uint32_t& code_point);

/// Damerau-Levenshtein distance (optimal string alignment), case-folded.
int edit_distance(std::string_view a, std::string_view b);
/// At most `most` candidates within max(1, length/3) of `name`, nearest first, ties in candidate
/// order.
std::vector<std::string> nearest_names(std::string_view name,
                                       std::span<const std::string_view> candidates,
                                       std::size_t most = 3);
/// "did you mean "x"?" or empty.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

/// Control characters, ESC, DEL, invalid UTF-8 and bidirectional overrides replaced by \x1b-style
/// escapes; for every format meant for people.
std::string printable(std::string_view text);
/// The value in double quotes, printable, cut at 80 characters.
std::string quoted(std::string_view value);
// Exact matches, so that argument-dependent look-up never prefers std::quoted of <iomanip>.
inline std::string quoted(const std::string& value) { return quoted(std::string_view(value)); }
inline std::string quoted(std::string& value) { return quoted(std::string_view(value)); }
inline std::string quoted(const char* value) { return quoted(std::string_view(value)); }

/// Shortest text that reads back to the same double ("0.1", "1e+22"); "null" when not finite.
std::string shortest(double value);
/// `digits` significant digits, no exponent below 1e15, thousands separated by commas ("1,437",
/// "0.0123", "358.4").
std::string significant(double value, int digits);
/// With SI prefix and unit: si(3.584e14,"FLOP") = "358.4 TFLOP".
std::string si(double value, std::string_view unit, int digits = 4);
std::string with_commas(std::int64_t value);
/// Whole strict number; nullopt when anything is left over.
std::optional<double> parse_double(std::string_view text);
std::optional<std::int64_t> parse_int(std::string_view text);

}  // namespace portolan
