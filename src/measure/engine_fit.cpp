#include "measure/engine_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "base/parallel.hpp"

namespace portolan::measure {
namespace {

struct Handle {
  const char* name;
  Seconds cost::Engine::* field;
};
constexpr std::array<Handle, 6> kHandles = {{
    {"per_step", &cost::Engine::per_step},
    {"per_layer", &cost::Engine::per_layer},
    {"per_request", &cost::Engine::per_request},
    {"front_end", &cost::Engine::front_end},
    {"fan_out", &cost::Engine::fan_out},
    {"per_prompt_token", &cost::Engine::per_prompt_token},
}};
constexpr std::size_t kCount = kHandles.size();
// Constants below these are not told from nothing: they start here.
constexpr std::array<double, kCount> kLeast = {1e-5, 1e-5, 1e-7, 1e-4, 1e-5, 1e-8};

using Vector = std::array<double, kCount>;
constexpr double kPrior = 0.7;    // standard deviation of ln(constant / start)
constexpr double kNoise = 0.15;   // of ln(measured / predicted)
constexpr double kTail = 0.3;     // residuals beyond count less (Cauchy's weights)
constexpr double kDecided = 0.5;  // the points say as much as the prior
constexpr std::size_t kFewest = 12;
constexpr int kRounds = 4;

cost::Engine with(const cost::Engine& start, const Vector& logs) {
  cost::Engine engine = start;
  for (std::size_t k = 0; k < kCount; ++k) engine.*kHandles[k].field = Seconds(std::exp(logs[k]));
  return engine;
}

/// ln(measured / predicted) of TTFT and TPOT of each point; NaN where not measured.
using Residual = std::array<double, 2>;

Residual residual(const ServingPoint& p, const ServingTimes& predicted) {
  const auto log_ratio = [](const std::optional<double>& ms, Seconds time) {
    return ms && *ms > 0 && time.raw() > 0 ? std::log(*ms / (1e3 * time.raw())) : std::nan("");
  };
  return {log_ratio(p.ttft_ms, predicted.ttft_mean), log_ratio(p.tpot_ms, predicted.tpot_mean)};
}

std::vector<Residual> recorded_residuals(std::span<const ServingPoint* const> points,
                                         unsigned threads) {
  std::vector<Residual> out(points.size());
  parallel_for(points.size(), threads,
               [&](std::size_t i) { out[i] = residual(*points[i], predict(*points[i])); });
  return out;
}

std::vector<Residual> residuals(std::span<const ServingPoint* const> points,
                                const cost::Engine& start, const Vector& logs, unsigned threads) {
  std::vector<Residual> out(points.size());
  parallel_for(points.size(), threads, [&](std::size_t i) {
    const ServingPoint& p = *points[i];
    // Defaults and scheduling are those of the point's own version.
    cost::Engine engine = p.step->engine();
    take_constants(engine, with(start, logs));
    out[i] = residual(p, predict(p, engine));
  });
  return out;
}

/// Solves A x = b for a symmetric positive definite matrix, in place; also the diagonal of A^-1.
Vector solve(std::array<Vector, kCount> a, Vector b, Vector* diagonal) {
  for (std::size_t i = 0; i < kCount; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-30)) : sum / a[j][j];
    }
  }
  const auto apply = [&](Vector v) {
    for (std::size_t i = 0; i < kCount; ++i) {
      for (std::size_t k = 0; k < i; ++k) v[i] -= a[i][k] * v[k];
      v[i] /= a[i][i];
    }
    for (std::size_t i = kCount; i-- > 0;) {
      for (std::size_t k = i + 1; k < kCount; ++k) v[i] -= a[k][i] * v[k];
      v[i] /= a[i][i];
    }
    return v;
  };
  if (diagonal != nullptr) {
    for (std::size_t i = 0; i < kCount; ++i) {
      Vector unit{};
      unit[i] = 1;
      (*diagonal)[i] = apply(unit)[i];
    }
  }
  return apply(b);
}

struct Problem {
  std::vector<const ServingPoint*> points;
  cost::Engine start;
  Vector first{};  // logs of the start
  unsigned threads = 0;
};

