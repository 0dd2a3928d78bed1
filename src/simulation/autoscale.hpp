// How many replicas a pool should have, from what was measured (serving.md §4.2): pure decisions,
// no events.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "simulation/request.hpp"
#include "simulation/scenario.hpp"

namespace portolan::simulation {

/// What a scrape sees of a pool.
struct PoolState {
  std::int64_t ready = 0, loading = 0;
  std::int64_t waiting = 0, running = 0;  // waiting: at the router too
  double kv_share = 0;
  std::uint64_t arrivals = 0;  // for this pool since the start
};

class Autoscaler {
 public:
  /// `lead_seconds`: from order to ready.
  Autoscaler(const Autoscale& rules, double lead_seconds, Time start);

  /// A scrape at `now`.
  void measure(Time now, const PoolState& state);
  /// Replicas wanted at `now`, of which there are `current` (ready or loading). `sustained`: what
  /// one replica serves per second, for policies that ask.
  std::int64_t decide(Time now, std::int64_t current, double sustained);
  /// Whether decide() needs `sustained`.
  [[nodiscard]] bool wants_rate() const {
    return rules_->policy == Scaling::kForecast || rules_->policy == Scaling::kPlanner;
  }

 private:
  struct Scrape {
    Time at = 0;
    PoolState state;
  };
  struct Wish {
    Time at = 0;
    std::int64_t replicas = 0;
  };
  [[nodiscard]] std::int64_t wish(Time now, const PoolState& seen, std::int64_t current,
                                  double sustained);
  [[nodiscard]] std::int64_t scheduled(Time now) const;
  [[nodiscard]] double rate(std::size_t scrape) const;  // over the window before it
  /// The same, or what the last quarter of the window says beyond its noise, if that is more.
  [[nodiscard]] double quick_rate(std::size_t scrape) const;
  [[nodiscard]] double forecast(std::size_t scrape) const;
  void learn(const Scrape& from, const Scrape& to);
  [[nodiscard]] std::size_t bin(double seconds) const;

  const Autoscale* rules_;
  double lead_ = 0;
  Time start_ = 0;
  std::deque<Scrape> scrapes_;
  std::deque<Wish> wishes_;
  struct Bin {
    double arrivals = 0, seconds = 0;
  };
  std::vector<Bin> profile_;
};

}  // namespace portolan::simulation
