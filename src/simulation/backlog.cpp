#include "simulation/backlog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace portolan::simulation {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kStable:
      return "stable";
    case Verdict::kBacklogged:
      return "backlogged";
    case Verdict::kOverloaded:
      return "overloaded";
  }
  return "";
}

void Backlog::sample(Time now, std::int64_t waiting) {
  if (points_.size() == kMost) {  // every second one goes; later ones come half as often
    for (std::size_t i = 0; i < kMost / 2; ++i) points_[i] = points_[2 * i];
    points_.resize(kMost / 2);
    gap_ *= 2;
  }
  points_.push_back({now, static_cast<double>(waiting)});
  next_ = now + gap_;
}

Backlog::Slope Backlog::slope(Time from, Time to) const {
  constexpr std::size_t kBlocks = 8;
  std::array<double, kBlocks> sum{}, count{};
  if (to <= from) return {};
  const double width = to_seconds(to - from) / kBlocks;
  for (const Point& p : points_) {
    if (p.time < from || p.time > to) continue;
    const auto block = static_cast<std::size_t>(to_seconds(p.time - from) / width);
    sum[std::min(block, kBlocks - 1)] += p.waiting;
    count[std::min(block, kBlocks - 1)] += 1;
  }
  double n = 0, mean_x = 0, mean_y = 0;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    if (count[i] == 0) continue;
    n += 1;
    mean_x += static_cast<double>(i);
    mean_y += sum[i] / count[i];
  }
  if (n < 4) return {};
  mean_x /= n;
  mean_y /= n;
  double xx = 0, xy = 0, yy = 0;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    if (count[i] == 0) continue;
    const double x = static_cast<double>(i) - mean_x, y = sum[i] / count[i] - mean_y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const double slope = xy / xx;
  const double residual = std::max(0.0, yy - slope * xy) / (n - 2);
  const double error = std::sqrt(residual / xx);
  Slope result{.per_second = slope / width, .t = 0};
  if (slope != 0) result.t = error > 0 ? slope / error : std::copysign(1e9, slope);
  return result;
}

Judgement Backlog::judge(const Demand& demand) const {
  if (demand.offered == 0) return {};
  const double limit = std::max(10.0, 5 * demand.service_p50);
  const bool stopped = demand.last_scheduled == kNever;
  const double drain =
      stopped ? 1e300 : std::max(0.0, to_seconds(demand.last_scheduled - demand.last_arrival));
  const double left =
      static_cast<double>(demand.waiting_at_last_arrival) / static_cast<double>(demand.offered);
  const Time middle = demand.first_arrival + (demand.last_arrival - demand.first_arrival) / 2;
  const Slope trend = slope(middle, demand.last_arrival);
  const bool grew = trend.per_second > 0 && trend.t > 2;
  const bool at_once = left > 0.5 && drain > limit;
  if (at_once || (grew && (drain > limit || (left > 0.02 && drain > 10)))) {
    std::string text = fmt::format("{} of {} requests were waiting at the last arrival",
                                   demand.waiting_at_last_arrival, demand.offered);
    if (trend.per_second > 0)
      text +=
          fmt::format(", the queue grew by {:.3g} requests/s over the last half", trend.per_second);
    text += stopped ? ", and the run was stopped"
                    : fmt::format(
                          ", and {:.3g} s went by until "
                          "the last of them began",
                          drain);
    if (demand.scheduled_per_second > 0)
      text += fmt::format("; {:.4g} requests/s were served", demand.scheduled_per_second);
    return {Verdict::kOverloaded, text};
  }
  if (demand.queue_p99 > limit || drain > limit)
    return {Verdict::kBacklogged,
            fmt::format("one request in a hundred waited {:.3g} s or longer, and {:.3g} s went by "
                        "from the last arrival until no request waited",
                        demand.queue_p99, drain)};
  return {};
}

}  // namespace portolan::simulation
