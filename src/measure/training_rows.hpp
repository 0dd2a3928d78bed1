// Published training steps and training memory, predicted row by row.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/quantity.hpp"
#include "hardware/accelerator.hpp"
#include "measure/score.hpp"
#include "measure/table.hpp"
#include "model/architecture.hpp"
#include "model/library.hpp"

namespace portolan::measure {

/// What rows are resolved with. Both must outlive the call.
struct KnownThings {
  const hardware::Accelerators& accelerators;
  const model::Library& models;
  unsigned threads = 0;  // the result does not depend on it
};

/// Metric "step_time" in seconds. The target is the step time, else tokens per second, else
/// TFLOP/s by the counter the row names; rows with none are no points. Groups: framework without
/// its version, " MoE", the task unless it is pretraining, " one node", and " strategy_unknown"
/// where parallelism or precision was not published: then the fastest legal strategy of the search
/// answers, in the accelerator's usual precision. An architecture comes from the row's columns, a
/// known name where they are not enough, else from the number of parameters alone.
std::vector<ScoredPoint> score_training(const Table& table, const std::string& set,
                                        const KnownThings& known);

/// Metric "memory" in bytes of one accelerator. Components worked out on paper and runs that went
/// out of memory have no measured value and are no points.
std::vector<ScoredPoint> score_training_memory(const Table& table, const std::string& set,
                                               const KnownThings& known);

/// Seconds of one step as published: read, or from tokens/s, or from TFLOP/s of a known counter.
std::optional<double> published_step(const TableRow& row,
                                     const std::optional<model::Architecture>& architecture,
                                     double batch_tokens);

/// Whether step time and TFLOP/s of a row speak of machines of different sizes (by more than 1.5
/// times): such rows form groups of their own.
bool columns_disagree(const TableRow& row, const model::Architecture& architecture);

/// A run that went out of memory ("OOM" in the column of the peak), and what we say it needs.
struct Overflow {
  std::string label, reason;  // reason: why it is not answered, else empty
  Bytes predicted{0}, usable{0};
};
std::vector<Overflow> training_overflows(const Table& table, const KnownThings& known);

}  // namespace portolan::measure
