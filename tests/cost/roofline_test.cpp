#include "cost/roofline.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/cost/parts.hpp"

namespace portolan::cost {
namespace {

using model::Format;

double gemm_us(const Machine& m, double rows, double n, double k, Format format = Format::kBf16) {
  return gemm_time(m, linear_on(m, n, k, format), rows).seconds * 1e6;
}

TEST(Gemm, MemoryBoundAtOneRow) {
  // 14336 x 4096 bf16 on H100: 117 MB at 0.867 of 3.35 TB/s is 40.4 us.
  const Machine m = parts::machine(parts::h100());
  EXPECT_NEAR(gemm_us(m, 1, 14336, 4096), 40.4 + 2.6, 2);
}

TEST(Gemm, LargeProductReachesTheCeiling) {
  const Machine m = parts::machine(parts::h100());
  const double flop = 2.0 * 16384 * 8192 * 8192;
  const double rate = flop / (gemm_us(m, 16384, 8192, 8192) * 1e-6) / 1e12;
  EXPECT_GT(rate, 0.90 * 794.5);
  EXPECT_LE(rate, 794.5);
}

TEST(Gemm, TilesAndWavesCostMoreThanTheirShare) {
  // Columns that do not fill their last tile: h 14400 over 8 ranks is 1,800 columns, 14336 is 1,792
  // = 28 tiles of 64. The BLOOM sweep on A100 found 94 against 112 TFLOP/s; the tile is part of
  // that.
  const Machine a = parts::machine(parts::a100());
  const double odd = gemm_us(a, 2048, 1800, 14400) / (1800.0 * 14400),
               even = gemm_us(a, 2048, 1792, 14336) / (1792.0 * 14336);
  EXPECT_GT(odd / even, 1.005);
  // A product with fewer tiles than multiprocessors leaves some idle.
  const Machine m = parts::machine(parts::h100());
  const auto rate = [&](double rows, double n) {
    return rows * n / (gemm_us(m, rows, n, 8192) - m.launch.in(kMicrosecond));
  };
  EXPECT_LT(rate(256, 256), 0.4 * rate(8192, 8192));
  // Short products do not fill the pipeline.
  EXPECT_LT(gemm_us(m, 8192, 8192, 4096), 8 * gemm_us(m, 8192, 8192, 512));
}

TEST(Gemm, LowPrecisionGainsBytesOrRate) {
  const Machine m = parts::machine(parts::h100());
  EXPECT_NEAR(gemm_us(m, 8, 28672, 8192, Format::kFp8) / gemm_us(m, 8, 28672, 8192), 0.5, 0.05);
  EXPECT_NEAR(gemm_us(m, 8, 28672, 8192, Format::kInt4) / gemm_us(m, 8, 28672, 8192), 0.27, 0.03);
  EXPECT_LT(gemm_us(m, 8192, 28672, 8192, Format::kFp8) / gemm_us(m, 8192, 28672, 8192), 0.65);
  // Weight-only prefill gains nothing.
  EXPECT_GT(gemm_us(m, 8192, 28672, 8192, Format::kInt4) / gemm_us(m, 8192, 28672, 8192), 0.95);
}

TEST(Grouped, TouchesTheExpectedExperts) {
  // E 128, K 8, 32 tokens touch 111.8 experts, not 128.
  const Machine m = parts::machine(parts::h100());
  const Experts e{.linear = linear_on(m, 1536, 2048, Format::kBf16),
                  .experts = 128,
                  .experts_total = 128,
                  .top_k = 8,
                  .token_groups = 1,
                  .format = Format::kBf16};
  const KernelTime t = grouped_time(m, e, 32);
  const double weights = 111.8 * 2 * 1536 * 2048, rows = 32.0 * 8 * 2 * (2048 + 1536);
  EXPECT_NEAR(t.bytes, weights + rows, 0.002 * weights);
  EXPECT_NEAR(t.flop, 2.0 * 32 * 8 * 1536 * 2048, 1);
}

// vLLM MoE kernels on H100, both products, power_law_1.01 (public kernel tables), us.
TEST(Grouped, WithinAThirdOfTheKernelTables) {
  const Machine m = parts::machine(parts::h100());
  struct Case {
    double hidden, inter, experts, top_k, tokens;
    Format format;
    double measured;
  };
  for (const Case& c : {Case{4096, 14336, 8, 2, 32, Format::kBf16, 1065},
                        Case{4096, 14336, 8, 2, 4096, Format::kBf16, 5903},
                        Case{2048, 768, 128, 8, 8, Format::kBf16, 182},
                        Case{2048, 768, 128, 8, 128, Format::kBf16, 418},
                        Case{4096, 14336, 8, 2, 32, Format::kFp8Block, 530},
                        Case{2880, 2880, 128, 4, 32, Format::kMxfp4, 383},
                        Case{2880, 2880, 128, 4, 4096, Format::kMxfp4, 2462}}) {
    const Experts up{.linear = linear_on(m, 2 * c.inter, c.hidden, c.format),
                     .experts = c.experts,
                     .experts_total = c.experts,
                     .top_k = c.top_k,
                     .token_groups = 1,
                     .format = c.format};
    Experts down = up;
    down.linear = linear_on(m, c.hidden, c.inter, c.format);
    const double us =
        (grouped_time(m, up, c.tokens).seconds + grouped_time(m, down, c.tokens).seconds) * 1e6;
    EXPECT_NEAR(us / c.measured, 1.0, 0.34) << c.hidden << " " << c.tokens;
  }
}

model::Operator attention(std::int64_t heads, std::int64_t kv_heads, std::int64_t dimension) {
  model::Operator op;
  op.kind = model::OpKind::kAttention;
  op.heads = heads;
  op.kv_heads = kv_heads;
  op.d_qk = op.d_v = dimension;
  return op;
}

// vLLM FlashAttention-3 decode on H100, 32 query and 8 key-value heads of 128 (public kernel
// tables), us.
TEST(DecodeAttention, AgainstKernelTables) {
  const Machine m = parts::machine(parts::h100());
  struct Case {
    double requests, context, measured;
  };
  for (const Case& c :
       {Case{1, 1024, 13.6}, Case{8, 1024, 18.2}, Case{16, 4096, 113.4}, Case{32, 1024, 59.8},
        Case{32, 4096, 185.9}, Case{64, 8192, 688.2}, Case{128, 1024, 190.5}}) {
    EXPECT_NEAR(
        decode_attention_time(m, attention(32, 8, 128), 2.0, c.requests, c.context).seconds * 1e6 /
            c.measured,
        1.0, 0.25)
        << c.requests << " x " << c.context;
  }
}

TEST(DecodeAttention, WindowsAndSparseChoiceCapTheContext) {
  const Machine m = parts::machine(parts::h100());
  model::Operator op = attention(64, 8, 64);
  op.window = 128;
  EXPECT_DOUBLE_EQ(decode_attention_time(m, op, 2, 8, 128).seconds,
                   decode_attention_time(m, op, 2, 8, 100000).seconds);
  op.window = 0;
  op.sparse_top = 2048;
  EXPECT_DOUBLE_EQ(decode_attention_time(m, op, 2, 8, 2048).seconds,
                   decode_attention_time(m, op, 2, 8, 100000).seconds);
}

TEST(PrefillAttention, LargeHeadsReachTheMeasuredShare) {
  const Machine m = parts::machine(parts::h100());
  const KernelTime t = prefill_attention_time(m, attention(32, 8, 128), 2, 1, 16384, 0);
  const double share = t.flop / t.seconds / 989e12;
  EXPECT_NEAR(share, 0.66, 0.05);  // best measured 0.68
}

TEST(Latent, AbsorbedDecodeIsComputeHeavy) {
  // DeepSeek-V3: 278,528 FLOP per cached position and layer against 1,152 bytes.
  const Machine m = parts::machine(parts::h100());
  model::Operator op;
  op.kind = model::OpKind::kMla;
  op.heads = 128;
  op.kv_heads = 1;
  op.d_qk = 192;
  op.d_v = 128;
  op.kv_rank = 512;
  op.rope_dim = 64;
  const KernelTime a = decode_attention_time(m, op, 2, 1, 10000),
                   b = decode_attention_time(m, op, 2, 1, 20000);
  EXPECT_NEAR(b.flop - a.flop, 278528.0 * 10000, 1);
  EXPECT_NEAR(b.bytes - a.bytes, 1152.0 * 10000, 1);
}

RC_GTEST_PROP(RooflineLaw, NeverFasterThanTheLimits, ()) {
  const auto rows = *rc::gen::inRange(1, 9000), n = *rc::gen::inRange(16, 30000),
             k = *rc::gen::inRange(16, 30000);
  for (const hardware::Accelerator* a :
       {&parts::h100(), &parts::l40s(), &parts::mi300x(), &parts::b200()}) {
    const Machine m = parts::machine(*a);
    const KernelTime t = gemm_time(m, linear_on(m, n, k, Format::kBf16), rows);
    RC_ASSERT(t.seconds >= t.flop / m.rate(model::Compute::kBf16).peak.raw());
    RC_ASSERT(t.seconds >= t.bytes / m.bandwidth.raw());
    RC_ASSERT(gemm_time(m, linear_on(m, n, k, Format::kBf16), rows * 1.001).seconds >= t.seconds);
  }
}

RC_GTEST_PROP(RooflineLaw, FasterPartNeverSlower, ()) {
  const auto rows = *rc::gen::inRange(1, 9000), n = *rc::gen::inRange(16, 30000),
             k = *rc::gen::inRange(16, 30000);
  hardware::Accelerator better = parts::h100();
  better.bandwidth *= 1.0 + *rc::gen::inRange(0, 100) / 100.0;
  const double scale = 1.0 + *rc::gen::inRange(0, 100) / 100.0;
  for (auto& peak : better.peak) {
    if (peak) *peak *= scale;
  }
  *better.measured_bf16 *= scale;
  *better.measured_fp8 *= scale;
  const Machine slow = parts::machine(parts::h100()), fast = parts::machine(better);
  for (const Format format : {Format::kBf16, Format::kFp8, Format::kInt4}) {
    RC_ASSERT(gemm_us(fast, rows, n, k, format) <= gemm_us(slow, rows, n, k, format) * (1 + 1e-12));
  }
}

}  // namespace
}  // namespace portolan::cost
