#include "measure/serving_rows.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "base/text.hpp"
#include "measure/serving_predict.hpp"
#include "measure/serving_row.hpp"

namespace portolan::measure {
namespace {

/// Larger is better: the interval of a time turns round.
bool is_rate(std::string_view metric) { return metric.ends_with("_per_second"); }

/// Rows of one experiment's stages, in table order; rows that sum up an experiment left out.
using Stages = std::map<std::string, std::vector<const ServingRow*>>;

std::string experiment_of(const ServingRow& row) { return row.set + "|" + row.note("exp"); }

Stages stages_of(std::span<const ServingRow> rows) {
  Stages stages;
  for (const ServingRow& row : rows) {
    const std::string stage = row.note("stage");
    if (stage.empty() || stage == "all" || row.note("exp").empty()) continue;
    stages[experiment_of(row)].push_back(&row);
  }
  return stages;
}

std::string group_of(ServingPredictor& predictor, const ServingRow& row) {
  std::string group =
      fmt::format("{} {} {}", row.gpu, predictor.engine_label(row), predictor.kind(row));
  // Open loops are simulated, whether the row can be answered or not.
  if (row.load() == LoadKind::kOpenLoop) group += " simulated";
  if (row.overloaded()) group += " overloaded";
  if (row.columns_disagree()) group += " columns_disagree";
  if (row.note("mode") == "disagg") group += " disagg";
  return group;
}

std::string label_of(const ServingRow& row) {
  const auto number = [](const std::optional<double>& x) { return x ? shortest(*x) : "?"; };
  std::string label =
      fmt::format("{} {} tp{} {} {} in/out {}/{}", row.model, row.gpu, number(row.tp),
                  row.precision, row.engine, number(row.input_tokens), number(row.output_tokens));
  if (row.batch) label += fmt::format(" batch {}", shortest(*row.batch));
  if (row.qps) label += fmt::format(" qps {}", std::isinf(*row.qps) ? "inf" : shortest(*row.qps));
  for (const char* key : {"exp", "stage", "parallelism", "kv"}) {
    if (const std::string value = row.note(key); !value.empty())
      label += fmt::format(" {}={}", key, value);
  }
  return label;
}

}  // namespace

Result<std::vector<ScoredPoint>> score_serving(const io::CsvTable& table, const std::string& file,
                                               const model::Library& library,
                                               const hardware::Accelerators& accelerators,
                                               const ServingOptions& options) {
  const std::vector<ServingRow> rows = PORTOLAN_TRY(read_serving_rows(table, file));
  const Stages stages = stages_of(rows);
  ServingPredictor predictor(library, accelerators, options);
  std::vector<ScoredPoint> points;
  for (const ServingRow& row : rows) {
    std::span<const ServingRow* const> parts;
    if (row.note("stage") == "all") {
      if (const auto found = stages.find(experiment_of(row)); found != stages.end())
        parts = found->second;
    }
    const auto prediction = predictor.predict(row, parts);
    const std::string group = group_of(predictor, row), label = label_of(row);
    for (const MeasuredFigure& figure : row.figures) {
      ScoredPoint point;
      point.set = row.set.empty() ? file : row.set;
      point.group = group;
      if (figure.metric.starts_with("e2e") && row.ended_early()) point.group += " ended_early";
      point.metric = figure.metric;
      point.label = label;
      point.measured = figure.value;
      point.source = row.source;
      if (!prediction) {
        point.reason = prediction.error().message;
      } else if (const auto value = prediction->figures.find(figure.metric);
                 value == prediction->figures.end()) {
        point.reason = fmt::format("no model of {} for this accelerator", figure.metric);
      } else {
        const cost::ErrorBand& band = prediction->band;
        point.predicted = value->second;
        point.tier = cost::tier_name(prediction->tier);
        if (prediction->simulated)
          point.method = prediction->saturated ? "simulated, saturated" : "simulated";
        const bool rate = is_rate(figure.metric);
        if (figure.metric != "kv_blocks") {
          point.low = value->second * (rate ? 1.0 / band.high : band.low);
          point.high = value->second * (rate ? 1.0 / band.low : band.high);
        }
      }
      points.push_back(std::move(point));
    }
  }
  return points;
}

Result<std::vector<ServingPoint>> read_serving_points(const io::CsvTable& table,
                                                      const std::string& file,
                                                      const model::Library& library,
                                                      const hardware::Accelerators& accelerators,
                                                      const ServingOptions& options) {
  const std::vector<ServingRow> rows = PORTOLAN_TRY(read_serving_rows(table, file));
  const Stages stages = stages_of(rows);
  ServingPredictor predictor(library, accelerators, options);
  std::vector<ServingPoint> points;
  points.reserve(rows.size());
  for (const ServingRow& row : rows) {
    std::string reason;
    if (row.overloaded()) reason = "overloaded: its queue grew as long as the run lasted";
    if (row.columns_disagree()) reason = "its columns disagree";
    if (row.note("mode") == "disagg")
      reason = "prefill and decode on separate workers is not modelled";
    if (row.note("stage") == "all" && stages.contains(experiment_of(row)))
      reason = "a sum over stages that are rows of their own";
    auto point = reason.empty() ? predictor.point(row) : fail(unanswered(reason));
    ServingPoint p;
    if (point)
      p = *std::move(point);
    else
      p.reason = point.error().message;
    p.set = row.set.empty() ? file : row.set;
    p.group = group_of(predictor, row);
    p.label = label_of(row);
    p.source = row.source;
    points.push_back(std::move(p));
  }
  return points;
}

}  // namespace portolan::measure
