// Everything at once, by chance: whatever a scenario combines, requests and money are accounted
// for.
#include <gtest/gtest.h>

#include "tests/simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

using testing::ListSource;
using testing::plain_engine;
using testing::poisson;
using testing::pool_of;
using testing::Ran;
using testing::run_all;
using testing::shared;

/// Draws of one scenario.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed, 77) {}
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(random_.below(next_++, static_cast<std::uint64_t>(count)));
  }
  bool chance(double share) { return random_.uniform(next_++) < share; }
  double between(double least, double most) {
    return least + (most - least) * random_.uniform(next_++);
  }

 private:
  RandomStream random_;
  std::uint64_t next_ = 0;
};

Pool random_pool(Dice& dice, const std::shared_ptr<const EngineModel>& engine) {
  Pool pool = pool_of(engine, 1 + dice.below(4));
  pool.usd_per_hour = dice.between(1, 10);
  if (dice.chance(0.3)) pool.billing_quantum_seconds = 60;
  if (dice.chance(0.3)) pool.billing_minimum_seconds = 100;
  pool.load.engine_seconds = dice.between(0, 40);
  pool.load.weight_bytes = 10e9;
  if (dice.chance(0.5)) pool.load.storage_bytes_per_second = 1e9;
  if (dice.chance(0.5)) pool.load.spread = 0.3;
  if (dice.chance(0.6)) {
    Autoscale& rules = pool.autoscale;
    rules.policy = static_cast<Scaling>(1 + dice.below(5));
    rules.min_replicas = dice.below(2);
    rules.max_replicas = 6;
    rules.tick_seconds = dice.between(1, 15);
    rules.scrape_delay_seconds = dice.chance(0.5) ? dice.between(0, 20) : 0;
    rules.down_stabilisation_seconds = dice.between(0, 40);
    rules.target = dice.between(2, 30);
    rules.drain_seconds = dice.between(0, 20);
    rules.schedule = {{.at_seconds = 20, .replicas = 3}, {.at_seconds = 60, .replicas = 1}};
    rules.schedule_period_seconds = 100;
    rules.period_seconds = 50;
    rules.profile_bins = 10;
    rules.window_seconds = 20;
  }
  if (dice.chance(0.4)) {
    Spot spot;
    if (dice.chance(0.5)) {
      for (int i = 0; i < 4; ++i)
        spot.series.push_back({.available = dice.below(5), .seconds = dice.between(1, 30)});
      spot.series.push_back({.available = 4, .seconds = 30});
    } else {
      spot.zones = 1 + dice.below(4);
      spot.mean_up_seconds = 40;
      spot.mean_down_seconds = 10;
      spot.shock_share = dice.between(0, 1);
    }
    spot.warning_seconds = dice.chance(0.5) ? 0 : dice.between(0, 5);
    spot.extra_replicas = dice.below(2);
    spot.on_demand_fallback = dice.chance(0.5);
    pool.spot = spot;
  }
  if (dice.chance(0.3))
    pool.failures = Failures{.mean_seconds_between = 60, .repair_seconds = dice.between(0, 30)};
  return pool;
}

Scenario random_scenario(Dice& dice) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 4 + dice.below(40);
  engine.kv_blocks = 120 + dice.below(2000);
  engine.async_scheduling = dice.chance(0.5);
  engine.front_end = dice.chance(0.5) ? from_seconds(0.01) : 0;
  engine.idle_watts = 80;
  const auto shape = shared(engine);
  Scenario scenario;
  scenario.models = {"one"};
  for (std::int64_t i = 0; i <= dice.below(3); ++i)
    scenario.pools.push_back(random_pool(dice, shape));
  scenario.routing = static_cast<Routing>(dice.below(9));
  if (dice.chance(0.4)) scenario.staleness_seconds = dice.between(0.01, 3);
  scenario.keep_outputs = dice.chance(0.5);
  scenario.max_retries = dice.below(4);
  scenario.seed = static_cast<std::uint64_t>(dice.below(1000));
  for (std::int64_t i = 0; i < dice.below(3); ++i) {
    SloClass c;
    c.name = "class";
    c.ttft_seconds = 1;
    if (dice.chance(0.4)) c.priority = dice.below(3);
    if (dice.chance(0.3)) c.queue_limit = dice.below(30);
    if (dice.chance(0.3)) c.shed_wait_seconds = dice.between(0, 5);
    if (dice.chance(0.3)) c.deadline_seconds = dice.between(0.1, 20);
    if (dice.chance(0.3))
      c.pools = {static_cast<std::uint32_t>(dice.below(std::ssize(scenario.pools)))};
    c.may_burst = dice.chance(0.7);
    scenario.classes.push_back(c);
  }
  if (dice.chance(0.4)) {
    Hosted api;
    api.ttft_seconds = 0.5;
    api.output_tokens_per_second = 50;
    api.usd_per_million_output_tokens = 3;
    api.wait_seconds = dice.between(0, 5);
    if (dice.chance(0.5)) api.requests_per_second = 2;
    if (dice.chance(0.5)) api.waiting_requests = 30;
    scenario.hosted = api;
  }
  return scenario;
}

