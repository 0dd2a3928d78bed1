// A market small enough to see through: hand-built accelerators, round prices, one engine table.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "io/text_formats.hpp"
#include "planner/plan.hpp"
#include "planner/search.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::planner {

inline Job job_of(std::string_view yaml) {
  const Result<io::Value> document = io::parse_document(yaml, "job.yaml");
  EXPECT_TRUE(document) << (document ? "" : format_error(document.error()));
  const Result<Job> job = read_job(*document, "job.yaml");
  EXPECT_TRUE(job) << (job ? "" : format_error(job.error()));
  return job ? *job : Job{};
}

inline Error job_error(std::string_view yaml) {
  const Result<io::Value> document = io::parse_document(yaml, "job.yaml");
  EXPECT_TRUE(document) << (document ? "" : format_error(document.error()));
  const Result<Job> job = read_job(*document, "job.yaml");
  EXPECT_FALSE(job) << "was accepted:\n" << yaml;
  return job ? Error{} : job.error();
}

/// Offers with the nodes they rent, in one place that keeps their addresses.
class World {
 public:
  World() {
    for (const std::string provider : {"acme", "bolt", "cove"}) {
      market::Provider row;
      row.id = provider;
      row.name = provider;
      row.multi_node = provider == "acme";
      providers_.push_back(row);
    }
    const auto support = [&](std::string engine, std::string job, std::string vendor,
                             std::string architecture, std::string formats) {
      market::EngineSupport row;
      row.engine = std::move(engine);
      row.job = std::move(job);
      row.vendor = std::move(vendor);
      row.architecture = std::move(architecture);
      row.formats = std::move(formats);
      row.confidence = "measured";
      support_.push_back(row);
    };
    support("vllm", "serve", "nvidia", "hopper", "fp32 bf16 fp16 fp8 int8 int4 fp4");
    support("vllm", "serve", "nvidia", "blackwell", "fp32 bf16 fp16 fp8 int8 int4 fp4");
    support("vllm", "serve", "nvidia", "ampere", "fp32 bf16 fp16 int8 int4");
    support("vllm", "serve", "nvidia", "ada", "fp32 bf16 fp16 fp8 int8 int4");
    support("megatron-lm", "train", "nvidia", "*", "fp32 bf16 fp16 fp8");
    accelerators_ = *hardware::Accelerators::from_tables(
        {parts::a100(), parts::b200(), parts::h100(), parts::l40s(), parts::mi300x()}, {});
  }

  World(World&&) = default;  // offers point into the tables, which move along

  /// An accepted on-demand offer of `count` accelerators at `usd` per hour.
  market::Offer& add(std::string provider, std::string sku, const hardware::Accelerator& part,
                     double count, std::string_view usd, std::string region = "r1") {
    market::Offer offer;
    offer.provider = std::move(provider);
    offer.sku = std::move(sku);
    offer.region = std::move(region);
    offer.country = "US";
    offer.accelerator = accelerators_.by_id(part.id);
    offer.accelerator_raw = part.id;
    offer.count = count;
    if (!usd.empty()) offer.usd_per_hour = *Money::parse(usd);
    offer.observed = {*parse_date("2026-06-01"), *parse_date("2026-06-01")};
    offer.source = "test";
    offers_.push_back(std::move(offer));
    hardware::Node node =
        parts::node(*offers_.back().accelerator, static_cast<std::int64_t>(count));
    if (count < 2) node.link = hardware::LinkKind::kNone;
    nodes_.push_back(node);
    return offers_.back();
  }
  /// Joins the nodes of the offer added last over a network of so many bytes per second and
  /// accelerator.
  void network(double bytes_per_second) {
    nodes_.back().network = {.fabric = "test",
                             .per_accelerator = BytesPerSecond(bytes_per_second),
                             .rdma = true,
                             .source = {},
                             .date = {}};
  }
  hardware::Node& node(std::size_t i) { return nodes_[i]; }
  market::Offer& offer(std::size_t i) { return offers_[i]; }
  [[nodiscard]] std::size_t size() const { return offers_.size(); }
  market::Provider& provider(std::size_t i) { return providers_[i]; }
  std::vector<market::EngineSupport>& support() { return support_; }

  [[nodiscard]] Market market() const {
    Market market;
    for (std::size_t i = 0; i < offers_.size(); ++i) {
      market.listings.push_back({&offers_[i], nodes_[i]});
    }
    market.providers = providers_;
    market.support = support_;
    market.accelerators = &accelerators_;
    market.spot_loss = {{"a100", 0.1}, {"h100", 0.2}};
    return market;
  }

  static NamedModel model(const model::Architecture& architecture, std::string id = "m",
                          std::optional<double> quality = {}) {
    NamedModel named;
    named.model.id = std::move(id);
    named.model.architecture = architecture;
    named.quality = quality;
    return named;
  }

  [[nodiscard]] PlanResult plan(const Job& job, const model::Architecture& architecture,
                                unsigned threads = 1) const {
    return plan(job, {model(architecture)}, threads);
  }
  [[nodiscard]] PlanResult plan(const Job& job, std::vector<NamedModel> models,
                                unsigned threads = 1) const {
    return plan(job, market(), std::move(models), threads);
  }
  static PlanResult plan(const Job& job, Market market, std::vector<NamedModel> models,
                         unsigned threads = 1) {
    PlanOptions options;
    options.threads = threads;
    options.today = *parse_date("2026-06-11");
    Result<PlanResult> result = plan_on(job, std::move(market), std::move(models), options);
    EXPECT_TRUE(result) << (result ? "" : format_error(result.error()));
    return result ? *std::move(result) : PlanResult{};
  }

 private:
  std::deque<market::Offer> offers_;
  std::deque<hardware::Node> nodes_;
  std::vector<market::Provider> providers_;
  std::vector<market::EngineSupport> support_;
  hardware::Accelerators accelerators_;
};

inline const Rejection* find(const PlanResult& result, Reason reason) {
  for (const Rejection& rejection : result.rejected) {
    if (rejection.reason == reason) return &rejection;
  }
  return nullptr;
}

/// Everything of an answer that a user can see, as text; clock fields are not in it.
std::string text_of(const PlanResult& result);

}  // namespace portolan::planner
