// Machines that come and go: load times, autoscaling, spot capacity, failures.
#include <gtest/gtest.h>

#include <cmath>

#include "simulation/autoscale.hpp"
#include "simulation/load_time.hpp"
#include "simulation/spot.hpp"
#include "tests/simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

using testing::plain_engine;
using testing::poisson;
using testing::pool_of;
using testing::Ran;
using testing::request;
using testing::run_all;
using testing::scenario_of;
using testing::shared;

TEST(LoadTime, IsTheSumOfItsPartsAndTheSlowestWay) {
  EngineModel engine = plain_engine();
  engine.weight_bytes = 100e9;
  engine.accelerators = 2;
  LoadTime load;
  load.provision_seconds = 60;
  load.image_seconds = 10;
  load.engine_seconds = 5;
  load.compile_seconds = 7;
  load.graph_seconds = 3;
  EXPECT_DOUBLE_EQ(start_seconds(load, engine), 85);
  load.pcie_bytes_per_second = 25e9;  // of two accelerators: 2 s
  EXPECT_DOUBLE_EQ(start_seconds(load, engine), 87);
  load.network_bytes_per_second = 10e9;
  EXPECT_DOUBLE_EQ(start_seconds(load, engine), 95);
  load.storage_bytes_per_second = 40e9;
  EXPECT_DOUBLE_EQ(start_seconds(load, engine, 4), 95);
  EXPECT_DOUBLE_EQ(start_seconds(load, engine, 8), 105);
}

// The line of measured_load_time() against the points that it stands for, within its own spread.
TEST(LoadTime, TheMeasuredOneIsNearItsPoints) {
  const LoadTime load = measured_load_time();
  const struct {
    double bytes, seconds;
  } points[] = {{1.5e9, 37.6}, {8.3e9, 58.1}, {61.1e9, 47.4}, {236e9, 97.7}, {8.3e9, 46.0}};
  for (const auto& point : points) {
    EngineModel engine = plain_engine();
    engine.weight_bytes = point.bytes;
    EXPECT_LT(std::abs(std::log(start_seconds(load, engine) / point.seconds)), 0.45) << point.bytes;
  }
}

TEST(SharedStorage, ReadersShareItsBandwidth) {
  SharedStorage storage(10.0);
  const Start hundred{.before = 0, .after = 0, .bytes = 100, .most_bytes_per_second = 0};
  storage.begin(0, hundred, 0);
  EXPECT_EQ(storage.next(), 10 * kSecond);
  storage.begin(1, hundred, 4 * kSecond);  // 60 left of the first: both at 5 a second
  EXPECT_EQ(storage.next(), 16 * kSecond);
  EXPECT_EQ(storage.finish(16 * kSecond), 0u);
  EXPECT_EQ(storage.next(), 20 * kSecond);  // 40 left at 10 a second
  storage.begin(2, {.before = 0, .after = 0, .bytes = 4, .most_bytes_per_second = 1}, 16 * kSecond);
  EXPECT_EQ(storage.next(), 20 * kSecond);  // its own limit
  storage.cancel(2, 16 * kSecond);
  EXPECT_EQ(storage.finish(20 * kSecond), 1u);
  EXPECT_EQ(storage.next(), kNever);
}

PoolState state(std::int64_t ready, std::int64_t waiting, std::int64_t running, double kv = 0,
                std::uint64_t arrivals = 0) {
  return {.ready = ready,
          .loading = 0,
          .waiting = waiting,
          .running = running,
          .kv_share = kv,
          .arrivals = arrivals};
}

TEST(Autoscaler, TracksATargetWithinItsTolerance) {
  Autoscale rules;
  rules.policy = Scaling::kTarget;
  rules.target = 10;
  rules.max_replicas = 50;
  rules.down_stabilisation_seconds = 0;
  Autoscaler scaler(rules, 60, 0);
  scaler.measure(kSecond, state(4, 20, 64));  // 21 per replica
  EXPECT_EQ(scaler.decide(kSecond, 4, 0), 9);
  scaler.measure(2 * kSecond, state(4, 3, 40));  // within a tenth
  EXPECT_EQ(scaler.decide(2 * kSecond, 4, 0), 4);
  scaler.measure(3 * kSecond, state(4, 0, 8));
  EXPECT_EQ(scaler.decide(3 * kSecond, 4, 0), 1);
}

