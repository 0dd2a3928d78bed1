// Fitting efficiency curves to a user's kernel tables: the profile that --profile lays over the
// shipped one.
#pragma once

#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "measure/kernels.hpp"

namespace portolan::app {

struct CalibrateRequest {
  std::vector<std::string> data;
};

struct CalibrateResult {
  std::size_t rows_read = 0;
  std::size_t rows_fitted = 0;
  std::size_t rows_rejected = 0;  // faster than physics
  std::size_t rows_unknown = 0;   // operator or accelerator without a place in a profile
  std::vector<measure::CalibrationLine> curves;  // sorted by key
  std::string profile;                           // the file's text
};

struct CalibrateAnswer {
  CalibrateResult result;
  Envelope envelope;
};

Result<CalibrateRequest> read_calibrate(const io::Value& request);
/// Errors: those of opening tables; invalid_input for a table that is not of kernels, with the
/// columns it lacks, and for one of which no row can be fitted.
Result<CalibrateAnswer> calibrate(const CalibrateRequest& request, const Context& context);

}  // namespace portolan::app
