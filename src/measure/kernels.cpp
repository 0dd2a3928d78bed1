#include "measure/kernels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "measure/families.hpp"
#include "measure/table.hpp"

namespace portolan::measure {
namespace {

/// Points of one curve while a table is read.
struct Bucket {
  std::vector<KernelPoint> points;
  std::size_t rejected = 0;
};

Error table_error(std::string message, Where where, std::string hint) {
  return {.code = ErrorCode::kInvalidInput,
          .message = std::move(message),
          .where = std::move(where),
          .why = {},
          .hint = std::move(hint),
          .also = {}};
}

/// A row of any op with what it was measured on.
struct ReadRow {
  const Family* family = nullptr;
  const hardware::Accelerator* accelerator = nullptr;
  KernelPoint point;
};

class RowReader {
 public:
  RowReader(const KernelTable& table, const hardware::Accelerators& accelerators)
      : table_(table), accelerators_(accelerators) {}

  Result<ReadRow> read(std::size_t row) {
    const std::string& op = table_.text(row, "op");
    if (family_ == nullptr || family_->op != op) family_ = find_family(op);
    if (family_ == nullptr)
      return fail(table_.problem(row, fmt::format("unknown op \"{}\"", op),
                                 "name an op of the kernel tables, for example gemm"));
    const std::string& system = table_.text(row, "system");
    if (accelerator_ == nullptr || system != system_) {
      const auto resolved = system_of(accelerators_, system);
      if (!resolved)
        return fail(table_.problem(row, fmt::format("unknown system \"{}\"", system),
                                   "name an accelerator of the catalogue (portolan gpus)"));
      system_ = system;
      accelerator_ = *resolved;
      chip_ = cost::chip_of(*accelerator_);
    }
    ReadRow r{.family = family_, .accelerator = accelerator_, .point = {}};
    r.point = PORTOLAN_TRY(family_->read(table_, row, chip_));
    r.point.seconds = PORTOLAN_TRY(table_.number(row, "latency_ms")) * 1e-3;
    r.point.physical = r.point.seconds > 0 && std::isfinite(r.point.call.ideal()) &&
                       r.point.seconds >= r.point.call.ideal();
    return r;
  }

