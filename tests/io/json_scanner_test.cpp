// The scanner reads what JSON is and refuses what it is not, at the right column.
#include "io/json_scanner.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

// The problem with a whole value; empty when there is none.
std::string problem_of(const std::string& text) {
  JsonScanner json(text);
  json.skip();
  json.finish();
  return json.problem();
}

TEST(JsonScanner, ReadsMembersInAnyOrder) {
  const std::string text =
      R"( {"a" : 12, "ids":[0, 18446744073709551615 ,7], "s":"x\u00e9\n\ud83d\ude00\"", "n":null,)"
      R"( "deep":{"x":[1,{"y":[]}]}, "f":-1.5e3, "whole":1.2e1} )";
  JsonScanner json(text);
  std::string_view key;
  std::vector<std::string> keys;
  for (json.begin_object(); json.next_key(key);) {
    keys.emplace_back(key);
    if (key == "a") {
      EXPECT_EQ(json.integer(), 12);
    }
    if (key == "whole") {
      EXPECT_EQ(json.integer(), 12);
    }
    if (key == "ids") {
      std::vector<std::uint64_t> ids;
      json.integers(ids);
      EXPECT_EQ(ids, (std::vector<std::uint64_t>{0, ~std::uint64_t{0}, 7}));
    }
    if (key == "s") {
      std::string value;
      json.string(value);
      EXPECT_EQ(value, "x\xC3\xA9\n\xF0\x9F\x98\x80\"");
    }
    if (key == "n") {
      EXPECT_TRUE(json.null());
    }
    if (key == "deep") {
      EXPECT_EQ(json.skip(), R"({"x":[1,{"y":[]}]})");
    }
    if (key == "f") {
      EXPECT_EQ(json.number(), "-1.5e3");
    }
  }
  EXPECT_TRUE(json.finish()) << json.problem();
  EXPECT_EQ(keys.size(), 7u);
}

TEST(JsonScanner, RefusesWhatIsNotJson) {
  for (const char* const bad :
       {"",          " ",           "{",        "[",    "{]",   "[}",    "{\"a\"}",
        "{\"a\":}",  "{\"a\":1,}",  "{,}",      "[1,]", "[,1]", "[1 2]", "{\"a\":1 \"b\":2}",
        "{a:1}",     "01",          "1.",       ".5",   "1e",   "1e+",   "-",
        "+1",        "tru",         "nul",      "NaN",  "\"",   "\"\\",  "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "1 2",  "{} x", "[[[",   "\"abc"}) {
    EXPECT_NE(problem_of(bad), "") << bad;
    EXPECT_FALSE(parse_json(bad, "f", DuplicateKeys::kKeepLast)) << bad;
  }
  for (const char* const good : {"0", "-0", "1.5", "1e5", "1E-5", "\"\"", "\"\\u0041\\/\"", "[]",
                                 "{}", "[[],{}]", "true", " false ", "{\"a\":[1,\"b\",null]}"}) {
    EXPECT_EQ(problem_of(good), "") << good;
    EXPECT_TRUE(parse_json(good, "f", DuplicateKeys::kKeepLast)) << good;
  }
}

TEST(JsonScanner, TheColumnIsThatOfTheProblem) {
  const std::string text = "{\"a\": 1, \"b\": x}";
  JsonScanner json(text);
  json.skip();
  EXPECT_FALSE(json.finish());
  EXPECT_EQ(json.column(), 15u);
}

TEST(JsonScanner, NumbersHaveBounds) {
  const auto integer = [](const std::string& text) {
    JsonScanner json(text);
    json.integer();
    return std::string(json.problem());
  };
  EXPECT_EQ(integer("9223372036854775807"), "");
  EXPECT_NE(integer("9223372036854775808"), "");
  EXPECT_NE(integer("1.5"), "");
  EXPECT_NE(integer("1e99"), "");
  const auto list = [](const std::string& text) {
    JsonScanner json(text);
    std::vector<std::uint64_t> to;
    json.integers(to);
    return std::string(json.problem());
  };
  EXPECT_EQ(list("[18446744073709551615]"), "");
  for (const char* const bad : {"[18446744073709551616]", "[-1]", "[01]", "[1.0]", "[\"1\"]", "[1",
                                "1", "[100000000000000000000000]"}) {
    EXPECT_NE(list(bad), "") << bad;
  }
}

TEST(JsonScanner, DepthIsBounded) {
  EXPECT_EQ(problem_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(problem_of(std::string(100'000, '[')), "more than 64 levels deep");
}

}  // namespace
}  // namespace portolan::io
