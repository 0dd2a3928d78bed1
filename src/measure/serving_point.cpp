#include "measure/serving_point.hpp"

#include "base/parallel.hpp"

namespace portolan::measure {

serving::ClosedLoopResult predict(const ServingPoint& point, const cost::Engine& engine) {
  cost::StepModel step = *point.step;
  step.set_engine(engine);
  return serving::closed_loop(step, point.load, point.limits);
}

std::vector<ScoredPoint> score_serving(std::span<const ServingPoint> points, unsigned threads) {
  std::vector<serving::ClosedLoopResult> results(points.size());
  parallel_for(points.size(), threads, [&](std::size_t i) {
    if (points[i].reason.empty())
      results[i] = serving::closed_loop(*points[i].step, points[i].load, points[i].limits);
  });
  std::vector<ScoredPoint> scored;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const ServingPoint& p = points[i];
    const auto add = [&](const char* metric, const std::optional<double>& measured,
                         double predicted, const cost::Band& band) {
      if (!measured) return;
      ScoredPoint s{.set = p.set,
                    .group = p.group,
                    .metric = metric,
                    .label = p.label,
                    .measured = *measured,
                    .predicted = {},
                    .low = {},
                    .high = {},
                    .tier = {},
                    .reason = p.reason,
                    .source = p.source};
      if (p.reason.empty() && predicted > 0) {
        s.predicted = predicted;
        s.tier = cost::tier_name(p.step->machine().tier);
        if (band.known()) {
          s.low = predicted * band.low;
          s.high = predicted * band.high;
        }
      } else if (s.reason.empty()) {
        s.reason = "no request fits";
      }
      scored.push_back(std::move(s));
    };
    const cost::Engine* engine = p.step ? &p.step->engine() : nullptr;
    add("ttft_mean", p.ttft_ms, 1e3 * results[i].ttft_mean.raw(),
        engine != nullptr ? engine->ttft_band : cost::Band{});
    add("tpot_mean", p.tpot_ms, 1e3 * results[i].tpot_mean.raw(),
        engine != nullptr ? engine->tpot_band : cost::Band{});
  }
  return scored;
}

}  // namespace portolan::measure
