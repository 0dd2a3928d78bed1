// Formats whose rows are more than a table of fields.
#include <gtest/gtest.h>

#include "tests/simulation/traffic_parts.hpp"

namespace portolan::simulation {
namespace {

using parts::read;

Outcome answered(const Request& request, Status status = Status::kCompleted) {
  Outcome outcome;
  outcome.index = request.index;
  outcome.status = status;
  return outcome;
}

constexpr const char* kChain =
    "{\"session_id\": \"s\", \"arrival_time_ns\": 1000, \"sub_requests\": ["
    "{\"input_toks\": 20, \"output_toks\": 12, \"tool_duration_ns\": 5000000000},"
    "{\"input_toks\": 40, \"output_toks\": 3, \"tool_duration_ns\": 0},"
    "{\"input_toks\": 60, \"output_toks\": 4}]}\n"
    "{\"input_toks\": 7, \"output_toks\": 5, \"arrival_time_ns\": 2000}\n";

TEST(TrafficNested, ChainsGoOnWhenAnswered) {
  auto source = open_trace_text(kChain, {.path = "t", .speed = 2}).value();
  EXPECT_TRUE(source->reactive());
  Request first, second, next;
  ASSERT_TRUE(*source->next(first));
  ASSERT_TRUE(*source->next(second));
  EXPECT_FALSE(*source->next(next));
  EXPECT_EQ(first.arrival, 500'000);
  EXPECT_EQ(second.input_tokens, 7);
  EXPECT_NE(first.conversation, 0u);
  EXPECT_FALSE(*source->completed(answered(second), kSecond, next));
  ASSERT_TRUE(*source->completed(answered(first), kSecond, next));
  EXPECT_EQ(next.arrival, kSecond + 5 * kSecond / 2);  // twice as fast
  EXPECT_EQ(next.input_tokens, 40);
  EXPECT_EQ(next.index, 2u);
  EXPECT_EQ(next.conversation, first.conversation);
  Request last;
  ASSERT_TRUE(*source->completed(answered(next), 9 * kSecond, last));
  EXPECT_EQ(last.arrival, 9 * kSecond);
  EXPECT_EQ(last.input_tokens, 60);
  EXPECT_FALSE(*source->completed(answered(last), 10 * kSecond, next));
  // An answer is counted once.
  EXPECT_FALSE(*source->completed(answered(first), 11 * kSecond, next));
}

TEST(TrafficNested, ChainsEndWithAFailureOrTheLimit) {
  Request request, next;
  auto source = open_trace_text(kChain, {.path = "t"}).value();
  ASSERT_TRUE(*source->next(request));
  EXPECT_FALSE(*source->completed(answered(request, Status::kShed), kSecond, next));
  source = open_trace_text(kChain, {.path = "t", .limit = 1}).value();
  ASSERT_TRUE(*source->next(request));
  EXPECT_FALSE(*source->completed(answered(request), kSecond, next));
}

TEST(TrafficNested, ChainsNameTheirText) {
  std::string prompt, reply;
  for (int i = 0; i < 20; ++i) prompt += (i > 0 ? "," : "") + std::to_string(i);
  for (int i = 20; i < 32; ++i) reply += (i > 20 ? "," : "") + std::to_string(i);
  const auto source = open_trace_text(
      "{\"session_id\": \"s\", \"arrival_time_ns\": 0, \"sub_requests\": ["
      "{\"input_toks\": 20, \"output_toks\": 12, \"input_tok_ids\": [" +
          prompt + "], \"output_tok_ids\": [" + reply +
          "]},"
          "{\"input_toks\": 33, \"output_toks\": 1, \"input_tok_ids\": [" +
          prompt + "," + reply + ",99]}]}",
      {.path = "t"});
  ASSERT_TRUE(source) << format_error(source.error());
  Request first, second;
  ASSERT_TRUE(*(*source)->next(first));
  ASSERT_TRUE(*(*source)->completed(answered(first), kSecond, second));
  ASSERT_EQ(first.ids.size(), 2u);
  EXPECT_EQ(first.ids, second.ids);
}

TEST(TrafficNested, ChainsCannotBeMultiplied) {
  EXPECT_EQ(read(kChain, {.rate_scale = 2}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(read(kChain, {.loops = 2}).error().code, ErrorCode::kUsage);
  EXPECT_TRUE(read(kChain, {.rate_scale = 0.5}));
}

TEST(TrafficNested, AgentsWithoutArrivals) {
  const std::string text =
      "{\"num_turns\": 1, \"input_prompt_length\": 100, \"assistant_response_length\": [20],"
      " \"tool_call_output_length\": [30], \"tool_call_latency\": [1.5],"
      " \"final_assistant_response_length\": 7}\n";
  EXPECT_NE(read(text).error().message.find("no arrivals"), std::string::npos);
  EXPECT_FALSE(
      read("{\"num_turns\": 2, \"input_prompt_length\": 100,"
           " \"assistant_response_length\": [20], \"tool_call_output_length\": [30],"
           " \"tool_call_latency\": [1.5], \"final_assistant_response_length\": 7}\n"));
}

TEST(TrafficNested, MooncakeSessionsWaitForAnswers) {
  const std::string text =
      "{\"session_id\": \"a\", \"timestamp\": 1000, \"input_length\": 600, \"output_length\": 5,"
      " \"hash_ids\": [1, 2]}\n"
      "{\"session_id\": \"b\", \"timestamp\": 500, \"input_length\": 10, \"output_length\": 5}\n"
      "{\"session_id\": \"a\", \"delay_ms\": 50, \"input_length\": 700, \"output_length\": 5,"
      " \"hash_ids\": [1, 3]}\n"
      "{\"session_id\": \"b\", \"timestamp\": 2500, \"input_length\": 20, \"output_length\": 5}\n";
  auto source = open_trace_text(text, {.path = "t"}).value();
  EXPECT_TRUE(source->reactive());
  Request a, b, next;
  ASSERT_TRUE(*source->next(b));
  ASSERT_TRUE(*source->next(a));
  EXPECT_FALSE(*source->next(next));
  EXPECT_EQ(b.arrival, kSecond / 2);
  EXPECT_EQ(a.arrival, kSecond);
  EXPECT_EQ(a.ids, (std::vector<std::uint64_t>{1, 2}));
  ASSERT_TRUE(*source->completed(answered(a), 3 * kSecond, next));
  EXPECT_EQ(next.arrival, 3 * kSecond + kSecond / 20);
  EXPECT_EQ(next.input_tokens, 700);
  EXPECT_EQ(next.conversation, a.conversation);
  ASSERT_TRUE(*source->completed(answered(b), 3 * kSecond, next));
  EXPECT_EQ(next.arrival, 5 * kSecond);
  // The same rows by the clock.
  const auto open = read(text.substr(0, text.find('\n')), {.format = "mooncake"});
  EXPECT_TRUE(open) << format_error(open.error());
  const auto late = read(
      "{\"session_id\": \"a\", \"delay\": 5, \"input_length\": 6,"
      " \"output_length\": 5}\n",
      {.format = "mooncake-sessions"});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().where.line, 1u);
}

TEST(TrafficNested, DynamoWritesRequestsAsTheyEnd) {
  const auto record = [](int received, const char* hashes) {
    return "{\"schema\": \"dynamo.request.trace.v1\", \"event_type\": \"request_end\","
           " \"event_time_unix_ms\": 1700000009000, \"agent_context\": null, \"request\":"
           " {\"request_id\": \"r\", \"model\": \"m\", \"request_received_ms\": 17000000" +
           std::to_string(received) +
           ", \"output_tokens\": 4, \"replay\": {\"trace_block_size\":"
           " 64, \"input_length\": 100, \"input_sequence_hashes\": " +
           hashes + "}}}\n";
  };
  const std::string tool =
      "{\"schema\": \"dynamo.request.trace.v1\", \"event_type\": \"tool_end\","
      " \"event_time_unix_ms\": 1, \"tool\": {\"tool_class\": \"x\"}}\n";
  const auto requests = read(record(12500, "[1, 2]") + tool + record(10000, "[1, 3]"));
  ASSERT_TRUE(requests) << format_error(requests.error());
  EXPECT_EQ(parts::arrivals(*requests), (std::vector<double>{0, 2.5}));
  EXPECT_EQ((*requests)[1].ids, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ((*requests)[1].id_tokens, 64);
  const auto bad = read(record(12500, "[1]"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().where.line, 1u);
}

TEST(TrafficNested, ShareGptNeedsArrivals) {
  const std::string text =
      "[{\"id\": \"a\", \"conversations\": [{\"from\": \"human\", \"value\": \"h\\u00e9llo "
      "[{\\\"\"},"
      " {\"from\": \"gpt\", \"value\": \"12345678\"}, {\"from\": \"human\", \"value\": "
      "\"more\"}]},\n"
      " {\"id\": \"b\", \"conversations\": []}]\n";
  const auto requests = read(text);
  ASSERT_FALSE(requests);
  EXPECT_NE(requests.error().message.find("no arrivals"), std::string::npos);
}

}  // namespace
}  // namespace portolan::simulation
