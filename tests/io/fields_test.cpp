#include "io/fields.hpp"

#include <gtest/gtest.h>

#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

Value yaml(std::string_view text) { return *parse_yaml(text, "job.yaml"); }

TEST(FieldsTest, ReadsEveryKind) {
  const Value value = yaml(
      "name: serve\nregion: 1.10\nflag: true\nnumber: 2.5\nwhole: 8\nthousand: 1e3\ntokens: 4M\n"
      "plain: 1000000\nmemory: 80GB\nraw: 4096\ntime: 300ms\nshare: 30%\nfraction: 0.3\n"
      "rate: $2.5/h\nbare_rate: 2.5\nlist: [a, 1.10]\none: a\nnothing: ~\n");
  Problems problems{.file = "job.yaml", .errors = {}};
  Fields fields(value, "", problems);
  EXPECT_EQ(fields.text("name"), "serve");
  EXPECT_EQ(fields.text("region"), "1.10");
  EXPECT_EQ(fields.boolean("flag"), true);
  EXPECT_EQ(fields.number("number", 0, 10), 2.5);
  EXPECT_EQ(fields.integer("whole", 1, 8), 8);
  EXPECT_EQ(fields.integer("thousand", 1, 1000), 1000);
  EXPECT_EQ(fields.count("tokens"), 4e6);
  EXPECT_EQ(fields.count("plain"), 1e6);
  EXPECT_EQ(fields.bytes("memory"), 80.0 * kGB);
  EXPECT_EQ(fields.bytes("raw"), 4096.0 * kByte);
  EXPECT_EQ(fields.duration("time"), Seconds(0.3));
  EXPECT_EQ(fields.share("share"), 0.3);
  EXPECT_EQ(fields.share("fraction"), 0.3);
  EXPECT_DOUBLE_EQ(fields.usd_per_hour("rate")->in(kUsdPerHour), 2.5);
  EXPECT_DOUBLE_EQ(fields.usd_per_hour("bare_rate")->in(kUsdPerHour), 2.5);
  EXPECT_EQ(fields.texts("list"), (std::vector<std::string>{"a", "1.10"}));
  EXPECT_EQ(fields.texts("one"), (std::vector<std::string>{"a"}));
  EXPECT_EQ(fields.text("nothing"), std::nullopt);
  EXPECT_EQ(fields.text("absent"), std::nullopt);
  fields.finish();
  EXPECT_TRUE(problems.errors.empty());
}

TEST(FieldsTest, AllProblemsInFileOrderAsThePersonSeesThem) {
  const Value value = yaml(
      "job: serve\n"
      "trafic: {}\n"
      "slo:\n"
      "  ttft_p95: 300\n"
      "where:\n"
      "  max_usd_per_hour: -5\n");
  Problems problems{.file = "job.yaml", .errors = {}};
  Fields job(value, "", problems);
  job.text("job");
  job.get("traffic");
  Fields where(*job.get("where"), job.pointer("where"), problems);
  where.number("max_usd_per_hour", 0, 1e9);
  where.finish();
  Fields slo(*job.get("slo"), job.pointer("slo"), problems);
  slo.duration("ttft_p95");
  slo.finish();
  job.finish();
  EXPECT_EQ(format_error(combine(std::move(problems.errors), "job.yaml")),
            "error: 3 problems in job.yaml\n"
            "  job.yaml:2:1   unknown key \"trafic\"; did you mean \"traffic\"?\n"
            "  job.yaml:4:13  ttft_p95: \"300\" has no unit; write 300ms or 300s\n"
            "  job.yaml:6:21  max_usd_per_hour: -5 is below the minimum 0\n");
}

TEST(FieldsTest, WrongKindsSayWhatTheyFound) {
  const Value value = yaml(
      "a: [1]\nb: yes\nc: x\nd: 2.5\ne: 99\nf: {}\ng: [[1]]\nh: {}\ni: {a: 1}\nj: 101%\nk: -1\n");
  Problems problems{.file = "job.yaml", .errors = {}};
  Fields fields(value, "/top", problems);
  fields.text("a");
  fields.boolean("b");
  fields.number("c", 0, 1);
  fields.integer("d", 0, 1);
  fields.integer("e", 0, 8);
  fields.duration("f");
  fields.texts("g");
  fields.count("h");
  fields.texts("i");
  fields.share("j");
  fields.bytes("k");
  std::vector<std::string> messages;
  for (const Error& error : problems.errors) messages.push_back(error.message);
  EXPECT_EQ(
      messages,
      (std::vector<std::string>{
          "a: expected text, found a list", "b: expected true or false, found \"yes\"",
          "c: expected a number, found \"x\"", "d: expected a whole number, found 2.5",
          "e: 99 is above the maximum 8", "f: expected a duration such as 300ms, found an object",
          "g: expected text in the list, found a list",
          "h: expected a count such as 4M, found an object", "i: expected a list, found an object",
          "j: \"101%\" is above 100%", "k: \"-1B\" is negative"}));
  EXPECT_EQ(problems.errors[0].where.text(), "job.yaml:1:4 (/top/a)");
  EXPECT_EQ(problems.errors[6].where.pointer, "/top/g/0");
}

TEST(FieldsTest, MissingKeysAndWrongRoots) {
  const Value value = yaml("a: 1\n");
  Problems problems{.file = "job.yaml", .errors = {}};
  Fields fields(value, "", problems);
  EXPECT_TRUE(fields.require("a"));
  EXPECT_FALSE(fields.require("model"));
  EXPECT_EQ(problems.errors.at(0).message, "missing key \"model\"");
  fields.finish();
  EXPECT_EQ(problems.errors.size(), 1u);

  const Value list = yaml("[1]");
  Fields wrong(list, "", problems);
  EXPECT_FALSE(wrong.require("model"));
  EXPECT_EQ(wrong.text("model"), std::nullopt);
  wrong.finish();
  ASSERT_EQ(problems.errors.size(), 2u);
  EXPECT_EQ(problems.errors[1].message, "expected an object with keys, found a list");
}

TEST(FieldsTest, PointersEscapeKeys) {
  const Value value = yaml("\"a/b~c\": {x: 1}\n");
  Problems problems{.file = "", .errors = {}};
  Fields fields(value, "", problems);
  EXPECT_EQ(fields.pointer("a/b~c"), "/a~1b~0c");
}

TEST(FieldsTest, UnknownKeysWithoutANeighbourListTheKnownOnes) {
  const Value value = yaml("zzzzzz: 1\n");
  Problems problems{.file = "job.yaml", .errors = {}};
  Fields fields(value, "", problems);
  fields.get("job");
  fields.get("model");
  fields.finish();
  EXPECT_EQ(problems.errors.at(0).hint, "known keys: job, model");
}

}  // namespace
}  // namespace portolan::io
