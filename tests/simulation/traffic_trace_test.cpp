// Each trace format: detected, read exactly, with what it leaves out counted.
#include <gtest/gtest.h>

#include "simulation/trace_reader.hpp"
#include "tests/simulation/traffic_parts.hpp"

namespace portolan::simulation {
namespace {

using parts::read;
using Ids = std::vector<std::uint64_t>;

TEST(TrafficTrace, NativeLines) {
  const auto requests = read(
      "{\"arrival_seconds\": 0.25, \"input_tokens\": 100, \"output_tokens\": 7}\n"
      "\n"
      "{\"output_tokens\": 9, \"input_tokens\": 33, \"arrival_seconds\": 1.000000000001,"
      " \"model\": \"big\", \"class\": \"batch\", \"conversation\": \"c\", \"turn\": 2,"
      " \"block_ids\": [5, 6, 7], \"block_tokens\": 16, \"deadline_seconds\": 30}\r\n"
      "{\"arrival_seconds\": 1e1, \"input_tokens\": 20.0, \"output_tokens\": 1, \"model\": null}",
      {.models = {{"small", 0}, {"big", 1}}, .classes = {{"batch", 2}, {"*", 1}}});
  ASSERT_TRUE(requests) << format_error(requests.error());
  ASSERT_EQ(requests->size(), 3u);
  const Request& first = (*requests)[0];
  EXPECT_EQ(first.index, 0u);
  EXPECT_EQ(first.arrival, kSecond / 4);
  EXPECT_EQ(first.input_tokens, 100);
  EXPECT_EQ(first.output_tokens, 7);
  EXPECT_EQ(first.deadline, kNever);
  EXPECT_EQ(first.conversation, 0u);
  EXPECT_EQ(first.id_tokens, 0);
  const Request& second = (*requests)[1];
  EXPECT_EQ(second.arrival, kSecond + 1);
  EXPECT_EQ(second.model, 1u);
  EXPECT_EQ(second.slo_class, 2u);
  EXPECT_NE(second.conversation, 0u);
  EXPECT_EQ(second.ids, (Ids{5, 6, 7}));
  EXPECT_EQ(second.id_tokens, 16);
  EXPECT_EQ(second.deadline, second.arrival + 30 * kSecond);
  EXPECT_EQ((*requests)[2].arrival, 10 * kSecond);
  EXPECT_TRUE((*requests)[2].ids.empty());
}

TEST(TrafficTrace, Mooncake) {
  const std::string line =
      "{\"timestamp\": 27482, \"input_length\": 1030, \"output_length\": 12, \"hash_ids\": [0, 8, "
      "9]}";
  const auto requests = read(line);
  ASSERT_TRUE(requests) << format_error(requests.error());
  EXPECT_EQ((*requests)[0].arrival, 27'482 * (kSecond / 1000));
  EXPECT_EQ((*requests)[0].ids, (Ids{0, 8, 9}));
  EXPECT_EQ((*requests)[0].id_tokens, 512);
  const auto other = read(
      "{\"timestamp\": 1.5, \"input_length\": 40, \"output_length\": 1, \"hash_ids\": [1, 2, 3]}",
      {.hash_tokens = 16});
  ASSERT_TRUE(other) << format_error(other.error());
  EXPECT_EQ((*other)[0].id_tokens, 16);
  const auto alias = read("{\"created_time\": 2, \"input_tokens\": 5, \"output_tokens\": 1}\n",
                          {.format = "mooncake"});
  ASSERT_TRUE(alias) << format_error(alias.error());
  EXPECT_EQ((*alias)[0].arrival, kSecond / 500);
}

TEST(TrafficTrace, AzureWithAnyZoneAndLineEnd) {
  const auto requests = read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2023-11-16 23:59:59.9799600,4808,10\r\n"
      "2023-11-17 00:00:00.0000000,31,8\r\n"
      "2023-11-17T00:00:01Z,31,8\r\n"
      "2023-11-17 02:00:02.5+02:00,31,8\r\n"
      "2024-02-29 00:00:00.000000+00:00,5,1\r\n");
  ASSERT_FALSE(requests);  // 104 days are too many
  EXPECT_EQ(requests.error().code, ErrorCode::kLimit);
  const auto some = read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2023-11-16 23:59:59.9799600,4808,10\r\n"
      "2023-11-17 00:00:00.0000000,31,8\r\n"
      "2023-11-17T00:00:01Z,0,8\r\n"
      "2023-11-17 02:00:02.5+02:00,31,8\r\n");
  ASSERT_TRUE(some) << format_error(some.error());
  ASSERT_EQ(some->size(), 3u);
  EXPECT_EQ((*some)[0].arrival, 0);
  EXPECT_EQ((*some)[0].input_tokens, 4808);
  EXPECT_EQ((*some)[1].arrival, 20'040'000'000);
  EXPECT_EQ((*some)[2].arrival, 2'520'040'000'000);
}

TEST(TrafficTrace, DatesAreThoseOfTheCalendar) {
  EXPECT_EQ(parse_date("1970-01-01 00:00:00"), Instant{0});
  EXPECT_EQ(parse_date("2000-03-01 00:00:00"), Instant{951'868'800} * kSecond);
  EXPECT_EQ(parse_date("2024-02-29 12:34:56.7"), Instant{17'092'100'967} * (kSecond / 10));
  for (const char* const bad :
       {"", "2024", "2024-13-01 00:00:00", "2024-01-32 00:00:00", "2024-01-01",
        "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:61", "2024-01-01 00:00:0x",
        "2024-01-01 00:00:00 x", "1969-12-31 00:00:00", "2024-01-01 00:00:00+"}) {
    EXPECT_EQ(parse_date(bad), std::nullopt) << bad;
  }
}

TEST(TrafficTrace, TimesAreExactToThePicosecond) {
  EXPECT_EQ(parse_instant("0.1", kSecond), Instant{kSecond / 10});
  EXPECT_EQ(parse_instant("8639999.999999999999", kSecond), Instant{kLongest - 1});
  EXPECT_EQ(parse_instant("3.4000000000000004", kSecond), Instant{3'400'000'000'000});
  EXPECT_EQ(parse_instant("0.00000000000051", kSecond), Instant{1});
  EXPECT_EQ(parse_instant("1.5e3", 1000), Instant{1'500'000});
  EXPECT_EQ(parse_instant("-2", 1), Instant{-2});
  EXPECT_EQ(parse_instant("1e-500", kSecond), Instant{0});
  for (const char* const bad : {"", ".", "-", "e5", "1e", "1e500", "1 ", "0x1", "nan", "inf",
                                "99999999999999999999999999999999", "1.2.3"}) {
    EXPECT_EQ(parse_instant(bad, kSecond), std::nullopt) << bad;
  }
}

TEST(TrafficTrace, BurstGptOldAndNew) {
  auto source = open_trace_text(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log "
      "Type\n"
      "5,a,1.5,ChatGPT,472,18,490,Conversation log\n"
      "45,a,0.1,GPT-4,1087,0,1087,API log\n"
      "45.5,b,2.0,GPT-4,417,276,693,API log\n",
      {.path = "new", .models = {{"ChatGPT", 0}, {"GPT-4", 1}}});
  ASSERT_TRUE(source);
  const auto requests = parts::drain(**source);
  ASSERT_TRUE(requests) << format_error(requests.error());
  ASSERT_EQ(requests->size(), 2u);
  EXPECT_EQ((*source)->skipped(), 1u);
  EXPECT_EQ((*requests)[0].arrival, 5 * kSecond);
  EXPECT_EQ((*requests)[1].arrival, 91 * (kSecond / 2));
  EXPECT_EQ((*requests)[1].model, 1u);
  EXPECT_EQ((*requests)[1].index, 1u);
  const auto old = read(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "8640000,ChatGPT,472,18,490,Conversation log\n"
      "8640010,ChatGPT,1087,230,1317,Conversation log\n");
  ASSERT_TRUE(old) << format_error(old.error());
  EXPECT_EQ((*old)[1].arrival, 10 * kSecond);  // an excerpt's clock starts with it
}

TEST(TrafficTrace, OtherTables) {
  const auto vidur = read("arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,100,20\n");
  ASSERT_TRUE(vidur) << format_error(vidur.error());
  EXPECT_EQ((*vidur)[0].arrival, kSecond / 2);
  const auto splitwise = read(
      "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"
      "0,2,0,1.25,1,300,40\n");
  ASSERT_TRUE(splitwise) << format_error(splitwise.error());
  EXPECT_EQ((*splitwise)[0].input_tokens, 300);
  EXPECT_EQ((*splitwise)[0].output_tokens, 40);
  const auto apex = read(
      "{\"StartTimeOffset\": 1500000000, \"ContextTokens\": 10, \"GeneratedTokens\": 3,"
      " \"TotalTokens\": 13, \"RequestID\": \"r\", \"SynthesizedBody\": \"{\\\"a\\\": [1]}\"}\n");
  ASSERT_TRUE(apex) << format_error(apex.error());
  EXPECT_EQ((*apex)[0].arrival, 3 * kSecond / 2);
}

TEST(TrafficTrace, LengthsAloneNeedArrivals) {
  const std::string text =
      "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n100,20,120,5.0\n";
  const auto requests = read(text);
  ASSERT_FALSE(requests);
  EXPECT_NE(requests.error().message.find("no arrivals"), std::string::npos);
  EXPECT_NE(requests.error().hint.find("--arrival"), std::string::npos);
}

TEST(TrafficTrace, LlmServingSimOfTokensAndOfIds) {
  std::string tokens;
  for (int i = 0; i < 40; ++i) tokens += (i > 0 ? "," : "") + std::to_string(i);
  const std::string line =
      "{\"input_toks\": 40, \"output_toks\": 3, \"arrival_time_ns\": 4059740,"
      " \"input_tok_ids\": [" +
      tokens + "], \"output_tok_ids\": [1, 2, 3]}\n";
  std::string changed = line;
  changed.replace(changed.find(",39]"), 4, ",77]");
  const auto requests = read(line + changed);
  ASSERT_TRUE(requests) << format_error(requests.error());
  EXPECT_EQ((*requests)[0].arrival, 4'059'740'000);
  EXPECT_EQ((*requests)[0].id_tokens, 16);
  // Two full runs are the same text, what differs lies behind them.
  ASSERT_EQ((*requests)[0].ids.size(), 2u);
  EXPECT_EQ((*requests)[0].ids, (*requests)[1].ids);
  EXPECT_NE((*requests)[0].ids[0], (*requests)[0].ids[1]);
  EXPECT_FALSE(
      read("{\"input_toks\": 41, \"output_toks\": 3, \"arrival_time_ns\": 0,"
           " \"input_tok_ids\": [" +
           tokens + "]}"));

  const auto reduced = read(
      "{\"timestamp_ns\":46926808,\"input_length\":33,\"output_length\":5,\"hash_ids_16\":[3,4]}");
  ASSERT_TRUE(reduced) << format_error(reduced.error());
  EXPECT_EQ((*reduced)[0].ids, (Ids{3, 4}));
  EXPECT_FALSE(
      read("{\"timestamp_ns\":46926808,\"input_length\":33,\"output_length\":5,\"hash_ids_16\":[3,"
           "4,5]}"));
}

constexpr const char* kBlisHeader =
    "request_id,client_id,tenant_id,slo_class,session_id,round_index,prefix_group,prefix_length,"
    "streaming,input_tokens,output_tokens,text_tokens,image_tokens,audio_tokens,video_tokens,"
    "reason_ratio,model,deadline_us,server_input_tokens,arrival_time_us,send_time_us,"
    "first_chunk_time_us,last_chunk_time_us,num_chunks,status,error_message,finish_reason\n";

TEST(TrafficTrace, Blis) {
  auto source = open_trace_text(
      std::string(kBlisHeader) +
          "0,c,t,batch,s,0,g,40,true,100,20,0,0,0,0,0,m,5000000,0,1000000,1000000,0,0,0,ok,,\n"
          "1,c,t,,,0,,0,true,100,20,0,0,0,0,0,,0,0,1500000,1500000,0,0,0,error,\"broken, "
          "\"\"very\"\"\n"
          "so\",\n"
          "2,c,t,,,0,g,40,true,10,20,0,0,0,0,0,,0,0,2000000,2000000,0,0,0,incomplete,,\n",
      {.path = "blis.csv", .classes = {{"standard", 0}, {"batch", 1}}});
  ASSERT_TRUE(source) << format_error(source.error());
  const auto requests = parts::drain(**source);
  ASSERT_TRUE(requests) << format_error(requests.error());
  ASSERT_EQ(requests->size(), 2u);
  EXPECT_EQ((*source)->skipped(), 1u);
  const Request& first = (*requests)[0];
  EXPECT_EQ(first.arrival, kSecond);
  EXPECT_EQ(first.deadline, 5 * kSecond);
  EXPECT_EQ(first.input_tokens, 140);  // the shared prefix comes on top
  EXPECT_EQ(first.slo_class, 1u);
  EXPECT_EQ(first.ids.size(), 2u);
  EXPECT_EQ(first.ids, (*requests)[1].ids);
}

TEST(TrafficTrace, NamesMustBeKnown) {
  const std::string line =
      "{\"arrival_seconds\": 0, \"input_tokens\": 1, \"output_tokens\": 1,"
      " \"model\": \"bgi\"}\n";
  EXPECT_TRUE(read(line));
  const auto requests = read(line, {.path = "t.jsonl", .models = {{"big", 0}}});
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().where.line, 1u);
  EXPECT_NE(requests.error().message.find("\"bgi\""), std::string::npos);
  EXPECT_NE(requests.error().hint.find("\"big\""), std::string::npos);
  EXPECT_TRUE(read(line, {.models = {{"*", 0}}}));
}

TEST(TrafficTrace, AFormatMayBeNamed) {
  const std::string text = "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1}\n";
  EXPECT_TRUE(read(text, {.format = "mooncake"}));
  EXPECT_FALSE(read(text, {.format = "jsonl"}));
  const auto unknown = read(text, {.format = "moncake"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUsage);
  EXPECT_NE(unknown.error().hint.find("mooncake"), std::string::npos);
  for (const TraceFormat& format : trace_formats()) EXPECT_FALSE(format.about.empty());
}

}  // namespace
}  // namespace portolan::simulation
