#include "measure/power_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "cost/call_gemm.hpp"
#include "cost/power.hpp"

namespace portolan::measure {
namespace {

using cost::Grid;

// Knots of every surface: microseconds from 2 to 32,768 by 4, utilisations from 0.1 % to 1.
const std::vector<float> kTimeKnots = {1, 3, 5, 7, 9, 11, 13, 15};
const std::vector<float> kUseKnots = {-10, -7, -5, -3.5F, -2, -1, 0};
// Second differences weigh as much as this many points in every cell; samples of watts scatter by a
// fifth, so cells with few rows follow their neighbours.
constexpr double kSmooth = 2.0, kFirstDifferences = 0.1, kRidge = 1e-6;
constexpr int kFolds = 5;
constexpr float kStep = 1.0F / 127.0F;
constexpr std::size_t kFewestPoints = 100, kFewestSites = 15;
// Lowest watts of an accelerator: this quantile, so that one bad sample does not count.
constexpr double kFloorQuantile = 0.01;

std::string_view arithmetic_of(std::string_view dtype) {
  if (const auto type = cost::gemm_type(dtype)) return cost::power_arithmetic(type->compute);
  if (dtype.find("a16") != std::string_view::npos) return "bf16";  // weight-only
  if (dtype.find("a8") != std::string_view::npos || dtype.find("fp8") != std::string_view::npos)
    return "fp8";
  if (dtype.find("fp4") != std::string_view::npos) return "fp4";
  return "bf16";
}

/// One row: what it measured, or nullopt when it says nothing about power.
Result<std::optional<PowerPoint>> read_row(const KernelTable& table, std::size_t row,
                                           const hardware::Accelerators& accelerators) {
  const std::string& op = table.text(row, "op");
  const std::size_t power_class = cost::power_class_of(op);
  const Family* family = find_family(op);
  const double watts = PORTOLAN_TRY(table.number(row, "power_w", 0));
  if (power_class >= cost::kPowerClasses || family == nullptr || watts <= 0)
    return std::optional<PowerPoint>();
  const auto* accelerator = PORTOLAN_TRY(system_of(accelerators, table.text(row, "system")));
  const KernelPoint kernel = PORTOLAN_TRY(family->read(table, row, cost::chip_of(*accelerator)));
  PowerPoint point;
  point.accelerator = accelerator->id;
  point.backend = table.text(row, "backend");
  point.version = table.text(row, "version");
  point.power_class =
      cost::power_class_name(static_cast<cost::PowerClass>(static_cast<std::uint8_t>(power_class)));
  point.arithmetic = arithmetic_of(kernel.dtype);
  point.seconds = PORTOLAN_TRY(table.number(row, "latency_ms")) * 1e-3;
  point.limit = PORTOLAN_TRY(
      table.number(row, "power_limit_w", accelerator->tdp ? accelerator->tdp->raw() : 0.0));
  if (point.seconds <= 0 || point.limit <= 0 || kernel.call.ideal() > point.seconds)
    return std::optional<PowerPoint>();
  point.compute_use = kernel.call.compute / point.seconds;
  point.memory_use = (kernel.call.memory + kernel.call.extra) / point.seconds;
  point.share = watts / point.limit;
  point.site = kernel.site;
  return std::optional(std::move(point));
}

/// Symmetric positive definite A x = b by Cholesky; A is overwritten.
std::vector<double> solve(std::vector<double>& a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t j = 0; j < n; ++j) {
    double* row = &a[j * n];
    for (std::size_t k = 0; k < j; ++k) row[j] -= row[k] * row[k];
    const double pivot = row[j] = std::sqrt(std::max(row[j], 1e-12));
    for (std::size_t i = j + 1; i < n; ++i) {
      double* other = &a[i * n];
      double sum = other[j];
      for (std::size_t k = 0; k < j; ++k) sum -= other[k] * row[k];
      other[j] = sum / pivot;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

/// Least squares of the shares on a grid, smoothed: the mean of what was measured around a cell,
/// not the median, because energy adds up.
class Surface {
 public:
  explicit Surface(std::span<const PowerPoint* const> points) : points_(points) {
    grid_.knots = {kTimeKnots, kUseKnots, kUseKnots, {}};
    grid_.step = kStep;
    cells_ = grid_.size();
    corners_.reserve(points.size());
    for (const PowerPoint* p : points)
      corners_.push_back(
          grid_.corners(cost::power_axes(p->seconds, p->compute_use, p->memory_use)));
    add_smoothness();
    std::set<std::uint64_t> sites;
    for (const PowerPoint* p : points) sites.insert(p->site);
    by_site_ = sites.size() >= kFewestSites;
  }
  [[nodiscard]] bool by_site() const { return by_site_; }
  [[nodiscard]] std::vector<double> fit(int left_out) const {
    std::vector<double> normal = penalty_, right(cells_, 0.0);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (fold(i) == left_out) continue;
      const Grid::Corners& c = corners_[i];
      for (int p = 0; p < c.count; ++p) {
        const auto pc = static_cast<std::size_t>(p);
        const double w = c.weight[pc];
        right[c.cell[pc]] += w * points_[i]->share;
        for (int q = 0; q < c.count; ++q) {
          const auto qc = static_cast<std::size_t>(q);
          normal[c.cell[pc] * cells_ + c.cell[qc]] += w * static_cast<double>(c.weight[qc]);
        }
      }
    }
    return solve(normal, std::move(right));
  }
  [[nodiscard]] int fold(std::size_t i) const {
    const std::uint64_t name = by_site_ ? points_[i]->site : static_cast<std::uint64_t>(i);
    return static_cast<int>((name * 0x9e3779b97f4a7c15ULL >> 32) % kFolds);
  }
  [[nodiscard]] double at(const std::vector<double>& cells, std::size_t i) const {
    double sum = 0;
    for (int p = 0; p < corners_[i].count; ++p) {
      const auto pc = static_cast<std::size_t>(p);
      sum += static_cast<double>(corners_[i].weight[pc]) * cells[corners_[i].cell[pc]];
    }
    return sum;
  }
  [[nodiscard]] Grid grid(const std::vector<double>& cells) const {
    Grid grid = grid_;
    for (const double x : cells) {
      grid.cells.push_back(static_cast<std::int8_t>(
          std::lround(std::clamp(x, 0.0, 1.0) / static_cast<double>(kStep))));
    }
    return grid;
  }

 private:
  void add_smoothness() {
    penalty_.assign(cells_ * cells_, 0.0);
    const auto add = [&](std::initializer_list<std::pair<std::size_t, double>> terms,
                         double weight) {
      for (const auto& [i, wi] : terms)
        for (const auto& [j, wj] : terms) penalty_[i * cells_ + j] += weight * wi * wj;
    };
    std::size_t inner = 1;
    for (std::size_t a = cost::kCurveAxes; a-- > 0;) {
      const std::size_t n = grid_.knots[a].size();
      if (n == 0) continue;
      for (std::size_t cell = 0; cell < cells_; ++cell) {
        const std::size_t place = cell / inner % n;
        if (place + 1 < n) add({{cell, -1.0}, {cell + inner, 1.0}}, kSmooth * kFirstDifferences);
        if (place + 2 < n)
          add({{cell, 1.0}, {cell + inner, -2.0}, {cell + 2 * inner, 1.0}}, kSmooth);
      }
      inner *= n;
    }
    for (std::size_t cell = 0; cell < cells_; ++cell) penalty_[cell * cells_ + cell] += kRidge;
  }

  std::span<const PowerPoint* const> points_;
  Grid grid_;
  std::size_t cells_ = 0;
  bool by_site_ = true;
  std::vector<Grid::Corners> corners_;
  std::vector<double> penalty_;
};

void describe(std::vector<double> log_ratio, cost::Residuals& residuals, float& median,
              float& p90) {
  std::vector<double> ape;
  ape.reserve(log_ratio.size());
  for (const double e : log_ratio) ape.push_back(std::abs(std::exp(-e) - 1.0));
  std::sort(ape.begin(), ape.end());
  std::sort(log_ratio.begin(), log_ratio.end());
  static constexpr std::array kQuantiles = {0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95};
  for (std::size_t i = 0; i < kQuantiles.size(); ++i)
    residuals.at[i] = static_cast<float>(quantile(log_ratio, kQuantiles[i]));
  residuals.points = static_cast<std::uint32_t>(log_ratio.size());
  median = static_cast<float>(quantile(ape, 0.5));
  p90 = static_cast<float>(quantile(ape, 0.9));
}

cost::Curve fit_surface(std::span<const PowerPoint* const> points, double floor) {
  const Surface surface(points);
  cost::Curve curve;
  curve.roofline.memory = floor;
  curve.grid = surface.grid(surface.fit(-1));
  curve.rows = static_cast<std::uint32_t>(points.size());
  std::vector<double> log_ratio;
  for (int fold = 0; fold < kFolds; ++fold) {
    const std::vector<double> cells = surface.fit(fold);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (surface.fold(i) == fold)
        log_ratio.push_back(
            std::log(points[i]->share / std::clamp(surface.at(cells, i), floor, 1.0)));
    }
  }
  if (surface.by_site())
    describe(std::move(log_ratio), curve.by_site, curve.median_site, curve.p90_site);
  else
    describe(std::move(log_ratio), curve.by_point, curve.median_point, curve.p90_point);
  return curve;
}

}  // namespace

Result<std::vector<PowerPoint>> read_power(const KernelTable& table,
                                           const hardware::Accelerators& accelerators) {
  if (!table.has("power_w"))
    return fail({.code = ErrorCode::kInvalidInput,
                 .message = "the table has no column power_w",
                 .where = {.file = table.file(), .pointer = {}, .argument = {}, .offset = {}},
                 .why = {},
                 .hint = "add the mean board watts of every kernel",
                 .also = {}});
  std::vector<PowerPoint> points;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    auto point = PORTOLAN_TRY(read_row(table, row, accelerators));
    if (point) points.push_back(*std::move(point));
  }
  return points;
}

