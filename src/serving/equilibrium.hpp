// The fixed point of an engine in equilibrium, over any step function; private to this room and its
// tests.
#pragma once

#include <algorithm>
#include <array>
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
  double per_prompt = 0;          // seconds that one more prompt adds to it
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

  /// Step mixture at `decodes` running requests and x arrivals per step (Poisson): each number of
  /// prompts for itself, since steps are not linear in them (captured graphs end at a size), the
  /// rare large ones together. A prompt that exceeds the budget spreads over steps.
  [[nodiscard]] Mixture mixture(double decodes, double x) const {
    constexpr int kApart = 2;
    constexpr double kRare = 1e-6;
    const double plain = step_(decodes, 0.0, 0.0);
    if (x <= 0 || in_.uncached_tokens <= 0) return {plain, 0.0, 0.0};
    const double room = std::max(1.0, in_.token_budget - decodes);
    double first = 0, second = 0, mixed = 0;  // moments of what prompts add, sum of k times it
    const auto add = [&](double chance, double prompts, double spread) {
      const double wanted = prompts * in_.uncached_tokens;
      const double tokens = std::min(wanted, room);
      const double with = step_(decodes, tokens, std::max(1.0, tokens / in_.uncached_tokens));
      const double excess = wanted / tokens * (with - plain);
      const double each = excess / prompts;
      first += chance * excess;
      second += chance * (excess * excess + each * each * spread);
      mixed += chance * (prompts * excess + each * spread);
    };
    double chance = std::exp(-x), rest = 1.0 - chance, sum = x, squares = x * x + x;
    for (int k = 1; k <= kApart && rest > kRare; ++k) {
      chance *= x / k;
      add(chance, k, 0.0);
      rest -= chance;
      sum -= chance * k;
      squares -= chance * k * k;
    }
    if (rest > kRare)
      add(rest, sum / rest, std::max(0.0, squares / rest - sum / rest * sum / rest));
    Mixture m;
    m.mean = plain + first;
    m.variance = std::max(0.0, second - first * first);
    m.per_prompt = std::max(0.0, (mixed - x * first) / x);  // regression on the number of prompts
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
    for (int i = 0; i < 60 && high - low > 1e-8 * (high + low); ++i) {
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
      if (std::abs(f) <= 1e-8 * x) return x;
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
    // A longer step lets more prompts arrive, which make the next one longer: deviations from the
    // mean fade by `carry` from step to step (two steps when the next one is composed already),
    // and the variance of independent steps grows by 1 / (1 - carry²).
    const double carry = std::min(0.98, x * step.per_prompt / step.mean);
    const double variance = step.variance / (1.0 - carry * carry);
    const double fading = in_.async_scheduling ? std::sqrt(carry) : carry;
    const double biased = variance / step.mean;  // steps in progress on arrival are the longer ones
    own += carry * biased;
    // What the steps after a request's own prompt are longer, in all: others came during it.
    const double wake = std::max(0.0, own - step.mean) * carry / (1.0 - carry);
    const double decode_time = decode_steps() * step.mean + wake * (1.0 - faded(fading));
    const double residence = own + decode_time;
    // Nobody waits for a step when the engine is idle: probability exp(-lambda R).
    const double lane_load = lambda / in_.lanes * residence;
    const double busy = -std::expm1(-lane_load);
    const double cv2 = variance / (step.mean * step.mean);
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
    // Other prompts in the step a request waits for and in its own; where in a step it arrived,
    // which is rather one of the long ones (as if gamma-distributed) and leads to more prompts in
    // the request's own; its own length.
    const double per_prompt = in_.uncached_tokens > 0 ? std::max(0.0, own - step.mean) : 0.0;
    const double other_prompts = busy * x * (1.0 + cv2 + (in_.async_scheduling ? 1.0 : 0.0));
    const double apart =
        std::sqrt(busy * step.mean * step.mean * (1.0 / 12.0 + cv2 * (0.5 + cv2 * 5.0 / 12.0)));
    const double over = 1.0 / (1.0 - carry * carry);
    const double alone = prompts_p95(other_prompts, over, step.per_prompt,
                                     apart * apart + per_prompt * per_prompt * in_.input_cv2);
    const double together = std::sqrt(other_prompts * over) * step.per_prompt * apart;
    const double base_excess = std::sqrt(alone * alone + 2.0 * kZ95 * kZ95 * carry * together);
    const double queue_p95 = delayed > 0.05 ? conditional * std::log(delayed / 0.05) : 0.0;
    const double queue_excess = std::max(0.0, queue_p95 - out.queue);
    out.ttft_p95 =
        out.ttft_mean + std::sqrt(base_excess * base_excess + queue_excess * queue_excess);

    out.batch = std::min(cap() * in_.lanes, lambda * residence);
    if (decode_steps() > 0) {
      // A request averages the batch over its life: 2/3 of the Poisson variance of the requests
      // beside it.
      const double deviation = others > 0 ? std::sqrt(2.0 / 3.0 / others) : 0.0;
      const double of_batch =
          std::max(0.0, seen(std::min(x_cap_, x * (1.0 + kZ95 * deviation))).mean - step.mean) /
          kZ95;
      pace(out, token, wake, fading, variance * (1.0 + carry) / (1.0 - carry), of_batch);
    }
    const double decoding = decode_time + decode_steps() * in_.per_token_seconds;
    out.e2e_mean = out.ttft_mean + decoding + in_.after_seconds;
    // The 95th percentile of a length with this variability, taken as a gamma-like tail.
    const double length_excess = decoding * kZ95 * std::sqrt(in_.output_cv2);
    const double first_excess = out.ttft_p95 - out.ttft_mean;
    const double pace_excess = decode_steps() * (out.tpot_p95 - out.tpot_mean);
    out.e2e_p95 = out.e2e_mean + std::sqrt(length_excess * length_excess +
                                           first_excess * first_excess + pace_excess * pace_excess);
    return out;
  }

  /// Share of decode steps' lengths between requests: 0 all alike, 1 geometric.
  [[nodiscard]] double uneven() const { return std::min(1.0, std::sqrt(in_.output_cv2)); }
  /// Mean of q^n over requests with n decode steps.
  [[nodiscard]] double faded(double q) const {
    const double p = 1.0 / std::max(1.0, decode_steps());
    const double geometric = p * q / (1.0 - (1.0 - p) * q);
    const double equal = std::pow(q, decode_steps());
    return equal + uneven() * (geometric - equal);
  }

  /// Mean and 95th percentile of the time per output token: short requests feel the wake of their
  /// own prompt and a few steps' chance, long ones the mean step.
  void pace(Latency& out, double token, double wake, double fading, double of_steps,
            double of_batch) const {
    constexpr int kStrata = 8;
    std::array<double, kStrata> mean{}, deviation{};
    out.tpot_mean = 0;
    for (int i = 0; i < kStrata; ++i) {
      const double u = (i + 0.5) / kStrata;
      const double n = std::max(1.0, decode_steps() * (1.0 - uneven() - uneven() * std::log1p(-u)));
      mean[i] = token + wake * (1.0 - std::pow(fading, n)) / n;
      deviation[i] = std::sqrt(of_steps / n + of_batch * of_batch);
      out.tpot_mean += mean[i] / kStrata;
    }
    out.tpot_p95 = std::max(out.tpot_mean, quantile95(
                                               [&](double t) {
                                                 double above = 0;
                                                 for (int i = 0; i < kStrata; ++i)
                                                   above +=
                                                       tail(t - mean[i], deviation[i]) / kStrata;
                                                 return above;
                                               },
                                               out.tpot_mean));
  }

  /// How far the 95th percentile of a number of prompts, each `seconds` long, is above its mean;
  /// negative binomial of `mean` and variance over mean `over`, beside noise of variance `noise`.
  [[nodiscard]] static double prompts_p95(double mean, double over, double seconds, double noise) {
    constexpr int kMost = 24;
    const double deviation = std::sqrt(noise);
    if (!(mean > 0) || !(seconds > 0)) return 1.6448536269514722 * deviation;
    if (mean * over > 8) {
      return 1.6448536269514722 * std::sqrt(noise + mean * over * seconds * seconds);
    }
    std::array<double, kMost> chance{};
    const double extra = over - 1.0;
    double now = extra > 1e-6 ? std::pow(over, -mean / extra) : std::exp(-mean), sum = 0;
    int terms = 0;
    for (int k = 0; k < kMost && sum < 1.0 - 1e-7; ++k, ++terms) {
      chance[k] = now;
      sum += now;
      now *= extra > 1e-6 ? (mean / extra + k) / (k + 1) * (1.0 - 1.0 / over) : mean / (k + 1);
    }
    return quantile95(
        [&](double t) {
          double above = 1.0 - sum;
          for (int k = 0; k < terms; ++k)
            above += chance[k] * tail(t - (k - mean) * seconds, deviation);
          return above;
        },
        deviation + seconds);
  }

  /// Chance of a normal variable of mean 0 to be above t.
  [[nodiscard]] static double tail(double t, double deviation) {
    if (t > 5.0 * deviation) return 0.0;
    if (t < -5.0 * deviation || deviation <= 0) return 1.0;
    return 0.5 * std::erfc(t / deviation * 0.7071067811865476);
  }
  /// Root of above(t) = 0.05, t >= 0; `scale` is where the search begins.
  template <class Above>
  [[nodiscard]] static double quantile95(Above above, double scale) {
    constexpr double kAbove = 0.05, kClose = 1e-9;
    double low = 0, high = std::max(1e-9, scale);
    double f_low = above(low) - kAbove, f_high = above(high) - kAbove;
    if (f_low <= 0) return 0;
    while (f_high > 0 && high < 1e9) {
      low = high;
      f_low = f_high;
      high *= 2.0;
      f_high = above(high) - kAbove;
    }
    for (int i = 0; i < 24; ++i) {  // secants that keep the bracket, the stale end halved
      const double t = (low * f_high - high * f_low) / (f_high - f_low);
      const double f = above(t) - kAbove;
      if (std::abs(f) < kClose) return t;
      if (f > 0) {
        low = t;
        f_low = f;
        f_high *= 0.5;
      } else {
        high = t;
        f_high = f;
        f_low *= 0.5;
      }
    }
    return 0.5 * (low + high);
  }

  EquilibriumInput in_;
  Step step_;
  double x_cap_ = 0, lambda_max_ = 0;
  Mixture full_;
};

}  // namespace portolan::serving
