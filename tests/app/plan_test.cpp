// `plan`: the fields of the contract with their meanings, and the rules of the requirements that a
// plan answers.
#include <cmath>
#include <map>
#include <set>

#include "io/text_formats.hpp"
#include "tests/app/ask.hpp"

namespace portolan {
namespace {

using namespace testing;
using io::Value;

Value plan(const std::string& yaml) {
  return object("plan", request({{"job", io::parse_yaml(yaml, "job.yaml").value()}, {"top", 0}}));
}

const std::vector<Value>& plans(const Value& answer) { return at(answer, "result.plans").array(); }

double rejected(const Value& answer, std::string_view reason) {
  for (const Value& rejection : at(answer, "result.rejected").array()) {
    if (text(rejection, "reason") == reason) return number(rejection, "count");
  }
  return 0;
}

const std::string kChat = R"(
job: serve
model: llama-3.1-70b
traffic: {requests_per_second: 5, input_tokens: 1000, output_tokens: 300}
slo: {ttft_p95: 1s, tpot_p95: 50ms}
precision: [bf16, fp8]
)";

const std::string kTrain = R"(
job: train
model: llama-3.1-8b
tokens: 1T
sequence_length: 8192
global_batch_tokens: 4M
deadline: 30d
)";

TEST(Plan, has_every_field_of_the_contract) {
  for (const std::string& job : {kChat, kTrain}) {
    const Value answer = plan(job);
    const bool serves = job == kChat;
    ASSERT_FALSE(plans(answer).empty());
    double before = 0;
    for (const Value& row : plans(answer)) {
      for (const char* key : {"rank",
                              "provider",
                              "sku",
                              "region",
                              "purchase",
                              "accelerator",
                              "accelerators_per_replica",
                              "replicas",
                              "strategy",
                              "usd_per_hour",
                              "usd_per_month",
                              "usd_total",
                              "usd_per_million_tokens",
                              "duration_seconds",
                              "ttft_p95_seconds",
                              "tpot_p95_seconds",
                              "output_tokens_per_second",
                              "memory_bytes_per_accelerator",
                              "utilisation",
                              "mfu",
                              "interval",
                              "price_observed_at",
                              "price_source",
                              "regions"}) {
        ASSERT_NE(row.find(key), nullptr) << key;
      }
      for (const char* key : {"tp", "pp", "dp", "ep", "cp", "precision", "kv_precision",
                              "microbatch", "recompute", "zero"}) {
        ASSERT_NE(at(row, "strategy").find(key), nullptr) << key;
      }
      const double cost = number(row, serves ? "usd_per_hour" : "usd_total");
      EXPECT_GE(cost, before);  // cheapest first
      before = cost;
      EXPECT_LE(number(row, "interval.low"), cost * 1.000001);
      EXPECT_GE(number(row, "interval.high"), cost * 0.999999);
      EXPECT_FALSE(at(row, "price_observed_at").is_null());
    }
    EXPECT_EQ(number(plans(answer).front(), "rank"), 1);
    EXPECT_GT(number(answer, "result.search.shapes"), 0);
    EXPECT_GE(number(answer, "result.search.candidates"),
              number(answer, "result.search.evaluated"));
  }
}

TEST(Plan, r62_targets_hold_for_every_row_queueing_included) {
  const Value answer = plan(kChat);
  for (const Value& row : plans(answer)) {
    EXPECT_LE(number(row, "ttft_p95_seconds"), 1);
    EXPECT_LE(number(row, "tpot_p95_seconds"), 0.050);
    EXPECT_LE(number(row, "utilisation"), 0.8);
    EXPECT_GE(number(row, "output_tokens_per_second"), 5 * 300 * 0.999);
    EXPECT_GE(number(row, "replicas"), number(row, "replicas_mean"));
    EXPECT_NEAR(number(row, "usd_per_month"), number(row, "usd_per_hour") * 730.5, 0.01);
    EXPECT_EQ(text(row, "purchase"), "on-demand");  // serving looks at nothing else unless asked
    EXPECT_GE(number(row, "accelerators"),
              number(row, "replicas") * number(row, "accelerators_per_replica"));
  }
}

TEST(Plan, r56_the_cheapest_that_meets_the_need_with_the_reason_of_every_loser) {
  const Value answer = plan(kChat);
  EXPECT_EQ(number(answer, "result.coverage.offers"),
            number(answer, "result.coverage.evaluated") +
                number(answer, "result.coverage.rejected") +
                number(answer, "result.coverage.without_price"));
  double lost = 0;
  for (const Value& rejection : at(answer, "result.rejected").array()) {
    if (text(rejection, "reason") == "dominated") continue;
    lost += number(rejection, "count");
    ASSERT_FALSE(at(rejection, "nearest").is_null()) << text(rejection, "reason");
    EXPECT_FALSE(text(rejection, "nearest.what").empty());
    EXPECT_FALSE(text(rejection, "nearest.lacked").empty());
  }
  EXPECT_EQ(lost, number(answer, "result.coverage.rejected") +
                      number(answer, "result.coverage.without_price"));
}

