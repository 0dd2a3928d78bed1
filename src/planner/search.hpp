// What the physical half of the search hands to the half that knows prices: per machine shape the
// best way to do the job, or what it lacks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/architecture.hpp"
#include "planner/market_view.hpp"
#include "planner/plan.hpp"
#include "training/goodput.hpp"

namespace portolan::planner {

/// Time an instance is paid for before a batch or training job makes progress on it: provisioning,
/// image, weights, compilation. The restart time of a training job (training/goodput.hpp) stands
/// for all of them.
inline constexpr Seconds kStartUp = training::kRestart;

/// What is asked, of one model; shared by every shape.
struct Question {
  const Job* job = nullptr;
  const model::Model* model = nullptr;
  const Market* market = nullptr;
  cost::KernelSource kernels = {};  // of a serving engine
};

/// Why something lost, in the words of `Nearest`. `factor` is needed over allowed: 1.3 = 30 %
/// short; infinite when no number says how far away it is.
struct Miss {
  Reason reason = Reason::kEngineUnsupported;
  double factor = 0;
  std::string how, lacked, change;  // how: "tp4 bf16"
};
/// True when `a` came further than `b`: a later reason (engine, format, memory … deadline), then
/// the smaller factor.
bool came_further(const Miss& a, const Miss& b);

/// A feasible way without a price. `plan` holds everything but offer, regions, rank and money.
struct Solution {
  Plan plan;
  std::int64_t instances = 1, instances_low = 1, instances_high = 1;  // ends of the 80 % interval
  std::optional<Seconds> duration_low, duration_high;
  std::optional<std::int64_t> instances_mean;   // serving: for the mean demand
  std::vector<std::int64_t> instances_by_hour;  // serving a demand curve: one per hour of the day
};

struct ShapeAnswer {
  std::optional<Solution> steady;  // on instances that stay
  std::optional<Solution> spot;    // on instances that can be lost; serving: the same as steady
  std::optional<Miss> miss;        // when one of them is missing
  std::uint64_t dominated = 0;     // feasible strategies that lost against `steady`
  std::uint64_t candidates = 0, evaluated = 0;
};

/// Answers for `shapes[i]`, i in `members`, which differ only in how many accelerators a node has,
/// so that they share replicas. Serving and batch.
std::vector<ShapeAnswer> solve_serving(const Question& question, std::span<const Shape> shapes,
                                       std::span<const std::size_t> members);
/// Shapes that may share replicas, each group and the groups in order.
std::vector<std::vector<std::size_t>> serving_groups(std::span<const Shape> shapes);

/// Training and fine-tuning on one shape.
ShapeAnswer solve_training(const Question& question, const Shape& shape);

/// A model the job names, looked up.
struct NamedModel {
  model::Model model;
  std::optional<double> quality;
};
/// `plan` on a market of one's own: the seam of the tests.
Result<PlanResult> plan_on(const Job& job, Market market, std::vector<NamedModel> models,
                           const PlanOptions& options);

}  // namespace portolan::planner
