// Where requests go: routing, classes, admission, the hosted API, prompts and outputs apart.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

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

Scenario routed(Routing routing, std::int64_t replicas = 4, std::int64_t blocks = 10'000) {
  EngineModel engine = plain_engine();
  engine.kv_blocks = blocks;
  engine.max_sequences = 32;
  engine.front_end = from_seconds(5e-3);
  Scenario scenario = scenario_of({pool_of(shared(engine), replicas)});
  scenario.routing = routing;
  return scenario;
}

/// Four kinds of long prompts that begin alike, each kind in bursts.
std::vector<Request> alike(std::uint64_t count, double per_second) {
  std::vector<Request> all = poisson(count, per_second, 200, 60);
  const RandomStream random(5, 9);
  for (Request& r : all) {
    const std::uint64_t kind = random.below(r.index, 12);
    r.input_tokens = 3000 + r.input_tokens;
    r.id_tokens = 512;
    r.conversation = kind + 1;
    for (std::uint64_t block = 0; block < 5; ++block) r.ids.push_back(kind * 100 + block);
    r.ids.push_back(1'000'000 + r.index);
    r.ids.push_back(2'000'000 + r.index);
  }
  return all;
}

TEST(Routing, EveryPolicyServesEverythingAndRepeatsItself) {
  const std::vector<Request> all = alike(300, 12);
  for (const Routing routing : {Routing::kRoundRobin, Routing::kRandom, Routing::kLeastRequests,
                                Routing::kLeastTokens, Routing::kPowerOfTwo, Routing::kSticky,
                                Routing::kPrefixAware, Routing::kKvAware, Routing::kCostAware}) {
    const Ran once = run_all(routed(routing), all), twice = run_all(routed(routing), all);
    EXPECT_EQ(once.result.all.completed, all.size());
    std::set<std::uint32_t> used;
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(once.outcomes[i].last_token, twice.outcomes[i].last_token);
      used.insert(once.outcomes[i].replica);
    }
    EXPECT_GT(used.size(), 1u) << static_cast<int>(routing);
  }
}

TEST(Routing, LoadsAreLevelled) {
  // Every fourth request is long: in turn, one machine gets them all.
  std::vector<Request> all = poisson(800, 20, 200, 50);
  for (Request& r : all)
    if (r.index % 4 == 0) r.output_tokens += 1000;
  const double turn = run_all(routed(Routing::kRoundRobin), all).result.all.latency.e2e.mean;
  for (const Routing routing :
       {Routing::kLeastRequests, Routing::kLeastTokens, Routing::kPowerOfTwo, Routing::kKvAware})
    EXPECT_LT(run_all(routed(routing), all).result.all.latency.e2e.mean, turn)
        << static_cast<int>(routing);
}

TEST(Routing, PrefixesAreFound) {
  constexpr std::int64_t kBlocks = 1500;  // two thirds of the beginnings, beside what runs
  const std::vector<Request> all = alike(800, 16);
  const RunResult turn = run_all(routed(Routing::kRoundRobin, 4, kBlocks), all).result;
  for (const Routing routing : {Routing::kPrefixAware, Routing::kSticky, Routing::kKvAware}) {
    const RunResult r = run_all(routed(routing, 4, kBlocks), all).result;
    EXPECT_GT(r.pools[0].counters.cached_tokens, turn.pools[0].counters.cached_tokens)
        << static_cast<int>(routing);
  }
  EXPECT_LT(run_all(routed(Routing::kPrefixAware, 4, kBlocks), all).result.all.latency.ttft.p50,
            turn.all.latency.ttft.p50);
}

TEST(Routing, AConversationStaysWhereItIs) {
  const std::vector<Request> all = alike(300, 8);
  const Ran ran = run_all(routed(Routing::kSticky), all);
  std::map<std::uint64_t, std::set<std::uint32_t>> places;
  for (const Outcome& o : ran.outcomes) places[all[o.index].conversation].insert(o.replica);
  for (const auto& [conversation, where] : places) EXPECT_EQ(where.size(), 1u) << conversation;
}

TEST(Routing, OldNewsHerds) {
  std::vector<Request> all = poisson(1500, 40, 300, 100);
  Scenario scenario = routed(Routing::kLeastRequests, 8);
  const double fresh = run_all(scenario, all).result.all.latency.e2e.p99;
  scenario.staleness_seconds = 3;
  EXPECT_GT(run_all(scenario, all).result.all.latency.e2e.p99, fresh);
}

