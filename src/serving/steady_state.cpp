#include "serving/steady_state.hpp"

#include <algorithm>
#include <cmath>

#include "serving/equilibrium.hpp"

namespace portolan::serving {
namespace {

/// Means over the life of a request in service. Lengths in progress are biased towards the long
/// ones.
double mean_context(const Workload& work) {
  return work.input_tokens + 0.5 * work.output_tokens * (1.0 + work.output_cv2);
}

/// At least one token of a prompt is computed, however much of it is cached.
double uncached_tokens(const Workload& work) {
  return std::min(work.input_tokens, std::max(1.0, work.input_tokens * (1.0 - work.cached_share)));
}

/// The step of one lane. With a full pipeline a lane starts again after the latency of all stages,
/// or when the slowest stage has served every lane.
class LaneStep {
 public:
  LaneStep(const cost::StepModel& step, const Workload& work)
      : step_(step),
        context_(mean_context(work)),
        uncached_(uncached_tokens(work)),
        cached_(work.input_tokens - uncached_),
        lanes_(step.deployment().pp) {}

  [[nodiscard]] cost::Batch batch(double decodes, double prompt_tokens, double prompts) const {
    cost::Batch batch;
    batch.decode_requests = decodes;
    batch.decode_context = context_;
    if (prompt_tokens > 0) {
      batch.prefill_requests = prompts;
      batch.prefill_tokens = prompt_tokens;
      // Chunks of a long prompt have half of the rest cached before them on average.
      const double chunk = prompt_tokens / prompts;
      batch.prefill_cached = cached_ + 0.5 * std::max(0.0, uncached_ - chunk);
    }
    batch.sampled = decodes + (uncached_ > 0 ? prompt_tokens / uncached_ : 0.0);
    return batch;
  }
  double operator()(double decodes, double prompt_tokens, double prompts) const {
    const cost::StepTime time = step_.time(batch(decodes, prompt_tokens, prompts));
    return lanes_ == 1 ? time.total.raw() : std::max(time.total.raw(), lanes_ * time.stage.raw());
  }

