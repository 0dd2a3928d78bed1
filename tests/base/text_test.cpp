#include "base/text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace portolan {
namespace {

using Names = std::vector<std::string>;

TEST(TextTest, EditDistanceCountsASwapAsOne) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("trafic", "traffic"), 1);
  EXPECT_EQ(edit_distance("h100-smx", "h100-sxm"), 1);
  EXPECT_EQ(edit_distance("H100", "h100"), 0);
  EXPECT_EQ(edit_distance("ca", "abc"), 3);  // optimal string alignment, not the unrestricted one
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

TEST(TextTest, NearestNamesAreFewNearAndInOrder) {
  const std::vector<std::string_view> names{"h100-pcie", "h100-sxm", "h200-sxm", "a100-sxm", "l4"};
  EXPECT_EQ(nearest_names("h100-smx", names), (Names{"h100-sxm", "h200-sxm", "a100-sxm"}));
  EXPECT_EQ(nearest_names("h100-smx", names, 1), (Names{"h100-sxm"}));
  EXPECT_EQ(nearest_names("l5", names), (Names{"l4"}));
  EXPECT_TRUE(nearest_names("zzz", names).empty());
  EXPECT_TRUE(nearest_names(std::string(100'000, 'h'), names).empty());
  const std::vector<std::string_view> twice{"plan", "plan"};
  EXPECT_EQ(nearest_names("plna", twice), (Names{"plan"}));
}

TEST(TextTest, DidYouMean) {
  const std::vector<std::string_view> names{"traffic", "slo"};
  EXPECT_EQ(did_you_mean("trafic", names), "did you mean \"traffic\"?");
  EXPECT_EQ(did_you_mean("precision", names), "");
  const std::vector<std::string_view> two{"serve", "server"};
  EXPECT_EQ(did_you_mean("serv", two), "did you mean \"serve\"?");
  EXPECT_EQ(did_you_mean("servre", two), "did you mean \"serve\" or \"server\"?");
}

TEST(TextTest, NothingFromOutsideMovesTheCursor) {
  EXPECT_EQ(printable("plain é 模型"), "plain é 模型");
  EXPECT_EQ(printable("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(printable("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
  EXPECT_EQ(printable("\xff\xc0\xaf"), "\\xff\\xc0\\xaf");    // no UTF-8, overlong
  EXPECT_EQ(printable("\u202Eevil"), "\\xe2\\x80\\xaeevil");  // right-to-left override
  EXPECT_EQ(printable("\u009b0m"), "\\xc2\\x9b0m");           // one-character CSI
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");    // surrogate
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");  // cut short
}

TEST(TextTest, QuotedIsCutAtEightyCharacters) {
  EXPECT_EQ(quoted("abc"), "\"abc\"");
  std::string eighty, shown = "\"";
  eighty.append(80, 'x');
  shown += eighty;
  EXPECT_EQ(quoted(eighty), shown + '"');
  eighty += 'x';
  EXPECT_EQ(quoted(eighty), shown + "...\"");
  std::string accents;
  for (int i = 0; i < 80; ++i) accents += "é";
  EXPECT_EQ(quoted(accents), '"' + accents + '"');
}

TEST(TextTest, ShortestReadsBackAndStaysReadable) {
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(1e22), "1e+22");
  EXPECT_EQ(shortest(100000), "100000");
  EXPECT_EQ(shortest(358400000000000), "358400000000000");
  EXPECT_EQ(shortest(1e16), "1e+16");
  EXPECT_EQ(shortest(0.00001), "0.00001");
  EXPECT_EQ(shortest(0), "0");
  EXPECT_EQ(shortest(-0.0), "-0");
  EXPECT_EQ(shortest(std::nan("")), "null");
  EXPECT_EQ(shortest(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(shortest(5e-324), "5e-324");
}

TEST(TextTest, SignificantDigits) {
  EXPECT_EQ(significant(1437.2, 4), "1,437");
  EXPECT_EQ(significant(1437.2, 3), "1,440");
  EXPECT_EQ(significant(0.01234, 3), "0.0123");
  EXPECT_EQ(significant(358.4, 4), "358.4");
  EXPECT_EQ(significant(80, 4), "80");
  EXPECT_EQ(significant(-1234567, 4), "-1,235,000");
  EXPECT_EQ(significant(999.96, 4), "1,000");
  EXPECT_EQ(significant(0, 4), "0");
  EXPECT_EQ(significant(1.5e18, 4), "1.5e18");
  EXPECT_EQ(significant(std::nan(""), 4), "–");
}

TEST(TextTest, SiPrefixes) {
  EXPECT_EQ(si(3.584e14, "FLOP"), "358.4 TFLOP");
  EXPECT_EQ(si(999.96, "B"), "1 kB");
  EXPECT_EQ(si(0.0005, "s"), "500 µs");
  EXPECT_EQ(si(1, "s"), "1 s");
  EXPECT_EQ(si(0.1, "s"), "100 ms");
  EXPECT_EQ(si(0, "s"), "0 s");
  EXPECT_EQ(si(-2e9, "B"), "-2 GB");
  EXPECT_EQ(si(3.14e23, "FLOP", 3), "314 ZFLOP");
}

TEST(TextTest, WithCommas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(-1234567), "-1,234,567");
  EXPECT_EQ(with_commas(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(TextTest, NumbersAreStrict) {
  EXPECT_EQ(parse_double("1.5e3"), 1500);
  EXPECT_EQ(parse_double("1e-400"), 0);
  for (const char* text : {"", " 1", "1 ", "nan", "inf", "1e400", "0x10", "1,5", "+1"}) {
    EXPECT_EQ(parse_double(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_int("-12"), -12);
  EXPECT_EQ(parse_int("9223372036854775808"), std::nullopt);
  EXPECT_EQ(parse_int("1.0"), std::nullopt);
}

TEST(TextTest, SmallTools) {
  EXPECT_EQ(to_lower("H100-SXM"), "h100-sxm");
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim("   "), "");
  EXPECT_EQ(split("a:b::c", ':'), (std::vector<std::string_view>{"a", "b", "", "c"}));
  EXPECT_EQ(split("", ':'), (std::vector<std::string_view>{""}));
  EXPECT_TRUE(starts_with_ignoring_case("NVIDIA H100", "nvidia"));
  EXPECT_FALSE(starts_with_ignoring_case("nv", "nvidia"));
}

}  // namespace
}  // namespace portolan
