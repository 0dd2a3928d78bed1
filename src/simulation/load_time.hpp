// How long a machine takes from its order to its first answer, alone and when several start at once
// and share a storage (serving.md §4.2).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "simulation/engine_model.hpp"
#include "simulation/request.hpp"
#include "simulation/scenario.hpp"

namespace portolan::simulation {

/// A start of vLLM as measured: 36 s and the weights at 3.8 GB/s, with a spread of 0.36. Machine
/// and image not included. See load_time.cpp for the points.
LoadTime measured_load_time();

/// One start: what comes before the weights, the weights and the fastest they can come, the rest.
struct Start {
  Time before = 0, after = 0;
  double bytes = 0, most_bytes_per_second = 0;  // 0: no limit of its own
};
/// `factor` multiplies everything (the spread).
Start start_of(const LoadTime& load, const EngineModel& engine, double factor = 1);

/// Seconds until ready when `concurrent` machines of the pool start together.
double start_seconds(const LoadTime& load, const EngineModel& engine, std::int64_t concurrent = 1);

/// Machines that read weights from one storage: each gets an equal share of its bandwidth, unless
/// its own limit is below that share.
class SharedStorage {
 public:
  explicit SharedStorage(std::optional<double> bytes_per_second)
      : bytes_per_second_(bytes_per_second.value_or(0)) {}
  void begin(std::uint32_t slot, const Start& start, Time now);
  /// A machine that went away.
  void cancel(std::uint32_t slot, Time now);
  /// When the next one has its weights; kNever when none reads.
  [[nodiscard]] Time next() const;
  /// The one that has them at `now` == next().
  std::uint32_t finish(Time now);
  /// Changes with every call above, so that a planned next() can be told from a later one.
  [[nodiscard]] std::uint64_t version() const { return version_; }

 private:
  struct Reader {
    std::uint32_t slot = 0;
    double left = 0, most = 0;  // bytes; bytes per second
  };
  [[nodiscard]] double rate(const Reader& reader) const;
  void move_to(Time now);

  double bytes_per_second_ = 0;  // 0: no limit
  std::vector<Reader> readers_;
  Time at_ = 0;
  std::uint64_t version_ = 0;
};

}  // namespace portolan::simulation
