// `simulate`: the fields of the contract with their meanings, requests that make no sense, and the
// files it writes.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "tests/app/ask.hpp"

namespace portolan {
namespace {

using namespace testing;
using io::Value;

/// One pool and Poisson arrivals, with changes.
Value flags(std::initializer_list<std::pair<const char*, Value>> changes = {}) {
  Value out = request({{"model", "llama-3.1-8b"},
                       {"gpu", "h100-sxm-80gb"},
                       {"arrival", "poisson"},
                       {"rate", 4},
                       {"input", 500},
                       {"output", 60},
                       {"requests", 200}});
  for (const auto& [key, value] : changes) {
    std::erase_if(out.object(), [&](const Value::Member& m) { return m.first == key; });
    if (!value.is_null()) out.set(key, value);
  }
  return out;
}

Value scenario(const std::string& yaml) {
  return request({{"scenario", io::parse_yaml(yaml, "scenario.yaml").value()}});
}

std::string read(const std::string& path) { return read_file(path).value(); }

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("portolan-simulate-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_),
                                                  std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

TEST(Simulate, has_every_field_of_the_contract) {
  const app::Answer answer = ask("simulate", flags());
  const Value object = render::to_value(answer, {.timing = true, .explain = false});
  EXPECT_EQ(text(object, "command"), "simulate");
  const Value& result = at(object, "result");
  EXPECT_EQ(number(result, "requests_completed"), 200);
  EXPECT_EQ(number(result, "requests_rejected"), 0);
  EXPECT_FALSE(at(result, "saturated").boolean());
  for (const char* key :
       {"simulated_seconds", "wall_seconds", "requests_per_wall_second", "output_tokens_per_second",
        "usd", "usd_per_million_output_tokens", "energy_joules"})
    EXPECT_GT(number(result, key), 0) << key;
  for (const std::string figure : {"ttft", "tpot", "itl", "e2e"}) {
    double before = 0;
    for (const char* statistic : {"p50", "p90", "p95", "p99"}) {
      const double value = number(result, figure + "_seconds." + statistic);
      EXPECT_GE(value, before) << figure << statistic;
      before = value;
    }
    EXPECT_GT(number(result, figure + "_seconds.mean"), 0) << figure;
  }
  EXPECT_GE(number(result, "queue_seconds.mean"), 0);
  EXPECT_GT(number(result, "kv.blocks"), number(result, "kv.peak_used"));
  EXPECT_EQ(number(result, "kv.preemptions"), 0);
  EXPECT_EQ(number(result, "kv.prefix_hit_tokens"), 0);
  EXPECT_TRUE(near(number(result, "usd_per_million_output_tokens"),
                   number(result, "usd") / (200 * 60) * 1e6, 1e-6));
}

TEST(Simulate, without_timing_the_same_question_has_the_same_bytes) {
  const Value a = object("simulate", flags()), b = object("simulate", flags());
  EXPECT_EQ(io::write_json(a, false), io::write_json(b, false));
  EXPECT_EQ(a.find("result")->find("wall_seconds"), nullptr);
  const Value other = object("simulate", flags({{"seed", 7}}));
  EXPECT_NE(number(a, "result.simulated_seconds"), number(other, "result.simulated_seconds"));
}

TEST(Simulate, pinned_limits_are_the_engines) {
  const Value out = object("simulate", flags({{"kv_blocks", 500},
                                              {"block_size", 32},
                                              {"max_num_seqs", 8},
                                              {"max_num_batched_tokens", 1024}}));
  EXPECT_EQ(number(out, "result.kv.blocks"), 500);
  const auto assumed = [&](const std::string& key) -> const Value& {
    for (const Value& a : at(out, "assumptions").array()) {
      if (text(a, "key") == key) return *a.find("value");
    }
    throw std::runtime_error("not assumed: " + key);
  };
  EXPECT_EQ(assumed("max_num_seqs").number(), 8);
  EXPECT_EQ(assumed("max_num_batched_tokens").number(), 1024);
  EXPECT_EQ(assumed("block_size_tokens").number(), 32);
}

TEST(Simulate, engines_of_every_family_answer_and_differ) {
  std::vector<double> means;
  for (const char* engine : {"vllm-0.15", "vllm-0.19", "sglang-0.5", "trtllm-1.2"})
    means.push_back(
        number(object("simulate", flags({{"engine", engine}})), "result.e2e_seconds.mean"));
  EXPECT_NE(means[1], means[2]);
  EXPECT_NE(means[2], means[3]);
}

TEST(Simulate, a_rate_nobody_could_serve_is_an_answer_with_a_verdict) {
  const app::Answer answer =
      ask("simulate", flags({{"rate", 5000}, {"requests", 20'000}, {"output", 300}}));
  const Value out = render::to_value(answer, {.timing = false, .explain = false});
  EXPECT_TRUE(at(out, "result.saturated").boolean());
  EXPECT_EQ(text(out, "result.verdict"), "overloaded");
  ASSERT_FALSE(at(out, "warnings").array().empty());
  EXPECT_NE(at(out, "warnings").array().front().string().find("saturated"), std::string::npos);
  EXPECT_FALSE(app::verdict(answer));  // exit code 0
}

TEST(Simulate, a_request_longer_than_the_context_is_rejected_and_counted) {
  const Value out = object("simulate", flags({{"max_model_len", 400}}));
  EXPECT_EQ(number(out, "result.requests_rejected"), 200);
  EXPECT_EQ(number(out, "result.requests_completed"), 0);
  EXPECT_TRUE(at(out, "result.ttft_seconds.mean").is_null());
  EXPECT_TRUE(at(out, "result.usd_per_million_output_tokens").is_null());
  const Value cache = object("simulate", flags({{"kv_blocks", 20}}));
  EXPECT_EQ(number(cache, "result.requests_rejected"), 200);
}

TEST(Simulate, money_is_what_a_price_given_says) {
  const Value out = object("simulate", flags({{"price", 2.5}}));
  EXPECT_EQ(number(out, "result.pools.0.usd_per_accelerator_hour"), 2.5);
  EXPECT_TRUE(near(number(out, "result.usd"),
                   number(out, "result.pools.0.replica_seconds") / 3600 * 2.5, 1e-6));
}

TEST(Simulate, unknown_money_is_null_and_said) {
  // A card that the model fits on and that nobody rents out.
  std::string unpriced;
  for (const hardware::Accelerator& gpu : context().catalogue().accelerators().all()) {
    const auto& offers = context().catalogue().offers();
    const bool offered = std::any_of(offers.begin(), offers.end(),
                                     [&](const market::Offer& o) { return o.accelerator == &gpu; });
    const bool usable = gpu.planned && !gpu.announced && !gpu.is_cpu && gpu.memory.raw() > 30e9;
    if (usable && !offered && gpu.vendor == "nvidia") unpriced = gpu.id;
  }
  if (unpriced.empty()) GTEST_SKIP() << "everything is rented out";
  const Value out = object("simulate", flags({{"gpu", unpriced}}));
  EXPECT_TRUE(at(out, "result.usd").is_null());
  EXPECT_TRUE(at(out, "result.usd_per_million_output_tokens").is_null());
  bool said = false;
  for (const Value& warning : at(out, "warnings").array())
    said = said || warning.string().find("money is unknown") != std::string::npos;
  EXPECT_TRUE(said);
}

TEST(Simulate, targets_give_attainment_and_goodput) {
  const Value out = object("simulate", flags({{"ttft", "10s"}, {"tpot", "1us"}}));
  EXPECT_EQ(number(out, "result.classes.0.ttft_attained_share"), 1);
  EXPECT_EQ(number(out, "result.classes.0.tpot_attained_share"), 0);
  EXPECT_EQ(number(out, "result.goodput_share"), 0);
}

TEST(Simulate, refuses_what_makes_no_sense) {
  struct Case {
    Value asked;
    const char* says;
  };
  for (const Case& c : std::vector<Case>{
           {flags({{"replicas", 0}}), "below the minimum 1"},
           {flags({{"rate", 0}}), "0 is not above 0"},
           {flags({{"rate", -1}}), "-1"},
           {flags({{"input", -5}}), "-5 is below the minimum 1"},
           {flags({{"output", 0}}), "0 is below the minimum 1"},
           {flags({{"requests", 0}}), "0 is below the minimum 1"},
           {flags({{"requests", Value()}}), "when does it end"},
           {flags({{"gpu", "h100-smx"}}), "h100-smx"},
           {flags({{"model", "lama-3.1-8b"}}), "lama-3.1-8b"},
           {flags({{"engine", "vlm"}}), "unknown engine"},
           {flags({{"router", "fastest"}}), "fastest"},
           {flags({{"acceptance", "50%"}}), "nothing is drafted"},
           {flags({{"trace", "nowhere.jsonl"},
                   {"arrival", Value()},
                   {"rate", Value()},
                   {"input", Value()},
                   {"output", Value()},
                   {"requests", Value()}}),
            "nowhere.jsonl"},
           {flags({{"trace", "nowhere.jsonl"}}), "a trace has its own requests"},
           {flags({{"model", "llama-3.1-405b"}}), "leave no room"},
           {request({}), "problems"},
       }) {
    const Error error = refusal("simulate", c.asked);
    EXPECT_NE(format_error(error).find(c.says), std::string::npos) << c.says << " in\n"
                                                                   << format_error(error);
  }
}

TEST(Simulate, a_scenario_says_all_its_problems_at_once_with_their_places) {
  const std::string yaml =
      "model: llama-3.1-8b\n"
      "pools: [{gpu: h100-sxm, replicas: 0}]\n"
      "router: {polcy: random}\n"
      "classes: [{name: chat, ttft: 1}]\n"
      "workload: {rate: 5, input_tokens: 100, output_tokens: -1, requests: 10}\n";
  const Folder folder;
  ASSERT_TRUE(write_file(folder.file("bad.yaml"), yaml, false));
  const Error error = refusal("simulate", request({{"scenario", folder.file("bad.yaml")}}));
  ASSERT_EQ(error.also.size(), 4u) << format_error(error);
  const std::vector<std::uint64_t> lines = {2, 4, 3, 5};
  std::vector<std::uint64_t> found;
  for (const Error& one : error.also) found.push_back(one.where.line);
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<std::uint64_t>{2, 3, 4, 5}));
  EXPECT_NE(format_error(error).find("policy"), std::string::npos) << format_error(error);
  EXPECT_EQ(exit_code(error.code), 4);
}

constexpr const char* kTwoPools = R"(
model: llama-3.1-8b
pools:
  - {name: fast, gpu: h100-sxm, replicas: 1}
  - {name: cheap, gpu: l40s, replicas: 2, price: 1}
classes:
  - {name: chat, ttft: 1s, tpot: 50ms, pools: [fast]}
  - {name: bulk, pools: [cheap], priority: 0}
workload:
  streams:
    - {rate: 2, input_tokens: 400, output_tokens: 50, requests: 100, class: chat}
    - {rate: 1, input_tokens: 900, output_tokens: 50, requests: 50, class: bulk}
)";

TEST(Simulate, pools_classes_and_their_sums) {
  const Value out = object("simulate", scenario(kTwoPools));
  EXPECT_EQ(number(out, "result.requests_completed"), 150);
  double pools = 0, usd = 0, classes = 0;
  for (const Value& pool : at(out, "result.pools").array()) {
    pools += number(pool, "requests_completed");
    usd += number(pool, "usd");
  }
  for (const Value& one : at(out, "result.classes").array()) {
    classes += number(one, "usd");
  }
  EXPECT_EQ(pools, 150);
  EXPECT_TRUE(near(usd, number(out, "result.usd"), 1e-6));
  EXPECT_TRUE(near(classes, number(out, "result.usd"), 1e-6));
  // The answer stands on its own: the scenario itself is in its request.
  EXPECT_EQ(text(out, "request.scenario.model"), "llama-3.1-8b");
}

TEST(Simulate, an_error_in_a_scenario_names_the_line_of_the_pool) {
  const Folder folder;
  const std::string yaml =
      "model: llama-3.1-8b\npools:\n  - gpu: h100-sxm\n  - {name: b, gpu: h100-smx}\n"
      "workload: {rate: 5, input_tokens: 100, output_tokens: 10, requests: 10}\n";
  ASSERT_TRUE(write_file(folder.file("s.yaml"), yaml, false));
  const Error error = refusal("simulate", request({{"scenario", folder.file("s.yaml")}}));
  EXPECT_EQ(error.where.line, 4u) << format_error(error);
  EXPECT_EQ(error.where.pointer, "/pools/1/gpu");
}

TEST(Simulate, a_row_for_every_request) {
  const Folder folder;
  const Value out =
      object("simulate", flags({{"requests_csv", folder.file("r.csv")}, {"kv_blocks", 400}}));
  const io::CsvTable table = io::parse_csv(read(folder.file("r.csv")), "r.csv").value();
  ASSERT_EQ(table.rows.size(), 200u);
  const auto cell = [&](std::size_t row, const char* column) {
    return table.rows[row][static_cast<std::size_t>(table.column(column))];
  };
  double ttft = 0, last = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    EXPECT_EQ(cell(i, "status"), "completed");
    EXPECT_EQ(cell(i, "input_tokens"), "500");
    const auto at_ = [&](const char* column) { return parse_double(cell(i, column)).value(); };
    EXPECT_LE(at_("arrival_seconds"), at_("queued_seconds"));
    EXPECT_LE(at_("queued_seconds"), at_("scheduled_seconds"));
    EXPECT_LT(at_("scheduled_seconds"), at_("first_token_seconds"));
    EXPECT_LT(at_("first_token_seconds"), at_("last_token_seconds"));
    EXPECT_GE(at_("last_token_seconds"), last);  // in the order in which they end
    last = at_("last_token_seconds");
    ttft += at_("first_token_seconds") - at_("arrival_seconds");
  }
  EXPECT_TRUE(near(ttft / 200, number(out, "result.ttft_seconds.mean"), 1e-6));
}

TEST(Simulate, a_file_that_exists_is_not_replaced_and_none_is_left_by_a_failure) {
  const Folder folder;
  ASSERT_TRUE(write_file(folder.file("r.csv"), "mine", false));
  EXPECT_EQ(refusal("simulate", flags({{"requests_csv", folder.file("r.csv")}})).code,
            ErrorCode::kConflict);
  EXPECT_EQ(read(folder.file("r.csv")), "mine");
  // The trace breaks off in its middle: nothing is left of what was written so far.
  ASSERT_TRUE(write_file(folder.file("t.jsonl"),
                         "{\"arrival_seconds\":0,\"input_tokens\":5,\"output_tokens\":5}\n"
                         "{\"arrival_seconds\":1,\"input_to",
                         false));
  const Error error = refusal("simulate", request({{"model", "llama-3.1-8b"},
                                                   {"gpu", "h100-sxm"},
                                                   {"trace", folder.file("t.jsonl")},
                                                   {"requests_csv", folder.file("new.csv")}}));
  EXPECT_EQ(exit_code(error.code), 4) << format_error(error);
  EXPECT_EQ(folder.files(), 2u);
  // A folder is no file, a full disk no silent success.
  EXPECT_EQ(refusal("simulate", flags({{"timeseries", folder.file("")}})).code,
            ErrorCode::kConflict);
  if (exists("/dev/full")) {
    EXPECT_EQ(refusal("simulate", flags({{"requests_csv", "/dev/full"}})).code, ErrorCode::kIo);
  }
}

TEST(Simulate, the_time_series_adds_up_to_the_run) {
  const Folder folder;
  const Value out =
      object("simulate", flags({{"timeseries", folder.file("ts.csv")}, {"interval", "1s"}}));
  const io::CsvTable table = io::parse_csv(read(folder.file("ts.csv")), "ts.csv").value();
  ASSERT_GT(table.rows.size(), 20u);
  double before = 0, tokens = 0;
  for (const auto& row : table.rows) {
    const auto cell = [&](const char* column) {
      return parse_double(row[static_cast<std::size_t>(table.column(column))]).value();
    };
    const double time = cell("time_seconds");
    tokens += cell("output_tokens_per_second") * (time - before);
    before = time;
    EXPECT_EQ(cell("replicas_ready"), 1);
  }
  // What came after the last point is missing.
  EXPECT_LE(tokens, 200 * 60 + 1);
  EXPECT_GT(tokens, 0.9 * 200 * 60);
}

TEST(Simulate, the_trace_of_events_is_json_with_every_step) {
  const Folder folder;
  const Value out = object("simulate", flags({{"chrome_trace", folder.file("t.json")}}));
  const Value trace =
      io::parse_json(read(folder.file("t.json")), "t.json", io::DuplicateKeys::kRefuse).value();
  double steps = 0, requests = 0;
  for (const Value& event : trace.array()) {
    const std::string phase = text(event, "ph");
    if (phase == "X") steps += number(event, "args.k");
    if (phase == "b" && text(event, "name") == "decode") ++requests;
  }
  EXPECT_EQ(steps, number(out, "result.pools.0.steps"));
  EXPECT_EQ(requests, 200);
}

TEST(Simulate, an_earlier_result_is_compared_figure_by_figure) {
  const Folder folder;
  const Value before = object("simulate", flags());
  ASSERT_TRUE(write_file(folder.file("before.json"), io::write_json(before, false), false));
  const Value same = object("simulate", flags({{"compare", folder.file("before.json")}}));
  for (const Value& figure : at(same, "result.comparison").array()) {
    if (at(figure, "before").is_null()) continue;
    EXPECT_EQ(number(figure, "difference"), 0);
  }
  const Value two =
      object("simulate", flags({{"compare", folder.file("before.json")}, {"replicas", 2}}));
  for (const Value& figure : at(two, "result.comparison").array()) {
    EXPECT_NE(at(before, "result." + text(figure, "name")).kind(), Value::Kind::kObject);
    if (text(figure, "name") != "usd") continue;
    EXPECT_GT(number(figure, "ratio"), 1.5);
  }
  const Error error = refusal("simulate", flags({{"compare", "examples/chat-70b/job.yaml"}}));
  EXPECT_EQ(exit_code(error.code), 4);
}

TEST(Simulate, ends_when_it_is_cancelled_and_leaves_no_file) {
  const Folder folder;
  int asked = 0;
  const app::Context context =
      app::Context::open({.cancelled = [&] { return ++asked > 2; }}).value();
  const auto answer = app::execute(
      "simulate", flags({{"requests", 1'000'000}, {"requests_csv", folder.file("r.csv")}}),
      context);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(folder.files(), 0u);
}

}  // namespace
}  // namespace portolan
