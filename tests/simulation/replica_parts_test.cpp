// What a replica does besides whole requests: prompts for others, outputs of fetched caches,
// adapters, ranks in lockstep, and losing its machine.
#include <gtest/gtest.h>

#include "simulation/replica.hpp"
#include "tests/simulation/engine.hpp"

namespace portolan::simulation {
namespace {

using testing::drive;
using testing::Driven;
using testing::plain_engine;
using testing::request;

Outcome outcome_of(const Request& r) {
  Outcome outcome;
  outcome.index = r.index;
  outcome.arrival = r.arrival;
  outcome.input_tokens = r.input_tokens;
  return outcome;
}

TEST(ReplicaParts, APromptIsHandedOverAndItsBlocksStayUntilFetched) {
  Sketch itl;
  const auto engine = std::make_shared<EngineModel>(plain_engine());
  Replica prompts(engine, 0, 1, itl), outputs(engine, 1, 1, itl);
  const Request r = request(0, 0, 1000, 50);
  ASSERT_TRUE(prompts.submit(r, outcome_of(r), 0, Part::kPrompt));
  while (prompts.finished().empty()) prompts.advance(prompts.next_event());
  const Finished done = prompts.finished().front();
  EXPECT_EQ(prompts.next_event(), kNever);
  EXPECT_EQ(prompts.load(0).used_blocks, 63);
  ASSERT_NE(done.outcome.first_token, kNever);

  const Time handed = done.outcome.first_token;
  ASSERT_TRUE(outputs.submit(done.request, done.outcome, handed, Part::kOutput));
  outputs.advance(outputs.next_event());
  ASSERT_EQ(outputs.awaiting().size(), 1u);
  EXPECT_EQ(outputs.awaiting().front().tokens, 1000);
  EXPECT_EQ(outputs.next_event(), kNever);  // waits for the link
  EXPECT_EQ(outputs.load(0).used_blocks, 63);
  const Time there = handed + kSecond / 10;
  outputs.fetched(outputs.awaiting().front().handle, there);
  prompts.release(done.handle, there);
  EXPECT_EQ(prompts.load(there).used_blocks, 0);
  Time last = there;
  while (outputs.finished().empty()) outputs.advance(last = outputs.next_event());
  const Outcome& end = outputs.finished().front().outcome;
  EXPECT_EQ(end.output_tokens, 50);
  EXPECT_EQ(end.first_token, handed);
  EXPECT_GT(end.last_token, there);
  EXPECT_EQ(outputs.counters(last).steps, 49u);
  EXPECT_EQ(outputs.counters(last).prompt_tokens, 0);
  EXPECT_EQ(itl.count(), 49u);
  EXPECT_GE(itl.max(), 0.1);  // the gap that the link made
}

TEST(ReplicaParts, ALostMachineGivesItsRequestsBack) {
  Sketch itl;
  const auto engine = std::make_shared<EngineModel>(plain_engine());
  Replica replica(engine, 0, 1, itl);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Request r = request(i, 0, 500, 100);
    ASSERT_TRUE(replica.submit(r, outcome_of(r), 0));
  }
  replica.advance(replica.next_event());
  replica.advance(replica.next_event());
  const Time midway = replica.next_event() / 2;
  const std::vector<Unfinished> lost = replica.abandon(midway);
  ASSERT_EQ(lost.size(), 3u);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lost[i].request.index, i);
    EXPECT_GT(lost[i].emitted, 1);
    EXPECT_LT(lost[i].emitted, 100);
  }
  EXPECT_EQ(replica.next_event(), kNever);
  EXPECT_EQ(replica.load(midway).running, 0);
  EXPECT_EQ(replica.load(midway).used_blocks, 0);

  // Elsewhere what the client has is prompt now, and only the rest is generated.
  Replica other(engine, 1, 1, itl);
  ASSERT_TRUE(
      other.submit(lost[0].request, lost[0].outcome, midway, Part::kWhole, lost[0].emitted));
  while (other.finished().empty()) other.advance(other.next_event());
  const Finished& done = other.finished().front();
  EXPECT_EQ(done.outcome.output_tokens, 100);
  EXPECT_EQ(other.counters(kNever).prompt_tokens, 500 + lost[0].emitted);
  EXPECT_EQ(done.outcome.first_token, lost[0].outcome.first_token);
}

TEST(ReplicaParts, AdaptersWaitForASlot) {
  EngineModel engine = plain_engine();
  engine.max_adapters = 1;
  engine.adapter_load = kSecond / 10;
  std::vector<Request> requests = {request(0, 0, 100, 50), request(1, 0, 100, 50),
                                   request(2, 0, 100, 50)};
  requests[0].adapter = requests[2].adapter = 1;
  requests[1].adapter = 2;
  const Driven run = drive(engine, requests);
  // The second has to wait for the first to end; the third, with the first's adapter, overtakes.
  EXPECT_GE(run.outcomes[1].scheduled, run.outcomes[0].last_token);
  EXPECT_EQ(run.outcomes[2].scheduled, run.outcomes[0].scheduled);
  EXPECT_GT(run.segments.front().first, kSecond / 10);
}

TEST(ReplicaParts, DeadlinesPassInTheQueue) {
  EngineModel engine = plain_engine();
  engine.max_sequences = 1;
  std::vector<Request> requests = {request(0, 0, 100, 500), request(1, 0.001, 100, 10)};
  requests[1].deadline = kSecond;
  const Driven run = drive(engine, requests);
  EXPECT_EQ(run.outcomes[0].status, Status::kCompleted);
  EXPECT_EQ(run.outcomes[1].status, Status::kTimedOut);
  EXPECT_EQ(run.outcomes[1].first_token, kNever);
}

// serving.md §1.11: ranks of data-parallel attention step together, each with its own cache.
TEST(ReplicaParts, RanksStepInLockstep) {
  EngineModel engine = plain_engine();
  engine.ranks = 2;
  engine.max_sequences = 1;
  const Driven two = drive(engine, {request(0, 0, 100, 50), request(1, 0, 100, 50)});
  EXPECT_EQ(two.outcomes[0].scheduled, two.outcomes[1].scheduled);
  EXPECT_EQ(two.outcomes[0].last_token, two.outcomes[1].last_token);
  engine.ranks = 1;
  const Driven one = drive(engine, {request(0, 0, 100, 50), request(1, 0, 100, 50)});
  EXPECT_GE(one.outcomes[1].scheduled, one.outcomes[0].last_token - 2 * kSecond / 1000);
}

}  // namespace
}  // namespace portolan::simulation
