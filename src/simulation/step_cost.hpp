// The time and energy of a step in whole picoseconds, so that a run of decode steps taken at once
// and one by one end on the same instant.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cost/step.hpp"
#include "simulation/request.hpp"

namespace portolan::simulation {

/// A run of decode steps of one batch: step j (from 0) takes first + j · growth.
struct DecodeRun {
  Time first = 0, growth = 0;
  std::int64_t steps = 0;  // the run holds for at most so many; then ask again
  double joules_first = 0, joules_growth = 0;
};

/// Decode batches of equal size whose contexts grow by one token a step are on a table over the
/// mean context, linear between its knots (twelve to the octave); everything else is asked of the
/// step model directly. Not for use by several threads at once: the table fills as it is used. A
/// copy begins with an empty one.
class StepCost {
 public:
  /// `lanes`: pipeline stages; a "step" then is one round of all batches in flight.
  StepCost(cost::StepModel step, std::int32_t ranks, double drafted);
  StepCost(const StepCost& other);
  StepCost& operator=(const StepCost&) = delete;
  ~StepCost();

  [[nodiscard]] const cost::StepModel& model() const { return step_; }

  /// `decodes` requests on the fullest rank, whose contexts add up to `context_sum`; all ranks
  /// together `all_decodes`.
  [[nodiscard]] DecodeRun decode(std::int64_t decodes, std::int64_t context_sum,
                                 std::int64_t all_decodes) const;

  struct Step {
    Time time = 0;
    double joules = 0;
  };
  /// Any step. Totals of the fullest rank; `batch.mean_rank_tokens` is set by the caller.
  [[nodiscard]] Step step(const cost::Batch& batch) const;

 private:
  struct Row;
  [[nodiscard]] const Row& row(std::int64_t decodes, std::int64_t all_decodes) const;
  cost::StepModel step_;
  std::int32_t ranks_ = 1, lanes_ = 1;
  double drafted_ = 0;
  mutable std::vector<std::unique_ptr<Row>> rows_;
};

}  // namespace portolan::simulation
