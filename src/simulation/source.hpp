// Where requests come from: a trace read as it goes or a generator, one request at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

  /// Fills `request` (its vectors are reused) and returns true, or false when there is none any
  /// more. Errors: malformed or unsorted input, with file and line.
  virtual Result<bool> next(Request& request) = 0;

  /// Whether answers make further requests arrive (closed loops, conversations). The simulator then
  /// calls completed() for each request that is over, whatever its status.
  [[nodiscard]] virtual bool reactive() const { return false; }
  /// True: `follow_up` has been filled with the request that this answer leads to, which arrives at
  /// `at` or later; it comes besides those of next(), in no order with them.
  virtual Result<bool> completed(const Outcome& /*outcome*/, Time /*at*/, Request& /*follow_up*/) {
    return false;
  }

  /// How many requests there will be, where that is known; for progress.
  [[nodiscard]] virtual std::optional<std::uint64_t> count() const { return std::nullopt; }
  /// Rows of a trace left out so far because they are no requests that were answered.
  [[nodiscard]] virtual std::uint64_t skipped() const { return 0; }
  /// What had to be assumed to make requests of the input, one sentence each.
  [[nodiscard]] virtual std::vector<std::string> assumptions() const { return {}; }
};

}  // namespace portolan::simulation
