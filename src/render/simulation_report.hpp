// A simulation as files for others: an HTML page with plots, and the figures under the names of
// vLLM's serving benchmark.
#pragma once

#include <string>

#include "app/simulate.hpp"

namespace portolan::render {

/// A page that stands alone: no scripts, no external references, light and dark.
std::string simulation_report(const app::SimulateAnswer& answer);

/// One JSON object: mean_ttft_ms, p99_tpot_ms, request_throughput …; what is unknown is null.
std::string bench_json(const app::SimulateAnswer& answer);

}  // namespace portolan::render
