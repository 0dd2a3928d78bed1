// Scoring shipped points and a user's tables, and fitting a user's kernels, asked as the faces do.
#include "app/validate.hpp"

#include <cmath>
#include <set>

#include "base/files.hpp"
#include "io/text_formats.hpp"
#include "measure/shipped.hpp"
#include "render/score_plot.hpp"
#include "tests/app/ask.hpp"

namespace portolan {
namespace {

using namespace testing;
using io::Value;

std::string file(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + "/" + name;
  EXPECT_TRUE(write_file(path, text, true));
  return path;
}

constexpr const char* kSteps =
    "model,layers,hidden,heads,kv_heads,ffn,vocab,attention,seq_len,gpu,gpus,tp,pp,microbatch,"
    "global_batch,precision,recompute,task,framework,step_time_s,source\n"
    "GPT-3-175B,96,12288,96,96,49152,51200,MHA,2048,A100-80GB,64,8,8,1,64,fp16,full,pretrain,"
    "Megatron-LM 2022,18.13,arXiv 2205.05198\n"
    "GPT-3-175B,96,12288,96,96,49152,51200,MHA,2048,Abacus,64,8,8,1,64,fp16,full,pretrain,"
    "Megatron-LM 2022,18.13,nobody\n";

/// A table of GEMMs that a perfect roofline would take: 2mnk FLOP at half of 989 TFLOP/s, bytes at
/// 80 % of 3.35 TB/s, 4 us to launch.
std::string gemms(double faster = 1) {
  std::string text = "system,backend,version,op,kernel,dtype,m,n,k,latency_ms\n";
  for (const double n : {4096.0, 8192.0, 16384.0}) {
    for (double m = 1; m <= 16384; m *= 2) {
      const double k = 4096, compute = 2 * m * n * k / (0.5 * 989e12),
                   memory = 2 * (m * n + m * k + n * k) / (0.8 * 3.35e12),
                   seconds = std::cbrt(std::pow(compute, 3) + std::pow(memory, 3)) + 4e-6;
      text += "h100_sxm,mine,1.0,gemm,k,bfloat16," + std::to_string(static_cast<int>(m)) + "," +
              std::to_string(static_cast<int>(n)) + ",4096," +
              std::to_string(seconds * 1e3 / faster) + "\n";
    }
  }
  return text;
}

TEST(Validate, a_file_of_ones_own_is_scored_by_its_header) {
  const std::string path = file("validate_steps.csv", kSteps);
  for (const bool named : {false, true}) {
    Value asked = request({{"data", path}});
    if (named) asked.set("kind", "training");
    const Value answer = object("validate", asked);
    EXPECT_EQ(at(answer, "result.groups").array().size(), 1u);
    EXPECT_EQ(text(answer, "result.groups.0.metric"), "step_time");
    EXPECT_EQ(text(answer, "result.groups.0.group"), "Megatron-LM");
    EXPECT_EQ(number(answer, "result.groups.0.n"), 1);
    EXPECT_EQ(number(answer, "result.groups.0.covered"), 0.5);  // nobody knows the Abacus
    EXPECT_LT(number(answer, "result.groups.0.median_ape"), 0.1);
    EXPECT_EQ(number(answer, "result.groups.0.mean_ape"),
              number(answer, "result.groups.0.median_ape"));
  }
}

TEST(Validate, wrong_files_are_refused_with_what_they_lack) {
  const std::string steps = file("validate_steps2.csv", kSteps);
  const Error kind = refusal("validate", request({{"data", steps}, {"kind", "kernels"}}));
  EXPECT_EQ(exit_code(kind.code), 4);
  EXPECT_NE(kind.message.find("latency_ms"), std::string::npos) << kind.message;
  EXPECT_EQ(exit_code(refusal("validate", request({{"data", file("empty.csv", "")}})).code), 4);
  EXPECT_EQ(exit_code(refusal("validate", request({{"data", "/no/such.csv"}})).code), 4);
  const std::string zip = file("cut.csv.gz", std::string("\x1f\x8b\x08\0\0\0\0\0\0\3", 10));
  EXPECT_EQ(exit_code(refusal("validate", request({{"data", zip}})).code), 4);
  EXPECT_NE(refusal("validate", request({{"set", "trainign"}})).hint.find("training"),
            std::string::npos);
  refusal("validate", request({{"set", "training"}, {"data", steps}}));
  refusal("validate", request({{"kind", "training"}}));
  refusal("validate", request({{"set", "training"}, {"errata", true}}));
}

TEST(Validate, every_shipped_point_is_in_one_group_and_none_is_dropped) {
  const auto answer = std::get<app::ValidateAnswer>(ask("validate", request({})));
  const app::ValidateResult& r = answer.result;
  std::set<std::string> sets;
  std::size_t points = 0;
  for (const measure::GroupScore& g : r.groups) {
    sets.insert(g.set);
    points += g.points;
    EXPECT_LE(g.n, g.points);
    EXPECT_EQ(g.n > 0, g.median_ape.has_value());
  }
  EXPECT_EQ(points, r.points.size());
  for (const measure::ShippedSet& set : measure::shipped_sets())
    EXPECT_TRUE(sets.contains(std::string(set.name))) << set.name;
  for (const measure::ScoredPoint& p : r.points) {
    EXPECT_FALSE(p.source.empty()) << p.set << " " << p.label;
    EXPECT_TRUE(p.predicted || !p.reason.empty()) << p.set << " " << p.label;
    EXPECT_GT(p.measured, 0);
  }
  for (const measure::GroupScore& total : r.totals) {
    EXPECT_GT(total.covered, total.set == "kernels" ? -1 : 0.85)
        << total.set << " " << total.metric;
  }
  EXPECT_EQ(r.goldens_moved, 0u);
}

TEST(Validate, peers_stand_beside_us_on_the_points_both_answer) {
  const auto answer = std::get<app::ValidateAnswer>(ask("validate", request({{"set", "blis"}})));
  std::size_t same = 0;
  for (const app::PeerScore& p : answer.result.peers) {
    EXPECT_FALSE(p.source.empty());
    if (!p.ours) continue;
    ++same;
    EXPECT_EQ(p.score.n, p.ours->n);
    EXPECT_EQ(p.score.points, p.ours->points);
  }
  EXPECT_GE(same, 3u);
}

TEST(Validate, a_threshold_is_a_policy) {
  const Value asked = request({{"set", "training"}, {"max_median_ape", "1%"}});
  const app::Answer answer = ask("validate", asked);
  const auto wrong = app::verdict(answer);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(exit_code(wrong->code), 5);
  EXPECT_EQ(text(render::to_value(answer, {}), "policy.passed"), "false");
  const Value lax =
      request({{"data", file("validate_steps3.csv", kSteps)}, {"max_median_ape", "50%"}});
  EXPECT_FALSE(app::verdict(ask("validate", lax)));
}

TEST(Validate, threads_change_nothing) {
  const app::Context one =
      app::Context::open(
          {.catalogue = {}, .as_of = {}, .profile = {}, .threads = 1, .progress = {}})
          .value();
  const Value asked = request({{"set", "training,inferencex"}});
  EXPECT_EQ(io::write_json(object("validate", asked, one), false),
            io::write_json(object("validate", asked), false));
}

TEST(Validate, rows_and_plot_hold_every_point) {
  const auto answer =
      std::get<app::ValidateAnswer>(ask("validate", request({{"set", "training"}})));
  const auto& points = answer.result.points;
  const io::CsvTable rows = io::parse_csv(render::score_rows(points, true), "rows.csv").value();
  ASSERT_EQ(rows.rows.size(), points.size());
  const auto cell = [&](std::size_t row, const char* column) {
    return rows.rows[row][static_cast<std::size_t>(rows.column(column))];
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(cell(i, "group"), points[i].group);
    if (!points[i].predicted) continue;
    EXPECT_NEAR(std::stod(cell(i, "ape")), std::abs(*points[i].predicted / points[i].measured - 1),
                1e-12);
  }
  const std::string svg = render::score_plot(points, "T <&>");
  std::size_t circles = 0, answered = 0;
  for (std::size_t at = svg.find("r=\"2.4\""); at != std::string::npos;
       at = svg.find("r=\"2.4\"", at + 1))
    ++circles;
  for (const auto& p : points) answered += p.predicted.has_value();
  EXPECT_EQ(circles, answered);
  EXPECT_NE(svg.find("T &lt;&amp;&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(render::score_plot({}, "none").find("nothing was predicted"), std::string::npos);
}

TEST(Calibrate, a_roofline_is_found_again_and_serves_as_profile) {
  const std::string table = file("gemms.csv", gemms());
  const auto fitted = std::get<app::CalibrateAnswer>(ask("calibrate", request({{"data", table}})));
  EXPECT_EQ(fitted.result.rows_read, 45u);
  EXPECT_EQ(fitted.result.rows_fitted, 45u);
  EXPECT_EQ(fitted.result.rows_rejected, 0u);
  ASSERT_EQ(fitted.result.curves.size(), 1u);
  EXPECT_LT(fitted.result.curves[0].median_point, 0.05);

  const std::string profile = file("mine.profile", fitted.result.profile);
  const app::Context own =
      app::Context::open(
          {.catalogue = {}, .as_of = {}, .profile = profile, .threads = 0, .progress = {}})
          .value();
  const Value scored = object("validate", request({{"data", table}}), own);
  EXPECT_EQ(number(scored, "result.groups.0.covered"), 1);
  EXPECT_LT(number(scored, "result.groups.0.median_ape"), 0.05);
}

TEST(Calibrate, rows_faster_than_physics_are_counted_not_fitted) {
  const auto fitted = std::get<app::CalibrateAnswer>(ask(
      "calibrate",
      request({{"data", file("fast.csv", gemms() + gemms(3).substr(gemms(3).find('\n') + 1))}})));
  EXPECT_EQ(fitted.result.rows_read, 90u);
  EXPECT_GT(fitted.result.rows_rejected, 0u);
}

/// Thirty published runs of vLLM 0.16, as the example has them.
constexpr const char* kServed = "examples/own-serving/serving.csv";

TEST(Calibrate, served_requests_give_an_engine_that_every_verb_uses) {
  const auto fitted =
      std::get<app::CalibrateAnswer>(ask("calibrate", request({{"data", kServed}})));
  EXPECT_EQ(fitted.result.rows_fitted, 30u);
  EXPECT_EQ(fitted.result.rows_unknown, 0u);
  EXPECT_TRUE(fitted.result.curves.empty());
  EXPECT_EQ(fitted.result.times.size(), 6u);
  const auto& all = fitted.result.engines;
  ASSERT_EQ(all.size(), 6u);  // two metrics: of all points, and of each of two models
  EXPECT_EQ(all[0].engine, "vllm-0.16");
  EXPECT_EQ(all[0].left_out_by, "model");
  EXPECT_EQ(all[0].points, 30u);
  ASSERT_TRUE(all[0].known_median);

  const std::string profile = file("served.profile", fitted.result.profile);
  const app::Context own =
      app::Context::open(
          {.catalogue = {}, .as_of = {}, .profile = profile, .threads = 0, .progress = {}})
          .value();
  EXPECT_EQ(own.engine().engine, "vllm-0.16");
  // The times that were fitted are better on their own points than those that were known.
  const Value before = object("validate", request({{"data", kServed}}));
  const Value after = object("validate", request({{"data", kServed}}), own);
  double known = 0, now = 0;
  for (const char* group : {"0", "1"}) {
    const std::string path = std::string("result.totals.") + group + ".mean_ape";
    known += number(before, path);
    now += number(after, path);
  }
  EXPECT_LT(now, known);
  const Value asked =
      object("estimate", request({{"model", "llama-3.1-8b"}, {"gpu", "h200"}}), own);
  bool cited = false;
  for (const Value& source : asked.find("sources")->array())
    cited |= source.find("id")->string() == "engine" &&
             source.find("what")->string() == "vllm-0.16" &&
             source.find("reference")->string().starts_with("fit to 30 points");
  EXPECT_TRUE(cited);
}

TEST(Calibrate, curves_are_pooled_by_operator) {
  const auto fitted =
      std::get<app::CalibrateAnswer>(ask("calibrate", request({{"data", file("o.csv", gemms())}})));
  ASSERT_EQ(fitted.result.by_operator.size(), 1u);
  const app::LeftOut& gemm = fitted.result.by_operator[0];
  EXPECT_EQ(gemm.op, "gemm");
  EXPECT_EQ(gemm.accelerator, "");
  EXPECT_EQ(gemm.rows, 45u);
  ASSERT_TRUE(gemm.median_point);
  EXPECT_NEAR(*gemm.median_point, fitted.result.curves[0].median_point, 1e-12);

  measure::CalibrationLine large, small, alone;
  large.key.op = small.key.op = alone.key.op = "gemm";
  large.rows = 300, large.median_point = 0.02, large.median_site = 0.04;
  small.rows = 100, small.median_point = 0.06;
  alone.rows = 5;  // too few to leave one out: it says nothing, and weighs nothing
  const auto pooled = app::left_out_of(std::vector{large, small, alone}, false);
  ASSERT_EQ(pooled.size(), 1u);
  EXPECT_EQ(pooled[0].curves, 3u);
  EXPECT_EQ(pooled[0].rows, 405u);
  EXPECT_NEAR(*pooled[0].median_point, 0.03, 1e-12);
  EXPECT_NEAR(*pooled[0].median_site, 0.04, 1e-12);
  EXPECT_FALSE(pooled[0].p90_point);
}

TEST(Calibrate, what_cannot_be_fitted_is_said) {
  refusal("calibrate", request({}));
  EXPECT_EQ(exit_code(refusal("calibrate", request({{"data", file("s.csv", kSteps)}})).code), 4);
  std::string unknown = gemms();
  for (std::size_t at = unknown.find(",gemm,"); at != std::string::npos;
       at = unknown.find(",gemm,", at))
    unknown.replace(at, 6, ",gems,");
  const Error error = refusal("calibrate", request({{"data", file("u.csv", unknown)}}));
  EXPECT_EQ(exit_code(error.code), 4);
  EXPECT_NE(error.why.find("gems"), std::string::npos) << error.why;
}

}  // namespace
}  // namespace portolan
