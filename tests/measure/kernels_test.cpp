// Kernel tables made here: fitted, written, read and scored again; and tables that are wrong.
#include "measure/kernels.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cost/call_gemm.hpp"
#include "cost/call_memory.hpp"
#include "market/catalogue.hpp"

namespace portolan::measure {
namespace {

const hardware::Accelerators& accelerators() {
  static const auto kCatalogue = market::Catalogue::embedded().value();
  return kCatalogue->accelerators();
}

constexpr std::string_view kHeader = "system,backend,version,op,kernel,dtype,m,n,k,latency_ms\n";
const cost::Roofline kPlanted{
    .compute = 0.72, .memory = 0.83, .knee = 3.3, .floor = 2.8e-6, .wave = 0.6, .short_k = 120};

/// Rows of a part that obeys kPlanted; `faster` of them are far faster than physics.
std::string gemm_rows(std::string_view system, std::string_view dtype, int faster = 0) {
  const cost::Chip chip = cost::chip_of(**system_of(accelerators(), system));
  std::string text(kHeader);
  for (double m = 1; m <= 4096; m *= 2)
    for (double n = 512; n <= 8192; n *= 2)
      for (double k = 512; k <= 8192; k *= 2) {
        const double seconds =
            faster-- > 0
                ? 1e-9
                : kPlanted.seconds(cost::gemm_call(chip, *cost::gemm_type(dtype), m, n, k));
        text += fmt::format("{},vllm,9.9,gemm,any,{},{},{},{},{:.9f}\n", system, dtype, m, n, k,
                            seconds * 1e3);
      }
  return text;
}

Result<KernelTable> table_of(const std::string& text) {
  return KernelTable::make(PORTOLAN_TRY(io::parse_csv(text, "mine.csv")), "mine.csv");
}

Result<cost::Profile> fitted(const std::string& text) {
  return calibrate_kernels(PORTOLAN_TRY(table_of(text)), {.source = "made up", .date = {}},
                           accelerators(), 1);
}

std::string error_of(const std::string& text) {
  const auto profile = fitted(text);
  return profile ? "" : format_error(profile.error());
}

TEST(Calibrate, FindsThePlantedPartAgain) {
  const auto profile = fitted(gemm_rows("h100_sxm", "bfloat16"));
  ASSERT_TRUE(profile) << format_error(profile.error());
  ASSERT_EQ(profile->curves().size(), 1U);
  const cost::Curve& curve = profile->curves().front();
  EXPECT_EQ(curve.key.accelerator, "h100-sxm-80gb");
  EXPECT_EQ(curve.key.version, "9.9");
  EXPECT_NEAR(curve.roofline.memory, kPlanted.memory, 0.04);
  EXPECT_LT(curve.median_point, 0.01F);
  EXPECT_LT(curve.median_site, 0.015F);
}

TEST(Calibrate, CountsRowsFasterThanPhysics) {
  const auto profile = fitted(gemm_rows("h100_sxm", "bfloat16", 17));
  ASSERT_TRUE(profile);
  const auto report = calibration_report(*profile);
  ASSERT_EQ(report.size(), 1U);
  EXPECT_EQ(report.front().rejected, 17U);
  EXPECT_EQ(report.front().rows, 13U * 5 * 5 - 17);
}

TEST(Calibrate, OfSeveralKernelsTheFastestCounts) {
  const std::string fast = gemm_rows("h100_sxm", "bfloat16");
  std::string both = fast;
  // The same shapes again, ten times slower.
  const auto table = table_of(fast).value();
  for (std::size_t i = 0; i < table.rows(); ++i)
    both += fmt::format("h100_sxm,vllm,9.9,gemm,slow,bfloat16,{},{},{},{:.9f}\n",
                        table.text(i, "m"), table.text(i, "n"), table.text(i, "k"),
                        10 * table.number(i, "latency_ms").value());
  EXPECT_EQ(fitted(both)->write(), fitted(fast)->write());
}

TEST(Calibrate, AProfileReadBackPredictsTheSame) {
  const auto profile = fitted(gemm_rows("l40s", "fp8"));
  ASSERT_TRUE(profile);
  const auto again = cost::Profile::parse(profile->write(), "p");
  ASSERT_TRUE(again) << format_error(again.error());
  const auto table = table_of(gemm_rows("l40s", "fp8")).value();
  const auto a = score_kernels(table, *profile, accelerators()).value(),
             b = score_kernels(table, *again, accelerators()).value();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(*a[i].predicted / *b[i].predicted, 1.0, 1e-4);
    EXPECT_NEAR(*b[i].predicted / b[i].measured, 1.0, 0.1);
    EXPECT_LE(*b[i].low, *b[i].predicted * 1.001);
    EXPECT_EQ(b[i].tier, "measured");
  }
}

TEST(Calibrate, ThreadsDoNotMatter) {
  const auto table = table_of(gemm_rows("h100_sxm", "bfloat16") +
                              gemm_rows("h200_sxm", "fp8").substr(kHeader.size()))
                         .value();
  const auto one = calibrate_kernels(table, {}, accelerators(), 1),
             two = calibrate_kernels(table, {}, accelerators(), 2);
  EXPECT_EQ(one->write(), two->write());
}

TEST(Score, AnswersEveryRowWithATier) {
  const auto profile = fitted(gemm_rows("h100_sxm", "bfloat16")).value();
  const auto tier = [&](const std::string& text) {
    const auto points = score_kernels(table_of(text).value(), profile, accelerators()).value();
    std::string tiers;
    for (const ScoredPoint& p : points) {
      EXPECT_TRUE(p.predicted && *p.predicted > 0 && p.low && p.high);
      if (tiers.find(p.tier) == std::string::npos) tiers += p.tier;
    }
    return tiers;
  };
  EXPECT_EQ(tier(gemm_rows("h100_sxm", "bfloat16")), "measured");
  EXPECT_EQ(tier(gemm_rows("h100_sxm", "int4_wo")), "transferred");
  EXPECT_EQ(tier(gemm_rows("h200_sxm", "bfloat16")), "transferred");
  EXPECT_EQ(tier(gemm_rows("mi300x", "bfloat16")), "datasheet");
}

TEST(Tables, TheA100OfTheTablesIsTheLargeOne) {
  EXPECT_EQ((*system_of(accelerators(), "a100_sxm"))->id, "a100-sxm-80gb");
  EXPECT_FALSE(system_of(accelerators(), "no_such_part"));
}

TEST(Tables, AreRefusedWithTheirPlace) {
  const std::string row = "h100_sxm,vllm,1,gemm,x,bfloat16,8,512,512,0.01\n";
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bad = row;
    bad.replace(bad.find(from), from.size(), to);
    return error_of(std::string(kHeader) + row + bad);
  };
  EXPECT_EQ(error_of(std::string(kHeader) + row), "");
  EXPECT_NE(with("gemm", "gemmm").find("gemmm"), std::string::npos);
  EXPECT_NE(with("gemm", "gemmm").find("mine.csv:3"), std::string::npos);
  EXPECT_NE(with("h100_sxm", "z999").find("z999"), std::string::npos);
  EXPECT_NE(with("bfloat16", "float3").find("float3"), std::string::npos);
  EXPECT_NE(with("0.01", "nan").find("nan"), std::string::npos);
  EXPECT_NE(with("0.01", "").find("latency_ms"), std::string::npos);
  EXPECT_NE(with(",8,", ",-8,").find("mine.csv:3"), std::string::npos);
  EXPECT_NE(with(",8,", ",eight,").find("eight"), std::string::npos);
  std::string cut = std::string(kHeader) + row + row;
  cut.resize(cut.size() - 12);
  EXPECT_NE(error_of(cut).find("mine.csv:3"), std::string::npos);
  const auto missing =
      table_of("system,backend,version,op,dtype,m,n,k\nh100_sxm,a,1,gemm,x,1,1,1\n");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("latency_ms"), std::string::npos);
}

TEST(ScaleFamily, DifferencesThatAreNotPositiveAreRejected) {
  const cost::Chip chip = cost::chip_of(**system_of(accelerators(), "h100_sxm"));
  std::string text = "system,backend,version,op,kernel,variant,dtype,m,k,latency_ms\n";
  int bad = 0;
  for (double m = 1; m <= 32768; m *= 2)
    for (double k = 256; k <= 16384; k *= 2) {
      const bool negative = m == 4;
      bad += negative;
      text += fmt::format(
          "h100_sxm,vllm,1,computescale,x,compute_scale,fp8,{},{},{:.9f}\n", m, k,
          negative ? -0.001 : 1e3 * (2e-6 + cost::scale_call(chip, m, k, 0).memory / 0.8));
    }
  const auto profile = fitted(text);
  ASSERT_TRUE(profile) << format_error(profile.error());
  const cost::Curve& curve = profile->curves().front();
  EXPECT_EQ(curve.rejected, static_cast<std::uint32_t>(bad));
  EXPECT_NEAR(curve.roofline.memory, 0.8, 0.05);
  EXPECT_LT(curve.median_point, 0.02F);
}

}  // namespace
}  // namespace portolan::measure
