// Power surfaces from kernel tables that carry watts, and how well they predict such tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cost/profile.hpp"
#include "hardware/accelerator.hpp"
#include "measure/kernels.hpp"
#include "measure/score.hpp"

namespace portolan::measure {

/// One measured kernel with its board power.
struct PowerPoint {
  std::string accelerator, backend, version;
  std::string power_class, arithmetic;  // names of cost/power.hpp
  double seconds = 0, compute_use = 0, memory_use = 0;
  double share = 0;  // measured watts over the board limit
  double limit = 0;  // watts
  std::uint64_t site = 0;
};

/// Rows of a kernel table with the columns power_w and power_limit_w whose operator has a power
/// class; rows faster than physics and rows without watts are left out. Errors: invalid_input with
/// file:line, or when the table has no watts.
Result<std::vector<PowerPoint>> read_power(const KernelTable& table,
                                           const hardware::Accelerators& accelerators);

/// Mean share of the limit for every (accelerator, backend, version, class, arithmetic), with the
/// residuals of sites left out (of single points where there are few sites). Groups of fewer than
/// 100 points get no surface.
cost::Profile fit_power(std::span<const PowerPoint> points, const TableSource& source);

/// Watts predicted from the measured time of every row: metric "power", group "op dtype
/// accelerator backend". Rows without power or whose operator has no class are not answered.
Result<std::vector<ScoredPoint>> score_power(const KernelTable& table, const cost::Profile& profile,
                                             const hardware::Accelerators& accelerators);

}  // namespace portolan::measure
