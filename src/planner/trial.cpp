#include "planner/trial.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "simulation/run.hpp"
#include "simulation/scenario.hpp"

namespace portolan::planner {
namespace {

using simulation::Outcome;
using simulation::Time;

// A 95th percentile of requests whose neighbours share their fate takes more of them than one of
// independent draws: the batch is renewed once in a residence time.
constexpr double kFillings = 12;                  // of the batch, that count
constexpr double kFewest = 1500, kMost = 20'000;  // requests that count
constexpr double kWarmUp = 3;                     // fillings that do not
constexpr double kMostAtOnce = 40'000;

simulation::Lengths lengths(double mean, double cv2, double high) {
  using Kind = simulation::Lengths::Kind;
  simulation::Lengths law;
  law.mean = std::max(1.0, mean);
  law.high = std::max(std::ceil(law.mean), std::floor(high));
  if (cv2 <= 0 || law.mean <= 1) return law;
  law.kind = cv2 == 1 ? Kind::kGeometric : Kind::kLogNormal;
  law.cv = std::sqrt(cv2);
  return law;
}

}  // namespace

Result<Trials> Trials::make(const model::Architecture& architecture, const cost::StepModel& step,
                            const serving::Workload& work, const serving::EngineLimits& limits,
                            std::int64_t replicas, std::uint64_t seed) {
  simulation::EngineOptions options;
  const auto ranks =
      static_cast<double>(std::max(1, step.deployment().ep / std::max(1, step.deployment().tp)));
  options.max_sequences = static_cast<std::int64_t>(std::ceil(limits.max_sequences / ranks));
  options.max_batched_tokens = static_cast<std::int64_t>(limits.max_batched_tokens);
  Trials trials;
  trials.engine_ = std::make_shared<const simulation::EngineModel>(
      PORTOLAN_TRY(simulation::make_engine_model(architecture, step, options)));
  trials.work_ = work;
  trials.slots_ = std::max(1.0, std::floor(limits.batch_cap()));
  trials.replicas_ = replicas;
  trials.seed_ = seed;
  return trials;
}

simulation::TrafficSpec Trials::traffic(std::uint64_t requests) const {
  simulation::Stream stream;
  const double system = std::round(work_.input_tokens * work_.cached_share);
  const double own = std::max(1.0, work_.input_tokens - system);
  // Replies end where the context or the cache does.
  const double room = static_cast<double>(std::min(engine_->max_model_len,
                                                   engine_->kv_blocks * engine_->block_tokens)) -
                      work_.input_tokens;
  stream.input =
      lengths(own, work_.input_cv2 * (work_.input_tokens / own) * (work_.input_tokens / own),
              own + std::max(0.0, room));
  stream.output = lengths(work_.output_tokens, work_.output_cv2, room);
  if (system > 0) {
    stream.prefix = simulation::SharedPrefix{.system_tokens = static_cast<std::int64_t>(system)};
  }
  stream.requests = requests;
  simulation::TrafficSpec spec;
  spec.streams.push_back(std::move(stream));
  spec.seed = seed_;
  return spec;
}

Result<Trial> Trials::at_rate(double rate, double batch) const {
  const auto copies = static_cast<double>(replicas_);
  const double filling = std::clamp(batch, 1.0, slots_) * copies;
  const auto warm = static_cast<std::uint64_t>(kWarmUp * filling) + 16;
  const auto counted = static_cast<std::uint64_t>(std::clamp(kFillings * filling, kFewest, kMost));
  simulation::TrafficSpec spec = traffic(warm + counted + static_cast<std::uint64_t>(2 * filling));
  spec.streams.front().rate = rate * copies;

  simulation::Scenario scenario;
  simulation::Pool pool;
  pool.engine = engine_;
  pool.replicas = replicas_;
  scenario.pools.push_back(std::move(pool));
  scenario.routing = simulation::Routing::kLeastRequests;
  scenario.seed = seed_;

  simulation::Sketch ttft, tpot, e2e, queue;
  double prompt = 0, service = 0, preemptions = 0, unanswered = 0;
  simulation::Observers observers;
  observers.request = [&](const Outcome& o) {
    if (o.index < warm || o.index >= warm + counted) return;
    if (o.status != simulation::Status::kCompleted) {
      ++unanswered;
      return;
    }
    ttft.add(o.first_token - o.arrival);
    e2e.add(o.last_token - o.arrival);
    queue.add(std::max<Time>(0, o.scheduled - o.queued));
    if (o.output_tokens > 1) tpot.add((o.last_token - o.first_token) / (o.output_tokens - 1));
    prompt += simulation::to_seconds(o.first_token - o.scheduled);
    service += simulation::to_seconds(o.last_token - o.scheduled);
    preemptions += o.preemptions;
  };
  const auto source = PORTOLAN_TRY(simulation::make_traffic(spec));
  const simulation::RunResult run = PORTOLAN_TRY(simulation::run(scenario, *source, observers));

  Trial trial;
  trial.probe = simulation::probe_of(run, rate);
  trial.probe.latency = {.ttft = percentiles(ttft),
                         .tpot = percentiles(tpot),
                         .itl = run.all.latency.itl,
                         .e2e = percentiles(e2e),
                         .queue = percentiles(queue)};
  trial.requests = ttft.count();
  if (const double n = static_cast<double>(ttft.count()); n > 0) {
    trial.batch = rate * service / n;
    trial.prompt_seconds = prompt / n;
    trial.preemptions = preemptions / n;
  }
  trial.unanswered = unanswered / static_cast<double>(counted);
  const simulation::PoolResult& p = run.pools.front();
  if (p.kv_blocks > 0) {
    trial.kv_share = static_cast<double>(p.counters.peak_blocks) / static_cast<double>(p.kv_blocks);
  }
  return trial;
}

Result<double> Trials::capacity() const {
  return PORTOLAN_TRY(all_at_once(std::max(kFewest, 8 * slots_))).steady;
}

Result<Trials::Makespan> Trials::all_at_once(double requests) const {
  const auto n =
      static_cast<std::uint64_t>(std::clamp(requests, 1.0, std::max(kMostAtOnce, 8 * slots_)));
  simulation::TrafficSpec spec = traffic(n);
  spec.streams.front().arrival = simulation::Stream::Arrival::kBatch;
  simulation::Scenario scenario;
  simulation::Pool pool;
  pool.engine = engine_;
  scenario.pools.push_back(std::move(pool));

  std::vector<Time> ends;
  ends.reserve(n);
  Time last_scheduled = 0;
  simulation::Observers observers;
  observers.request = [&](const Outcome& o) {
    if (o.status != simulation::Status::kCompleted) return;
    ends.push_back(o.last_token);
    last_scheduled = std::max(last_scheduled, o.scheduled);
  };
  const auto source = PORTOLAN_TRY(simulation::make_traffic(spec));
  const simulation::RunResult run = PORTOLAN_TRY(simulation::run(scenario, *source, observers));
  if (ends.empty() || run.stopped) {
    return fail(ErrorCode::kInfeasible, "no request of the job can be answered by a replica");
  }
  std::sort(ends.begin(), ends.end());
  // From the first whole filling to the last request that waited.
  const auto from =
      static_cast<std::size_t>(std::min(slots_, 0.25 * static_cast<double>(ends.size())));
  const auto to = static_cast<std::size_t>(
      std::upper_bound(ends.begin(), ends.end(), last_scheduled) - ends.begin());
  Makespan made;
  made.requests = n;
  const bool middle = to > from + 1 && ends[to - 1] > ends[from];
  made.steady = middle ? static_cast<double>(to - 1 - from) /
                             simulation::to_seconds(ends[to - 1] - ends[from])
                       : static_cast<double>(ends.size()) / simulation::to_seconds(ends.back());
  made.seconds = simulation::to_seconds(ends.back()) +
                 std::max(0.0, requests - static_cast<double>(n)) / made.steady;
  return made;
}

}  // namespace portolan::planner
