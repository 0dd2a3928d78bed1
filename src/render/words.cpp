#include "render/words.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"
#include "base/units_text.hpp"

namespace portolan::render {

std::string number(const std::optional<double>& value, int digits) {
  return value ? significant(*value, digits) : kUnknown;
}

std::string time_text(const std::optional<Seconds>& value) {
  return value ? duration_text(*value, 3) : kUnknown;
}

std::string bytes(Bytes value) { return si(value.raw(), "B"); }

std::string percent(double share) { return significant(share * 100, 3) + " %"; }

std::string parameters(double count) {
  if (count >= 1e12) return significant(count / 1e12, 3) + "T";
  if (count >= 1e9) return significant(count / 1e9, 3) + "B";
  if (count >= 1e6) return significant(count / 1e6, 3) + "M";
  return significant(count, 3);
}

std::string whole_number(double count) {
  return std::abs(count) < 9e15 ? with_commas(std::llround(count)) : fmt::format("{:.4g}", count);
}

std::string count_of(std::size_t count) { return with_commas(static_cast<std::int64_t>(count)); }

std::string price(const std::optional<Money>& amount) { return amount ? amount->text() : kUnknown; }

std::string price_cell(const std::optional<Money>& amount) {
  return amount ? price_cell(amount->dollars()) : kUnknown;
}

std::string price_cell(double usd) { return fmt::format("{:.3f}", usd); }

std::string plural(double count, std::string_view noun) {
  return fmt::format("{} {}{}", whole_number(count), noun, count == 1 ? "" : "s");
}

std::string known(const std::string& text) { return text.empty() ? kUnknown : text; }

}  // namespace portolan::render
