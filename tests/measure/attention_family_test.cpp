#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cost/call_attention.hpp"
#include "market/catalogue.hpp"
#include "measure/kernels.hpp"

namespace portolan::measure {
namespace {

const hardware::Accelerators& accelerators() {
  static const auto catalogue = market::Catalogue::embedded().value();
  return catalogue->accelerators();
}

KernelTable table_of(const std::string& text) {
  return KernelTable::make(io::parse_csv(text, "t.csv").value(), "t.csv").value();
}

/// A kernel that reaches 0.9 of the bandwidth after 9 us, with a hump the roofline does not know.
double decode_seconds(const cost::Chip& chip, double batch, double context, double heads,
                      double kv_heads) {
  const cost::Call call = cost::decode_attention_call(
      chip, {.heads = heads, .kv_heads = kv_heads, .d_qk = 128, .d_v = 128}, batch, context);
  const double hump = 0.2 * std::exp(-std::pow(std::log2(context) - 9.0, 2) / 4);
  return (call.memory / 0.9 + 9e-6) * (1 + hump);
}

std::string decode_table() {
  const cost::Chip chip = cost::chip_of(*accelerators().resolve("h100_sxm")->accelerator);
  std::string text =
      "system,backend,version,op,kernel,dtype,kv_dtype,batch,isl,past_kv,num_heads,num_kv_heads,"
      "head_dim,latency_ms\n";
  for (int b = 0; b <= 9; ++b)
    for (int c = 1; c <= 15; ++c)
      for (const int kv_heads : {1, 2, 4, 8})
        for (const int sharing : {1, 2, 4, 8}) {
          const double context = std::exp2(c), batch = std::exp2(b);
          text += fmt::format(
              "h100_sxm,vllm,1,generation_attention,k,bfloat16,bfloat16,{},1,{},{},{},128,{:.6f}\n",
              batch, context - 1, kv_heads * sharing, kv_heads,
              1e3 * decode_seconds(chip, batch, context, kv_heads * sharing, kv_heads));
        }
  return text;
}

TEST(AttentionFamily, ACurveFoundInATablePredictsWhatWasLeftOut) {
  const auto profile = calibrate_kernels(table_of(decode_table()), {}, accelerators(), 1).value();
  ASSERT_EQ(profile.curves().size(), 1U);
  const cost::Curve& curve = profile.curves().front();
  EXPECT_EQ(curve.key.variant, "d128");
  EXPECT_EQ(curve.key.kv_dtype, "bfloat16");
  EXPECT_LT(curve.median_point, 0.012F);
  EXPECT_LT(curve.median_site, 0.012F);
  // Between the measured lengths and with a fractional batch, as a step asks.
  const cost::Chip chip = cost::chip_of(*accelerators().resolve("h100_sxm")->accelerator);
  const cost::Call call = cost::decode_attention_call(
      chip, {.heads = 32, .kv_heads = 8, .d_qk = 128, .d_v = 128}, 20.5, 3000);
  EXPECT_NEAR(curve.seconds(call) / decode_seconds(chip, 20.5, 3000, 32, 8), 1, 0.03);
}

TEST(AttentionFamily, RowsFasterThanTheCacheCanBeReadAreCountedNotFitted) {
  // 256 sequences of 32,768 tokens of 4 KiB are 34 GB: 10 ms, not 1.
  const auto profile =
      calibrate_kernels(
          table_of(decode_table() +
                   "h100_sxm,vllm,1,generation_attention,k,bfloat16,bfloat16,256,1,32767,8,8,128,"
                   "1\n"),
          {}, accelerators(), 1)
          .value();
  ASSERT_EQ(profile.curves().size(), 1U);
  EXPECT_EQ(profile.curves().front().rejected, 1U);
}

TEST(AttentionFamily, WindowsAndCacheTypesHaveCurvesOfTheirOwn) {
  const std::string head =
      "system,backend,version,op,kernel,dtype,kv_dtype,batch,isl,past_kv,num_heads,num_kv_heads,"
      "head_dim,window,latency_ms\n";
  const std::string row = "h100_sxm,vllm,1,context_attention,k,bfloat16,";
  const auto profile = calibrate_kernels(table_of(head + row + "bfloat16,1,4096,0,32,8,64,128,1\n" +
                                                  row + "fp8,1,4096,0,32,8,64,128,1\n" + row +
                                                  "bfloat16,1,4096,0,32,8,64,8192,1\n"),
                                         {}, accelerators(), 1)
                           .value();
  ASSERT_EQ(profile.curves().size(), 3U);
  EXPECT_EQ(profile.curves()[0].key.variant, "d64");
  EXPECT_EQ(profile.curves()[1].key.variant, "d64.window");
  EXPECT_EQ(profile.curves()[2].key.kv_dtype, "fp8");
}

TEST(AttentionFamily, SaysWhichRowItDoesNotUnderstand) {
  const std::string head =
      "system,backend,version,op,kernel,dtype,kv_dtype,batch,isl,past_kv,num_heads,num_kv_heads,"
      "head_dim,latency_ms\n";
  const auto type = calibrate_kernels(
      table_of(head + "h100_sxm,vllm,1,context_attention,k,int3,fp8,1,64,0,8,8,128,1\n"), {},
      accelerators(), 1);
  ASSERT_FALSE(type.has_value());
  EXPECT_EQ(type.error().message, "unknown dtype \"int3\" of an attention");
  EXPECT_EQ(type.error().where.line, 2U);
  const auto heads = calibrate_kernels(
      table_of(head + "h100_sxm,vllm,1,context_attention,k,bfloat16,fp8,1,64,0,8,0,128,1\n"), {},
      accelerators(), 1);
  ASSERT_FALSE(heads.has_value());
}

TEST(RecurrenceFamily, KernelAndPhaseNameTheCurve) {
  const std::string head =
      "system,backend,version,op,kernel,variant,phase,batch,seq_len,num_tokens,d_model,d_conv,"
      "num_k_heads,head_k_dim,num_v_heads,head_v_dim,model,latency_ms\n";
  const std::string end = ",1024,4,16,128,32,128,m,0.5\n";
  const auto profile =
      calibrate_kernels(
          table_of(head + "h100_sxm,vllm,1,gdn,causal_conv1d_fn,gdn,context,1,256,256" + end +
                   "h100_sxm,vllm,1,gdn,causal_conv1d_update,gdn,generation,1,1,1" + end +
                   "h100_sxm,vllm,1,gdn,chunk_gated_delta_rule,gdn,context,1,256,256" + end +
                   "h100_sxm,vllm,1,gdn,fused_recurrent,gdn,generation,1,1,1" + end),
          {}, accelerators(), 1)
          .value();
  std::vector<std::string> variants;
  for (const cost::Curve& c : profile.curves()) variants.push_back(c.key.variant);
  EXPECT_EQ(variants, (std::vector<std::string>{"conv", "conv.update", "scan", "update"}));
}

}  // namespace
}  // namespace portolan::measure
