// The event loop: laws that every run obeys, order of ties, verdicts, money.
#include "simulation/run.hpp"

#include <gtest/gtest.h>

#include <map>

#include "simulation/backlog.hpp"
#include "simulation/billing.hpp"
#include "simulation/cluster.hpp"
#include "tests/simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

using testing::ListSource;
using testing::plain_engine;
using testing::poisson;
using testing::pool_of;
using testing::Ran;
using testing::request;
using testing::run_all;
using testing::scenario_of;
using testing::shared;

TEST(EventHeap, IsASortedListThatChanges) {
  EventHeap heap;
  std::vector<Time> times;
  const RandomStream random(7, 1);
  for (int i = 0; i < 37; ++i) {
    EXPECT_EQ(heap.add(), static_cast<std::uint32_t>(i));
    times.push_back(kNever);
  }
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const auto slot = static_cast<std::uint32_t>(random.below(2 * i, times.size()));
    const std::uint64_t draw = random.below(2 * i + 1, 50);
    times[slot] = draw == 0 ? kNever : static_cast<Time>(draw);
    heap.set(slot, times[slot]);
    const auto first = std::ranges::min_element(times);
    ASSERT_EQ(heap.time(), *first);
    if (*first != kNever) {
      ASSERT_EQ(heap.slot(), static_cast<std::uint32_t>(first - times.begin()));
    }
  }
}

