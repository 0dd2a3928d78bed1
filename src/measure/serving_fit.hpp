// Host time of engine versions fitted to offline measurements: static batches and saturated runs,
// whose length is a sum over steps.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "measure/serving_rows.hpp"

namespace portolan::measure {

/// What one engine record should say, by the rows that ran on it. Errors are medians of
/// |predicted - measured| / measured.
struct OfflineFit {
  std::string engine;
  std::size_t rows = 0;
  double per_step = 0, per_request = 0;  // seconds
  double kernel_factor = 1;              // over the record's own
  double as_recorded = 0, fitted = 0;
  double least_requests = 0, most_requests = 0;  // mean batch of the runs
  // Predicted by a fit of the others; a load is a mean batch, in octaves.
  double held_out_model = 0, held_out_accelerator = 0, held_out_load = 0;
  std::vector<std::pair<std::string, double>> by_model, by_accelerator;  // held out, by name
};

/// Least absolute relative deviations of run time = kernel_factor · kernels + per_step · steps +
/// per_request · requests in them, all at least zero; without `kernels` the factor stays 1. The
/// rows of several tables together; rows that cannot be answered or whose columns disagree are left
/// aside. Fits are sorted by engine. Errors: those of reading the tables.
Result<std::vector<OfflineFit>> fit_offline(
    const std::vector<std::pair<std::string, io::CsvTable>>& tables, const model::Library& library,
    const hardware::Accelerators& accelerators, bool kernels, const ServingOptions& options = {});

}  // namespace portolan::measure
