#include "simulation/autoscale.hpp"

#include <algorithm>
#include <cmath>

namespace portolan::simulation {
namespace {

/// Rounds up what is not a whole number but for rounding.
std::int64_t whole_above(double replicas) {
  constexpr double kMost = 1e6;
  return static_cast<std::int64_t>(std::ceil(std::clamp(replicas, 0.0, kMost) - 1e-9));
}

}  // namespace

Autoscaler::Autoscaler(const Autoscale& rules, double lead_seconds, Time start)
    : rules_(&rules), lead_(lead_seconds), start_(start) {
  if (rules.policy == Scaling::kForecast)
    profile_.resize(static_cast<std::size_t>(rules.profile_bins));
}

std::size_t Autoscaler::bin(double seconds) const {
  const double part = std::fmod(seconds, rules_->period_seconds) / rules_->period_seconds;
  const auto n = static_cast<double>(profile_.size());
  return std::min(profile_.size() - 1, static_cast<std::size_t>(part * n));
}

void Autoscaler::learn(const Scrape& from, const Scrape& to) {
  const double middle = (to_seconds(from.at - start_) + to_seconds(to.at - start_)) / 2;
  Bin& b = profile_[bin(middle)];
  b.arrivals += static_cast<double>(to.state.arrivals - from.state.arrivals);
  b.seconds += to_seconds(to.at - from.at);
}

void Autoscaler::measure(Time now, const PoolState& state) {
  const Scrape scrape{.at = now, .state = state};
  if (!profile_.empty() && !scrapes_.empty()) learn(scrapes_.back(), scrape);
  scrapes_.push_back(scrape);
  // Kept as long as a rate over a window, or a delayed look, may ask for it.
  const Time keep = from_seconds(2 * rules_->window_seconds + rules_->scrape_delay_seconds +
                                 2 * rules_->tick_seconds);
  while (scrapes_.size() > 3 && scrapes_[1].at < now - keep) scrapes_.pop_front();
}

double Autoscaler::rate(std::size_t scrape) const {
  const Scrape& to = scrapes_[scrape];
  const Time window = from_seconds(rules_->window_seconds);
  std::size_t from = scrape;
  while (from > 0 && to.at - scrapes_[from].at < window) --from;
  const double seconds = to_seconds(to.at - scrapes_[from].at);
  if (seconds <= 0) return 0;
  return static_cast<double>(to.state.arrivals - scrapes_[from].state.arrivals) / seconds;
}

double Autoscaler::quick_rate(std::size_t scrape) const {
  const Scrape& to = scrapes_[scrape];
  const Time quarter = from_seconds(rules_->window_seconds / 4);
  std::size_t from = scrape;
  while (from > 0 && to.at - scrapes_[from].at < quarter) --from;
  const double seconds = to_seconds(to.at - scrapes_[from].at);
  if (seconds <= 0) return 0;
  const auto count = static_cast<double>(to.state.arrivals - scrapes_[from].state.arrivals);
  return std::max(rate(scrape), (count - 2 * std::sqrt(count)) / seconds);
}

double Autoscaler::forecast(std::size_t scrape) const {
  const double recent = quick_rate(scrape);
  const double now = to_seconds(scrapes_[scrape].at - start_);
  if (now < rules_->period_seconds) {
    // No whole period seen: a straight line through this window and the one before.
    const Time before = scrapes_[scrape].at - from_seconds(rules_->window_seconds);
    std::size_t at = scrape;
    while (at > 0 && scrapes_[at].at > before) --at;
    const double gap = to_seconds(scrapes_[scrape].at - scrapes_[at].at);
    const double slope = at > 0 && gap > 0 ? (recent - rate(at)) / gap : 0;
    return std::max(recent, recent + slope * lead_);
  }
  const auto usual = [&](double seconds) {
    const Bin& b = profile_[bin(seconds)];
    return b.seconds > 0 ? b.arrivals / b.seconds : 0;
  };
  // What the profile says for then, times how far the present is off what it says for now.
  const double here = usual(now);
  const double trend = here > 0 ? recent / here : 1;
  double most = recent;
  const double step = rules_->period_seconds / static_cast<double>(profile_.size());
  for (double ahead = 0; ahead <= lead_ + rules_->tick_seconds; ahead += step)
    most = std::max(most, trend * usual(now + ahead));
  return std::max(most, trend * usual(now + lead_));
}

std::int64_t Autoscaler::scheduled(Time now) const {
  double at = to_seconds(now - start_);
  if (rules_->schedule_period_seconds > 0) at = std::fmod(at, rules_->schedule_period_seconds);
  // Before the first step of a period: what the last one says.
  std::int64_t replicas =
      rules_->schedule_period_seconds > 0 ? rules_->schedule.back().replicas : rules_->min_replicas;
  for (const ScheduleStep& step : rules_->schedule)
    if (step.at_seconds <= at) replicas = step.replicas;
  return replicas;
}

std::int64_t Autoscaler::wish(Time now, const PoolState& seen, std::int64_t current,
                              double sustained) {
  const auto ready = static_cast<double>(std::max<std::int64_t>(1, seen.ready));
  switch (rules_->policy) {
    case Scaling::kStatic:
      return current;
    case Scaling::kSchedule:
      return scheduled(now);
    case Scaling::kTarget: {
      double total = seen.kv_share * ready;
      if (rules_->metric == ScalingMetric::kRequests)
        total = static_cast<double>(seen.waiting + seen.running);
      if (rules_->metric == ScalingMetric::kWaiting) total = static_cast<double>(seen.waiting);
      const double ratio = total / ready / rules_->target;
      if (seen.ready > 0 && std::abs(ratio - 1) <= rules_->tolerance) return current;
      return whole_above(ready * ratio);
    }
    case Scaling::kThreshold:
      if (static_cast<double>(seen.waiting) / ready > rules_->up_waiting ||
          seen.kv_share > rules_->up_kv_share)
        return current + 1;
      if (seen.waiting == 0 && seen.kv_share < rules_->down_kv_share) return current - 1;
      return current;
    case Scaling::kForecast:
    case Scaling::kPlanner: {
      std::size_t at = scrapes_.size() - 1;
      const Time newest = now - from_seconds(rules_->scrape_delay_seconds);
      while (at > 0 && scrapes_[at].at > newest) --at;
      double wanted = rules_->policy == Scaling::kPlanner ? quick_rate(at) : forecast(at);
      // What waits is to be gone within a window.
      wanted += static_cast<double>(seen.waiting) / rules_->window_seconds;
      if (sustained <= 0) return rules_->max_replicas;
      return whole_above(wanted * (1 + rules_->headroom) / sustained);
    }
  }
  return current;
}

std::int64_t Autoscaler::decide(Time now, std::int64_t current, double sustained) {
  const Time newest = now - from_seconds(rules_->scrape_delay_seconds);
  const Scrape* seen = nullptr;
  for (const Scrape& scrape : scrapes_)
    if (scrape.at <= newest) seen = &scrape;
  const bool blind = !seen && rules_->policy != Scaling::kSchedule;
  std::int64_t wanted =
      blind ? current : wish(now, seen ? seen->state : PoolState{}, current, sustained);
  wanted = std::clamp(wanted, rules_->min_replicas, rules_->max_replicas);
  wishes_.push_back({.at = now, .replicas = wanted});
  if (rules_->policy == Scaling::kSchedule) return wanted;
  const Time span = from_seconds(rules_->down_stabilisation_seconds);
  while (wishes_.front().at < now - span) wishes_.pop_front();
  if (wanted >= current) return wanted;
  // Fewer only when nothing more was wished for in the while before.
  if (now - start_ < span) return current;
  for (const Wish& wish : wishes_) wanted = std::max(wanted, wish.replicas);
  return std::min(wanted, current);
}

}  // namespace portolan::simulation
