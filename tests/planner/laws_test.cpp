// Laws that every answer of the planner obeys, on random small markets.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "planner/ranking.hpp"
#include "tests/planner/world.hpp"

namespace portolan::planner {
namespace {

// A random market of one to eight offers at prices of whole cents.
World random_world() {
  World world;
  const int count = *rc::gen::inRange(1, 9);
  for (int i = 0; i < count; ++i) {
    const hardware::Accelerator& part =
        **rc::gen::element(&parts::a100(), &parts::b200(), &parts::h100(), &parts::l40s());
    const double size = *rc::gen::element(1.0, 2.0, 4.0, 8.0);
    const int cents = *rc::gen::inRange(20, 600);
    const std::string provider = *rc::gen::element<std::string>("acme", "bolt");
    world.add(provider, "sku" + std::to_string(i), part, size,
              std::to_string(cents * static_cast<int>(size)) + "e-2",
              *rc::gen::element<std::string>("r1", "r2"));
    if (*rc::gen::inRange(0, 3) == 0) world.network(*rc::gen::element(1e9, 12.5e9, 50e9));
  }
  return world;
}

Job random_job() {
  const std::string rate = std::to_string(*rc::gen::inRange(1, 40));
  switch (*rc::gen::inRange(0, 3)) {
    case 0:
      return job_of(
          "job: serve\nmodel: m\ntraffic: {requests_per_second: " + rate +
          ", input_tokens: 800, output_tokens: 200}\nslo: {ttft_p95: 2s, tpot_p95: 60ms}\n"
          "precision: [bf16, fp8]\n");
    case 1:
      return job_of("job: batch\nmodel: m\ntraffic: {requests: " + rate +
                    "k, input_tokens: 800, output_tokens: 200}\ndeadline: 6h\n");
    default:
      return job_of("job: finetune\nmodel: m\ntokens: " + rate + "0M\ndeadline: 2d\n");
  }
}

double best(const PlanResult& result) {
  return result.plans.empty() ? 1e300 : cost_of(result.plans.front());
}

RC_GTEST_PROP(PlanLaw, CostIsMonotoneInThePriceOfAnyOffer, ()) {
  World world = random_world();
  const Job job = random_job();
  const double before = best(world.plan(job, parts::llama_8b()));
  const auto which = *rc::gen::inRange<std::size_t>(0, world.size());
  Money& price = *world.offer(which).usd_per_hour;
  price = Money::from_nano(price.nano() + *rc::gen::inRange<std::int64_t>(1, 5'000'000'000));
  RC_ASSERT(best(world.plan(job, parts::llama_8b())) >= before);
}

RC_GTEST_PROP(PlanLaw, ScalingEveryPriceScalesEveryCost, ()) {
  World world = random_world();
  const Job job = random_job();
  const PlanResult before = world.plan(job, parts::llama_8b());
  for (std::size_t i = 0; i < world.size(); ++i) {
    Money& price = *world.offer(i).usd_per_hour;
    price = Money::from_nano(2 * price.nano());
  }
  const PlanResult after = world.plan(job, parts::llama_8b());
  RC_ASSERT(before.plans.size() == after.plans.size());
  for (std::size_t i = 0; i < before.plans.size(); ++i) {
    RC_ASSERT(std::abs(cost_of(after.plans[i]) / cost_of(before.plans[i]) - 2) < 1e-12);
    RC_ASSERT(before.plans[i].offer == after.plans[i].offer);
  }
}

RC_GTEST_PROP(PlanLaw, MoreBandwidthIsNeverDearer, ()) {
  const hardware::Accelerator slow = parts::h100();
  hardware::Accelerator fast = slow;
  fast.bandwidth *= *rc::gen::element(1.05, 1.3, 2.0);
  const Job job = random_job();
  const auto cost = [&](const hardware::Accelerator& part) {
    World world;
    world.add("acme", "one", parts::h100(), 1, "3");
    world.node(0).accelerator = &part;
    return best(world.plan(job, parts::llama_8b()));
  };
  RC_ASSERT(cost(fast) <= cost(slow) * (1 + 1e-9));
}

RC_GTEST_PROP(PlanLaw, MoreMemoryIsNeverLessFeasible, ()) {
  hardware::Accelerator small = parts::h100();
  small.memory = Bytes(*rc::gen::inRange(12, 85) * 1e9);
  hardware::Accelerator large = small;
  large.memory *= *rc::gen::element(1.1, 1.5, 3.0);
  const Job job = random_job();
  const auto feasible = [&](const hardware::Accelerator& part) {
    World world;
    world.add("acme", "two", parts::h100(), 2, "6");
    world.node(0).accelerator = &part;
    return world.plan(job, parts::llama_8b()).feasible();
  };
  RC_ASSERT(!feasible(small) || feasible(large));
}

RC_GTEST_PROP(PlanLaw, PermutingOffersChangesNothing, ()) {
  World world = random_world();
  // Losers that no number separates: which of them is named must not depend on the order.
  for (const std::string provider : {"acme", "bolt", "cove"}) {
    world.add(provider, "unpriced", parts::h100(), 1, "");
    world.add(provider, "unknown", parts::mi300x(), 8, "9");
    world.add(provider, "same", parts::h100(), 1, "2.5",
              *rc::gen::element<std::string>("r1", "r2"));
  }
  const Job job = random_job();
  Market shuffled = world.market();
  for (std::size_t i = shuffled.listings.size(); i > 1; --i) {
    std::swap(shuffled.listings[i - 1], shuffled.listings[*rc::gen::inRange<std::size_t>(0, i)]);
  }
  RC_ASSERT(text_of(World::plan(job, shuffled, {World::model(parts::llama_8b())})) ==
            text_of(world.plan(job, parts::llama_8b())));
}

RC_GTEST_PROP(PlanLaw, AddingAnOfferNeverWorsensTheBest, ()) {
  World world = random_world();
  const Job job = random_job();
  const double before = best(world.plan(job, parts::llama_8b()));
  world.add("cove", "new", parts::h100(), *rc::gen::element(1.0, 8.0),
            std::to_string(*rc::gen::inRange(1, 40)));
  RC_ASSERT(best(world.plan(job, parts::llama_8b())) <= before);
}

RC_GTEST_PROP(PlanLaw, RelaxingAConstraintNeverWorsensTheBest, ()) {
  const World world = random_world();
  Job tight = random_job();
  tight.where.max_usd_per_hour = *rc::gen::inRange(1, 50) * kUsdPerHour;
  tight.where.providers = {"acme"};
  tight.where.max_accelerators = *rc::gen::inRange(1, 17);
  Job loose = tight;
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      loose.where.max_usd_per_hour.reset();
      break;
    case 1:
      loose.where.providers.clear();
      break;
    case 2:
      loose.where.max_accelerators = 2 * *tight.where.max_accelerators;
      break;
    case 3:
      if (loose.deadline) *loose.deadline *= 1.7;
      break;
    default:
      if (loose.slo.ttft_p95) *loose.slo.ttft_p95 *= 1.7;
      if (loose.slo.tpot_p95) *loose.slo.tpot_p95 *= 1.7;
      break;
  }
  RC_ASSERT(best(world.plan(loose, parts::llama_8b())) <=
            best(world.plan(tight, parts::llama_8b())) * (1 + 1e-9));
}

RC_GTEST_PROP(PlanLaw, ThreadsChangeNothing, ()) {
  const World world = random_world();
  const Job job = random_job();
  const std::string one = text_of(world.plan(job, parts::llama_8b(), 1));
  RC_ASSERT(text_of(world.plan(job, parts::llama_8b(), 2)) == one);
  RC_ASSERT(text_of(world.plan(job, parts::llama_8b(), 8)) == one);
}

RC_GTEST_PROP(PlanLaw, EveryOfferIsCountedOnce, ()) {
  const World world = random_world();
  const PlanResult result = world.plan(random_job(), parts::llama_70b());
  std::uint64_t lost = 0;
  for (const Rejection& rejection : result.rejected) {
    if (rejection.reason != Reason::kDominated) {
      lost += rejection.count;
      RC_ASSERT(rejection.nearest.has_value());
    }
  }
  RC_ASSERT(result.coverage.offers == world.size());
  RC_ASSERT(result.coverage.evaluated + lost == world.size());
}

}  // namespace
}  // namespace portolan::planner
