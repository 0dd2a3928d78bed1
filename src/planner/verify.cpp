#include "planner/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"
#include "planner/ranking.hpp"
#include "planner/search.hpp"
#include "planner/trial.hpp"

namespace portolan::planner {
namespace {

constexpr int kSeeds = 4;
constexpr std::int64_t kMostReplicas = 4;  // simulated side by side
constexpr std::size_t kMostRounds = 4;
constexpr double kPrecision = 0.01, kSlack = 1e-9;
constexpr double kTenth = 0.1;  // a disagreement worth an explanation

// Plans whose replicas are the same thing under the same load share their simulations.
using Subject = std::tuple<const cost::StepModel*, const model::Architecture*, std::int64_t>;
Subject subject_of(const Plan& plan) {
  return {plan.step.get(), plan.architecture.get(), plan.replicas};
}

// What one seed says.
struct Sample {
  double rate = 0, capacity = 0;
  std::string binding;
  Trial planned;
  Trials::Makespan makespan;
  std::uint64_t requests = 0, simulations = 0;
};

// The mean of all seeds.
struct Proof {
  double rate = 0, capacity = 0;
  std::string binding;  // of the first seed
  Trial planned;
  double makespan = 0;
  std::uint64_t requests = 0, simulations = 0;
  std::string error;
};

double each_of(const Job& job, const Plan& plan) {
  return job.traffic.peak_requests_per_second / static_cast<double>(plan.replicas);
}

Result<Sample> serve(const Job& job, const Plan& plan, Trials& trials) {
  Sample sample;
  sample.capacity = PORTOLAN_TRY(trials.capacity());
  const double guess = plan.capacity_requests_per_second / static_cast<double>(plan.replicas);
  const auto trial = [&](double rate) -> Result<Trial> {
    const serving::SteadyState state =
        serving::steady_state(*plan.step, job.traffic.work, plan.limits, rate);
    Trial one = PORTOLAN_TRY(trials.at_rate(rate, state.batch));
    sample.requests += one.requests;
    ++sample.simulations;
    return one;
  };
  const auto probe = [&](double rate) -> Result<simulation::Probe> {
    return PORTOLAN_TRY(trial(rate)).probe;
  };
  const Result<simulation::SustainedLoad> load = simulation::sustained_load(
      probe, job.slo,
      {.guess = guess, .most = job.max_utilisation * sample.capacity, .precision = kPrecision});
  if (!load) return fail(load.error());
  sample.rate = load->requests_per_second;
  sample.binding = load->binding.target == "most" ? "utilisation" : load->binding.target;
  sample.planned = PORTOLAN_TRY(trial(each_of(job, plan)));
  return sample;
}

Result<Sample> batch(const Job& job, const Plan& plan, Trials& trials) {
  Sample sample;
  sample.makespan =
      PORTOLAN_TRY(trials.all_at_once(job.traffic.requests / static_cast<double>(plan.replicas)));
  sample.requests = sample.makespan.requests;
  sample.simulations = 1;
  sample.rate = sample.capacity = sample.makespan.steady;
  sample.binding = "capacity";
  return sample;
}

void add_share(Trial& sum, const Trial& one, double share) {
  const auto add = [share](simulation::Percentiles& to, const simulation::Percentiles& from) {
    to.mean += share * from.mean;
    to.p95 += share * from.p95;
  };
  add(sum.probe.latency.ttft, one.probe.latency.ttft);
  add(sum.probe.latency.tpot, one.probe.latency.tpot);
  add(sum.probe.latency.queue, one.probe.latency.queue);
  sum.probe.stable = sum.probe.stable && one.probe.stable;
  sum.batch += share * one.batch;
  sum.prompt_seconds += share * one.prompt_seconds;
  sum.preemptions += share * one.preemptions;
  sum.kv_share += share * one.kv_share;
}

Proof mean_of(const std::vector<Result<Sample>>& samples) {
  Proof proof;
  for (const Result<Sample>& sample : samples) {
    if (!sample) {
      proof.error = sample.error().message;
      return proof;
    }
    const double share = 1.0 / static_cast<double>(samples.size());
    proof.rate += share * sample->rate;
    proof.capacity += share * sample->capacity;
    proof.makespan += share * sample->makespan.seconds;
    proof.requests += sample->requests;
    proof.simulations += sample->simulations;
    add_share(proof.planned, sample->planned, share);
  }
  proof.binding = samples.front()->binding;
  return proof;
}

std::string ms(double seconds) { return duration_text(Seconds(seconds)); }
double off(double closed, double simulated) {
  return simulated > 0 ? closed / simulated - 1 : closed > 0 ? 1 : 0;
}

/// Where closed form and simulation part by more than a tenth, with the term that differs.
class Comparison {
 public:
  Comparison(const Job& job, const Plan& plan, const Proof& proof)
      : job_(job), plan_(plan), proof_(proof) {}

