#include "base/money.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.hpp"
#include "base/text.hpp"

namespace portolan {
namespace {

constexpr int kNanoDigits = 9;
// Exponents beyond this are out of range (or zero) whatever the digits: the text is capped.
constexpr int kMostExponent = 100'000;
constexpr std::size_t kMostText = 400;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal number taken apart: value = ±digits × 10^exponent, without leading zeros.
struct Decimal {
  bool negative = false;
  std::string digits;
  int exponent = 0;
};

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal decimal;
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) {
    decimal.negative = text[at] == '-';
    ++at;
  }
  bool any = false;
  bool after_point = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !after_point) {
      after_point = true;
    } else if (is_digit(text[at])) {
      any = true;
      if (after_point) --decimal.exponent;
      if (text[at] != '0' || !decimal.digits.empty()) decimal.digits += text[at];
    } else {
      break;
    }
  }
  if (!any) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    bool negative = false;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) {
      negative = text[at] == '-';
      ++at;
    }
    if (at == text.size()) return std::nullopt;
    int exponent = 0;
    for (; at < text.size() && is_digit(text[at]); ++at) {
      exponent = std::min(kMostExponent, exponent * 10 + (text[at] - '0'));
    }
    decimal.exponent += negative ? -exponent : exponent;
  }
  if (at != text.size()) return std::nullopt;
  return decimal;
}

std::unexpected<Error> out_of_range(std::string_view text) {
  return std::unexpected(Error{.code = ErrorCode::kLimit,
                               .message = "amount " + quoted(text) + " is out of range",
                               .where = {},
                               .why = "exact amounts reach 9,223,372,036.85 USD either way",
                               .hint = {},
                               .also = {}});
}

}  // namespace

Result<Money> Money::parse(std::string_view text, bool* rounded) {
  return parse_scaled(text, 0, rounded);
}

Result<Money> Money::parse_scaled(std::string_view text, int decimal_shift, bool* rounded) {
  if (rounded != nullptr) *rounded = false;
  const std::optional<Decimal> decimal =
      text.size() <= kMostText ? parse_decimal(text) : std::nullopt;
  if (!decimal) {
    return fail(ErrorCode::kMalformed, quoted(text) + " is not an amount",
                "write a decimal number such as 2.49");
  }
  std::string digits = decimal->digits;
  if (digits.empty()) return Money();
  const int shift = decimal->exponent + kNanoDigits + decimal_shift;
  bool up = false;
  if (shift >= 0) {
    if (shift > 19 || digits.size() + static_cast<std::size_t>(shift) > 19) {
      return out_of_range(text);
    }
    digits.append(static_cast<std::size_t>(shift), '0');
  } else {
    const auto drop = static_cast<std::size_t>(-shift);
    // Zeros in front make room for the digit to round, however small the amount is.
    if (digits.size() < drop) digits.insert(0, drop - digits.size(), '0');
    const std::string lost = digits.substr(digits.size() - drop);
    digits.resize(digits.size() - drop);
    if (digits.size() > 19) return out_of_range(text);
    const bool odd = !digits.empty() && (digits.back() - '0') % 2 == 1;
    const bool beyond_half = lost.find_first_not_of('0', 1) != std::string::npos;
    up = lost[0] > '5' || (lost[0] == '5' && (beyond_half || odd));
    if (rounded != nullptr) *rounded = lost.find_first_not_of('0') != std::string::npos;
  }
  std::uint64_t nano = 0;  // at most 19 digits: below 10^19 < 2^64
  for (const char c : digits) nano = nano * 10 + static_cast<std::uint64_t>(c - '0');
  nano += up ? 1 : 0;
  if (nano > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return out_of_range(text);
  }
  const auto amount = static_cast<std::int64_t>(nano);
  return from_nano(decimal->negative ? -amount : amount);
}

std::string Money::text() const {
  const bool negative = nano_ < 0;
  const std::uint64_t magnitude =
      negative ? 0 - static_cast<std::uint64_t>(nano_) : static_cast<std::uint64_t>(nano_);
  std::string whole = std::to_string(magnitude / 1'000'000'000);
  std::string fraction = std::to_string(magnitude % 1'000'000'000);
  fraction.insert(0, kNanoDigits - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) whole += '.' + fraction;
  return negative ? '-' + whole : whole;
}

std::optional<Money> checked_add(Money a, Money b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.nano(), b.nano(), &sum)) return std::nullopt;
  return Money::from_nano(sum);
}

std::optional<Money> checked_multiply(Money a, std::int64_t factor) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a.nano(), factor, &product)) return std::nullopt;
  return Money::from_nano(product);
}

Money divide(Money a, std::int64_t divisor) {
  PORTOLAN_CHECK(divisor > 0);
  std::int64_t quotient = a.nano() / divisor;
  const std::int64_t remainder = a.nano() % divisor;
  // 2 · |remainder| against divisor, without overflow.
  const std::int64_t distance = remainder < 0 ? -remainder : remainder;
  const std::int64_t left = divisor - distance;
  if (distance > left || (distance == left && quotient % 2 != 0)) {
    quotient += a.nano() < 0 ? -1 : 1;
  }
  return Money::from_nano(quotient);
}

std::optional<Money> to_money(Usd estimate) {
  // value · 1e9 is split into a whole part and an exact rest, so that rounding happens once.
  const double value = estimate.raw();
  const double product = value * 1e9;
  if (!(std::fabs(product) < 9.2233720368547e18)) return std::nullopt;
  const double whole = std::nearbyint(product);
  const double rest = (product - whole) + std::fma(value, 1e9, -product);
  return Money::from_nano(static_cast<std::int64_t>(whole) +
                          static_cast<std::int64_t>(std::nearbyint(rest)));
}

}  // namespace portolan