 private:
  const cost::StepModel& step_;
  double context_, uncached_, cached_;
  double lanes_;
};

EquilibriumInput input_of(const cost::StepModel& step, const Workload& work,
                          const EngineLimits& limits) {
  const cost::Engine& engine = step.engine();
  return {.uncached_tokens = uncached_tokens(work),
          .output_tokens = work.output_tokens,
          .batch_cap = limits.batch_cap(),
          .token_budget = limits.max_batched_tokens,
          .lanes = static_cast<double>(step.deployment().pp),
          .output_cv2 = work.output_cv2,
          .input_cv2 = work.input_cv2,
          .front_seconds = engine.front_end.raw(),
          .after_seconds = engine.after_decode.raw(),
          .per_token_seconds = engine.per_output_token.raw(),
          .async_scheduling = engine.async_scheduling};
}

/// Energy per second: the mixture of steps while there is work, the idle floor while there is none.
std::optional<Watts> mean_power(const cost::StepModel& step, const LaneStep& lane,
                                const Equilibrium<LaneStep>& equilibrium, double x, double duty) {
  const double decodes = equilibrium.decode_steps() * x;
  const double tokens = equilibrium.prompt_tokens(x);
  const cost::Batch batch = lane.batch(std::max(decodes, 1e-9), tokens, tokens > 0 ? 1.0 : 0.0);
  const cost::StepTime time = step.time(batch);
  const std::optional<Joules> busy = step.energy(batch, time);
  const std::optional<Watts> idle = step.idle_power();
  if (!busy || !idle) return std::nullopt;
  return Watts(duty * busy->raw() / std::max(1e-12, time.stage.raw())) + *idle * (1.0 - duty);
}

SteadyState latencies_of(const Equilibrium<LaneStep>& equilibrium, const Workload& work,
                         const Equilibrium<LaneStep>::Latency& latency) {
  SteadyState state;
  state.max_requests_per_second = equilibrium.lambda_max();
  state.utilisation = latency.rate / equilibrium.lambda_max();
  state.output_tokens_per_second = latency.rate * work.output_tokens;
  state.batch = latency.batch;
  state.ttft_mean = Seconds(latency.ttft_mean);
  state.ttft_p95 = Seconds(latency.ttft_p95);
  state.wait_mean = Seconds(latency.wait);
  state.prompt_mean = Seconds(latency.prompt);
  if (work.output_tokens > 1.0) {
    state.tpot_mean = Seconds(latency.tpot_mean);
    state.tpot_p95 = Seconds(latency.tpot_p95);
  }
  state.e2e_mean = Seconds(latency.e2e_mean);
  state.e2e_p95 = Seconds(latency.e2e_p95);
  return state;
}

}  // namespace

double EngineLimits::batch_cap() const { return std::min(max_sequences, kv_sequences); }

double mean_tokens_held(const Workload& work) { return mean_context(work); }

namespace {

/// No request fits.
SteadyState nothing_served() {
  SteadyState state;
  state.saturated = true;
  state.utilisation = 1.0;
  return state;
}

/// The public record of an operating point with x prompts per step.
SteadyState state_of(const cost::StepModel& step, const LaneStep& lane,
                     const Equilibrium<LaneStep>& equilibrium, const Workload& work,
                     const Equilibrium<LaneStep>::Latency& latency, double x) {
  SteadyState state = latencies_of(equilibrium, work, latency);
  state.bound =
      step.time(lane.batch(1.0 + equilibrium.decode_steps() * x, equilibrium.prompt_tokens(x), 1.0))
          .bound();
  state.power = mean_power(step, lane, equilibrium, x, -std::expm1(-latency.batch));
  return state;
}

}  // namespace

SteadyState steady_state(const cost::StepModel& step, const Workload& work,
                         const EngineLimits& limits, double requests_per_second) {
  if (limits.batch_cap() < 1.0) return nothing_served();
  const LaneStep lane(step, work);
  const Equilibrium<LaneStep> equilibrium(input_of(step, work, limits), lane);
  if (requests_per_second < equilibrium.lambda_max()) {
    return state_of(step, lane, equilibrium, work, equilibrium.latency(requests_per_second),
                    equilibrium.solve(requests_per_second));
  }
  SteadyState state;
  state.saturated = true;
  state.max_requests_per_second = equilibrium.lambda_max();
  state.utilisation = requests_per_second / equilibrium.lambda_max();
  state.output_tokens_per_second = equilibrium.lambda_max() * work.output_tokens;
  const double x = equilibrium.x_cap();
  state.batch = equilibrium.cap() * static_cast<double>(step.deployment().pp);
  state.bound =
      step.time(lane.batch(equilibrium.decode_steps() * x, equilibrium.prompt_tokens(x), 1.0))
          .bound();
  state.power = mean_power(step, lane, equilibrium, x, 1.0);
  return state;
}

bool meets(const SteadyState& state, const Slo& slo, Miss* miss) {
  struct Target {
    const char* name;
    const std::optional<Seconds>&value, &limit;
  };
  const Target targets[] = {{"ttft_p95", state.ttft_p95, slo.ttft_p95},
                            {"tpot_p95", state.tpot_p95, slo.tpot_p95},
                            {"ttft_mean", state.ttft_mean, slo.ttft_mean},
                            {"tpot_mean", state.tpot_mean, slo.tpot_mean},
                            {"e2e_p95", state.e2e_p95, slo.e2e_p95}};
  if (state.saturated) {
    if (miss != nullptr)
      *miss = {.target = "utilisation", .value = state.utilisation, .limit = 1.0};
    return false;
  }
  for (const Target& target : targets) {
    if (!target.limit || !target.value || *target.value <= *target.limit) continue;
    if (miss != nullptr)
      *miss = {.target = target.name, .value = target.value->raw(), .limit = target.limit->raw()};
    return false;
  }
  return true;
}

SustainedRate sustained_rate(const cost::StepModel& step, const Workload& work,
                             const EngineLimits& limits, const Slo& slo, double max_utilisation) {
  constexpr double kLightest = 1e-6;    // share of capacity taken as "no load"
  constexpr double kPrecision = 0.005;  // of the rate (serving.md §2.6)
  SustainedRate result;
  if (limits.batch_cap() < 1.0) {
    result.state = nothing_served();
    result.miss = {.target = "memory", .value = 1.0, .limit = limits.batch_cap()};
    return result;
  }
  const LaneStep lane(step, work);
  const Equilibrium<LaneStep> equilibrium(input_of(step, work, limits), lane);
  // The search runs over prompts per step, in which the rate is explicit and every latency
  // monotone.
  const double most = equilibrium.lambda_max() * std::min(max_utilisation, 1.0 - 1e-9),
               least = kLightest * equilibrium.lambda_max();
  double low = equilibrium.solve(least), high = equilibrium.solve(most);
  const Equilibrium<LaneStep>::Latency lightest = equilibrium.latency(least);
  if (!meets(latencies_of(equilibrium, work, lightest), slo, &result.miss)) {
    result.state = state_of(step, lane, equilibrium, work, lightest, low);
    return result;
  }
  const Equilibrium<LaneStep>::Latency heaviest = equilibrium.latency(most);
  if (meets(latencies_of(equilibrium, work, heaviest), slo, &result.miss)) {
    result.requests_per_second = heaviest.rate;
    result.state = state_of(step, lane, equilibrium, work, heaviest, high);
    result.miss = {
        .target = "utilisation", .value = result.state.utilisation, .limit = max_utilisation};
    return result;
  }
  Equilibrium<LaneStep>::Latency best = lightest;
  while (high - low > kPrecision * high) {
    const double middle = high > 8.0 * low ? std::sqrt(high * low) : 0.5 * (low + high);
    const Equilibrium<LaneStep>::Latency latency = equilibrium.latency_at(middle);
    if (meets(latencies_of(equilibrium, work, latency), slo, &result.miss)) {
      low = middle;
      best = latency;
    } else {
      high = middle;
    }
  }
  result.requests_per_second = best.rate;
  result.state = state_of(step, lane, equilibrium, work, best, low);
  return result;
}

SteadyState full_throughput(const cost::StepModel& step, const Workload& work,
                            const EngineLimits& limits) {
  if (limits.batch_cap() < 1.0) return nothing_served();
  const LaneStep lane(step, work);
  const Equilibrium<LaneStep> equilibrium(input_of(step, work, limits), lane);
  const double x = equilibrium.x_cap();
  SteadyState state;
  state.utilisation = 1.0;
  state.max_requests_per_second = equilibrium.lambda_max();
  state.output_tokens_per_second = equilibrium.lambda_max() * work.output_tokens;
  state.batch = std::min(limits.batch_cap(), x * std::max(1.0, work.output_tokens) *
                                                 static_cast<double>(step.deployment().pp));
  const double token = equilibrium.full().mean + step.engine().per_output_token.raw();
  if (work.output_tokens > 1.0) state.tpot_mean = state.tpot_p95 = Seconds(token);
  state.bound =
      step.time(lane.batch(equilibrium.decode_steps() * x, equilibrium.prompt_tokens(x), 1.0))
          .bound();
  state.power = mean_power(step, lane, equilibrium, x, 1.0);
  return state;
}

}  // namespace portolan::serving
