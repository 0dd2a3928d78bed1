// Reading the table of InferenceX runs: layouts, formats, what is answered, and the fit of host
// constants on points of our own making.
#include "measure/inferencex.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "market/catalogue.hpp"
#include "measure/engine_fit.hpp"
#include "model/embedded.hpp"

namespace portolan::measure {
namespace {

TEST(InferencexLayout, OneLayoutHasThreeSpellings) {
  const auto layout = [](int tp, int dp, int moe_tp, int moe_ep, bool later = false) {
    return layout_of({.tp = tp,
                      .attention_dp = dp,
                      .moe_tp = moe_tp,
                      .moe_ep = moe_ep,
                      .launch_flags = true,
                      .data_parallel_flag = later});
  };
  const auto is = [](const Layout& l, int tp, int ep, int dp) {
    return l.tp == tp && l.ep == ep && l.attention_dp == dp;
  };
  EXPECT_TRUE(is(layout(64, 1, 8, 8), 8, 8, 1));
  EXPECT_TRUE(is(layout(8, 1, 1, 8), 8, 8, 1));
  EXPECT_TRUE(is(layout(16, 1, 4, 4), 4, 4, 1));
  EXPECT_TRUE(is(layout(1, 64, 8, 8), 1, 8, 8));
  EXPECT_TRUE(is(layout(1, 8, 1, 8), 1, 8, 8));
  EXPECT_TRUE(is(layout(4, 4, 1, 16), 4, 4, 1));
  EXPECT_TRUE(is(layout(4, 4, 1, 16, true), 1, 4, 4));
  EXPECT_TRUE(is(layout(8, 1, 8, 1), 8, 1, 1));
  // Literal columns where they are not launch flags.
  EXPECT_TRUE(is(layout_of({.tp = 4, .moe_tp = 2, .moe_ep = 2}), 4, 2, 1));
}

constexpr const char* kHeader =
    "id,model,system,backend,backend_version,precision,mode,isl,osl,concurrency,moe_quant,"
    "batch_size,tp,attention_dp,moe_tp,moe_ep,measured_ttft_ms,measured_tpot_ms,provenance,source,"
    "date\n";

struct Tables {
  std::shared_ptr<const market::Catalogue> catalogue = market::Catalogue::embedded().value();
  model::Library library = model::Library::open(model::embedded_models()).value();
};
const Tables& tables() {
  static const Tables t;
  return t;
}

Result<std::vector<ServingPoint>> read(const std::string& rows) {
  const auto csv = io::parse_csv(kHeader + rows, "t.csv");
  return read_inferencex(*csv, "t.csv", tables().library, tables().catalogue->accelerators());
}

TEST(Inferencex, RowsAreAnsweredOrSayWhyNot) {
  const auto points = read(
      "a,meta-llama/Llama-3.1-70B,h100_sxm,vllm,,fp8,agg,1024,1024,16,fp8,16,4,1,4,1,120,13,"
      "SemiAnalysis InferenceX dump,s,2025-10-29\n"
      "b,deepseek-ai/DeepSeek-R1,b200_sxm,trtllm,1.2.0rc6.post2,fp4,agg,1024,1024,128,nvfp4,2,1,64,"
      "8,8,800,21,SemiAnalysis InferenceX dump,s,2026-02-03\n"
      "c,deepseek-ai/DeepSeek-R1,b200_sxm,trtllm,1.2.0rc6,fp4,disagg,1024,1024,128,nvfp4,,,,,,800,"
      "21,SemiAnalysis InferenceX dump,s,2026-02-03\n"
      "d,nobody/no-model,b200_sxm,vllm,,fp8,agg,1024,1024,8,fp8,8,1,1,1,1,1,1,x,s,\n");
  ASSERT_TRUE(points);
  ASSERT_EQ(points->size(), 4u);
  EXPECT_EQ((*points)[0].group, "h100-sxm vllm dense fp8");
  EXPECT_EQ((*points)[0].step->deployment().tp, 4);
  EXPECT_EQ((*points)[1].step->deployment().ep, 8);
  EXPECT_EQ((*points)[1].step->deployment().tp, 1);
  EXPECT_NE((*points)[2].group.find("disagg"), std::string::npos);
  EXPECT_FALSE((*points)[2].reason.empty());
  EXPECT_FALSE((*points)[3].reason.empty());
  const auto scored = score_serving(*points, 1);
  ASSERT_EQ(scored.size(), 8u);
  for (const ScoredPoint& s : scored) {
    EXPECT_EQ(s.predicted.has_value(), s.label == "a" || s.label == "b") << s.label;
    EXPECT_EQ(s.predicted.has_value(), s.reason.empty()) << s.label;
    if (s.predicted) {
      EXPECT_GT(*s.predicted, 0);
      ASSERT_TRUE(s.low && s.high);
      EXPECT_LT(*s.low, *s.high);
    }
  }
}

TEST(Inferencex, AMissingColumnIsNamed) {
  const auto csv = io::parse_csv("id,model\na,b\n", "t.csv");
  const auto points =
      read_inferencex(*csv, "t.csv", tables().library, tables().catalogue->accelerators());
  ASSERT_FALSE(points);
  EXPECT_NE(points.error().message.find("\"system\""), std::string::npos);
}

/// Points "measured" with known constants give them back.
TEST(EngineFit, FindsTheConstantsThatMadeThePoints) {
  std::string rows;
  for (const char* model : {"meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B"}) {
    for (const int clients : {4, 16, 64}) {
      for (const int input : {256, 1024, 4096}) {
        for (const int tp : {2, 8}) {
          rows += std::string("r,") + model + ",h200_sxm,trtllm,1.0.0,fp8,agg," +
                  std::to_string(input) + ",256," + std::to_string(clients) + ",fp8," +
                  std::to_string(clients) + "," + std::to_string(tp) +
                  ",1,1,1,1,1,SemiAnalysis InferenceX dump,s,\n";
        }
      }
    }
  }
  auto points = read(rows);
  ASSERT_TRUE(points);
  const cost::Engine& start = *cost::find_engine("trtllm", "1.0");
  cost::Engine truth = start;
  truth.per_step = start.per_step * 1.6;
  truth.fan_out = start.fan_out * 0.6;
  for (ServingPoint& p : *points) {
    const auto r = predict(p, truth);
    p.ttft_ms = 1e3 * r.ttft_mean.raw();
    p.tpot_ms = 1e3 * r.tpot_mean.raw();
  }
  const auto fit = fit_engine(*points, start, 1);
  ASSERT_TRUE(fit) << format_error(fit.error());
  EXPECT_NEAR(fit->engine.per_step.raw() / truth.per_step.raw(), 1, 0.1);
  EXPECT_NEAR(fit->engine.fan_out.raw() / truth.fan_out.raw(), 1, 0.2);
  EXPECT_LT(fit->fit.tpot_mean, 0.02);
  EXPECT_LT(fit->held_out.tpot_mean, 0.05);
  // The same on any number of threads.
  EXPECT_EQ(fit_engine(*points, start, 2)->engine.per_step.raw(), fit->engine.per_step.raw());
  EXPECT_FALSE(fit_engine(std::span(*points).first(10), start, 1));
}

}  // namespace
}  // namespace portolan::measure
