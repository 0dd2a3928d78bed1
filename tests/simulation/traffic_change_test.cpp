// Changes to a trace: each does what it says and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "tests/simulation/traffic_parts.hpp"

namespace portolan::simulation {
namespace {

using parts::arrivals;
using parts::read;

// One request every two seconds, the n-th with n tokens of input and content of its own.
std::string steady(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    text += "{\"arrival_seconds\": " + std::to_string(2 * i) +
            ", \"input_tokens\": " + std::to_string(i) +
            ", \"output_tokens\": 4, \"conversation\": \"c\", \"block_ids\": [" +
            std::to_string(i) + "], \"block_tokens\": 1, \"deadline_seconds\": 3}\n";
  }
  return text;
}

TEST(TrafficChange, WindowStartsItsClock) {
  const auto requests = read(steady(10), {.from_seconds = 6, .to_seconds = 12});
  ASSERT_TRUE(requests);
  EXPECT_EQ(arrivals(*requests), (std::vector<double>{0, 2, 4}));
  EXPECT_EQ((*requests)[0].input_tokens, 3);
  EXPECT_EQ((*requests)[0].index, 0u);
  EXPECT_EQ((*requests)[1].deadline, 5 * kSecond);
}

TEST(TrafficChange, FasterHalvesTimes) {
  const auto requests = read(steady(3), {.speed = 4, .limit = 2});
  ASSERT_TRUE(requests);
  EXPECT_EQ(arrivals(*requests), (std::vector<double>{0.5, 1}));
}

TEST(TrafficChange, LoopsComeWithNewContents) {
  const auto requests = read(steady(3), {.path = "t", .loops = 3});
  ASSERT_TRUE(requests);
  EXPECT_EQ(arrivals(*requests), (std::vector<double>{2, 4, 6, 8, 10, 12, 14, 16, 18}));
  std::set<std::uint64_t> ids, conversations;
  for (const Request& request : *requests) {
    ids.insert(request.ids.at(0));
    conversations.insert(request.conversation);
    EXPECT_EQ(request.index, static_cast<std::uint64_t>(&request - requests->data()));
  }
  EXPECT_EQ(ids.size(), 9u);
  EXPECT_EQ(conversations.size(), 3u);
  const auto endless = read(steady(3), {.path = "t", .loops = 0, .limit = 1000});
  ASSERT_TRUE(endless);
  EXPECT_EQ(endless->size(), 1000u);
  // Without a limit, the longest simulated time ends it.
  const auto all = read(steady(3), {.path = "t", .speed = 1e-5, .loops = 0});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 43u);
  EXPECT_EQ(open_trace({.path = "-", .format = "jsonl", .loops = 2}).error().code,
            ErrorCode::kUsage);
}

TEST(TrafficChange, AnEmptyPartDoesNotLoopForEver) {
  const auto requests = read(steady(3), {.path = "t", .from_seconds = 100, .loops = 0});
  ASSERT_TRUE(requests);
  EXPECT_TRUE(requests->empty());
}

TEST(TrafficChange, ThinningKeepsTheShare) {
  const auto requests = read(steady(20'000), {.rate_scale = 0.25});
  ASSERT_TRUE(requests);
  EXPECT_NEAR(static_cast<double>(requests->size()), 5000, 250);
  EXPECT_EQ(requests->back().index + 1, requests->size());
}

TEST(TrafficChange, CopiesAreInOrderAndTheirOwn) {
  const auto requests = read(steady(4000), {.rate_scale = 2.5, .copy_spread_seconds = 30});
  ASSERT_TRUE(requests);
  EXPECT_NEAR(static_cast<double>(requests->size()), 10'000, 200);
  std::map<std::int64_t, std::vector<double>> by_row;
  std::set<std::uint64_t> ids;
  EXPECT_TRUE(std::ranges::is_sorted(*requests, {}, &Request::arrival));
  for (const Request& request : *requests) {
    by_row[request.input_tokens].push_back(to_seconds(request.arrival));
    ids.insert(request.ids.at(0));
  }
  EXPECT_EQ(ids.size(), requests->size());
  for (const auto& [row, times] : by_row) {
    EXPECT_GE(times.size(), 2u);
    EXPECT_LE(times.size(), 3u);
    EXPECT_DOUBLE_EQ(times.front(), 2.0 * static_cast<double>(row));
    EXPECT_LT(times.back(), times.front() + 30);
  }
}

TEST(TrafficChange, RatesOverTimeAndLoopsTogether) {
  TraceOptions options{.path = "t", .loops = 0, .rate_scale = 2, .stop_seconds = 40'000};
  options.shapes = {
      {.kind = RateShape::Kind::kSpike, .at = 10'000, .duration = 10'000, .factor = 5}};
  const auto requests = read(steady(100), options);
  ASSERT_TRUE(requests);
  EXPECT_TRUE(std::ranges::is_sorted(*requests, {}, &Request::arrival));
  std::array<double, 4> counts{};
  std::set<std::uint64_t> ids;
  for (const Request& request : *requests) {
    counts.at(static_cast<std::size_t>(request.arrival / (10'000 * kSecond))) += 1;
    ids.insert(request.ids.at(0));
  }
  EXPECT_EQ(ids.size(), requests->size());
  EXPECT_NEAR(counts[0], 10'000, 100);
  EXPECT_NEAR(counts[1], 50'000, 500);
  EXPECT_NEAR(counts[2], 10'000, 500);  // copies come a little later
  EXPECT_NEAR(counts[3], 10'000, 100);
}

TEST(TrafficChange, SpreadingUndoesBatches) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    text += "{\"timestamp\": " + std::to_string(i / 10 * 3000) +
            ", \"input_length\": 5, \"output_length\": 1}\n";
  }
  const auto batched = read(text), smooth = read(text, {.spread_seconds = 3});
  ASSERT_TRUE(batched);
  ASSERT_TRUE(smooth);
  EXPECT_EQ(smooth->size(), batched->size());
  EXPECT_TRUE(std::ranges::is_sorted(*smooth, {}, &Request::arrival));
  std::set<Time> times;
  double mean = 0;
  for (std::size_t i = 0; i < smooth->size(); ++i) {
    times.insert((*smooth)[i].arrival);
    mean += to_seconds((*smooth)[i].arrival - (*batched)[i].arrival) / 3000;
  }
  EXPECT_EQ(times.size(), 3000u);
  EXPECT_NEAR(mean, 1.5, 0.1);
  EXPECT_EQ(arrivals(read(text, {.spread_seconds = 3}).value()), arrivals(*smooth));
  EXPECT_NE(arrivals(read(text, {.spread_seconds = 3, .seed = 2}).value()), arrivals(*smooth));
}

}  // namespace
}  // namespace portolan::simulation