TEST(Routing, TheCheapestThatMeetsTheTarget) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 8;
  Pool dear = pool_of(shared(engine), 1, "dear"), cheap = pool_of(shared(engine), 1, "cheap");
  dear.usd_per_hour = 10;
  cheap.usd_per_hour = 2;
  Scenario scenario = scenario_of({dear, cheap});
  scenario.routing = Routing::kCostAware;
  SloClass chat;
  chat.ttft_seconds = 0.5;
  scenario.classes = {chat};
  const RunResult light = run_all(scenario, poisson(200, 0.5, 300, 100)).result;
  EXPECT_EQ(light.pools[1].group.completed, 200u);
  const RunResult heavy = run_all(scenario, poisson(600, 12, 300, 100)).result;
  EXPECT_GT(heavy.pools[0].group.completed, 50u);
  EXPECT_GT(heavy.pools[1].group.completed, 50u);
}

SloClass named(const char* name, std::int64_t priority = 0) {
  SloClass c;
  c.name = name;
  c.priority = priority;
  return c;
}

TEST(Classes, HigherPriorityGoesFirst) {
  Scenario scenario = routed(Routing::kLeastRequests, 1);
  std::vector<Request> all = poisson(1500, 45, 300, 100);
  for (Request& r : all) r.slo_class = r.index % 4 == 0 ? 1 : 0;
  scenario.classes = {named("batch"), named("chat")};
  const RunResult alike = run_all(scenario, all).result;
  scenario.classes[1].priority = 5;
  const Ran ran = run_all(scenario, all);
  EXPECT_EQ(ran.result.all.completed, all.size());
  EXPECT_LT(ran.result.classes[1].latency.ttft.mean, 0.2 * ran.result.classes[0].latency.ttft.mean);
  EXPECT_LT(ran.result.classes[1].latency.ttft.mean, 0.5 * alike.classes[1].latency.ttft.mean);
  // Waiting at the router costs no throughput.
  EXPECT_NEAR(ran.result.simulated_seconds / alike.simulated_seconds, 1, 0.05);
}

TEST(Classes, QueuesAreBoundedAndLongWaitsAreShed) {
  Scenario scenario = routed(Routing::kLeastRequests, 1);
  const std::vector<Request> all = poisson(2000, 60, 300, 100);
  scenario.classes = {named("chat")};
  const RunResult open = run_all(scenario, all).result;
  EXPECT_EQ(open.verdict, Verdict::kOverloaded);
  scenario.classes[0].queue_limit = 20;
  const RunResult bounded = run_all(scenario, all).result;
  EXPECT_GT(bounded.all.shed, 100u);
  EXPECT_EQ(bounded.all.shed + bounded.all.completed, all.size());
  EXPECT_LT(bounded.all.latency.ttft.p99, 0.2 * open.all.latency.ttft.p99);
  EXPECT_EQ(bounded.verdict, Verdict::kStable);
  scenario.classes[0].queue_limit.reset();
  scenario.classes[0].shed_wait_seconds = 1.5;
  const RunResult shed = run_all(scenario, all).result;
  EXPECT_GT(shed.all.shed, 100u);
  EXPECT_LT(shed.all.latency.ttft.p99, 4);
  EXPECT_GT(shed.all.latency.ttft.p99, 0.4);
}

TEST(Classes, DeadlinesPass) {
  Scenario scenario = routed(Routing::kLeastRequests, 1);
  const std::vector<Request> all = poisson(2000, 60, 300, 100);
  scenario.classes = {named("chat")};
  scenario.classes[0].deadline_seconds = 2;
  const Ran ran = run_all(scenario, all);
  EXPECT_GT(ran.result.all.timed_out, 100u);
  for (const Outcome& o : ran.outcomes) {
    if (o.status == Status::kCompleted) {
      EXPECT_LE(o.scheduled - o.arrival, 2 * kSecond);
    }
  }
  // The same at the router.
  scenario.classes[0].queue_limit = 1'000'000;
  const Ran held = run_all(scenario, all);
  EXPECT_GT(held.result.all.timed_out, 100u);
  EXPECT_EQ(held.result.all.timed_out + held.result.all.completed, all.size());
}

TEST(Classes, LowTiersStayOnTheirPoolsAndSpillInOrder) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 16;
  Scenario scenario =
      scenario_of({pool_of(shared(engine), 1, "fast"), pool_of(shared(engine), 1, "cheap"),
                   pool_of(shared(engine), 1, "spare")});
  scenario.routing = Routing::kLeastRequests;
  scenario.classes = {named("chat"), named("batch")};
  scenario.classes[0].pools = {0, 2};
  scenario.classes[1].pools = {1};
  std::vector<Request> all = poisson(1500, 60, 300, 100);
  for (Request& r : all) r.slo_class = r.index % 2;
  const Ran ran = run_all(scenario, all);
  std::uint64_t spilled = 0;
  for (const Outcome& o : ran.outcomes) {
    if (o.slo_class == 1) {
      ASSERT_EQ(o.pool, 1u);
    } else {
      ASSERT_NE(o.pool, 1u);
      spilled += o.pool == 2 ? 1 : 0;
    }
  }
  EXPECT_GT(spilled, 10u);
  EXPECT_LT(spilled, 700u);
}

