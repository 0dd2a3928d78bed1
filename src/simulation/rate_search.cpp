#include "simulation/rate_search.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace portolan::simulation {

Probe probe_of(const RunResult& result, double requests_per_second) {
  return {.requests_per_second = requests_per_second,
          .stable = result.verdict != Verdict::kOverloaded,
          .latency = result.all.latency};
}

bool meets(const Probe& probe, const serving::Slo& slo, serving::Miss* miss) {
  if (!probe.stable) {
    if (miss != nullptr) *miss = {.target = "capacity", .value = 1, .limit = 1};
    return false;
  }
  struct Target {
    const char* name;
    double value;
    std::optional<Seconds> limit;
  };
  const Latencies& l = probe.latency;
  double worst = 1;
  for (const Target& target :
       {Target{"ttft_p95", l.ttft.p95, slo.ttft_p95}, Target{"tpot_p95", l.tpot.p95, slo.tpot_p95},
        Target{"ttft_mean", l.ttft.mean, slo.ttft_mean},
        Target{"tpot_mean", l.tpot.mean, slo.tpot_mean},
        Target{"e2e_p95", l.e2e.p95, slo.e2e_p95}}) {
    if (!target.limit) continue;
    const double limit = target.limit->raw();
    const double factor = target.value / limit;
    if (factor <= worst) continue;
    worst = factor;
    if (miss != nullptr) *miss = {.target = target.name, .value = target.value, .limit = limit};
  }
  return worst <= 1;
}

Result<SustainedLoad> sustained_load(const std::function<Result<Probe>(double rate)>& probe,
                                     const serving::Slo& slo, const RateBounds& bounds) {
  if (!(bounds.guess > 0) || !(bounds.most > 0) || !(bounds.precision > 0)) {
    return fail(ErrorCode::kUsage, "a rate search needs a guess, a bound and a precision above 0");
  }
  constexpr double kFirstStep = 1.06, kLightest = 1e-3;
  SustainedLoad found;
  double low = 0, high = 0;  // 0: not known yet
  const auto holds = [&](double rate) -> Result<bool> {
    ++found.probes;
    Probe seen = PORTOLAN_TRY(probe(rate));
    serving::Miss miss;
    const bool met = meets(seen, slo, &miss);
    if (met) {
      low = rate;
      found.requests_per_second = rate;
      found.probe = std::move(seen);
    } else {
      high = rate;
      found.binding = std::move(miss);
      if (low == 0) found.probe = std::move(seen);
    }
    return met;
  };
  // A bracket around the guess, in steps that grow.
  double rate = std::min(bounds.guess, bounds.most), step = kFirstStep;
  if (PORTOLAN_TRY(holds(rate))) {
    while (high == 0) {
      if (rate >= bounds.most) {
        found.binding = {.target = "most", .value = rate, .limit = bounds.most};
        return found;
      }
      rate = std::min(bounds.most, rate * step);
      step *= step;
      PORTOLAN_DO(holds(rate));
    }
  } else {
    const double lightest = rate * kLightest;
    while (low == 0) {
      if (rate <= lightest) return found;
      rate = std::max(lightest, rate / step);
      step *= step;
      PORTOLAN_DO(holds(rate));
    }
  }
  while (high / low > 1 + bounds.precision) {
    PORTOLAN_DO(holds(std::sqrt(low * high)));
  }
  return found;
}

}  // namespace portolan::simulation
