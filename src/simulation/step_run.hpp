// Steps taken at once: an arithmetic progression of durations, and where in it an instant falls.
// Private to the room.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "simulation/request.hpp"

namespace portolan::simulation {

/// Steps in flight: equal batches, step j (from 0) takes first + j · growth.
struct StepRun {
  bool active = false, decode_only = false;
  Time start = 0, first = 0, growth = 0, end = 0;
  std::int64_t steps = 0, decodes = 0;
  double joules_first = 0, joules_growth = 0;

  [[nodiscard]] Time span(std::int64_t count) const {
    return count * first + growth * (count * (count - 1) / 2);
  }
  /// Fewest steps whose span is at least `time`.
  [[nodiscard]] std::int64_t steps_to(Time time) const {
    if (time <= 0) return 0;
    const auto a = static_cast<double>(first), b = static_cast<double>(growth),
               t = static_cast<double>(time);
    double guess = t / a;
    if (growth != 0) {
      const double half = a - b / 2;
      guess = 2 * t / (half + std::sqrt(std::max(0.0, half * half + 2 * b * t)));
    }
    auto count = std::max<std::int64_t>(1, std::llround(guess));
    while (count > 1 && span(count - 1) >= time) --count;
    while (span(count) < time) ++count;
    return count;
  }
  [[nodiscard]] double joules(std::int64_t count) const {
    const auto n = static_cast<double>(count);
    return n * joules_first + joules_growth * (n * (n - 1) / 2);
  }
};

}  // namespace portolan::simulation
