// Machines that several models share: what stays, what is loaded, who waits.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "simulation/swap_cache.hpp"
#include "tests/simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

using testing::plain_engine;
using testing::poisson;
using testing::Ran;
using testing::request;
using testing::run_all;
using testing::scenario_of;
using testing::shared;

TEST(SwapCache, MissesOfAHandMadeTrace) {
  const std::vector<std::uint32_t> uses = {0, 1, 2, 0, 1, 3, 0, 3, 1, 2};
  // Two slots, least recent use: 0m 1m 2m 0m 1m 3m 0m 3 1m 2m.
  EXPECT_DOUBLE_EQ(miss_rate(uses, 4, 2, Eviction::kLeastRecent), 0.9);
  // Belady: 0m 1m 2m(-1) 0 1m(-2) 3m(-1) 0 3 1m 2m.
  EXPECT_DOUBLE_EQ(least_miss_rate(uses, 4, 2), 0.7);
  EXPECT_DOUBLE_EQ(miss_rate(uses, 4, 4, Eviction::kLeastRecent), 0.4);
  EXPECT_DOUBLE_EQ(least_miss_rate(uses, 4, 4), 0.4);
}

TEST(SwapCache, MoreRoomNeverMissesMoreAndNobodyBeatsBelady) {
  const RandomStream random(1, 1);
  std::vector<std::uint32_t> uses;
  for (std::uint64_t i = 0; i < 4000; ++i)
    uses.push_back(static_cast<std::uint32_t>(20 * std::pow(random.uniform(i), 2.5)));
  double before = 1;
  for (std::int64_t slots = 1; slots <= 20; ++slots) {
    const double lru = miss_rate(uses, 20, slots, Eviction::kLeastRecent);
    EXPECT_LE(lru, before);
    EXPECT_LE(least_miss_rate(uses, 20, slots), lru);
    EXPECT_LE(least_miss_rate(uses, 20, slots), miss_rate(uses, 20, slots, Eviction::kValue));
    before = lru;
  }
}

TEST(SwapCache, WhatTakesLongToLoadStays) {
  // Room for one of the large and one small.
  ResidentSet set({{.bytes = 10, .load_seconds = 100},
                   {.bytes = 10, .load_seconds = 1},
                   {.bytes = 10, .load_seconds = 1}},
                  Eviction::kValue, 0, 20);
  EXPECT_FALSE(set.use(0));
  EXPECT_FALSE(set.use(1));
  EXPECT_FALSE(set.use(2));  // in place of 1, although 0 was used before it
  EXPECT_TRUE(set.holds(0));
  EXPECT_FALSE(set.holds(1));
  EXPECT_FALSE(ResidentSet({{.bytes = 30, .load_seconds = 1}}, Eviction::kValue, 0, 20).fits(0));
}

Scenario sharing(std::uint32_t models, std::int64_t resident, std::int64_t replicas = 1) {
  const auto engine = shared(plain_engine());
  Pool pool = testing::pool_of(engine, replicas);
  pool.usd_per_hour = 3.6;
  for (std::uint32_t m = 0; m < models; ++m) {
    SharedModel one;
    one.model = m;
    one.engine = engine;
    one.weight_bytes = 10e9;
    one.load_seconds = 20;
    one.wake_seconds = 1;
    pool.sharing.models.push_back(one);
  }
  pool.sharing.resident_models = resident;
  Scenario scenario = scenario_of({pool});
  scenario.models.clear();
  for (std::uint32_t m = 0; m < models; ++m) scenario.models.push_back("m" + std::to_string(m));
  return scenario;
}

Request of_model(std::uint64_t index, double at, std::uint32_t model) {
  Request r = request(index, at, 100, 20);
  r.model = model;
  return r;
}

