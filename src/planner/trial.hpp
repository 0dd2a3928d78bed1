// A replica, or a few behind a router, under the traffic of a job, simulated: what the closed form
// says about plans is held against this.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "cost/step.hpp"
#include "model/architecture.hpp"
#include "serving/steady_state.hpp"
#include "simulation/engine_model.hpp"
#include "simulation/rate_search.hpp"
#include "simulation/traffic.hpp"

namespace portolan::planner {

/// What one simulation showed. Figures are means over the requests that count.
struct Trial {
  simulation::Probe probe;     // per replica
  double batch = 0;            // requests in service per replica, by Little's law
  double prompt_seconds = 0;   // from the first step of a request to its first token
  double preemptions = 0;      // per request
  double kv_share = 0;         // of the cache, most in use at once
  double unanswered = 0;       // share of requests that can never fit
  std::uint64_t requests = 0;  // that count
};

/// One seed of the simulations of one replica group. Not for several threads at once.
class Trials {
 public:
  /// The engine as it is started with `limits`. Errors: those of simulation::make_engine_model.
  static Result<Trials> make(const model::Architecture& architecture, const cost::StepModel& step,
                             const serving::Workload& work, const serving::EngineLimits& limits,
                             std::int64_t replicas, std::uint64_t seed);

  /// Poisson arrivals at `rate` requests per second and replica, lengths with the work's variation
  /// (constant, geometric where it is 1, else log-normal), a shared system prompt for its cached
  /// share, the replica with the fewest requests first. `batch`: requests in service per replica
  /// that are expected. The first three fillings of that many are not counted, and arrivals go on
  /// for as long as a counted request is under way. The same random numbers at every rate.
  [[nodiscard]] Result<Trial> at_rate(double rate, double batch) const;

  /// Requests per second of one replica that always has more to do: all requests arrive at once;
  /// counted from when every slot has been used once until none waits any more.
  [[nodiscard]] Result<double> capacity() const;

  /// Seconds that one replica takes for `requests` requests that are all there at the start; beyond
  /// some tens of thousands the middle part is extrapolated. `steady`: requests per second there.
  struct Makespan {
    double seconds = 0, steady = 0;
    std::uint64_t requests = 0;  // simulated
  };
  [[nodiscard]] Result<Makespan> all_at_once(double requests) const;

  [[nodiscard]] const simulation::EngineModel& engine() const { return *engine_; }

 private:
  [[nodiscard]] simulation::TrafficSpec traffic(std::uint64_t requests) const;
  std::shared_ptr<const simulation::EngineModel> engine_;
  serving::Workload work_;
  double slots_ = 1;  // requests in service at once at most, one replica
  std::int64_t replicas_ = 1;
  std::uint64_t seed_ = 1;
};

}  // namespace portolan::planner