TEST(Autoscaler, GoesDownOnlyWhenNothingMoreWasWantedForAWhile) {
  Autoscale rules;
  rules.policy = Scaling::kTarget;
  rules.target = 10;
  rules.max_replicas = 50;
  rules.down_stabilisation_seconds = 100;
  Autoscaler scaler(rules, 60, 0);
  scaler.measure(200 * kSecond, state(4, 0, 80));
  EXPECT_EQ(scaler.decide(200 * kSecond, 4, 0), 8);
  scaler.measure(250 * kSecond, state(8, 0, 10));
  EXPECT_EQ(scaler.decide(250 * kSecond, 8, 0), 8);
  scaler.measure(301 * kSecond, state(8, 0, 10));
  EXPECT_EQ(scaler.decide(301 * kSecond, 8, 0), 1);
}

TEST(Autoscaler, SeesOnlyWhatWasScraped) {
  Autoscale rules;
  rules.policy = Scaling::kThreshold;
  rules.scrape_delay_seconds = 30;
  rules.max_replicas = 9;
  Autoscaler scaler(rules, 60, 0);
  scaler.measure(kSecond, state(2, 100, 0));
  EXPECT_EQ(scaler.decide(20 * kSecond, 2, 0), 2);
  EXPECT_EQ(scaler.decide(31 * kSecond, 2, 0), 3);
}

TEST(Autoscaler, FollowsItsSchedule) {
  Autoscale rules;
  rules.policy = Scaling::kSchedule;
  rules.max_replicas = 9;
  rules.schedule = {{.at_seconds = 100, .replicas = 5}, {.at_seconds = 200, .replicas = 2}};
  rules.schedule_period_seconds = 1000;
  Autoscaler scaler(rules, 60, 0);
  EXPECT_EQ(scaler.decide(50 * kSecond, 1, 0), 2);
  EXPECT_EQ(scaler.decide(150 * kSecond, 1, 0), 5);
  EXPECT_EQ(scaler.decide(1250 * kSecond, 5, 0), 2);
}

TEST(Autoscaler, ForecastsWhatTheProfileSaysForWhenAMachineIsReady) {
  Autoscale rules;
  rules.policy = Scaling::kForecast;
  rules.max_replicas = 100;
  rules.headroom = 0;
  rules.window_seconds = 60;
  rules.period_seconds = 3600;
  rules.profile_bins = 60;
  rules.down_stabilisation_seconds = 0;
  Autoscaler scaler(rules, 300, 0);
  // One request a second, ten between minutes 30 and 40 of each hour.
  double arrivals = 0;
  for (int minute = 0; minute < 60 + 26; ++minute) {
    const int of_hour = minute % 60;
    arrivals += 60 * (of_hour >= 30 && of_hour < 40 ? 10 : 1);
    scaler.measure((minute + 1) * 60 * kSecond,
                   state(1, 0, 1, 0, static_cast<std::uint64_t>(arrivals)));
  }
  // At minute 86 the rate is one, five minutes later it will be ten.
  EXPECT_EQ(scaler.decide(86 * 60 * kSecond, 1, 1.0), 10);
  rules.policy = Scaling::kPlanner;
  Autoscaler planner(rules, 300, 0);
  planner.measure(0, state(1, 0, 1, 0, 0));
  planner.measure(60 * kSecond, state(1, 0, 1, 0, 300));
  EXPECT_EQ(planner.decide(60 * kSecond, 1, 2.0), 3);  // 5 a second at 2 each
}

/// One request a second for ten minutes, ten times that for twenty, then one again.
std::vector<Request> spike() {
  std::vector<Request> all;
  double at = 0;
  const RandomStream gaps(3, 1);
  while (at < 3600) {
    const double rate = at > 600 && at < 1800 ? 20 : 2;
    at += gaps.exponential(all.size()) / rate;
    all.push_back(request(all.size(), at, 800, 150));
  }
  return all;
}

Scenario scaled(Scaling policy, double cold_start) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 32;
  Pool pool = pool_of(shared(engine), 1);
  pool.usd_per_hour = 4;
  pool.load.engine_seconds = cold_start;
  pool.load.weight_bytes = 0;
  pool.autoscale.policy = policy;
  pool.autoscale.max_replicas = 12;
  pool.autoscale.target = 24;
  pool.autoscale.tick_seconds = 10;
  pool.autoscale.down_stabilisation_seconds = 120;
  Scenario scenario = scenario_of({pool});
  SloClass chat;
  chat.name = "chat";
  chat.ttft_seconds = 2;
  chat.tpot_seconds = 0.05;
  scenario.classes = {chat};
  scenario.routing = Routing::kLeastRequests;
  return scenario;
}

