// Counts and latencies of requests that are over, by model, class and pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "simulation/request.hpp"
#include "simulation/run.hpp"
#include "simulation/scenario.hpp"
#include "simulation/sketch.hpp"

namespace portolan::simulation {

class Tally {
 public:
  explicit Tally(const Scenario& scenario);

  /// A request is over.
  void add(const Outcome& outcome);
  /// A request that the run ended before.
  void add_unfinished(std::uint32_t model, std::uint32_t slo_class, std::uint32_t pool);

  /// Sketch of the gaps between tokens of a pool, for its replicas.
  [[nodiscard]] Sketch& itl(std::uint32_t pool) { return itl_[pool]; }

  /// Groups without money.
  [[nodiscard]] GroupResult all() const;
  [[nodiscard]] GroupResult of_class(std::uint32_t slo_class) const;
  [[nodiscard]] GroupResult of_model(std::uint32_t model) const;
  [[nodiscard]] GroupResult of_pool(std::uint32_t pool) const;
  /// What of a pool's money a model or class used: its share of the time in service there; of a
  /// pool of prompts, its share of the prompt tokens of the model. Of a pool that served nobody: 0.
  [[nodiscard]] double class_share(std::uint32_t slo_class, std::uint32_t pool) const;
  [[nodiscard]] double model_share(std::uint32_t model, std::uint32_t pool) const;
  /// Dollars paid to the hosted API.
  [[nodiscard]] double hosted_usd() const;
  [[nodiscard]] double class_hosted_usd(std::uint32_t slo_class) const;
  [[nodiscard]] double model_hosted_usd(std::uint32_t model) const;

  [[nodiscard]] std::uint64_t over() const { return over_; }
  [[nodiscard]] std::uint64_t retried() const { return retried_; }
  [[nodiscard]] Time last_scheduled() const { return last_scheduled_; }
  [[nodiscard]] Time last_token() const { return last_token_; }
  /// Median seconds from the first step to the last token, of all completed ones.
  [[nodiscard]] double service_p50() const { return service_.quantile(0.5); }

 private:
  struct Cell {
    std::uint32_t model = 0, slo_class = 0, pool = 0;
    GroupResult counts;  // no name, no latencies
    std::uint64_t met_ttft = 0, met_tpot = 0, met_e2e = 0;
    double in_service = 0, hosted_usd = 0;  // seconds; dollars
    Sketch ttft, tpot, e2e, queue;
  };
  struct Targets {
    Time ttft = kNever, tpot = kNever, e2e = kNever;
  };
  Cell& cell(std::uint32_t model, std::uint32_t slo_class, std::uint32_t pool);
  template <class Belongs>
  [[nodiscard]] GroupResult sum(Belongs belongs, const Targets* targets) const;
  template <class Belongs>
  [[nodiscard]] double share(std::uint32_t pool, Belongs belongs) const;
  template <class Belongs>
  [[nodiscard]] double hosted(Belongs belongs) const;

  const Scenario* scenario_;
  bool exact_ = false;
  std::size_t models_ = 1, classes_ = 1, pools_ = 1;
  std::vector<Targets> targets_;              // by class
  std::vector<std::unique_ptr<Cell>> cells_;  // by (model, class, pool or nowhere), made when used
  std::vector<Sketch> itl_;                   // by pool
  Sketch service_;
  std::uint64_t over_ = 0, retried_ = 0;
  Time last_scheduled_ = 0, last_token_ = 0;
};

}  // namespace portolan::simulation