cost::Profile fit_power(std::span<const PowerPoint> points, const TableSource& source) {
  std::map<std::string, std::vector<double>> shares;
  std::map<cost::CurveKey, std::vector<const PowerPoint*>> buckets;
  for (const PowerPoint& p : points) {
    shares[p.accelerator].push_back(p.share);
    buckets[{.accelerator = p.accelerator,
             .backend = p.backend,
             .version = p.version,
             .op = std::string(cost::kPowerOp),
             .dtype = p.arithmetic,
             .kv_dtype = "",
             .variant = p.power_class}]
        .push_back(&p);
  }
  cost::Profile profile;
  for (auto& [accelerator, all] : shares) std::sort(all.begin(), all.end());
  for (const auto& [key, bucket] : buckets) {
    if (bucket.size() < kFewestPoints) continue;
    cost::Curve curve = fit_surface(bucket, quantile(shares[key.accelerator], kFloorQuantile));
    curve.key = key;
    curve.source = source.source;
    curve.date = source.date;
    profile.add(std::move(curve));
  }
  return profile;
}

Result<std::vector<ScoredPoint>> score_power(const KernelTable& table, const cost::Profile& profile,
                                             const hardware::Accelerators& accelerators) {
  std::vector<ScoredPoint> scored;
  scored.reserve(table.rows());
  std::map<std::string, std::pair<cost::Machine, cost::PowerModel>> models;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto* accelerator = PORTOLAN_TRY(system_of(accelerators, table.text(row, "system")));
    ScoredPoint s;
    s.set = "kernels";
    s.metric = "power";
    s.group = fmt::format("{} {} {} {}", table.text(row, "op"), table.text(row, "dtype"),
                          accelerator->id, table.text(row, "backend"));
    s.label = table.place(row).text();
    s.measured = PORTOLAN_TRY(table.number(row, "power_w", 0));
    const auto point = PORTOLAN_TRY(read_row(table, row, accelerators));
    if (!point) {
      s.reason = s.measured > 0 ? "faster than physics, or no power class for this operator"
                                : "no watts in this row";
      scored.push_back(std::move(s));
      continue;
    }
    const std::string name = accelerator->id + " " + point->backend;
    auto model = models.find(name);
    if (model == models.end()) {
      hardware::Node node;
      node.accelerator = accelerator;
      cost::Machine machine = PORTOLAN_TRY(cost::make_machine(node, {.profile = &profile,
                                                                     .accelerators = &accelerators,
                                                                     .backend = point->backend,
                                                                     .version = point->version}));
      cost::PowerModel power(machine);
      model = models.emplace(name, std::pair(std::move(machine), power)).first;
    }
    const cost::PowerModel& power = model->second.second;
    const auto power_class = static_cast<cost::PowerClass>(
        static_cast<std::uint8_t>(cost::power_class_of(point->power_class)));
    const model::Compute compute = point->arithmetic == "fp8"    ? model::Compute::kFp8
                                   : point->arithmetic == "fp4"  ? model::Compute::kFp4
                                   : point->arithmetic == "int8" ? model::Compute::kInt8
                                                                 : model::Compute::kBf16;
    const double watts = point->limit * power.share(power_class, compute, point->seconds,
                                                    point->compute_use, point->memory_use);
    s.predicted = watts;
    s.tier = cost::tier_name(power.tier());
    if (const cost::Curve* curve = power.surface(power_class, compute);
        curve != nullptr && curve->by_site.points > 0) {
      s.low = watts * std::exp(static_cast<double>(curve->by_site.at[1]));
      s.high = std::min(point->limit * 1.02,
                        watts * std::exp(static_cast<double>(curve->by_site.at[5])));
    }
    scored.push_back(std::move(s));
  }
  return scored;
}

}  // namespace portolan::measure
