#include "measure/serving_simulate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "base/parallel.hpp"
#include "base/random.hpp"
#include "measure/score.hpp"
#include "simulation/run.hpp"
#include "simulation/scenario.hpp"
#include "simulation/source.hpp"

namespace portolan::measure {
namespace {

using simulation::from_seconds;
using simulation::to_seconds;

constexpr std::size_t kSeeds = 5;
// A stable load shows all it has in so many requests over all seeds; what grows is followed to its
// end.
constexpr double kEnoughRequests = 12'000;
enum Purpose : std::uint64_t { kGaps = 1, kInputs, kOutputs, kUsers };

/// Poisson arrivals of alike requests.
class Arrivals : public simulation::Source {
 public:
  Arrivals(const OpenLoad& load, double seconds, std::uint64_t seed)
      : load_(load),
        end_(seconds),
        gaps_(seed, kGaps),
        inputs_(seed, kInputs),
        outputs_(seed, kOutputs),
        users_(seed, kUsers) {}

  Result<bool> next(simulation::Request& request) override {
    clock_ += gaps_.exponential(index_) / load_.requests_per_second;
    if (load_.requests ? static_cast<double>(index_) >= *load_.requests : clock_ > end_)
      return false;
    const auto length = [&](const RandomStream& stream, double mean) {
      const double drawn = load_.varied ? mean * stream.exponential(index_) : mean;
      return std::max<std::int64_t>(1, std::llround(drawn));
    };
    request = {};
    request.index = index_;
    request.arrival = from_seconds(clock_);
    request.input_tokens = length(inputs_, load_.lengths.input);
    request.output_tokens = length(outputs_, load_.lengths.output);
    if (load_.recurring_tokens >= 1) {
      request.id_tokens = static_cast<std::int32_t>(load_.recurring_tokens);
      request.ids.assign(
          1, 1 + users_.below(index_, static_cast<std::uint64_t>(std::max(1.0, load_.users))));
    }
    ++index_;
    return true;
  }

 private:
  const OpenLoad& load_;
  double end_, clock_ = 0;
  std::uint64_t index_ = 0;
  RandomStream gaps_, inputs_, outputs_, users_;
};

struct Sample {
  double ttft = 0, gap = 0, e2e = 0, outputs = 0;
};
struct OneRun {
  std::vector<Sample> samples;
  std::optional<Error> error;
  bool saturated = false;
  double requests_per_second = 0, output_tokens_per_second = 0;
  std::optional<double> watts;
};

OneRun run_once(const simulation::EngineModel& engine, const OpenLoad& load, double seconds,
                std::uint64_t seed) {
  simulation::Scenario scenario;
  scenario.models = {"measured"};
  simulation::Pool pool;
  pool.name = "all";
  pool.engine = std::make_shared<simulation::EngineModel>(engine);
  scenario.pools.push_back(std::move(pool));
  scenario.seed = seed;
  Arrivals arrivals(load, seconds, seed);
  OneRun out;
  simulation::Observers observers;
  observers.request = [&](const simulation::Outcome& o) {
    if (o.status != simulation::Status::kCompleted) return;
    const double first = to_seconds(o.first_token - o.arrival),
                 last = to_seconds(o.last_token - o.arrival);
    const auto outputs = static_cast<double>(o.output_tokens);
    out.samples.push_back({.ttft = first,
                           .gap = outputs > 1 ? (last - first) / (outputs - 1) : 0.0,
                           .e2e = last,
                           .outputs = outputs});
  };
  const auto result = simulation::run(scenario, arrivals, observers);
  if (!result) {
    out.error = result.error();
    return out;
  }
  out.saturated = result->verdict == simulation::Verdict::kOverloaded;
  if (result->simulated_seconds > 0) {
    out.requests_per_second =
        static_cast<double>(result->all.completed) / result->simulated_seconds;
    if (result->joules) out.watts = *result->joules / result->simulated_seconds;
  }
  out.output_tokens_per_second = result->output_tokens_per_second;
  return out;
}

Law law_of(std::vector<double> values) {
  Law law;
  if (values.empty()) return law;
  for (const double v : values) law.mean += v / static_cast<double>(values.size());
  std::sort(values.begin(), values.end());
  law.p50 = quantile(values, 0.5);
  law.p90 = quantile(values, 0.9);
  law.p95 = quantile(values, 0.95);
  law.p99 = quantile(values, 0.99);
  return law;
}

}  // namespace

Result<SimulatedLoad> simulate_load(const simulation::EngineModel& engine, const OpenLoad& load,
                                    unsigned threads) {
  const auto runs_of = [&](double seconds) {
    std::vector<OneRun> runs(kSeeds);
    parallel_for(kSeeds, threads, [&](std::size_t i) {
      runs[i] = run_once(engine, load, seconds, static_cast<std::uint64_t>(i) + 1);
    });
    return runs;
  };
  const auto overloaded = [](const std::vector<OneRun>& runs) {
    return 2 * std::count_if(runs.begin(), runs.end(),
                             [](const OneRun& r) { return r.saturated; }) >
           static_cast<std::ptrdiff_t>(runs.size());
  };
  const double enough = kEnoughRequests / static_cast<double>(kSeeds) / load.requests_per_second;
  double seconds = std::min(load.seconds, enough);
  std::vector<OneRun> runs = runs_of(seconds);
  // Near capacity a queue takes the whole stage to show.
  const auto waits = [&] {
    return std::any_of(runs.begin(), runs.end(), [](const OneRun& r) {
      return r.saturated || std::any_of(r.samples.begin(), r.samples.end(),
                                        [](const Sample& s) { return s.ttft > 0.5 * s.e2e; });
    });
  };
  if (!load.requests && seconds < load.seconds && waits()) runs = runs_of(load.seconds);

  SimulatedLoad out;
  std::vector<double> ttft, gap, e2e;
  double gaps = 0, gap_sum = 0;
  for (const OneRun& run : runs) {
    if (run.error) return fail(*run.error);
    out.requests_per_second += run.requests_per_second / static_cast<double>(kSeeds);
    out.output_tokens_per_second += run.output_tokens_per_second / static_cast<double>(kSeeds);
    if (run.watts) out.watts = out.watts.value_or(0.0) + *run.watts / static_cast<double>(kSeeds);
    for (const Sample& s : run.samples) {
      ttft.push_back(s.ttft);
      e2e.push_back(s.e2e);
      if (s.outputs <= 1) continue;
      gap.push_back(s.gap);
      gap_sum += s.gap * (s.outputs - 1);
      gaps += s.outputs - 1;
    }
  }
  if (ttft.empty()) return fail(unanswered("no request of the load can be served"));
  out.ttft = law_of(std::move(ttft));
  out.gap = law_of(std::move(gap));
  if (gaps > 0) out.gap.mean = gap_sum / gaps;
  out.e2e = law_of(std::move(e2e));
  out.saturated = overloaded(runs);
  return out;
}

}  // namespace portolan::measure
