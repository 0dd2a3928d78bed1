// Kernel tables as users hand them over: rows whose operator or accelerator is unknown are kept as
// points without an answer.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cost/profile.hpp"
#include "hardware/accelerator.hpp"
#include "measure/score.hpp"
#include "measure/table.hpp"

namespace portolan::measure {

/// Why no curve can stand for a row; empty when one may.
std::string unknown_kernel(const TableRow& row, const hardware::Accelerators& accelerators);

/// The rows a curve may stand for, in order.
io::CsvTable known_kernel_rows(const Table& table, const hardware::Accelerators& accelerators);

/// score_kernels of those rows, and the others as unanswered points. Metric "latency", ms.
Result<std::vector<ScoredPoint>> score_kernel_table(const Table& table,
                                                    const cost::Profile& profile,
                                                    const hardware::Accelerators& accelerators);

}  // namespace portolan::measure
