#include "measure/score.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace portolan::measure {
namespace {

struct Tally {
  std::vector<double> error;  // signed, relative
  std::size_t points = 0, with_interval = 0, held = 0;
  void add(const ScoredPoint& p) {
    ++points;
    if (!p.predicted || p.measured == 0.0) return;
    error.push_back((*p.predicted - p.measured) / p.measured);
    if (p.low && p.high) {
      ++with_interval;
      if (*p.low <= p.measured && p.measured <= *p.high) ++held;
    }
  }
  [[nodiscard]] GroupScore finish(std::string set, std::string group, std::string metric) const {
    GroupScore s;
    s.set = std::move(set);
    s.group = std::move(group);
    s.metric = std::move(metric);
    s.points = points;
    s.n = error.size();
    s.covered = points == 0 ? 0.0 : static_cast<double>(s.n) / static_cast<double>(points);
    if (error.empty()) return s;
    std::vector<double> signed_error = error, ape;
    double sum = 0;
    for (const double e : error) {
      ape.push_back(std::abs(e));
      sum += std::abs(e);
    }
    std::sort(signed_error.begin(), signed_error.end());
    std::sort(ape.begin(), ape.end());
    s.median_ape = quantile(ape, 0.5);
    s.mean_ape = sum / static_cast<double>(ape.size());
    s.p90_ape = quantile(ape, 0.9);
    s.bias = quantile(signed_error, 0.5);
    if (with_interval > 0)
      s.interval = static_cast<double>(held) / static_cast<double>(with_interval);
    return s;
  }
};

}  // namespace

double quantile(std::span<const double> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::vector<GroupScore> score(std::span<const ScoredPoint> points) {
  std::map<std::tuple<std::string, std::string, std::string>, Tally> tallies;
  for (const ScoredPoint& p : points) tallies[{p.set, p.group, p.metric}].add(p);
  std::vector<GroupScore> scores;
  for (const auto& [key, tally] : tallies)
    scores.push_back(tally.finish(std::get<0>(key), std::get<1>(key), std::get<2>(key)));
  return scores;
}

GroupScore score_all(std::span<const ScoredPoint> points, const std::string& set,
                     const std::string& group, const std::string& metric) {
  Tally tally;
  for (const ScoredPoint& p : points) tally.add(p);
  return tally.finish(set, group, metric);
}

}  // namespace portolan::measure
