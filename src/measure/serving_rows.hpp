// Scores the model on tables of measured serving points: latency under load, offline throughput,
// static batches (serving.md §8.1).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cost/engine.hpp"
#include "cost/profile.hpp"
#include "hardware/accelerator.hpp"
#include "io/text_formats.hpp"
#include "measure/score.hpp"
#include "measure/serving_point.hpp"
#include "model/library.hpp"

namespace portolan::measure {

struct ServingOptions {
  /// Share of the prompt that hits the prefix cache where the notes say that prompts share their
  /// beginning. Unpublished for blis_s2r and one figure for all of it (serving.md §8.2): 0.75 makes
  /// its times to first token those of prompts that mostly recur.
  double cached_share = 0.75;
  /// Share of a question that its user has asked before, of prompts with a shared system prompt:
  /// what is behind the system prompt and yet found in the prefix cache.
  double recurring_share = 1;
  unsigned threads = 0;  // of the simulations of one row; the result does not depend on it
  /// Length of one stage of an open-loop run, where the server gets more than it can do and waiting
  /// grows until the stage ends (serving.md §8.2).
  double stage_seconds = 600;
  const cost::Profile* profile = nullptr;  // fitted kernels; nullptr: the shipped ones
  const cost::Engine* engine = nullptr;    // in place of each row's own record, to try constants
};

/// Every measured figure of the table as one point, predicted or with the reason why not. Metrics:
/// ttft_, tpot_, itl_, e2e_ with mean, p50, p90, p99 (ms), output_tokens_per_second,
/// total_tokens_per_second (where outputs alone were not published), requests_per_second, power
/// (W), kv_blocks. Groups are named by GPU, engine and kind (dense, moe), with `overloaded`,
/// `disagg` or `columns_disagree` added where the notes say so. Errors: those of reading the table.
Result<std::vector<ScoredPoint>> score_serving(const io::CsvTable& table, const std::string& file,
                                               const model::Library& library,
                                               const hardware::Accelerators& accelerators,
                                               const ServingOptions& options = {});

/// Every row as a point whose engine can be exchanged, in table order; with a reason where a row is
/// none: not an open or closed loop, overloaded, a sum over stages that are rows of their own.
/// Errors: those of reading the table.
Result<std::vector<ServingPoint>> read_serving_points(const io::CsvTable& table,
                                                      const std::string& file,
                                                      const model::Library& library,
                                                      const hardware::Accelerators& accelerators,
                                                      const ServingOptions& options = {});

}  // namespace portolan::measure
