// The planner on small markets: what is feasible and at which price, and one test per reason of
// rejection.
#include "planner/plan.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "planner/replica.hpp"
#include "tests/planner/world.hpp"

namespace portolan::planner {

std::string text_of(const PlanResult& result) {
  std::string text;
  const auto add = [&](const auto& value) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
      text += std::to_string(value) + " ";
    } else {
      text += std::string(value) + " ";
    }
  };
  for (const Plan& plan : result.plans) {
    add(plan.rank);
    add(plan.model);
    add(plan.offer->provider);
    add(plan.offer->sku);
    for (const std::string& region : plan.regions) add(region);
    add(plan.nodes);
    add(plan.replicas);
    add(plan.deployment.tp);
    add(plan.deployment.pp);
    add(plan.precision);
    add(plan.usd_per_hour.raw() * 1e9);
    add(plan.usd_total.value_or(Usd(0)).raw());
    add(plan.ttft_p95.value_or(Seconds(0)).raw());
    add(plan.tpot_p95.value_or(Seconds(0)).raw());
    add(plan.duration.value_or(Seconds(0)).raw());
    add(plan.memory_per_accelerator.raw());
    add(plan.interval.low);
    add(plan.interval.high);
    add(static_cast<int>(plan.pareto));
    for (const std::string& note : plan.notes) add(note);
    text += "\n";
  }
  for (const Rejection& rejection : result.rejected) {
    add(reason_name(rejection.reason));
    add(rejection.count);
    if (rejection.nearest) {
      add(rejection.nearest->what);
      add(rejection.nearest->lacked);
      add(rejection.nearest->change);
      add(rejection.nearest->factor.value_or(-1));
    }
    text += "\n";
  }
  add(result.coverage.offers);
  add(result.coverage.evaluated);
  add(result.coverage.rejected);
  add(result.coverage.without_price);
  add(result.search.candidates);
  add(result.search.evaluated);
  add(result.rank_flips_at_percent.value_or(-1));
  for (const std::string& warning : result.warnings) add(warning);
  return text;
}

