// The fixed point of an engine in equilibrium, over any step function; private to this room and its
// tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

namespace portolan::serving {

/// What the fixed point needs of the workload and the engine, as plain numbers (seconds, tokens).
struct EquilibriumInput {
  double uncached_tokens = 0;  // P_u, prompt tokens that are computed
  double output_tokens = 0;    // O
  double batch_cap = 1;        // B*, requests in service
  double token_budget = 8192;  // per step
  double lanes = 1;            // pipeline stages: batches in flight
  double output_cv2 = 1, input_cv2 = 0;
  double front_seconds = 0, after_seconds = 0, per_token_seconds = 0;
  bool async_scheduling = false;
};

/// Duration of a step in one lane: decoding requests, prompt tokens computed, prompts they belong
/// to. Returns the time until the same lane can start its next step.
///   double step(double decodes, double prompt_tokens, double prompts)

struct Mixture {
  double mean = 0, variance = 0;  // of the step duration
};

/// Everything is a function of x, the prompts that arrive per step of a lane: B = O' x decode
/// (serving.md §2.2).
template <class Step>
class Equilibrium {
 public:
  Equilibrium(const EquilibriumInput& in, Step step) : in_(in), step_(step) {
    const double budget_bound =
        (in_.token_budget - 1.0) / std::max(1.0, in_.uncached_tokens + decode_steps());
    x_cap_ = std::min(cap() / std::max(1.0, in_.output_tokens), std::max(1e-9, budget_bound));
    full_ = mixture(decode_steps() * x_cap_, x_cap_);
    lambda_max_ = in_.lanes * x_cap_ / full_.mean;
  }

  [[nodiscard]] double decode_steps() const { return std::max(0.0, in_.output_tokens - 1.0); }
  [[nodiscard]] double cap() const { return std::max(1.0, in_.batch_cap / in_.lanes); }
  [[nodiscard]] double x_cap() const { return x_cap_; }
  [[nodiscard]] double lambda_max() const { return lambda_max_; }
  [[nodiscard]] const Mixture& full() const { return full_; }

  /// Step mixture at `decodes` running requests and x arrivals per step (Poisson): steps without a
  /// prompt, and the mean of those with one or more; a prompt that exceeds the budget spreads over
  /// steps.
  [[nodiscard]] Mixture mixture(double decodes, double x) const {
    const double plain = step_(decodes, 0.0, 0.0);
    if (x <= 0 || in_.uncached_tokens <= 0) return {plain, 0.0};
    const double some = -std::expm1(-x);
    const double room = std::max(1.0, in_.token_budget - decodes);
    const double wanted =
        x / some * in_.uncached_tokens;  // mean prompt tokens of a step that has any
    const double tokens = std::min(wanted, room);
    const double busy = std::min(1.0, x * in_.uncached_tokens / tokens);
    const double with = step_(decodes, tokens, std::max(1.0, tokens / in_.uncached_tokens));
    Mixture m;
    m.mean = plain + busy * (with - plain);
    const double slope = (with - plain) * in_.uncached_tokens / tokens;  // per prompt
    const double spread =
        tokens < room ? std::max(0.0, (x + x * x) / some - (x / some) * (x / some)) : 0.0;
    m.variance = (1.0 - busy) * (plain - m.mean) * (plain - m.mean) +
                 busy * ((with - m.mean) * (with - m.mean) + slope * slope * spread);
    return m;
  }
  /// Mean prompt tokens per step.
  [[nodiscard]] double prompt_tokens(double x) const {
    return std::min(x * in_.uncached_tokens, in_.token_budget);
  }
  /// As a served request sees it: itself plus the others (PASTA).
  [[nodiscard]] Mixture seen(double x) const {
    return mixture(std::min(cap(), 1.0 + decode_steps() * x), x);
  }

  /// x at arrival rate lambda: the root of lanes · x = lambda · T(x), bracketed and bisected with
  /// secant steps. Needs lambda < lambda_max.
  [[nodiscard]] double solve(double lambda) const {
    const double per_lane = lambda / in_.lanes;
    const auto excess = [&](double x) {
      return x - per_lane * seen(x).mean;
    };  // negative below the root
    double low = 0, high = x_cap_;
    double f_low = excess(low), f_high = excess(high);
    if (f_high <= 0) return x_cap_;
    int last = 0;
    for (int i = 0; i < 60 && high - low > 1e-10 * (high + low); ++i) {
      double x = (low * f_high - high * f_low) / (f_high - f_low);
      if (!(x > low && x < high)) x = 0.5 * (low + high);
      const double f = excess(x);
      if (f < 0) {
        low = x;
        f_low = f;
        if (last < 0) f_high *= 0.5;  // Illinois: keeps the other end moving
        last = -1;
      } else {
        high = x;
        f_high = f;
        if (last > 0) f_low *= 0.5;
        last = 1;
      }
      if (std::abs(f) <= 1e-10 * x) return x;
    }
    return 0.5 * (low + high);
  }

  struct Latency {
    double rate = 0;    // requests per second
    double batch = 0;   // mean requests in service, all lanes
    double step = 0;    // T
    double queue = 0;   // mean wait for a slot
    double wait = 0;    // mean from the engine's queue to the request's first step
    double prompt = 0;  // mean from there to its first token
    double ttft_mean = 0, ttft_p95 = 0, tpot_mean = 0, tpot_p95 = 0, e2e_mean = 0, e2e_p95 = 0;
  };

