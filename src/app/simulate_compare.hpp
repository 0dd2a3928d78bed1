// Two results of `simulate` figure by figure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "io/value.hpp"

namespace portolan::app {

struct SimulateResult;

struct ComparedFigure {
  std::string name;  // "ttft_seconds.p95", as in the JSON of a result
  std::optional<double> before, after, difference, ratio;  // ratio: after over before
};
struct Comparison {
  std::vector<ComparedFigure> figures;
};

/// The figures that runs are compared by.
std::vector<std::pair<std::string, std::optional<double>>> headline_figures(
    const SimulateResult& result);

/// The object that `portolan simulate -o json` printed, from a file. Errors: those of reading;
/// invalid_input when it is of another command.
Result<io::Value> read_result(const std::string& path);
/// Figures that the earlier object does not have are unknown there.
Comparison compare_runs(const io::Value& before, const SimulateResult& after);

}  // namespace portolan::app
