#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "tests/training/parts.hpp"
#include "training/run.hpp"

namespace portolan::training {
namespace {

void expect_same_winner(const Trainer& trainer, std::int64_t nodes) {
  const auto quick = trainer.search(nodes), all = trainer.search_exhaustively(nodes);
  EXPECT_EQ(quick.candidates, all.candidates);
  ASSERT_EQ(quick.best.has_value(), all.best.has_value());
  EXPECT_LE(quick.evaluated, all.evaluated);
  EXPECT_LE(all.candidates, 100000u) << "a case small enough for brute force";
  if (!all.best) {
    EXPECT_EQ(quick.leanest, all.leanest);
    EXPECT_EQ(quick.smallest_memory.raw(), all.smallest_memory.raw());
    return;
  }
  EXPECT_EQ(*quick.best, *all.best)
      << strategy_text(*quick.best) << " / " << strategy_text(*all.best);
  EXPECT_EQ(quick.estimate->step.raw(), all.estimate->step.raw());
  // What the search reports is what evaluate says.
  const auto again = trainer.evaluate(*quick.best, nodes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->step.raw(), quick.estimate->step.raw());
  EXPECT_EQ(again->memory.total().raw(), quick.estimate->memory.total().raw());
  EXPECT_LE(again->memory.total(), quick.usable);
}

TEST(Search, PruningKeepsTheOptimum) {
  for (const std::int64_t nodes : {1, 2, 3, 8, 16}) {
    expect_same_winner(
        *Trainer::compile(parts::llama3_8b(), parts::machine(), parts::job(8192, 512)), nodes);
    expect_same_winner(*Trainer::compile(parts::gpt(48, 6144, 64, 51200), parts::machine(4),
                                         parts::job(2048, 256)),
                       nodes);
    expect_same_winner(
        *Trainer::compile(parts::qwen3_30b_a3b(), parts::machine(), parts::job(4096, 1024)), nodes);
    expect_same_winner(*Trainer::compile(parts::llama(80, 8192, 64, 8, 28672, 128256),
                                         parts::machine(), parts::job(32768, 128)),
                       nodes);
  }
}

TEST(Search, LoraFitsWhereFullTrainingDoesNot) {
  Job job = parts::job(4096, 64);
  const auto full = Trainer::compile(parts::llama3_8b(), parts::machine(1), job)->search(1);
  EXPECT_FALSE(full.best);
  EXPECT_GT(full.smallest_memory, full.usable);
  EXPECT_EQ(nearest_miss(full).substr(0, 6), "needs ");
  job.method = Method::kQlora;
  const auto qlora = Trainer::compile(parts::llama3_8b(), parts::machine(1), job)->search(1);
  ASSERT_TRUE(qlora.best);
  EXPECT_EQ(nearest_miss(qlora), "");
}

TEST(Search, FindsAPublishedConfigurationOrABetterOne) {
  // Llama 3 405B on 8,192 H100: whatever wins must not be slower than what Meta ran (tp 8, pp 16,
  // dp 64).
  Job job = parts::job(8192, 2048);
  const auto trainer = Trainer::compile(parts::llama3_405b(), parts::machine(), job);
  const auto search = trainer->search(1024);
  ASSERT_TRUE(search.best);
  const auto published = trainer->evaluate(
      {.tp = 8, .pp = 16, .dp = 64, .zero = 1, .recompute = Recompute::kNone}, 1024);
  EXPECT_LE(search.estimate->duration, published->duration);
}

TEST(Search, NothingLegalIsSaid) {
  // Seven heads and a batch of one sequence on eight accelerators.
  const auto trainer = Trainer::compile(parts::llama(1, 896, 7, 7, 3584, 1000), parts::machine(),
                                        parts::job(1001, 1));
  const auto search = trainer->search(1);
  EXPECT_FALSE(search.best);
  EXPECT_GT(search.illegal, 0u);
  EXPECT_EQ(search.evaluated, 0u);
  EXPECT_EQ(nearest_miss(search), "");
}

TEST(Search, SameAnswerFromEveryThread) {
  const auto trainer =
      *Trainer::compile(parts::qwen3_30b_a3b(), parts::machine(), parts::job(4096, 1024));
  std::vector<Trainer::Search> results(4);
  std::vector<std::jthread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = trainer.search(8); });
  threads.clear();
  for (const auto& result : results) {
    EXPECT_EQ(result.best, results.front().best);
    EXPECT_EQ(result.evaluated, results.front().evaluated);
    EXPECT_EQ(result.estimate->duration.raw(), results.front().estimate->duration.raw());
  }
}

RC_GTEST_PROP(SearchLaw, PrunedEqualsExhaustive, ()) {
  const auto layers = *rc::gen::inRange<std::int64_t>(2, 33);
  const auto heads = std::int64_t{1} << *rc::gen::inRange(2, 6);
  const auto vocab = *rc::gen::element<std::int64_t>(0, 32000, 250880);
  const double sequence = *rc::gen::element(1024.0, 4096.0, 16384.0);
  Job job = parts::job(sequence, std::int64_t{1} << *rc::gen::inRange(2, 9));
  job.method = *rc::gen::element(Method::kFull, Method::kLora, Method::kQlora);
  const auto trainer =
      Trainer::compile(parts::gpt(layers, heads * 128, heads, vocab),
                       parts::machine(*rc::gen::element<std::int64_t>(1, 2, 4, 8)), job);
  RC_ASSERT(trainer.has_value());
  const auto nodes = *rc::gen::inRange<std::int64_t>(1, 5);
  const auto quick = trainer->search(nodes), all = trainer->search_exhaustively(nodes);
  RC_ASSERT(quick.best == all.best);
  RC_ASSERT(quick.candidates == all.candidates);
}

}  // namespace
}  // namespace portolan::training