TEST(Hosted, TakesWhatTheMachinesCannot) {
  Scenario scenario = routed(Routing::kLeastRequests, 1);
  scenario.pools[0].usd_per_hour = 4;
  Hosted api;
  api.name = "api";
  api.ttft_seconds = 0.4;
  api.output_tokens_per_second = 80;
  api.usd_per_million_input_tokens = 1;
  api.usd_per_million_output_tokens = 5;
  api.wait_seconds = 1;
  scenario.hosted = api;
  const std::vector<Request> all = poisson(2000, 60, 300, 100);
  const Ran ran = run_all(scenario, all);
  const RunResult& r = ran.result;
  EXPECT_GT(r.all.hosted, 100u);
  EXPECT_EQ(r.all.hosted + r.all.completed, all.size());
  EXPECT_LT(r.all.latency.ttft.p99, 4);
  double usd = 0;
  for (const Outcome& o : ran.outcomes) {
    if (o.status != Status::kHosted) continue;
    EXPECT_EQ(o.pool, kNowhere);
    EXPECT_EQ(o.first_token - o.arrival, from_seconds(0.4));
    usd += (static_cast<double>(o.input_tokens) + 5 * static_cast<double>(o.output_tokens)) * 1e-6;
  }
  EXPECT_NEAR(*r.usd_hosted, usd, 1e-9);
  EXPECT_NEAR(*r.usd, usd + *r.pools[0].usd, 1e-9);
  // A rate limit leaves some to the machines.
  scenario.hosted->requests_per_second = 5;
  const RunResult limited = run_all(scenario, all).result;
  EXPECT_LE(static_cast<double>(limited.all.hosted), 5 * to_seconds(all.back().arrival) + 1);
  EXPECT_GT(limited.all.hosted, 20u);
  // Not wanted: nobody goes.
  scenario.classes = {named("private")};
  scenario.classes[0].may_burst = false;
  EXPECT_EQ(run_all(scenario, all).result.all.hosted, 0u);
}

Scenario split(std::int64_t prompts, std::int64_t outputs) {
  EngineModel engine = plain_engine();
  engine.kv_bytes_per_token = 131072;
  Pool p = pool_of(shared(engine), prompts, "prompts"),
       o = pool_of(shared(engine), outputs, "outputs");
  p.role = Role::kPrompt;
  o.role = Role::kOutput;
  return scenario_of({p, o});
}

TEST(Split, PromptsAndOutputsRunApart) {
  const Scenario scenario = split(2, 2);
  const std::vector<Request> all = poisson(600, 6, 2000, 150);
  const Ran ran = run_all(scenario, all);
  EXPECT_EQ(ran.result.all.completed, all.size());
  std::int64_t input = 0, output = 0;
  for (const Request& r : all) {
    input += r.input_tokens;
    output += r.output_tokens;
  }
  const PoolResult &p = ran.result.pools[0], &o = ran.result.pools[1];
  EXPECT_EQ(p.counters.prompt_tokens, input);
  EXPECT_EQ(o.counters.prompt_tokens, 0);
  EXPECT_EQ(p.counters.output_tokens + o.counters.output_tokens, output);
  EXPECT_EQ(p.counters.output_tokens, 600);
  EXPECT_GT(p.transferred_bytes, 131072.0 * static_cast<double>(input) * 0.95);
  // Decoding is not disturbed by prompts: no gap between tokens is as long as a prompt.
  const RunResult mixed = run_all(scenario_of({pool_of(scenario.pools[0].engine, 4)}), all).result;
  EXPECT_LT(o.group.latency.itl.p99, mixed.pools[0].group.latency.itl.p99);
}

TEST(Split, MoneyOfBothPoolsIsOfTheRequests) {
  Scenario scenario = split(2, 1);
  scenario.pools[0].usd_per_hour = 5;
  scenario.pools[1].usd_per_hour = 2;
  scenario.classes = {named("a"), named("b")};
  std::vector<Request> all = poisson(200, 4, 1000, 100);
  for (Request& r : all) r.slo_class = r.index % 3 == 0 ? 1 : 0;
  const RunResult r = run_all(scenario, all).result;
  EXPECT_NEAR(*r.classes[0].usd + *r.classes[1].usd, *r.usd, 1e-9);
  EXPECT_GT(*r.classes[0].usd, *r.classes[1].usd);
  EXPECT_NEAR(*r.models[0].usd, *r.usd, 1e-9);
}