TEST(Chaos, EverythingIsAccountedFor) {
  std::uint64_t lost = 0, shed = 0, hosted = 0, retried = 0, timed_out = 0, cold = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    Dice dice(seed);
    const Scenario scenario = random_scenario(dice);
    std::vector<Request> all = poisson(300, dice.between(0.5, 20), 200, 60, seed);
    if (!scenario.classes.empty())
      for (Request& r : all)
        r.slo_class = static_cast<std::uint32_t>(dice.below(std::ssize(scenario.classes)));
    const Ran ran = run_all(scenario, all);
    const RunResult& r = ran.result;
    SCOPED_TRACE(seed);
    ASSERT_EQ(r.all.offered, all.size());
    ASSERT_EQ(r.all.offered, r.all.completed + r.all.rejected + r.all.shed + r.all.timed_out +
                                 r.all.lost + r.all.hosted + r.all.unfinished);
    ASSERT_EQ(ran.outcomes.size() + r.all.unfinished, all.size());
    if (!r.stopped) {
      ASSERT_EQ(r.all.unfinished, 0u);
    }
    for (const Outcome& o : ran.outcomes) {
      if (o.status != Status::kCompleted) continue;
      ASSERT_LE(o.arrival, o.queued);
      ASSERT_LE(o.queued, o.scheduled);
      ASSERT_LT(o.scheduled, o.last_token);
      ASSERT_LE(o.first_token, o.last_token);
      ASSERT_EQ(o.output_tokens, all[o.index].output_tokens);
      ASSERT_LE(static_cast<std::int64_t>(o.retries), scenario.max_retries);
    }
    double usd = r.usd_hosted.value_or(0);
    for (const PoolResult& pool : r.pools) {
      usd += *pool.usd;
      ASSERT_GE(*pool.usd_idle, 0);
      ASSERT_GE(*pool.usd_loading, 0);
      ASSERT_LE(*pool.usd_idle + *pool.usd_loading, *pool.usd + 1e-9);
      ASSERT_GE(*pool.joules, pool.counters.joules);
      ASSERT_LE(pool.ready_share, 1 + 1e-9);
      cold += pool.cold_starts;
    }
    ASSERT_NEAR(*r.usd, usd, 1e-9);
    lost += r.all.lost;
    shed += r.all.shed;
    hosted += r.all.hosted;
    timed_out += r.all.timed_out;
    retried += r.retried_requests;
    if (seed % 10 == 0) {
      const Ran again = run_all(scenario, all);
      for (std::size_t i = 0; i < ran.outcomes.size(); ++i) {
        ASSERT_EQ(again.outcomes[i].last_token, ran.outcomes[i].last_token);
        ASSERT_EQ(again.outcomes[i].replica, ran.outcomes[i].replica);
      }
      ASSERT_EQ(*again.result.usd, *r.usd);
    }
  }
  // It all did happen.
  EXPECT_GT(lost, 0u);
  EXPECT_GT(shed, 0u);
  EXPECT_GT(hosted, 0u);
  EXPECT_GT(retried, 0u);
  EXPECT_GT(timed_out, 0u);
  EXPECT_GT(cold, 0u);
}

}  // namespace
}  // namespace portolan::simulation