  /// Latencies at arrival rate lambda < lambda_max.
  [[nodiscard]] Latency latency(double lambda) const { return latency_at(solve(lambda), lambda); }
  /// Latencies with x prompts per step, 0 < x <= x_cap: the same without solving for x.
  [[nodiscard]] Latency latency_at(double x) const {
    return latency_at(x, std::min(in_.lanes * x / seen(x).mean, lambda_max_ * (1.0 - 1e-12)));
  }

 private:
  [[nodiscard]] Latency latency_at(double x, double lambda) const {
    constexpr double kZ95 = 1.6448536269514722;
    Latency out;
    out.rate = lambda;
    const Mixture step = seen(x);
    out.step = step.mean;
    const double others = decode_steps() * x;

    // Own prefill: whole chunks at the full budget, then the step with the rest and whoever else
    // arrived.
    const double room = std::max(1.0, in_.token_budget - others);
    const double chunks = std::max(1.0, std::ceil(in_.uncached_tokens / room));
    const double rest = in_.uncached_tokens - (chunks - 1.0) * room;
    double own = step.mean;
    if (in_.uncached_tokens > 0) {
      const double last_tokens = std::min(room, rest + x * in_.uncached_tokens);
      own = (chunks - 1.0) * (chunks > 1.0 ? step_(others, room, 1.0) : 0.0) +
            step_(others, last_tokens, std::max(1.0, last_tokens / in_.uncached_tokens));
    }
    const double token = step.mean + in_.per_token_seconds;
    const double residence = own + decode_steps() * step.mean;
    // Nobody waits for a step when the engine is idle: probability exp(-lambda R).
    const double lane_load = lambda / in_.lanes * residence;
    const double busy = -std::expm1(-lane_load);
    const double cv2 = step.variance / (step.mean * step.mean);
    const double residual = busy * 0.5 * step.mean * (1.0 + cv2);
    const double pipeline = in_.async_scheduling ? busy * step.mean : 0.0;

    // Slots as servers: Halfin-Whitt delay probability, Allen-Cunneen for the variability of
    // residence times.
    const double servers = cap() * in_.lanes,
                 offered = std::min(lambda * residence, lambda / lambda_max_ * servers);
    const double rho = std::max(offered / servers, lambda / lambda_max_);
    const double beta = (1.0 - rho) * std::sqrt(servers);
    const double density = std::exp(-0.5 * beta * beta) * 0.3989422804014327;
    const double distribution = 0.5 * std::erfc(-beta * 0.7071067811865476);
    const double delayed = 1.0 / (1.0 + beta * distribution / density);
    const double variability = 0.5 * (1.0 + in_.output_cv2);
    const double conditional = residence / (servers * std::max(1e-12, 1.0 - rho)) * variability;
    out.queue = delayed * conditional;

    out.wait = residual + pipeline + out.queue;
    out.prompt = own;
    out.ttft_mean = in_.front_seconds + out.wait + out.prompt;
    const double per_prompt = in_.uncached_tokens > 0 ? std::max(0.0, own - step.mean) : 0.0;
    const double variance = busy * step.mean * step.mean * (1.0 / 12.0 + cv2 / 3.0) +
                            step.variance + per_prompt * per_prompt * in_.input_cv2 +
                            (in_.async_scheduling ? step.variance : 0.0);
    const double base_excess = kZ95 * std::sqrt(variance);
    const double queue_p95 = delayed > 0.05 ? conditional * std::log(delayed / 0.05) : 0.0;
    const double queue_excess = std::max(0.0, queue_p95 - out.queue);
    out.ttft_p95 =
        out.ttft_mean + std::sqrt(base_excess * base_excess + queue_excess * queue_excess);

    out.batch = in_.lanes * std::min(cap(), others + x * std::max(1.0, own / step.mean));
    if (decode_steps() > 0) {
      out.tpot_mean = token;
      // A request averages the batch over its life: 2/3 of the Poisson variance of the requests
      // beside it.
      const double deviation = others > 0 ? kZ95 * std::sqrt(2.0 / 3.0 / others) : 0.0;
      out.tpot_p95 = std::max(
          token, seen(std::min(x_cap_, x * (1.0 + deviation))).mean + in_.per_token_seconds);
    }
    const double decode_time = decode_steps() * out.tpot_mean;
    out.e2e_mean = out.ttft_mean + decode_time + in_.after_seconds;
    // The 95th percentile of a length with this variability, taken as a gamma-like tail.
    const double length_excess = decode_time * kZ95 * std::sqrt(in_.output_cv2);
    const double first_excess = out.ttft_p95 - out.ttft_mean;
    const double pace_excess = decode_steps() * (out.tpot_p95 - out.tpot_mean);
    out.e2e_p95 = out.e2e_mean + std::sqrt(length_excess * length_excess +
                                           first_excess * first_excess + pace_excess * pace_excess);
    return out;
  }

  EquilibriumInput in_;
  Step step_;
  double x_cap_ = 0, lambda_max_ = 0;
  Mixture full_;
};

}  // namespace portolan::serving
