#include "app/calibrate_engines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "measure/engine_fit.hpp"
#include "measure/inferencex.hpp"
#include "measure/serving_fit.hpp"
#include "measure/serving_rows.hpp"

namespace portolan::app {
namespace {

using measure::EngineFit;
using measure::FitErrors;
using measure::OfflineFit;
using measure::ServingPoint;
using measure::Table;

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// The newest day of the measurements, else the day prices are judged on.
std::string newest_date(std::span<const Table* const> tables, const Context& context) {
  std::optional<Date> newest;
  for (const Table* table : tables) {
    for (std::size_t i = 0; table->has("date") && i < table->size(); ++i) {
      const auto date = parse_date(measure::TableRow(*table, i).text("date"));
      if (date && (!newest || *newest < *date)) newest = *date;
    }
  }
  return newest.value_or(context.today()).text();
}

/// The tables' names, the first and how many more.
std::string names_of(std::span<const Table* const> tables) {
  std::string names = tables.front()->file();
  if (tables.size() > 1) names += fmt::format(" and {} more", tables.size() - 1);
  return names;
}

void report_errors(const std::string& engine, const std::string& by, const std::string& part,
                   const FitErrors& left_out, const FitErrors* known,
                   std::vector<EngineError>& out) {
  const auto add = [&](const char* metric, std::size_t points, double median, double mean,
                       std::optional<double> inside, double known_median, double known_mean) {
    if (points == 0) return;
    EngineError e{.engine = engine, .metric = metric, .left_out_by = by, .part = part};
    e.points = points;
    e.median = median;
    e.mean = mean;
    e.inside = inside;
    if (known != nullptr) {
      e.known_median = known_median;
      e.known_mean = known_mean;
    }
    out.push_back(std::move(e));
  };
  const FitErrors none, &k = known != nullptr ? *known : none;
  add("tpot_mean", left_out.tpot_points, left_out.tpot_median, left_out.tpot_mean,
      left_out.tpot_inside, k.tpot_median, k.tpot_mean);
  add("ttft_mean", left_out.ttft_points, left_out.ttft_median, left_out.ttft_mean,
      left_out.ttft_inside, k.ttft_median, k.ttft_mean);
}

/// What fits have in common: where they came from, where they go.
struct Fitting {
  std::string files, date;
  cost::Profile& profile;
  CalibrateAnswer& answer;
};

/// Left out of the fit, points may be predicted worse than by what was known without any fit.
void warn_where_worse(const EngineError& e, Fitting& to) {
  constexpr double kWorse = 1.2;
  if (!e.known_median || e.median <= kWorse * *e.known_median) return;
  to.answer.envelope.warnings.push_back(
      fmt::format("{}: {} with each {} left out is off by {} in the median, {} by what was known: "
                  "this fit serves loads like its own, not others",
                  e.engine, e.metric, e.left_out_by, percent(e.median), percent(*e.known_median)));
}

void add_fit(EngineFit fit, Fitting& to) {
  CalibrateResult& result = to.answer.result;
  const std::string name = fit.engine.engine;
  const FitErrors& held = fit.held_out;
  const std::size_t first = result.engines.size();
  report_errors(name, fit.left_out, "", held, &fit.recorded, result.engines);
  for (std::size_t i = first; i < result.engines.size(); ++i)
    warn_where_worse(result.engines[i], to);
  for (const auto& [part, errors] : fit.by_part)
    report_errors(name, fit.left_out, part, errors, nullptr, result.engines);
  for (const measure::EngineConstant& c : fit.constants) {
    result.times.push_back({.engine = name,
                            .time = c.name,
                            .known = c.known,
                            .fitted = c.seconds,
                            .log_error = c.log_error,
                            .decided = c.decided});
  }
  fit.engine.source = fmt::format("fit to {} points of {}; mean error with each {} left out",
                                  held.points, to.files, fit.left_out);
  if (held.tpot_points > 0) fit.engine.source += ": TPOT " + percent(held.tpot_mean);
  if (held.ttft_points > 0)
    fit.engine.source += (held.tpot_points > 0 ? ", TTFT " : ": TTFT ") + percent(held.ttft_mean);
  fit.engine.date = to.date;
  to.profile.add(std::move(fit.engine));
}

/// Of one batch size alone a run's length is steps or requests, which cannot be told.
std::string unfit(const OfflineFit& fit) {
  constexpr std::size_t kFewest = 12;
  if (fit.rows < kFewest)
    return fmt::format("a fit of the host times of {} needs {} runs, {} can be answered",
                       fit.engine, kFewest, fit.rows);
  if (fit.most_requests < 2 * fit.least_requests)
    return fmt::format(
        "all {} runs of {} have much the same batch: host time per step and per request are one "
        "and the same",
        fit.rows, fit.engine);
  return {};
}

void add_fit(const OfflineFit& fit, const Context& context, Fitting& to) {
  CalibrateResult& result = to.answer.result;
  cost::Engine engine = *cost::known_engine(context.profile().engines(), fit.engine);
  engine.engine = fit.engine;
  const auto report = [&](const char* time, Seconds& field, double fitted) {
    result.times.push_back(
        {.engine = fit.engine, .time = time, .known = field.raw(), .fitted = fitted});
    field = Seconds(fitted);
  };
  report("per_step", engine.per_step, fit.per_step);
  report("per_request", engine.per_request, fit.per_request);
  const bool models = fit.by_model.size() > 1;
  const double held = models ? fit.held_out_model : fit.held_out_load;
  EngineError e{.engine = fit.engine,
                .metric = "run_time",
                .left_out_by = models ? "model" : "load",
                .part = ""};
  e.points = fit.rows;
  e.known_median = fit.as_recorded;
  e.median = held;
  result.engines.push_back(e);
  warn_where_worse(e, to);
  engine.source = fmt::format("fit to {} runs of {}; median error with each {} left out: {}",
                              fit.rows, to.files, e.left_out_by, percent(held));
  engine.date = to.date;
  to.profile.add(std::move(engine));
}

}  // namespace

Result<void> calibrate_engines(std::span<const Table* const> tables, const Context& context,
                               cost::Profile& profile, CalibrateAnswer& answer) {
  CalibrateResult& result = answer.result;
  const hardware::Accelerators& accelerators = context.catalogue().accelerators();
  measure::ServingOptions options;
  options.profile = &context.profile();
  std::vector<ServingPoint> points;
  std::vector<std::pair<std::string, io::CsvTable>> offline;
  for (const Table* table : tables) {
    context.progress(fmt::format("reading {} ({} rows)", table->file(), table->size()));
    result.rows_read += table->size();
    const bool closed = measure::is_inferencex(table->csv());
    std::vector<ServingPoint> own =
        closed
            ? PORTOLAN_TRY(measure::read_inferencex(table->csv(), table->file(), context.models(),
                                                    accelerators, &context.profile()))
            : PORTOLAN_TRY(measure::read_serving_points(table->csv(), table->file(),
                                                        context.models(), accelerators, options));
    std::move(own.begin(), own.end(), std::back_inserter(points));
    if (!closed) offline.emplace_back(table->file(), table->csv());
  }
  const std::string files = names_of(tables);
  context.progress(fmt::format("fitting host times of engines to {} points", points.size()));
  measure::EngineFits fits = measure::fit_engines(points, context.profile(), context.threads());
  Fitting to{
      .files = files, .date = newest_date(tables, context), .profile = profile, .answer = answer};
  std::size_t used = 0;
  std::set<std::string> fitted;
  for (EngineFit& fit : fits.fits) {
    used += fit.held_out.points;
    fitted.insert(fit.engine.engine);
    add_fit(std::move(fit), to);
  }
  std::vector<std::string> refusals;
  if (!offline.empty()) {
    const auto runs =
        PORTOLAN_TRY(measure::fit_offline(offline, context.models(), accelerators, false, options));
    for (const OfflineFit& fit : runs) {
      if (fitted.contains(fit.engine)) continue;  // loops say more
      if (const std::string why = unfit(fit); !why.empty()) {
        refusals.push_back(why);
        continue;
      }
      used += fit.rows;
      fitted.insert(fit.engine);
      add_fit(fit, context, to);
    }
  }
  for (const auto& [name, error] : fits.refused) {
    if (!fitted.contains(name)) refusals.push_back(error.message);
  }
  const std::size_t rows = points.size();
  result.rows_fitted += used;
  result.rows_unknown += rows - std::min(rows, used);
  if (fitted.empty()) {
    if (!fits.refused.empty() && fits.refused.size() == 1 && refusals.size() == 1)
      return fail(fits.refused.front().second);
    const auto reason = std::find_if(points.begin(), points.end(),
                                     [](const ServingPoint& p) { return !p.reason.empty(); });
    Error error{.code = ErrorCode::kInvalidInput,
                .message = fmt::format("no engine's host times can be fitted to the {} rows of {}",
                                       rows, files),
                .where = {},
                .why = !refusals.empty()        ? refusals.front()
                       : reason != points.end() ? "first row: " + reason->reason
                                                : std::string(),
                .hint = "docs/formats/measurements.md says what a fit needs",
                .also = {}};
    return fail(std::move(error));
  }
  for (const std::string& refusal : refusals) answer.envelope.warnings.push_back(refusal);
  return {};
}

}  // namespace portolan::app
