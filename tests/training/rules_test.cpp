#include "training/rules.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/units_text.hpp"
#include "tests/training/parts.hpp"
#include "training/goodput.hpp"

namespace portolan::training {
namespace {

TEST(Rules, TrainingFlop) {
  EXPECT_DOUBLE_EQ(rule_training(175e9, 300e9).raw(), 3.15e23);             // G7.1
  EXPECT_DOUBLE_EQ(rule_training(175e9, 1) / rule_forward(175e9, 1), 3.0);  // G8.1
  EXPECT_DOUBLE_EQ(rule_training_recomputed(1, 1).raw(), 8);
  EXPECT_NEAR(rule_training(65.2e9, 1.4e12).raw(), 5.477e23, 5e19);  // G14.1
}

TEST(Rules, OneA100ForGpt3) {
  const Flop run{3.14e23};
  const FlopPerSecond peak = 312 * kTFlopPerSecond;
  const Seconds at_peak = rule_accelerator_time(run, peak, 1);
  EXPECT_NEAR(at_peak.raw(), 1.0064e9, 1e5);  // G23.1
  EXPECT_NEAR(at_peak / kYear, 31.89, 0.01);
  EXPECT_NEAR(rule_accelerator_time(run, peak, kMedianPublishedMfu) / kYear, 85.04, 0.01);  // G23.2
  EXPECT_NEAR(at_peak.in(kHour), 279558, 1);                                                // G29.1
  EXPECT_NEAR((at_peak * (1.10 * kUsdPerHour)).raw(), 307514, 1);
  EXPECT_NEAR((at_peak * (4.10 * kUsdPerHour)).raw(), 1146189, 2);
  EXPECT_NEAR((rule_accelerator_time(run, peak, 0.375) * (2.00 * kUsdPerHour)).raw(), 1490978, 2);
}

TEST(Rules, ExplanationCarriesItsInputs) {
  const Derivation d = explain_training_rule(175e9, 300e9, 312 * kTFlopPerSecond,
                                             kMedianPublishedMfu, 2.0 * kUsdPerHour);
  EXPECT_EQ(d.name, "cost of the run");
  ASSERT_EQ(d.inputs.size(), 2u);
  const Derivation& hours = d.inputs[0];
  EXPECT_NEAR(*d.value, *hours.value * 2, 1e-6);
  ASSERT_EQ(hours.inputs.size(), 3u);
  EXPECT_DOUBLE_EQ(*hours.inputs[0].value, 3.15e23);
  EXPECT_FALSE(hours.inputs[2].source.empty());  // the default MFU names its source
  EXPECT_TRUE(
      explain_training_rule(1, 1, 1 * kTFlopPerSecond, 0.5, std::nullopt).inputs[2].source.empty());
}

TEST(Rules, LargestTrainable) {
  const Bytes card = 12 * kGB;
  EXPECT_DOUBLE_EQ(largest_trainable_parameters(card, kArticleBytesPerParameter), 1.0e9);  // G57.1
  EXPECT_DOUBLE_EQ(largest_trainable_parameters(card, Optimizer::kAdamMixed), 0.75e9);
  EXPECT_DOUBLE_EQ(4e9 * kArticleBytesPerParameter, 48e9);  // G57.2
  EXPECT_DOUBLE_EQ(4e9 * state_bytes_per_parameter(Optimizer::kAdamMixed), 64e9);
  EXPECT_DOUBLE_EQ(4e9 * state_bytes_per_parameter(Optimizer::kAdam8bit), 24e9);
  EXPECT_DOUBLE_EQ(4e9 * kLoraBaseBytesPerParameter, 8e9);
  const auto sizes = largest_trainable(card);
  ASSERT_EQ(sizes.size(), 7u);
  EXPECT_DOUBLE_EQ(sizes.front().parameters, 1.0e9);
  for (std::size_t i = 1; i < sizes.size(); ++i)
    EXPECT_LE(sizes[i].bytes_per_parameter, std::max(16.0, sizes[i - 1].bytes_per_parameter));
  EXPECT_GT(sizes.back().parameters, 4e9);  // QLoRA holds the 4B model
  EXPECT_LT(sizes[4].parameters, 4e9);      // no full recipe does
}

TEST(Rules, Recipes) {
  EXPECT_EQ(state_bytes_per_parameter(Optimizer::kAdamMixed), 16);
  EXPECT_EQ(state_bytes_per_parameter(Optimizer::kAdamFp32), 16);
  EXPECT_EQ(state_bytes_per_parameter(Optimizer::kAdamMegatron), 18);
  EXPECT_EQ(state_bytes_per_parameter(Optimizer::kAdamBf16), 8);
}

TEST(Lora, TrainableParameters) {
  EXPECT_EQ(lora_parameters(parts::llama3_8b(), 16), 41943040);
  EXPECT_EQ(lora_parameters(parts::llama3_8b(), 8, LoraTargets::kQueryValue), 3407872);
  EXPECT_EQ(
      lora_parameters(parts::llama(40, 5120, 40, 40, 13824, 32000), 8, LoraTargets::kQueryValue),
      6553600);  // LitGPT's count, Llama 2 13B
}

// training.md §10: mean time between failures 3.09 h, restart 10 min.
TEST(Goodput, Goldens) {
  const Seconds mean = 3.09 * kHour, restart = 10 * kMinute;
  const Goodput slow = goodput(30 * kSecond, mean, restart),
                quick = goodput(5 * kSecond, mean, restart);
  EXPECT_NEAR(slow.share, 0.8796, 5e-5);
  EXPECT_NEAR(quick.share, 0.9194, 5e-5);
  EXPECT_NEAR(young_interval(30 * kSecond, mean).raw(), 817, 0.5);
  EXPECT_NEAR(daly_interval(30 * kSecond, mean).raw(), 797, 0.5);
  EXPECT_NEAR(young_interval(5 * kSecond, mean).raw(), 334, 0.5);
  EXPECT_NEAR(daly_interval(5 * kSecond, mean).raw(), 330, 0.6);
  EXPECT_NEAR(slow.interval / daly_interval(30 * kSecond, mean), 1, 1e-3);
}

TEST(Goodput, LlamaThreeFailureRate) {
  EXPECT_NEAR(kFailuresPerAcceleratorHour, 1.973e-5, 5e-9);
  EXPECT_NEAR(1 / (kFailuresPerAcceleratorHour * 16384), 3.09, 0.005);
}

TEST(Goodput, EdgesAreFinite) {
  EXPECT_EQ(goodput(30 * kSecond, Seconds{INFINITY}, 10 * kMinute).share, 1);
  EXPECT_NEAR(goodput(Seconds{0}, kHour, Seconds{0}).share, 1, 1e-12);
  const Goodput hopeless =
      goodput(10 * kHour, kHour, kHour);  // checkpoints longer than the mean time between failures
  EXPECT_GT(hopeless.share, 0);
  EXPECT_LT(hopeless.share, 1e-3);
}

}  // namespace
}  // namespace portolan::training