namespace {

using market::Purchase;

Job chat(const std::string& more = {}) {
  return job_of(
      "job: serve\nmodel: m\n"
      "traffic: {requests_per_second: 5, input_tokens: 1000, output_tokens: 300}\n"
      "slo: {ttft_p95: 1s, tpot_p95: 50ms}\n" +
      more);
}
Job batch(const std::string& more = {}) {
  return job_of(
      "job: batch\nmodel: m\ntraffic: {requests: 100k, input_tokens: 1000, output_tokens: 100}\n" +
      more);
}
Job train(const std::string& more = {}) {
  return job_of(
      "job: train\nmodel: m\ntokens: 20B\nsequence_length: 4096\nglobal_batch_tokens: 1M\n" + more);
}

// Every offer is in a row or in exactly one reason.
void expect_covered(const PlanResult& result) {
  std::uint64_t lost = 0;
  for (const Rejection& rejection : result.rejected) {
    if (rejection.reason != Reason::kDominated) lost += rejection.count;
  }
  const Coverage& coverage = result.coverage;
  EXPECT_EQ(coverage.offers, coverage.evaluated + coverage.rejected + coverage.without_price);
  EXPECT_EQ(lost, coverage.rejected + coverage.without_price);
}

TEST(Plan, ReplicasShareAnInstanceAndInstancesAreWhole) {
  World world;
  world.add("acme", "eight", parts::h100(), 8, "24");
  world.add("acme", "one", parts::h100(), 1, "2.9");
  const PlanResult result = world.plan(chat(), parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 2u);
  const Plan& cheap = result.plans[0];
  EXPECT_EQ(cheap.offer->sku, "one");
  EXPECT_EQ(cheap.nodes, cheap.replicas);
  EXPECT_NEAR(cheap.usd_per_hour.in(kUsdPerHour), 2.9 * static_cast<double>(cheap.nodes), 1e-9);
  const Plan& big = result.plans[1];
  EXPECT_EQ(big.nodes, 1);
  EXPECT_NEAR(big.usd_per_hour.in(kUsdPerHour), 24, 1e-9);  // the whole instance, however few used
  EXPECT_NEAR(big.usd_per_month.raw(), 24 * 730.5, 1e-6);
  for (const Plan& plan : result.plans) {
    EXPECT_LE(plan.ttft_p95->raw(), 1.0);
    EXPECT_LE(plan.tpot_p95->raw(), 0.05);
    EXPECT_GE(plan.output_tokens_per_second, 5 * 300);
    EXPECT_GE(plan.capacity_requests_per_second, 5);
    EXPECT_LE(plan.utilisation, 0.8 + 1e-9);
    EXPECT_LE(plan.interval.low, plan.usd_per_hour.in(kUsdPerHour));
    EXPECT_GE(plan.interval.high, plan.usd_per_hour.in(kUsdPerHour));
    EXPECT_LE(plan.memory_per_accelerator.raw(), 0.9 * 85.0e9);
    // 5 requests of 1,300 tokens a second, 3,600 seconds an hour.
    EXPECT_NEAR(*plan.usd_per_million_tokens,
                plan.usd_per_hour.in(kUsdPerHour) / (5 * 1300 * 3600) * 1e6, 1e-9);
  }
  EXPECT_NEAR(*result.rank_flips_at_percent, 100 * (24 / cheap.usd_per_hour.in(kUsdPerHour)-1),
              1e-9);
  EXPECT_EQ(result.oldest_price_used->text(), "2026-06-01");
  expect_covered(result);
}

TEST(Plan, PeakAndSpareSizeTheBillAndMeanIsShown) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3");
  const auto replicas = [&](const std::string& traffic, const std::string& more) {
    const PlanResult result = world.plan(
        job_of("job: serve\nmodel: m\nslo: {tpot_p95: 50ms}\ntraffic: {input_tokens: 1000, "
               "output_tokens: 300, " +
               traffic + "}\n" + more),
        parts::llama_8b());
    EXPECT_EQ(result.plans.size(), 1u);
    return std::pair(result.plans.front().replicas, result.plans.front().replicas_mean);
  };
  const auto [flat, flat_mean] = replicas("requests_per_second: 50", "");
  EXPECT_EQ(flat, flat_mean);
  const auto [peak, mean] = replicas("requests_per_second: 50, peak_factor: 10", "");
  EXPECT_GT(peak, 5 * mean);
  EXPECT_EQ(mean, flat);
  EXPECT_EQ(replicas("requests_per_second: 50", "spare_replicas: 2\n").first, flat + 2);

  const PlanResult curve = world.plan(
      job_of(
          "job: serve\nmodel: m\ntraffic: {hourly: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
          "1, 1, 1, 1, 1, 1, 1, 1, 100], input_tokens: 1000, output_tokens: 300}\n"),
      parts::llama_8b());
  ASSERT_EQ(curve.plans.size(), 1u);
  EXPECT_LT(*curve.plans[0].usd_per_month_scaled, curve.plans[0].usd_per_month);
}

// Every time f times as long is the same system on a slower clock: targets of 1/f, f times the
// load.
TEST(Plan, TheIntervalIsThePlanOfASlowerMachine) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3");
  const auto plan = [&](double rate, double ttft, double tpot) {
    return world.plan(
        job_of("job: serve\nmodel: m\ntraffic: {requests_per_second: " + std::to_string(rate) +
               ", input_tokens: 1000, output_tokens: 300}\nslo: {ttft_p95: " +
               std::to_string(ttft) + "ms, tpot_p95: " + std::to_string(tpot) + "ms}\n"),
        parts::llama_8b());
  };
  const PlanResult result = plan(200, 300, 14);
  ASSERT_EQ(result.plans.size(), 1u);
  const Plan& expected = result.plans[0];
  const cost::ErrorBand band = parts::machine(parts::h100()).band;
  const auto instances = [&](double f) {
    return static_cast<double>(plan(200 * f, 300 / f, 14 / f).plans.at(0).nodes);
  };
  EXPECT_NEAR(expected.interval.high / 3, instances(band.high), 1e-9);
  EXPECT_NEAR(expected.interval.low / 3, instances(band.low), 1e-9);
  EXPECT_LT(expected.interval.low, expected.interval.high);
}

