#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

Result<Value> read(std::string_view text, const TextLimits& limits = {}) {
  return parse_json(text, "a.json", DuplicateKeys::kKeepLast, limits);
}

std::string place(const Error& error) { return error.where.text(); }

// The escapes of json_cases.txt.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
    } else if (text[++at] == '\\') {
      out += '\\';
    } else {
      out += static_cast<char>(std::stoi(std::string(text.substr(at + 1, 2)), nullptr, 16));
      at += 2;
    }
  }
  return out;
}

TEST(JsonTest, OwnCorpus) {
  std::ifstream file(PORTOLAN_SOURCE_DIR "/tests/corpora/json_cases.txt");
  ASSERT_TRUE(file);
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string verdict = line.substr(0, space);
    const std::string text = space < line.size() ? unescaped(line.substr(space + 1)) : "";
    const Result<Value> value = read(text);
    ++cases;
    if (verdict == "accept") {
      EXPECT_TRUE(value) << line;
    } else if (verdict == "reject") {
      EXPECT_FALSE(value) << line;
    } else {
      EXPECT_EQ(verdict, "either") << line;
    }
    if (value) {
      const std::string written = write_json(*value, false);
      const Result<Value> again = read(written);
      ASSERT_TRUE(again) << line << " became " << written;
      EXPECT_EQ(*again, *value) << line << " became " << written;
    } else {
      EXPECT_GT(value.error().where.line, 0u) << line;
      EXPECT_GT(value.error().where.column, 0u) << line;
      EXPECT_EQ(value.error().where.file, "a.json") << line;
    }
  }
  EXPECT_GT(cases, 190);
}

TEST(JsonTest, EveryValueKnowsItsPlace) {
  const Result<Value> value = read(
      "{\n"
      "  \"a\": [1, \"x\\\"]\", {\"b\": -2.50}],\n"
      "  \"c\" : true }");
  ASSERT_TRUE(value);
  const auto at = [](const Value& v) {
    return std::to_string(v.line) + ':' + std::to_string(v.column);
  };
  EXPECT_EQ(at(*value), "1:1");
  const Value& a = *value->find("a");
  EXPECT_EQ(at(a), "2:8");
  EXPECT_EQ(a.key_line, 2u);
  EXPECT_EQ(a.key_column, 3u);
  EXPECT_EQ(at(a.array()[0]), "2:9");
  EXPECT_EQ(at(a.array()[1]), "2:12");
  EXPECT_EQ(a.array()[1].string(), "x\"]");
  EXPECT_EQ(at(*a.array()[2].find("b")), "2:26");
  EXPECT_EQ(at(*value->find("c")), "3:9");
  EXPECT_EQ(value->find("c")->key_column, 3u);
}

TEST(JsonTest, NumbersKeepTheirText) {
  const Result<Value> value = read("[1.10, 0.080500000000000000001, 12345678901234567890, 1E2, 7]");
  ASSERT_TRUE(value);
  const Value::Array& numbers = value->array();
  EXPECT_EQ(numbers[0].scalar_text(), "1.10");
  EXPECT_EQ(numbers[0].number(), 1.1);
  EXPECT_EQ(numbers[1].scalar_text(), "0.080500000000000000001");
  EXPECT_EQ(numbers[2].kind(), Value::Kind::kNumber);
  EXPECT_EQ(numbers[2].scalar_text(), "12345678901234567890");
  EXPECT_EQ(numbers[3].kind(), Value::Kind::kNumber);
  EXPECT_EQ(numbers[3].number(), 100);
  EXPECT_EQ(numbers[4].integer(), 7);
  EXPECT_EQ(write_json(*value, false), "[1.10,0.080500000000000000001,12345678901234567890,1E2,7]");
}

