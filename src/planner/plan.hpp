// The search: offers grouped into machine shapes, strategies tried on each, prices joined back,
// constraints checked, losers explained.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/derivation.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "cost/step.hpp"
#include "market/catalogue.hpp"
#include "model/library.hpp"
#include "planner/job.hpp"

namespace portolan::planner {

/// The closed set of contract.md, in its order.
enum class Reason : std::uint8_t {
  kMemory,
  kSlo,
  kInterconnect,
  kPrecisionUnsupported,
  kEngineUnsupported,
  kPriceMissing,
  kPriceQuarantined,
  kAvailability,
  kConstraint,
  kDeadline,
  kDominated
};
inline constexpr std::size_t kReasonCount = 11;
std::string_view reason_name(Reason reason);

struct Interval {
  double low = 0, high = 0;
};

/// What simulations say of a plan (verify.hpp); a closed set.
enum class Verdict : std::uint8_t {
  kConfirmed,  // what was planned, no more and no less
  kFewer,      // fewer replicas (a batch: less time) will do
  kMore,       // it takes more
  kFails       // no number of replicas meets the targets, or they go beyond a cap of the job
};
std::string_view verdict_name(Verdict verdict);

/// Rates are of one replica; `rate` is within the targets and the job's utilisation.
struct Verification {
  Verdict verdict = Verdict::kConfirmed;
  double rate = 0, rate_closed_form = 0;          // requests per second
  double capacity = 0, capacity_closed_form = 0;  // that can be answered at all
  std::string binding, binding_closed_form;       // what stops a higher rate: "ttft_p95" …
  bool stable = true;  // as planned: the queue does not only grow; latencies are unset otherwise
  std::optional<Seconds> ttft_p95, tpot_p95, ttft_mean, tpot_mean;  // as planned
  double batch = 0;                                                 // as planned, per replica
  std::int64_t replicas = 1, instances = 1;  // that the rate asks for, spares included
  UsdRate usd_per_hour{0};                   // of these
  std::optional<Usd> usd_total;              // batch
  std::optional<Seconds> duration;           // batch
  std::int64_t replicas_simulated = 1;
  std::uint64_t requests = 0, simulations = 0;  // requests: simulated in all
  int seeds = 0;
  /// Largest of |closed form / simulation − 1| over the rate and both 95th percentiles.
  double disagreement = 0;
  std::string why;  // of a failure, or of a disagreement beyond a tenth; else empty
};

/// One row: one offer (or several at one price) with its best strategy.
struct Plan {
  int rank = 0;
  std::string model;  // catalogue id
  std::optional<double> quality;
  const market::Offer* offer = nullptr;
  std::vector<std::string> regions;  // all regions at this price; the first is offer->region
  std::int64_t nodes = 1;            // instances in all
  std::int64_t accelerators_per_replica = 1, replicas = 1, replicas_mean = 1;
  cost::Deployment deployment;  // serve, batch
  std::string precision, kv_precision;
  std::string engine;                    // of the support table: "vllm", "megatron-lm"
  serving::EngineLimits limits;          // serve, batch: what the engine is started with
  double batch = 0;                      // serve, batch: requests in service per replica, mean
  training::Strategy training_strategy;  // train, finetune
  UsdRate usd_per_hour{0};               // whole plan
  std::optional<Usd> usd_total;          // batch, train, finetune
  Usd usd_per_month{0};
  std::optional<Usd>
      usd_per_month_scaled;  // serve with a demand curve: instances follow it hour by hour
  std::optional<double> usd_per_million_tokens, usd_per_million_output_tokens;
  std::optional<Seconds> duration, ttft_p95, tpot_p95, ttft_mean, tpot_mean;
  double output_tokens_per_second =
      0;  // whole plan, served (serve) or attainable (batch, train: tokens/s)
  double capacity_requests_per_second = 0;
  Bytes memory_per_accelerator{0};
  double utilisation = 0;
  std::optional<double> mfu;
  std::optional<training::RunEstimate> training_estimate;
  cost::Bound bound = cost::Bound::kMemory;
  std::optional<Watts> power;
  Interval interval;  // 80 % of the cost (per hour × replicas, or total)
  cost::Tier tier = cost::Tier::kDatasheet;
  std::string support_confidence;  // of the engine on this chip
  bool advise_proof_of_concept = false;
  bool pareto = false;  // on the cost–latency front
  std::optional<Verification> verified;
  // What a simulation starts from; serve, batch.
  std::shared_ptr<const cost::StepModel> step;
  std::shared_ptr<const model::Architecture> architecture;
  std::int64_t instances_per_replica = 1, replicas_per_instance = 1;  // one of them is 1
  std::vector<std::string> notes;
};

struct Nearest {
  std::string what, lacked;
  std::optional<double> factor;
  std::string change;
};  // what would make it feasible
struct Rejection {
  Reason reason = Reason::kMemory;
  std::uint64_t count = 0;
  std::optional<Nearest> nearest;
};

/// A candidate model that passed, and the cheapest row it has on its own (R16).
struct ModelOutcome {
  std::string model;
  std::optional<double> quality;
  std::optional<double> cost;
  std::string where;
};

/// offers = evaluated (those that are part of a row) + rejected + without_price.
struct Coverage {
  std::uint64_t offers = 0, evaluated = 0, rejected = 0, without_price = 0;
};
struct Search {
  std::uint64_t shapes = 0, candidates = 0, evaluated = 0;
  double elapsed_seconds = 0;
  std::uint64_t verified = 0, simulated_requests = 0;  // plans and requests that were simulated
};

struct PlanResult {
  Job job;
  std::vector<Plan> plans;          // cheapest first, total order
  std::vector<Rejection> rejected;  // in the order of the closed set, zero counts left out
  Search search;
  Coverage coverage;
  std::optional<double> rank_flips_at_percent;  // how far the winner's price may rise before
                                                // another plan wins; nullopt = no rival
  std::optional<Date> oldest_price_used;
  std::vector<std::string> warnings;
  std::vector<std::string> models_rejected;     // "mixtral-8x7b: quality 0.61 below 0.7"
  std::vector<ModelOutcome> models_considered;  // in the order of the job
  [[nodiscard]] bool feasible() const { return !plans.empty(); }
};

struct PlanOptions {
  std::size_t top = 10;
  unsigned threads = 0;
  Date today;
  /// Curves of the kernels of a serving engine; training uses the machines' sustained shares.
  cost::KernelSource kernels = {};
  std::size_t verify = 0;  // so many of the cheapest plans are simulated
  /// Told what long work is at, by any thread, one at a time; nullptr: nobody listens.
  std::function<void(std::string_view)> progress = {};
  std::function<bool()> cancelled = {};  // nullptr: never
};

/// Searches the whole catalogue. An empty `plans` is an answer (exit code 3 is the face's
/// business). Errors: unknown model, contradictory job.
Result<PlanResult> plan(const Job& job, const market::Catalogue& catalogue,
                        const model::Library& models, const PlanOptions& options);

}  // namespace portolan::planner