TEST(Plan, OffersThatDifferByPlaceAloneAreOneRow) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3", "us-east");
  world.add("acme", "one", parts::h100(), 1, "3", "eu-west");
  world.add("acme", "one", parts::h100(), 1, "3.5", "ap-south");
  world.add("bolt", "one", parts::h100(), 1, "3", "us-east");
  const PlanResult result = world.plan(chat(), parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 3u);
  EXPECT_EQ(result.plans[0].offer->provider, "acme");
  EXPECT_EQ(result.plans[0].regions, (std::vector<std::string>{"eu-west", "us-east"}));
  EXPECT_EQ(result.plans[1].offer->provider, "bolt");
  EXPECT_EQ(result.plans[2].regions, (std::vector<std::string>{"ap-south"}));
  EXPECT_EQ(*result.rank_flips_at_percent, 0);
  EXPECT_EQ(result.coverage.evaluated, 4u);
  expect_covered(result);
}

// R11: the smallest number of cards that holds the model, legal for the layout.
TEST(Plan, R11ShardsUntilTheModelFits) {
  // G11.1: 350 GB over 80 GB is 4.375 cards, 5 by weights alone.
  const double cards = 350e9 / 80e9;
  EXPECT_EQ(cards, 4.375);
  EXPECT_EQ(std::ceil(cards), 5);
  // G11.2: 8 with powers of two. GPT-3: 96 layers of 12,288 with 96 heads, 174.6e9 parameters in
  // fp16.
  const model::Architecture gpt3 = parts::decoder({.layers = 96,
                                                   .hidden = 12288,
                                                   .heads = 96,
                                                   .kv_heads = 96,
                                                   .head_dim = 128,
                                                   .ffn = 32768,
                                                   .vocab = 50257,
                                                   .tied = true});
  World world;
  world.add("acme", "four", parts::a100(), 4, "8");
  world.add("acme", "eight", parts::a100(), 8, "16");
  const Job job = job_of(
      "job: serve\nmodel: m\ntraffic: {requests_per_second: 0.01, input_tokens: 100, "
      "output_tokens: 20}\nprecision: [bf16]\n");
  const PlanResult result = world.plan(job, gpt3);
  ASSERT_EQ(result.plans.size(), 1u);
  EXPECT_EQ(result.plans[0].accelerators_per_replica, 8);
  EXPECT_EQ(result.plans[0].deployment.tp, 8);
  const Rejection* memory = find(result, Reason::kMemory);
  ASSERT_NE(memory, nullptr);
  EXPECT_NE(memory->nearest->change.find("8 accelerators"), std::string::npos);
}

TEST(Rejected, Memory) {
  World world;
  world.add("acme", "small", parts::l40s(), 1, "1");
  const PlanResult result = world.plan(chat(), parts::llama_70b());
  EXPECT_FALSE(result.feasible());
  const Rejection* memory = find(result, Reason::kMemory);
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory->count, 1u);
  const Nearest& nearest = *memory->nearest;
  // 70.55e9 parameters of two bytes.
  EXPECT_NE(nearest.lacked.find("weights 141.1 GB"), std::string::npos) << nearest.lacked;
  // 80 layers × 8 heads × 128 × 2 × 2 B = 327,680 B a token; 1,300 tokens take 82 blocks of 16.
  EXPECT_NE(nearest.lacked.find("KV 429.9 MB"), std::string::npos) << nearest.lacked;
  EXPECT_GT(*nearest.factor, 3);
  EXPECT_NE(nearest.change.find("precision: [int4]"), std::string::npos) << nearest.change;
  EXPECT_NE(nearest.change.find("4 accelerators"), std::string::npos) << nearest.change;
  expect_covered(result);
}

