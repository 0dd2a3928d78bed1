// Calendar dates and date intervals of prices and sources: "2026-06-18", "2026-08",
// "2026-04..2026-08", "<=2026-03-22".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portolan {

/// Days since 1970-01-01 (proleptic Gregorian).
struct Date {
  std::int32_t days = 0;
  friend constexpr auto operator<=>(Date, Date) = default;
  [[nodiscard]] std::string text() const;  // YYYY-MM-DD
};
inline std::int32_t days_between(Date from, Date to) { return to.days - from.days; }

/// Strict YYYY-MM-DD (an RFC 3339 time after it is accepted and dropped). Errors: malformed, no
/// such day.
Result<Date> parse_date(std::string_view text);

/// When something was observed: many sources give only bounds. An unknown end is nullopt, a day is
/// never invented.
struct DateInterval {
  std::optional<Date> earliest, latest;
  friend bool operator==(const DateInterval&, const DateInterval&) = default;
};
/// Also accepts YYYY, YYYY-MM, "A..B", "<=A" and a trailing remark in parentheses.
Result<DateInterval> parse_date_interval(std::string_view text);

}  // namespace portolan
