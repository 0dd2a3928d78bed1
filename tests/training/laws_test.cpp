// Laws of training.md §17 on random models, machines and strategies.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <optional>

#include "tests/training/parts.hpp"
#include "training/goodput.hpp"
#include "training/run.hpp"

namespace portolan::training {
namespace {

constexpr double kSlack = 1 + 1e-9;

struct Case {
  model::Architecture architecture;
  Job job;
  Strategy strategy;
  std::int64_t nodes = 1;
};

int power(int low, int high) { return 1 << *rc::gen::inRange(low, high); }

/// A legal strategy of a Llama-, GPT- or mixture-shaped model on nodes of eight.
Case any_case() {
  Case c;
  const int kind = *rc::gen::inRange(0, 3);
  const auto layers = static_cast<std::int64_t>(power(3, 7));
  if (kind == 0)
    c.architecture =
        parts::llama(layers, 4096, 32, 8, 14336, *rc::gen::element<std::int64_t>(32000, 128256));
  if (kind == 1)
    c.architecture = parts::gpt(layers, 6144, 64, *rc::gen::element<std::int64_t>(0, 51200));
  if (kind == 2)
    c.architecture = parts::qwen3_30b_a3b(), c.architecture.layers.front().count = layers;
  Strategy& s = c.strategy;
  s.tp = power(0, 4);
  s.pp = power(0, 4);
  s.cp = power(0, 2);
  s.dp = power(0, 5);
  while (s.accelerators() < 8) s.dp *= 2;
  if (kind == 2) s.ep = std::min(power(0, 6), s.tp * s.cp * s.dp);
  s.zero = *rc::gen::inRange(0, 4);
  s.microbatch = power(0, 3);
  s.recompute = *rc::gen::element(Recompute::kNone, Recompute::kSelective, Recompute::kFull);
  c.nodes = s.accelerators() / 8;
  c.job = parts::job(*rc::gen::element(2048.0, 8192.0),
                     static_cast<double>(s.dp) * s.microbatch * s.pp * power(0, 4));
  c.job.method = *rc::gen::element(Method::kFull, Method::kFull, Method::kLora, Method::kQlora);
  c.job.stack = *rc::gen::element(fused_stack(), eager_stack(), unfused_stack());
  return c;
}

std::optional<RunEstimate> run_of(const Case& c, const cost::Machine& machine = parts::machine()) {
  const auto trainer = Trainer::compile(c.architecture, machine, c.job);
  return trainer ? trainer->evaluate(c.strategy, c.nodes) : std::nullopt;
}

RC_GTEST_PROP(TrainingLaw, PartsSumToTheWhole, ()) {
  const Case c = any_case();
  const auto run = run_of(c);
  RC_ASSERT(run.has_value());
  RC_ASSERT(run->step.raw() == (run->compute + run->bubble + run->exposed_communication +
                                run->optimizer_update + run->host)
                                   .raw());
  const TrainingMemory& m = run->memory;
  RC_ASSERT(m.total().raw() ==
            (m.weights + m.gradients + m.optimizer + m.activations + m.logits + m.overhead).raw());
  RC_ASSERT(std::abs(run->tokens_per_second * run->step.raw() / run->batch_tokens - 1) < 1e-12);
  RC_ASSERT(run->batch_tokens == c.job.global_batch_tokens);
  for (const double part : {run->compute.raw(), run->bubble.raw(), run->exposed_communication.raw(),
                            run->optimizer_update.raw(), run->host.raw()}) {
    RC_ASSERT(part >= -1e-12 && std::isfinite(part));
  }
  RC_ASSERT(run->mfu > 0 && run->mfu < 1);
  RC_ASSERT(run->goodput > 0 && run->goodput <= 1);
}

RC_GTEST_PROP(TrainingLaw, FasterPartsAreNeverSlower, ()) {
  const Case c = any_case();
  const auto base = run_of(c);
  const double factor = 1 + *rc::gen::inRange(1, 40) / 10.0;
  const int what = *rc::gen::inRange(0, 4);
  cost::Machine better = parts::machine();
  if (what == 0) {
    for (cost::ComputeRate& rate : better.rates) rate.peak = rate.peak * factor;
  } else if (what == 1) {
    better.bandwidth = better.bandwidth * factor;
  } else if (what == 2) {
    better.network = better.network * factor;
  } else {
    better.node.link_per_direction = *better.node.link_per_direction * factor;
  }
  const auto faster = run_of(c, better);
  RC_ASSERT(faster->step.raw() <= base->step.raw() * kSlack);
  RC_ASSERT(faster->memory.total().raw() == base->memory.total().raw());
}

RC_GTEST_PROP(TrainingLaw, MemoryFallsWithEveryDivision, ()) {
  const Case c = any_case();
  const auto base = run_of(c);
  // One more halving at the same number of replicas; the machine grows.
  const auto with = [&](auto change) {
    Case other = c;
    change(other);
    other.nodes = other.strategy.accelerators() / 8;
    return run_of(other)->memory.total().raw() * (1 / kSlack);
  };
  if (c.strategy.tp < 8)
    RC_ASSERT(with([](Case& o) { o.strategy.tp *= 2; }) <= base->memory.total().raw());
  if (c.strategy.recompute != Recompute::kFull) {
    RC_ASSERT(with([](Case& o) {
                o.strategy.recompute = o.strategy.recompute == Recompute::kNone
                                           ? Recompute::kSelective
                                           : Recompute::kFull;
              }) <= base->memory.total().raw());
  }
  if (c.strategy.zero == 0)
    RC_ASSERT(with([](Case& o) { o.strategy.zero = 1; }) <= base->memory.total().raw());
  // A group of one gathers nothing; the first division of weights or gradients adds what is
  // gathered.
  if (c.strategy.cp == 1 && (c.strategy.zero < 2 || c.strategy.dp > 1))
    RC_ASSERT(with([](Case& o) { o.strategy.cp = 2; }) <= base->memory.total().raw());
}

RC_GTEST_PROP(TrainingLaw, MemoryGrowsWithMicrobatchAndSequence, ()) {
  const Case c = any_case();
  const auto base = run_of(c);
  Case larger = c;
  larger.strategy.microbatch *= 2;
  larger.job.global_batch_tokens *= 2;
  RC_ASSERT(run_of(larger)->memory.total() >= base->memory.total());
  Case longer = c;
  longer.job.sequence *= 2;
  longer.job.global_batch_tokens *= 2;
  RC_ASSERT(run_of(longer)->memory.total() >= base->memory.total());
  RC_ASSERT(run_of(longer)->step > base->step);
}

RC_GTEST_PROP(TrainingLaw, MoreMicrobatchesNeverCostMoreEach, ()) {
  const Case c = any_case();
  Case twice = c;
  twice.job.global_batch_tokens *= 2;
  RC_ASSERT(run_of(twice)->step.raw() <= 2 * run_of(c)->step.raw() * kSlack);
}

RC_GTEST_PROP(TrainingLaw, InterleavingNeverRaisesTheBubble, ()) {
  Case c = any_case();
  if (c.strategy.pp == 1) {
    c.strategy.pp = 2;
    c.nodes *= 2;
    c.job.global_batch_tokens *= 2;
  }
  const auto base = run_of(c);
  c.strategy.virtual_stages = 2;
  if (const auto interleaved = run_of(c))
    RC_ASSERT(interleaved->bubble.raw() <= base->bubble.raw() * kSlack);
}

RC_GTEST_PROP(GoodputLaw, FallsWithEveryLoss, ()) {
  const auto positive = [] { return Seconds{std::pow(10.0, *rc::gen::inRange(0, 60) / 10.0)}; };
  const Seconds c = positive(), m = positive(), r = positive();
  const double share = goodput(c, m, r).share;
  RC_ASSERT(share >= 0 && share <= 1);
  RC_ASSERT(goodput(1.5 * c, m, r).share <= share * kSlack);
  RC_ASSERT(goodput(c, m, 1.5 * r).share <= share * kSlack);
  RC_ASSERT(goodput(c, 1.5 * m, r).share >= share / kSlack);
}

RC_GTEST_PROP(GoodputLaw, TheIntervalIsTheBestOne, ()) {
  const Seconds c{std::pow(10.0, *rc::gen::inRange(-10, 40) / 10.0)},
      m{std::pow(10.0, *rc::gen::inRange(20, 70) / 10.0)};
  const Goodput best = goodput(c, m, kRestart);
  RC_PRE(best.share > 1e-6);
  const double factor = std::pow(2.0, *rc::gen::inRange(-30, 30) / 10.0);
  RC_ASSERT(goodput_of_interval(best.interval * factor, c, m, kRestart) <= best.share * kSlack);
  RC_ASSERT(std::abs(goodput_of_interval(best.interval, c, m, kRestart) - best.share) < 1e-12);
}

}  // namespace
}  // namespace portolan::training
