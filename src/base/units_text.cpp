#include "base/units_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace portolan {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kHourSeconds = 3600, kDaySeconds = 86400;
constexpr std::array<Unit, 13> kByteUnits{{{"B", 1},
                                           {"kB", 1e3},
                                           {"MB", 1e6},
                                           {"GB", 1e9},
                                           {"TB", 1e12},
                                           {"PB", 1e15},
                                           {"EB", 1e18},
                                           {"KiB", 1024.0},
                                           {"MiB", 1048576.0},
                                           {"GiB", 1073741824.0},
                                           {"TiB", 1099511627776.0},
                                           {"PiB", 1125899906842624.0},
                                           {"EiB", 1152921504606846976.0}}};
// From long to short: a compound duration (2h30min) descends.
constexpr std::array<Unit, 11> kTimeUnits{{{"y", kYear.raw()},
                                           {"mo", kMonth.raw()},
                                           {"w", 7 * kDaySeconds},
                                           {"d", kDaySeconds},
                                           {"h", kHourSeconds},
                                           {"min", 60},
                                           {"s", 1},
                                           {"ms", 1e-3},
                                           {"us", 1e-6},
                                           {"µs", 1e-6},
                                           {"ns", 1e-9}}};

std::unexpected<Error> refuse(std::string message, std::string hint) {
  return fail(ErrorCode::kInvalidInput, std::move(message), std::move(hint));
}

std::unexpected<Error> out_of_range(std::string_view text) {
  return fail(ErrorCode::kLimit, quoted(text) + " is out of range");
}

// Splits "1_000.5e3 GB" into the number without separators ("1000.5e3") and the unit ("GB").
// A number that is missing or malformed comes back empty.
struct NumberAndUnit {
  std::string number;
  std::string_view unit;
};

// Takes digits and the separators between them: '_', a thin space, a narrow no-break space.
std::size_t take_digits(std::string_view text, std::size_t at, std::string& out) {
  while (at < text.size()) {
    std::size_t skip = 0;
    if (at > 0 && is_digit(text[at - 1])) {
      if (text[at] == '_') skip = 1;
      for (const std::string_view space : {"\u2009", "\u202f"}) {
        if (text.substr(at).starts_with(space)) skip = space.size();
      }
    }
    if (at + skip >= text.size() || !is_digit(text[at + skip])) break;
    out += text[at + skip];
    at += skip + 1;
  }
  return at;
}

NumberAndUnit take_number(std::string_view text) {
  std::string number;
  std::size_t at = 0;
  if (!text.empty() && text[0] == '-') {
    number = "-";
    at = 1;
  }
  const std::size_t sign = number.size();
  at = take_digits(text, at, number);
  if (at < text.size() && text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1])) {
    if (number.size() == sign) number += '0';  // ".5"
    number += '.';
    at = take_digits(text, at + 1, number);
  }
  if (number.size() == sign) return {{}, text};
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    // "1e12" is a number; "1EB" is one exabyte.
    std::size_t digit = at + 1;
    if (digit < text.size() && (text[digit] == '+' || text[digit] == '-')) ++digit;
    if (digit < text.size() && is_digit(text[digit])) {
      number += 'e';
      if (text[digit - 1] == '-') number += '-';
      while (digit < text.size() && is_digit(text[digit])) number += text[digit++];
      at = digit;
    }
  }
  return {number, trim(text.substr(at))};
}

// number × 10^exponent, rounded once: the shift is made in the text.
std::optional<double> scaled(const std::string& number, int exponent) {
  const std::size_t e = number.find('e');
  int own = 0;
  if (e != std::string::npos) {
    const std::optional<std::int64_t> parsed = parse_int(number.substr(e + 1));
    if (!parsed || *parsed > 1000 || *parsed < -1000) return std::nullopt;
    own = static_cast<int>(*parsed);
  }
  return parse_double(number.substr(0, e) + 'e' + std::to_string(own + exponent));
}

// number × factor; where the factor is a power of ten, rounded once.
std::optional<double> times(const std::string& number, double factor) {
  static constexpr std::array<double, 10> kPowers{1e-9, 1e-6, 1e-3, 1,    1e3,
                                                  1e6,  1e9,  1e12, 1e15, 1e18};
  const auto power = std::find(kPowers.begin(), kPowers.end(), factor);
  if (power != kPowers.end()) {
    return scaled(number, 3 * static_cast<int>(power - kPowers.begin()) - 9);
  }
  const std::optional<double> value = scaled(number, 0);
  if (!value || !std::isfinite(*value * factor)) return std::nullopt;
  return *value * factor;
}

