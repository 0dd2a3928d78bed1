#include "cost/call_attention.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "cost/call_recurrence.hpp"
#include "cost/profile.hpp"

namespace portolan::cost {
namespace {

Chip h100() {
  Chip chip;
  chip.peak[static_cast<std::size_t>(model::Compute::kBf16)] = 989e12;
  chip.peak[static_cast<std::size_t>(model::Compute::kFp8)] = 1979e12;
  chip.bandwidth = 3.35e12;
  chip.multiprocessors = 132;
  return chip;
}

const AttentionShape kLlama{.heads = 32, .kv_heads = 8, .d_qk = 128, .d_v = 128};

TEST(ContextAttention, CountsPairsAndBytesOnce) {
  const Call call = context_attention_call(h100(), kLlama, 2, 1024, 0);
  // 2 requests, 32 heads, 2 * 256 FLOP a pair, 1024 * 1025 / 2 pairs.
  EXPECT_DOUBLE_EQ(call.compute, 2.0 * 32 * 512 * 524800 / 989e12);
  EXPECT_DOUBLE_EQ(call.memory, 2.0 * 1024 * 256 * (2 * 32 + 2 * 8) / 3.35e12);
  // 36 of 64 blocks of 128 x 128 for 524,800 pairs, and 64 heads of 8 tiles fill 132
  // multiprocessors.
  EXPECT_NEAR(call.waste, 36.0 * 16384 / 524800, 1e-9);
  EXPECT_EQ(call.at, (std::array<float, 4>{6, 2, 10, 0}));
}

TEST(ContextAttention, ChunksOfAPromptDoItsWork) {
  const Chip chip = h100();
  const double whole = context_attention_call(chip, kLlama, 1, 4096, 0).compute;
  double chunks = 0;
  for (int i = 0; i < 8; ++i)
    chunks += context_attention_call(chip, kLlama, 1, 512, 512.0 * i).compute;
  EXPECT_NEAR(chunks / whole, 1, 1e-12);
}

TEST(ContextAttention, WindowsSkipBlocksOnlyWhereTheyCut) {
  const Chip chip = h100();
  AttentionShape windowed = kLlama;
  windowed.window = 1024;
  EXPECT_EQ(context_attention_call(chip, windowed, 1, 1024, 0).compute,
            context_attention_call(chip, kLlama, 1, 1024, 0).compute);
  EXPECT_LT(context_attention_call(chip, windowed, 1, 8192, 0).compute,
            0.3 * context_attention_call(chip, kLlama, 1, 8192, 0).compute);
  // Of a prefix outside the window nothing is read.
  EXPECT_EQ(context_attention_call(chip, windowed, 1, 512, 4096).memory,
            context_attention_call(chip, windowed, 1, 512, 65536).memory);
}

TEST(ContextAttention, AnFp8CacheMayComputeInFp8) {
  AttentionShape small = kLlama;
  small.kv_bytes = 1;
  EXPECT_NEAR(context_attention_call(h100(), small, 1, 4096, 0).compute * 1979 / 989,
              context_attention_call(h100(), kLlama, 1, 4096, 0).compute, 1e-12);
  Chip ampere = h100();
  ampere.peak[static_cast<std::size_t>(model::Compute::kFp8)] = 0;
  EXPECT_EQ(context_attention_call(ampere, small, 1, 4096, 0).compute,
            context_attention_call(ampere, kLlama, 1, 4096, 0).compute);
}

RC_GTEST_PROP(ContextAttention, NeverWastesLessThanNothing, ()) {
  AttentionShape shape = kLlama;
  shape.heads = *rc::gen::inRange(1, 129);
  shape.kv_heads = *rc::gen::inRange(1, static_cast<int>(shape.heads) + 1);
  shape.window = *rc::gen::element(0.0, 1.0, 128.0, 1000.0, 8192.0);
  shape.causal = *rc::gen::arbitrary<bool>() || shape.window > 0;
  const double requests = *rc::gen::inRange(1, 4000) / 16.0;
  const double tokens = *rc::gen::inRange(1, 64000) / 4.0 + 1;
  const double cached = *rc::gen::inRange(0, 100000);
  const Call call = context_attention_call(h100(), shape, requests, tokens, cached);
  RC_ASSERT(call.compute > 0.0 && call.memory > 0.0 && std::isfinite(call.ideal()));
  RC_ASSERT(call.waste >= 1.0 - 1e-9 && std::isfinite(call.waste));
  for (const float x : call.at) RC_ASSERT(std::isfinite(x));
  const Call longer = context_attention_call(h100(), shape, requests, tokens + 1, cached);
  RC_ASSERT(longer.compute > call.compute && longer.memory > call.memory);
}

TEST(DecodeAttention, BatchAndKeyValueHeadsAreInterchangeable) {
  AttentionShape half = kLlama;
  half.heads = 16;
  half.kv_heads = 4;
  const Call a = decode_attention_call(h100(), kLlama, 32, 3000);
  const Call b = decode_attention_call(h100(), half, 64, 3000);
  EXPECT_EQ(a.at, b.at);
  EXPECT_DOUBLE_EQ(a.compute, b.compute);
  EXPECT_DOUBLE_EQ(a.memory, b.memory);
  EXPECT_EQ(a.waste, b.waste);
}

TEST(DecodeAttention, ReadsTheCacheOnceAndNoFurtherThanTheWindow) {
  // 8 heads of keys and values of 128 at 2 bytes are 4 KiB a token.
  const Call call = decode_attention_call(h100(), kLlama, 16, 8192);
  EXPECT_NEAR(call.memory, 16.0 * 8192 * 4096 / 3.35e12, 0.01 * call.memory);
  AttentionShape windowed = kLlama;
  windowed.window = 128;
  EXPECT_EQ(decode_attention_call(h100(), windowed, 16, 8192).memory,
            decode_attention_call(h100(), windowed, 16, 128).memory);
}

TEST(DecodeAttention, InAMixedStepEachIsAPromptOfOneToken) {
  const Call mixed = mixed_decode_call(h100(), kLlama, 8, 2048);
  EXPECT_DOUBLE_EQ(mixed.compute, context_attention_call(h100(), kLlama, 8, 1, 2047).compute);
  EXPECT_NEAR(mixed.memory, decode_attention_call(h100(), kLlama, 8, 2048).memory,
              1e-6 * mixed.memory);
}

TEST(DecodeAttention, TheLongestDecidesAMixedStepOfFewRequests) {
  EXPECT_EQ(longest_share(h100(), 32, 4, true), 1.0);
  EXPECT_LT(longest_share(h100(), 32, 16, true), 0.2);
  EXPECT_EQ(longest_share(h100(), 32, 4, false), longest_share(h100(), 32, 400, true));
}

TEST(LatentAttention, DecodeReadsOneLatentForAllHeads) {
  const LatentShape shape{.heads = 128};
  const Call call = decode_mla_call(h100(), shape, 1, 1e6);
  // 278,528 FLOP and 1,152 bytes a cached position (cost-model section 3).
  EXPECT_NEAR(call.compute * 989e12, 278528e6, 1);
  EXPECT_NEAR(call.memory * 3.35e12, 1152e6, 1e-3 * 1152e6);
  EXPECT_NEAR(context_mla_call(h100(), shape, 1, 1000, 0).compute * 989e12, 81920.0 * 500500, 1e3);
}

TEST(CurveNames, OwnVariantFirstThenTheNearestDimension) {
  EXPECT_EQ(attention_variant(128, 0), "d128");
  EXPECT_EQ(attention_variant(64, 128), "d64.window");
  EXPECT_EQ(attention_variant(128, 8192), "d128");
  AttentionShape shape = kLlama;
  shape.d_qk = 96;
  shape.window = 512;
  const CurveNames names = decode_attention_names(shape);
  EXPECT_EQ(names.op, "generation_attention");
  ASSERT_GE(names.variants.size(), 4U);
  EXPECT_EQ(names.variants[0], "d96.window");
  EXPECT_EQ(names.variants[1], "d96");
  EXPECT_EQ(names.variants[2], "d128.window");
  EXPECT_EQ(names.variants[3], "d128");
  shape.kv_bytes = 1;
  EXPECT_EQ(context_attention_names(shape).kv_dtype, "fp8");
  EXPECT_EQ(encoder_attention_names(shape).kv_dtype, "");
}

Curve curve_of(std::string accelerator, std::string variant) {
  Curve c;
  c.key = {.accelerator = std::move(accelerator),
           .backend = "vllm",
           .version = "1",
           .op = "context_attention",
           .dtype = "bfloat16",
           .kv_dtype = "bfloat16",
           .variant = std::move(variant)};
  return c;
}

TEST(CurveNames, AnotherDimensionOfThePartComesBeforeItsNeighboursOwn) {
  hardware::Accelerator part;
  part.id = "a100-sxm-80gb";
  Profile profile;
  profile.add(curve_of("a100-sxm-80gb", "d128"));
  AttentionShape shape = kLlama;
  shape.d_qk = 64;
  const KernelSet own(profile, nullptr, part, "vllm", "1");
  const Chosen chosen = choose(own, context_attention_names(shape));
  ASSERT_NE(chosen.curve, nullptr);
  EXPECT_EQ(chosen.curve->key.variant, "d128");
  // fp8 queries take the 16-bit curve where there is no other.
  shape.compute = model::Compute::kFp8;
  EXPECT_EQ(choose(own, context_attention_names(shape)).curve, chosen.curve);
  profile.add(curve_of("a100-sxm-80gb", "d64"));
  const KernelSet both(profile, nullptr, part, "vllm", "1");
  EXPECT_EQ(choose(both, context_attention_names(shape)).curve->key.variant, "d64");
  EXPECT_EQ(choose(both, decode_attention_names(shape)).curve, nullptr);
}

TEST(Recurrence, StatesRunSideBySideAndChunksInARow) {
  const RecurrenceShape shape = gated_delta_shape(16, 128, 32, 128);
  EXPECT_DOUBLE_EQ(shape.state_elements, 2.0 * 32 * 128 * 128);
  const Call one = recurrence_scan_call(h100(), shape, 1, 4096);
  const Call many = recurrence_scan_call(h100(), shape, 64, 4096);
  EXPECT_NEAR(one.waste, 132.0 / 32, 1e-9);
  EXPECT_EQ(many.waste, 1);
  EXPECT_NEAR(many.compute / one.compute, 64, 1e-9);
  EXPECT_EQ(one.at[0], 5);
  EXPECT_EQ(one.at[1], 12);
  // 32 states of 16,384 elements, read in 4 bytes and written in at least 2.
  EXPECT_NEAR(recurrence_update_call(h100(), shape, 8).memory * 3.35e12, 8 * 32 * 16384.0 * 6,
              0.02 * 8 * 32 * 16384.0 * 6);
}

}  // namespace
}  // namespace portolan::cost
