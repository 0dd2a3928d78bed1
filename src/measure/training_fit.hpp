// Fitting the constants of a training stack to published steps, and what the fit is worth on rows
// that were left out of it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "measure/table.hpp"
#include "measure/training_rows.hpp"
#include "training/stack.hpp"

namespace portolan::measure {

/// A constant of a stack that a fit may move: between `low` and `high`, from its present value by
/// about `spread` (a factor e^spread where `ratio`, a difference elsewhere).
struct Lever {
  std::string_view name;
  double (*get)(const training::Stack&);
  void (*set)(training::Stack&, double);
  double low = 0, high = 1, spread = 1;
  bool ratio = true;
};
std::span<const Lever> stack_levers();

/// One row ready to be predicted with any stack.
struct StepPoint {
  std::string group;  // what is left out together: the model
  double measured = 0;
  std::function<double(const training::Stack&)> predict;  // seconds; 0 = not legal
};
/// The rows of a table that run on the stack of that name and have a step time and a known
/// strategy.
std::vector<StepPoint> step_points(const Table& table, const KnownThings& known,
                                   std::string_view stack);

/// Errors of predicted over measured - 1.
struct StepErrors {
  std::size_t n = 0;
  double median_ape = 0, mean_ape = 0, p90_ape = 0, bias = 0;
};
StepErrors step_errors(std::vector<double> ratios);

struct StackFit {
  training::Stack stack;
  std::vector<double> values;  // of the levers asked for, in their order
  StepErrors before, fitted, left_out;
};
/// Damped Gauss-Newton on ln(predicted/measured) with Huber's loss and a normal prior around the
/// stack's present constants; `levers` by name. `folds`: groups left out one at a time (a single
/// group: rows in five parts).
StackFit fit_stack(std::span<const StepPoint> points, const training::Stack& start,
                   std::span<const std::string> levers);

}  // namespace portolan::measure
