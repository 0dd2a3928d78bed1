// Clients of ServeGen's folders as one source.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "simulation/source.hpp"
#include "simulation/traffic.hpp"

namespace portolan::simulation {

/// `options.path` is a folder with chunk-N-trace.csv (seconds, requests per second, coefficient of
/// variation, Gamma or Weibull or nothing; windows of 600 s) and chunk-N-dataset.json (histograms
/// of lengths from a time on) for each client N. Arrivals are renewals whose rate and variation are
/// those of the window; lengths are drawn from the latest histograms. Clients do not depend on each
/// other. Errors: not_found, malformed and invalid_input with file and line.
Result<std::unique_ptr<Source>> open_servegen(const TraceOptions& options);

}  // namespace portolan::simulation