TEST(JsonTest, ProblemsNameTheFault) {
  struct Case {
    const char* text;
    const char* place;
    const char* message;
    const char* hint;
  };
  for (const Case& c :
       {Case{"[1,\n  2,]", "a.json:2:5", "unexpected \"]\" in JSON", "remove the comma before it"},
        Case{"[1,,2]", "a.json:1:4", "unexpected \",\" in JSON", ""},
        Case{"{\"a\" \"b\"}", "a.json:1:6", "unexpected \"\"b\"\" in JSON", ""},
        Case{"{\n\"a\": tru}", "a.json:2:6", "unexpected \"tru\" in JSON", ""},
        Case{"[NaN]", "a.json:1:2", "unexpected \"NaN\" in JSON",
             "JSON has no NaN or Infinity; write null"},
        Case{"{'a': 1}", "a.json:1:2", "unexpected \"'a':\" in JSON", "use double quotes"},
        Case{"[1 // x\n]", "a.json:1:4", "unexpected \"//\" in JSON", "JSON has no comments"},
        Case{"[1", "a.json:1:3", "the JSON text ends too early", ""},
        Case{"", "a.json:1:1", "the JSON text ends too early", ""},
        Case{"[\"ab", "a.json:1:5", "the text ends inside a string", ""},
        Case{"[\"\\q\"]", "a.json:1:4", "unknown escape inside a string", ""},
        Case{"[1e999]", "a.json:1:2", "number \"1e999\" is out of range", ""},
        Case{"[1]\n]", "a.json:2:1", "unexpected \"]\" in JSON", ""}}) {
    const Result<Value> value = read(c.text);
    ASSERT_FALSE(value) << c.text;
    EXPECT_EQ(place(value.error()), c.place) << c.text;
    EXPECT_EQ(value.error().message, c.message) << c.text;
    EXPECT_EQ(value.error().hint, c.hint) << c.text;
  }
  EXPECT_EQ(read(std::string_view("[1]\0", 4)).error().message, "unexpected NUL byte in JSON");
}

TEST(JsonTest, DuplicateKeysAreKeptLastOrRefused) {
  constexpr std::string_view kText = "{\"a\": 1,\n \"b\": 2,\n \"a\": 3}";
  const Result<Value> kept = read(kText);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->find("a")->integer(), 3);
  EXPECT_EQ(kept->object().size(), 2u);
  const Result<Value> refused = parse_json(kText, "a.json", DuplicateKeys::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(refused.error().message, "key \"a\" appears twice");
  EXPECT_EQ(place(refused.error()), "a.json:3:2");
  EXPECT_EQ(refused.error().why, "it is at line 1 already");
}

