// Published training steps and training memory, predicted row by row.
#pragma once

#include <string>
#include <vector>

#include "hardware/accelerator.hpp"
#include "measure/score.hpp"
#include "measure/table.hpp"
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

/// The accelerator a training table means by a name such as "H100-96GB" or "A100": of all parts
/// the name may stand for the one with the largest domain and the fastest links, then the nearest
/// memory (0 = unknown: the largest). nullptr when there is none.
const hardware::Accelerator* training_accelerator(const hardware::Accelerators& accelerators,
                                                  const std::string& name, double memory_gb);

/// "Megatron-Bridge NeMo 26.04.01" -> "Megatron-Bridge NeMo": words that are versions or years are
/// left out.
std::string framework_family(const std::string& framework);

}  // namespace portolan::measure