// serving.md §9, scenario 12.
TEST(Control, AColderStartNeverMeetsMoreTargets) {
  const std::vector<Request> all = spike();
  double before = 2;
  for (const double cold : {0.0, 30.0, 180.0, 600.0}) {
    const RunResult r = run_all(scaled(Scaling::kPlanner, cold), all).result;
    EXPECT_EQ(r.all.completed, all.size());
    const double met = static_cast<double>(r.all.good) / static_cast<double>(r.all.offered);
    EXPECT_LE(met, before + 1e-3) << cold;
    before = met;
    EXPECT_GT(r.pools[0].cold_starts, 0u);
    EXPECT_GT(r.pools[0].most_replicas, 1);
    if (cold > 0) {
      EXPECT_GT(*r.pools[0].usd_loading, 0);
    }
    EXPECT_LE(*r.pools[0].usd_loading + *r.pools[0].usd_idle, *r.pools[0].usd);
  }
  EXPECT_LT(before, 0.9);
}

TEST(Control, ThePlannerPaysLessForWhatItMeetsThanThresholds) {
  const std::vector<Request> all = spike();
  const RunResult planner = run_all(scaled(Scaling::kPlanner, 60), all).result;
  const RunResult threshold = run_all(scaled(Scaling::kThreshold, 60), all).result;
  const auto usd_per_good = [](const RunResult& r) {
    return *r.usd / static_cast<double>(r.all.good);
  };
  EXPECT_LT(usd_per_good(planner), 0.7 * usd_per_good(threshold));
  EXPECT_GT(static_cast<double>(planner.all.good), 0.98 * static_cast<double>(threshold.all.good));
}

TEST(Control, MachinesThatAreNotNeededAreGivenBack) {
  for (const Scaling policy : {Scaling::kTarget, Scaling::kPlanner, Scaling::kForecast}) {
    const RunResult r = run_all(scaled(policy, 30), spike()).result;
    EXPECT_EQ(r.all.completed, r.all.offered);
    EXPECT_LT(r.pools[0].replica_seconds,
              static_cast<double>(r.pools[0].most_replicas) * r.simulated_seconds * 0.8);
  }
}

TEST(Control, FromZeroOnARequestAndBackToZero) {
  Scenario scenario = scaled(Scaling::kTarget, 20);
  scenario.pools[0].replicas = 0;
  scenario.pools[0].autoscale.min_replicas = 0;
  std::vector<Request> all = {request(0, 0, 100, 10), request(1, 1000, 100, 10)};
  const Ran ran = run_all(scenario, all);
  ASSERT_EQ(ran.result.all.completed, 2u);
  EXPECT_EQ(ran.outcomes[0].queued, 20 * kSecond);
  EXPECT_EQ(ran.outcomes[1].queued, 1020 * kSecond);
  EXPECT_EQ(ran.result.pools[0].cold_starts, 2u);
  EXPECT_LT(ran.result.pools[0].replica_seconds, 400);
}

Scenario on_spot(std::vector<SpotStep> series) {
  Scenario scenario = scaled(Scaling::kStatic, 30);
  scenario.pools[0].replicas = 4;
  Spot spot;
  spot.series = std::move(series);
  spot.warning_seconds = 0.2;
  spot.on_demand_usd_per_hour = 12;
  scenario.pools[0].spot = spot;
  return scenario;
}

TEST(Control, SpotCapacityIsReplayed) {
  const std::vector<Request> all = poisson(1200, 4, 400, 200);
  // Capacity that never goes away is no spot capacity.
  const Ran always = run_all(on_spot({{.available = 9, .seconds = 100}}), all);
  EXPECT_EQ(always.result.pools[0].spot_losses, 0u);
  EXPECT_EQ(always.result.pools[0].ready_share, 1);
  const std::vector<SpotStep> series = {{.available = 4, .seconds = 100},
                                        {.available = 1, .seconds = 50},
                                        {.available = 0, .seconds = 20},
                                        {.available = 4, .seconds = 60}};
  const Ran some = run_all(on_spot(series), all);
  EXPECT_EQ(some.result.all.completed, all.size());
  EXPECT_GE(some.result.pools[0].spot_losses, 4u);
  EXPECT_GT(some.result.retried_requests, 0u);
  EXPECT_GT(some.result.pools[0].lost_tokens, 0);
  EXPECT_LT(some.result.pools[0].ready_share, 1);
  EXPECT_LT(some.result.all.good, always.result.all.good);
  // Lost from scratch is never sooner than with what the client has kept, on the whole.
  Scenario scratch = on_spot(series);
  scratch.keep_outputs = false;
  EXPECT_GT(run_all(scratch, all).result.all.latency.e2e.mean, some.result.all.latency.e2e.mean);
}