/// Gauss-Newton from `logs` on the points that `use` allows.
struct Solution {
  Vector logs{}, error{};
};
Solution minimise(const Problem& problem, Vector logs, const std::vector<bool>& use, int rounds) {
  std::vector<const ServingPoint*> points;
  for (std::size_t i = 0; i < use.size(); ++i) {
    if (use[i]) points.push_back(problem.points[i]);
  }
  Solution solution{logs, {}};
  for (int round = 0; round < rounds; ++round) {
    const std::vector<Residual> base =
        residuals(points, problem.start, solution.logs, problem.threads);
    constexpr double kStep = 0.05;
    std::array<std::vector<Residual>, kCount> moved;
    for (std::size_t k = 0; k < kCount; ++k) {
      Vector at = solution.logs;
      at[k] += kStep;
      moved[k] = residuals(points, problem.start, at, problem.threads);
    }
    std::array<Vector, kCount> normal{};
    Vector right{};
    for (std::size_t k = 0; k < kCount; ++k) {
      normal[k][k] = 1.0 / (kPrior * kPrior);
      right[k] = (problem.first[k] - solution.logs[k]) / (kPrior * kPrior);
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
      for (std::size_t m = 0; m < 2; ++m) {
        const double r = base[i][m];
        if (!std::isfinite(r)) continue;
        // A load near what the engine can take may fall beyond it with another constant.
        if (std::any_of(moved.begin(), moved.end(),
                        [&](const auto& m_k) { return !std::isfinite(m_k[i][m]); }))
          continue;
        const double weight = 1.0 / (kNoise * kNoise) / (1.0 + r * r / (kTail * kTail));
        Vector slope;  // d prediction / d constant, in logs
        for (std::size_t k = 0; k < kCount; ++k) slope[k] = (r - moved[k][i][m]) / kStep;
        for (std::size_t k = 0; k < kCount; ++k) {
          right[k] += weight * slope[k] * r;
          for (std::size_t l = 0; l < kCount; ++l) normal[k][l] += weight * slope[k] * slope[l];
        }
      }
    }
    Vector variance{};
    const Vector step = solve(normal, right, &variance);
    double longest = 0;
    for (std::size_t k = 0; k < kCount; ++k) {
      const double bounded = std::clamp(step[k], -0.7, 0.7);
      solution.logs[k] += bounded;
      solution.error[k] = std::sqrt(variance[k]);
      longest = std::max(longest, std::abs(bounded));
    }
    if (longest < 0.02) break;
  }
  return solution;
}

/// Prompt and output tokens.
std::pair<double, double> lengths_of(const ServingPoint& p) {
  if (p.arrivals > 0) return {p.work.input_tokens, p.work.output_tokens};
  return {p.load.input_tokens, p.load.output_tokens};
}

std::string load_name(const ServingPoint& p) {
  return p.arrivals > 0 ? fmt::format("{:.4g} requests/s", p.arrivals)
                        : fmt::format("{:.4g} clients", p.load.clients);
}

/// Whether points of such loads can tell the constants apart.
Result<void> check_loads(std::span<const ServingPoint* const> points, std::size_t distinct,
                         const cost::Engine& engine, const std::string& unanswered) {
  Error error{.code = ErrorCode::kInvalidInput,
              .message = {},
              .where = {},
              .why = {},
              .hint = {},
              .also = {}};
  if (distinct < kFewest) {
    error.message =
        fmt::format("a fit of the host times of {} needs {} different points, {} can be answered",
                    engine.engine, kFewest, distinct);
    if (!unanswered.empty()) error.why = "first row that cannot: " + unanswered;
    error.hint = "give a table with more measured points of this engine and version";
    return fail(std::move(error));
  }
  std::array<std::pair<double, double>, 2> range{};  // fewest and most clients; requests a second
  for (const ServingPoint* p : points) {
    const double load = p->arrivals > 0 ? p->arrivals : p->load.clients;
    auto& [least, most] = range[p->arrivals > 0 ? 1 : 0];
    least = most == 0 ? load : std::min(least, load);
    most = std::max(most, load);
  }
  const auto spread = [](const auto& r) { return r.second > 0 ? r.second / r.first : 0.0; };
  constexpr double kSpread = 2;  // of the load between the lightest and the heaviest point
  if (std::max(spread(range[0]), spread(range[1])) < kSpread) {
    const bool closed = range[0].second > 0;
    const auto& [least, most] = range[closed ? 0 : 1];
    error.message =
        least == most
            ? fmt::format("all {} points of {} have {:.4g} {}", points.size(), engine.engine, most,
                          closed ? "clients" : "requests per second")
            : fmt::format("all {} points of {} have {:.4g} to {:.4g} {}", points.size(),
                          engine.engine, least, most, closed ? "clients" : "requests per second");
    error.why = "at one batch size host time per step and per request are one and the same";
    error.hint =
        "measure the same deployment under several loads, the heaviest at least twice "
        "the lightest";
    return fail(std::move(error));
  }
  return {};
}

