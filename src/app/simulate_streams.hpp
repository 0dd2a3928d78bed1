// What `simulate` writes while it runs: a row per request, the time series, a trace of events; and
// the curves that a report draws, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/simulate.hpp"
#include "app/simulate_trace.hpp"
#include "base/files.hpp"
#include "simulation/sketch.hpp"

namespace portolan::app {

/// Files take their names only in finish(): a run that fails or is interrupted leaves none.
class SimulateStreams {
 public:
  /// Both must outlive it.
  SimulateStreams(const SimulateFiles& files, const simulation::Scenario& scenario);
  SimulateStreams(const SimulateStreams&) = delete;
  SimulateStreams& operator=(const SimulateStreams&) = delete;

  /// Opens the files, so that one that cannot be written is an error before the run.
  Result<void> open();
  /// Sets what the run is asked to tell; these call back into this object.
  void listen(simulation::Observers& observers);
  /// Whether writing failed: the run is not worth going on with.
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  /// Errors: what writing met.
  Result<void> finish();

  [[nodiscard]] std::vector<TimePoint> timeline() const;
  [[nodiscard]] std::vector<Distribution> distributions() const;

 private:
  using Sample = simulation::Observers::Sample;
  void take(const simulation::Outcome& outcome);
  void take(const Sample& sample);
  void write_row(const simulation::Outcome& outcome);
  void write_point(const TimePoint& point);
  [[nodiscard]] TimePoint between(const Sample& before, const Sample& after) const;
  void append(std::optional<FileWriter>& file, std::string_view text);

  const SimulateFiles& files_;
  const simulation::Scenario& scenario_;
  std::optional<FileWriter> requests_, series_;
  EventTrace trace_;
  std::vector<std::string> models_, classes_, pools_;  // as cells
  std::string line_;
  std::vector<Sample> last_;               // by pool
  std::vector<std::vector<Sample>> kept_;  // by pool, thinned
  std::uint64_t stride_ = 1, seen_ = 0;    // of kept ones; samples of the first pool
  simulation::Sketch ttft_, tpot_, e2e_, queue_;
  std::optional<Error> error_;
};

}  // namespace portolan::app