const Unit* find_unit(std::span<const Unit> units, std::string_view name, bool fold_case) {
  for (const Unit& unit : units) {
    if (name == unit.name || (fold_case && to_lower(name) == to_lower(unit.name))) return &unit;
  }
  return nullptr;
}

std::string unknown_unit_hint(std::span<const Unit> units, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Unit& unit : units) names.push_back(unit.name);
  std::string near = did_you_mean(name, names);
  if (!near.empty()) return near;
  std::string all = "use";
  for (const std::string_view known : names) {
    if (known != "µs") all += ' ' + std::string(known);
  }
  return all;
}

std::unexpected<Error> negative(std::string_view text) {
  return refuse(quoted(text) + " is negative", "give a value of 0 or more");
}

std::unexpected<Error> not_a_number(std::string_view text, std::string_view example) {
  return refuse(quoted(text) + " does not begin with a number",
                "write it like " + std::string(example));
}

constexpr std::string_view kCountHint = "use k (1e3), M (1e6), B (1e9) or T (1e12)";

// The power of ten of a count suffix, -1 for an unknown one.
int count_exponent(std::string_view suffix) {
  if (suffix.empty()) return 0;
  if (suffix == "k" || suffix == "K") return 3;
  if (suffix == "M") return 6;
  if (suffix == "B") return 9;
  if (suffix == "T") return 12;
  return -1;
}

std::string count_hint(std::string_view number, std::string_view suffix) {
  const std::string upper = suffix == "m"   ? "M"
                            : suffix == "b" ? "B"
                            : suffix == "t" ? "T"
                            : suffix == "G" ? "B"
                                            : "";
  if (upper.empty()) return std::string(kCountHint);
  return "write " + std::string(number) + upper + "; " + std::string(kCountHint);
}

// Takes "$" or "usd" from either end of an amount; a foreign currency is an error.
struct Dollars {
  std::string_view rest;
  bool marked = false;
};

Result<Dollars> take_dollars(std::string_view text) {
  if (text.starts_with('$')) return Dollars{trim(text.substr(1)), true};
  if (starts_with_ignoring_case(text, "usd")) return Dollars{trim(text.substr(3)), true};
  if (text.size() > 3 && to_lower(text.substr(text.size() - 3)) == "usd") {
    return Dollars{trim(text.substr(0, text.size() - 3)), true};
  }
  for (const std::string_view code :
       {"eur", "gbp", "jpy", "cny", "inr", "chf", "cad", "aud", "€", "£", "¥"}) {
    if (starts_with_ignoring_case(text, code) ||
        (text.size() > code.size() && to_lower(text.substr(text.size() - code.size())) == code)) {
      return refuse(quoted(text) + " is not in US dollars", "convert it and write $ or usd");
    }
  }
  return Dollars{text, false};
}

Result<double> parse_dollars(std::string_view amount, std::string_view text) {
  const auto [number, suffix] = take_number(amount);
  if (number.empty()) return not_a_number(text, "$2.5 or 900usd");
  const int exponent = count_exponent(suffix);
  if (exponent < 0) {
    return refuse(quoted(text) + " has an unknown unit " + quoted(suffix),
                  count_hint(number, suffix));
  }
  const std::optional<double> value = scaled(number, exponent);
  if (!value) return out_of_range(text);
  if (*value < 0) return negative(text);
  return *value;
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  const auto [number, unit_name] = take_number(trim(text));
  if (number.empty()) return not_a_number(text, "80GB");
  if (unit_name.empty()) {
    return refuse(quoted(text) + " has no unit", "write " + number + "GB or " + number + "B");
  }
  const Unit* unit = find_unit(kByteUnits, unit_name, true);
  if (unit == nullptr) {
    static constexpr std::string_view kPrefixes = "kmgtpe";
    const std::string folded = to_lower(unit_name);
    if (folded.size() <= 2 && kPrefixes.find(folded[0]) != std::string_view::npos &&
        (folded.size() == 1 || folded[1] == 'i')) {
      const std::size_t decimal = kPrefixes.find(folded[0]) + 1;
      const std::string si_name(kByteUnits[decimal].name);
      const std::string binary_name(kByteUnits[decimal + 6].name);
      const std::string power = std::to_string(3 * decimal);
      return refuse(quoted(text) + " is ambiguous",
                    "write " + number + si_name + " (1e" + power + " bytes each) or " + number +
                        binary_name + " (2^" + std::to_string(10 * decimal) + ")");
    }
    return refuse(quoted(text) + " has an unknown unit " + quoted(unit_name),
                  unknown_unit_hint(kByteUnits, unit_name));
  }
  const std::optional<double> value = times(number, unit->factor);
  if (!value) return out_of_range(text);
  if (*value < 0) return negative(text);
  return Bytes(std::nearbyint(*value));
}

