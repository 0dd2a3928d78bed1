// Scenarios and sources for tests of runs.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "simulation/run.hpp"
#include "tests/simulation/engine.hpp"

namespace portolan::simulation::testing {

/// Requests from a list.
class ListSource : public Source {
 public:
  explicit ListSource(std::vector<Request> requests) : requests_(std::move(requests)) {}
  Result<bool> next(Request& request) override {
    if (at_ == requests_.size()) return false;
    request = requests_[at_++];
    return true;
  }

 private:
  std::vector<Request> requests_;
  std::size_t at_ = 0;
};

/// Poisson arrivals with lengths around a mean.
inline std::vector<Request> poisson(std::uint64_t count, double per_second, std::int64_t input,
                                    std::int64_t output, std::uint64_t seed = 1) {
  const RandomStream gaps(seed, 1), lengths(seed, 2);
  std::vector<Request> list;
  double at = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    at += gaps.exponential(i) / per_second;
    const auto draw = [&](std::uint64_t k, std::int64_t mean) {
      return 1 + static_cast<std::int64_t>(lengths.below(k, static_cast<std::uint64_t>(2 * mean)));
    };
    list.push_back(request(i, at, draw(2 * i, input), draw(2 * i + 1, output)));
  }
  return list;
}

inline std::shared_ptr<const EngineModel> shared(const EngineModel& engine) {
  return std::make_shared<const EngineModel>(engine);
}

inline Pool pool_of(std::shared_ptr<const EngineModel> engine, std::int64_t replicas,
                    const std::string& name = "main") {
  Pool pool;
  pool.name = name;
  pool.engine = std::move(engine);
  pool.replicas = replicas;
  return pool;
}

inline Scenario scenario_of(std::vector<Pool> pools) {
  Scenario scenario;
  scenario.models = {"llama"};
  scenario.pools = std::move(pools);
  scenario.exact = true;
  return scenario;
}

struct Ran {
  RunResult result;
  std::vector<Outcome> outcomes;  // by index
};
inline Ran run_all(const Scenario& scenario, std::vector<Request> requests,
                   Observers observers = {}) {
  Ran ran;
  ListSource source(std::move(requests));
  observers.request = [&](const Outcome& o) { ran.outcomes.push_back(o); };
  ran.result = run(scenario, source, observers).value();
  std::sort(ran.outcomes.begin(), ran.outcomes.end(),
            [](const Outcome& a, const Outcome& b) { return a.index < b.index; });
  return ran;
}

}  // namespace portolan::simulation::testing
