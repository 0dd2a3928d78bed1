// Which machine a request goes to (serving.md §4.1), and how long it would wait there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "simulation/machines.hpp"
#include "simulation/request.hpp"
#include "simulation/scenario.hpp"

namespace portolan::simulation {

/// Predicts waits from what requests that are over took. Without a place for one more, requests
/// leave at running / residence, so the wait is the number ahead beyond the places times residence
/// over running; with a place, it is the prompts before it.
class Waits {
 public:
  explicit Waits(const Scenario& scenario);
  /// `in_service`: from the first step to the last token.
  void observe(std::uint32_t pool, Time in_service);
  /// Seconds for a request that would come now.
  [[nodiscard]] double wait(const Machine& machine, const Load& load) const;
  /// Requests per second that leave a machine as it runs now.
  [[nodiscard]] double leaving(const Machine& machine, const Load& load) const;
  /// Seconds that computing its prompt and one output take beside what runs.
  struct Service {
    double prompt = 0, per_output = 0;
    double usd = 0;  // its share of the machine
  };
  [[nodiscard]] Service service(const Machine& machine, const Load& load, const Request& request,
                                std::int64_t cached) const;

 private:
  struct Known {
    double residence = 0, count = 0, seconds_per_prompt_token = 0, usd_per_second = 0;
  };
  std::vector<Known> pools_;
};

class Router {
 public:
  Router(const Scenario& scenario, const Waits& waits);
  /// One of `candidates` (not empty, ascending). `turn` counts the choices among these candidates.
  /// Ties go to the lowest number.
  [[nodiscard]] std::uint32_t choose(const Request& request,
                                     std::span<const std::uint32_t> candidates,
                                     const Machines& machines, Time now, std::uint64_t& turn) const;

 private:
  [[nodiscard]] std::uint32_t prefix_aware(const Request& request,
                                           std::span<const std::uint32_t> candidates,
                                           const Machines& machines, Time now) const;
  [[nodiscard]] std::uint32_t cost_aware(const Request& request,
                                         std::span<const std::uint32_t> candidates,
                                         const Machines& machines, Time now) const;

  const Scenario* scenario_;
  const Waits* waits_;
  RandomStream random_;
};

}  // namespace portolan::simulation