 private:
  const KernelTable& table_;
  const hardware::Accelerators& accelerators_;
  const Family* family_ = nullptr;
  const hardware::Accelerator* accelerator_ = nullptr;
  std::string system_;
  cost::Chip chip_;
};

/// Of the kernels measured for one call the fastest; order of the rest as read.
void keep_fastest(std::vector<KernelPoint>& points) {
  const auto shape = [](const KernelPoint& p) {
    return std::tie(p.site, p.call.at, p.call.compute, p.call.memory, p.call.extra);
  };
  std::stable_sort(points.begin(), points.end(), [&](const KernelPoint& a, const KernelPoint& b) {
    if (shape(a) != shape(b)) return shape(a) < shape(b);
    return a.seconds < b.seconds;
  });
  points.erase(
      std::unique(points.begin(), points.end(),
                  [&](const KernelPoint& a, const KernelPoint& b) { return shape(a) == shape(b); }),
      points.end());
}

constexpr std::array kFamilies = {&kGemmFamily,
                                  &kFindScaleFamily,
                                  &kApplyScaleFamily,
                                  &kHeadProductFamily,
                                  &kPassFamily,
                                  &kSamplerFamily,
                                  &kMoeFamily,
                                  &kNcclFamily,
                                  &kOneCclFamily,
                                  &kCustomAllReduceFamily,
                                  &kExchangeFamily,
                                  &kContextAttentionFamily,
                                  &kDecodeAttentionFamily,
                                  &kEncoderAttentionFamily,
                                  &kMixedAttentionFamily,
                                  &kContextMlaFamily,
                                  &kDecodeMlaFamily,
                                  &kContextMlaModuleFamily,
                                  &kDecodeMlaModuleFamily,
                                  &kGatedDeltaFamily,
                                  &kMamba2Family};

}  // namespace

const Family* find_family(std::string_view op) {
  for (const Family* family : kFamilies)
    if (family->op == op) return family;
  return nullptr;
}

Result<const hardware::Accelerator*> system_of(const hardware::Accelerators& accelerators,
                                               std::string_view system) {
  // The published tables say a100_sxm and mean the part with 2,039 GB/s.
  return PORTOLAN_TRY(accelerators.resolve(system == "a100_sxm" ? "a100-sxm-80gb" : system))
      .accelerator;
}

std::uint64_t site_of(std::initializer_list<double> parts) {
  std::uint64_t hash = 1469598103934665603ULL;
  for (const double part : parts) {
    hash ^= std::bit_cast<std::uint64_t>(part);
    hash *= 1099511628211ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

std::vector<float> coordinates(std::span<const KernelPoint> points, std::size_t axis) {
  std::vector<float> values;
  values.reserve(points.size());
  for (const KernelPoint& p : points) values.push_back(p.call.at[axis]);
  return values;
}

std::vector<float> knots_between(std::span<const KernelPoint> points, std::size_t axis,
                                 std::initializer_list<float> wanted) {
  float low = points.front().call.at[axis], high = low;
  for (const KernelPoint& p : points) {
    low = std::min(low, p.call.at[axis]);
    high = std::max(high, p.call.at[axis]);
  }
  std::vector<float> knots;
  for (const float k : wanted) {
    // A knot at or below the lowest point replaces the one before it.
    if (k <= low) knots.clear();
    if (knots.empty() || knots.back() < high) knots.push_back(k);
  }
  return knots;
}

Result<KernelTable> KernelTable::make(io::CsvTable csv, std::string file) {
  KernelTable table;
  std::string missing;
  for (const std::string_view column : {"system", "backend", "version", "op", "latency_ms"})
    if (csv.column(column) < 0) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", column);
  if (!missing.empty())
    return fail(table_error(fmt::format("not a kernel table: column {} is missing", missing),
                            {.file = file, .pointer = {}, .argument = {}, .offset = {}},
                            "the layout is described in docs/formats/measurements.md"));
  table.csv_ = std::move(csv);
  table.file_ = std::move(file);
  return table;
}

Result<KernelTable> KernelTable::open(const std::string& path) {
  return make(PORTOLAN_TRY(Table::open(path)).take_csv(), path);
}

const std::string& KernelTable::text(std::size_t row, std::string_view column) const {
  return Cells(csv_, row).text(column);
}

Result<double> KernelTable::number(std::size_t row, std::string_view column, double missing) const {
  const std::string& cell = text(row, column);
  if (cell.empty()) return missing;
  const auto value = parse_double(cell);
  if (!value || !std::isfinite(*value))
    return fail(problem(row, fmt::format("{} \"{}\" is not a number", column, cell),
                        "write a decimal number"));
  return *value;
}

Result<double> KernelTable::number(std::size_t row, std::string_view column) const {
  if (text(row, column).empty())
    return fail(
        problem(row, fmt::format("column {} is missing or empty", column),
                "this op needs it; the layout is described in docs/formats/measurements.md"));
  return number(row, column, 0);
}

Where KernelTable::place(std::size_t row) const {
  return {.file = file_,
          .line = csv_.lines[row],
          .column = 0,
          .pointer = {},
          .argument = {},
          .offset = {}};
}

Error KernelTable::problem(std::size_t row, std::string message, std::string hint) const {
  return table_error(std::move(message), place(row), std::move(hint));
}

Result<cost::Profile> calibrate_kernels(const KernelTable& table, const TableSource& source,
                                        const hardware::Accelerators& accelerators,
                                        unsigned threads) {
  std::map<cost::CurveKey, Bucket> buckets;
  RowReader reader(table, accelerators);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    ReadRow row = PORTOLAN_TRY(reader.read(i));
    Bucket& bucket = buckets[{.accelerator = row.accelerator->id,
                              .backend = table.text(i, "backend"),
                              .version = table.text(i, "version"),
                              .op = std::string(row.family->op),
                              .dtype = row.point.dtype,
                              .kv_dtype = row.point.kv_dtype,
                              .variant = row.point.variant}];
    if (row.point.physical)
      bucket.points.push_back(std::move(row.point));
    else
      ++bucket.rejected;
  }
  std::vector<std::pair<cost::CurveKey, Bucket>> work;
  for (auto& [key, bucket] : buckets)
    if (!bucket.points.empty()) work.emplace_back(key, std::move(bucket));
  std::vector<cost::Curve> curves(work.size());
  parallel_for(work.size(), threads, [&](std::size_t i) {
    auto& [key, bucket] = work[i];
    keep_fastest(bucket.points);
    std::vector<FitPoint> points;
    points.reserve(bucket.points.size());
    for (const KernelPoint& p : bucket.points)
      points.push_back({.call = p.call, .seconds = p.seconds, .site = p.site});
    curves[i] = fit_curve(points, find_family(key.op)->options(bucket.points));
    curves[i].key = key;
    curves[i].rejected = static_cast<std::uint32_t>(bucket.rejected);
    curves[i].source = source.source;
    curves[i].date = source.date;
  });
  cost::Profile profile;
  for (cost::Curve& curve : curves) profile.add(std::move(curve));
  return profile;
}

std::vector<CalibrationLine> calibration_report(const cost::Profile& profile) {
  std::vector<CalibrationLine> lines;
  for (const cost::Curve& c : profile.curves())
    lines.push_back({.key = c.key,
                     .rows = c.rows,
                     .rejected = c.rejected,
                     .median_point = static_cast<double>(c.median_point),
                     .p90_point = static_cast<double>(c.p90_point),
                     .median_site = static_cast<double>(c.median_site),
                     .p90_site = static_cast<double>(c.p90_site)});
  return lines;
}

Result<std::vector<ScoredPoint>> score_kernels(const KernelTable& table,
                                               const cost::Profile& profile,
                                               const hardware::Accelerators& accelerators) {
  std::vector<ScoredPoint> points;
  points.reserve(table.rows());
  RowReader reader(table, accelerators);
  std::map<std::tuple<std::string, std::string, std::string>, cost::KernelSet> sets;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const ReadRow row = PORTOLAN_TRY(reader.read(i));
    const std::string &backend = table.text(i, "backend"), &version = table.text(i, "version");
    const auto key = std::make_tuple(row.accelerator->id, backend, version);
    auto set = sets.find(key);
    if (set == sets.end())
      set = sets.emplace(key, cost::KernelSet(profile, &accelerators, *row.accelerator, backend,
                                              version))
                .first;
    const KernelPoint& p = row.point;
    const cost::Chosen chosen = set->second.nearest(row.family->op, p.dtype, p.variant, p.kv_dtype);
    ScoredPoint s;
    s.set = "kernels";
    s.group = fmt::format("{} {} {} {}{}", row.family->op, p.dtype, row.accelerator->id, backend,
                          p.physical ? "" : " faster_than_roofline");
    s.metric = "latency";
    s.label = table.place(i).text();
    s.measured = p.seconds * 1e3;
    // Without a relative: the shares of the datasheet tier.
    const double seconds =
        chosen.curve != nullptr ? chosen.curve->seconds(p.call) : cost::Roofline().seconds(p.call);
    const cost::ErrorBand band = cost::interval_of(chosen, p.call);
    s.predicted = seconds * 1e3;
    s.low = seconds * 1e3 * band.low;
    s.high = seconds * 1e3 * band.high;
    s.tier = cost::tier_name(chosen.tier);
    points.push_back(std::move(s));
  }
  return points;
}

}  // namespace portolan::measure