TEST(JsonTest, CapsAreLimitsWithTheirNumber) {
  const auto refused = [](const Result<Value>& value) {
    EXPECT_FALSE(value);
    EXPECT_EQ(value.error().code, ErrorCode::kLimit);
    return value ? "" : value.error().message + "; " + value.error().why;
  };
  EXPECT_TRUE(read(std::string(64, '[') + std::string(64, ']')));
  EXPECT_EQ(refused(read(std::string(100'000, '['))), "nested more than 64 deep; ");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(refused(read(objects)), "nested more than 64 deep; ");
  EXPECT_EQ(refused(read("[1,2,3]", {.nodes = 3})),
            "more than 3 values; the limit on the number of values in one document");
  EXPECT_EQ(refused(read("[1,2,3]", {.bytes = 6})), "the text has 7 bytes, the limit is 6; ");
  EXPECT_EQ(refused(read("[\"abcd\"]", {.string_bytes = 3})),
            "string \"abcd\" is too long; it has 4 bytes, the limit is 3");
  EXPECT_EQ(refused(read("{\"abcd\":1}", {.key_bytes = 3})),
            "key \"abcd\" is too long; it has 4 bytes, the limit is 3");
}

TEST(JsonTest, PythonConstantsAreNullWhereAllowed) {
  const TextLimits limits{.python_constants = true};
  const Result<Value> value =
      read("{\"a\": [0.0, Infinity,-Infinity , NaN], \"b\": \"NaN\", \"c\":NaN}", limits);
  ASSERT_TRUE(value);
  EXPECT_EQ(write_json(*value, false), "{\"a\":[0.0,null,null,null],\"b\":\"NaN\",\"c\":null}");
  EXPECT_EQ(value->find("c")->column, 56u);
  for (const char* text : {"[NaN5]", "[1NaN]", "[-NaN]", "[Infinit]", "[+Infinity]", "{NaN: 1}",
                           "[InfinityNaN]", "[NaN NaN]"}) {
    EXPECT_FALSE(read(text, limits)) << text;
  }
  EXPECT_TRUE(read("NaN", limits)->is_null());
}

TEST(JsonTest, MembersAreHandedOverOneByOne) {
  std::vector<std::string> seen;
  const auto take = [&](std::string_view key, Value value) -> Result<void> {
    seen.push_back(std::string(key) + '=' + write_json(value, false));
    return {};
  };
  ASSERT_TRUE(each_json_member("{\"a\": [1, {\"x\": 2}], \"b\": {}, \"c\": 3}", "a", {}, take));
  EXPECT_EQ(seen, (std::vector<std::string>{"a=[1,{\"x\":2}]", "b={}", "c=3"}));
  seen.clear();
  ASSERT_TRUE(each_json_member("[1, [2], \"x\"]", "a", {}, take));
  EXPECT_EQ(seen, (std::vector<std::string>{"=1", "=[2]", "=\"x\""}));
  seen.clear();
  ASSERT_TRUE(each_json_member("{}", "a", {}, take));
  EXPECT_TRUE(seen.empty());
  // The caps hold for each member by itself.
  EXPECT_TRUE(each_json_member("[[1,2],[3,4],[5,6]]", "a", {.nodes = 4}, take));
  EXPECT_FALSE(each_json_member("[[1,2,3,4]]", "a", {.nodes = 4}, take));
}

TEST(JsonTest, AMemberThatIsRefusedEndsTheReading) {
  int calls = 0;
  const Result<void> read_all =
      each_json_member("[1, 2, 3]", "a", {}, [&](std::string_view, Value value) -> Result<void> {
        ++calls;
        if (value.integer() == 2) return fail(ErrorCode::kInvalidInput, "two");
        return {};
      });
  ASSERT_FALSE(read_all);
  EXPECT_EQ(read_all.error().message, "two");
  EXPECT_EQ(calls, 2);
}

TEST(JsonTest, WritesTheSameBytesEachTime) {
  Value value;
  value.set("name", "quote \" backslash \\ newline \n bell \x07 é");
  value.set("list", Value::Array{1, 2.5, nullptr, true, "x"});
  value.set("empty", Value::Object{});
  value.set("none", Value::Array{});
  value.set("unknown", std::optional<double>());
  value.set("price", Value::number_text("3.67339"));
  value.set("big", std::uint64_t{18446744073709551615u});
  value.set("infinite", std::numeric_limits<double>::infinity());
  EXPECT_EQ(write_json(value, false),
            "{\"name\":\"quote \\\" backslash \\\\ newline \\n bell \\u0007 é\","
            "\"list\":[1,2.5,null,true,\"x\"],\"empty\":{},\"none\":[],\"unknown\":null,"
            "\"price\":3.67339,\"big\":18446744073709551615,\"infinite\":null}");
  EXPECT_EQ(write_json(*read("{\"a\":[1,{\"b\":[]}]}"), true),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ]\n}\n");
}

TEST(ValueTest, NumbersCompareByTheirText) {
  EXPECT_EQ(Value(1), Value(1.0));
  EXPECT_NE(*read("1"), *read("1.0"));
  EXPECT_EQ(*read("1.5"), Value(1.5));
  EXPECT_NE(Value("1"), Value(1));
  EXPECT_EQ(*read("{\"a\":[1]}"), *read("{ \"a\" : [ 1 ] }"));
  EXPECT_NE(*read("{\"a\":1,\"b\":2}"), *read("{\"b\":2,\"a\":1}"));  // order is content
}

TEST(ValueTest, CopiesAreDeep) {
  Value original = *read("{\"a\":[1,2]}");
  Value copy = original;
  copy.object()[0].second.push(3);
  EXPECT_EQ(write_json(original, false), "{\"a\":[1,2]}");
  EXPECT_EQ(write_json(copy, false), "{\"a\":[1,2,3]}");
  original = copy;
  EXPECT_EQ(original, copy);
}

TEST(ValueTest, FindTakesTheLastOfAName) {
  Value value;
  value.set("a", 1);
  value.set("a", 2);
  EXPECT_EQ(value.find("a")->integer(), 2);
  EXPECT_EQ(value.find("b"), nullptr);
  EXPECT_EQ(Value(1).find("a"), nullptr);
}

}  // namespace
}  // namespace portolan::io
