// Engines as data: how names find records, what captured graphs do to a batch, what the host adds
// to a step.
#include "cost/engine.hpp"

#include <gtest/gtest.h>

#include <string>

#include "cost/step.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

TEST(Engine, NamesAndVersionsFindTheNearestOlderRecord) {
  ASSERT_NE(find_engine("vllm", "0.19.0"), nullptr);
  EXPECT_EQ(find_engine("vllm", "0.19.0")->engine, "vllm-0.19");
  EXPECT_EQ(find_engine("vllm", "0.18.0")->engine, "vllm-0.16");
  EXPECT_EQ(find_engine("vllm-0.15", "")->engine, "vllm-0.15");
  EXPECT_EQ(find_engine("vLLM 0.15.1")->engine, "vllm-0.15");
  EXPECT_EQ(find_engine("TensorRT-LLM", "1.2.0rc6.post2")->engine, "trtllm-1.0");
  EXPECT_EQ(find_engine("sglang", "0.5.9")->engine, "sglang-0.5");
  // Older than every record: the oldest. No number: the newest.
  EXPECT_EQ(find_engine("sglang", "0.1")->engine, "sglang-0.5");
  EXPECT_EQ(find_engine("vllm", "nightly-5b8c30d62b754b57"), find_engine("vllm", ""));
  EXPECT_EQ(find_engine("llama.cpp", "1"), nullptr);
}

TEST(Engine, EveryRecordSaysWhereItsNumbersComeFrom) {
  for (const Engine& engine : engines()) {
    EXPECT_FALSE(engine.source.empty()) << engine.engine;
    EXPECT_FALSE(engine.date.empty()) << engine.engine;
    EXPECT_FALSE(engine.defaults_source.empty()) << engine.engine;
    const bool port = !engine.vendor.empty();  // found with its vendor
    EXPECT_TRUE(port || find_engine(engine.engine) == &engine) << engine.engine;
    EXPECT_TRUE(engine.engine.starts_with(engine_family_name(engine.family))) << engine.engine;
  }
}

TEST(CaptureSizes, BatchesRunAtTheNextCapturedSize) {
  const CaptureSizes sizes{.first_step = 8, .knee = 256, .second_step = 16, .largest = 512};
  EXPECT_EQ(sizes.padded(1), 1);
  EXPECT_EQ(sizes.padded(3), 4);
  EXPECT_EQ(sizes.padded(5), 8);
  EXPECT_EQ(sizes.padded(9), 16);
  EXPECT_EQ(sizes.padded(256), 256);
  EXPECT_EQ(sizes.padded(257), 272);
  EXPECT_EQ(sizes.padded(512), 512);
  EXPECT_EQ(sizes.padded(513), 513);
  // The mean of 8 and 9 requests costs the mean of 8 and 16.
  EXPECT_DOUBLE_EQ(sizes.padded(8.5), 12);
}

TEST(Engine, LaunchesShowInPromptStepsThatAreNotCaptured) {
  Engine engine = *find_engine("vllm", "0.19");
  engine.per_layer = Seconds(2e-3);  // longer than a small step of the accelerator
  engine.captured_prompt_tokens = 512;
  const auto step =
      StepModel::compile(parts::llama_8b(), parts::machine(parts::h100()), {}, engine);
  ASSERT_TRUE(step);
  const Batch small{.prefill_requests = 1, .prefill_tokens = 500, .sampled = 1},
      large{.prefill_requests = 1, .prefill_tokens = 520, .sampled = 1},
      decode{.decode_requests = 4, .decode_context = 500, .sampled = 4};
  const double layers = 32;
  EXPECT_LT(step->time(small).total.raw(), 0.5 * layers * 2e-3);
  EXPECT_GE(step->time(large).total.raw(), layers * 2e-3);
  EXPECT_LT(step->time(decode).total.raw(), 0.5 * layers * 2e-3);
}

TEST(Step, DraftedTokensCostLessThanTheStepsTheyReplace) {
  const auto step =
      StepModel::compile(parts::llama_8b(), parts::machine(parts::h100()), {}, default_engine());
  ASSERT_TRUE(step);
  Batch plain{.decode_requests = 4, .decode_context = 2000, .sampled = 4}, drafted = plain;
  drafted.drafted = 3;
  drafted.sampled = drafted.decode_tokens();
  const double one = step->time(plain).total.raw(), four = step->time(drafted).total.raw();
  EXPECT_GT(four, one);
  EXPECT_LT(four, 2 * one);
}

TEST(Step, ExpertsSeeTheMeanRankOfDataParallelAttention) {
  const auto step = StepModel::compile(parts::mixtral_8x7b(), parts::machine(parts::h100(), 8),
                                       {.tp = 1, .ep = 8}, default_engine());
  ASSERT_TRUE(step);
  const Batch all{.prefill_requests = 1, .prefill_tokens = 4096, .sampled = 1};
  Batch one = all;  // only one of eight ranks has a prompt
  one.mean_rank_tokens = 512;
  EXPECT_LT(step->time(one).total.raw(), 0.8 * step->time(all).total.raw());
}

}  // namespace
}  // namespace portolan::cost
