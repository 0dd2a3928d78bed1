#include "simulation/spot.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace portolan::simulation {
namespace {

/// Never at once, so that time goes on.
Time after(Time now, double seconds) { return std::max(now + 1, later(now, seconds)); }

}  // namespace

SpotCapacity::SpotCapacity(const Spot& spot, std::uint64_t seed, std::uint64_t stream, Time start)
    : spot_(&spot), random_(seed, 0x73706f74, stream) {
  if (!spot.series.empty()) {
    step_end_ = spot.series.size() == 1 ? kNever : after(start, spot.series[0].seconds);
    return;
  }
  zones_.resize(static_cast<std::size_t>(spot.zones));
  for (std::uint32_t z = 0; z < zones_.size(); ++z)
    zones_[z].next = after(start, -std::log(draw(z)) * spot.mean_up_seconds);
}

double SpotCapacity::draw(std::uint32_t zone) {
  return random_.uniform(zones_[zone].draws++ * zones_.size() + zone);
}

Time SpotCapacity::next() const {
  if (zones_.empty()) return step_end_;
  Time soonest = kNever;
  for (const Zone& zone : zones_) soonest = std::min(soonest, zone.next);
  return soonest;
}

void SpotCapacity::go_down(std::uint32_t zone, Time now) {
  Zone& z = zones_[zone];
  z.up = false;
  z.avoided = true;
  z.next = after(now, -std::log(draw(zone)) * spot_->mean_down_seconds);
}

void SpotCapacity::advance(Time now) {
  if (zones_.empty()) {
    step_ = (step_ + 1) % spot_->series.size();
    step_end_ = after(now, spot_->series[step_].seconds);
    return;
  }
  for (std::uint32_t z = 0; z < zones_.size(); ++z) {
    if (zones_[z].next > now) continue;
    if (!zones_[z].up) {
      zones_[z].up = true;
      zones_[z].next = after(now, -std::log(draw(z)) * spot_->mean_up_seconds);
      continue;
    }
    go_down(z, now);
    for (std::uint32_t other = 0; other < zones_.size(); ++other)
      if (zones_[other].up && draw(other) < spot_->shock_share) go_down(other, now);
  }
  const bool all_avoided =
      std::ranges::all_of(zones_, [](const Zone& z) { return !z.up || z.avoided; });
  if (all_avoided)
    for (Zone& zone : zones_)
      if (zone.up) zone.avoided = false;
}

std::int64_t SpotCapacity::capacity() const {
  if (zones_.empty()) return spot_->series[step_].available;
  return std::ranges::any_of(zones_, &Zone::up) ? kUnlimited : 0;
}

std::uint32_t SpotCapacity::best_zone(std::span<const std::int64_t> machines) const {
  std::uint32_t best = 0;
  auto key = [&](std::uint32_t z) {
    return std::tuple(!zones_[z].up, zones_[z].avoided, machines[z]);
  };
  for (std::uint32_t z = 1; z < zones_.size(); ++z)
    if (key(z) < key(best)) best = z;
  return best;
}

}  // namespace portolan::simulation