  void fill(Verification& v) {
    compare_rates(v);
    if (job_.kind == JobKind::kServe) {
      if (!v.stable) {
        largest_ = std::max(largest_, 1.0);
        say("as planned the queue only grows in simulation");
      } else {
        compare_latencies(v);
      }
    }
    v.disagreement = largest_;
    if (largest_ > kTenth) v.why = text_;
  }

 private:
  void say(const std::string& what) {
    if (!text_.empty()) text_ += "; ";
    text_ += what;
  }
  bool far(double closed, double simulated) {
    const double error = std::abs(off(closed, simulated));
    largest_ = std::max(largest_, error);
    return error > kTenth;
  }
  static std::string times(double closed, double simulated) {
    return fmt::format("{} simulated, {} in closed form", ms(simulated), ms(closed));
  }

  void compare_rates(const Verification& v) {
    if (far(v.rate_closed_form, v.rate)) {
      say(fmt::format("a replica sustains {} req/s simulated ({} binds), {} in closed form ({})",
                      significant(v.rate, 3), v.binding, significant(v.rate_closed_form, 3),
                      v.binding_closed_form));
    }
    if (std::abs(off(v.capacity_closed_form, v.capacity)) > kTenth) {
      say(fmt::format("it answers {} req/s at most, {} in closed form: {}",
                      significant(v.capacity, 3), significant(v.capacity_closed_form, 3),
                      proof_.planned.kv_share > 0.9
                          ? "the KV cache is full and requests are computed again"
                          : "steps of mixed sizes cost other than their mean"));
    }
  }

  void compare_latencies(const Verification& v) {
    const Trial& seen = proof_.planned;
    const simulation::Latencies& l = seen.probe.latency;
    const serving::SteadyState state =
        serving::steady_state(*plan_.step, job_.traffic.work, plan_.limits, each_of(job_, plan_));
    if (plan_.tpot_p95 && far(plan_.tpot_p95->raw(), v.tpot_p95->raw())) {
      std::string reason;
      if (seen.preemptions > 0.01) {
        reason = fmt::format("{} preemptions per request", significant(seen.preemptions, 2));
      } else if (std::abs(off(plan_.tpot_mean->raw(), l.tpot.mean)) > 0.5 * kTenth) {
        reason =
            fmt::format("the mean step is {} with {} requests in service",
                        times(plan_.tpot_mean->raw(), l.tpot.mean), significant(seen.batch, 3));
      } else {
        reason = fmt::format("the means agree, requests differ by {}x and {}x of them",
                             significant(v.tpot_p95->raw() / l.tpot.mean, 3),
                             significant(plan_.tpot_p95->raw() / plan_.tpot_mean->raw(), 3));
      }
      say(fmt::format("TPOT p95 {}: {}", times(plan_.tpot_p95->raw(), v.tpot_p95->raw()), reason));
    }
    if (plan_.ttft_p95 && far(plan_.ttft_p95->raw(), v.ttft_p95->raw())) {
      const double waits = state.wait_mean->raw(), prompts = state.prompt_mean->raw();
      // The part of the mean that differs in the same direction as the whole.
      const double way = v.ttft_p95->raw() > plan_.ttft_p95->raw() ? 1 : -1;
      const double wait_gap = way * (l.queue.mean - waits),
                   prompt_gap = way * (seen.prompt_seconds - prompts);
      std::string reason;
      if (std::max(wait_gap, prompt_gap) < 0.5 * kTenth * l.ttft.mean) {
        reason = fmt::format("the means agree ({}), the tails do not",
                             times(plan_.ttft_mean->raw(), l.ttft.mean));
      } else if (wait_gap >= prompt_gap) {
        reason = fmt::format("the wait for a step and a slot is {}", times(waits, l.queue.mean));
      } else {
        reason =
            fmt::format("the steps of the prompt take {}", times(prompts, seen.prompt_seconds));
      }
      say(fmt::format("TTFT p95 {}: {}", times(plan_.ttft_p95->raw(), v.ttft_p95->raw()), reason));
    }
  }

