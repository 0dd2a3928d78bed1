// Host times fitted to a user's own table of served requests: found again where the points tell
// them, refused where they cannot.
#include "measure/engine_fit.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/serving_rows.hpp"
#include "model/embedded.hpp"

namespace portolan::measure {
namespace {

constexpr const char* kHeader =
    "model,gpu,gpu_count,tp,precision,engine,engine_version,scenario,input_len,output_len,"
    "batch_or_concurrency,qps,ttft_ms_mean,tpot_ms_mean,notes\n";

struct World {
  std::shared_ptr<const market::Catalogue> catalogue = market::Catalogue::embedded().value();
  model::Library library = model::Library::open(model::embedded_models()).value();
};
const World& world() {
  static const World kWorld;
  return kWorld;
}

std::vector<ServingPoint> points_of(const std::string& rows) {
  return read_serving_points(io::parse_csv(kHeader + rows, "own.csv").value(), "own.csv",
                             world().library, world().catalogue->accelerators())
      .value();
}

struct Sweep {
  std::vector<std::string> models = {"llama-3.1-8b", "qwen2.5-7b"};
  std::vector<int> clients = {2, 8, 32};
  std::string version = "0.19.0";
};
std::string rows_of(const Sweep& sweep) {
  std::string rows;
  for (const std::string& model : sweep.models) {
    for (const int clients : sweep.clients) {
      for (const int input : {128, 1024, 4096}) {
        for (const int tp : {1, 4})
          rows += fmt::format("{},h100,{},{},,vLLM,{},closed loop,{},128,{},,1,1,\n", model, tp, tp,
                              sweep.version, input, clients);
      }
    }
  }
  return rows;
}

/// Measured by an engine with other times than those known.
void measure_with(std::vector<ServingPoint>& points, const cost::Engine& truth) {
  for (ServingPoint& p : points) {
    ASSERT_EQ(p.reason, "") << p.label;
    cost::Engine engine = p.step->engine();
    take_constants(engine, truth);
    const ServingTimes times = predict(p, engine);
    p.ttft_ms = 1e3 * times.ttft_mean.raw();
    p.tpot_ms = 1e3 * times.tpot_mean.raw();
  }
}

cost::Engine slower() {
  cost::Engine truth = *cost::find_engine("vllm", "0.19");
  truth.per_step = truth.per_step * 2.0;
  truth.front_end = truth.front_end * 0.5;
  return truth;
}

TEST(FitEngines, OwnClosedLoopsGiveTheTimesThatMadeThem) {
  auto points = points_of(rows_of({}));
  measure_with(points, slower());
  const EngineFits all = fit_engines(points, cost::shipped_profile(), 0);
  ASSERT_EQ(all.fits.size(), 1U);
  EXPECT_TRUE(all.refused.empty());
  const EngineFit& fit = all.fits[0];
  EXPECT_EQ(fit.engine.engine, "vllm-0.19");
  // The prior keeps a part of the way.
  const cost::Engine& known = *cost::find_engine("vllm", "0.19");
  EXPECT_GT(fit.engine.per_step / known.per_step, 1.5);
  EXPECT_LT(fit.engine.per_step / known.per_step, 2.1);
  EXPECT_LT(fit.engine.front_end / known.front_end, 0.8);
  EXPECT_EQ(fit.left_out, "model");
  EXPECT_EQ(fit.by_part.size(), 2U);
  EXPECT_LT(fit.held_out.tpot_mean, 0.5 * fit.recorded.tpot_mean);
  EXPECT_LT(fit.held_out.ttft_mean, 0.8 * fit.recorded.ttft_mean);
  EXPECT_LT(fit.fit.tpot_mean, 0.05);
  EXPECT_TRUE(fit.constants[0].decided);

  // Written, read and laid over what is known, the points are met.
  cost::Profile own;
  own.add(fit.engine);
  const auto again = cost::Profile::parse(own.write(), "own.profile");
  ASSERT_TRUE(again) << format_error(again.error());
  cost::Profile both = cost::shipped_profile();
  both.add(*again);
  const auto table = io::parse_csv(kHeader + rows_of({}), "own.csv").value();
  const auto under = read_serving_points(table, "own.csv", world().library,
                                         world().catalogue->accelerators(), {.profile = &both})
                         .value();
  for (std::size_t i = 0; i < under.size(); ++i)
    EXPECT_NEAR(1e3 * predict(under[i]).tpot_mean.raw() / *points[i].tpot_ms, 1, 0.08);
}

TEST(FitEngines, OpenLoopsFitAsWell) {
  std::string rows;
  for (const char* model : {"llama-3.1-8b", "qwen2.5-7b"}) {
    for (const double rate : {0.5, 2.0, 4.0}) {
      for (const int input : {128, 1024, 4096})
        rows +=
            fmt::format("{},h100,1,1,,vLLM,0.19.0,open loop,{},128,,{},1,1,\n", model, input, rate);
    }
  }
  auto points = points_of(rows);
  measure_with(points, slower());
  const EngineFits all = fit_engines(points, cost::shipped_profile(), 0);
  ASSERT_EQ(all.fits.size(), 1U);
  EXPECT_GT(all.fits[0].engine.per_step / cost::find_engine("vllm", "0.19")->per_step, 1.4);
  EXPECT_LT(all.fits[0].held_out.tpot_mean, 0.6 * all.fits[0].recorded.tpot_mean);
}

TEST(FitEngines, OfOneModelLoadsAreLeftOut) {
  auto points = points_of(rows_of({.models = {"llama-3.1-8b"}}));
  measure_with(points, slower());
  const EngineFits all = fit_engines(points, cost::shipped_profile(), 0);
  ASSERT_EQ(all.fits.size(), 1U);
  EXPECT_EQ(all.fits[0].left_out, "load");
  EXPECT_EQ(all.fits[0].by_part.size(), 3U);
  EXPECT_LT(all.fits[0].held_out.tpot_mean, 0.6 * all.fits[0].recorded.tpot_mean);
}

TEST(FitEngines, VersionsStandSideBySide) {
  auto points =
      points_of(rows_of({.version = "0.19.1"}) + rows_of({.version = "0.25.0"}) +
                rows_of({.models = {"llama-3.1-8b"}, .clients = {8}, .version = "0.8.5"}));
  measure_with(points, slower());
  const EngineFits all = fit_engines(points, cost::shipped_profile(), 0);
  ASSERT_EQ(all.fits.size(), 2U);
  EXPECT_EQ(all.fits[0].engine.engine, "vllm-0.19");
  EXPECT_EQ(all.fits[1].engine.engine, "vllm-0.25");
  ASSERT_EQ(all.refused.size(), 1U);
  EXPECT_EQ(all.refused[0].first, "vllm-0.8");
}

TEST(FitEngines, RefusesWhatCannotTellTheTimes) {
  const auto refusal = [](const Sweep& sweep) {
    auto points = points_of(rows_of(sweep));
    measure_with(points, slower());
    const EngineFits all = fit_engines(points, cost::shipped_profile(), 0);
    EXPECT_TRUE(all.fits.empty());
    return all.refused.empty() ? std::string() : format_error(all.refused[0].second);
  };
  EXPECT_NE(std::string(refusal({.clients = {16}})).find("have 16 clients"), std::string::npos)
      << refusal({.clients = {16}});
  EXPECT_NE(std::string(refusal({.clients = {16, 20}})).find("have 16 to 20 clients"),
            std::string::npos)
      << refusal({.clients = {16, 20}});
  EXPECT_NE(std::string(refusal({.models = {"llama-3.1-8b"}, .clients = {8}}))
                .find("vllm-0.19 needs 12 different points, 6 can"),
            std::string::npos)
      << refusal({.models = {"llama-3.1-8b"}, .clients = {8}});
}

TEST(ServingPoints, RowsThatAreNoLoopSaySo) {
  const auto reason = [](const std::string& row) { return points_of(row + "\n")[0].reason; };
  EXPECT_NE(std::string(reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,static batch,128,128,4,,1,1,"))
                .find("loop"),
            std::string::npos)
      << reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,static batch,128,128,4,,1,1,");
  EXPECT_NE(std::string(reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,closed loop,128,128,,,1,1,"))
                .find("clients"),
            std::string::npos)
      << reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,closed loop,128,128,,,1,1,");
  EXPECT_NE(std::string(reason("llama-3.1-8b,h100,1,1,,llama.cpp,1,closed loop,128,128,4,,1,1,"))
                .find("llama.cpp"),
            std::string::npos)
      << reason("llama-3.1-8b,h100,1,1,,llama.cpp,1,closed loop,128,128,4,,1,1,");
  EXPECT_NE(
      std::string(reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,closed loop,128,128,4,,1,1,OVERLOADED"))
          .find("overloaded"),
      std::string::npos)
      << reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,closed loop,128,128,4,,1,1,OVERLOADED");
  EXPECT_NE(std::string(reason("no-such-model,h100,1,1,,vLLM,0.19,closed loop,128,128,4,,1,1,"))
                .find("no-such-model"),
            std::string::npos)
      << reason("no-such-model,h100,1,1,,vLLM,0.19,closed loop,128,128,4,,1,1,");
  EXPECT_EQ(reason("llama-3.1-8b,h100,1,1,,vLLM,0.19,closed loop,128,128,4,,,3,"), "");
}

TEST(RecordName, IsTheKnownOneOrTheVersions) {
  const auto name = [](const char* engine, const char* version, const char* vendor = "nvidia") {
    return record_name(*cost::find_engine(engine, version, vendor), version);
  };
  EXPECT_EQ(name("vllm", "0.19.0"), "vllm-0.19");
  EXPECT_EQ(name("vllm", "v0.22.3"), "vllm-0.22");
  EXPECT_EQ(name("trtllm", "1.2.0rc6.post2"), "trtllm-1.2");
  EXPECT_EQ(name("vllm", "nightly-5b8c30d6"), cost::find_engine("vllm")->engine);
  EXPECT_EQ(name("vllm", ""), cost::find_engine("vllm")->engine);
  EXPECT_EQ(name("vllm", "0.5.4", "amd"), "vllm-0.5-rocm");
  EXPECT_EQ(name("vllm", "0.6.1", "amd"), "vllm-0.6-rocm");
}

}  // namespace
}  // namespace portolan::measure
