#include "training/goodput.hpp"

#include <cmath>
#include <limits>

namespace portolan::training {
namespace {

/// −log(1 − y) − y without cancellation: its series for small y.
double excess(double y) {
  if (y < 1e-3) return y * y * (1.0 / 2 + y * (1.0 / 3 + y * (1.0 / 4 + y / 5)));
  return -std::log1p(-y) - y;
}

/// The root y in [0, 1) of −log(1 − y) − y = c. The left side is convex and increasing, and the
/// start lies right of the root, so Newton's steps fall monotonically on it.
double optimal_share_of_mean(double c) {
  double y = std::sqrt(2 * c);
  if (y >= 0.9) y = -std::expm1(-1 - c);
  for (int i = 0; i < 60 && y > 0; ++i) {
    const double next = y - (excess(y) - c) * (1 - y) / y;
    if (!(next < y)) break;
    y = next;
  }
  return y;
}

}  // namespace

double goodput_of_interval(Seconds interval, Seconds checkpoint, Seconds mean_time_between_failures,
                           Seconds restart) {
  const double y = interval / mean_time_between_failures;
  const double c = checkpoint / mean_time_between_failures;
  return y / (std::exp(restart / mean_time_between_failures) * std::expm1(y + c));
}

Goodput goodput(Seconds checkpoint, Seconds mean_time_between_failures, Seconds restart) {
  if (!std::isfinite(mean_time_between_failures.raw())) {
    return {.share = 1, .interval = Seconds{std::numeric_limits<double>::infinity()}};
  }
  const double y = optimal_share_of_mean(checkpoint / mean_time_between_failures);
  if (y <= 0)
    return {.share = std::exp(-(restart / mean_time_between_failures)), .interval = Seconds{0}};
  const Seconds interval = y * mean_time_between_failures;
  return {.share = goodput_of_interval(interval, checkpoint, mean_time_between_failures, restart),
          .interval = interval};
}

Seconds young_interval(Seconds checkpoint, Seconds mean_time_between_failures) {
  return Seconds{std::sqrt(2 * checkpoint.raw() * mean_time_between_failures.raw())};
}

Seconds daly_interval(Seconds checkpoint, Seconds mean_time_between_failures) {
  const double ratio = checkpoint.raw() / (2 * mean_time_between_failures.raw());
  if (ratio >= 1) return mean_time_between_failures;
  return young_interval(checkpoint, mean_time_between_failures) *
             (1 + std::sqrt(ratio) / 3 + ratio / 9) -
         checkpoint;
}

}  // namespace portolan::training
