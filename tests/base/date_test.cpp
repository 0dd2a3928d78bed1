#include "base/date.hpp"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(DateTest, CountsDays) {
  EXPECT_EQ(parse_date("1970-01-01")->days, 0);
  EXPECT_EQ(parse_date("2000-03-01")->days, 11017);
  EXPECT_EQ(parse_date("1969-12-31")->days, -1);
  EXPECT_EQ(days_between(*parse_date("2026-06-18"), *parse_date("2026-11-22")), 157);
  EXPECT_LT(*parse_date("2026-06-18"), *parse_date("2026-06-19"));
}

TEST(DateTest, EveryDayPrintsAndReadsBack) {
  for (std::int32_t day = -719162; day < 2932896; day += 13) {  // 0001-01-01 to 9999-12-31
    const std::string text = Date{day}.text();
    const Result<Date> read = parse_date(text);
    ASSERT_TRUE(read) << text;
    ASSERT_EQ(read->days, day) << text;
  }
}

TEST(DateTest, ATimeOfDayIsDropped) {
  for (const char* text : {"2026-06-18T12:00:00Z", "2026-06-18t23:59:60z", "2026-06-18 12:00Z",
                           "2026-06-18T12:00:00.123+05:30"}) {
    ASSERT_TRUE(parse_date(text)) << text;
    EXPECT_EQ(parse_date(text)->text(), "2026-06-18");
  }
}

TEST(DateTest, RefusesWhatIsNoDay) {
  for (const char* text :
       {"", "2026", "2026-6-18", "26-06-18", "2026/06/18", "2026-13-01", "2026-00-10", "2026-02-29",
        "2026-04-31", "2026-06-00", "2026-06-18x", "2026-06-18T25:00:00Z", "2026-06-18T12:00:00",
        "2026-06-18T", "0000-01-01", "2026-06-18T12:00:00.Z", "2026-06-18T12:00:00+5:00"}) {
    EXPECT_FALSE(parse_date(text)) << text;
  }
  EXPECT_EQ(parse_date("2026-02-29").error().hint, "that month has 28 days");
  EXPECT_TRUE(parse_date("2028-02-29"));
  EXPECT_FALSE(parse_date("1900-02-29"));
}

TEST(DateTest, IntervalsKeepUnknownEndsUnknown) {
  const auto text = [](const std::optional<Date>& date) { return date ? date->text() : "?"; };
  struct Case {
    const char* written;
    const char* earliest;
    const char* latest;
  };
  for (const Case& c :
       {Case{"2026-06-18", "2026-06-18", "2026-06-18"}, Case{"2026-08", "2026-08-01", "2026-08-31"},
        Case{"2024-02", "2024-02-01", "2024-02-29"}, Case{"2025", "2025-01-01", "2025-12-31"},
        Case{"2026-04..2026-08", "2026-04-01", "2026-08-31"},
        Case{"2026-04-03 .. 2026-08", "2026-04-03", "2026-08-31"},
        Case{"<=2026-03-22", "?", "2026-03-22"}, Case{"<=2026-03", "?", "2026-03-31"},
        Case{"2026-06-18 (page copy)", "2026-06-18", "2026-06-18"}}) {
    const Result<DateInterval> interval = parse_date_interval(c.written);
    ASSERT_TRUE(interval) << c.written;
    EXPECT_EQ(text(interval->earliest), c.earliest) << c.written;
    EXPECT_EQ(text(interval->latest), c.latest) << c.written;
  }
  for (const char* text_only : {"", "soon", "2026-08..2026-04", "<=", "..", "2026-1", "(2026)"}) {
    EXPECT_FALSE(parse_date_interval(text_only)) << text_only;
  }
}

}  // namespace
}  // namespace portolan
