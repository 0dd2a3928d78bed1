#include <gtest/gtest.h>

#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

Result<Value> read(std::string_view text, const TextLimits& limits = {}) {
  return parse_yaml(text, "job.yaml", limits);
}
std::string json(std::string_view text) {
  const Result<Value> value = read(text);
  return value ? write_json(*value, false) : format_error(value.error());
}

TEST(YamlTest, AJobFile) {
  EXPECT_EQ(json("job: serve                      # a comment\n"
                 "model: meta-llama/Llama-3.1-70B-Instruct\n"
                 "traffic: {requests_per_second: 5, input_tokens: 1000}\n"
                 "slo: {ttft_p95: 1s}\n"
                 "precision: [bf16, fp8]\n"
                 "where:\n"
                 "  regions: [\"us-*\"]\n"
                 "  list:\n"
                 "  - a\n"
                 "  - b: 1\n"
                 "    c: |\n"
                 "      two\n"
                 "      lines\n"),
            "{\"job\":\"serve\",\"model\":\"meta-llama/Llama-3.1-70B-Instruct\","
            "\"traffic\":{\"requests_per_second\":5,\"input_tokens\":1000},"
            "\"slo\":{\"ttft_p95\":\"1s\"},\"precision\":[\"bf16\",\"fp8\"],"
            "\"where\":{\"regions\":[\"us-*\"],\"list\":[\"a\",{\"b\":1,"
            "\"c\":\"two\\nlines\\n\"}]}}");
}

TEST(YamlTest, PlainScalarsByTheCoreSchema) {
  struct Case {
    const char* text;
    const char* json;
  };
  for (const Case& c : {Case{"true", "true"},
                        Case{"false", "false"},
                        Case{"True", "\"True\""},
                        Case{"yes", "\"yes\""},
                        Case{"no", "\"no\""},
                        Case{"on", "\"on\""},
                        Case{"y", "\"y\""},
                        Case{"null", "null"},
                        Case{"~", "null"},
                        Case{"", "null"},
                        Case{"NULL", "null"},
                        Case{"1", "1"},
                        Case{"-12", "-12"},
                        Case{"1.10", "1.10"},
                        Case{"1e3", "1e3"},
                        Case{"+5", "5"},
                        Case{"007", "7"},
                        Case{"0x1F", "31"},
                        Case{"0o17", "15"},
                        Case{".5", "0.5"},
                        Case{"5.", "5"},
                        Case{"1_000", "\"1_000\""},
                        Case{"0b1", "\"0b1\""},
                        Case{".inf", "\".inf\""},
                        Case{".nan", "\".nan\""},
                        Case{"1e999", "\"1e999\""},
                        Case{"12:30", "\"12:30\""},
                        Case{"2026-06-18", "\"2026-06-18\""},
                        Case{"1.2.3", "\"1.2.3\""},
                        Case{"'1'", "\"1\""},
                        Case{"\"true\"", "\"true\""},
                        Case{"- ", "[null]"},
                        Case{"-", "[null]"},
                        Case{"0x", "\"0x\""},
                        Case{"99999999999999999999", "99999999999999999999"},
                        Case{"0xFFFFFFFFFFFFFFFFFF", "\"0xFFFFFFFFFFFFFFFFFF\""}}) {
    EXPECT_EQ(json(c.text), c.json) << c.text;
  }
  EXPECT_EQ(read("1.10")->scalar_text(), "1.10");
  EXPECT_EQ(read("007")->scalar_text(), "007");
}

TEST(YamlTest, EveryValueKnowsItsPlace) {
  const Result<Value> value = read("a: 1\nb:\n  - x\n  - {c: [2]}\n");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->find("a")->line, 1u);
  EXPECT_EQ(value->find("a")->column, 4u);
  EXPECT_EQ(value->find("a")->key_column, 1u);
  const Value& b = *value->find("b");
  EXPECT_EQ(b.key_line, 2u);
  EXPECT_EQ(b.array()[0].line, 3u);
  EXPECT_EQ(b.array()[0].column, 5u);
  const Value& c = *b.array()[1].find("c");
  EXPECT_EQ(c.key_line, 4u);
  EXPECT_EQ(c.key_column, 6u);
  EXPECT_EQ(c.array()[0].column, 10u);
}

