// A run as a trace of events that Perfetto and chrome://tracing open: steps of each replica, its
// queue and cache, and requests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "simulation/replica.hpp"

namespace portolan::app {

/// Bounded: when there are too many events, neighbouring runs of steps become one and every second
/// request is left out, as often as needed. What remains covers the whole run.
class EventTrace {
 public:
  Result<void> open(const std::string& path, bool force);
  void add(const simulation::Segment& segment);
  void add(const simulation::Outcome& outcome);
  /// Writes and names the file.
  Result<void> finish();

 private:
  /// One or more runs of steps of a replica.
  struct Span {
    std::uint32_t replica = 0;
    simulation::Time start = 0, end = 0, busy = 0;
    std::int64_t steps = 0, prompt_tokens = 0, prompts = 0, waiting = 0, used_blocks = 0;
    double decodes = 0;  // times steps
  };
  void merge_neighbours();
  std::optional<FileWriter> file_;
  std::vector<Span> spans_;
  std::vector<simulation::Outcome> requests_;
  std::uint64_t stride_ = 1;  // of requests, by index
};

}  // namespace portolan::app