TEST(SharedMachines, AbsentModelsAreLoadedAndResidentOnesWoken) {
  // 0 and 1 are there at the start, 2 is not; 2 makes room in place of 0.
  const Ran ran = run_all(sharing(3, 2), {of_model(0, 0, 0), of_model(1, 10, 1), of_model(2, 20, 2),
                                          of_model(3, 60, 1), of_model(4, 70, 0)});
  EXPECT_EQ(ran.outcomes[0].queued, 1 * kSecond);
  EXPECT_EQ(ran.outcomes[1].queued, 11 * kSecond);
  EXPECT_EQ(ran.outcomes[2].queued, 40 * kSecond);
  EXPECT_EQ(ran.outcomes[3].queued, 61 * kSecond);
  EXPECT_EQ(ran.outcomes[4].queued, 90 * kSecond);
  const PoolResult& pool = ran.result.pools[0];
  EXPECT_EQ(pool.swaps, 2u);
  EXPECT_EQ(pool.wakes, 3u);
  EXPECT_EQ(pool.swap_seconds, 40);
  // 0.1 cent a second: 40 s of loading, the rest busy or idle.
  EXPECT_NEAR(*pool.usd_loading, 0.04, 1e-8);
  EXPECT_NEAR(*pool.usd - *pool.usd_idle - *pool.usd_loading, 1e-3 * to_seconds(pool.counters.busy),
              1e-8);
}

TEST(SharedMachines, ABusyModelGivesWayAfterAWhileAndIsNeverEvicted) {
  Scenario scenario = sharing(2, 1);
  scenario.pools[0].sharing.most_wait_seconds = 5;
  std::vector<Request> all;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Request r = request(i, static_cast<double>(i) * 0.05, 200, 200);
    r.model = i % 100 == 50 ? 1 : 0;
    all.push_back(r);
  }
  const Ran ran = run_all(scenario, all);
  EXPECT_EQ(ran.result.all.completed, all.size());
  EXPECT_GT(ran.result.pools[0].swaps, 3u);
  // Nobody waits much longer than the patience and two swaps; one at a time computes.
  const Time begun = ran.outcomes[50].scheduled - ran.outcomes[50].arrival;
  EXPECT_GT(begun, 25 * kSecond);
  EXPECT_LT(begun, 35 * kSecond);
  std::map<std::uint32_t, std::vector<std::pair<Time, Time>>> spans;
  for (const Outcome& o : ran.outcomes) spans[o.model].emplace_back(o.scheduled, o.last_token);
  for (const auto& [from, to] : spans[1])
    for (const auto& [other_from, other_to] : spans[0])
      ASSERT_TRUE(other_to <= from || to <= other_from);
}

TEST(SharedMachines, WhatNeverFitsIsRejectedAtOnce) {
  Scenario scenario = sharing(2, 1);
  scenario.pools[0].sharing.resident_bytes = 50e9;
  scenario.pools[0].sharing.models[1].weight_bytes = 60e9;
  const Ran ran = run_all(scenario, {of_model(0, 0, 1), of_model(1, 1, 0)});
  EXPECT_EQ(ran.outcomes[0].status, Status::kRejected);
  EXPECT_EQ(ran.outcomes[1].status, Status::kCompleted);
  EXPECT_EQ(ran.result.pools[0].swaps, 0u);
}

TEST(SharedMachines, MoreRoomSwapsLessAndModelsSpreadOverMachines) {
  const RandomStream random(2, 1);
  std::vector<Request> all = poisson(600, 0.5, 200, 50);
  for (Request& r : all)
    r.model = static_cast<std::uint32_t>(8 * std::pow(random.uniform(r.index), 2.0));
  std::uint64_t before = 1'000'000;
  for (const std::int64_t room : {1, 2, 4, 8}) {
    const RunResult r = run_all(sharing(8, room), all).result;
    EXPECT_EQ(r.all.completed, all.size());
    EXPECT_LE(r.pools[0].swaps, before) << room;
    before = r.pools[0].swaps;
  }
  EXPECT_EQ(before, 0u);
  const RunResult one = run_all(sharing(8, 2, 1), all).result;
  const RunResult four = run_all(sharing(8, 2, 4), all).result;
  EXPECT_LT(four.pools[0].swap_seconds, one.pools[0].swap_seconds);
  EXPECT_LT(four.all.latency.ttft.mean, one.all.latency.ttft.mean);
}

TEST(SharedMachines, SharingWithWhatItCannotDoIsAnError) {
  testing::ListSource source({of_model(0, 0, 0)});
  Scenario scenario = sharing(2, 0);
  EXPECT_EQ(run(scenario, source, {}).error().code, ErrorCode::kUsage);
  scenario = sharing(2, 1);
  scenario.pools[0].failures = Failures{.mean_seconds_between = 100, .repair_seconds = 1};
  EXPECT_EQ(run(scenario, source, {}).error().code, ErrorCode::kUsage);
  scenario = sharing(2, 1);
  scenario.classes = {{.name = "a", .queue_limit = 5}};
  EXPECT_EQ(run(scenario, source, {}).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace portolan::simulation