TEST(Rejected, Slo) {
  World world;
  world.add("acme", "four", parts::l40s(), 4, "4");
  const PlanResult result = world.plan(chat(), parts::llama_70b());
  const Rejection* slo = find(result, Reason::kSlo);
  ASSERT_NE(slo, nullptr);
  EXPECT_GT(*slo->nearest->factor, 1);
  EXPECT_NE(slo->nearest->lacked.find("tpot_p95"), std::string::npos) << slo->nearest->lacked;
  // The change it names is enough.
  const std::string change = slo->nearest->change;
  const std::string target =
      change.substr(change.find('{') + 1, change.find('}') - change.find('{') - 1);
  const Job relaxed = job_of(
      "job: serve\nmodel: m\ntraffic: {requests_per_second: 0.01, input_tokens: 1000, "
      "output_tokens: 300}\nslo: {ttft_p95: 10s, " +
      target + "}\n");
  EXPECT_TRUE(world.plan(relaxed, parts::llama_70b()).feasible()) << change;
}

TEST(Rejected, Interconnect) {
  World world;
  world.add("bolt", "eight", parts::h100(), 8, "24");  // bolt joins no nodes
  const PlanResult slow = world.plan(train("deadline: 1d\n"), parts::llama_8b());
  const Rejection* lonely = find(slow, Reason::kInterconnect);
  ASSERT_NE(lonely, nullptr);
  EXPECT_NE(lonely->nearest->lacked.find("no network"), std::string::npos);

  World pcie;
  pcie.add("acme", "four", parts::l40s(), 4, "4");
  const PlanResult result =
      pcie.plan(chat("where: {interconnect: [nvlink]}\n"), parts::llama_70b());
  const Rejection* link = find(result, Reason::kInterconnect);
  ASSERT_NE(link, nullptr) << text_of(result);
  EXPECT_EQ(link->count, 1u);
  EXPECT_NE(link->nearest->lacked.find("PCIe"), std::string::npos);
}

TEST(Rejected, PrecisionAndEngine) {
  World world;
  world.add("acme", "a100", parts::a100(), 8, "16");
  world.add("acme", "mi300x", parts::mi300x(), 8, "16");
  const PlanResult result = world.plan(chat("precision: [fp8]\n"), parts::llama_8b());
  const Rejection* precision = find(result, Reason::kPrecisionUnsupported);
  ASSERT_NE(precision, nullptr);
  EXPECT_EQ(precision->count, 1u);
  EXPECT_NE(precision->nearest->lacked.find("fp8"), std::string::npos);
  const Rejection* engine = find(result, Reason::kEngineUnsupported);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->count, 1u);
  EXPECT_NE(engine->nearest->what.find("mi300x"), std::string::npos);
  // An engine nobody has.
  const PlanResult none = world.plan(chat("engine: trtllm\n"), parts::llama_8b());
  ASSERT_NE(find(none, Reason::kEngineUnsupported), nullptr);
  EXPECT_EQ(find(none, Reason::kEngineUnsupported)->count, 2u);
}

