#include "base/date.hpp"

#include <array>
#include <cstdio>

#include "base/text.hpp"

namespace portolan {
namespace {

// Days from civil date and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
constexpr std::int32_t days_from_civil(int year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const int era = (year >= 0 ? year : year - 399) / 400;
  const int year_of_era = year - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

constexpr bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

constexpr int days_in_month(int year, int month) {
  constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

// The decimal digits text[at, at + length), or -1.
int digits(std::string_view text, std::size_t at, std::size_t length) {
  if (at + length > text.size()) return -1;
  int value = 0;
  for (const char c : text.substr(at, length)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// What RFC 3339 allows after the date: "T12:00:00Z", " 12:00:00.5+01:00", also "T12:00Z".
bool is_time_of_day(std::string_view text) {
  if (text.empty() || (text[0] != 'T' && text[0] != 't' && text[0] != ' ')) return false;
  const auto two = [&](std::size_t at, int most) {
    const int value = digits(text, at, 2);
    return value >= 0 && value <= most;
  };
  if (!two(1, 23) || text.substr(3, 1) != ":" || !two(4, 59)) return false;
  std::size_t at = 6;
  if (text.substr(at, 1) == ":") {
    if (!two(at + 1, 60)) return false;
    at += 3;
    if (text.substr(at, 1) == ".") {
      const std::size_t first = ++at;
      while (digits(text, at, 1) >= 0) ++at;
      if (at == first) return false;
    }
  }
  const std::string_view zone = text.substr(at);
  if (zone == "Z" || zone == "z") return true;
  return zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && two(at + 1, 23) &&
         zone[3] == ':' && two(at + 4, 59);
}

std::unexpected<Error> not_a_date(std::string_view text, std::string hint) {
  return fail(ErrorCode::kInvalidInput, quoted(text) + " is not a date", std::move(hint));
}

// One date of an interval, which may leave out the day or the month: its first and last day.
Result<DateInterval> parse_span(std::string_view text) {
  const int year = digits(text, 0, 4);
  if (year >= 1 && text.size() == 4) {
    return DateInterval{Date{days_from_civil(year, 1, 1)}, Date{days_from_civil(year, 12, 31)}};
  }
  const int month = digits(text, 5, 2);
  if (year >= 1 && text.size() == 7 && text[4] == '-' && month >= 1 && month <= 12) {
    return DateInterval{Date{days_from_civil(year, month, 1)},
                        Date{days_from_civil(year, month, days_in_month(year, month))}};
  }
  const Date day = PORTOLAN_TRY(parse_date(text));
  return DateInterval{day, day};
}

}  // namespace

std::string Date::text() const {
  const std::int64_t shifted = std::int64_t{days} + 719468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t day_of_era = shifted - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04lld-%02lld-%02lld", static_cast<long long>(year),
                static_cast<long long>(month), static_cast<long long>(day));
  return buffer.data();
}

Result<Date> parse_date(std::string_view text) {
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (year < 1 || month < 0 || day < 0 || text[4] != '-' || text[7] != '-' ||
      (text.size() > 10 && !is_time_of_day(text.substr(10)))) {
    return not_a_date(text, "write YYYY-MM-DD, such as 2026-06-18");
  }
  if (month < 1 || month > 12) {
    return not_a_date(text, "the month is " + std::to_string(month) + "; months are 01 to 12");
  }
  if (day < 1 || day > days_in_month(year, month)) {
    return not_a_date(text,
                      "that month has " + std::to_string(days_in_month(year, month)) + " days");
  }
  return Date{days_from_civil(year, month, day)};
}

Result<DateInterval> parse_date_interval(std::string_view text) {
  std::string_view core = trim(text);
  if (!core.empty() && core.back() == ')') {
    const std::size_t open = core.find('(');
    if (open != std::string_view::npos) core = trim(core.substr(0, open));
  }
  if (core.starts_with("<=")) {
    const DateInterval bound = PORTOLAN_TRY(parse_span(trim(core.substr(2))));
    return DateInterval{std::nullopt, bound.latest};
  }
  const std::size_t dots = core.find("..");
  if (dots == std::string_view::npos) return parse_span(core);
  const DateInterval from = PORTOLAN_TRY(parse_span(trim(core.substr(0, dots))));
  const DateInterval to = PORTOLAN_TRY(parse_span(trim(core.substr(dots + 2))));
  if (*to.latest < *from.earliest) {
    return fail(ErrorCode::kInvalidInput, quoted(text) + " ends before it begins",
                "write the earlier date first");
  }
  return DateInterval{from.earliest, to.latest};
}

}  // namespace portolan
