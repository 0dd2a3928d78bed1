#include "measure/serving_rows.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/serving_fit.hpp"
#include "measure/serving_predict.hpp"
#include "measure/serving_row.hpp"
#include "model/embedded.hpp"

namespace portolan::measure {
namespace {

const std::string kHeader =
    "set,model,gpu,gpu_count,tp,precision,engine,engine_version,scenario,input_len,output_len,"
    "batch_or_concurrency,qps,ttft_ms_mean,tpot_ms_mean,e2e_ms_mean,out_tok_s,total_tok_s,notes,"
    "date\n";

struct World {
  std::shared_ptr<const market::Catalogue> catalogue = market::Catalogue::embedded().value();
  model::Library library = model::Library::open(model::embedded_models()).value();
};
const World& world() {
  static const World kWorld;
  return kWorld;
}

io::CsvTable table(const std::string& rows) {
  return io::parse_csv(kHeader + rows, "t.csv").value();
}
std::vector<ServingRow> read(const std::string& rows) {
  return read_serving_rows(table(rows), "t.csv").value();
}
std::vector<ScoredPoint> scored(const std::string& rows, const ServingOptions& options = {}) {
  return score_serving(table(rows), "t.csv", world().library, world().catalogue->accelerators(),
                       options)
      .value();
}
const ScoredPoint& of(const std::vector<ScoredPoint>& points, std::string_view metric) {
  return *std::find_if(points.begin(), points.end(),
                       [&](const ScoredPoint& p) { return p.metric == metric; });
}

const std::string kOpen =
    "s,meta-llama/Llama-3.1-8B-Instruct,H100-80GB-SXM,1,1,FP16,vLLM,0.15.1,open-loop poisson,";

TEST(ServingRows, FiguresAreReadByHeaderAndNamedAsTheContractSays) {
  const auto rows =
      read(kOpen + "500,250,,8,30,9,,,,,2026-02\n" + kOpen +
           "500,250,,8,30,9,,100,300,mean ITL,2026-02\n" + kOpen + "500,250,,8,,,,,300,,2026-02\n");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].figures[1].metric, "tpot_mean");
  EXPECT_EQ(rows[1].figures[1].metric, "itl_mean");
  EXPECT_EQ(rows[1].figures.back().metric, "output_tokens_per_second");
  EXPECT_EQ(rows[2].figures.back().metric, "total_tokens_per_second");
}

TEST(ServingRows, WhatIsNoNumberIsAnErrorWithItsPlace) {
  const auto rows = read_serving_rows(table(kOpen + "500,250,,8,fast,9,,,,,2026-02\n"), "t.csv");
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(rows.error().where.line, 2U);
  const auto no_gpu = io::parse_csv("model,ttft_ms_mean\na,1\n", "t.csv").value();
  EXPECT_FALSE(read_serving_rows(no_gpu, "t.csv"));
  const auto nothing = io::parse_csv("model,gpu\na,b\n", "t.csv").value();
  EXPECT_FALSE(read_serving_rows(nothing, "t.csv"));
}

TEST(ServingRows, NotesArePairs) {
  const auto row = read(kOpen +
                        "500,250,,8,30,9,,,,exp=7; stage=all; OVERLOADED; effective output length "
                        "by (E2E-TTFT)/ITL+1 = 238,2026-02\n")[0];
  EXPECT_EQ(row.note("exp"), "7");
  EXPECT_EQ(row.effective_outputs(), 238);
  EXPECT_TRUE(row.overloaded());
  EXPECT_EQ(number_before("open-loop online, 500 requests", "requests"), 500);
}

TEST(ServingRows, TheLoadFollowsFromTheScenario) {
  ServingRow row;
  row.scenario = "static batch offline";
  EXPECT_EQ(row.load(), LoadKind::kStatic);
  row.scenario = "offline saturated (request rate inf)";
  EXPECT_EQ(row.load(), LoadKind::kOffline);
  row.scenario = "open-loop online, 500 requests";
  row.qps = 4;
  EXPECT_EQ(row.load(), LoadKind::kOpenLoop);
  row.qps = INFINITY;
  EXPECT_EQ(row.load(), LoadKind::kBurst);
  row = {};
  EXPECT_EQ(row.load(), LoadKind::kUnknown);
  row.batch = 16;
  EXPECT_EQ(row.load(), LoadKind::kClosedLoop);
}

