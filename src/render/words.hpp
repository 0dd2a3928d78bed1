// Figures as a person reads them: three digits for estimates, exact for prices, "–" for unknown.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/money.hpp"
#include "base/quantity.hpp"

namespace portolan::render {

inline constexpr const char* kUnknown = "–";

std::string number(const std::optional<double>& value, int digits = 3);
/// "2.5 s", "223 ms": three digits, because a time is an estimate.
std::string time_text(const std::optional<Seconds>& value);
std::string bytes(Bytes value);  // "141.1 GB"
std::string percent(double share);
/// "175B", "8.03B", "361M": how people write numbers of parameters.
std::string parameters(double count);
std::string whole_number(double count);  // "1,024"
std::string count_of(std::size_t count);
/// Exact, for prose: "2.5".
std::string price(const std::optional<Money>& amount);
/// For columns: three decimals, so that the points are below each other.
std::string price_cell(const std::optional<Money>& amount);
std::string price_cell(double usd);
/// "1 replica", "3 replicas".
std::string plural(double count, std::string_view noun);
std::string joined(const auto& items, std::string_view separator) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += separator;
    out += item;
  }
  return out;
}
std::string known(const std::string& text);  // "–" when empty

}  // namespace portolan::render
