#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace portolan {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Characters that move the cursor, hide text or reorder it on a screen.
bool is_unprintable(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

std::string printable_within(std::string_view text, std::size_t most_characters, bool& cut) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++characters) {
    if (characters == most_characters) {
      cut = true;
      break;
    }
    std::uint32_t code_point = 0;
    const std::size_t length = utf8_length(text, at, code_point);
    if (length > 0 && !is_unprintable(code_point)) {
      out += text.substr(at, length);
    } else {
      for (const char c : text.substr(at, std::max<std::size_t>(length, 1))) {
        const auto byte = static_cast<unsigned char>(c);
        out += "\\x";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
      }
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string group_thousands(std::string digits) {
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

// The value rounded to `digits` significant digits: ±digits × 10^exponent.
struct Rounded {
  bool negative = false;
  std::string digits;  // no trailing zeros
  int exponent = 0;    // of the first digit: 3.58e14 has 14
};

Rounded round_to(double value, int digits) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value),
                                 std::chars_format::scientific, std::clamp(digits, 1, 17) - 1);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  const std::size_t e = text.find('e');
  Rounded rounded;
  rounded.negative = std::signbit(value);
  for (const char c : text.substr(0, e)) {
    if (c != '.') rounded.digits += c;
  }
  rounded.digits.erase(std::max<std::size_t>(rounded.digits.find_last_not_of('0') + 1, 1));
  const std::string_view exponent = text.substr(e + 1);
  const std::size_t sign = exponent[0] == '+' ? 1 : 0;
  std::from_chars(exponent.data() + sign, exponent.data() + exponent.size(), rounded.exponent);
  return rounded;
}

std::string plain(const Rounded& number) {
  std::string text;
  const auto count = static_cast<int>(number.digits.size());
  if (number.exponent < 0) {
    text = "0." + std::string(static_cast<std::size_t>(-number.exponent - 1), '0') + number.digits;
  } else if (count <= number.exponent + 1) {
    text = group_thousands(number.digits +
                           std::string(static_cast<std::size_t>(number.exponent + 1 - count), '0'));
  } else {
    const auto whole = static_cast<std::size_t>(number.exponent) + 1;
    text = group_thousands(number.digits.substr(0, whole)) + '.' + number.digits.substr(whole);
  }
  return number.negative && number.digits != "0" ? '-' + text : text;
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at, std::uint32_t& code_point) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) {
    code_point = first;
    return 1;
  }
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  code_point = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80) return 0;
    code_point = code_point << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  return code_point < kLeast[length] || code_point > 0x10FFFF || surrogate ? 0 : length;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return parts;
    at = end + 1;
  }
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

int edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: d(i-2, ·), d(i-1, ·), d(i, ·).
  std::vector<int> before(b.size() + 1), above(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      current[j] = std::min({above[j] + 1, current[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, current);
  }
  return above[b.size()];
}

std::vector<std::string> nearest_names(std::string_view name,
                                       std::span<const std::string_view> candidates,
                                       std::size_t most) {
  // Names longer than any real one would only make the table large.
  constexpr std::size_t kLongestName = 256;
  if (name.size() > kLongestName) return {};
  const int limit = std::max(1, static_cast<int>(name.size() / 3));
  std::vector<std::pair<int, std::size_t>> near;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto difference =
        static_cast<std::int64_t>(candidates[i].size()) - static_cast<std::int64_t>(name.size());
    if (std::abs(difference) > limit) continue;
    const int distance = edit_distance(name, candidates[i]);
    if (distance <= limit) near.emplace_back(distance, i);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (const auto& [distance, index] : near) {
    if (names.size() == most) break;
    if (std::find(names.begin(), names.end(), candidates[index]) == names.end()) {
      names.emplace_back(candidates[index]);
    }
  }
  return names;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
  const std::vector<std::string> names = nearest_names(name, candidates);
  if (names.empty()) return {};
  std::string text = "did you mean ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += quoted(names[i]);
  }
  return text + '?';
}

std::string printable(std::string_view text) {
  bool cut = false;
  return printable_within(text, text.size(), cut);
}

std::string quoted(std::string_view value) {
  constexpr std::size_t kMostCharacters = 80;
  bool cut = false;
  const std::string shown = printable_within(value, kMostCharacters, cut);
  return '"' + shown + (cut ? "...\"" : "\"");
}

std::string shortest(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 40> buffer{};
  const double magnitude = std::fabs(value);
  // to_chars alone would write 100000 as 1e+05; like other JSON writers, keep plain notation for
  // magnitudes people read.
  const bool fixed = value == 0 || (magnitude >= 1e-5 && magnitude < 1e16);
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  return {buffer.data(), end.ptr};
}

std::string significant(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  if (value == 0) return "0";
  const Rounded number = round_to(value, digits);
  if (number.exponent < 15 && number.exponent >= -15) return plain(number);
  std::string text = number.negative ? "-" : "";
  text += number.digits[0];
  if (number.digits.size() > 1) text += '.' + number.digits.substr(1);
  return text + 'e' + std::to_string(number.exponent);
}

std::string si(double value, std::string_view unit, int digits) {
  static constexpr std::array<std::string_view, 12> kPrefixes{"p", "n", "µ", "m", "",  "k",
                                                              "M", "G", "T", "P", "E", "Z"};
  constexpr int kNone = 4;
  if (!std::isfinite(value)) return "–";
  if (value == 0) return "0 " + std::string(unit);
  // Rounding first: 999.96 with four digits is 1 k, not 1,000.
  Rounded number = round_to(value, digits);
  const int thousands = number.exponent >= 0 ? number.exponent / 3 : (number.exponent - 2) / 3;
  const int prefix = std::clamp(thousands + kNone, 0, static_cast<int>(kPrefixes.size()) - 1);
  number.exponent -= 3 * (prefix - kNone);
  return plain(number) + ' ' + std::string(kPrefixes[static_cast<std::size_t>(prefix)]) +
         std::string(unit);
}

std::string with_commas(std::int64_t value) {
  const std::uint64_t magnitude =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const std::string digits = group_thousands(std::to_string(magnitude));
  return value < 0 ? '-' + digits : digits;
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  // from_chars does not tell too small from too large; strtod gives zero or infinity.
  if (problem == std::errc::result_out_of_range)
    value = std::strtod(std::string(text).c_str(), nullptr);
  if (problem == std::errc::invalid_argument || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_int(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace portolan
