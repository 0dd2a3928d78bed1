#include "base/money.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace portolan {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t nano(std::string_view text) {
  const Result<Money> money = Money::parse(text);
  EXPECT_TRUE(money) << text;
  return money ? money->nano() : -1;
}

TEST(MoneyTest, ReadsDecimalTextExactly) {
  EXPECT_EQ(nano("32.7726"), 32'772'600'000);
  EXPECT_EQ(nano("0.00000008"), 80);
  EXPECT_EQ(nano("1e-07"), 100);
  EXPECT_EQ(nano("-1.5"), -1'500'000'000);
  EXPECT_EQ(nano("+2"), 2'000'000'000);
  EXPECT_EQ(nano(".5"), 500'000'000);
  EXPECT_EQ(nano("5."), 5'000'000'000);
  EXPECT_EQ(nano("1.2E3"), 1'200'000'000'000);
  EXPECT_EQ(nano("000000000000000000000000000000000001"), 1'000'000'000);
  EXPECT_EQ(nano("-0.0"), 0);
}

TEST(MoneyTest, ReachesTheEndsOfItsRangeAndNoFurther) {
  EXPECT_EQ(nano("9223372036.854775807"), kMost);
  EXPECT_EQ(nano("-9223372036.854775807"), -kMost);
  for (const char* text :
       {"9223372036.854775808", "1e10", "1e400", "-99999999999", "9223372036.8547758075000001"}) {
    const Result<Money> money = Money::parse(text);
    ASSERT_FALSE(money) << text;
    EXPECT_EQ(money.error().code, ErrorCode::kLimit) << text;
  }
  EXPECT_EQ(nano("0e99999999999999999999"), 0);
  EXPECT_EQ(nano("1e-99999999999999999999"), 0);
}

TEST(MoneyTest, RoundsHalfToEvenAndSaysSo) {
  struct Case {
    const char* text;
    std::int64_t nano;
    bool rounded;
  };
  for (const Case& c :
       {Case{"0.0000000005", 0, true}, Case{"0.0000000015", 2, true}, Case{"0.0000000025", 2, true},
        Case{"0.00000000250001", 3, true}, Case{"0.0000000024999", 2, true},
        Case{"0.00000000100", 1, false}, Case{"-0.0000000015", -2, true}, Case{"1e-30", 0, true}}) {
    bool rounded = !c.rounded;
    const Result<Money> money = Money::parse(c.text, &rounded);
    ASSERT_TRUE(money) << c.text;
    EXPECT_EQ(money->nano(), c.nano) << c.text;
    EXPECT_EQ(rounded, c.rounded) << c.text;
  }
}

TEST(MoneyTest, ScalesPerTokenPricesToMillionsInTheText) {
  // 0.0805 USD per million tokens is 80.5 nano-dollars per token: exact only per million.
  bool rounded = true;
  EXPECT_EQ(Money::parse_scaled("0.0000000805", 6, &rounded)->text(), "0.0805");
  EXPECT_FALSE(rounded);
  EXPECT_EQ(Money::parse_scaled("8.05e-08", 6)->text(), "0.0805");
  EXPECT_EQ(Money::parse_scaled("250", -2)->text(), "2.5");  // cents
}

TEST(MoneyTest, RefusesWhatIsNoAmount) {
  for (const char* text : {"", "-", ".", "e5", "1e", "1e+", "1.2.3", "1,000", "$5", "0x10", " 1",
                           "1 ", "nan", "inf", "1e5e5", "--1"}) {
    const Result<Money> money = Money::parse(text);
    ASSERT_FALSE(money) << text;
    EXPECT_EQ(money.error().code, ErrorCode::kMalformed) << text;
  }
  EXPECT_FALSE(Money::parse(std::string(100'000, '1')));
}

TEST(MoneyTest, PrintsTheShortestExactText) {
  EXPECT_EQ(Money::from_nano(3'673'390'000).text(), "3.67339");
  EXPECT_EQ(Money().text(), "0");
  EXPECT_EQ(Money::from_nano(-1'500'000'000).text(), "-1.5");
  EXPECT_EQ(Money::from_nano(1).text(), "0.000000001");
  EXPECT_EQ(Money::from_nano(std::numeric_limits<std::int64_t>::min()).text(),
            "-9223372036.854775808");
}

TEST(MoneyTest, ArithmeticIsChecked) {
  EXPECT_EQ(checked_add(Money::from_nano(kMost), Money::from_nano(1)), std::nullopt);
  EXPECT_EQ(checked_add(Money::from_nano(kMost), Money::from_nano(-1))->nano(), kMost - 1);
  EXPECT_EQ(checked_multiply(Money::from_nano(kMost / 2), 3), std::nullopt);
  EXPECT_EQ(checked_multiply(Money::from_nano(-7), 3)->nano(), -21);
  EXPECT_EQ(divide(Money::from_nano(5), 2).nano(), 2);
  EXPECT_EQ(divide(Money::from_nano(7), 2).nano(), 4);
  EXPECT_EQ(divide(Money::from_nano(-5), 2).nano(), -2);
  EXPECT_EQ(divide(Money::from_nano(-7), 4).nano(), -2);
  EXPECT_EQ(divide(Money::from_nano(kMost), kMost).nano(), 1);
}

TEST(MoneyTest, EstimatesRoundOnceAtTheEnd) {
  EXPECT_EQ(to_money(Usd(2.5))->nano(), 2'500'000'000);
  EXPECT_EQ(to_money(Usd(0.1))->nano(), 100'000'000);
  EXPECT_EQ(to_money(Usd(9.0e9))->text(), "9000000000");
  EXPECT_EQ(to_money(Usd(1e10)), std::nullopt);
  EXPECT_EQ(to_money(Usd(std::numeric_limits<double>::quiet_NaN())), std::nullopt);
  EXPECT_EQ(to_money(Usd(-std::numeric_limits<double>::infinity())), std::nullopt);
}

TEST(MoneyTest, PerHourAndBackIsTheSamePrice) {
  const Money price = *Money::parse("32.7726");
  EXPECT_EQ(to_money(price.per_hour() * kHour), price);
}

}  // namespace
}  // namespace portolan