TEST(ServingNames, SpellingsOfTablesAreUnderstood) {
  const auto id = [](std::string_view name) {
    const auto found = find_model(world().library, name);
    return found ? found->id : found.error().message;
  };
  EXPECT_EQ(id("LLaMA v3.1 8B"), "llama-3.1-8b");
  EXPECT_EQ(id("Mixtral 8x7B"), "mixtral-8x7b");
  EXPECT_EQ(id("Mixtral-8x7B (file says mistral; see notes)"), "mixtral-8x7b");
  EXPECT_EQ(id("Llama 4 Scout"), "llama-4-scout");
  EXPECT_EQ(id("Somebody/Llama-3.1-8B-Instruct-FP8-dynamic"), "llama-3.1-8b");
  EXPECT_FALSE(find_model(world().library, "Nobody-9B"));
  const auto gpu =
      find_accelerator(world().catalogue->accelerators(), "H100-80GB-SXM (50% power cap)");
  ASSERT_TRUE(gpu);
  EXPECT_EQ(gpu->accelerator->id, "h100-sxm-80gb");
}

TEST(ServingNames, AnEngineWithoutAVersionIsThatOfItsTime) {
  const auto name = [](std::string engine, std::string version, std::string date,
                       std::string_view vendor = "nvidia") {
    ServingRow row;
    row.engine = std::move(engine);
    row.engine_version = std::move(version);
    row.date = std::move(date);
    const cost::Engine* found = find_row_engine(row, vendor);
    return found != nullptr ? found->engine : "none";
  };
  EXPECT_EQ(name("vLLM", "0.15.1", "2026-02"), "vllm-0.15");
  EXPECT_EQ(name("vLLM", "", "2024-10"), "vllm-0.5");
  EXPECT_EQ(name("vLLM", "0.6.1", "2024-10", "amd"), "vllm-0.5-rocm");
  EXPECT_EQ(name("vLLM (modified, 2023)", "", "2023-11"), "vllm-0.2");
  EXPECT_EQ(name("TensorRT-LLM", "0.17", "2025-02"), "trtllm-0.17");
  EXPECT_EQ(name("TensorRT-LLM (PyTorch)", "1.0", "2025-07"), "trtllm-1.0");
  EXPECT_EQ(name("llama.cpp", "", "2024-10"), "none");
}

TEST(ServingNames, LayoutsComeFromColumnsThenFromNotes) {
  ServingRow row;
  row.gpu_count = 4;
  EXPECT_EQ(row_layout(row, false).tp, 4);
  row.notes["parallelism"] = "Pipeline Parallelism";
  EXPECT_EQ(row_layout(row, false).pp, 4);
  EXPECT_EQ(row_layout(row, false).tp, 1);
  row.notes["parallelism"] = "Hybird Tensor (2) and Pipeline (2) Parallelism";
  EXPECT_EQ(row_layout(row, false).pp, 2);
  EXPECT_EQ(row_layout(row, false).tp, 2);
  row.notes["parallelism"] = "EP";
  EXPECT_EQ(row_layout(row, true).ep, 4);
  row.notes.clear();
  row.tp = 2;
  EXPECT_EQ(row_layout(row, false).replicas, 2);
}