  const Job& job_;
  const Plan& plan_;
  const Proof& proof_;
  double largest_ = 0;
  std::string text_;
};

class Verifier {
 public:
  Verifier(PlanResult& result, const Market& market, const Filter& filter,
           const PlanOptions& options)
      : result_(result), job_(result.job), market_(market), filter_(filter), options_(options) {}

  Result<void> run() {
    std::vector<Plan>& plans = result_.plans;
    const std::size_t most = std::min(plans.size(), kMostRounds * options_.verify);
    std::size_t done = 0;
    while (done < most && (done == 0 || !settled(done))) {
      const std::size_t end = std::min(most, done + options_.verify);
      PORTOLAN_DO(simulate(done, end));
      for (; done < end; ++done) judge(plans[done]);
    }
    warn(done);
    put_in_order();
    result_.search.verified = done;
    return {};
  }

 private:
  static bool holds(const Plan& plan) {
    return plan.verified && plan.verified->verdict != Verdict::kFails;
  }
  static double proved_cost(const Plan& plan) {
    const Verification& v = *plan.verified;
    return v.usd_total ? v.usd_total->raw() : v.usd_per_hour.in(kUsdPerHour);
  }
  [[nodiscard]] std::optional<double> best() const {
    std::optional<double> cost;
    for (const Plan& plan : result_.plans) {
      if (holds(plan)) cost = std::min(cost.value_or(proved_cost(plan)), proved_cost(plan));
    }
    return cost;
  }
  // Nothing that was not simulated can win.
  [[nodiscard]] bool settled(std::size_t done) const {
    const std::optional<double> cost = best();
    return cost && (done >= result_.plans.size() || cost_of(result_.plans[done]) >= *cost);
  }

  Result<void> simulate(std::size_t from, std::size_t to) {
    std::vector<const Plan*> subjects;
    for (std::size_t i = from; i < to; ++i) {
      const Plan& plan = result_.plans[i];
      if (plan.step && proofs_.try_emplace(subject_of(plan)).second) subjects.push_back(&plan);
    }
    std::vector<std::vector<Result<Sample>>> samples(subjects.size(),
                                                     std::vector<Result<Sample>>(kSeeds, Sample{}));
    std::mutex mutex;
    std::size_t finished = 0;
    std::atomic<bool> cancelled = false;
    parallel_for(subjects.size() * kSeeds, options_.threads, [&](std::size_t task) {
      if (cancelled || (options_.cancelled && options_.cancelled())) {
        cancelled = true;
        return;
      }
      const Plan& plan = *subjects[task / kSeeds];
      samples[task / kSeeds][task % kSeeds] = sample(plan, task % kSeeds + 1);
      if (!options_.progress) return;
      const std::scoped_lock lock(mutex);
      options_.progress(fmt::format("verifying: {} of {} simulations of plans {} to {}", ++finished,
                                    subjects.size() * kSeeds, from + 1, to));
    });
    if (cancelled) return fail(ErrorCode::kCancelled, "planning cancelled");
    for (std::size_t i = 0; i < subjects.size(); ++i) {
      Proof& proof = proofs_[subject_of(*subjects[i])] = mean_of(samples[i]);
      result_.search.simulated_requests += proof.requests;
    }
    return {};
  }

