// Exact catalogue money: signed 64-bit nano-dollars, parsed from and printed as decimal text, never
// through a double.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/quantity.hpp"
#include "base/result.hpp"

namespace portolan {

/// An exact amount of US dollars (or dollars per hour, or per million tokens: the field's name says
/// which), in nano-dollars. Range ±9,223,372,036.85 USD.
class Money {
 public:
  constexpr Money() = default;
  static constexpr Money from_nano(std::int64_t nano) {
    Money m;
    m.nano_ = nano;
    return m;
  }

  /// Parses decimal text exactly: digits, optional sign, point and exponent ("0.00000008", "1e-07",
  /// "32.7726"). More than nine decimals round half to even; `rounded` (if given) tells. Errors:
  /// malformed text, out of range (limit).
  static Result<Money> parse(std::string_view text, bool* rounded = nullptr);
  /// Shifts the decimal point by `decimal_shift` digits first (6 turns USD per token into USD per
  /// million tokens).
  static Result<Money> parse_scaled(std::string_view text, int decimal_shift,
                                    bool* rounded = nullptr);

  [[nodiscard]] constexpr std::int64_t nano() const { return nano_; }
  [[nodiscard]] constexpr double dollars() const { return static_cast<double>(nano_) / 1e9; }
  /// The amount read as USD per hour.
  [[nodiscard]] constexpr UsdRate per_hour() const { return UsdRate(dollars() / 3600.0); }

  /// Shortest decimal text that holds the exact amount, e.g. "3.67339", "0", "-1.5".
  [[nodiscard]] std::string text() const;

  friend constexpr auto operator<=>(Money, Money) = default;

 private:
  std::int64_t nano_ = 0;
};

/// Checked arithmetic: nullopt on overflow.
std::optional<Money> checked_add(Money a, Money b);
std::optional<Money> checked_multiply(Money a, std::int64_t factor);
/// a / divisor rounded half to even; divisor > 0.
Money divide(Money a, std::int64_t divisor);
/// Rounds an estimate to whole nano-dollars, half to even; nullopt when out of range or not finite.
std::optional<Money> to_money(Usd estimate);

}  // namespace portolan