TEST(Billing, QuantaAndMinimaRoundUp) {
  const Price price{
      .nano_usd_per_hour = 3'600'000'000'000, .quantum = 60 * kSecond, .minimum = 600 * kSecond};
  EXPECT_EQ(billed(price, 1), 600 * kSecond);
  EXPECT_EQ(billed(price, 601 * kSecond), 660 * kSecond);
  EXPECT_EQ(billed(price, 660 * kSecond), 660 * kSecond);
  EXPECT_EQ(nano_usd(price, 660 * kSecond), 660'000'000'000);
  // 100 days at a million dollars an hour does not overflow.
  EXPECT_EQ(nano_usd({.nano_usd_per_hour = 1'000'000'000'000'000}, 240 * kSecond),
            66'666'666'666'667);
}

// R replicas in turn are R runs of every R-th request.
TEST(Run, ReplicasInTurnAreIndependentRuns) {
  const auto engine = shared(plain_engine());
  const std::vector<Request> all = poisson(600, 30, 500, 120);
  constexpr std::size_t kReplicas = 3;
  const Ran together = run_all(scenario_of({pool_of(engine, kReplicas)}), all);
  for (std::size_t r = 0; r < kReplicas; ++r) {
    std::vector<Request> part;
    for (std::size_t i = r; i < all.size(); i += kReplicas) part.push_back(all[i]);
    const Ran alone = run_all(scenario_of({pool_of(engine, 1)}), part);
    for (const Outcome& o : alone.outcomes) {
      const Outcome& same = together.outcomes[o.index];
      ASSERT_EQ(same.first_token, o.first_token);
      ASSERT_EQ(same.last_token, o.last_token);
      ASSERT_EQ(same.replica, r);
    }
  }
}

TEST(Run, CountsAndTokensAreConserved) {
  EngineModel engine = plain_engine();
  engine.max_model_len = 900;  // some never fit
  engine.kv_blocks = 80;
  std::vector<Request> all = poisson(400, 20, 300, 200);
  std::int64_t input = 0, output = 0;
  for (const Request& r : all) {
    input += r.input_tokens;
    output += r.output_tokens;
  }
  Scenario scenario = scenario_of({pool_of(shared(engine), 2)});
  scenario.classes = {{.name = "chat", .ttft_seconds = 0.1}, {.name = "batch"}};
  for (Request& r : all) r.slo_class = r.index % 3 == 0 ? 1 : 0;
  const Ran ran = run_all(scenario, all);
  ASSERT_EQ(ran.outcomes.size(), all.size());
  std::int64_t dropped_in = 0, dropped_out = 0;
  for (const Outcome& o : ran.outcomes)
    if (o.status != Status::kCompleted) {
      dropped_in += o.input_tokens;
      dropped_out += o.output_tokens;
    }
  const GroupResult& g = ran.result.all;
  EXPECT_GT(g.rejected, 0u);
  EXPECT_EQ(g.completed + g.rejected, all.size());
  EXPECT_EQ(g.input_tokens + dropped_in, input);
  EXPECT_EQ(g.output_tokens + dropped_out, output);
  std::uint64_t in_classes = 0;
  for (const GroupResult& c : ran.result.classes) in_classes += c.completed;
  EXPECT_EQ(in_classes, g.completed);
  EXPECT_TRUE(ran.result.classes[0].met_ttft.has_value());
  EXPECT_FALSE(ran.result.classes[1].met_ttft.has_value());
  EXPECT_EQ(ran.result.classes[1].good, ran.result.classes[1].completed);
}

TEST(Run, TwiceTheRateIsNeverFaster) {
  const auto engine = shared(plain_engine());
  double before = 0;
  for (const double rate : {2.0, 4.0, 8.0, 16.0, 32.0}) {
    const Ran ran = run_all(scenario_of({pool_of(engine, 1)}), poisson(800, rate, 500, 120));
    EXPECT_GE(ran.result.all.latency.e2e.mean, before) << rate;
    before = ran.result.all.latency.e2e.mean;
  }
}

TEST(Run, FasterHardwareIsNeverSlower) {
  EngineModel slow = plain_engine();
  const EngineModel fast = plain_engine();  // of H100
  slow.cost = std::make_shared<StepCost>(
      cost::StepModel::compile(parts::llama_8b(), parts::machine(parts::a100(), 8), {},
                               *cost::find_engine("vllm-0.19"))
          .value(),
      1, 0);
  for (const double rate : {2.0, 10.0, 30.0}) {
    const std::vector<Request> all = poisson(500, rate, 500, 120);
    const Latencies a = run_all(scenario_of({pool_of(shared(slow), 1)}), all).result.all.latency;
    const Latencies b = run_all(scenario_of({pool_of(shared(fast), 1)}), all).result.all.latency;
    EXPECT_LT(b.e2e.mean, a.e2e.mean);
    EXPECT_LT(b.ttft.mean, a.ttft.mean);
    EXPECT_LT(b.tpot.mean, a.tpot.mean);
  }
}

TEST(Run, MoneyIsTimeTimesPriceAndItsPartsAddUp) {
  EngineModel engine = plain_engine();
  engine.idle_watts = 100;
  Pool a = pool_of(shared(engine), 2, "a"), b = pool_of(shared(engine), 1, "b");
  a.usd_per_hour = 3.6;
  b.usd_per_hour = 7.2;
  b.billing_quantum_seconds = 3600;
  Scenario scenario = scenario_of({a, b});
  scenario.classes = {{.name = "x"}, {.name = "y"}};
  std::vector<Request> all = poisson(300, 10, 300, 100);
  for (Request& r : all) r.slo_class = r.index % 2;
  const RunResult r = run_all(scenario, all).result;
  EXPECT_NEAR(*r.pools[0].usd, 2 * r.simulated_seconds * 1e-3, 1e-8);
  EXPECT_EQ(*r.pools[1].usd, 7.2);
  EXPECT_EQ(r.pools[1].replica_seconds, 3600);
  EXPECT_NEAR(*r.usd, *r.pools[0].usd + *r.pools[1].usd, 1e-12);
  EXPECT_NEAR(*r.classes[0].usd + *r.classes[1].usd, *r.usd, 1e-9);
  EXPECT_NEAR(*r.models[0].usd, *r.usd, 1e-9);
  EXPECT_GT(*r.pools[0].usd_idle, 0);
  EXPECT_EQ(*r.pools[0].usd_loading, 0);
  const double busy = to_seconds(r.pools[0].counters.busy);
  EXPECT_NEAR(*r.pools[0].usd_idle, *r.pools[0].usd - busy * 1e-3, 1e-8);
  EXPECT_NEAR(*r.pools[0].joules,
              r.pools[0].counters.joules + 100 * (2 * r.simulated_seconds - busy), 1e-6);
  for (Request& one : all) one.slo_class = 0;
  EXPECT_FALSE(run_all(scenario_of({pool_of(shared(plain_engine()), 1)}), all).result.usd);
}

TEST(Run, RequestsShareWhatTheirMachinesDo) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 16;
  Pool pool = pool_of(shared(engine), 2);
  pool.usd_per_hour = 3.6;
  const Ran ran = run_all(scenario_of({pool}), poisson(800, 12, 400, 120));
  double usd = 0;
  for (const Outcome& o : ran.outcomes) {
    EXPECT_GT(o.usd, 0);
    usd += o.usd;
  }
  const PoolResult& p = ran.result.pools[0];
  EXPECT_NEAR(usd / (*p.usd - *p.usd_idle), 1, 0.01);
  // Alone on its machine, a request is charged all of its time.
  const Ran alone = run_all(scenario_of({pool}), {request(0, 0, 400, 120)});
  const Outcome& o = alone.outcomes[0];
  EXPECT_NEAR(o.usd, 1e-3 * to_seconds(o.last_token - o.scheduled), 1e-9);
}

TEST(Run, AFreedMachineServesAnArrivalAtTheSameInstant) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 1;
  Scenario scenario = scenario_of({pool_of(shared(engine), 2)});
  scenario.routing = Routing::kLeastRequests;
  const Ran alone = run_all(scenario, {request(0, 0, 100, 50)});
  Request second = request(1, 0, 100, 50), third = request(2, 0, 100, 50);
  third.arrival = alone.outcomes[0].last_token;
  // Completions come before arrivals: both machines are empty again, the tie goes to the first.
  const Ran ran = run_all(scenario, {request(0, 0, 100, 50), second, third});
  EXPECT_EQ(ran.outcomes[1].replica, 1u);
  EXPECT_EQ(ran.outcomes[2].replica, 0u);
  EXPECT_EQ(ran.outcomes[2].scheduled, third.arrival);
}

TEST(Run, OverloadIsFlaggedAndALightLoadIsNot) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 16;
  const auto shape = shared(engine);
  const auto verdict = [&](double rate) {
    return run_all(scenario_of({pool_of(shape, 1)}), poisson(4000, rate, 300, 100)).result;
  };
  const RunResult light = verdict(5);
  EXPECT_EQ(light.verdict, Verdict::kStable) << light.verdict_reason;
  EXPECT_TRUE(light.verdict_reason.empty());
  const RunResult heavy = verdict(60);
  EXPECT_EQ(heavy.verdict, Verdict::kOverloaded);
  EXPECT_FALSE(heavy.verdict_reason.empty());
  // All at once is a rate beyond measure.
  std::vector<Request> batch = poisson(4000, 1, 300, 100);
  for (Request& r : batch) r.arrival = 0;
  EXPECT_EQ(run_all(scenario_of({pool_of(shape, 1)}), batch).result.verdict, Verdict::kOverloaded);
}