double sorted_quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return quantile(values, q);
}

FitErrors errors_of(std::span<const Residual> residuals, const cost::Band& ttft,
                    const cost::Band& tpot) {
  FitErrors e;
  std::array<std::vector<double>, 2> ape;
  std::array<std::size_t, 2> inside{};
  const std::array<const cost::Band*, 2> bands = {&ttft, &tpot};
  for (const Residual& r : residuals) {
    for (std::size_t m = 0; m < 2; ++m) {
      if (!std::isfinite(r[m])) continue;
      ape[m].push_back(std::abs(std::exp(-r[m]) - 1.0));
      const double ratio = std::exp(r[m]);
      if (ratio >= bands[m]->low && ratio <= bands[m]->high) ++inside[m];
    }
  }
  e.ttft_points = ape[0].size();
  e.tpot_points = ape[1].size();
  e.points = std::max(e.ttft_points, e.tpot_points);
  const auto mean = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x;
    return v.empty() ? 0.0 : sum / static_cast<double>(v.size());
  };
  const auto share = [&](std::size_t m) -> std::optional<double> {
    if (ape[m].empty() || !bands[m]->known()) return std::nullopt;
    return static_cast<double>(inside[m]) / static_cast<double>(ape[m].size());
  };
  e.ttft_mean = mean(ape[0]);
  e.tpot_mean = mean(ape[1]);
  e.ttft_median = sorted_quantile(ape[0], 0.5);
  e.tpot_median = sorted_quantile(ape[1], 0.5);
  e.ttft_inside = share(0);
  e.tpot_inside = share(1);
  return e;
}

cost::Band band_of(std::span<const Residual> residuals, std::size_t metric) {
  std::vector<double> values;
  for (const Residual& r : residuals) {
    if (std::isfinite(r[metric])) values.push_back(r[metric]);
  }
  if (values.size() < 30) return {};
  return {.low = std::exp(sorted_quantile(values, 0.10)),
          .high = std::exp(sorted_quantile(values, 0.90))};
}

}  // namespace

void take_constants(cost::Engine& engine, const cost::Engine& from) {
  for (const Handle& h : kHandles) engine.*h.field = from.*h.field;
}

