#include "measure/power_fit.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cost/power.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"

namespace portolan::measure {
namespace {

const hardware::Accelerators& accelerators() {
  static const auto catalogue = market::Catalogue::embedded().value();
  return catalogue->accelerators();
}

KernelTable table_of(const std::string& text) {
  return KernelTable::make(io::parse_csv(text, "test.csv").value(), "test.csv").value();
}

/// Watts of a made-up board: 140 at rest, up to 700 with the load.
double watts(double use) { return 140 + 560 * std::min(1.0, use); }

std::string products() {
  std::string text =
      "system,backend,version,op,kernel,dtype,m,n,k,latency_ms,power_w,power_limit_w\n";
  for (const double n : {1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240,
                         12288, 14336, 16384, 20480}) {
    for (double m = 16; m <= 16384; m *= 2) {
      const double flop = 2 * m * n * 4096;
      const double seconds = 6e-6 + flop / 600e12 + 2.0 * 4096 * n / 4e12;
      text += fmt::format("h200_sxm,vllm,1,gemm,k,bfloat16,{},{},4096,{},{},700\n", m, n,
                          seconds * 1e3, watts(flop / 989e12 / seconds));
    }
  }
  return text;
}

TEST(PowerFit, FindsTheLawBehindTheWatts) {
  const KernelTable table = table_of(products());
  const auto points = read_power(table, accelerators()).value();
  ASSERT_EQ(points.size(), table.rows());
  const cost::Profile profile = fit_power(points, {.source = "test", .date = {}});
  ASSERT_EQ(profile.curves().size(), 1u);
  EXPECT_EQ(profile.curves()[0].key.variant, "gemm");
  EXPECT_EQ(profile.curves()[0].rows, table.rows());
  EXPECT_NEAR(profile.curves()[0].roofline.memory, 0.2, 0.02);
  EXPECT_LT(profile.curves()[0].median_site, 0.06);
  double measured = 0, predicted = 0, worst = 0;
  const std::vector<ScoredPoint> scored = score_power(table, profile, accelerators()).value();
  for (const ScoredPoint& p : scored) {
    ASSERT_TRUE(p.predicted) << p.reason;
    EXPECT_EQ(p.tier, "measured");
    EXPECT_EQ(p.metric, "power");
    measured += p.measured;
    predicted += *p.predicted;
    worst = std::max(worst, std::abs(*p.predicted / p.measured - 1));
  }
  EXPECT_NEAR(predicted / measured, 1.0, 0.01);
  EXPECT_LT(worst, 0.25);
}

TEST(PowerFit, SurvivesTheFile) {
  const auto points = read_power(table_of(products()), accelerators()).value();
  const cost::Profile profile = fit_power(points, {.source = "test", .date = {}});
  const cost::Profile again = cost::Profile::parse(profile.write(), "p").value();
  EXPECT_EQ(again.write(), profile.write());
}

TEST(PowerFit, UnansweredRowsSayWhy) {
  const auto scored =
      score_power(
          table_of("system,backend,version,op,dtype,m,n,k,latency_ms,power_w,power_limit_w\n"
                   "h200_sxm,vllm,1,gemm,bfloat16,1024,4096,4096,0.1,,700\n"
                   "h200_sxm,vllm,1,gemm,bfloat16,1024,4096,4096,0.000001,300,700\n"
                   "h200_sxm,vllm,1,gemm,bfloat16,1024,4096,4096,0.1,300,700\n"),
          cost::Profile(), accelerators())
          .value();
  ASSERT_EQ(scored.size(), 3u);
  EXPECT_FALSE(scored[0].predicted);
  EXPECT_EQ(scored[0].reason, "no watts in this row");
  EXPECT_FALSE(scored[1].predicted);
  EXPECT_TRUE(scored[2].predicted);
  EXPECT_EQ(scored[2].tier, "datasheet");
}

TEST(PowerFit, ATableWithoutWattsIsAnError) {
  const auto points = read_power(table_of("system,backend,version,op,dtype,m,n,k,latency_ms\n"
                                          "h200_sxm,vllm,1,gemm,bfloat16,1024,4096,4096,0.1\n"),
                                 accelerators());
  ASSERT_FALSE(points);
  EXPECT_EQ(points.error().message, "the table has no column power_w");
}

}  // namespace
}  // namespace portolan::measure
