// The scheduler of one replica against the published semantics of the engines, step by step.
#include "simulation/replica.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

#include "base/random.hpp"
#include "tests/simulation/engine.hpp"

namespace portolan::simulation {
namespace {

using testing::drive;
using testing::Driven;
using testing::plain_engine;
using testing::request;

TEST(Replica, OneRequestIsItsPromptAndItsDecodes) {
  EngineModel engine = plain_engine();
  engine.front_end = from_seconds(5e-3);
  engine.per_prompt_token = from_seconds(1e-6);
  const Driven run = drive(engine, {request(0, 1.0, 1000, 101)});
  ASSERT_EQ(run.outcomes.size(), 1u);
  const Outcome& o = run.outcomes[0];
  const double prompt = engine.cost->model()
                            .time({.prefill_requests = 1, .prefill_tokens = 1000, .sampled = 1})
                            .total.raw();
  EXPECT_NEAR(to_seconds(o.queued), 1.006, 1e-9);
  EXPECT_EQ(o.scheduled, o.queued);
  EXPECT_NEAR(to_seconds(o.first_token - o.queued), prompt, 1e-9);
  const double middle = engine.cost->model()
                            .time({.decode_requests = 1, .decode_context = 1050, .sampled = 1})
                            .total.raw();
  EXPECT_NEAR(to_seconds(o.last_token - o.first_token) / 100 / middle, 1, 2e-3);
  EXPECT_EQ(run.itl.count(), 100u);
  EXPECT_EQ(run.counters.steps, 101u);
  EXPECT_EQ(run.counters.output_tokens, 101);
  EXPECT_EQ(run.counters.prompt_tokens, 1000);
}

// serving.md §1.4: running requests take their tokens first, prompts share what is left of the
// budget in order, and a prompt that does not fit goes on in the next step.
TEST(Replica, PromptsAreCutAtTheBudget) {
  EngineModel engine = plain_engine();
  engine.max_batched_tokens = 512;
  const Driven run = drive(engine, {request(0, 0, 700, 50), request(1, 0, 300, 50)});
  ASSERT_GE(run.segments.size(), 3u);
  EXPECT_EQ(run.segments[0].prompt_tokens, 512);
  EXPECT_EQ(run.segments[0].prompts, 1);
  EXPECT_EQ(run.segments[1].prompt_tokens, 188 + 300);  // the rest of the first, then the second
  EXPECT_EQ(run.segments[1].prompts, 2);
  EXPECT_EQ(run.segments[2].prompt_tokens, 0);
  EXPECT_EQ(run.segments[2].decodes, 2);
}

TEST(Replica, DecodesTakeTheirShareOfTheBudget) {
  EngineModel engine = plain_engine();
  engine.max_batched_tokens = 100;
  const Driven run = drive(engine, {request(0, 0, 50, 500), request(1, 1e-3, 250, 10)});
  std::vector<std::int64_t> chunks;
  for (const Segment& s : run.segments)
    if (s.prompt_tokens > 0) chunks.push_back(s.prompt_tokens);
  EXPECT_EQ(chunks, (std::vector<std::int64_t>{50, 99, 99, 52}));
}

// serving.md §1.7: with scheduling one step ahead an arrival rides in the second step after the one
// it came in; without, in the next.
TEST(Replica, AsyncSchedulingCostsAnArrivalOneStep) {
  for (const bool async : {false, true}) {
    EngineModel engine = plain_engine();
    engine.async_scheduling = async;
    const Driven alone = drive(engine, {request(0, 0, 100, 400)});
    const Segment decode = alone.segments.at(1);
    // Arrives in the middle of the tenth decode step.
    const Time at = decode.start + 9 * decode.first + 36 * decode.growth + decode.first / 2;
    Request late = request(1, 0, 100, 10);
    late.arrival = at;
    const Driven run = drive(engine, {request(0, 0, 100, 400), late});
    const Time tenth_ends = decode.start + 10 * decode.first + 45 * decode.growth;
    const Time next = decode.first + 10 * decode.growth;
    // Off by what the table's knots take in between.
    EXPECT_NEAR(to_seconds(run.outcomes[1].scheduled),
                to_seconds(async ? tenth_ends + next : tenth_ends), 1e-9);
  }
}

// serving.md §1.5: the last admitted loses its cache, keeps its outputs and comes back first.
TEST(Replica, PreemptionTakesTheLastAndKeepsItsOutputs) {
  EngineModel engine = plain_engine();
  engine.kv_blocks = 46;  // room for two of 359 tokens
  engine.prefix_caching = false;
  const Driven run =
      drive(engine, {request(0, 0, 160, 200), request(1, 0, 160, 200), request(2, 0, 160, 200)});
  ASSERT_EQ(run.outcomes.size(), 3u);
  EXPECT_EQ(run.outcomes[0].preemptions, 0u);
  EXPECT_EQ(run.outcomes[1].preemptions, 0u);
  EXPECT_GE(run.outcomes[2].preemptions, 1u);
  for (const Outcome& o : run.outcomes) EXPECT_EQ(o.output_tokens, 200);
  EXPECT_LE(run.counters.peak_blocks, 46);
  // 3 × 199 gaps whatever happens; one is long.
  EXPECT_EQ(run.itl.count(), 3u * 199u);
  EXPECT_GT(run.itl.max(), 0.5);
  // What was computed again is counted: prompts once, and the victim's text once more.
  EXPECT_GT(run.counters.prompt_tokens, 3 * 160 + 160);
}

TEST(Replica, APreemptedRequestFindsItsOwnBlocksAgain) {
  EngineModel engine = plain_engine();
  engine.kv_blocks = 40;
  const Driven cached =
      drive(engine, {request(0, 0, 160, 200), request(1, 0, 160, 200), request(2, 0, 160, 200)});
  engine.prefix_caching = false;
  const Driven plain =
      drive(engine, {request(0, 0, 160, 200), request(1, 0, 160, 200), request(2, 0, 160, 200)});
  EXPECT_LT(cached.counters.prompt_tokens, plain.counters.prompt_tokens);
}

TEST(Replica, GuaranteedNoEvictNeverPreempts) {
  EngineModel engine = plain_engine("trtllm-1.0");
  engine.kv_blocks = 40;
  std::vector<Request> requests;
  for (std::uint64_t i = 0; i < 12; ++i) requests.push_back(request(i, 0, 160, 200));
  const Driven run = drive(engine, requests);
  EXPECT_EQ(run.counters.preemptions, 0u);
  // floor(40 / ceil(360 / 16)) = 1 at a time.
  std::int64_t most = 0;
  for (const Segment& s : run.segments) most = std::max(most, s.decodes);
  EXPECT_EQ(most, 1);
}

// SGLang: prompts go before decodes, which stand still meanwhile.
TEST(Replica, PromptsFirstStallsDecodes) {
  EngineModel engine = plain_engine("sglang-0.5");
  ASSERT_EQ(engine.prefill, cost::PrefillPolicy::kFirst);
  const Driven run = drive(engine, {request(0, 0, 100, 300), request(1, 0.05, 2000, 10)});
  for (const Segment& s : run.segments) EXPECT_TRUE(s.prompt_tokens == 0 || s.decodes == 0);
  EXPECT_EQ(run.itl.count(), 299u + 9u);
}

TEST(Replica, WhatNeverFitsIsTurnedAway) {
  EngineModel engine = plain_engine();
  engine.kv_blocks = 10;
  engine.max_model_len = 4096;
  const Driven run =
      drive(engine, {request(0, 0, 100, 10), request(1, 0, 150, 11), request(2, 0, 5000, 10)});
  EXPECT_EQ(run.rejected, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(run.outcomes.size(), 1u);
}

// serving.md §1.6: the whole prompt has to fit from vLLM 0.19 on, only its first chunk before.
TEST(Replica, AdmissionAsksForTheWholePromptFrom019) {
  EngineModel engine = plain_engine();
  engine.max_batched_tokens = 256;
  engine.kv_blocks = 64;
  engine.prefix_caching = false;
  const std::vector<Request> requests = {request(0, 0, 512, 300), request(1, 0, 512, 20)};
  engine.reserve_full_prompt = true;
  const Driven whole = drive(engine, requests);
  engine.reserve_full_prompt = false;
  const Driven chunk = drive(engine, requests);
  EXPECT_EQ(whole.counters.preemptions, 0u);
  EXPECT_GT(chunk.counters.preemptions, 0u);
}

TEST(Replica, PrefixHitsAreNotComputedAgain) {
  EngineModel engine = plain_engine();
  Request a = request(0, 0, 1000, 5), b = request(1, 1, 1100, 5);
  a.id_tokens = b.id_tokens = 512;
  a.ids = {7, 8};
  b.ids = {7, 9, 10};
  const Driven run = drive(engine, {a, b});
  EXPECT_EQ(run.outcomes[1].cached_tokens, 512);
  EXPECT_EQ(run.counters.prompt_tokens, 1000 + 1100 - 512);
  EXPECT_EQ(run.counters.cached_tokens, 512);
}

TEST(Replica, SpeculationTakesFewerSteps) {
  EngineModel engine = plain_engine();
  const Driven plain = drive(engine, {request(0, 0, 100, 401)});
  engine.drafted = 1;
  engine.reserves_outputs = true;
  engine.acceptance = 1;
  engine.cost = std::make_shared<StepCost>(testing::step_of(*cost::find_engine("vllm-0.19")), 1, 1);
  const Driven always = drive(engine, {request(0, 0, 100, 401)});
  EXPECT_EQ(plain.counters.steps, 401u);
  EXPECT_EQ(always.counters.steps, 201u);
  engine.acceptance = 0;
  const Driven never = drive(engine, {request(0, 0, 100, 401)});
  EXPECT_EQ(never.counters.steps, 401u);
  EXPECT_GT(never.end, plain.end);  // drafts are not free
}

std::vector<Request> random_requests(std::uint64_t seed, std::uint64_t count, double rate) {
  const RandomStream draw(seed, 1);
  std::vector<Request> list;
  double at = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    at += draw.exponential(4 * i) / rate;
    Request r = request(i, at, 1 + static_cast<std::int64_t>(draw.below(4 * i + 1, 600)),
                        1 + static_cast<std::int64_t>(draw.below(4 * i + 2, 150)));
    if (draw.below(4 * i + 3, 2) == 0) {
      r.id_tokens = 64;
      for (std::int64_t k = 0; k * 64 < r.input_tokens; ++k)
        r.ids.push_back(k < 3 ? draw.below(1000 + i, 3) * 10 + static_cast<std::uint64_t>(k)
                              : 1000 + i * 100 + static_cast<std::uint64_t>(k));
    }
    list.push_back(std::move(r));
  }
  return list;
}

TEST(Replica, RunsAtOnceAreStepsOneByOne) {
  const bool holds = rc::check([] {
    EngineModel engine =
        plain_engine(*rc::gen::element("vllm-0.15", "vllm-0.19", "sglang-0.5", "trtllm-1.0"));
    engine.async_scheduling = *rc::gen::arbitrary<bool>();
    engine.kv_blocks = *rc::gen::inRange(60, 400);
    engine.block_tokens = *rc::gen::element(1, 16, 64);
    engine.kv_blocks = engine.kv_blocks * 16 / engine.block_tokens;
    engine.max_sequences = *rc::gen::inRange(1, 40);
    engine.prefix_caching = *rc::gen::arbitrary<bool>();
    const auto requests = random_requests(*rc::gen::arbitrary<std::uint64_t>(), 60,
                                          *rc::gen::element(2.0, 20.0, 200.0));
    const Driven runs = drive(engine, requests);
    engine.most_steps = 1;
    const Driven steps = drive(engine, requests);
    RC_ASSERT(runs.end == steps.end);
    RC_ASSERT(runs.counters.steps == steps.counters.steps);
    RC_ASSERT(runs.counters.preemptions == steps.counters.preemptions);
    RC_ASSERT(runs.counters.peak_blocks == steps.counters.peak_blocks);
    RC_ASSERT(runs.outcomes.size() == steps.outcomes.size());
    for (std::size_t i = 0; i < runs.outcomes.size(); ++i) {
      RC_ASSERT(runs.outcomes[i].scheduled == steps.outcomes[i].scheduled);
      RC_ASSERT(runs.outcomes[i].first_token == steps.outcomes[i].first_token);
      RC_ASSERT(runs.outcomes[i].last_token == steps.outcomes[i].last_token);
    }
    RC_ASSERT(runs.itl.count() == steps.itl.count());
    RC_ASSERT(runs.itl.max() == steps.itl.max());
  });
  EXPECT_TRUE(holds);
}

TEST(Replica, EveryTokenIsAccountedFor) {
  const bool holds = rc::check([] {
    EngineModel engine = plain_engine(*rc::gen::element("vllm-0.15", "vllm-0.19", "sglang-0.5"));
    engine.kv_blocks = *rc::gen::inRange(50, 200);
    engine.prefix_caching = *rc::gen::arbitrary<bool>();
    const auto requests =
        random_requests(*rc::gen::arbitrary<std::uint64_t>(), 80, *rc::gen::element(5.0, 100.0));
    const Driven run = drive(engine, requests);
    RC_ASSERT(run.outcomes.size() + run.rejected.size() == requests.size());
    std::int64_t outputs = 0, inputs = 0, gaps = 0;
    for (const Outcome& o : run.outcomes) {
      RC_ASSERT(o.arrival <= o.queued);
      RC_ASSERT(o.queued <= o.scheduled);
      RC_ASSERT(o.scheduled < o.first_token);
      RC_ASSERT(o.first_token <= o.last_token);
      RC_ASSERT(o.output_tokens == requests[o.index].output_tokens);
      outputs += o.output_tokens;
      gaps += o.output_tokens - 1;
      inputs += o.input_tokens;
    }
    RC_ASSERT(run.counters.output_tokens == outputs);
    RC_ASSERT(static_cast<std::int64_t>(run.itl.count()) == gaps);
    RC_ASSERT(run.counters.prompt_tokens + run.counters.cached_tokens >= inputs);
    if (run.counters.preemptions == 0)
      RC_ASSERT(run.counters.prompt_tokens + run.counters.cached_tokens == inputs);
    RC_ASSERT(run.counters.peak_blocks <= engine.kv_blocks);
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace portolan::simulation