Result<double> parse_count(std::string_view text) {
  const auto [number, suffix] = take_number(trim(text));
  if (number.empty()) return not_a_number(text, "4M or 1e12");
  const int exponent = count_exponent(suffix);
  if (exponent < 0) {
    return refuse(quoted(text) + " has an unknown unit " + quoted(suffix),
                  count_hint(number, suffix));
  }
  const std::optional<double> value = scaled(number, exponent);
  if (!value) return out_of_range(text);
  if (*value < 0) return negative(text);
  return *value;
}

Result<Seconds> parse_duration(std::string_view text) {
  std::string_view rest = trim(text);
  double total = 0;
  double last_factor = HUGE_VAL;
  do {
    const NumberAndUnit part = take_number(rest);
    if (part.number.empty()) return not_a_number(text, "300ms, 2h30min or 30d");
    std::size_t length = 0;
    while (length < part.unit.size() && !is_digit(part.unit[length]) && part.unit[length] != ' ' &&
           part.unit[length] != '.' && part.unit[length] != '-') {
      ++length;
    }
    const std::string_view unit_name = part.unit.substr(0, length);
    if (unit_name.empty()) {
      return refuse(quoted(text) + " has no unit",
                    "write " + part.number + "ms or " + part.number + "s");
    }
    if (unit_name == "m" || unit_name == "M") {
      return refuse(quoted(text) + " is ambiguous",
                    "write " + part.number + "min (minutes) or " + part.number + "mo (months)");
    }
    const Unit* unit = find_unit(kTimeUnits, unit_name, false);
    if (unit == nullptr) {
      return refuse(quoted(text) + " has an unknown unit " + quoted(unit_name),
                    unknown_unit_hint(kTimeUnits, unit_name));
    }
    if (unit->factor >= last_factor) {
      return refuse(quoted(text) + " repeats a unit or is out of order",
                    "write the longest unit first, like 2h30min");
    }
    last_factor = unit->factor;
    const std::optional<double> value = times(part.number, unit->factor);
    if (!value) return out_of_range(text);
    if (*value < 0 || part.number[0] == '-') return negative(text);
    total += *value;
    rest = trim(part.unit.substr(length));
  } while (!rest.empty());
  if (!std::isfinite(total)) return out_of_range(text);
  return Seconds(total);
}

Result<double> parse_share(std::string_view text) {
  const auto [number, unit] = take_number(trim(text));
  if (number.empty()) return not_a_number(text, "30% or 0.3");
  if (!unit.empty() && unit != "%") {
    return refuse(quoted(text) + " has an unknown unit " + quoted(unit), "write 30% or 0.3");
  }
  const std::optional<double> value = scaled(number, unit.empty() ? 0 : -2);
  if (!value) return out_of_range(text);
  if (*value < 0) return negative(text);
  if (*value > 1) {
    const bool percent_meant = unit.empty() && *value <= 100;
    return refuse(quoted(text) + " is above " + (unit.empty() ? "1" : "100%"),
                  percent_meant ? "write " + number + "%" : "a share is between 0% and 100%");
  }
  return *value;
}