TEST(ScoreServing, EveryFigureIsOnePointAnsweredOrWithItsReason) {
  const auto points = scored(
      kOpen + "500,250,,8,30,9,2000,,,,2026-02\n" +
      "s,Nobody-9B,H100,1,1,FP16,vLLM,0.15.1,open-loop poisson,500,250,,8,30,,,,,,2026-02\n" +
      "s,llama-3.1-8b,Z9000,1,1,FP16,vLLM,0.15.1,open-loop poisson,500,250,,8,30,,,,,,2026-02\n" +
      "s,llama-3.1-405b,L40S,1,1,FP16,vLLM,0.15.1,open-loop poisson,500,250,,8,30,,,,,,2026-02\n" +
      kOpen + "500,250,,,30,,,,,reasoning,2026-02\n");
  ASSERT_EQ(points.size(), 7U);
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(points[i].predicted) << points[i].reason;
    EXPECT_LT(*points[i].low, *points[i].predicted);
    EXPECT_GT(*points[i].high, *points[i].predicted);
    EXPECT_LT(std::abs(std::log(*points[i].predicted / points[i].measured)), 1.0)
        << points[i].metric;
  }
  for (std::size_t i = 3; i < points.size(); ++i) {
    EXPECT_FALSE(points[i].predicted);
    EXPECT_FALSE(points[i].reason.empty());
  }
  EXPECT_NE(points[5].reason.find("do not fit"), std::string::npos) << points[5].reason;
  EXPECT_NE(points[6].reason.find("rate"), std::string::npos);
}

TEST(ScoreServing, MarkedRowsFormGroupsOfTheirOwn) {
  const auto points = scored(kOpen + "500,250,,8,30,,,,,exp=1; stage=0,2026-02\n" + kOpen +
                             "500,250,,8,30,,,,,exp=1; stage=1; OVERLOADED,2026-02\n" + kOpen +
                             "500,250,,8,30,,,,,latency and throughput columns disagree,2026-02\n" +
                             kOpen + "500,250,,8,30,,,,,mode=disagg,2026-02\n");
  std::set<std::string> groups;
  for (const ScoredPoint& p : points) groups.insert(p.group);
  EXPECT_EQ(groups.size(), 4U);
  EXPECT_NE(points[1].group.find("overloaded"), std::string::npos);
  EXPECT_NE(points[3].group.find("disagg"), std::string::npos);
}

TEST(ScoreServing, AWholeRunIsItsStagesWeightedByTheirRequests) {
  const std::string tail = ",30,9,2000,,,exp=3; stage=";
  const auto points = scored(kOpen + "500,250,,4" + tail + "0,2026-02\n" + kOpen + "500,250,,12" +
                             tail + "1,2026-02\n" + kOpen + "500,250,,8" + tail + "all,2026-02\n");
  const auto value = [&](std::size_t row, std::size_t metric) {
    return *points[3 * row + metric].predicted;
  };
  for (std::size_t m = 0; m < 3; ++m)
    EXPECT_NEAR(value(2, m), (4 * value(0, m) + 12 * value(1, m)) / 16, 1e-9 * value(2, m));
}

TEST(ScoreServing, MoreThanCanBeDoneMakesRequestsWait) {
  const auto points =
      scored(kOpen + "500,250,,8,30,,,,,,2026-02\n" + kOpen + "500,250,,500,30,,,,,,2026-02\n");
  EXPECT_GT(*points[1].predicted, 100 * *points[0].predicted);
}

TEST(ScoreServing, StaticBatchesAndOfflineRunsAnswerThroughput) {
  const std::string batch =
      "s,llama-2-7b,A100,1,1,16-bit,vLLM,,static batch offline,512,512,16,,,,20000,400,800,,"
      "2024-10\n";
  const auto points = scored(batch +
                             "s,LLaMA v3.1 8B,H200-SXM,1,1,FP8,TensorRT-LLM,0.17,offline saturated "
                             "(request rate inf),1000,1000,,inf,,,,16000,,,2025-02\n");
  const double seconds = *of(points, "e2e_mean").predicted / 1e3;
  EXPECT_NEAR(*points[1].predicted, 16 * 512 / seconds, 1.0);
  EXPECT_LT(*points[1].low, *points[1].high);
  ASSERT_TRUE(points[2].predicted);
  EXPECT_NEAR(*points[2].predicted / points[2].measured, 1.0, 0.3);
}

