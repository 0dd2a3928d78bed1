// Traces that are not what they claim to be: refused with file, line and field, never believed.
#include <gtest/gtest.h>

#include <string>

#include "io/compression.hpp"
#include "tests/simulation/traffic_parts.hpp"

namespace portolan::simulation {
namespace {

using parts::read;

std::string row(const std::string& arrival, const std::string& input, const std::string& output) {
  return "{\"arrival_seconds\": " + arrival + ", \"input_tokens\": " + input +
         ", \"output_tokens\": " + output + "}\n";
}

struct Case {
  std::string text;
  std::uint64_t line;
  std::string names;  // what the message must name
};

TEST(TrafficMalformed, SaysWhatAndWhere) {
  const std::string good = row("0", "10", "10");
  const std::string azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  const std::string mooncake = "{\"timestamp\": 0, \"input_length\": 1000, \"output_length\": 5, ";
  for (const Case& each : {
           Case{good + row("1", "-5", "10"), 2, "input_tokens"},
           Case{good + row("1", "0", "10"), 2, "input_tokens"},
           Case{good + row("1", "10", "0"), 2, "output_tokens"},
           Case{good + row("1", "1e12", "10"), 2, "input_tokens"},
           Case{good + row("1", "10", "30000000"), 2, "output_tokens"},
           Case{good + row("1", "1.5", "10"), 2, "input_tokens"},
           Case{good + row("1", "\"10\"", "10"), 2, "input_tokens"},
           Case{good + row("-1", "10", "10"), 2, "arrival_seconds"},
           Case{good + row("NaN", "10", "10"), 2, "arrival_seconds"},
           Case{good + row("1e300", "10", "10"), 2, "arrival_seconds"},
           Case{good + row("8640001", "10", "10"), 2, "100 days"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 10}\n", 2, "output_tokens"},
           Case{good + "{\"arrival_seconds\": 1, \"arrival_seconds\": 2, \"input_tokens\": 1,"
                       " \"output_tokens\": 1}",
                2, "arrival_seconds"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 10, \"output_", 2, "string"},
           Case{good + "[1]\n", 2, "object"},
           Case{good + "nonsense\n", 2, "object"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 32, \"output_tokens\": 8,"
                       " \"block_ids\": [1, 2, 3, 4], \"block_tokens\": 16}",
                2, "block_ids"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 32, \"output_tokens\": 8,"
                       " \"block_ids\": [1, 2]}",
                2, "block_ids"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 32, \"output_tokens\": 8,"
                       " \"block_ids\": [1, 2], \"block_tokens\": 0}",
                2, "block_ids"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 32, \"output_tokens\": 8,"
                       " \"block_ids\": [1, -2], \"block_tokens\": 16}",
                2, "block_ids"},
           Case{good + "{\"arrival_seconds\": 1, \"input_tokens\": 32, \"output_tokens\": 8,"
                       " \"deadline_seconds\": -1}",
                2, "deadline_seconds"},
           Case{mooncake + "\"hash_ids\": [1]}\n", 1, "hash_ids"},
           Case{mooncake + "\"hash_ids\": [1, 2, 3]}\n", 1, "hash_ids"},
           Case{mooncake + "\"hash_ids\": \"none\"}\n", 1, "hash_ids"},
           Case{azure + "2023-11-16 18:17:03,10\n", 2, "2 cells"},
           Case{azure + "2023-11-16 18:17:03,10,10,10\n", 2, "more cells"},
           Case{azure + "yesterday,10,10\n", 2, "TIMESTAMP"},
           Case{azure + "2023-11-16 18:17:03,ten,10\n", 2, "ContextTokens"},
           Case{azure + "2023-11-16 18:17:03,10,-1\n", 2, "GeneratedTokens"},
           Case{azure + "2023-11-16 18:17:03,10,\n", 2, "GeneratedTokens"},
           Case{azure + "\"2023-11-16 18:17:03\"x,10,10\n", 2, "quoted cell"},
           Case{azure + "\"2023-11-16 18:17:03,10,10\n", 2, "quoted cell"},
           Case{azure, 1, "no request"},
           Case{"", 1, "empty"},
           Case{"\n\n", 1, "empty"},
           Case{"a,b,c\n1,2,3\n", 1, "not known"},
           Case{"{\"a\": 1}\n", 1, "not known"},
           Case{"{\"a\": ", 1, "not known"},
       }) {
    const auto requests = read(each.text, {.path = "some.file"});
    ASSERT_FALSE(requests) << each.text;
    const Error& error = requests.error();
    EXPECT_EQ(exit_code(error.code), 4) << each.text << format_error(error);
    EXPECT_EQ(error.where.file, "some.file") << each.text;
    EXPECT_EQ(error.where.line, each.line) << each.text << format_error(error);
    EXPECT_NE(error.message.find(each.names), std::string::npos)
        << each.text << format_error(error);
  }
}

TEST(TrafficMalformed, OutOfOrderIsAnErrorUnlessSorted) {
  const std::string text = row("5", "1", "1") + row("7", "2", "2") + row("6", "3", "3");
  const auto requests = read(text);
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().where.line, 3u);
  EXPECT_NE(requests.error().hint.find("--sort"), std::string::npos);
  const auto sorted = read(text, {.sort = true});
  ASSERT_TRUE(sorted) << format_error(sorted.error());
  EXPECT_EQ(parts::arrivals(*sorted), (std::vector<double>{5, 6, 7}));
  EXPECT_EQ((*sorted)[1].input_tokens, 3);
  EXPECT_EQ((*sorted)[1].index, 1u);
}

TEST(TrafficMalformed, SortingHasItsBounds) {
  std::string text;
  for (int i = 1; i <= 70'000; ++i) text += row(std::to_string(i), "1", "1");
  const auto near = read(text + row("69000", "1", "1"), {.sort = true});
  EXPECT_TRUE(near);
  const auto far = read(text + row("3", "1", "1"), {.sort = true});
  ASSERT_FALSE(far);
  EXPECT_EQ(far.error().where.line, 70'001u);
}

TEST(TrafficMalformed, DatesOutOfOrderSort) {
  const auto requests = read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2023-11-16 18:00:02,10,1\n2023-11-16 18:00:01,20,1\n2023-11-16 18:00:03,30,1\n",
      {.sort = true});
  ASSERT_TRUE(requests) << format_error(requests.error());
  EXPECT_EQ(parts::arrivals(*requests), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ((*requests)[0].input_tokens, 20);
}

TEST(TrafficMalformed, TruncatedCompressionIsNoEnd) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += row(std::to_string(i), "10", std::to_string(1 + i % 97));
  const std::string whole = io::zstd_compress(text, 3);
  const auto all = read(whole);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 20'000u);
  const auto cut = read(whole.substr(0, whole.size() / 2), {.path = "t.zst"});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kMalformed);
  EXPECT_EQ(cut.error().where.file, "t.zst");
  EXPECT_GT(cut.error().where.line, 1u);
}

TEST(TrafficMalformed, OptionsOutOfRange) {
  const std::string text = row("0", "1", "1");
  for (const TraceOptions& options :
       {TraceOptions{.speed = 0}, TraceOptions{.rate_scale = 0}, TraceOptions{.rate_scale = 1e9},
        TraceOptions{.from_seconds = -1}, TraceOptions{.from_seconds = 5, .to_seconds = 5},
        TraceOptions{.spread_seconds = -1}, TraceOptions{.loops = -1},
        TraceOptions{.speed = std::numeric_limits<double>::quiet_NaN()}}) {
    const auto requests = read(text, options);
    ASSERT_FALSE(requests);
    EXPECT_EQ(requests.error().code, ErrorCode::kUsage);
  }
  EXPECT_EQ(open_trace({.path = "/nowhere/trace.jsonl"}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace portolan::simulation
