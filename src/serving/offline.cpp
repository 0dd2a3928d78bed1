#include "serving/offline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <span>
#include <vector>

namespace portolan::serving {
namespace {

/// Requests whose prompts ended in the same step: they decode and end together.
struct Cohort {
  double count = 0;
  double context = 0;      // tokens in the cache of each
  double remaining = 0;    // outputs still to come
  double arrival = 0;      // mean
  double first_token = 0;  // time
};

struct Sample {
  double value = 0, weight = 0;
};

double weighted_quantile(std::span<const Sample> sorted, double total, double q) {
  double below = 0;
  for (const Sample& s : sorted) {
    below += s.weight;
    if (below >= q * total) return s.value;
  }
  return sorted.back().value;
}

Spread spread_of(std::vector<Sample>& samples) {
  Spread spread;
  if (samples.empty()) return spread;
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return a.value != b.value ? a.value < b.value : a.weight < b.weight;
  });
  double total = 0, sum = 0;
  for (const Sample& s : samples) {
    total += s.weight;
    sum += s.weight * s.value;
  }
  spread.mean = sum / total;
  spread.p50 = weighted_quantile(samples, total, 0.50);
  spread.p90 = weighted_quantile(samples, total, 0.90);
  spread.p95 = weighted_quantile(samples, total, 0.95);
  spread.p99 = weighted_quantile(samples, total, 0.99);
  return spread;
}

/// Data-parallel ranks of attention under one set of experts; each schedules for itself.
double attention_ranks(const cost::Deployment& deployment) {
  return deployment.ep > deployment.tp ? static_cast<double>(deployment.ep) / deployment.tp : 1.0;
}

/// One lane of the pipeline of one data-parallel rank: all are alike, each has its share of
/// requests and limits.
class Lane {
 public:
  Lane(const cost::StepModel& step, const OfflineJob& job, const OfflineLimits& limits)
      : step_(step),
        job_(job),
        lanes_(step.deployment().pp),
        shares_(lanes_ * attention_ranks(step.deployment())),
        requests_(std::max(1.0, std::ceil(job.requests / shares_))),
        outputs_(std::max(1.0, job.output_tokens)),
        uncached_(std::clamp(job.input_tokens * (1.0 - job.cached_share), 1.0,
                             std::max(1.0, job.input_tokens))),
        spacing_(job.spacing * shares_),
        full_(job.input_tokens + outputs_),
        whole_(limits.whole_sequences / shares_),
        budget_(std::max(1.0, limits.max_batched_tokens)),
        prefill_first_(step.engine().prefill == cost::PrefillPolicy::kFirst),
        reserves_(step.engine().reserves_outputs) {
    slots_ = std::max(1.0, std::floor(limits.max_sequences / shares_));
    if (reserves_) slots_ = std::min(slots_, std::max(1.0, std::floor(whole_)));
  }

  OfflineRun run() {
    while (finished_ < requests_) {
      const double prompt_tokens = plan_prompts();
      if (prompt_tokens <= 0 && cohorts_.empty()) {  // nothing to do before the next arrival
        now_ = std::max(now_, spacing_ * admitted_);
        continue;
      }
      if (prompt_tokens > 0) {
        prompt_step(prompt_tokens);
      } else {
        decode_steps();
      }
      end_finished();
      preempt();
    }
    return result();
  }

 private:
  [[nodiscard]] double arrived() const {
    return spacing_ > 0 ? std::min(requests_, std::floor(now_ / spacing_ + 1e-9) + 1.0) : requests_;
  }
  /// Cache in use, in requests of full length.
  [[nodiscard]] double used() const {
    double tokens = 0;
    for (const Cohort& c : cohorts_) tokens += c.count * c.context;
    return (tokens + partial_) / full_;
  }

