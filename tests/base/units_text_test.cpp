#include "base/units_text.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace portolan {
namespace {

template <class T>
const Error& error_of(const Result<T>& result) {
  static const Error kNone;
  EXPECT_FALSE(result);
  return result ? kNone : result.error();
}

TEST(UnitsTextTest, Bytes) {
  EXPECT_EQ(parse_bytes("80GB")->raw(), 80e9);
  EXPECT_EQ(parse_bytes("80gb")->raw(), 80e9);
  EXPECT_EQ(parse_bytes("80 GiB")->raw(), 80.0 * 1073741824);
  EXPECT_EQ(parse_bytes("512MB")->raw(), 512e6);
  EXPECT_EQ(parse_bytes("1TB")->raw(), 1e12);
  EXPECT_EQ(parse_bytes("4096B")->raw(), 4096);
  EXPECT_EQ(parse_bytes("1.1GB")->raw(), 1.1e9);
  EXPECT_EQ(parse_bytes("1EB")->raw(), 1e18);
  EXPECT_EQ(parse_bytes("1e3kB")->raw(), 1e6);
  EXPECT_EQ(parse_bytes("0B")->raw(), 0);
}

TEST(UnitsTextTest, AmbiguousBytesOfferBothReadings) {
  EXPECT_EQ(error_of(parse_bytes("80G")).message, "\"80G\" is ambiguous");
  EXPECT_EQ(error_of(parse_bytes("80G")).hint, "write 80GB (1e9 bytes each) or 80GiB (2^30)");
  EXPECT_EQ(error_of(parse_bytes("2k")).hint, "write 2kB (1e3 bytes each) or 2KiB (2^10)");
  EXPECT_EQ(error_of(parse_bytes("80")).hint, "write 80GB or 80B");
  EXPECT_EQ(error_of(parse_bytes("80GX")).message, "\"80GX\" has an unknown unit \"GX\"");
  EXPECT_EQ(error_of(parse_bytes("-1GB")).message, "\"-1GB\" is negative");
  EXPECT_EQ(error_of(parse_bytes("1e999GB")).code, ErrorCode::kLimit);
  EXPECT_FALSE(parse_bytes(""));
  EXPECT_FALSE(parse_bytes("GB"));
}

TEST(UnitsTextTest, Counts) {
  EXPECT_EQ(parse_count("10k"), 1e4);
  EXPECT_EQ(parse_count("4M"), 4e6);
  EXPECT_EQ(parse_count("1.5B"), 1.5e9);
  EXPECT_EQ(parse_count("15T"), 15e12);
  EXPECT_EQ(parse_count("1e12"), 1e12);
  EXPECT_EQ(parse_count("1_000"), 1000);
  EXPECT_EQ(parse_count("1\u2009000"), 1000);
  EXPECT_EQ(parse_count("1\u202f000\u202f000"), 1e6);
  EXPECT_EQ(parse_count("1.1M"), 1.1e6);
  EXPECT_EQ(parse_count("7"), 7);
  EXPECT_EQ(error_of(parse_count("4m")).hint,
            "write 4M; use k (1e3), M (1e6), B (1e9) or T (1e12)");
  for (const char* text : {"", "k", "1__0", "_1", "1_", "1.", "1,000", "0x10", "4 M B", "-3"}) {
    EXPECT_FALSE(parse_count(text)) << text;
  }
}

TEST(UnitsTextTest, Durations) {
  EXPECT_EQ(parse_duration("300ms")->raw(), 0.3);
  EXPECT_EQ(parse_duration("1s")->raw(), 1);
  EXPECT_EQ(parse_duration("2min")->raw(), 120);
  EXPECT_EQ(parse_duration("2h30min")->raw(), 9000);
  EXPECT_EQ(parse_duration("2 h 30 min")->raw(), 9000);
  EXPECT_EQ(parse_duration("1.5h")->raw(), 5400);
  EXPECT_EQ(parse_duration("30d")->raw(), 30 * 86400.0);
  EXPECT_EQ(*parse_duration("12mo"), kYear);
  EXPECT_EQ(*parse_duration("3y"), 3.0 * kYear);
  EXPECT_EQ(parse_duration("50us")->raw(), 50e-6);
  EXPECT_EQ(parse_duration("0s")->raw(), 0);
}

TEST(UnitsTextTest, ABareDurationOrALoneMIsRefused) {
  EXPECT_EQ(error_of(parse_duration("300")).message, "\"300\" has no unit");
  EXPECT_EQ(error_of(parse_duration("300")).hint, "write 300ms or 300s");
  EXPECT_EQ(error_of(parse_duration("5m")).hint, "write 5min (minutes) or 5mo (months)");
  EXPECT_EQ(error_of(parse_duration("5sec")).message, "\"5sec\" has an unknown unit \"sec\"");
  EXPECT_EQ(error_of(parse_duration("30min2h")).message,
            "\"30min2h\" repeats a unit or is out of order");
  EXPECT_FALSE(parse_duration("2h30"));
  EXPECT_FALSE(parse_duration("-5s"));
  EXPECT_FALSE(parse_duration("2h-30min"));
  EXPECT_FALSE(parse_duration("2h30min junk"));
}

TEST(UnitsTextTest, Shares) {
  EXPECT_EQ(parse_share("30%"), 0.3);
  EXPECT_EQ(parse_share("0.3"), 0.3);
  EXPECT_EQ(parse_share("100%"), 1);
  EXPECT_EQ(error_of(parse_share("30")).hint, "write 30%");
  EXPECT_EQ(error_of(parse_share("130%")).hint, "a share is between 0% and 100%");
  EXPECT_FALSE(parse_share("-1%"));
}

TEST(UnitsTextTest, Rates) {
  EXPECT_EQ(parse_requests_per_second("5"), 5);
  EXPECT_EQ(parse_requests_per_second("5rps"), 5);
  EXPECT_EQ(parse_requests_per_second("300rpm"), 5);
  EXPECT_EQ(parse_requests_per_second("18k rph"), 5);
  EXPECT_EQ(parse_requests_per_second("5/s"), 5);
  EXPECT_FALSE(parse_requests_per_second("5rpx"));
}

TEST(UnitsTextTest, Money) {
  EXPECT_DOUBLE_EQ(parse_usd_rate("2.5")->in(kUsdPerHour), 2.5);
  EXPECT_DOUBLE_EQ(parse_usd_rate("$2.5/h")->in(kUsdPerHour), 2.5);
  EXPECT_DOUBLE_EQ(parse_usd_rate("2.5usd/h")->in(kUsdPerHour), 2.5);
  EXPECT_DOUBLE_EQ(parse_usd_rate("730.5usd/mo")->in(kUsdPerHour), 1);
  EXPECT_DOUBLE_EQ(parse_usd_rate("$24/d")->in(kUsdPerHour), 1);
  EXPECT_EQ(parse_usd("900")->raw(), 900);
  EXPECT_EQ(parse_usd("$900")->raw(), 900);
  EXPECT_EQ(parse_usd("$40M")->raw(), 40e6);
  EXPECT_EQ(parse_usd("40M usd")->raw(), 40e6);
  EXPECT_EQ(error_of(parse_usd("5eur")).message, "\"5eur\" is not in US dollars");
  EXPECT_EQ(error_of(parse_usd_rate("5/m")).hint, "write /min (minute) or /mo (month)");
  EXPECT_FALSE(parse_usd("-5"));
  EXPECT_FALSE(parse_usd_rate("5/"));
}

TEST(UnitsTextTest, Ranges) {
  EXPECT_EQ(parse_count_range("1..8")->low, 1);
  EXPECT_EQ(parse_count_range("1..8")->high, 8);
  EXPECT_EQ(parse_count_range("1..")->high, std::nullopt);
  EXPECT_EQ(parse_count_range("..8")->low, std::nullopt);
  EXPECT_EQ(parse_count_range("8")->low, 8);
  EXPECT_EQ(parse_count_range("8")->high, 8);
  EXPECT_EQ(error_of(parse_count_range("8..4")).hint, "write 4..8");
  EXPECT_FALSE(parse_count_range(".."));
  EXPECT_FALSE(parse_count_range("1..2..3"));
}

TEST(UnitsTextTest, PrintsWhatItReads) {
  EXPECT_EQ(bytes_text(Bytes(80e9)), "80 GB");
  EXPECT_EQ(bytes_text(Bytes(162.6e9)), "162.6 GB");
  EXPECT_EQ(bytes_text(Bytes(999.96e6)), "1 GB");
  EXPECT_EQ(bytes_text(Bytes(0)), "0 B");
  EXPECT_EQ(duration_text(Seconds(0.3)), "300 ms");
  EXPECT_EQ(duration_text(Seconds(150)), "2.5 min");
  EXPECT_EQ(duration_text(Seconds(0)), "0 s");
  EXPECT_EQ(duration_text(30.0 * kDay), "30 d");
  EXPECT_EQ(duration_text(3.0 * kYear), "3 y");
}

}  // namespace
}  // namespace portolan
