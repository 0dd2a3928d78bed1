// Generated traffic follows the laws it was asked for, the same way each time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "tests/simulation/traffic_parts.hpp"

namespace portolan::simulation {
namespace {

using parts::generate;
using Arrival = Stream::Arrival;
using Kind = Lengths::Kind;

Stream stream_of(Arrival arrival, double rate, double cv, std::uint64_t requests) {
  Stream stream;
  stream.arrival = arrival;
  stream.rate = rate;
  stream.cv = cv;
  stream.requests = requests;
  stream.input.mean = 100;
  stream.output.mean = 10;
  return stream;
}

TrafficSpec only(const Stream& stream, std::uint64_t seed = 1) {
  TrafficSpec spec;
  spec.streams = {stream};
  spec.seed = seed;
  return spec;
}

struct Moments {
  double mean = 0, cv = 0;
};
Moments moments(const std::vector<double>& values) {
  double mean = 0, square = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) {
    square += (value - mean) * (value - mean) / static_cast<double>(values.size());
  }
  return {mean, std::sqrt(square) / mean};
}

std::vector<double> gaps(const std::vector<Request>& requests) {
  std::vector<double> result;
  for (std::size_t i = 1; i < requests.size(); ++i) {
    result.push_back(to_seconds(requests[i].arrival - requests[i - 1].arrival));
  }
  return result;
}

std::vector<double> inputs(const std::vector<Request>& requests) {
  std::vector<double> result;
  for (const Request& request : requests) {
    result.push_back(static_cast<double>(request.input_tokens));
  }
  return result;
}

TEST(TrafficGenerate, GapsHaveTheirMeanAndVariation) {
  struct Case {
    Arrival arrival;
    double cv;
  };
  for (const Case& each :
       {Case{Arrival::kPoisson, 1}, Case{Arrival::kGamma, 0.5}, Case{Arrival::kGamma, 3},
        Case{Arrival::kWeibull, 0.5}, Case{Arrival::kWeibull, 2}}) {
    const auto requests = generate(only(stream_of(each.arrival, 8, each.cv, 100'000)));
    ASSERT_TRUE(requests);
    ASSERT_EQ(requests->size(), 100'000u);
    const Moments of = moments(gaps(*requests));
    EXPECT_NEAR(of.mean * 8, 1, 0.02) << static_cast<int>(each.arrival) << ' ' << each.cv;
    EXPECT_NEAR(of.cv / each.cv, 1, 0.03) << static_cast<int>(each.arrival) << ' ' << each.cv;
  }
  const auto constant = generate(only(stream_of(Arrival::kConstant, 4, 0, 5)));
  EXPECT_EQ(parts::arrivals(*constant), (std::vector<double>{0.25, 0.5, 0.75, 1, 1.25}));
  const auto batch = generate(only(stream_of(Arrival::kBatch, 1, 1, 3)));
  EXPECT_EQ(parts::arrivals(*batch), (std::vector<double>{0, 0, 0}));
}

TEST(TrafficGenerate, LengthsFollowTheirLaws) {
  Stream stream = stream_of(Arrival::kBatch, 1, 1, 100'000);
  stream.input = {.kind = Kind::kLogNormal, .mean = 2000, .cv = 1.5};
  Moments of = moments(inputs(generate(only(stream)).value()));
  EXPECT_NEAR(of.mean / 2000, 1, 0.03);
  EXPECT_NEAR(of.cv / 1.5, 1, 0.06);
  stream.input = {.kind = Kind::kUniform, .low = 10, .high = 19};
  std::vector<double> values = inputs(generate(only(stream)).value());
  EXPECT_EQ(std::ranges::min(values), 10);
  EXPECT_EQ(std::ranges::max(values), 19);
  EXPECT_NEAR(moments(values).mean, 14.5, 0.05);
  stream.input = {.kind = Kind::kGeometric, .mean = 5};
  of = moments(inputs(generate(only(stream)).value()));
  EXPECT_NEAR(of.mean, 5, 0.1);
  EXPECT_NEAR(of.cv, std::sqrt(0.8), 0.02);
  stream.input = {.kind = Kind::kEmpirical, .histogram = {{100, 1}, {200, 0}, {300, 3}}};
  std::map<double, int> counts;
  for (const double value : inputs(generate(only(stream)).value())) ++counts[value];
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[300], 75'000, 600);
  // Cut to bounds.
  stream.input = {.kind = Kind::kLogNormal, .mean = 2000, .cv = 3, .low = 100, .high = 4000};
  values = inputs(generate(only(stream)).value());
  EXPECT_EQ(std::ranges::min(values), 100);
  EXPECT_EQ(std::ranges::max(values), 4000);
}

TEST(TrafficGenerate, TheSameEachTimeAndOtherwiseWithAnotherSeed) {
  Stream stream = stream_of(Arrival::kGamma, 8, 2, 1000);
  stream.input = {.kind = Kind::kLogNormal, .mean = 500, .cv = 1};
  const auto once = generate(only(stream)).value(), again = generate(only(stream)).value();
  EXPECT_EQ(parts::arrivals(once), parts::arrivals(again));
  EXPECT_EQ(inputs(once), inputs(again));
  const auto other = generate(only(stream, 2)).value();
  EXPECT_NE(parts::arrivals(once), parts::arrivals(other));
  EXPECT_NE(inputs(once), inputs(other));
}

TEST(TrafficGenerate, AnotherStreamShiftsNothing) {
  TrafficSpec spec;
  Stream first = stream_of(Arrival::kPoisson, 3, 1, 500), second = first;
  first.input = {.kind = Kind::kLogNormal, .mean = 500, .cv = 1};
  second.rate = 7;
  second.model = 1;
  spec.streams = {first};
  const auto alone = generate(spec).value();
  spec.streams = {first, second};
  const auto both = generate(spec).value();
  EXPECT_EQ(both.size(), 1000u);
  EXPECT_TRUE(std::ranges::is_sorted(both, {}, &Request::arrival));
  std::vector<Request> of_first;
  for (const Request& request : both) {
    EXPECT_EQ(request.index, static_cast<std::uint64_t>(&request - both.data()));
    if (request.model == 0) of_first.push_back(request);
  }
  EXPECT_EQ(parts::arrivals(of_first), parts::arrivals(alone));
  EXPECT_EQ(inputs(of_first), inputs(alone));
}

// Requests in [from, to) of a stream of rate 20 with these shapes.
double rate_between(const std::vector<Request>& requests, double from, double to) {
  const auto count = std::ranges::count_if(requests, [&](const Request& request) {
    return request.arrival >= from_seconds(from) && request.arrival < from_seconds(to);
  });
  return static_cast<double>(count) / (to - from);
}

std::vector<Request> shaped(const RateShape& shape, double stop) {
  Stream stream = stream_of(Arrival::kPoisson, 20, 1, 1);
  stream.requests.reset();
  stream.stop_seconds = stop;
  stream.shapes = {shape};
  return generate(only(stream)).value();
}

TEST(TrafficGenerate, RatesOverTime) {
  using Shape = RateShape::Kind;
  auto spike = shaped({.kind = Shape::kSpike, .at = 2000, .duration = 1000, .factor = 10}, 5000);
  EXPECT_NEAR(rate_between(spike, 0, 2000), 20, 0.6);
  EXPECT_NEAR(rate_between(spike, 2000, 3000), 200, 3);
  EXPECT_NEAR(rate_between(spike, 3000, 5000), 20, 0.6);
  auto step = shaped({.kind = Shape::kStep, .at = 1000, .factor = 0.5}, 4000);
  EXPECT_NEAR(rate_between(step, 0, 1000), 20, 0.8);
  EXPECT_NEAR(rate_between(step, 1000, 4000), 10, 0.4);
  auto ramp = shaped({.kind = Shape::kRamp, .at = 1000, .duration = 2000, .factor = 3}, 4000);
  EXPECT_NEAR(rate_between(ramp, 0, 1000), 20, 0.8);
  EXPECT_NEAR(rate_between(ramp, 1900, 2100), 40, 2.5);
  EXPECT_NEAR(rate_between(ramp, 3000, 4000), 60, 1.5);
  auto sine = shaped({.kind = Shape::kSine, .at = 600, .period = 3600, .amplitude = 0.8}, 36'000);
  EXPECT_NEAR(rate_between(sine, 0, 36'000), 20, 0.2);
  EXPECT_NEAR(rate_between(sine, 3600 + 500, 3600 + 700), 36, 2.5);
  EXPECT_NEAR(rate_between(sine, 3600 + 2300, 3600 + 2500), 4, 1);
  auto profile =
      shaped({.kind = Shape::kProfile, .at = 0, .period = 400, .values = {1, 3, 0, 4}}, 4000);
  EXPECT_NEAR(rate_between(profile, 0, 4000), 20, 0.4);
  EXPECT_EQ(rate_between(profile, 200, 300), 0);
  EXPECT_NEAR(rate_between(profile, 3900, 4000), 40, 4);
  auto growth = shaped({.kind = Shape::kGrowth, .period = 1000, .factor = 1.5}, 5000);
  EXPECT_NEAR(rate_between(growth, 4990, 5000) / 20, std::pow(1.5, 4.995), 1.2);
  // The integral of the growth: 20 · 1000 / ln 1.5 · (1.5⁵ − 1).
  EXPECT_NEAR(
      static_cast<double>(growth.size()) / (20'000 / std::log(1.5) * (std::pow(1.5, 5) - 1)), 1,
      0.01);
}

TEST(TrafficGenerate, VariationOutlivesAChangingRate) {
  Stream stream = stream_of(Arrival::kConstant, 10, 1, 1);
  stream.requests.reset();
  stream.stop_seconds = 100;
  stream.shapes = {{.kind = RateShape::Kind::kStep, .at = 50, .factor = 2}};
  const auto requests = generate(only(stream)).value();
  const std::vector<double> between = gaps(requests);
  EXPECT_NEAR(between.front(), 0.1, 1e-9);
  EXPECT_NEAR(between.back(), 0.05, 1e-9);
}

TEST(TrafficGenerate, ARateThatDiesOutEnds) {
  Stream stream = stream_of(Arrival::kPoisson, 10, 1, 1'000'000);
  stream.shapes = {{.kind = RateShape::Kind::kStep, .at = 100, .factor = 0}};
  const auto requests = generate(only(stream)).value();
  EXPECT_NEAR(static_cast<double>(requests.size()), 1000, 120);
}

TEST(TrafficGenerate, GroupsShareTheirSystemPrompt) {
  Stream stream = stream_of(Arrival::kPoisson, 1, 1, 4000);
  stream.prefix = SharedPrefix{.groups = 4, .users = 5, .system_tokens = 100, .recurring = 0.25};
  const auto requests = generate(only(stream)).value();
  std::map<std::uint64_t, int> groups;
  std::set<std::uint64_t> users;
  std::map<std::vector<std::uint64_t>, int> whole;
  int named = 0;
  for (const Request& request : requests) {
    EXPECT_EQ(request.input_tokens, 200);
    EXPECT_EQ(request.id_tokens, 16);
    ++groups[request.ids.at(5)];  // the last run that is all system prompt
    users.insert(request.conversation);
    if (request.ids.size() > 6) {
      ++named;
      ++whole[request.ids];
    }
  }
  EXPECT_EQ(groups.size(), 4u);
  for (const auto& [id, count] : groups) EXPECT_NEAR(count, 1000, 120);
  EXPECT_EQ(users.size(), 20u);
  EXPECT_NEAR(named, 1000, 120);
  EXPECT_EQ(whole.size(), 20u);
}

// Answers every request after `latency` seconds, one after the other.
std::vector<Request> converse(Source& source, double latency, Status status = Status::kCompleted) {
  std::vector<Request> done, waiting;
  Request request;
  while (*source.next(request)) waiting.push_back(request);
  const auto later = [](const Request& a, const Request& b) {
    return a.arrival != b.arrival ? a.arrival > b.arrival : a.index > b.index;
  };
  std::ranges::make_heap(waiting, later);
  while (!waiting.empty() && done.size() < 100'000) {
    std::ranges::pop_heap(waiting, later);
    request = waiting.back();
    waiting.pop_back();
    done.push_back(request);
    Outcome outcome;
    outcome.index = request.index;
    outcome.status = status;
    Request next;
    const Time at = request.arrival + from_seconds(latency);
    if (*source.completed(outcome, at, next)) {
      EXPECT_GE(next.arrival, at);
      waiting.push_back(next);
      std::ranges::push_heap(waiting, later);
    }
  }
  return done;
}

TEST(TrafficGenerate, ConversationsCarryTheirHistory) {
  Stream stream = stream_of(Arrival::kPoisson, 1, 1, 200);
  stream.turns = {.kind = Kind::kUniform, .low = 1, .high = 5};
  stream.think_seconds = 10;
  auto source = make_traffic(only(stream)).value();
  EXPECT_TRUE(source->reactive());
  const auto requests = converse(*source, 2);
  EXPECT_NEAR(static_cast<double>(requests.size()), 600, 60);
  std::map<std::uint64_t, std::vector<Request>> conversations;
  for (const Request& request : requests) conversations[request.conversation].push_back(request);
  EXPECT_EQ(conversations.size(), 200u);
  double think = 0;
  int follow_ups = 0;
  std::set<std::uint64_t> first_ids, indices;
  for (const auto& [conversation, turns] : conversations) {
    EXPECT_LE(turns.size(), 5u);
    first_ids.insert(turns[0].ids.at(0));
    for (std::size_t i = 0; i < turns.size(); ++i) {
      indices.insert(turns[i].index);
      EXPECT_EQ(turns[i].input_tokens, 100 + 110 * static_cast<std::int64_t>(i));
      // All runs of prompt and reply are named; each turn begins with all text of the one before.
      EXPECT_EQ(turns[i].ids.size(),
                static_cast<std::size_t>((turns[i].input_tokens + 10 + 15) / 16));
      if (i == 0) continue;
      const std::vector<std::uint64_t>& before = turns[i - 1].ids;
      EXPECT_TRUE(std::equal(before.begin(), before.end(), turns[i].ids.begin()));
      think += to_seconds(turns[i].arrival - turns[i - 1].arrival) - 2;
      ++follow_ups;
    }
  }
  EXPECT_NEAR(think / follow_ups, 10, 1.5);
  EXPECT_EQ(first_ids.size(), 200u);
  EXPECT_EQ(indices.size(), requests.size());
}

TEST(TrafficGenerate, ClosedLoopsHoldTheirUsers) {
  Stream stream = stream_of(Arrival::kClosed, 1, 1, 1000);
  stream.concurrency = 8;
  stream.think_seconds = 0;
  auto source = make_traffic(only(stream)).value();
  EXPECT_EQ(source->count(), 1000u);
  const auto requests = converse(*source, 2);
  EXPECT_EQ(requests.size(), 1000u);
  // Eight at a time, two seconds each.
  EXPECT_EQ(requests.back().arrival, from_seconds(2 * (1000 / 8 - 1)));
  // A user whose request can never be served does not ask again and again.
  source = make_traffic(only(stream)).value();
  EXPECT_EQ(converse(*source, 0, Status::kRejected).size(), 8u);
}

TEST(TrafficGenerate, EndsAreCounted) {
  TrafficSpec spec;
  spec.streams = {stream_of(Arrival::kPoisson, 1, 1, 10), stream_of(Arrival::kPoisson, 1, 1, 5)};
  EXPECT_EQ(make_traffic(spec).value()->count(), 15u);
  spec.limit = 7;
  EXPECT_EQ(make_traffic(spec).value()->count(), 7u);
  EXPECT_EQ(generate(spec)->size(), 7u);
}

TEST(TrafficGenerate, WhatMakesNoSenseIsRefused) {
  const Stream good = stream_of(Arrival::kPoisson, 1, 1, 10);
  const auto refuses = [&](auto change) {
    Stream stream = good;
    change(stream);
    const auto source = make_traffic(only(stream));
    return !source && source.error().code == ErrorCode::kUsage && !source.error().message.empty();
  };
  EXPECT_TRUE(make_traffic(only(good)));
  EXPECT_TRUE(refuses([](Stream& s) { s.rate = 0; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.rate = std::nan(""); }));
  EXPECT_TRUE(refuses([](Stream& s) { s.requests.reset(); }));
  EXPECT_TRUE(refuses([](Stream& s) { s.requests = 0; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.input.mean = -5; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.output.mean = 1e12; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.input.kind = Kind::kEmpirical; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.input = {.kind = Kind::kUniform, .low = 5, .high = 3}; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.arrival = Arrival::kGamma, s.cv = -1; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.arrival = Arrival::kClosed, s.concurrency = 0; }));
  EXPECT_TRUE(refuses(
      [](Stream& s) { s.arrival = Arrival::kClosed, s.requests.reset(), s.stop_seconds = 10; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.shapes = {{.factor = -1}}; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.shapes = {{.kind = RateShape::Kind::kProfile}}; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.prefix = SharedPrefix{.groups = 0}; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.think_seconds = -1; }));
  EXPECT_TRUE(refuses([](Stream& s) { s.deadline_seconds = 0; }));
  EXPECT_FALSE(make_traffic({}));
}

}  // namespace
}  // namespace portolan::simulation
