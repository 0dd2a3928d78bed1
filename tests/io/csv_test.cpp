#include <gtest/gtest.h>

#include "io/csv_reader.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

CsvTable read(std::string_view text) {
  Result<CsvTable> table = parse_csv(text, "t.csv");
  EXPECT_TRUE(table) << text << (table ? "" : format_error(table.error()));
  return table ? *std::move(table) : CsvTable();
}

TEST(CsvTest, TheCasesPeopleWrite) {
  EXPECT_EQ(read("a,b,c\n1,2,3\n").rows, (Rows{{"1", "2", "3"}}));
  EXPECT_EQ(read("a,b,c\r\n1,2,3\r\n").rows, (Rows{{"1", "2", "3"}}));
  EXPECT_EQ(read("a,b\r1,2\r").rows, (Rows{{"1", "2"}}));
  EXPECT_EQ(read("a,b\n1,2").rows, (Rows{{"1", "2"}}));
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "a,b\n1,2\n")
                .header,
            (Row{"a", "b"}));
  EXPECT_EQ(read("a,b\n\"x, y\",2\n").rows, (Rows{{"x, y", "2"}}));
  EXPECT_EQ(read("a,b\n\"say \"\"hi\"\"\",2\n").rows, (Rows{{"say \"hi\"", "2"}}));
  EXPECT_EQ(read("a,b\n\"two\nlines\",2\n").rows, (Rows{{"two\nlines", "2"}}));
  EXPECT_EQ(read("a,b\r\n\"two\r\nlines\",2\r\n").rows, (Rows{{"two\r\nlines", "2"}}));
  EXPECT_EQ(read("a,b\n,\n\"\",\"\"\n").rows, (Rows{{"", ""}, {"", ""}}));
  EXPECT_EQ(read("a,b\n\"{\"\"k\"\": \"\"v, w\"\"}\",Ä€\n").rows,
            (Rows{{"{\"k\": \"v, w\"}", "Ä€"}}));
  EXPECT_EQ(read("a\n\n1\n\n\n2\n\n").rows, (Rows{{"1"}, {"2"}}));
  EXPECT_EQ(read("a,b\n6\" pipe,37'37.8\"N\n").rows, (Rows{{"6\" pipe", "37'37.8\"N"}}));
  EXPECT_EQ(read("a\n").rows, Rows());
}

TEST(CsvTest, ColumnsAndLines) {
  const CsvTable table = read("a,b\n1,\"x\ny\"\n3,4\n");
  EXPECT_EQ(table.column("b"), 1);
  EXPECT_EQ(table.column("c"), -1);
  EXPECT_EQ(table.lines, (std::vector<std::uint64_t>{2, 4}));
}

TEST(CsvTest, ProblemsHaveAPlace) {
  struct Case {
    const char* text;
    const char* place;
    const char* message;
  };
  for (const Case& c :
       {Case{"", "t.csv:1:1", "the table is empty"},
        Case{"\n\n", "t.csv:3:1", "the table is empty"},
        Case{"a,b\n1\n", "t.csv:2", "the row has 1 cells, the header has 2"},
        Case{"a,b\n1,2\n1,2,3\n", "t.csv:3", "the row has 3 cells, the header has 2"},
        Case{"a,b\n1,\"x\n", "t.csv:2:3", "a quoted cell is not closed"},
        Case{"a,b\n\"x\"y,1\n", "t.csv:2:4", "text after the closing quote of a cell"},
        Case{"a,b,a\n", "t.csv:1", "column \"a\" appears twice in the header"}}) {
    const Result<CsvTable> table = parse_csv(c.text, "t.csv");
    ASSERT_FALSE(table) << c.text;
    EXPECT_EQ(table.error().where.text(), c.place) << c.text;
    EXPECT_EQ(table.error().message, c.message) << c.text;
  }
}

TEST(CsvTest, CapsAreLimits) {
  EXPECT_EQ(parse_csv("a\n" + std::string(64 * 1024, 'x') + "\n", "t")->rows.size(), 1u);
  EXPECT_EQ(parse_csv("a\n" + std::string(64 * 1024 + 1, 'x'), "t").error().code,
            ErrorCode::kLimit);
  EXPECT_EQ(parse_csv("a\n\"" + std::string(64 * 1024 + 1, 'x') + '"', "t").error().code,
            ErrorCode::kLimit);
  std::string wide = "c0";
  for (int i = 1; i < 1024; ++i) wide += ",c" + std::to_string(i);
  EXPECT_TRUE(parse_csv(wide, "t"));
  EXPECT_EQ(parse_csv(wide + ",more", "t").error().code, ErrorCode::kLimit);
}

TEST(CsvTest, RowByRow) {
  CsvReader reader("a,b\n1,2\n\"x\n\",4\n", "t");
  Row cells;
  EXPECT_TRUE(*reader.next(cells));
  EXPECT_EQ(cells, (Row{"a", "b"}));
  EXPECT_TRUE(*reader.next(cells));
  EXPECT_EQ(cells, (Row{"1", "2"}));
  EXPECT_EQ(reader.row_line(), 2u);
  EXPECT_TRUE(*reader.next(cells));
  EXPECT_EQ(cells, (Row{"x\n", "4"}));
  EXPECT_FALSE(*reader.next(cells));
  EXPECT_FALSE(*reader.next(cells));
}

TEST(CsvTest, WritesWhatItReads) {
  EXPECT_EQ(csv_line(Row{"a", "b,c", "say \"hi\"", "two\nlines", ""}, false),
            "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",\n");
  EXPECT_EQ(csv_line(Row{""}, false), "\"\"\n");
  EXPECT_EQ(csv_line(Row{"\xef\xbb\xbf"
                         "a"},
                     false),
            "\"\xef\xbb\xbf"
            "a\"\n");
}

TEST(CsvTest, FormulasAreGuardedNumbersAreNot) {
  EXPECT_EQ(csv_line(Row{"=1+1", "-2.5", "+3", "@x", "-x", "\tx", "a=b", "+1e3"}, true),
            "'=1+1,-2.5,+3,'@x,'-x,'\tx,a=b,+1e3\n");
  EXPECT_EQ(csv_line(Row{"=1+1", "\rx"}, false), "=1+1,\"\rx\"\n");
}

}  // namespace
}  // namespace portolan::io