TEST(Rejected, PriceMissingAndQuarantined) {
  World world;
  world.add("acme", "good", parts::h100(), 1, "3");
  world.add("acme", "free", parts::h100(), 1, "");
  world.add("acme", "part", parts::h100(), 1, "1").gpu_component_only = true;
  market::Offer& doubtful = world.add("bolt", "odd", parts::h100(), 1, "1.29");
  doubtful.standing = market::Standing::kQuarantined;
  doubtful.gate = "V2 spot above on-demand: 3.2 against 1.29";
  market::Offer& zero = world.add("bolt", "zero", parts::h100(), 1, "0");
  zero.standing = market::Standing::kRejected;
  zero.gate = "V1 no price: 0";
  const PlanResult result = world.plan(chat(), parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 1u);
  EXPECT_EQ(find(result, Reason::kPriceMissing)->count, 3u);
  EXPECT_EQ(result.coverage.without_price, 3u);
  const Rejection* quarantined = find(result, Reason::kPriceQuarantined);
  ASSERT_NE(quarantined, nullptr);
  EXPECT_EQ(quarantined->count, 1u);
  // 1.29 against 3: it would have won by 57 %.
  EXPECT_NE(quarantined->nearest->lacked.find("won by 57 %"), std::string::npos)
      << quarantined->nearest->lacked;
  EXPECT_NE(quarantined->nearest->lacked.find("V2 spot above on-demand"), std::string::npos);
  expect_covered(result);
}

TEST(Rejected, Availability) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3");
  world.add("bolt", "one", parts::h100(), 1, "4");
  const PlanResult quota = world.plan(chat("where: {quotas: {acme: 0}}\n"), parts::llama_8b());
  ASSERT_EQ(quota.plans.size(), 1u);
  EXPECT_EQ(quota.plans[0].offer->provider, "bolt");
  const Rejection* lost = find(quota, Reason::kAvailability);
  ASSERT_NE(lost, nullptr);
  EXPECT_NE(lost->nearest->lacked.find("quota"), std::string::npos);
  EXPECT_NE(lost->nearest->lacked.find("won by 25 %"), std::string::npos) << lost->nearest->lacked;

  const PlanResult gone = world.plan(
      chat("where: {sold_out: [{provider: acme, gpu: h100-sxm-80gb}]}\n"), parts::llama_8b());
  ASSERT_EQ(gone.plans.size(), 1u);
  EXPECT_EQ(gone.plans[0].offer->provider, "bolt");
  EXPECT_EQ(find(gone, Reason::kAvailability)->count, 1u);

  const PlanResult few =
      world.plan(batch("deadline: 20min\nwhere: {max_accelerators: 1}\n"), parts::llama_8b());
  EXPECT_FALSE(few.feasible());
  EXPECT_EQ(find(few, Reason::kAvailability)->count, 2u);
}

TEST(Rejected, ConstraintNamesTheCheapestItCost) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3");
  world.add("bolt", "one", parts::h100(), 1, "2");
  world.add("cove", "one", parts::h100(), 1, "1").purchase = Purchase::kSpot;
  const PlanResult result = world.plan(chat("where: {providers: [acme]}\n"), parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 1u);
  const Rejection* constraint = find(result, Reason::kConstraint);
  ASSERT_NE(constraint, nullptr);
  EXPECT_EQ(constraint->count, 2u);
  EXPECT_NE(constraint->nearest->what.find("cove"), std::string::npos);
  EXPECT_NEAR(*constraint->nearest->factor, 1.0 / 3, 1e-9);
  EXPECT_NE(constraint->nearest->change.find("cove"), std::string::npos);

  const PlanResult capped = world.plan(chat("where: {max_usd_per_hour: 0.5}\n"), parts::llama_8b());
  EXPECT_FALSE(capped.feasible());
  const Rejection* cap = find(capped, Reason::kConstraint);
  ASSERT_NE(cap, nullptr);
  EXPECT_EQ(cap->count, 3u);
  // Not the spot offer, which is refused and over the limit as well.
  EXPECT_NE(cap->nearest->what.find("bolt"), std::string::npos) << cap->nearest->what;
  EXPECT_NEAR(*cap->nearest->factor, 4, 1e-9);
  EXPECT_EQ(cap->nearest->change, "max_usd_per_hour: 2");

  const PlanResult old = world.plan(chat("where: {max_price_age: 5d}\n"), parts::llama_8b());
  EXPECT_FALSE(old.feasible());
  EXPECT_EQ(find(old, Reason::kConstraint)->count, 3u);
}

