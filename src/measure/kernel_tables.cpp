#include "measure/kernel_tables.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/text.hpp"
#include "measure/kernels.hpp"
#include "measure/power_fit.hpp"

namespace portolan::measure {
namespace {

/// Remembers what it was asked before: tables name few systems, many times.
class Unknown {
 public:
  explicit Unknown(const hardware::Accelerators& accelerators) : accelerators_(accelerators) {}
  const std::string& why(const TableRow& row) {
    const std::string& op = row.text("op");
    const std::string& system = row.text("system");
    const auto [at, added] = known_.try_emplace({op, system});
    if (added) {
      if (find_family(op) == nullptr) {
        at->second = fmt::format("no curves of the operator {}", quoted(op));
      } else if (!system_of(accelerators_, system)) {
        at->second = fmt::format("unknown accelerator {}", quoted(system));
      }
    }
    return at->second;
  }

 private:
  const hardware::Accelerators& accelerators_;
  std::map<std::pair<std::string, std::string>, std::string> known_;
};

}  // namespace

std::string unknown_kernel(const TableRow& row, const hardware::Accelerators& accelerators) {
  return Unknown(accelerators).why(row);
}

io::CsvTable known_kernel_rows(const Table& table, const hardware::Accelerators& accelerators) {
  Unknown unknown(accelerators);
  io::CsvTable known;
  known.header = table.csv().header;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (!unknown.why(TableRow(table, i)).empty()) continue;
    known.rows.push_back(table.csv().rows[i]);
    known.lines.push_back(table.csv().lines[i]);
  }
  return known;
}

Result<std::vector<ScoredPoint>> score_kernel_table(const Table& table,
                                                    const cost::Profile& profile,
                                                    const hardware::Accelerators& accelerators) {
  std::vector<ScoredPoint> points;
  io::CsvTable known = known_kernel_rows(table, accelerators);
  if (!known.rows.empty()) {
    const KernelTable kernels = PORTOLAN_TRY(KernelTable::make(std::move(known), table.file()));
    points = PORTOLAN_TRY(score_kernels(kernels, profile, accelerators));
    for (std::size_t i = 0; i < points.size() && i < kernels.rows(); ++i)
      points[i].source = kernels.text(i, "source");
    if (kernels.has("power_w")) {
      for (ScoredPoint& p : PORTOLAN_TRY(score_power(kernels, profile, accelerators)))
        points.push_back(std::move(p));
    }
  }
  Unknown unknown(accelerators);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TableRow row(table, i);
    const std::string& why = unknown.why(row);
    const auto latency = row.number("latency_ms");
    if (why.empty() || !latency || *latency <= 0) continue;
    ScoredPoint p;
    p.set = "kernels";
    p.group = fmt::format("{} {} {} {}", row.text("op"), row.text("dtype"), row.text("system"),
                          row.text("backend"));
    p.metric = "latency";
    p.label = row.place();
    p.measured = *latency;
    p.reason = why;
    p.source = row.text("source");
    points.push_back(std::move(p));
  }
  return points;
}

}  // namespace portolan::measure