Result<EngineFit> fit_engine(std::span<const ServingPoint> points, const cost::Engine& start,
                             unsigned threads) {
  Problem problem;
  problem.start = start;
  problem.threads = threads;
  for (std::size_t k = 0; k < kCount; ++k)
    problem.first[k] = std::log(std::max(kLeast[k], (start.*kHandles[k].field).raw()));
  std::vector<const ServingPoint*> all;  // listed twice or not: what is scored
  std::set<std::tuple<double, double, double, double, double, double>> seen;
  std::vector<bool> distinct;
  std::string unanswered;
  for (const ServingPoint& p : points) {
    if (!p.reason.empty() && unanswered.empty()) unanswered = p.reason;
    if (!p.reason.empty() || !p.step || p.step->engine().family != start.family) continue;
    all.push_back(&p);
    // Exporters round differently: equal to a thousandth is the same run.
    const auto rounded = [](const std::optional<double>& x) {
      return x ? std::round(std::log(*x) * 2000.0) : 0.0;
    };
    distinct.push_back(seen.insert({rounded(p.ttft_ms), rounded(p.tpot_ms), p.load.clients,
                                    p.arrivals, lengths_of(p).first, lengths_of(p).second})
                           .second);
  }
  problem.points = all;
  PORTOLAN_DO(check_loads(all, seen.size(), start, unanswered));
  const Solution whole = minimise(problem, problem.first, distinct, kRounds);
  EngineFit fit;
  fit.engine = with(start, whole.logs);
  for (std::size_t k = 0; k < kCount; ++k) {
    fit.constants.push_back({.name = kHandles[k].name,
                             .seconds = std::exp(whole.logs[k]),
                             .known = (start.*kHandles[k].field).raw(),
                             .log_error = whole.error[k],
                             .decided = whole.error[k] < kDecided});
  }
  if (std::none_of(fit.constants.begin(), fit.constants.end(),
                   [](const EngineConstant& c) { return c.decided; })) {
    Error error{.code = ErrorCode::kInvalidInput,
                .message = fmt::format("{} points of {} do not tell the engine's host times",
                                       all.size(), start.engine),
                .where = {},
                .why =
                    "the kernels explain the measured times to within their scatter, whatever "
                    "the host takes",
                .hint = "add points with few clients, short prompts and tpot_ms_mean measured",
                .also = {}};
    return fail(std::move(error));
  }
  // Each part predicted by the others.
  std::map<std::string, std::vector<std::size_t>> parts;
  for (std::size_t i = 0; i < all.size(); ++i) parts[all[i]->architecture].push_back(i);
  fit.left_out = parts.size() > 1 ? "model" : "load";
  if (parts.size() == 1) {
    parts.clear();
    for (std::size_t i = 0; i < all.size(); ++i) parts[load_name(*all[i])].push_back(i);
  }
  std::vector<Residual> held(all.size());
  for (const auto& [name, members] : parts) {
    std::vector<bool> use = distinct;
    for (const std::size_t i : members) use[i] = false;
    const Vector logs = minimise(problem, whole.logs, use, 1).logs;
    std::vector<const ServingPoint*> out;
    for (const std::size_t i : members) out.push_back(all[i]);
    const std::vector<Residual> r = residuals(out, problem.start, logs, threads);
    for (std::size_t i = 0; i < members.size(); ++i) held[members[i]] = r[i];
  }
  // The band of a part comes from the others' left-out residuals, for an honest coverage.
  struct Inside {
    double points = 0, of = 0;
    [[nodiscard]] std::optional<double> share() const {
      return of > 0 ? std::optional(points / of) : std::nullopt;
    }
  };
  Inside ttft_inside, tpot_inside;
  const auto pool = [](const std::optional<double>& share, std::size_t of, Inside& into) {
    if (!share) return;
    into.points += *share * static_cast<double>(of);
    into.of += static_cast<double>(of);
  };
  for (const auto& [name, members] : parts) {
    std::vector<Residual> own, others;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool mine = std::binary_search(members.begin(), members.end(), i);
      (mine ? own : others).push_back(held[i]);
    }
    const cost::Band ttft = band_of(others, 0), tpot = band_of(others, 1);
    const FitErrors e = errors_of(own, ttft, tpot);
    fit.by_part.emplace_back(name, e);
    pool(e.ttft_inside, e.ttft_points, ttft_inside);
    pool(e.tpot_inside, e.tpot_points, tpot_inside);
  }
  // Too few for quantiles of their own: what is known of the engine stands.
  if (const cost::Band band = band_of(held, 0); band.known()) fit.engine.ttft_band = band;
  if (const cost::Band band = band_of(held, 1); band.known()) fit.engine.tpot_band = band;
  fit.held_out = errors_of(held, fit.engine.ttft_band, fit.engine.tpot_band);
  fit.held_out.ttft_inside = ttft_inside.share();
  fit.held_out.tpot_inside = tpot_inside.share();
  fit.fit = errors_of(residuals(all, problem.start, whole.logs, threads), fit.engine.ttft_band,
                      fit.engine.tpot_band);
  fit.recorded = errors_of(recorded_residuals(all, threads), start.ttft_band, start.tpot_band);
  return fit;
}

EngineFits fit_engines(std::span<const ServingPoint> points, const cost::Profile& profile,
                       unsigned threads) {
  std::map<std::string, std::vector<ServingPoint>> by_engine;
  for (const ServingPoint& p : points) {
    if (!p.engine.empty()) by_engine[p.engine].push_back(p);
  }
  EngineFits all;
  for (const auto& [name, own] : by_engine) {
    cost::Engine start = *cost::known_engine(profile.engines(), name);
    start.engine = name;
    auto fit = fit_engine(own, start, threads);
    if (fit)
      all.fits.push_back(*std::move(fit));
    else
      all.refused.emplace_back(name, fit.error());
  }
  return all;
}

}  // namespace portolan::measure
