// Capacity of spot machines over time: a recorded series, or zones that come and go together
// (serving.md §4.3).
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "simulation/request.hpp"
#include "simulation/scenario.hpp"

namespace portolan::simulation {

class SpotCapacity {
 public:
  /// From `start` on. `stream` tells the pools of a scenario apart.
  SpotCapacity(const Spot& spot, std::uint64_t seed, std::uint64_t stream, Time start);

  /// When it changes next; kNever when it does not.
  [[nodiscard]] Time next() const;
  /// Does what is due at `now` == next().
  void advance(Time now);

  /// Machines to be had in all now.
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();
  [[nodiscard]] std::int64_t capacity() const;
  [[nodiscard]] bool zone_up(std::uint32_t zone) const { return zones_.empty() || zones_[zone].up; }
  /// Zone for a new machine, given how many each has: the emptiest that is up; one that went down
  /// before is avoided until all that are up did.
  [[nodiscard]] std::uint32_t best_zone(std::span<const std::int64_t> machines) const;

 private:
  struct Zone {
    bool up = true, avoided = false;
    Time next = 0;
    std::uint64_t draws = 0;
  };
  void go_down(std::uint32_t zone, Time now);
  [[nodiscard]] double draw(std::uint32_t zone);

  const Spot* spot_;
  RandomStream random_;
  std::size_t step_ = 0;
  Time step_end_ = kNever;
  std::vector<Zone> zones_;
};

}  // namespace portolan::simulation