TEST(Split, ANarrowLinkBacksUpIntoThePrompts) {
  Scenario scenario = split(1, 2);
  EngineModel small = *scenario.pools[0].engine;
  small.kv_blocks = 2000;  // some ten prompts
  scenario.pools[0].engine = shared(small);
  const std::vector<Request> all = poisson(300, 4, 3000, 100);
  double before = 0, before_prompts = 0;
  for (const double bandwidth : {250e9, 25e9, 1.2e9}) {
    scenario.links = {{.from = 0, .to = 1, .latency_seconds = 1e-4, .bytes_per_second = bandwidth}};
    const Ran ran = run_all(scenario, all);
    EXPECT_EQ(ran.result.all.completed, all.size());
    double queue = 0;
    for (const Outcome& o : ran.outcomes) queue += to_seconds(o.scheduled - o.queued);
    EXPECT_GE(ran.result.all.latency.e2e.mean, before);
    EXPECT_GE(queue, before_prompts - 1e-9);
    before = ran.result.all.latency.e2e.mean;
    before_prompts = queue;
  }
  // 200 MB a prompt at four a second is two thirds of the last link: it queues.
  EXPECT_GT(run_all(scenario, all).result.pools[0].transfer_wait_seconds, 1);
}

TEST(Split, ShortPromptsRunWhole) {
  Scenario scenario = split(1, 1);
  scenario.split_from_tokens = 500;
  const std::vector<Request> all = poisson(400, 4, 500, 50);  // half of them below 500
  const Ran ran = run_all(scenario, all);
  EXPECT_EQ(ran.result.all.completed, all.size());
  std::int64_t shorter = 0;
  for (const Request& r : all) shorter += r.input_tokens < 500 ? r.input_tokens : 0;
  EXPECT_EQ(ran.result.pools[1].counters.prompt_tokens, shorter);
}

TEST(Split, WhatOutputsHaveNoRoomForIsRejected) {
  Scenario scenario = split(1, 1);
  EngineModel small = *scenario.pools[1].engine;
  small.max_model_len = 2500;
  scenario.pools[1].engine = shared(small);
  const std::vector<Request> all = poisson(300, 6, 1500, 150);
  const Ran ran = run_all(scenario, all);
  EXPECT_EQ(ran.result.all.completed + ran.result.all.rejected, all.size());
  for (const Outcome& o : ran.outcomes)
    EXPECT_EQ(o.status == Status::kRejected,
              all[o.index].input_tokens + all[o.index].output_tokens > 2500);
  // One of two kinds of machines has room: nobody is counted twice, wherever they are sent.
  scenario.pools.push_back(scenario.pools[1]);
  scenario.pools[2].engine = scenario.pools[0].engine;
  const Ran mixed = run_all(scenario, all);
  EXPECT_EQ(mixed.outcomes.size(), all.size());
  EXPECT_EQ(mixed.result.all.completed + mixed.result.all.rejected, all.size());
  EXPECT_GT(mixed.result.all.completed, ran.result.all.completed);
}

TEST(Split, ScalesWithoutLosingAnybody) {
  Scenario scenario = split(1, 1);
  for (Pool& pool : scenario.pools) {
    pool.autoscale.policy = Scaling::kTarget;
    pool.autoscale.target = 4;
    pool.autoscale.max_replicas = 6;
    pool.autoscale.tick_seconds = 5;
    pool.autoscale.down_stabilisation_seconds = 10;
    pool.load.engine_seconds = 10;
  }
  std::vector<Request> all = poisson(900, 20, 2000, 200);
  for (Request& r : all)
    if (r.index > 600) r.arrival += 60 * kSecond + 20 * (r.arrival - all[600].arrival);
  const Ran ran = run_all(scenario, all);
  EXPECT_EQ(ran.result.all.completed, all.size());
  EXPECT_GT(ran.result.pools[1].cold_starts, 0u);
  EXPECT_EQ(ran.result.retried_requests, 0u);
}

TEST(Split, HalfASplitIsAnError) {
  testing::ListSource source({request(0, 0, 10, 10)});
  Scenario scenario = split(1, 1);
  scenario.pools.pop_back();
  EXPECT_EQ(run(scenario, source, {}).error().code, ErrorCode::kUsage);
  scenario = split(1, 1);
  scenario.pools[0].failures = Failures{.mean_seconds_between = 100, .repair_seconds = 1};
  EXPECT_EQ(run(scenario, source, {}).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace portolan::simulation