  /// Prompt tokens of the next step; sets `starting_`, the prompts they may belong to.
  double plan_prompts() {
    const double waiting = arrived() - admitted_;
    starting_ = std::max(0.0, std::min(waiting, std::floor(slots_ - running_ - preempted())));
    const double room = prefill_first_ ? budget_ : std::max(0.0, budget_ - running_);
    if (room < 1.0) return 0;
    if (!resumed_.empty()) {  // the preempted come first, one at a time
      const Cohort& next = resumed_.front();
      if (!cohorts_.empty() && used() + next.context / full_ > whole_) return 0;
      return std::min(room, next.context - partial_);
    }
    if (!reserves_ && starting_ > 0) {
      // A prompt starts when all of it fits beside what is there; the first always may.
      const double free =
          std::floor((whole_ - used()) * full_ / std::max(1.0, job_.input_tokens) + 1e-9);
      starting_ = std::min(starting_, std::max(cohorts_.empty() ? 1.0 : 0.0, free));
    }
    return std::min(room, std::max(0.0, starting_ * uncached_ - partial_));
  }

  [[nodiscard]] double preempted() const {
    double count = 0;
    for (const Cohort& c : resumed_) count += c.count;
    return count;
  }

  void account(const cost::Batch& batch, double steps) {
    const cost::StepTime time = step_.time(batch);
    const double each =
        lanes_ > 1.0 ? std::max(time.total.raw(), lanes_ * time.stage.raw()) : time.total.raw();
    const double seconds = steps * each;
    for (std::size_t b = 0; b < by_bound_.size(); ++b)
      by_bound_[b] += steps * time.by_bound[b].raw();
    if (const std::optional<Joules> joules = step_.energy(batch, time); joules && energy_known_) {
      energy_ += steps * shares_ * joules->raw();
    } else {
      energy_known_ = false;
    }
    batch_seconds_ += running_ * seconds;
    steps_ += steps;
    request_steps_ += steps * (batch.decode_requests + batch.prefill_requests);
    now_ += seconds;
  }

  [[nodiscard]] cost::Batch decoding(double ahead) const {
    cost::Batch batch;
    double tokens = 0;
    for (const Cohort& c : cohorts_) tokens += c.count * c.context;
    batch.decode_requests = running_;
    batch.decode_context = running_ > 0 ? tokens / running_ + ahead : 0.0;
    batch.sampled = running_;
    return batch;
  }
  void advance(double steps) {
    for (Cohort& c : cohorts_) {
      c.context += steps;
      c.remaining -= steps;
    }
  }

  void prompt_step(double tokens) {
    const bool resumes = !resumed_.empty();
    const double length = resumes ? resumed_.front().context : uncached_;
    const double began = now_;
    const bool decodes = !prefill_first_ && running_ > 0;
    cost::Batch batch = decodes ? decoding(1.0) : cost::Batch{};
    // A chunk attends to what its prompt has in the cache already: the shared prefix and, of the
    // prompt that was cut in the step before, its first part.
    const double cached = resumes ? 0.0 : job_.input_tokens - uncached_;
    const double ended = std::floor((partial_ + tokens) / length + 1e-9);
    const double prompts = std::max(1.0, std::ceil((partial_ + tokens) / length - 1e-9));
    batch.prefill_requests = prompts;
    batch.prefill_tokens = tokens;
    batch.prefill_cached = cached + partial_ / prompts;
    batch.sampled += ended;
    account(batch, 1.0);
    if (decodes) advance(1.0);
    if (resumes) {
      resume(ended, tokens);
      return;
    }
    const double left = std::max(0.0, partial_ + tokens - ended * uncached_);
    if (ended > 0) {
      Cohort cohort{.count = ended,
                    .context = job_.input_tokens + 1.0,
                    .remaining = outputs_ - 1.0,
                    .arrival = began,
                    .first_token = now_};
      if (!job_.closed_loop)
        cohort.arrival = spacing_ * (admitted_ + 0.5 * (ended - 1.0));
      else if (partial_ > 0)  // the first of them began in an earlier step
        cohort.arrival -= (began - partial_began_) / ended;
      ttft_.push_back({now_ - cohort.arrival, ended});
      cohorts_.push_back(cohort);
      running_ += ended;
      admitted_ += ended;
    }
    if (left <= 0 || ended > 0) partial_began_ = began;
    partial_ = left;
  }

  void resume(double ended, double tokens) {
    partial_ += tokens;
    if (ended < 1.0) return;
    partial_ = 0;
    Cohort& from = resumed_.front();
    Cohort one = from;
    one.count = 1.0;
    one.context += 1.0;
    one.remaining -= 1.0;
    cohorts_.push_back(one);
    running_ += 1.0;
    from.count -= 1.0;
    if (from.count < 0.5) resumed_.pop_front();
  }

