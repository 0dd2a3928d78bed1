// Fitting efficiency curves to a user's kernel tables and host times to serving tables: the profile
// that --profile lays over what is known.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "app/left_out.hpp"
#include "measure/kernels.hpp"

namespace portolan::app {

struct CalibrateRequest {
  std::vector<std::string> data;
};

/// A host time of an engine record, in seconds.
struct FittedTime {
  std::string engine, time;  // "vllm-0.19", "per_step"
  double known = 0, fitted = 0;
  /// Standard error of ln(fitted); unset where the fit has none.
  std::optional<double> log_error = {};
  bool decided = true;  // false: the points hardly tell it, it stays near what was known
};

/// Error of one metric over the points of one fitted engine, |predicted - measured| / measured;
/// 0.05 is 5 %.
struct EngineError {
  std::string engine;
  std::string metric;       // ttft_mean, tpot_mean, or run_time of static batches and offline runs
  std::string left_out_by;  // "model", or of one model "load"
  std::string part;         // the model or load that was left out; "" = all points
  std::size_t points = 0;
  std::optional<double> known_median = {}, known_mean = {};  // by the record that was known
  double median = 0;                                         // left out
  std::optional<double> mean = {}, inside = {};              // left out; share in the 80 % interval
};

struct CalibrateResult {
  std::size_t rows_read = 0;
  std::size_t rows_fitted = 0;
  std::size_t rows_rejected = 0;  // faster than physics
  std::size_t rows_unknown = 0;   // operator, accelerator, model or load that cannot be fitted
  std::vector<measure::CalibrationLine> curves;  // sorted by key
  std::vector<LeftOut> by_operator;              // the curves, pooled
  std::vector<FittedTime> times;                 // by engine
  std::vector<EngineError> engines;              // by engine and metric, all points first
  std::string profile;                           // the file's text
};

struct CalibrateAnswer {
  CalibrateResult result;
  Envelope envelope;
};

Result<CalibrateRequest> read_calibrate(const io::Value& request);
/// Errors: those of opening tables; invalid_input for a table that is neither of kernels nor of
/// serving points, with the columns it lacks, and where nothing can be fitted.
Result<CalibrateAnswer> calibrate(const CalibrateRequest& request, const Context& context);

}  // namespace portolan::app
