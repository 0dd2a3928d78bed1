// A row of a training table as a run: machine, job, strategy and the software it names.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cost/machine.hpp"
#include "hardware/accelerator.hpp"
#include "measure/table.hpp"
#include "training/run.hpp"

namespace portolan::measure {

struct Setting {
  training::Strategy strategy;
  training::Job job;
  std::int64_t nodes = 1;
  cost::Machine machine;
  /// The row's own part where it differs from the catalogue's (memory, power limit); the machine
  /// points to it.
  std::shared_ptr<const hardware::Accelerator> part;
  bool strategy_known = true, precision_known = true;
  bool microbatch_known = true, stages_known = true;  // else the best legal ones answer
};

/// Reads columns and notes alike ("400Gb/s per GPU", "500W power limit", "compile"). nullopt with a
/// reason for an accelerator that nobody knows.
std::optional<Setting> training_setting(const TableRow& row,
                                        const hardware::Accelerators& accelerators,
                                        std::string& reason);

/// The software behind a framework's name, by its version and date: "torchtitan" with "compile" in
/// the notes is another stack than without.
const training::Stack& stack_of(const TableRow& row);

/// The run a row describes, with another stack than its framework's if one is given; degrees that
/// were not published are those of the fastest strategy that fits. nullopt when it is not legal.
std::optional<training::RunEstimate> predicted_run(const Setting& setting,
                                                   const training::Trainer& trainer);

/// The accelerator a training table means by a name such as "H100-96GB" or "A100": of all parts
/// the name may stand for the one with the largest domain and the fastest links, then the nearest
/// memory (0 = unknown: the largest). nullptr when there is none.
const hardware::Accelerator* training_accelerator(const hardware::Accelerators& accelerators,
                                                  const std::string& name, double memory_gb);

/// "Megatron-Bridge NeMo 26.04.01" -> "Megatron-Bridge NeMo": words that are versions or years are
/// left out.
std::string framework_family(const std::string& framework);

}  // namespace portolan::measure