  /// All steps until the batch changes: the next one ends, the next one arrives, memory is full.
  void decode_steps() {
    double steps = cohorts_.front().remaining;
    for (const Cohort& c : cohorts_) steps = std::min(steps, c.remaining);
    steps = std::max(1.0, steps);
    if (!reserves_) {
      const double room = std::floor((whole_ - used()) * full_ / running_);
      steps = std::min(steps, std::max(1.0, room));
    }
    const bool may_start = running_ + preempted() < slots_ && resumed_.empty();
    if (spacing_ > 0 && may_start && admitted_ < requests_ && arrived() <= admitted_) {
      const double wait = spacing_ * admitted_ - now_;
      const double each = std::max(1e-9, step_.time(decoding(1.0)).total.raw());
      steps = std::min(steps, std::max(1.0, std::ceil(wait / each)));
    }
    // Attention grows linearly with the context: the mean of the steps is the middle one.
    account(decoding(0.5 * (steps + 1.0)), steps);
    advance(steps);
  }

  void end_finished() {
    std::erase_if(cohorts_, [&](const Cohort& c) {
      if (c.remaining > 1e-9) return false;
      finished_ += c.count;
      running_ -= c.count;
      e2e_.push_back({now_ - c.arrival, c.count});
      if (outputs_ > 1.0) tpot_.push_back({(now_ - c.first_token) / (outputs_ - 1.0), c.count});
      return true;
    });
    if (cohorts_.empty()) running_ = 0;
  }

  void preempt() {
    if (reserves_) return;
    while (running_ > 1.0 && used() > whole_ + 1e-9) {
      Cohort& last = cohorts_.back();
      Cohort victim = last;
      victim.count = 1.0;
      preemptions_ += 1.0;
      if (!resumed_.empty() && resumed_.front().context == victim.context &&
          resumed_.front().arrival == victim.arrival) {
        resumed_.front().count += 1.0;
      } else {
        partial_ = 0;
        resumed_.push_front(victim);
      }
      last.count -= 1.0;
      running_ -= 1.0;
      if (last.count < 0.5) cohorts_.pop_back();
    }
  }

  OfflineRun result() {
    OfflineRun run;
    run.makespan = Seconds(now_);
    run.ttft = spread_of(ttft_);
    run.tpot = spread_of(tpot_);
    run.e2e = spread_of(e2e_);
    run.output_tokens_per_second = now_ > 0 ? job_.requests * outputs_ / now_ : 0.0;
    run.steps = steps_;
    run.request_steps = request_steps_;
    run.batch = now_ > 0 ? shares_ * batch_seconds_ / now_ : 0.0;
    run.preemptions = shares_ * preemptions_;
    run.bound = static_cast<cost::Bound>(std::max_element(by_bound_.begin(), by_bound_.end()) -
                                         by_bound_.begin());
    if (energy_known_) run.energy = Joules(energy_);
    return run;
  }

  const cost::StepModel& step_;
  const OfflineJob& job_;
  const double lanes_, shares_, requests_, outputs_, uncached_, spacing_, full_, whole_, budget_;
  const bool prefill_first_, reserves_;
  double slots_ = 1;

  std::vector<Cohort> cohorts_;  // in the order they were admitted
  std::deque<Cohort> resumed_;   // preempted: `context` tokens have to be computed again
  double now_ = 0, running_ = 0, admitted_ = 0, finished_ = 0, starting_ = 0;
  double partial_ = 0, partial_began_ = 0;  // tokens of the first waiting prompt already computed
  double steps_ = 0, request_steps_ = 0, batch_seconds_ = 0, preemptions_ = 0, energy_ = 0;
  bool energy_known_ = true;
  std::array<double, 4> by_bound_{};
  std::vector<Sample> ttft_, tpot_, e2e_;
};

}  // namespace

std::optional<OfflineRun> offline_run(const cost::StepModel& step, const OfflineJob& job,
                                      const OfflineLimits& limits) {
  if (limits.whole_sequences < 1.0 || limits.max_sequences < 1.0 || !(job.requests >= 1.0))
    return std::nullopt;
  return Lane(step, job, limits).run();
}

}  // namespace portolan::serving