Result<double> parse_requests_per_second(std::string_view text) {
  static constexpr std::array<Unit, 9> kRates{{{"", 1},
                                               {"rps", 1},
                                               {"/s", 1},
                                               {"rpm", 60},
                                               {"/min", 60},
                                               {"rph", 3600},
                                               {"/h", 3600},
                                               {"rpd", 86400},
                                               {"/d", 86400}}};
  const auto [number, unit_text] = take_number(trim(text));
  if (number.empty()) return not_a_number(text, "5rps or 300rpm");
  // "10k rpm": a count suffix may come before the unit.
  std::string_view unit_name = unit_text;
  int exponent = 0;
  const Unit* unit = find_unit(kRates, unit_name, true);
  if (unit == nullptr && !unit_name.empty() && count_exponent(unit_name.substr(0, 1)) > 0) {
    exponent = count_exponent(unit_name.substr(0, 1));
    unit_name = trim(unit_name.substr(1));
    unit = find_unit(kRates, unit_name, true);
  }
  if (unit == nullptr) {
    return refuse(quoted(text) + " has an unknown unit " + quoted(unit_name),
                  "write 5rps (per second), 300rpm (per minute), rph or rpd");
  }
  const std::optional<double> value = scaled(number, exponent);
  if (!value) return out_of_range(text);
  if (*value < 0) return negative(text);
  return *value / unit->factor;
}

Result<UsdRate> parse_usd_rate(std::string_view text) {
  std::string_view rest = trim(text);
  double seconds = kHourSeconds;
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view period = trim(rest.substr(slash + 1));
    const Unit* unit = find_unit(kTimeUnits, period, false);
    const bool hour = period == "hr" || period == "hour";
    if (unit == nullptr && !hour) {
      return refuse(
          quoted(text) + " has an unknown period " + quoted(period),
          period == "m" ? "write /min (minute) or /mo (month)" : "use /s /min /h /d /w /mo /y");
    }
    if (unit != nullptr) seconds = unit->factor;
    rest = trim(rest.substr(0, slash));
  }
  const Dollars dollars = PORTOLAN_TRY(take_dollars(rest));
  const double amount = PORTOLAN_TRY(parse_dollars(dollars.rest, text));
  return UsdRate(amount / seconds);
}

Result<Usd> parse_usd(std::string_view text) {
  const Dollars dollars = PORTOLAN_TRY(take_dollars(trim(text)));
  return Usd(PORTOLAN_TRY(parse_dollars(dollars.rest, text)));
}

Result<CountRange> parse_count_range(std::string_view text) {
  const std::string_view whole = trim(text);
  const std::size_t dots = whole.find("..");
  if (dots == std::string_view::npos) {
    const double value = PORTOLAN_TRY(parse_count(whole));
    return CountRange{value, value};
  }
  const std::string_view low = trim(whole.substr(0, dots)), high = trim(whole.substr(dots + 2));
  if (low.empty() && high.empty()) {
    return refuse(quoted(text) + " has no end", "write 1..8, 1.. or ..8");
  }
  CountRange range;
  if (!low.empty()) range.low = PORTOLAN_TRY(parse_count(low));
  if (!high.empty()) range.high = PORTOLAN_TRY(parse_count(high));
  if (range.low && range.high && *range.low > *range.high) {
    return refuse(quoted(text) + " is an empty range",
                  "write " + std::string(high) + ".." + std::string(low));
  }
  return range;
}

std::string bytes_text(Bytes value) {
  static constexpr std::array<std::string_view, 7> kNames{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double scaled_value = value.raw();
  std::size_t name = 0;
  // 999.95 of a unit would print as 1,000 with four digits.
  while (name + 1 < kNames.size() && std::fabs(scaled_value) >= 999.95) {
    scaled_value = value.raw() / kByteUnits[name + 1].factor;
    ++name;
  }
  std::string text = significant(scaled_value, 4);
  std::erase(text, ',');
  return text + ' ' + std::string(kNames[name]);
}

std::string duration_text(Seconds value, int digits) {
  static constexpr std::array<Unit, 8> kNames{{{"y", kYear.raw()},
                                               {"d", kDaySeconds},
                                               {"h", kHourSeconds},
                                               {"min", 60},
                                               {"s", 1},
                                               {"ms", 1e-3},
                                               {"us", 1e-6},
                                               {"ns", 1e-9}}};
  const double seconds = value.raw();
  if (seconds == 0) return "0 s";
  const Unit* unit = &kNames.back();
  for (const Unit& candidate : kNames) {
    if (std::fabs(seconds) >= candidate.factor * 0.99995) {
      unit = &candidate;
      break;
    }
  }
  std::string text = significant(seconds / unit->factor, digits);
  std::erase(text, ',');
  return text + ' ' + std::string(unit->name);
}

}  // namespace portolan