TEST(Rejected, Deadline) {
  World world;
  world.add("acme", "eight", parts::h100(), 8, "24");
  world.network(50e9);
  const PlanResult result =
      world.plan(train("deadline: 15min\nwhere: {max_nodes: 2}\n"), parts::llama_8b());
  EXPECT_FALSE(result.feasible());
  const Rejection* deadline = find(result, Reason::kDeadline);
  ASSERT_NE(deadline, nullptr);
  EXPECT_GT(*deadline->nearest->factor, 1);
  // An instance is paid for ten minutes before it works.
  const PlanResult start = world.plan(batch("deadline: 9min\n"), parts::llama_8b());
  EXPECT_NE(find(start, Reason::kDeadline), nullptr);
}

TEST(Rejected, DominatedCountsStrategies) {
  World world;
  world.add("acme", "eight", parts::h100(), 8, "24");
  const PlanResult result = world.plan(chat("precision: [bf16, fp8]\n"), parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 1u);
  const Rejection* dominated = find(result, Reason::kDominated);
  ASSERT_NE(dominated, nullptr);
  EXPECT_EQ(dominated->count, 7u);  // tp 1, 2, 4, 8 × two formats, less the one that is shown
  EXPECT_FALSE(dominated->nearest);
}

TEST(Plan, BatchBuysWholeQuantaAndMeetsTheDeadline) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3");
  world.provider(0).billing_quantum_seconds = 3600;
  const PlanResult loose = world.plan(batch(), parts::llama_8b());
  ASSERT_EQ(loose.plans.size(), 1u);
  const Plan& slow = loose.plans[0];
  EXPECT_EQ(slow.nodes, 1);
  EXPECT_NEAR(slow.usd_total->raw(), 3 * std::ceil(slow.duration->in(kHour)), 1e-9);
  const PlanResult tight = world.plan(batch("deadline: 20min\n"), parts::llama_8b());
  ASSERT_EQ(tight.plans.size(), 1u);
  const Plan& fast = tight.plans[0];
  EXPECT_GT(fast.nodes, slow.nodes);
  EXPECT_LE(fast.duration->in(kMinute), 20);
  EXPECT_NEAR(fast.usd_total->raw(), 3.0 * static_cast<double>(fast.nodes), 1e-9);
  // One instance fewer would be late.
  const Seconds work = *fast.duration - kStartUp;
  EXPECT_GT(
      (work * static_cast<double>(fast.nodes) / static_cast<double>(fast.nodes - 1) + kStartUp)
          .in(kMinute),
      20);
}