TEST(Run, ABurstThatIsWorkedOffIsABacklog) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 16;
  std::vector<Request> all = poisson(3000, 5, 300, 100);
  for (Request& r : all)
    if (r.index > 500 && r.index < 1500) r.arrival = all[500].arrival;
  const RunResult r = run_all(scenario_of({pool_of(shared(engine), 1)}), all).result;
  EXPECT_EQ(r.verdict, Verdict::kBacklogged) << r.verdict_reason;
}

/// More requests than anybody could serve, without end.
class Flood : public Source {
 public:
  Result<bool> next(Request& r) override {
    r = request(count_, static_cast<double>(count_) * 1e-5, 1000, 1000);
    ++count_;
    return true;
  }

 private:
  std::uint64_t count_ = 0;
};

TEST(Run, AQueueThatOnlyGrowsEndsWithAVerdict) {
  Flood flood;
  const Scenario scenario = scenario_of({pool_of(shared(plain_engine()), 1)});
  const RunResult r = run(scenario, flood, {}).value();
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.verdict, Verdict::kOverloaded);
  EXPECT_EQ(r.all.offered, r.all.completed + r.all.unfinished);
  EXPECT_LT(r.all.offered, 300'000u);
}

TEST(Run, TheHorizonEndsArrivalsNotRequests) {
  Scenario scenario = scenario_of({pool_of(shared(plain_engine()), 1)});
  scenario.horizon_seconds = 10;
  const std::vector<Request> all = poisson(400, 10, 300, 400);
  const RunResult r = run_all(scenario, all).result;
  std::uint64_t within = 0;
  for (const Request& one : all) within += one.arrival <= all[0].arrival + 10 * kSecond ? 1 : 0;
  EXPECT_EQ(r.all.completed, within);
  EXPECT_GT(r.simulated_seconds, 10);
}