TEST(ScoreServing, AHalvedPowerLimitSlowsPromptsMoreThanDecodes) {
  const std::string row = ",8,8,16-bit,vLLM,,static batch,1024,128,2,,300,40,5000,,,,2023-11\n";
  const auto points = scored("s,llama-2-70b,H100-80GB-SXM" + row +
                             "s,llama-2-70b,H100-80GB-SXM (50% power cap)" + row);
  const double prompts = *points[3].predicted / *points[0].predicted,
               decodes = *points[4].predicted / *points[1].predicted;
  EXPECT_GT(prompts, 1.02);
  EXPECT_LT(decodes, prompts);
}

TEST(FitOffline, FindsTheHostTimeThatMadeTheRows) {
  cost::Engine truth = *cost::find_engine("vllm", "0.5");
  truth.per_step = Seconds(3e-3);
  truth.per_request = Seconds(40e-6);
  ServingOptions options;
  options.engine = &truth;
  std::string rows;
  for (const char* model : {"llama-2-7b", "llama-3-8b", "qwen2-7b"}) {
    for (const int batch : {1, 16, 64}) {
      const std::string before = fmt::format(
          "s,{},A100,1,1,16-bit,vLLM,0.5.4,static batch offline,256,256,{},,,,", model, batch);
      const std::string after = ",,,,2024-10\n";
      const double ms = *scored(before + "1" + after, options)[0].predicted;
      rows += before + fmt::format("{}", ms) + after;
    }
  }
  const auto fits = fit_offline({{"t.csv", table(rows)}}, world().library,
                                world().catalogue->accelerators(), false)
                        .value();
  ASSERT_EQ(fits.size(), 1U);
  EXPECT_EQ(fits[0].engine, "vllm-0.5");
  EXPECT_NEAR(fits[0].per_step, 3e-3, 0.05 * 3e-3);
  EXPECT_NEAR(fits[0].per_request, 40e-6, 0.05 * 40e-6);
  EXPECT_LT(fits[0].held_out_model, 0.01);
  EXPECT_GT(fits[0].as_recorded, fits[0].fitted);
}

TEST(ServingRows, OpenLoopsAreSimulatedAndSayWhenTheyAreSaturated) {
  const std::string start =
      "s,meta-llama/Llama-3.1-8B-Instruct,H100-80GB-SXM,1,1,FP16,vLLM,0.15.1,open-loop poisson,";
  ServingOptions options;
  options.stage_seconds = 60;
  const auto points = scored(start + "547,248,,8,25,8,1900,,,stage=0,2026-02\n" + start +
                                 "547,248,,200,90000,20,95000,,,stage=1; OVERLOADED,2026-02\n",
                             options);
  ASSERT_EQ(points.size(), 6U);
  for (const ScoredPoint& p : points) {
    ASSERT_TRUE(p.predicted) << p.reason;
    EXPECT_NE(p.group.find("simulated"), std::string::npos);
  }
  EXPECT_EQ(points[0].method, "simulated");
  EXPECT_NEAR(*points[2].predicted / 1900, 1, 0.2);
  EXPECT_NE(points[3].group.find("overloaded"), std::string::npos);
  EXPECT_EQ(points[3].method, "simulated, saturated");
  EXPECT_GT(*points[3].predicted, 5000);  // ms: the queue grew as long as the stage
  // The same at any number of threads.
  options.threads = 1;
  const auto again = scored(start + "547,248,,8,25,8,1900,,,stage=0,2026-02\n", options);
  EXPECT_EQ(*again[0].predicted, *points[0].predicted);
}

TEST(ServingRows, PromptsThatRecurAreComputedOnce) {
  const std::string row =
      "s,meta-llama/Llama-3.1-8B-Instruct,H100-80GB-SXM,1,1,FP16,vLLM,0.15.1,open-loop poisson,"
      "2000,50,,4,60,8,500,,,shared system prompts; workload=codegen,2026-02\n";
  ServingOptions options;
  options.stage_seconds = 60;
  options.recurring_share = 0;
  const double fresh = *of(scored(row, options), "ttft_mean").predicted;
  options.recurring_share = 1;
  EXPECT_LT(*of(scored(row, options), "ttft_mean").predicted, 0.7 * fresh);
}

}  // namespace
}  // namespace portolan::measure
