// Times as traces spell them, exact to the picosecond.
#include <charconv>
#include <cstdlib>
#include <optional>

#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Days since 1970-01-01 (H. Hinnant's algorithm).
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

}  // namespace

std::optional<Instant> parse_instant(std::string_view text, Time scale) {
  // Digits that count, as one number, and the power of ten it is to be multiplied with.
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  Instant value = 0;
  int power = 0, digits = 0, kept = 0;
  bool fraction = false;
  std::size_t at = 0;
  constexpr int kMostDigits = 30;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !fraction) {
      fraction = true;
    } else if (is_digit(c)) {
      ++digits;
      if (kept < kMostDigits) {
        value = value * 10 + (c - '0');
        if (value > 0) ++kept;
        if (fraction) --power;
      } else if (!fraction) {
        ++power;
      }
    } else {
      break;
    }
  }
  if (digits == 0) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    int exponent = 0;
    const auto [end, fault] =
        std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    constexpr int kMostExponent = 1000;
    if (fault != std::errc() || std::abs(exponent) > kMostExponent) return std::nullopt;
    power += exponent;
    at = static_cast<std::size_t>(end - text.data());
  }
  if (at != text.size()) return std::nullopt;
  for (Time unit = scale; unit > 1; unit /= 10) ++power;
  constexpr Instant kMost = Instant{100'000'000'000'000} * 1'000'000'000'000;
  for (; power > 0 && value != 0; --power) {
    value *= 10;
    if (value > kMost) return std::nullopt;
  }
  if (power < 0 && value != 0) {
    Instant half = 0;
    for (; power < 0 && (value != 0 || half != 0); ++power) {
      half = value % 10;
      value /= 10;
    }
    constexpr int kRoundUp = 5;
    if (power == 0 && half >= kRoundUp) ++value;
  }
  if (value > kMost) return std::nullopt;
  return negative ? -value : value;
}

std::optional<Instant> parse_date(std::string_view text) {
  const auto digits = [&](std::size_t count) -> std::int64_t {
    std::int64_t value = 0;
    if (text.size() < count) return -1;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
  };
  const auto pass = [&](char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  };
  const std::int64_t year = digits(4);
  if (year < 1970 || !pass('-')) return std::nullopt;
  const std::int64_t month = digits(2);
  if (month < 1 || month > 12 || !pass('-')) return std::nullopt;
  const std::int64_t day = digits(2);
  if (day < 1 || day > 31 || (!pass(' ') && !pass('T'))) return std::nullopt;
  const std::int64_t hour = digits(2);
  if (hour < 0 || hour > 23 || !pass(':')) return std::nullopt;
  const std::int64_t minute = digits(2);
  if (minute < 0 || minute > 59 || !pass(':')) return std::nullopt;
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  const std::optional<Instant> second = parse_instant(text.substr(0, end), kSecond);
  if (end < 2 || !second || *second >= Instant{61} * kSecond) return std::nullopt;
  text.remove_prefix(end);
  std::int64_t offset = 0;  // minutes
  if (text.starts_with('+') || text.starts_with('-')) {
    const std::int64_t sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
    const std::int64_t hours = digits(2);
    pass(':');
    const std::int64_t minutes = text.empty() ? 0 : digits(2);
    if (hours < 0 || minutes < 0) return std::nullopt;
    offset = sign * (hours * 60 + minutes);
  } else if (!pass('Z')) {
    if (text == " UTC") text = {};
  }
  if (!text.empty()) return std::nullopt;
  const std::int64_t minutes =
      (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset;
  return Instant{minutes} * 60 * kSecond + *second;
}

}  // namespace portolan::simulation
