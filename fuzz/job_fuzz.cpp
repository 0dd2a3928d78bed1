// Job files: refused with a place and a message, or planned on a handful of real offers with every
// offer counted once and every figure in order. The first byte chooses between the bytes as YAML or
// JSON text and bytes as choices: keys of a job with values, so that whole jobs are reached.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "contract.hpp"
#include "io/text_formats.hpp"
#include "model/library.hpp"
#include "planner/ranking.hpp"
#include "planner/search.hpp"

using namespace portolan;

namespace {

constexpr std::string_view kModel =
    R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
  "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
  "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 8192, "vocab_size": 128256,
  "max_position_embeddings": 131072, "torch_dtype": "bfloat16"})";

constexpr std::string_view kJobs[] = {"serve", "batch", "train", "finetune"};
constexpr std::string_view kValues[] = {
    "0",        "1",      "-1",     "0.5",         "5",        "1k",   "4M",    "1T",
    "1e15",     "1e18",   "1e30",   "1ms",         "1s",       "30d",  "30%",   "100%",
    "~",        "[]",     "[bf16]", "[fp8, int4]", "bf16",     "lora", "qlora", "sgd",
    "[nvlink]", "[spot]", "[aws]",  "[H100:8]",    "{aws: 8}", "true", "300",   "x"};
constexpr std::string_view kTop[] = {
    "tokens",      "sequence_length", "global_batch_tokens",
    "deadline",    "precision",       "kv_precision",
    "method",      "lora_rank",       "optimizer",
    "runs",        "engine",          "max_utilisation",
    "min_quality", "spare_replicas",  "max_accelerators_per_replica"};
constexpr std::string_view kTraffic[] = {"requests_per_second", "requests",     "input_tokens",
                                         "output_tokens",       "cached_share", "peak_factor"};
constexpr std::string_view kSlo[] = {"ttft_p95", "tpot_p95", "ttft_mean", "tpot_mean", "e2e_p95"};
constexpr std::string_view kWhere[] = {
    "providers",        "regions",       "gpus",   "purchase",     "max_nodes", "max_accelerators",
    "max_usd_per_hour", "max_usd_total", "quotas", "interconnect", "announced", "max_price_age"};

template <std::size_t kCount>
std::string_view pick(const std::string_view (&list)[kCount], std::uint8_t byte) {
  return list[byte % kCount];
}

// Two bytes a key: which one, and its value. A usual job comes first, so that few bytes reach far.
std::string job_from(const std::uint8_t* data, std::size_t size) {
  std::string top, traffic, slo, where;
  const std::string_view kind = pick(kJobs, size > 0 ? data[0] : 0);
  const bool trains = kind == "train" || kind == "finetune";
  std::uint64_t seen = 0;  // a key given twice is refused by the reader of YAML, which has a target
  for (std::size_t i = 1; i + 1 < size; i += 2) {
    const std::uint8_t key = data[i] % 64;
    if ((seen >> key & 1) != 0) continue;
    seen |= std::uint64_t{1} << key;
    const std::string_view value = pick(kValues, data[i + 1]);
    const auto add = [&](std::string& out, std::string_view name) {
      out += (out.empty() ? "" : ", ") + std::string(name) + ": " + std::string(value);
    };
    if (key < std::size(kTop)) {
      top += std::string(kTop[key]) + ": " + std::string(value) + "\n";
    } else if (key >= 16 && key - 16u < std::size(kTraffic)) {
      add(traffic, kTraffic[key - 16u]);
    } else if (key >= 32 && key - 32u < std::size(kSlo)) {
      add(slo, kSlo[key - 32u]);
    } else if (key >= 40 && key - 40u < std::size(kWhere)) {
      add(where, kWhere[key - 40u]);
    }
  }
  std::string text = "job: " + std::string(kind) + "\nmodel: m\n" + top;
  if (!traffic.empty() || !trains) text += "traffic: {" + traffic + "}\n";
  if (!slo.empty()) text += "slo: {" + slo + "}\n";
  if (!where.empty()) text += "where: {" + where + "}\n";
  return text;
}

// A dozen offers of every kind the embedded catalogue holds.
const planner::Market& small_market() {
  static const std::shared_ptr<const market::Catalogue> kCatalogue = *market::Catalogue::embedded();
  static const planner::Market kMarket = [] {
    planner::Market all = planner::market_of(*kCatalogue);
    std::vector<planner::Listing> few;
    for (std::size_t i = 0; i < all.listings.size(); i += all.listings.size() / 12) {
      few.push_back(all.listings[i]);
    }
    all.listings = std::move(few);
    return all;
  }();
  return kMarket;
}

void expect_in_order(const planner::PlanResult& result) {
  fuzz::require(result.coverage.offers == small_market().listings.size(),
                "result.coverage.offers == small_market().listings.size()");
  fuzz::require(result.coverage.offers == result.coverage.evaluated + result.coverage.rejected +
                                              result.coverage.without_price,
                "result.coverage.offers == result.coverage.evaluated + result.coverage.rejected + "
                "result.coverage.without_price");
  double last = 0;
  for (const planner::Plan& plan : result.plans) {
    const double cost = planner::cost_of(plan);
    fuzz::require(std::isfinite(cost) && cost >= last, "std::isfinite(cost) && cost >= last");
    fuzz::require(plan.nodes >= 1 && plan.replicas >= 1, "plan.nodes >= 1 && plan.replicas >= 1");
    fuzz::require(
        plan.interval.low <= cost * (1 + 1e-9) && cost <= plan.interval.high * (1 + 1e-9),
        "plan.interval.low <= cost * (1 + 1e-9) && cost <= plan.interval.high * (1 + 1e-9)");
    fuzz::require(std::isfinite(plan.memory_per_accelerator.raw()),
                  "std::isfinite(plan.memory_per_accelerator.raw())");
    fuzz::require(plan.utilisation >= 0 && plan.utilisation <= 1 + 1e-9,
                  "plan.utilisation >= 0 && plan.utilisation <= 1 + 1e-9");
    last = cost;
  }
  for (const planner::Rejection& rejection : result.rejected) {
    fuzz::require(
        rejection.nearest.has_value() || rejection.reason == planner::Reason::kDominated,
        "rejection.nearest.has_value() || rejection.reason == planner::Reason::kDominated");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const model::Architecture kArchitecture = [] {
    const auto config = io::parse_json(kModel, "model", io::DuplicateKeys::kRefuse);
    return model::read_config(*config, "model").value();
  }();
  if (size == 0) return 0;
  const std::string text = data[0] % 2 == 0
                               ? std::string(reinterpret_cast<const char*>(data + 1), size - 1)
                               : job_from(data + 1, size - 1);
  const auto document = io::parse_document(text, "job.yaml");
  if (!document) return 0;
  const auto job = planner::read_job(*document, "job.yaml");
  if (!job) {
    fuzz::check_refusal(job.error(), false);
    return 0;
  }
  planner::NamedModel named;
  named.model.id = "m";
  named.model.architecture = kArchitecture;
  planner::PlanOptions options;
  options.threads = 1;
  options.today = *parse_date("2026-09-23");
  const auto result = planner::plan_on(*job, small_market(), {named}, options);
  if (result) {
    expect_in_order(*result);
  } else {
    fuzz::check_refusal(result.error(), false);
  }
  return 0;
}
