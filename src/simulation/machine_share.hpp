// How much of a machine's time each of its requests has had: every instant is divided equally among
// those that run then.
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/request.hpp"

namespace portolan::simulation {

class MachineShare {
 public:
  /// From `now` on so many run. Times do not go back.
  void note(Time now, std::int64_t running) {
    if (!points_.empty() && points_.back().running == running) return;
    if (points_.size() == kMost) points_.erase(points_.begin(), points_.begin() + kMost / 2);
    points_.push_back({.at = now, .share = value(now), .running = running});
  }
  /// Seconds that were the share of one request that ran from `from` to `to`. What lies before the
  /// last few thousand changes counts as the first of them.
  [[nodiscard]] double between(Time from, Time to) const { return value(to) - value(from); }

 private:
  static constexpr std::size_t kMost = 8192;
  struct Point {
    Time at = 0;
    double share = 0;  // seconds, from the beginning to `at`, of one who ran all the time
    std::int64_t running = 0;
  };
  [[nodiscard]] double value(Time time) const {
    std::size_t low = 0, high = points_.size();
    while (low < high) {  // the first point after `time`
      const std::size_t middle = (low + high) / 2;
      if (points_[middle].at <= time)
        low = middle + 1;
      else
        high = middle;
    }
    if (low == 0) return points_.empty() ? 0 : points_.front().share;
    const Point& p = points_[low - 1];
    if (p.running == 0) return p.share;
    return p.share + to_seconds(time - p.at) / static_cast<double>(p.running);
  }
  std::vector<Point> points_;
};

}  // namespace portolan::simulation
