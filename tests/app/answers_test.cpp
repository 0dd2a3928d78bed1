// What holds of every verb's answer: the published schema, the request that can be sent again, the
// same bytes at any thread count, the envelope.
#include <set>

#include "app/registry.hpp"
#include "io/text_formats.hpp"
#include "render/format.hpp"
#include "tests/app/ask.hpp"
#include "tests/app/schema.hpp"

namespace portolan {
namespace {

using namespace testing;
using io::Value;

/// A job as a program sends it: the document itself.
Value job(const char* yaml) { return io::parse_yaml(yaml, "job.yaml").value(); }

const char* kServe = R"(
job: serve
model: llama-3.1-8b
traffic: {requests_per_second: 5, input_tokens: 1000, output_tokens: 300}
slo: {ttft_p95: 1s, tpot_p95: 50ms}
where: {gpus: [H100, L40S], regions: ["us-*", "eu-*"]}
)";
const char* kImpossible = R"(
job: serve
model: llama-3.1-70b
traffic: {requests_per_second: 5, input_tokens: 1000, output_tokens: 300}
where: {gpus: [L4:4], max_usd_per_hour: 4}
)";
const char* kTrain = R"(
job: train
model: llama-3.1-8b
tokens: 20B
sequence_length: 8192
global_batch_tokens: 4M
where: {providers: [lambda, aws]}
)";
const char* kBatch = R"(
job: batch
model: [{name: llama-3.2-3b, quality: 60}, {name: llama-3.1-8b, quality: 70}]
min_quality: 65
traffic: {requests: 100k, input_tokens: 1500, output_tokens: 200}
deadline: 24h
where: {gpus: [A100, L4]}
)";

struct Question {
  const char* verb;
  Value asked;
};

const std::vector<Question>& questions() {
  static const std::vector<Question> kQuestions = {
      {"estimate", request({{"model", "gpt3-175b"}})},
      {"estimate", request({{"model", "deepseek-v3"},
                            {"context", 131072},
                            {"batch", 8},
                            {"gpu", "h200-sxm"},
                            {"tp", 8}})},
      {"estimate", request({{"model", "llama-3.1-8b"},
                            {"training_tokens", "1T"},
                            {"gpu", "h100-sxm"},
                            {"count", 64},
                            {"explain", true}})},
      {"estimate", request({{"model", "bert-base"}, {"gpu", "t4"}, {"max_params", true}})},
      {"estimate", request({{"model", "stable-diffusion-xl"}})},
      {"estimate",
       request({{"model", "gemma-3-27b"}, {"input", "2k"}, {"output", 300}, {"kv_dtype", "fp8"}})},
      {"plan", request({{"job", job(kServe)}, {"explain", true}})},
      {"plan", request({{"job", job(kImpossible)}})},
      {"plan", request({{"job", job(kTrain)}, {"top", 2}})},
      {"plan", request({{"job", job(kBatch)}, {"top", 0}})},
      {"simulate", request({{"model", "llama-3.1-8b"},
                            {"gpu", "h100-sxm"},
                            {"rate", 3},
                            {"input", 200},
                            {"output", 20},
                            {"requests", 50},
                            {"ttft", "1s"},
                            {"explain", true}})},
      {"simulate", request({{"model", "llama-3.1-8b"},
                            {"gpu", "h100-sxm"},
                            {"max_model_len", 10},
                            {"rate", 3},
                            {"input", 200},
                            {"output", 20},
                            {"requests", 5}})},
      {"offers", request({})},
      {"offers", request({{"gpu", "A100:80GB:1..8"}, {"sort", "gpu-price"}, {"limit", 0}})},
      {"offers", request({{"stats", true}})},
      {"offers", request({{"quarantined", true}, {"limit", 30}})},
      {"offers", request({{"gpu", "h100-sxm:64"}})},
      {"gpus", request({{"all", true}})},
      {"gpus", request({{"gpu", "a100-sxm-80gb"}, {"explain", true}})},
      {"models", request({{"limit", 0}})},
      {"models", request({{"name", "deepseek-v3"}})},
      {"models", request({{"prices", true}})},
      {"models", request({{"compute", true}})},
      {"providers", request({})},
      {"providers", request({{"engines", true}})},
      {"validate", request({{"set", "article"}})},
      {"validate", request({{"set", "training,training-memory"}})},
      {"validate", request({{"errata", true}})},
  };
  return kQuestions;
}