TEST(YamlTest, WhatIsNotSupportedIsRefusedByName) {
  struct Case {
    const char* text;
    const char* place;
    const char* message;
  };
  for (const Case& c :
       {Case{"a: 1\nb: 2\na: 3\n", "job.yaml:3:1", "key \"a\" appears twice"},
        Case{"x: &x {a: 1}\ny:\n  <<: *x\n", "job.yaml:3:3", "merge keys (<<) are not supported"},
        Case{"a: !!str 1\n", "job.yaml:1:4", "tag \"tag:yaml.org,2002:str\" is not supported"},
        Case{"a: !secret x\n", "job.yaml:1:4", "tag \"!secret\" is not supported"},
        Case{"a: !!map {b: 1}\n", "job.yaml:1:4", "tag \"tag:yaml.org,2002:map\" is not supported"},
        Case{"a: 1\n---\nb: 2\n", "job.yaml:2:1", "a second document begins here"},
        Case{"- 1\nb: 2\n", "job.yaml:2:1", "a second document begins here"},
        Case{"? [a]\n: 1\n", "job.yaml:1:3", "a key must be a plain value"},
        Case{"a: &a [*a]\n", "job.yaml:1:8", "the alias refers to a value that contains it"}}) {
    const Result<Value> value = read(c.text);
    ASSERT_FALSE(value) << c.text;
    EXPECT_EQ(value.error().message, c.message) << c.text;
    EXPECT_EQ(value.error().where.text(), c.place) << c.text;
    EXPECT_EQ(value.error().code, ErrorCode::kInvalidInput) << c.text;
  }
}

TEST(YamlTest, MalformedTextHasAPlace) {
  for (const char* text :
       {"a: [1, 2\n", "a: {b\n", "a: \"x\n", "a: 'x\n", "a: \"", "a: 'it''\n", "a: &x \"y\\\"\n",
        "a:\n\t- 1\n", "a: b: c\n", "a: *nowhere\n", "a: \"\\q\"\n", "[a]]\n", "a: 1\n b: 2\n",
        "{a: 1}}\n", "&a &b c\n", "@x\n", "`x\n"}) {
    const Result<Value> value = read(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kMalformed) << text;
    EXPECT_GT(value.error().where.line, 0u) << text;
    EXPECT_GT(value.error().where.column, 0u) << text;
    EXPECT_TRUE(value.error().message.starts_with("not valid YAML: ")) << value.error().message;
  }
}

TEST(YamlTest, ProblemsAreSaidInWordsForPeople) {
  const auto said = [](std::string_view text) { return format_error(read(text).error()); };
  EXPECT_EQ(said("model: a\nnote: see: there\n"),
            "error: not valid YAML: a colon where no value may stand\n"
            "  where: job.yaml:2:10\n"
            "  try:   quote text that holds a colon and a space\n");
  EXPECT_EQ(said("slo:\n  ttft: 1s\n tpot: 1s\n"),
            "error: not valid YAML: the line fits no key or list above it\n"
            "  where: job.yaml:3:2\n"
            "  try:   check the indentation\n");
  EXPECT_EQ(said("precision: [bf16, fp8\n"),
            "error: not valid YAML: a [ is not closed\n  where: job.yaml:2:1\n");
  EXPECT_EQ(said("model: @x\n"),
            "error: not valid YAML: a character that cannot begin a value\n"
            "  where: job.yaml:1:8\n"
            "  try:   quote the text\n");
}

TEST(YamlTest, BytesThatAreNoTextAreRefused) {
  EXPECT_EQ(format_error(read("a: \xff\n").error()),
            "error: the text is not UTF-8\n  where: job.yaml:1:4\n");
  EXPECT_EQ(read("a: b\nc: \x1b[31m\n").error().where.text(), "job.yaml:2:4");
  EXPECT_FALSE(read(std::string_view("a\0b", 3)));
  EXPECT_FALSE(
      read("\xff\xfe"
           "a\0"));
  EXPECT_EQ(json("\xef\xbb\xbf"
                 "a: 1\r\nb: 2\r\n"),
            "{\"a\":1,\"b\":2}");
}

TEST(YamlTest, AliasesAreCopies) {
  EXPECT_EQ(json("a: &x {p: [1, 2]}\nb: *x\nc: [*x]\nd: &k key\n*k : 1\n"),
            "{\"a\":{\"p\":[1,2]},\"b\":{\"p\":[1,2]},\"c\":[{\"p\":[1,2]}],\"d\":\"key\","
            "\"key\":1}");
}