  [[nodiscard]] Result<Sample> sample(const Plan& plan, std::uint64_t seed) const {
    const bool serves = job_.kind == JobKind::kServe;
    Trials trials =
        PORTOLAN_TRY(Trials::make(*plan.architecture, *plan.step, job_.traffic.work, plan.limits,
                                  serves ? std::min(plan.replicas, kMostReplicas) : 1, seed));
    return serves ? serve(job_, plan, trials) : batch(job_, plan, trials);
  }

  static std::int64_t instances_of(const Plan& plan, std::int64_t replicas) {
    if (plan.instances_per_replica > 1) return replicas * plan.instances_per_replica;
    return (replicas + plan.replicas_per_instance - 1) / plan.replicas_per_instance;
  }

  void judge(Plan& plan) const {
    if (!plan.step) return;
    const Proof& proof = proofs_.at(subject_of(plan));
    Verification v;
    v.seeds = kSeeds;
    v.requests = proof.requests;
    v.simulations = proof.simulations;
    v.replicas = plan.replicas;
    v.instances = plan.nodes;
    v.usd_per_hour = plan.usd_per_hour;
    v.usd_total = plan.usd_total;
    if (!proof.error.empty()) {
      v.verdict = Verdict::kFails;
      v.why = proof.error;
      plan.verified = std::move(v);
      return;
    }
    v.rate = proof.rate;
    v.capacity = proof.capacity;
    v.binding = proof.binding;
    if (job_.kind == JobKind::kServe) {
      judge_serving(plan, proof, v);
    } else {
      judge_batch(plan, proof, v);
    }
    Comparison(job_, plan, proof).fill(v);
    if (!(v.rate > 0)) {
      v.verdict = Verdict::kFails;
      v.why = fmt::format("in simulation {} is missed at any load{}{}", v.binding,
                          v.why.empty() ? "" : "; ", v.why);
    } else {
      price_proved(plan, v);
    }
    plan.verified = std::move(v);
  }

  void judge_serving(const Plan& plan, const Proof& proof, Verification& v) const {
    const serving::SustainedRate closed = serving::sustained_rate(
        *plan.step, job_.traffic.work, plan.limits, job_.slo, job_.max_utilisation);
    v.rate_closed_form = closed.requests_per_second;
    v.binding_closed_form = closed.miss.target;
    v.capacity_closed_form = closed.state.max_requests_per_second;
    v.replicas_simulated = std::min(plan.replicas, kMostReplicas);
    v.stable = proof.planned.probe.stable;
    v.batch = proof.planned.batch;
    const simulation::Latencies& l = proof.planned.probe.latency;
    if (v.stable) {
      v.ttft_p95 = Seconds(l.ttft.p95);
      v.ttft_mean = Seconds(l.ttft.mean);
      if (plan.tpot_p95) {
        v.tpot_p95 = Seconds(l.tpot.p95);
        v.tpot_mean = Seconds(l.tpot.mean);
      }
    }
    if (v.rate > 0) {
      const double wanted = job_.traffic.peak_requests_per_second / v.rate;
      v.replicas = std::max<std::int64_t>(
                       1, static_cast<std::int64_t>(std::ceil(std::min(wanted, 1e12) - kSlack))) +
                   job_.spare_replicas;
    }
    v.instances = instances_of(plan, v.replicas);
  }

  void judge_batch(const Plan& plan, const Proof& proof, Verification& v) const {
    v.rate_closed_form = v.capacity_closed_form =
        serving::full_throughput(*plan.step, job_.traffic.work, plan.limits)
            .max_requests_per_second;
    v.binding_closed_form = "capacity";
    // Instances of spot offers are away for a share of the time.
    const double present = plan.capacity_requests_per_second /
                           (v.rate_closed_form * static_cast<double>(plan.replicas));
    Seconds working(proof.makespan / present);
    if (job_.deadline && kStartUp + working > *job_.deadline) {
      const Seconds left = *job_.deadline - kStartUp;
      const double more = std::ceil(static_cast<double>(plan.nodes) * (working / left) - kSlack);
      const std::int64_t span = plan.instances_per_replica;
      v.instances = (static_cast<std::int64_t>(std::min(more, 1e12)) + span - 1) / span * span;
      v.replicas = v.instances / span * plan.replicas_per_instance;
      working = working * (static_cast<double>(plan.nodes) / static_cast<double>(v.instances));
    }
    v.duration = kStartUp + working;
  }

