// An inference engine in equilibrium: latency and throughput of one replica under Poisson arrivals,
// in closed form (serving.md §2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/quantity.hpp"
#include "cost/memory.hpp"
#include "cost/step.hpp"

namespace portolan::serving {

/// The work: mean prompt and output tokens per request, cached share of the prompt.
struct Workload {
  double input_tokens = 0, output_tokens = 0;
  double cached_share = 0;               // of prompt tokens found in a prefix cache
  double input_cv2 = 0, output_cv2 = 1;  // squared coefficient of variation
};

struct EngineLimits {
  double max_sequences = 256;  // engine's cap
  double max_batched_tokens = 8192;
  /// Cap by memory: cost::max_sequences at mean_tokens_held; below 1 nothing can be served.
  double kv_sequences = 1e9;
  [[nodiscard]] double batch_cap() const;
};

/// Mean tokens a request in service holds in the KV cache: prompt and the outputs so far (longer
/// requests are met more often). The length to give to cost::max_sequences for
/// EngineLimits::kv_sequences.
double mean_tokens_held(const Workload& work);

/// One replica at `requests_per_second`. Unstable (saturated) when utilisation >= 1: latencies are
/// then nullopt.
struct SteadyState {
  bool saturated = false;
  double utilisation = 0;              // ρ: offered work over capacity
  double max_requests_per_second = 0;  // λ_max
  double batch = 0;                    // requests in service, mean
  std::optional<Seconds> ttft_mean, ttft_p95, tpot_mean, tpot_p95, e2e_mean, e2e_p95;
  /// Parts of ttft_mean beside the front end: from the engine's queue to the first step that
  /// computes some of the request, from there to its first token.
  std::optional<Seconds> wait_mean, prompt_mean;
  double output_tokens_per_second = 0;  // served
  cost::Bound bound = cost::Bound::kMemory;
  /// Mean of all accelerators of the replica; nullopt when their board power is unknown.
  std::optional<Watts> power;
};
SteadyState steady_state(const cost::StepModel& step, const Workload& work,
                         const EngineLimits& limits, double requests_per_second);

/// Service level: quantile targets, unset = free.
struct Slo {
  std::optional<Seconds> ttft_p95 = {}, tpot_p95 = {}, ttft_mean = {}, tpot_mean = {}, e2e_p95 = {};
};
/// True when met; `miss` (if given) names the first target missed and by what factor.
struct Miss {
  std::string target;
  double value = 0, limit = 0;
};
bool meets(const SteadyState& state, const Slo& slo, Miss* miss = nullptr);

/// Largest rate one replica sustains within the SLO and utilisation below `max_utilisation`; 0 with
/// the binding `miss` when even the lightest load fails. Monotone bisection.
struct SustainedRate {
  double requests_per_second = 0;
  SteadyState state;
  Miss miss;
};
SustainedRate sustained_rate(const cost::StepModel& step, const Workload& work,
                             const EngineLimits& limits, const Slo& slo, double max_utilisation);

/// A batch job: no latency target, the batch is as large as memory allows. max_requests_per_second
/// is the rate; utilisation is 1, saturated false, time to first token unset.
SteadyState full_throughput(const cost::StepModel& step, const Workload& work,
                            const EngineLimits& limits);

}  // namespace portolan::serving