TEST(Plan, TrainingTakesTheCheapestNodesThatMeetTheDeadline) {
  World world;
  world.add("acme", "eight", parts::h100(), 8, "24");
  world.network(50e9);
  const PlanResult slow = world.plan(train(), parts::llama_8b());
  ASSERT_EQ(slow.plans.size(), 1u);
  EXPECT_EQ(slow.plans[0].nodes, 1);
  const Seconds one = *slow.plans[0].duration;
  const std::string deadline =
      "deadline: " + std::to_string(static_cast<int>(one.in(kHour) / 5)) + "h\n";
  const PlanResult fast = world.plan(train(deadline), parts::llama_8b());
  ASSERT_EQ(fast.plans.size(), 1u);
  const Plan& plan = fast.plans[0];
  EXPECT_GE(plan.nodes, 5);
  EXPECT_LE(plan.nodes, 8);
  EXPECT_LE(*plan.duration, one / 5);
  EXPECT_EQ(plan.training_strategy.accelerators(), 8 * plan.nodes);
  EXPECT_NEAR(plan.usd_total->raw(),
              24 * static_cast<double>(plan.nodes) * plan.duration->in(kHour), 1e-6);
  EXPECT_GE(plan.usd_total->raw(), slow.plans[0].usd_total->raw() * 0.999);
  EXPECT_GT(*plan.mfu, 0.2);
  EXPECT_LT(*plan.mfu, 0.8);
  // No smaller number of nodes is in time and cheaper.
  for (std::int64_t most = 1; most < plan.nodes; ++most) {
    const PlanResult fewer = world.plan(
        train(deadline + "where: {max_nodes: " + std::to_string(most) + "}\n"), parts::llama_8b());
    if (fewer.feasible()) {
      EXPECT_GE(fewer.plans[0].usd_total->raw(), plan.usd_total->raw()) << most << " nodes";
    }
  }
  // Failed and ablation runs multiply the bill, not the time (R31).
  const PlanResult runs = world.plan(train("runs: 3\n"), parts::llama_8b());
  EXPECT_NEAR(runs.plans[0].usd_total->raw(), 3 * slow.plans[0].usd_total->raw(), 1e-6);
  EXPECT_EQ(*runs.plans[0].duration, one);
}

TEST(Plan, SpotTrainingLosesTimeAndIsLookedAtByDefault) {
  World world;
  world.add("acme", "eight", parts::h100(), 8, "24");
  world.add("acme", "eight", parts::h100(), 8, "8").purchase = Purchase::kSpot;
  const PlanResult result = world.plan(train(), parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 2u);
  EXPECT_EQ(result.plans[0].offer->purchase, Purchase::kSpot);
  EXPECT_GT(*result.plans[0].duration, *result.plans[1].duration);
  // Serving looks at on-demand alone.
  EXPECT_EQ(world.plan(chat(), parts::llama_8b()).plans.size(), 1u);
}

TEST(Plan, FractionsHoldSmallModels) {
  World world;
  world.add("acme", "half", parts::l40s(), 0.5, "0.5");
  world.add("acme", "sixth", parts::l40s(), 1.0 / 6, "0.2");
  const Job job = job_of(
      "job: serve\nmodel: m\ntraffic: {requests_per_second: 0.1, input_tokens: 500, "
      "output_tokens: 100}\n");
  const PlanResult result = world.plan(job, parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 1u);
  EXPECT_EQ(result.plans[0].offer->sku, "half");
  EXPECT_LT(result.plans[0].memory_per_accelerator.raw(), 0.5 * 48.3e9);
  EXPECT_FALSE(result.plans[0].notes.empty());
}

TEST(Plan, SeveralNodesHoldWhatOneCannot) {
  World world;
  world.add("acme", "four", parts::l40s(), 4, "4");
  world.network(6e9);
  const Job job = job_of(
      "job: serve\nmodel: m\ntraffic: {requests_per_second: 0.01, input_tokens: 500, "
      "output_tokens: 50}\nprecision: [bf16]\n");
  const model::Architecture gpt3 = parts::decoder({.layers = 96,
                                                   .hidden = 12288,
                                                   .heads = 96,
                                                   .kv_heads = 96,
                                                   .head_dim = 128,
                                                   .ffn = 32768,
                                                   .vocab = 50257,
                                                   .tied = true});
  const PlanResult result = world.plan(job, gpt3);
  ASSERT_EQ(result.plans.size(), 1u);
  EXPECT_GE(result.plans[0].nodes, 2);
  EXPECT_EQ(result.plans[0].deployment.pp, result.plans[0].nodes);
  EXPECT_EQ(result.plans[0].accelerators_per_replica, 4 * result.plans[0].nodes);
  // The same machine of a provider that does not join nodes.
  World alone;
  alone.add("bolt", "four", parts::l40s(), 4, "4");
  alone.network(6e9);
  EXPECT_FALSE(alone.plan(job, gpt3).feasible());
}