  void price_proved(const Plan& plan, Verification& v) const {
    Solution solution;
    solution.plan = plan;
    solution.plan.replicas = v.replicas;
    solution.plan.duration = v.duration ? v.duration : plan.duration;
    solution.duration_low = solution.duration_high = solution.plan.duration;
    solution.instances = solution.instances_low = solution.instances_high = v.instances;
    const Plan proved = price(job_, *plan.offer, market_.provider(plan.offer->provider), solution);
    v.usd_per_hour = proved.usd_per_hour;
    v.usd_total = proved.usd_total;
    v.verdict = v.instances > plan.nodes   ? Verdict::kMore
                : v.instances < plan.nodes ? Verdict::kFewer
                                           : Verdict::kConfirmed;
    if (const auto cap = over_cap(job_, proved, filter_.quota(*plan.offer))) {
      v.verdict = Verdict::kFails;
      v.why = fmt::format("it {}{}{}", cap->lacked, v.why.empty() ? "" : "; ", v.why);
    }
  }

  void warn(std::size_t done) {
    const std::optional<double> cost = best();
    if (!cost) {
      result_.warnings.push_back(
          fmt::format("none of the {} cheapest plans holds in simulation: raise --verify", done));
    } else if (!settled(done)) {
      result_.warnings.push_back(
          fmt::format("plans that were not simulated cost less on paper than the cheapest proved "
                      "one: raise --verify above {}",
                      options_.verify));
    }
    for (std::size_t i = 0; i < done; ++i) {
      const Plan& plan = result_.plans[i];
      if (!plan.verified || plan.verified->disagreement <= kTenth) continue;
      result_.warnings.push_back(
          fmt::format("{}: closed form and simulation disagree by {} %: {}", plan_text(job_, plan),
                      significant(100 * plan.verified->disagreement, 2), plan.verified->why));
    }
  }

  void put_in_order() {
    const bool some = best().has_value();
    const auto key = [&](const Plan& plan) {
      if (holds(plan)) return std::tuple(0, proved_cost(plan), plan.rank);
      if (plan.verified) return std::tuple(some ? 1 : 3, cost_of(plan), plan.rank);
      return std::tuple(2, cost_of(plan), plan.rank);
    };
    std::sort(result_.plans.begin(), result_.plans.end(),
              [&](const Plan& a, const Plan& b) { return key(a) < key(b); });
    int rank = 0;
    for (Plan& plan : result_.plans) plan.rank = ++rank;
    result_.rank_flips_at_percent.reset();
    if (result_.plans.size() > 1 && holds(result_.plans[0])) {
      const Plan& second = result_.plans[1];
      const double rival = holds(second) ? proved_cost(second) : cost_of(second);
      if (holds(second) || !second.verified) {
        result_.rank_flips_at_percent =
            std::max(0.0, 100 * (rival / proved_cost(result_.plans[0]) - 1));
      }
    }
  }

  PlanResult& result_;
  const Job& job_;
  const Market& market_;
  const Filter& filter_;
  const PlanOptions& options_;
  std::map<Subject, Proof> proofs_;  // looked up only, never walked
};

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  constexpr std::string_view kNames[] = {"confirmed", "fewer_replicas", "more_replicas", "fails"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Result<void> verify(PlanResult& result, const Market& market, const Filter& filter,
                    const PlanOptions& options) {
  if (is_training(result.job.kind)) {
    result.warnings.emplace_back("only serving and batch jobs are simulated: --verify did nothing");
    return {};
  }
  return Verifier(result, market, filter, options).run();
}

}  // namespace portolan::planner
