// Whether the load stood above the capacity: the queue as arrivals saw it, in bounded memory, and
// the verdict on it (serving.md §2.4).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/request.hpp"
#include "simulation/run.hpp"

namespace portolan::simulation {

struct Judgement {
  Verdict verdict = Verdict::kStable;
  std::string reason;  // empty when stable
};

/// What the run knows when it is over.
struct Demand {
  std::uint64_t offered = 0;
  std::int64_t waiting_at_last_arrival = 0;
  Time first_arrival = 0, last_arrival = 0;
  Time last_scheduled = 0;  // of all requests; kNever when the run was stopped before
  double service_p50 = 0;   // seconds: end to end without the queue
  double queue_p99 = 0;     // seconds
  double scheduled_per_second = 0;
};

class Backlog {
 public:
  /// Cheap enough to be asked at each arrival.
  [[nodiscard]] bool due(Time now) const { return now >= next_; }
  void sample(Time now, std::int64_t waiting);
  /// Overloaded when the queue's least-squares slope over the last half of the arrivals is positive
  /// beyond noise (twice its standard error over eight block means) and either working it off took
  /// longer than max(10 s, 5 · median time in service), or more than 2 % of all requests waited at
  /// the last arrival and took over 10 s. Also when more than half of all were waiting then: a rate
  /// beyond measure. Backlogged when one request in a hundred waited longer than the first limit.
  [[nodiscard]] Judgement judge(const Demand& demand) const;
  /// Requests per second; t: the slope over its standard error.
  struct Slope {
    double per_second = 0, t = 0;
  };
  [[nodiscard]] Slope slope(Time from, Time to) const;

 private:
  struct Point {
    Time time = 0;
    double waiting = 0;
  };
  static constexpr std::size_t kMost = 1024;
  std::vector<Point> points_;
  Time next_ = 0, gap_ = kSecond / 100;
};

}  // namespace portolan::simulation
