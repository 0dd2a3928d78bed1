// Laws of the foundations, tried on random values.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/money.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"

namespace portolan {
namespace {

constexpr std::int64_t kLarge = 4'000'000'000'000'000'000;

RC_GTEST_PROP(MoneyLaws, TextAndBackIsTheSameAmount, (std::int64_t nano)) {
  const Money money = Money::from_nano(nano == INT64_MIN ? 0 : nano);
  bool rounded = true;
  RC_ASSERT(*Money::parse(money.text(), &rounded) == money);
  RC_ASSERT(!rounded);
}

RC_GTEST_PROP(MoneyLaws, SumsDoNotDependOnOrder, ()) {
  auto amounts = *rc::gen::container<std::vector<std::int64_t>>(
      rc::gen::inRange<std::int64_t>(-1'000'000'000'000, 1'000'000'000'000));
  const auto sum = [](const std::vector<std::int64_t>& nanos) {
    Money total;
    for (const std::int64_t nano : nanos) total = *checked_add(total, Money::from_nano(nano));
    return total;
  };
  const Money before = sum(amounts);
  std::reverse(amounts.begin(), amounts.end());
  RC_ASSERT(sum(amounts) == before);
  std::sort(amounts.begin(), amounts.end());
  RC_ASSERT(sum(amounts) == before);
}

RC_GTEST_PROP(MoneyLaws, DivisionIsOffByAtMostHalfANanoDollar, ()) {
  const auto nano = *rc::gen::inRange<std::int64_t>(-kLarge, kLarge);
  const auto divisor = *rc::gen::inRange<std::int64_t>(1, 1'000'000'000);
  const std::int64_t quotient = divide(Money::from_nano(nano), divisor).nano();
  const std::int64_t difference = nano - quotient * divisor;
  RC_ASSERT(2 * std::abs(difference) <= divisor);
  if (2 * std::abs(difference) == divisor) RC_ASSERT(quotient % 2 == 0);
}

RC_GTEST_PROP(MoneyLaws, ParsingRoundsByAtMostHalfANanoDollar, ()) {
  const auto whole = *rc::gen::inRange<std::int64_t>(0, 9'000'000'000);
  const auto pico = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000);
  std::string digits = std::to_string(pico);
  digits.insert(0, 12 - digits.size(), '0');
  const Money money = *Money::parse(std::to_string(whole) + '.' + digits);
  const std::int64_t error_pico = (money.nano() - whole * 1'000'000'000) * 1000 - pico;
  RC_ASSERT(std::abs(error_pico) <= 500);
}

RC_GTEST_PROP(MoneyLaws, PerTokenPricesScaleExactly, ()) {
  // Any price per million tokens with nine decimals is fifteen decimals per token.
  const auto nano = *rc::gen::inRange<std::int64_t>(0, kLarge);
  const Money per_million = Money::from_nano(nano);
  std::string digits = std::to_string(nano);
  if (digits.size() < 16) digits.insert(0, 16 - digits.size(), '0');
  digits.insert(digits.size() - 15, ".");
  bool rounded = true;
  RC_ASSERT(*Money::parse_scaled(digits, 6, &rounded) == per_million);
  RC_ASSERT(!rounded);
}

RC_GTEST_PROP(MoneyLaws, EstimatesRoundByAtMostHalfANanoDollar, ()) {
  const auto dividend = *rc::gen::inRange<std::int64_t>(-9'000'000'000, 9'000'000'000);
  const auto divisor = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
  const double dollars = static_cast<double>(dividend) / static_cast<double>(divisor);
  const Money money = *to_money(Usd(dollars));
  const long double error =
      static_cast<long double>(money.nano()) - static_cast<long double>(dollars) * 1e9L;
  RC_ASSERT(std::fabs(error) <= 0.5L);
}

RC_GTEST_PROP(MoneyLaws, AnHourAtAPricePerHourCostsThePrice, ()) {
  const Money price = Money::from_nano(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000));
  RC_ASSERT(*to_money(price.per_hour() * kHour) == price);
}

RC_GTEST_PROP(TextLaws, ShortestReadsBackToTheSameDouble, (double value)) {
  if (!std::isfinite(value)) return;
  RC_ASSERT(*parse_double(shortest(value)) == value);
}

RC_GTEST_PROP(TextLaws, PrintableTwiceIsPrintableOnce, (std::string text)) {
  const std::string once = printable(text);
  RC_ASSERT(printable(once) == once);
}

RC_GTEST_PROP(TextLaws, EditDistanceIsSymmetricAndBounded, (std::string a, std::string b)) {
  const int distance = edit_distance(a, b);
  RC_ASSERT(distance == edit_distance(b, a));
  RC_ASSERT(distance <= static_cast<int>(std::max(a.size(), b.size())));
  RC_ASSERT(edit_distance(a, a) == 0);
}

// What a person would write: up to four significant digits and a unit.
double few_digits() {
  return *rc::gen::inRange(1, 10'000) * std::pow(10.0, *rc::gen::inRange(-3, 16));
}

RC_GTEST_PROP(QuantityLaws, PrintedBytesReadBack, ()) {
  const double value = std::floor(few_digits());
  const std::string text = bytes_text(Bytes(value));
  const double read = parse_bytes(text)->raw();
  RC_ASSERT(std::fabs(read - value) <= 0.5e-3 * value);
  RC_ASSERT(bytes_text(Bytes(read)) == text);
}

RC_GTEST_PROP(QuantityLaws, PrintedDurationsReadBack, ()) {
  const double value = few_digits() * 1e-6;
  const std::string text = duration_text(Seconds(value));
  const double read = parse_duration(text)->raw();
  RC_ASSERT(std::fabs(read - value) <= 0.51e-3 * value + 1e-13);
  RC_ASSERT(duration_text(Seconds(read)) == text);
}

RC_GTEST_PROP(QuantityLaws, EveryUnitScalesItsNumber, ()) {
  struct Row {
    const char* unit;
    double factor;
  };
  const auto number = *rc::gen::inRange(0, 100'000);
  const std::string digits = std::to_string(number);
  const Row bytes = *rc::gen::elementOf(std::vector<Row>{{"B", 1},
                                                         {"kB", 1e3},
                                                         {"MB", 1e6},
                                                         {"GB", 1e9},
                                                         {"TB", 1e12},
                                                         {"KiB", 1024},
                                                         {"GiB", 0x1p30}});
  RC_ASSERT(parse_bytes(digits + bytes.unit)->raw() == number * bytes.factor);
  const Row count = *rc::gen::elementOf(
      std::vector<Row>{{"", 1}, {"k", 1e3}, {"M", 1e6}, {"B", 1e9}, {"T", 1e12}});
  RC_ASSERT(*parse_count(digits + count.unit) == number * count.factor);
  const Row time = *rc::gen::elementOf(std::vector<Row>{
      {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"mo", kMonth.raw()}, {"y", kYear.raw()}});
  RC_ASSERT(parse_duration(digits + time.unit)->raw() == number * time.factor);
}

RC_GTEST_PROP(QuantityLaws, NoTextBreaksAParser, (std::string text)) {
  // Results do not matter here; the sanitizers and checks do.
  (void)parse_bytes(text);
  (void)parse_count(text);
  (void)parse_duration(text);
  (void)parse_share(text);
  (void)parse_requests_per_second(text);
  (void)parse_usd_rate(text);
  (void)parse_usd(text);
  (void)parse_count_range(text);
}

RC_GTEST_PROP(QuantityLaws, DivisionUndoesMultiplication, ()) {
  const Flop work(static_cast<double>(*rc::gen::inRange<std::int64_t>(1, kLarge)));
  const FlopPerSecond speed(static_cast<double>(*rc::gen::inRange<std::int64_t>(1, kLarge)));
  const Flop back = work / speed * speed;
  RC_ASSERT(std::fabs(back.raw() - work.raw()) <= work.raw() * 0x1p-52);
}

}  // namespace
}  // namespace portolan