TEST(Control, MachinesOnDemandStandIn) {
  const std::vector<SpotStep> outage = {{.available = 4, .seconds = 60},
                                        {.available = 0, .seconds = 200},
                                        {.available = 4, .seconds = 10'000}};
  const std::vector<Request> all = poisson(2000, 4, 400, 200);
  Scenario scenario = on_spot(outage);
  const RunResult without = run_all(scenario, all).result;
  scenario.pools[0].spot->on_demand_fallback = true;
  const RunResult with = run_all(scenario, all).result;
  EXPECT_GT(with.pools[0].on_demand_seconds, 0);
  EXPECT_GT(with.all.good, without.all.good);
  EXPECT_GT(with.pools[0].ready_share, without.pools[0].ready_share);
  // They go again when spot machines are back.
  EXPECT_LT(with.pools[0].on_demand_seconds, 4 * 320);
}

TEST(Spot, ZonesGoDownTogetherAsOftenAsTheyShould) {
  Spot spot;
  spot.zones = 3;
  spot.mean_up_seconds = 1000;
  spot.mean_down_seconds = 250;
  const auto survey = [&](double shock) {
    spot.shock_share = shock;
    SpotCapacity capacity(spot, 5, 0, 0);
    double up = 0, none = 0, total = 0;
    Time at = 0;
    for (int i = 0; i < 60'000; ++i) {
      const Time next = capacity.next();
      const double span = to_seconds(next - at);
      total += span;
      up += capacity.zone_up(0) ? span : 0;
      none += capacity.capacity() == 0 ? span : 0;
      at = next;
      if (at > kLongest / 2) break;
      capacity.advance(at);
    }
    return std::pair(up / total, none / total);
  };
  const auto [alone_up, alone_none] = survey(0);
  EXPECT_NEAR(alone_up, 0.8, 0.02);
  EXPECT_NEAR(alone_none, 0.2 * 0.2 * 0.2, 0.003);
  EXPECT_GT(survey(0.8).second, 5 * alone_none);
}

TEST(Control, ZonesThatFailAreLeft) {
  Scenario scenario = on_spot({});
  scenario.pools[0].spot->zones = 3;
  scenario.pools[0].spot->mean_up_seconds = 200;
  scenario.pools[0].spot->mean_down_seconds = 60;
  const std::vector<Request> all = poisson(2000, 4, 400, 200);
  const RunResult r = run_all(scenario, all).result;
  EXPECT_EQ(r.all.completed + r.all.lost, all.size());
  EXPECT_GT(r.pools[0].spot_losses, 0u);
  EXPECT_GT(r.pools[0].cold_starts, 0u);
}

TEST(Control, MachinesThatBreakComeBack) {
  Scenario scenario = scaled(Scaling::kStatic, 30);
  scenario.pools[0].replicas = 4;
  scenario.pools[0].failures = Failures{.mean_seconds_between = 300, .repair_seconds = 100};
  const std::vector<Request> all = poisson(3000, 4, 400, 200);
  const Ran ran = run_all(scenario, all);
  const PoolResult& pool = ran.result.pools[0];
  EXPECT_GT(pool.failures, 3u);
  EXPECT_EQ(ran.result.all.completed + ran.result.all.lost, all.size());
  // Repairs are not paid for.
  const double whole = 4 * ran.result.simulated_seconds;
  EXPECT_LT(pool.replica_seconds, whole);
  EXPECT_GT(pool.replica_seconds, whole - 110.0 * static_cast<double>(pool.failures));
  // The same again, to the bit.
  const Ran again = run_all(scenario, all);
  for (std::size_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(ran.outcomes[i].last_token, again.outcomes[i].last_token);
  scenario.max_retries = 0;
  EXPECT_GT(run_all(scenario, all).result.all.lost, 0u);
}

TEST(Control, AvailabilityIsThatOfTheSeries) {
  // One machine that is back at once when there is capacity: ready as long as the series has any.
  Scenario scenario = on_spot({{.available = 1, .seconds = 70},
                               {.available = 0, .seconds = 30},
                               {.available = 2, .seconds = 40},
                               {.available = 0, .seconds = 60}});
  scenario.pools[0].replicas = 1;
  scenario.pools[0].load = LoadTime{.weight_bytes = 0};
  scenario.pools[0].spot->warning_seconds = 0;
  const RunResult r = run_all(scenario, poisson(4000, 2, 100, 20)).result;
  ASSERT_GT(r.simulated_seconds, 1900);
  EXPECT_NEAR(r.pools[0].ready_share, 110.0 / 200, 0.03);
  EXPECT_NEAR(r.pools[0].replica_seconds / r.simulated_seconds, r.pools[0].ready_share, 1e-6);
}

TEST(Control, NothingForEverEndsWithAVerdict) {
  Scenario scenario = on_spot({{.available = 0, .seconds = 100}});
  const RunResult r = run_all(scenario, poisson(10, 1, 100, 10)).result;
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.verdict, Verdict::kOverloaded);
  EXPECT_EQ(r.all.unfinished, 10u);
}

}  // namespace
}  // namespace portolan::simulation