TEST(Run, IsCancelled) {
  Flood flood;
  Observers observers;
  observers.progress = [](std::uint64_t, Time) { return false; };
  const auto r = run(scenario_of({pool_of(shared(plain_engine()), 1)}), flood, observers);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, ErrorCode::kCancelled);
}

TEST(Run, SamplesAreOnTheGridAndChangeNothing) {
  const Scenario scenario = scenario_of({pool_of(shared(plain_engine()), 2)});
  const std::vector<Request> all = poisson(200, 10, 300, 100);
  std::vector<Time> times;
  Observers observers;
  observers.interval = kSecond;
  std::int64_t last_tokens = 0;
  observers.sample = [&](const Observers::Sample& s) {
    times.push_back(s.time);
    EXPECT_EQ(s.ready, 2);
    EXPECT_GE(s.counters.output_tokens, last_tokens);
    last_tokens = s.counters.output_tokens;
  };
  const Ran with = run_all(scenario, all, observers), without = run_all(scenario, all);
  ASSERT_GT(times.size(), 10u);
  for (std::size_t i = 0; i < times.size(); ++i)
    EXPECT_EQ(times[i], all[0].arrival + static_cast<Time>(i) * kSecond);
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(with.outcomes[i].last_token, without.outcomes[i].last_token);
}

/// One client after another: the next request comes a second after the answer.
class Loop : public Source {
 public:
  Result<bool> next(Request& r) override {
    if (started_++ == 4) return false;
    r = request(started_ - 1, 0, 100, 50);
    return true;
  }
  [[nodiscard]] bool reactive() const override { return true; }
  Result<bool> completed(const Outcome&, Time at, Request& follow_up) override {
    if (started_ >= 40) return false;
    follow_up = request(started_++, 0, 100, 50);
    follow_up.arrival = at + kSecond;
    return true;
  }

 private:
  std::uint64_t started_ = 0;
};

TEST(Run, AnswersLeadToFurtherRequests) {
  Loop loop;
  std::map<std::uint64_t, Outcome> outcomes;
  Observers observers;
  observers.request = [&](const Outcome& o) { outcomes[o.index] = o; };
  const Scenario scenario = scenario_of({pool_of(shared(plain_engine()), 1)});
  const RunResult r = run(scenario, loop, observers).value();
  EXPECT_EQ(r.all.completed, 39u);
  EXPECT_EQ(outcomes.size(), 39u);
  EXPECT_EQ(outcomes[5].arrival, outcomes[0].last_token + kSecond);
}

TEST(Run, UnsortedTracesAndContradictionsAreErrors) {
  const Scenario good = scenario_of({pool_of(shared(plain_engine()), 1)});
  ListSource unsorted({request(0, 2, 10, 10), request(1, 1, 10, 10)});
  EXPECT_EQ(run(good, unsorted, {}).error().code, ErrorCode::kInvalidInput);
  ListSource empty_lengths({request(0, 2, 0, 10)});
  EXPECT_EQ(run(good, empty_lengths, {}).error().code, ErrorCode::kInvalidInput);
  Request odd = request(0, 0, 10, 10);
  odd.slo_class = 4;
  ListSource unknown({odd});
  EXPECT_EQ(run(good, unknown, {}).error().code, ErrorCode::kInvalidInput);
  ListSource fine({request(0, 0, 10, 10)});
  EXPECT_FALSE(run(scenario_of({}), fine, {}));
  EXPECT_EQ(run(scenario_of({pool_of(shared(plain_engine()), 0)}), fine, {}).error().code,
            ErrorCode::kInfeasible);
  ListSource far({request(0, 1, 10, 10), request(1, 1e8, 10, 10)});
  EXPECT_EQ(run(good, far, {}).error().code, ErrorCode::kLimit);
  Scenario unserved = good;
  unserved.models.push_back("other");
  EXPECT_EQ(run(unserved, fine, {}).error().code, ErrorCode::kInfeasible);
  // Nothing at all is an answer too.
  ListSource nothing({});
  EXPECT_EQ(run(good, nothing, {}).value().all.offered, 0u);
}

}  // namespace
}  // namespace portolan::simulation
