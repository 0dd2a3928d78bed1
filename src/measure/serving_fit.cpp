#include "measure/serving_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <span>

#include "measure/serving_predict.hpp"
#include "measure/serving_row.hpp"

namespace portolan::measure {
namespace {

constexpr std::size_t kTerms = 3;  // kernels, steps, requests

struct Run {
  std::string model, accelerator, load;
  double measured = 0;                 // seconds
  std::array<double, kTerms> terms{};  // what the coefficients multiply
  double recorded = 0;                 // predicted with the record as it is
};
using Coefficients = std::array<double, kTerms>;

double predicted(const Run& run, const Coefficients& c) {
  double sum = 0;
  for (std::size_t k = 0; k < kTerms; ++k) sum += c[k] * run.terms[k];
  return sum;
}

double median_error(std::span<const Run* const> runs,
                    const std::function<double(const Run&)>& prediction) {
  std::vector<double> errors;
  errors.reserve(runs.size());
  for (const Run* run : runs) errors.push_back(std::abs(prediction(*run) / run->measured - 1.0));
  if (errors.empty()) return 0;
  std::sort(errors.begin(), errors.end());
  return quantile(errors, 0.5);
}

/// Weighted least squares over the free terms with the others held, by coordinate descent: the
/// problem is convex and has three unknowns, none below zero.
void improve(std::span<const Run* const> runs, std::span<const double> weights, bool kernels,
             Coefficients& c) {
  for (int round = 0; round < 200; ++round) {
    double moved = 0;
    for (std::size_t k = kernels ? 0 : 1; k < kTerms; ++k) {
      double up = 0, down = 0;
      for (std::size_t i = 0; i < runs.size(); ++i) {
        const double x = runs[i]->terms[k] / runs[i]->measured;
        const double rest = 1.0 - predicted(*runs[i], c) / runs[i]->measured + c[k] * x;
        up += weights[i] * x * rest;
        down += weights[i] * x * x;
      }
      const double next = down > 0 ? std::max(0.0, up / down) : 0.0;
      moved = std::max(moved, std::abs(next - c[k]) / (std::abs(next) + 1e-12));
      c[k] = next;
    }
    if (moved < 1e-7) return;
  }
}

/// Least absolute deviations by reweighting. Deviations are over the larger of the two, so that a
/// run measured ten times too short weighs no more than one ten times too long.
Coefficients fit(std::span<const Run* const> runs, bool kernels) {
  Coefficients c = {1.0, 0.0, 0.0};
  std::vector<double> weights(runs.size(), 1.0);
  for (int round = 0; round < 30; ++round) {
    improve(runs, weights, kernels, c);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double ratio = predicted(*runs[i], c) / runs[i]->measured;
      const double larger = std::max(1.0, ratio);
      weights[i] = 1.0 / (larger * larger * std::max(0.01, std::abs(ratio - 1.0) / larger));
    }
  }
  return c;
}

/// Each name left out in turn: its runs predicted by a fit of the others.
double held_out(std::span<const Run> runs, std::string Run::* name, bool kernels,
                std::vector<std::pair<std::string, double>>& by_name) {
  std::set<std::string> names;
  for (const Run& run : runs) names.insert(run.*name);
  std::vector<const Run*> all;
  std::vector<double> values;
  std::map<const Run*, double> value;
  for (const std::string& left_out : names) {
    std::vector<const Run*> others, own;
    for (const Run& run : runs) (run.*name == left_out ? own : others).push_back(&run);
    if (others.empty()) continue;
    const Coefficients c = fit(others, kernels);
    for (const Run* run : own) {
      value[run] = predicted(*run, c);
      all.push_back(run);
    }
    by_name.emplace_back(left_out,
                         median_error(own, [&](const Run& run) { return predicted(run, c); }));
  }
  return median_error(all, [&](const Run& run) { return value.at(&run); });
}

}  // namespace

Result<std::vector<OfflineFit>> fit_offline(
    const std::vector<std::pair<std::string, io::CsvTable>>& tables, const model::Library& library,
    const hardware::Accelerators& accelerators, bool kernels, const ServingOptions& options) {
  ServingPredictor predictor(library, accelerators, options);
  std::map<std::string, std::vector<Run>> by_engine;
  for (const auto& [file, table] : tables) {
    const std::vector<ServingRow> rows = PORTOLAN_TRY(read_serving_rows(table, file));
    for (const ServingRow& row : rows) {
      if (row.columns_disagree()) continue;
      const auto prediction = predictor.predict(row, {});
      if (!prediction || !prediction->run || prediction->stand_in) continue;
      const PredictedRun& run = *prediction->run;
      // Whatever was measured of the whole run scales with its length.
      std::optional<double> ratio;  // measured time over predicted
      for (const MeasuredFigure& figure : row.figures) {
        const auto found = prediction->figures.find(figure.metric);
        if (found == prediction->figures.end() || ratio) continue;
        if (figure.metric == "e2e_mean") ratio = figure.value / found->second;
        if (figure.metric == "output_tokens_per_second") ratio = found->second / figure.value;
      }
      if (!ratio) continue;
      const cost::Engine& engine = *prediction->engine;
      Run point;
      point.model = row.model;
      point.accelerator = row.gpu;
      point.recorded = run.seconds;
      point.measured = run.seconds * *ratio;
      point.terms = {run.seconds - engine.per_step.raw() * run.steps -
                         engine.per_request.raw() * run.request_steps,
                     run.steps, run.request_steps};
      point.load = fmt::format("{:.0f}", std::log2(std::max(1.0, run.request_steps / run.steps)));
      by_engine[record_name(engine, row.engine_version)].push_back(std::move(point));
    }
  }
  std::vector<OfflineFit> fits;
  for (const auto& [name, runs] : by_engine) {
    std::vector<const Run*> all;
    for (const Run& run : runs) all.push_back(&run);
    OfflineFit result;
    result.engine = name;
    result.rows = runs.size();
    const Coefficients c = fit(all, kernels);
    result.kernel_factor = c[0];
    result.per_step = c[1];
    result.per_request = c[2];
    result.as_recorded = median_error(all, [](const Run& run) { return run.recorded; });
    result.fitted = median_error(all, [&](const Run& run) { return predicted(run, c); });
    result.least_requests = 1e18;
    for (const Run& run : runs) {
      const double requests = run.terms[2] / run.terms[1];
      result.least_requests = std::min(result.least_requests, requests);
      result.most_requests = std::max(result.most_requests, requests);
    }
    std::vector<std::pair<std::string, double>> by_load;
    result.held_out_load = held_out(runs, &Run::load, kernels, by_load);
    result.held_out_model = held_out(runs, &Run::model, kernels, result.by_model);
    result.held_out_accelerator = held_out(runs, &Run::accelerator, kernels, result.by_accelerator);
    fits.push_back(std::move(result));
  }
  return fits;
}

}  // namespace portolan::measure