TEST(YamlTest, ABombOfAliasesIsRefused) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) text += "," + before;
    text += "]\n";
  }
  const Result<Value> value = read(text);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kLimit);

  std::string many = "a: &a 1\nb: [";
  for (int i = 0; i < 1001; ++i) many += "*a,";
  EXPECT_EQ(read(many + "]\n").error().message, "more than 1000 aliases");
}

TEST(YamlTest, AliasesExpandToAtMostTenTimesWhatIsWritten) {
  std::string text = "a: &a [";
  for (int i = 0; i < 1000; ++i) text += "x,";
  text += "]\nb: [";
  std::string fits = text, exceeds = text;
  for (int i = 0; i < 8; ++i) fits += "*a,";
  for (int i = 0; i < 12; ++i) exceeds += "*a,";
  EXPECT_TRUE(read(fits + "]\n"));
  const Result<Value> value = read(exceeds + "]\n");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kLimit);
}

TEST(YamlTest, CapsAreLimits) {
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "- ";
  EXPECT_EQ(read(deep).error().message, "nested more than 64 deep");
  std::string block;
  for (int i = 0; i < 70; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(read(block).error().message, "nested more than 64 deep");
  EXPECT_EQ(read(std::string(65, '[') + std::string(65, ']')).error().code, ErrorCode::kLimit);
  EXPECT_FALSE(read(std::string(100'000, '[')));
  EXPECT_FALSE(read(std::string(100'000, '{')));
  std::string dashes;
  for (int i = 0; i < 100'000; ++i) dashes += "- ";
  EXPECT_EQ(read(dashes).error().code, ErrorCode::kLimit);
  EXPECT_EQ(read("[1,2,3]", {.nodes = 3}).error().code, ErrorCode::kLimit);
  EXPECT_EQ(read("abcd", {.bytes = 3}).error().code, ErrorCode::kLimit);
  EXPECT_EQ(read("abcd", {.string_bytes = 3}).error().code, ErrorCode::kLimit);
  EXPECT_EQ(read("abcd: 1", {.key_bytes = 3}).error().code, ErrorCode::kLimit);
}

TEST(YamlTest, WhatTheScannerWouldKeepIsBounded) {
  std::string flow = "list: [", nested = "- 1\n- [[", block = "list:\n";
  for (int i = 0; i < 80'000; ++i) {
    flow += "1,";
    nested += "1,";
    block += "- 1\n";
  }
  EXPECT_EQ(read(flow + "]\n")->find("list")->array().size(), 80'000u);
  EXPECT_EQ(read(block)->find("list")->array().size(), 80'000u);
  const Result<Value> refused = read(nested + "]]\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_EQ(refused.error().where.line, 2u);
  EXPECT_EQ(read("a: |\n  " + std::string(200'000, 'x') + "\n").error().code, ErrorCode::kLimit);
  EXPECT_EQ(read(std::string(5u << 20, ' ')).error().hint, "write it as JSON");
}

TEST(YamlTest, WhatIsWrittenReadsBack) {
  for (const char* text :
       {"[]", "{}", "a", "- 1\n- [2, [3, {}]]\n- {a: [], b: {c: d}}\n", "a: \"1\"\nb: \"true\"\n",
        "\"yes\": \"no\"\n\"~\": ~\n", "a: |\n  x\n\n  y\nb: \" lead\"\n", "1.10: 007\n",
        "a: \"\\e[31m\\x7f\\u0085\\u2028\"\n", "- - - a\n    - b\n"}) {
    const Result<Value> value = read(text);
    ASSERT_TRUE(value) << text << format_error(value.error());
    const std::string written = write_yaml(*value);
    const Result<Value> again = read(written);
    ASSERT_TRUE(again) << written << format_error(again.error());
    EXPECT_EQ(*again, *value) << written;
  }
  EXPECT_EQ(write_yaml(*read("{job: serve, list: [a, {b: 1, c: [x]}], n: no, e: []}")),
            "job: serve\nlist:\n  - a\n  - b: 1\n    c:\n      - x\n\"n\": \"no\"\ne: []\n");
}

TEST(DocumentTest, JsonOrYamlByTheFirstCharacter) {
  EXPECT_EQ(write_json(*parse_document(" \n{\"a\": 1}", "x"), false), "{\"a\":1}");
  EXPECT_EQ(write_json(*parse_document("a: 1", "x"), false), "{\"a\":1}");
  const Result<Value> twice = parse_document("{\"a\": 1, \"a\": 2}", "x");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message, "key \"a\" appears twice");
  EXPECT_TRUE(parse_document("", "x")->is_null());
}

}  // namespace
}  // namespace portolan::io
