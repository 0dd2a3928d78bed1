#include "measure/serving_point.hpp"

#include <fmt/format.h>

#include "base/parallel.hpp"
#include "base/text.hpp"

namespace portolan::measure {

namespace {

ServingTimes times_of(const ServingPoint& point, const cost::StepModel& step) {
  if (point.arrivals > 0) {
    const serving::SteadyState state =
        serving::steady_state(step, point.work, point.limits, point.arrivals);
    return {state.ttft_mean.value_or(Seconds(0)), state.tpot_mean.value_or(Seconds(0))};
  }
  const serving::ClosedLoopResult run = serving::closed_loop(step, point.load, point.limits);
  return {run.ttft_mean, run.tpot_mean};
}

}  // namespace

ServingTimes predict(const ServingPoint& point) { return times_of(point, *point.step); }

ServingTimes predict(const ServingPoint& point, const cost::Engine& engine) {
  cost::StepModel step = *point.step;
  step.set_engine(engine);
  return times_of(point, step);
}

std::string record_name(const cost::Engine& known, std::string_view version) {
  version = trim(version);
  if (version.starts_with('v')) version.remove_prefix(1);
  const int number =
      version.empty() || version[0] < '0' || version[0] > '9' ? -1 : cost::engine_version(version);
  const int own = cost::engine_version(known.engine);
  if (number < 0 || number == own) return known.engine;
  // What follows the version names the port: "vllm-0.5-rocm".
  const std::string_view family = cost::engine_family_name(known.family);
  const std::string_view rest = std::string_view(known.engine).substr(family.size() + 1);
  const std::size_t port = rest.find('-');
  return fmt::format("{}-{}.{}{}", family, number / 1000, number % 1000,
                     port == std::string_view::npos ? std::string_view() : rest.substr(port));
}

std::vector<ScoredPoint> score_serving(std::span<const ServingPoint> points, unsigned threads) {
  std::vector<ServingTimes> results(points.size());
  parallel_for(points.size(), threads, [&](std::size_t i) {
    if (points[i].reason.empty()) results[i] = predict(points[i]);
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