bool explains(const Question& q) { return q.asked.find("explain") != nullptr; }

TEST(Answers, keep_the_published_schema) {
  for (const Question& q : questions()) {
    const Value answer = object(q.verb, q.asked, context(), explains(q));
    std::vector<std::string> problems;
    check(render::schema(q.verb), answer, q.verb, problems);
    EXPECT_TRUE(problems.empty()) << problems.front() << " in " << io::write_json(q.asked, false);
  }
}

void undescribed(const Value& schema, const std::string& path, std::vector<std::string>& out) {
  if (const Value* properties = schema.find("properties")) {
    for (const auto& [key, member] : properties->object()) {
      if (member.find("description") == nullptr) out.push_back(path + "." + key);
      undescribed(member, path + "." + key, out);
    }
  }
  if (const Value* items = schema.find("items")) undescribed(*items, path, out);
}

TEST(Answers, every_member_of_a_schema_says_what_it_is) {
  for (const app::Verb& verb : app::verbs()) {
    std::vector<std::string> bare;
    undescribed(render::schema(verb.name), std::string(verb.name), bare);
    EXPECT_TRUE(bare.empty()) << bare.size() << ", first " << bare.front();
  }
  EXPECT_TRUE(render::schema("nonsense").is_null());
}

TEST(Answers, have_the_timing_fields_only_when_asked) {
  const app::Answer answer = ask("plan", request({{"job", job(kServe)}}));
  const Value with = render::to_value(answer, {.timing = true, .explain = false});
  const Value without = render::to_value(answer, {.timing = false, .explain = false});
  EXPECT_GT(number(with, "result.search.elapsed_seconds"), 0);
  EXPECT_EQ(at(without, "result.search").find("elapsed_seconds"), nullptr);
  std::vector<std::string> problems;
  check(render::schema("plan"), with, "plan", problems);
  EXPECT_TRUE(problems.empty()) << problems.front();
}

// The request of an answer, sent again, gives the same bytes; so does what JSON made of it.
TEST(Answers, hold_a_request_that_can_be_sent_again) {
  for (const Question& q : questions()) {
    const Value answer = object(q.verb, q.asked, context(), explains(q));
    const std::string written = io::write_json(at(answer, "request"), false);
    const Value again = io::parse_json(written, "request", io::DuplicateKeys::kRefuse).value();
    Value repeated = object(q.verb, again, context(), explains(q));
    EXPECT_EQ(io::write_json(at(repeated, "result"), false),
              io::write_json(at(answer, "result"), false))
        << q.verb << " " << written;
    EXPECT_EQ(io::write_json(at(repeated, "request"), false), written);
  }
}

TEST(Answers, are_the_same_at_any_thread_count) {
  for (const Question& q : questions()) {
    if (q.verb != std::string_view("plan")) continue;
    std::set<std::string> seen;
    for (unsigned threads : {1u, 2u, 8u}) {
      const app::Context many =
          app::Context::open({.catalogue = {}, .as_of = {}, .threads = threads}).value();
      seen.insert(io::write_json(object(q.verb, q.asked, many), false));
    }
    EXPECT_EQ(seen.size(), 1u);
  }
}

TEST(Answers, carry_assumptions_with_the_flag_that_changes_them) {
  for (const Question& q : questions()) {
    const Value answer = object(q.verb, q.asked);
    EXPECT_EQ(text(answer, "command"), q.verb);
    EXPECT_EQ(text(answer, "schema_version"), "1.0");
    std::set<std::string> keys;
    for (const Value& assumption : at(answer, "assumptions").array()) {
      EXPECT_TRUE(keys.insert(text(assumption, "key")).second)
          << text(assumption, "key") << " twice";
      static const std::set<std::string> kOrigins = {"default", "flag", "job", "derived", "config"};
      EXPECT_TRUE(kOrigins.contains(text(assumption, "origin"))) << text(assumption, "origin");
    }
    for (const Value& source : at(answer, "sources").array()) {
      EXPECT_FALSE(at(source, "reference").is_null()) << q.verb << " " << text(source, "id");
    }
  }
}

