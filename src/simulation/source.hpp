// Where requests come from: a trace read as it goes or a generator, one request at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "simulation/request.hpp"

namespace portolan::simulation {

/// Requests in order of arrival. Memory does not grow with their number.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// Fills `request` (its vectors are reused) and returns true, or false when there is none: for
  /// ever, or, of a reactive source, until a request completes. Errors: malformed or unsorted
  /// input, with file and line.
  virtual Result<bool> next(Request& request) = 0;

  /// Whether later requests depend on earlier answers (closed loops, conversations). The simulator
  /// then calls completed() for each request that is over, and next() again after it; next() may
  /// then return arrivals earlier than ones it would have returned before, but none before `at`.
  [[nodiscard]] virtual bool reactive() const { return false; }
  virtual void completed(const Outcome& /*outcome*/, Time /*at*/) {}

  /// How many requests there will be, where that is known; for progress.
  [[nodiscard]] virtual std::optional<std::uint64_t> count() const { return std::nullopt; }
};

}  // namespace portolan::simulation
