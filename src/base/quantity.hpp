// Typed physical quantities: a FLOP count, a FLOP rate, bytes, seconds, dollars cannot be mixed by
// mistake.
#pragma once

#include <compare>
#include <cstdint>

namespace portolan {

/// Exponents of the base dimensions: seconds, bytes, FLOP, joules, US dollars, tokens.
struct Dim {
  std::int8_t time = 0, byte = 0, flop = 0, joule = 0, usd = 0, token = 0;
  friend constexpr bool operator==(const Dim&, const Dim&) = default;
};

constexpr Dim operator+(Dim a, Dim b) {
  auto add = [](std::int8_t x, std::int8_t y) { return static_cast<std::int8_t>(x + y); };
  return {add(a.time, b.time),   add(a.byte, b.byte), add(a.flop, b.flop),
          add(a.joule, b.joule), add(a.usd, b.usd),   add(a.token, b.token)};
}
constexpr Dim operator-(Dim a, Dim b) {
  auto sub = [](std::int8_t x, std::int8_t y) { return static_cast<std::int8_t>(x - y); };
  return {sub(a.time, b.time),   sub(a.byte, b.byte), sub(a.flop, b.flop),
          sub(a.joule, b.joule), sub(a.usd, b.usd),   sub(a.token, b.token)};
}

/// One double in base units (s, B, FLOP, J, USD, token and their quotients).
/// Construction is explicit, there is no way back to double but `raw()` and `in(unit)`.
template <Dim D>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double base_units) : value_(base_units) {}
  [[nodiscard]] constexpr double raw() const { return value_; }
  [[nodiscard]] constexpr double in(Quantity unit) const { return value_ / unit.value_; }

  constexpr Quantity& operator+=(Quantity o) {
    value_ += o.value_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity o) {
    value_ -= o.value_;
    return *this;
  }
  constexpr Quantity& operator*=(double f) {
    value_ *= f;
    return *this;
  }
  constexpr Quantity& operator/=(double f) {
    value_ /= f;
    return *this;
  }

  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity(a.value_ + b.value_);
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity(a.value_ - b.value_);
  }
  friend constexpr Quantity operator-(Quantity a) { return Quantity(-a.value_); }
  friend constexpr Quantity operator*(Quantity a, double f) { return Quantity(a.value_ * f); }
  friend constexpr Quantity operator*(double f, Quantity a) { return Quantity(a.value_ * f); }
  friend constexpr Quantity operator/(Quantity a, double f) { return Quantity(a.value_ / f); }
  friend constexpr auto operator<=>(Quantity, Quantity) = default;

 private:
  double value_ = 0.0;
};

namespace detail {
template <Dim D>
struct QuantityOrNumber {
  using type = Quantity<D>;
};
template <>
struct QuantityOrNumber<Dim{}> {
  using type = double;
};
}  // namespace detail

template <Dim A, Dim B>
constexpr auto operator*(Quantity<A> a, Quantity<B> b) {
  using R = typename detail::QuantityOrNumber<A + B>::type;
  return R(a.raw() * b.raw());
}
template <Dim A, Dim B>
constexpr auto operator/(Quantity<A> a, Quantity<B> b) {
  using R = typename detail::QuantityOrNumber<A - B>::type;
  return R(a.raw() / b.raw());
}

using Seconds = Quantity<Dim{.time = 1}>;
using Bytes = Quantity<Dim{.byte = 1}>;
using BytesPerSecond = Quantity<Dim{.time = -1, .byte = 1}>;
using Flop = Quantity<Dim{.flop = 1}>;
using FlopPerSecond = Quantity<Dim{.time = -1, .flop = 1}>;
using Joules = Quantity<Dim{.joule = 1}>;
using Watts = Quantity<Dim{.time = -1, .joule = 1}>;
using Usd = Quantity<Dim{.usd = 1}>;
/// Stored in USD per second; `kUsdPerHour` is the unit people speak in.
using UsdRate = Quantity<Dim{.time = -1, .usd = 1}>;
using Tokens = Quantity<Dim{.token = 1}>;
using TokensPerSecond = Quantity<Dim{.time = -1, .token = 1}>;
using UsdPerToken = Quantity<Dim{.usd = 1, .token = -1}>;

inline constexpr Seconds kSecond{1.0}, kMillisecond{1e-3}, kMicrosecond{1e-6}, kMinute{60.0},
    kHour{3600.0}, kDay{86400.0};
/// A year is 365.25 days = 8,766 h and a month is a twelfth of it, 730.5 h.
inline constexpr Seconds kYear{8766.0 * 3600.0}, kMonth{730.5 * 3600.0};
inline constexpr Bytes kByte{1.0}, kGB{1e9}, kGiB{1073741824.0}, kMB{1e6}, kMiB{1048576.0},
    kTB{1e12};
inline constexpr BytesPerSecond kGBPerSecond{1e9};
inline constexpr Flop kFlop{1.0}, kTFlop{1e12};
inline constexpr FlopPerSecond kTFlopPerSecond{1e12};
inline constexpr Watts kWatt{1.0};
inline constexpr Joules kJoule{1.0}, kKilowattHour{3.6e6};
inline constexpr Usd kUsd{1.0};
inline constexpr UsdRate kUsdPerHour{1.0 / 3600.0};
inline constexpr Tokens kToken{1.0};
inline constexpr UsdPerToken kUsdPerMillionTokens{1e-6};

}  // namespace portolan
