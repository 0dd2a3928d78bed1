// The quantity grammar of flags and job files: "80GB", "4M", "300ms", "$2.5/h", "30%", "1..8".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/quantity.hpp"
#include "base/result.hpp"

namespace portolan {

/// Each parser accepts the spellings of experience.md §9 and refuses ambiguous ones ("80G", bare
/// "5m") with both readings in the hint.
Result<Bytes> parse_bytes(std::string_view text);       // 80GB 80GiB 512MB 4096B (case-insensitive)
Result<double> parse_count(std::string_view text);      // 10k 4M 1.5B 15T 1e12 1_000
Result<Seconds> parse_duration(std::string_view text);  // 300ms 1s 2min 2h30min 30d 12mo 3y
Result<double> parse_share(std::string_view text);      // 30% 0.3
Result<double> parse_requests_per_second(std::string_view text);  // 5 (per second), 5rps, 300rpm
Result<UsdRate> parse_usd_rate(std::string_view text);  // 2.5 (per hour), $2.5/h, 900usd/mo
Result<Usd> parse_usd(std::string_view text);           // 900, $900, $40M

struct CountRange {
  std::optional<double> low, high;
};  // inclusive; "8" is [8,8]
Result<CountRange> parse_count_range(std::string_view text);  // 1..8 1.. ..8 8

/// Text a person reads and the parser accepts again: "80 GB", "2.5 min", …
std::string bytes_text(Bytes value);  // decimal units, 4 significant digits
std::string duration_text(Seconds value, int digits = 4);

}  // namespace portolan
