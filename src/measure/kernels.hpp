// The kernel tables: which calls their rows measure, the curves fitted to them and how well curves
// predict them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/date.hpp"
#include "base/result.hpp"
#include "cost/profile.hpp"
#include "hardware/accelerator.hpp"
#include "io/text_formats.hpp"
#include "measure/fit.hpp"
#include "measure/score.hpp"

namespace portolan::measure {

/// A kernel table (columns system, backend, version, op, kernel, dtype, kv_dtype, shape…,
/// latency_ms). Columns are found by name; numbers are checked when read.
class KernelTable {
 public:
  /// Errors: invalid_input naming the columns every kernel table needs.
  static Result<KernelTable> make(io::CsvTable csv, std::string file);
  /// Of a file, plain or compressed; errors of Table::open besides.
  static Result<KernelTable> open(const std::string& path);
  [[nodiscard]] std::size_t rows() const { return csv_.rows.size(); }
  [[nodiscard]] bool has(std::string_view column) const { return csv_.column(column) >= 0; }
  /// "" when the column is absent.
  [[nodiscard]] const std::string& text(std::size_t row, std::string_view column) const;
  /// `missing` when the column is absent or the cell empty. Errors: invalid_input with file:line.
  [[nodiscard]] Result<double> number(std::size_t row, std::string_view column,
                                      double missing) const;
  /// Errors as above, and when the column or the cell is missing.
  [[nodiscard]] Result<double> number(std::size_t row, std::string_view column) const;
  [[nodiscard]] Where place(std::size_t row) const;
  /// invalid_input at a row.
  [[nodiscard]] Error problem(std::size_t row, std::string message, std::string hint) const;
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  io::CsvTable csv_;
  std::string file_;
};

/// One measured call, as its family reads it.
struct KernelPoint {
  std::string dtype, kv_dtype, variant;  // of the curve that stands for it
  cost::Call call;
  double seconds = 0;
  std::uint64_t site = 0;
  bool physical = true;  // false: faster than physics, kept out of fits and counted
};

/// How the rows of one `op` become calls, and the grid a curve of them gets.
struct Family {
  std::string_view op;  // of the table's column
  /// Row to call on the chip it was measured on. Errors: invalid_input with file:line.
  Result<KernelPoint> (*read)(const KernelTable&, std::size_t row, const cost::Chip&);
  /// Grid and roofline for all points of one curve.
  FitOptions (*options)(std::span<const KernelPoint>);
};
/// nullptr for an unknown op.
const Family* find_family(std::string_view op);

/// The accelerator a kernel table names in its column `system`. Errors: not_found.
Result<const hardware::Accelerator*> system_of(const hardware::Accelerators& accelerators,
                                               std::string_view system);

/// What is known about where a table comes from.
struct TableSource {
  std::string source;
  Date date;
};

/// What became of the rows of one curve.
struct CalibrationLine {
  cost::CurveKey key;
  std::size_t rows = 0, rejected = 0;
  double median_point = 0, p90_point = 0, median_site = 0, p90_site = 0;
};

/// Fits a curve for every (accelerator, backend, version, op, dtype, kv_dtype, variant) of the
/// table. Of several kernels measured for one shape the fastest counts. Unknown systems and ops are
/// errors with the row's place. `threads` as of parallel loops; the result does not depend on it.
Result<cost::Profile> calibrate_kernels(const KernelTable& table, const TableSource& source,
                                        const hardware::Accelerators& accelerators,
                                        unsigned threads);
std::vector<CalibrationLine> calibration_report(const cost::Profile& profile);

/// Every row predicted with the best evidence of `profile` for its accelerator and backend. Group
/// "op dtype system"; rows faster than physics have groups of their own ("… faster_than_roofline").
Result<std::vector<ScoredPoint>> score_kernels(const KernelTable& table,
                                               const cost::Profile& profile,
                                               const hardware::Accelerators& accelerators);

}  // namespace portolan::measure