TEST(Answers, without_a_plan_are_infeasible_and_whole) {
  const app::Answer answer = ask("plan", request({{"job", job(kImpossible)}}));
  const auto wrong = app::verdict(answer);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->code, ErrorCode::kInfeasible);
  EXPECT_EQ(exit_code(wrong->code), 3);
  EXPECT_NE(wrong->why.find("nearest: "), std::string::npos) << wrong->why;
  EXPECT_FALSE(wrong->hint.empty());
  const Value value = render::to_value(answer, {});
  EXPECT_TRUE(at(value, "result.plans").array().empty());
  ASSERT_FALSE(at(value, "result.rejected").array().empty());
  // The reasons are the closed set, the counts what lost.
  static const std::set<std::string> kReasons = {"memory",
                                                 "slo",
                                                 "interconnect",
                                                 "precision_unsupported",
                                                 "engine_unsupported",
                                                 "price_missing",
                                                 "price_quarantined",
                                                 "availability",
                                                 "constraint",
                                                 "deadline",
                                                 "dominated"};
  double lost = 0;
  for (const Value& rejection : at(value, "result.rejected").array()) {
    EXPECT_TRUE(kReasons.contains(text(rejection, "reason")));
    if (text(rejection, "reason") != "dominated") lost += number(rejection, "count");
  }
  EXPECT_EQ(lost, number(value, "result.coverage.offers"));
}

TEST(Answers, a_price_that_is_too_old_is_a_policy_failure_with_the_answer) {
  const app::Answer answer = ask("plan", request({{"job", job(kServe)}, {"max_price_age", "1d"}}));
  const auto wrong = app::verdict(answer);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(exit_code(wrong->code), 5);
  const Value value = render::to_value(answer, {});
  EXPECT_FALSE(at(value, "policy.passed").boolean());
  EXPECT_FALSE(at(value, "result.plans").array().empty());
}

// Every option of the registry is read by its verb, and has no second meaning there.
TEST(Answers, every_registered_option_is_read) {
  for (const app::Verb& verb : app::verbs()) {
    for (const app::Option& option : verb.options) {
      static const std::set<std::string_view> kFaces = {"svg", "rows", "out", "force"};
      if (kFaces.contains(option.key)) continue;  // of the command line alone
      Value asked{Value::Object{}};
      asked.set(std::string(option.key), Value(Value::Object{}));  // no option takes this
      const auto answer = app::execute(verb.name, asked, context());
      ASSERT_FALSE(answer) << verb.name << " " << option.key;
      EXPECT_EQ(format_error(answer.error()).find("unknown key"), std::string::npos)
          << verb.name << " " << option.key;
    }
  }
}

TEST(Answers, an_unknown_key_of_a_request_is_named) {
  const Error error = refusal("estimate", request({{"model", "gpt3-175b"}, {"toknes", 3}}));
  EXPECT_EQ(error.code, ErrorCode::kInvalidInput);
  EXPECT_NE(error.message.find("toknes"), std::string::npos);
  EXPECT_NE(error.hint.find("tokens"), std::string::npos);
  EXPECT_EQ(refusal("esitmate", request({})).code, ErrorCode::kUsage);
}

TEST(Answers, errors_are_objects) {
  const Value one =
      render::to_value(refusal("estimate", request({{"model", "gpt3-175b"}, {"gpu", "h100-smx"}})));
  EXPECT_EQ(text(one, "code"), "not_found");
  EXPECT_EQ(text(one, "message"), "unknown accelerator \"h100-smx\"");
  EXPECT_EQ(text(one, "where.argument"), "--gpu");
  EXPECT_NE(text(one, "hint").find("h100-sxm"), std::string::npos);
  const Value several = render::to_value(
      refusal("estimate", request({{"model", "gpt3-175b"}, {"batch", 0}, {"tokens", "x"}})));
  EXPECT_EQ(at(several, "errors").array().size(), 2u);
  for (const Value& error : at(several, "errors").array()) {
    for (const char* key : {"code", "message", "where", "hint"})
      EXPECT_NE(error.find(key), nullptr) << key;
  }
}

// A name in a job is found by the search; the user gets the line of the file all the same.
TEST(Answers, names_in_a_job_file_have_their_line) {
  Value document =
      job("job: serve\nmodel: llama-3.1-8b\ntraffic: {requests_per_second: 5, input_tokens: 1000, "
          "output_tokens: 300}\nwhere:\n  gpus: [h100-smx]\n");
  const Error error = refusal("plan", request({{"job", document}}));
  EXPECT_EQ(error.where.line, 5u);
  EXPECT_EQ(error.where.column, 10u);
  EXPECT_EQ(error.where.pointer, "/where/gpus/0");
}

}  // namespace
}  // namespace portolan