TEST(Plan, a_quarantined_price_never_wins) {
  std::set<std::string> set_aside;
  for (const market::Offer& offer : context().catalogue().offers()) {
    if (offer.standing != market::Standing::kAccepted)
      set_aside.insert(offer.provider + offer.sku + offer.region + offer.zone);
  }
  const Value answer = plan(kChat + "where: {purchase: [on-demand, spot]}\n");
  ASSERT_FALSE(plans(answer).empty());
  EXPECT_GT(rejected(answer, "price_quarantined"), 0);
}

TEST(Plan, r16_the_smallest_model_that_is_good_enough) {
  const Value answer = plan(R"(
job: serve
model: [{name: llama-3.2-3b, quality: 63.4}, {name: llama-3.1-8b, quality: 69.4}, {name: llama-3.1-70b, quality: 83.6}]
min_quality: 69
traffic: {requests_per_second: 2, input_tokens: 1000, output_tokens: 300}
)");
  EXPECT_EQ(text(plans(answer).front(), "model"), "llama-3.1-8b");
  ASSERT_EQ(at(answer, "result.models_rejected").array().size(), 1u);
  EXPECT_NE(text(answer, "result.models_rejected.0").find("63.4"), std::string::npos);
  EXPECT_EQ(at(answer, "result.models_considered").array().size(), 2u);
}

TEST(Plan, r02_what_cannot_be_had_is_a_reason) {
  const Value all = plan(kChat);
  const Value fewer = plan(
      kChat + "where: {sold_out: [{provider: " + text(plans(all).front(), "provider") + "}]}\n");
  EXPECT_GT(rejected(fewer, "availability"), rejected(all, "availability"));
  for (const Value& row : plans(fewer))
    EXPECT_NE(text(row, "provider"), text(plans(all).front(), "provider"));
  EXPECT_GE(number(plans(fewer).front(), "usd_per_hour"),
            number(plans(all).front(), "usd_per_hour"));
}

TEST(Plan, r24_training_pays_for_its_network) {
  const Value answer = plan(kTrain);
  bool several_nodes = false;
  for (const Value& row : plans(answer)) {
    several_nodes = several_nodes || number(row, "instances") > 1;
    EXPECT_GT(number(row, "mfu"), 0.05);
    EXPECT_LT(number(row, "mfu"), 0.75);
    EXPECT_LE(number(row, "duration_seconds"), 30 * 86400.0);
  }
  EXPECT_TRUE(several_nodes);
  EXPECT_GT(rejected(answer, "interconnect"), 0);  // one node is too slow and nothing joins several
}

TEST(Plan, r42_countries_are_a_hard_constraint) {
  const Value answer = plan(kChat + "where: {countries: [DE, FI]}\n");
  ASSERT_FALSE(plans(answer).empty());
  std::map<std::string, std::string> country;
  for (const market::Offer& offer : context().catalogue().offers())
    country[offer.provider + " " + offer.region] = offer.country;
  for (const Value& row : plans(answer)) {
    const std::string where = country.at(text(row, "provider") + " " + text(row, "region"));
    EXPECT_TRUE(where == "DE" || where == "FI") << where;
  }
}

TEST(Plan, r53_a_scale_up_link_can_be_demanded) {
  const Value answer = plan(kChat + "where: {interconnect: nvlink}\n");
  ASSERT_FALSE(plans(answer).empty());
  for (const Value& row : plans(answer)) {
    if (number(row, "accelerators_per_replica") < 2) continue;
    const auto* accelerator = context().catalogue().accelerators().by_id(text(row, "accelerator"));
    ASSERT_NE(accelerator, nullptr);
    EXPECT_NE(accelerator->link, hardware::LinkKind::kNone) << accelerator->id;
  }
  EXPECT_GT(rejected(answer, "interconnect"), 0);
}

TEST(Plan, r58_terms_of_purchase_are_a_constraint) {
  const Value answer = plan(kTrain + "where: {purchase: [capacity-block, reserved-1y]}\n");
  for (const Value& row : plans(answer)) {
    EXPECT_TRUE(text(row, "purchase") == "capacity-block" ||
                text(row, "purchase") == "reserved-1y");
  }
  EXPECT_GT(rejected(answer, "constraint"), 100);
}

TEST(Plan, r31_failed_and_trial_runs_multiply_the_bill) {
  const Value one = plan(kTrain), three = plan(kTrain + "runs: 3\n");
  EXPECT_TRUE(near(number(plans(three).front(), "usd_total"),
                   3 * number(plans(one).front(), "usd_total"), 1e-6));
}

}  // namespace
}  // namespace portolan