// R16: the cheapest model that is good enough, and what the others scored.
TEST(Plan, R16TakesTheCheapestModelThatPasses) {
  World world;
  world.add("acme", "eight", parts::h100(), 8, "24");
  world.add("acme", "one", parts::h100(), 1, "3");
  const Job scored = job_of(
      "job: serve\nmodel: [{name: big, quality: 0.83}, {name: small, quality: 0.71}, {name: tiny, "
      "quality: 0.5}]\nmin_quality: 0.7\ntraffic: {requests_per_second: 5, input_tokens: 1000, "
      "output_tokens: 300}\nslo: {ttft_p95: 1s, tpot_p95: 50ms}\n");
  const PlanResult result = world.plan(scored, {World::model(parts::llama_70b(), "big", 0.83),
                                                World::model(parts::llama_8b(), "small", 0.71),
                                                World::model(parts::decoder({.layers = 16,
                                                                             .hidden = 2048,
                                                                             .heads = 32,
                                                                             .kv_heads = 8,
                                                                             .head_dim = 64,
                                                                             .ffn = 8192,
                                                                             .vocab = 128256}),
                                                             "tiny", 0.5)});
  ASSERT_FALSE(result.plans.empty());
  EXPECT_EQ(result.plans[0].model, "small");
  // Eight cards cost the same whichever model runs on them: then the better one.
  EXPECT_EQ(result.plans.back().offer->sku, "eight");
  EXPECT_EQ(result.plans.back().model, "big");
  ASSERT_EQ(result.models_rejected.size(), 1u);
  EXPECT_EQ(result.models_rejected[0], "tiny: quality 0.5 below 0.7");
  ASSERT_EQ(result.models_considered.size(), 2u);
  EXPECT_EQ(result.models_considered[0].model, "big");
  EXPECT_NEAR(*result.models_considered[0].cost, 24, 1e-9);
  EXPECT_LT(*result.models_considered[1].cost, 24);
}

TEST(Plan, TheFrontIsCheapestFirstAndFaster) {
  World world;
  world.add("acme", "l40s", parts::l40s(), 1, "0.8");
  world.add("acme", "h100", parts::h100(), 1, "3");
  world.add("bolt", "h100", parts::h100(), 1, "4");
  const PlanResult result = world.plan(
      job_of("job: serve\nmodel: m\ntraffic: {requests_per_second: 1, input_tokens: 1000, "
             "output_tokens: 300}\n"),
      parts::llama_8b());
  ASSERT_EQ(result.plans.size(), 3u);
  EXPECT_TRUE(result.plans[0].pareto);
  EXPECT_TRUE(result.plans[1].pareto);
  EXPECT_FALSE(result.plans[2].pareto);  // dearer and no faster
}

TEST(Plan, UnknownNamesInWhereAreErrorsWithTheNearest) {
  World world;
  world.add("acme", "one", parts::h100(), 1, "3");
  PlanOptions options;
  const auto error = [&](const std::string& where) {
    const auto result =
        plan_on(chat(where), world.market(), {World::model(parts::llama_8b())}, options);
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  };
  const Error provider = error("where: {providers: [acne]}\n");
  EXPECT_NE(provider.hint.find("acme"), std::string::npos);
  EXPECT_EQ(provider.where.pointer, "/where/providers/0");
  EXPECT_EQ(provider.where.file, "job.yaml");
  EXPECT_EQ(provider.where.line, 5u);
  EXPECT_EQ(error("where: {gpus: [h100-smx-80gb]}\n").where.pointer, "/where/gpus/0");
  EXPECT_EQ(error("where: {gpus: [\"8..4\"]}\n").where.pointer, "/where/gpus/0");
  EXPECT_EQ(error("where: {sold_out: [{provider: nobody}]}\n").where.pointer,
            "/where/sold_out/0/provider");
}

}  // namespace
}  // namespace portolan::planner
