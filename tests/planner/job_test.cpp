// Reading job files: what is accepted, what each field becomes, what is refused, where and with
// which fix.
#include <gtest/gtest.h>

#include <string>

#include "tests/planner/world.hpp"

namespace portolan::planner {
namespace {

using market::Purchase;

// The problem whose message holds `part`; fails the test when there is none.
Error problem(const Error& error, std::string_view part) {
  if (error.also.empty() && error.message.find(part) != std::string::npos) return error;
  for (const Error& each : error.also) {
    if (each.message.find(part) != std::string::npos) return each;
  }
  ADD_FAILURE() << "no problem says \"" << part << "\":\n" << format_error(error);
  return {};
}

TEST(Job, ReadsTheServingExampleOfTheContract) {
  const Job job = job_of(R"(
job: serve
model: meta-llama/Llama-3.1-70B-Instruct
traffic: {requests_per_second: 5, input_tokens: 1000, output_tokens: 300}
slo: {ttft_p95: 1s, tpot_p95: 50ms}
precision: [bf16, fp8]
where: {providers: [aws, lambda], regions: ["us-*"], purchase: [on-demand, spot], max_usd_per_hour: 100}
)");
  EXPECT_EQ(job.kind, JobKind::kServe);
  ASSERT_EQ(job.models.size(), 1u);
  EXPECT_EQ(job.models[0].model, "meta-llama/Llama-3.1-70B-Instruct");
  EXPECT_EQ(job.traffic.requests_per_second, 5);
  EXPECT_EQ(job.traffic.peak_requests_per_second, 5);
  EXPECT_EQ(job.traffic.work.input_tokens, 1000);
  EXPECT_EQ(job.traffic.work.output_tokens, 300);
  EXPECT_EQ(job.slo.ttft_p95->raw(), 1);
  EXPECT_DOUBLE_EQ(job.slo.tpot_p95->raw(), 0.05);
  EXPECT_EQ(job.precision, (std::vector<std::string>{"bf16", "fp8"}));
  EXPECT_EQ(job.where.providers, (std::vector<std::string>{"aws", "lambda"}));
  EXPECT_EQ(job.where.regions, (std::vector<std::string>{"us-*"}));
  EXPECT_EQ(job.where.purchase, (std::vector<Purchase>{Purchase::kOnDemand, Purchase::kSpot}));
  EXPECT_NEAR(job.where.max_usd_per_hour->in(kUsdPerHour), 100, 1e-9);
}

TEST(Job, ReadsTheTrainingExampleOfTheContract) {
  const Job job = job_of(
      "job: train\nmodel: llama-3.1-8b\ntokens: 1T\nsequence_length: 8192\n"
      "global_batch_tokens: 4M\ndeadline: 30d\n");
  EXPECT_EQ(job.kind, JobKind::kTrain);
  EXPECT_EQ(job.training.tokens, 1e12);
  EXPECT_EQ(job.training.sequence, 8192);
  EXPECT_EQ(job.training.global_batch_tokens, 4e6);
  EXPECT_EQ(job.deadline->in(kDay), 30);
  EXPECT_EQ(job.training.method, training::Method::kFull);
}

TEST(Job, ReadsEveryOtherField) {
  const Job job = job_of(R"(
job: serve
name: nightly
model:
  - {name: a, quality: 0.7}
  - b
min_quality: 0.6
engine: vLLM-0.15
traffic:
  hourly: [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 5, 4, 3, 2, 1, 0, 0]
  peak_factor: 2
  input_tokens: 1k
  output_tokens: 100
  cached_share: 30%
slo: {ttft_mean: 800ms, tpot_mean: 40ms, e2e_p95: 20s}
kv_precision: [bf16, fp8]
max_utilisation: 70%
spare_replicas: 2
max_accelerators_per_replica: 8
where:
  exclude_providers: [vast]
  countries: [US, DE]
  gpus: ["H100:80GB:1..8"]
  max_accelerators: 64
  max_nodes: 8
  max_price_age: 30d
  announced: true
  interconnect: [nvlink, rdma]
  quotas: {aws: 16}
  sold_out: [{provider: lambda, gpu: h100-sxm}]
)");
  EXPECT_EQ(job.models[0].quality, 0.7);
  EXPECT_FALSE(job.models[1].quality);
  EXPECT_EQ(job.engine, "vllm-0.15");
  EXPECT_NEAR(job.traffic.requests_per_second, 66.0 / 24, 1e-12);
  EXPECT_EQ(job.traffic.peak_requests_per_second, 12);
  EXPECT_EQ(job.traffic.work.cached_share, 0.3);
  EXPECT_EQ(job.max_utilisation, 0.7);
  EXPECT_EQ(job.spare_replicas, 2);
  EXPECT_EQ(job.max_accelerators_per_replica, 8);
  EXPECT_EQ(job.where.max_accelerators, 64);
  EXPECT_EQ(job.where.max_nodes, 8);
  EXPECT_EQ(job.where.max_price_age_days, 30);
  EXPECT_TRUE(job.where.announced && job.where.need_scale_up_link && job.where.need_rdma);
  ASSERT_EQ(job.where.quotas.size(), 1u);
  EXPECT_EQ(job.where.quotas[0].accelerators, 16);
  ASSERT_EQ(job.where.sold_out.size(), 1u);
  EXPECT_EQ(job.where.sold_out[0].gpu, "h100-sxm");

  const Job batch = job_of(
      "job: batch\nmodel: a\ntraffic: {requests: 2M, input_tokens: 10, output_tokens: 1}\n"
      "deadline: 12h\nwhere: {max_usd_total: $900}\n");
  EXPECT_EQ(batch.traffic.requests, 2e6);
  EXPECT_EQ(batch.where.max_usd_total->raw(), 900);

  const Job tune = job_of(
      "job: finetune\nmodel: a\ntokens: 10M\nmethod: qlora\nlora_rank: 32\noptimizer: adam-8bit\n"
      "runs: 3\n");
  EXPECT_EQ(tune.training.method, training::Method::kQlora);
  EXPECT_EQ(tune.training.lora_rank, 32);
  EXPECT_EQ(tune.training.optimizer, training::Optimizer::kAdam8bit);
  EXPECT_EQ(tune.runs, 3);
  EXPECT_EQ(tune.training.sequence, 4096);
}

TEST(Job, SaysAllProblemsAtOnceInFileOrderWithPlaces) {
  const Error error = job_error(
      "job: serve\nmodel: a\ntrafic: {requests_per_second: 5}\n"
      "slo:\n  ttft_p95: 300\nwhere:\n  max_usd_per_hour: -5\n");
  EXPECT_EQ(error.code, ErrorCode::kInvalidInput);
  ASSERT_GE(error.also.size(), 3u);
  EXPECT_NE(problem(error, "trafic").hint.find("traffic"), std::string::npos);
  EXPECT_EQ(problem(error, "trafic").where.line, 3u);
  EXPECT_EQ(problem(error, "ttft_p95").where.line, 5u);
  EXPECT_EQ(problem(error, "max_usd_per_hour").where.line, 7u);
  EXPECT_EQ(problem(error, "max_usd_per_hour").where.pointer, "/where/max_usd_per_hour");
  for (std::size_t i = 1; i < error.also.size(); ++i) {
    EXPECT_LE(error.also[i - 1].where.line, error.also[i].where.line);
  }
}

const std::string kServe =
    "job: serve\nmodel: a\ntraffic: {requests_per_second: 5, input_tokens: 10, output_tokens: 3}\n";
const std::string kTrain =
    "job: train\nmodel: a\ntokens: 1B\nsequence_length: 4096\nglobal_batch_tokens: 1M\n";

TEST(Job, RefusesContradictions) {
  struct Case {
    std::string text, message;
  };
  const std::string rate = "job: serve\nmodel: a\ntraffic: {input_tokens: 9, output_tokens: 3, ";
  for (const Case& c : std::vector<Case>{
           {kTrain + "deadline: 0s\n", "deadline"},
           {kServe + "precision: []\n", "the list is empty"},
           {kServe + "precision: [bf16, BF16]\n", "appears twice"},
           {kServe + "precision: [fp9]\n", "fp9"},
           {kServe + "kv_precision: [bf17]\n", "bf17"},
           {kServe + "where: {providers: []}\n", "the list is empty"},
           {kServe + "where: {purchase: []}\n", "the list is empty"},
           {kServe + "where: {purchase: [borrowed]}\n", "borrowed"},
           {kServe + "where: {providers: [aws], exclude_providers: [AWS]}\n", "exclude_providers"},
           {kServe + "where: {max_usd_per_hour: 0}\n", "nothing costs 0"},
           {kServe + "where: {max_usd_total: 10}\n", "no meaning in a serving job"},
           {kServe + "where: {max_accelerators: 0}\n", "max_accelerators"},
           {kServe + "where: {quotas: {aws: -1}}\n", "aws"},
           {kServe + "where: {sold_out: [{}]}\n", "would exclude everything"},
           {kServe + "where: {interconnect: [string]}\n", "interconnect"},
           {kServe + "max_utilisation: 1\n", "max_utilisation"},
           {kServe + "max_utilisation: 0\n", "max_utilisation"},
           {kServe + "spare_replicas: -1\n", "spare_replicas"},
           {kServe + "deadline: 1d\n", "no meaning in a serve job"},
           {kServe + "tokens: 1B\n", "no meaning in a serve job"},
           {kServe + "min_quality: 0.5\n", "no model has a quality"},
           {kServe + "slo: {ttft_p95: -1s}\n", "ttft_p95"},
           {kServe + "slo: {ttft_p99: 1s}\n", "ttft_p99"},
           {rate + "requests_per_second: 0}\n", "not above 0"},
           {rate + "requests_per_second: -2}\n", "requests_per_second"},
           {rate + "requests_per_second: 5, peak_factor: 0.5}\n", "peak_factor"},
           {rate + "requests_per_second: 5, requests: 10}\n", "no meaning in a serve job"},
           {rate + "requests_per_second: 5, cached_share: 1}\n", "cached_share"},
           {rate + "hourly: [1, 2]}\n", "24 rates"},
           {rate + "}\n", "requests_per_second"},
           {kTrain + "slo: {ttft_p95: 1s}\n", "no meaning in a train job"},
           {kTrain + "traffic: {requests: 1}\n", "no meaning in a train job"},
           {kTrain + "precision: [int4]\n", "not trained in"},
           {kTrain + "method: lora\n", "job: finetune"},
           {kTrain + "runs: 0\n", "runs"},
           {"job: finetune\nmodel: a\ntokens: 1B\nmethod: full\nlora_rank: 8\n", "lora_rank"},
           {"job: train\nmodel: a\ntokens: 100\nsequence_length: 4096\nglobal_batch_tokens: 1M\n",
            "below one global batch"},
           {"job: train\nmodel: a\ntokens: 1B\nsequence_length: 4096\nglobal_batch_tokens: 1k\n",
            "below one sequence"},
           {"job: serve\nmodel: []\n", "a list of 0 models"},
           {"job: serve\nmodel: [a, A]\ntraffic: {}\n", "appears twice"},
           {"job: serve\nmodel: [{quality: 1}]\ntraffic: {}\n", "name"},
           {"job: trian\nmodel: a\n", "unknown job"},
           {"model: a\n", "job"},
           {"[1, 2]\n", ""}}) {
    const Error error = job_error(c.text);
    EXPECT_EQ(exit_code(error.code), 4) << c.text;
    EXPECT_FALSE(problem(error, c.message).where.empty()) << c.text << format_error(error);
  }
}

TEST(Job, AnUnknownKindIsOneProblemAndNotOnePerKey) {
  const Error error = job_error("job: trian\nmodel: a\ntokens: 1B\nsequence_length: 4096\n");
  EXPECT_TRUE(error.also.empty()) << format_error(error);
  EXPECT_NE(error.hint.find("train"), std::string::npos);
}

TEST(Job, ATraceSaysWhatIsReadInstead) {
  const Error error =
      job_error("job: serve\nmodel: a\ntraffic: {trace: azure.csv, input_tokens: 5}\n");
  EXPECT_NE(error.message.find("trace"), std::string::npos);
  EXPECT_NE(error.hint.find("hourly"), std::string::npos);
  EXPECT_EQ(error.where.pointer, "/traffic/trace");
}

TEST(Job, LongListsAreRefusedBeforeTheyAreCompared) {
  std::string list = "where: {regions: [";
  for (int i = 0; i < 5000; ++i) list += "r" + std::to_string(i) + ", ";
  problem(job_error(kServe + list + "x]}\n"), "at most 1000");
}

}  // namespace
}  // namespace portolan::planner
