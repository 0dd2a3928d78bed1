#include "simulation/load_time.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace portolan::simulation {

LoadTime measured_load_time() {
  // Fresh processes of vLLM 0.11, mean seconds (vllm-project.github.io, post of 2025-10-26 on sleep
  // mode): Qwen3-0.6B 21.0 on A4000 and 37.6 on A100, Phi-3-vision 46.0 and 58.1,
  // Qwen3-Coder-30B-A3B 47.4 on A100, Qwen3-235B-A22B-FP8 97.7 on four. The line a + bytes / b with
  // the least squares of logarithms has a = 36.0 s, b = 3.8 GB/s and leaves a standard deviation of
  // 0.36. Of the 36 s, compilation from a cache takes 7.5 and graphs 17 (a 3B model, vLLM of
  // 2025-06); the rest is the engine. A first compilation takes 43 to 85 s instead.
  return {.provision_seconds = 0,
          .image_seconds = 0,
          .engine_seconds = 11.5,
          .compile_seconds = 7.5,
          .profile_seconds = 0,
          .graph_seconds = 17,
          .first_request_seconds = 0,
          .weight_bytes = {},
          .storage_bytes_per_second = {},
          .network_bytes_per_second = 3.8e9,
          .pcie_bytes_per_second = {},
          .spread = 0.36};
}

Start start_of(const LoadTime& load, const EngineModel& engine, double factor) {
  Start start;
  start.before =
      from_seconds(factor * (load.provision_seconds + load.image_seconds + load.engine_seconds));
  start.after = from_seconds(factor * (load.compile_seconds + load.profile_seconds +
                                       load.graph_seconds + load.first_request_seconds));
  start.bytes = factor * load.weight_bytes.value_or(engine.weight_bytes);
  double most = std::numeric_limits<double>::infinity();
  if (load.network_bytes_per_second) most = std::min(most, *load.network_bytes_per_second);
  if (load.pcie_bytes_per_second)
    most = std::min(most, *load.pcie_bytes_per_second * static_cast<double>(engine.accelerators));
  start.most_bytes_per_second = std::isinf(most) ? 0 : most;
  return start;
}

double start_seconds(const LoadTime& load, const EngineModel& engine, std::int64_t concurrent) {
  const Start start = start_of(load, engine);
  double rate = start.most_bytes_per_second > 0 ? start.most_bytes_per_second
                                                : std::numeric_limits<double>::infinity();
  if (load.storage_bytes_per_second)
    rate = std::min(rate, *load.storage_bytes_per_second / static_cast<double>(concurrent));
  return to_seconds(start.before) + start.bytes / rate + to_seconds(start.after);
}

double SharedStorage::rate(const Reader& reader) const {
  double rate = reader.most > 0 ? reader.most : std::numeric_limits<double>::infinity();
  if (bytes_per_second_ > 0)
    rate = std::min(rate, bytes_per_second_ / static_cast<double>(readers_.size()));
  return rate;
}

void SharedStorage::move_to(Time now) {
  const double seconds = to_seconds(now - at_);
  for (Reader& reader : readers_)
    reader.left =
        std::isinf(rate(reader)) ? 0 : std::max(0.0, reader.left - seconds * rate(reader));
  at_ = now;
  ++version_;
}

void SharedStorage::begin(std::uint32_t slot, const Start& start, Time now) {
  move_to(now);
  readers_.push_back({.slot = slot, .left = start.bytes, .most = start.most_bytes_per_second});
}

void SharedStorage::cancel(std::uint32_t slot, Time now) {
  move_to(now);
  std::erase_if(readers_, [&](const Reader& r) { return r.slot == slot; });
}

Time SharedStorage::next() const {
  double soonest = std::numeric_limits<double>::infinity();
  for (const Reader& reader : readers_)
    soonest = std::min(soonest, std::isinf(rate(reader)) ? 0 : reader.left / rate(reader));
  if (std::isinf(soonest)) return kNever;
  return later(at_, soonest);
}

std::uint32_t SharedStorage::finish(Time now) {
  move_to(now);
  // The least left is done, whatever rounding says; the first begun among equals.
  const auto done = std::ranges::min_element(readers_, {}, &Reader::left);
  const std::uint32_t slot = done->slot;
  readers_.erase(done);
  return slot;
}

}  // namespace portolan::simulation
