// Training and fine-tuning on one machine shape: how many nodes, split how, for how long.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <variant>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "cost/machine.hpp"
#include "model/count.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"
#include "planner/search.hpp"
#include "planner/support.hpp"
#include "training/run.hpp"

namespace portolan::planner {
namespace {

// No published run used more; beyond it the failure and network models have nothing to stand on.
constexpr std::int64_t kMostAccelerators = 32'768;
constexpr double kNoNumber = std::numeric_limits<double>::infinity();

Miss miss_of(Reason reason, double factor, std::string how, std::string lacked,
             std::string change) {
  return {.reason = reason,
          .factor = factor,
          .how = std::move(how),
          .lacked = std::move(lacked),
          .change = std::move(change)};
}

// A number of nodes with the best strategy on them.
struct Point {
  std::int64_t nodes = 0;
  training::Strategy strategy;
  training::RunEstimate estimate;
  std::array<Seconds, 2> working{};   // on instances that stay, on spot
  std::array<Seconds, 2> duration{};  // with the start-up
  std::array<double, 2> goodput{};
};

class TrainingSolver {
 public:
  TrainingSolver(const Question& question, const Shape& shape, model::Format format,
                 const Support& support, training::Trainer trainer)
      : question_(question),
        job_(*question.job),
        shape_(shape),
        format_(format),
        support_(support),
        trainer_(std::move(trainer)) {
    const double share = job_.training.method == training::Method::kFull ? 1.0 : 0.5;
    const model::Architecture& architecture = question.model->architecture;
    least_flop_ = share *
                  model::training_flop_per_token(architecture, job_.training.sequence).raw() *
                  job_.training.tokens;
    trained_ = job_.training.method == training::Method::kFull
                   ? static_cast<double>(model::count_parameters(architecture).total)
                   : training::lora_parameters(architecture, job_.training.lora_rank);
  }

  ShapeAnswer solve() {
    ShapeAnswer answer;
    std::array<const Point*, 2> best{};
    for (const bool spot : {false, true}) best[spot] = cheapest(spot);
    for (const auto& [nodes, search] : searches_) {
      answer.candidates += search.candidates;
      answer.evaluated += search.evaluated;
    }
    answer.dominated = feasible_ > 0 ? feasible_ - 1 : 0;
    if (best[0] != nullptr) answer.steady = describe(*best[0], false);
    if (best[1] != nullptr) answer.spot = describe(*best[1], true);
    if (!answer.steady || !answer.spot) answer.miss = nearest_miss(answer.steady.has_value());
    return answer;
  }

 private:
  std::int64_t most_nodes() const {
    if (!may_join()) return 1;
    const WhereToLook& where = job_.where;
    double most = static_cast<double>(kMostAccelerators) / static_cast<double>(shape_.node.count);
    if (where.max_nodes) most = std::min(most, *where.max_nodes);
    if (where.max_accelerators) {
      most = std::min(most, *where.max_accelerators / static_cast<double>(shape_.node.count));
    }
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(most));
  }
  bool may_join() const {
    return shape_.multi_node && (!job_.where.need_rdma || shape_.node.network.rdma.value_or(false));
  }

  // The best strategy on so many nodes; nullptr when none fits.
  const Point* at(std::int64_t nodes) {
    const auto known = points_.find(nodes);
    if (known != points_.end()) return known->second ? &*known->second : nullptr;
    const training::Trainer::Search& search =
        searches_.emplace(nodes, trainer_.search(nodes)).first->second;
    std::optional<Point>& point = points_[nodes];
    if (!search.best) return nullptr;
    feasible_ +=
        search.evaluated > search.memory_rejected ? search.evaluated - search.memory_rejected : 1;
    const training::RunEstimate& run = *search.estimate;
    const Seconds on_spot = spot_duration(nodes, run);
    point = Point{.nodes = nodes,
                  .strategy = *search.best,
                  .estimate = run,
                  .working = {run.duration, on_spot},
                  .duration = {kStartUp + run.duration, kStartUp + on_spot},
                  .goodput = {run.goodput, run.goodput * (run.duration / on_spot)}};
    return &*point;
  }

  // Spot: interruptions of any instance stop the job, at a rate that adds to the failures. Capacity
  // is assumed to come back within the restart time (economics.md 8: independent losses, the
  // pessimistic bound).
  Seconds spot_duration(std::int64_t nodes, const training::RunEstimate& estimate) const {
    const double accelerators = static_cast<double>(nodes * shape_.node.count);
    const double per_hour = accelerators * training::kFailuresPerAcceleratorHour +
                            static_cast<double>(nodes) *
                                question_.market->spot_hazard_per_hour(*shape_.node.accelerator);
    const Bytes checkpoint(trained_ * training::kCheckpointBytesPerParameter);
    const Seconds write =
        checkpoint / (training::kCheckpointBandwidthPerAccelerator * accelerators);
    const double share =
        training::goodput(write, Seconds(3600.0 / per_hour), training::kRestart).share;
    return estimate.duration * (estimate.goodput / std::min(share, estimate.goodput));
  }

  bool meets(const Point* point, bool spot) const {
    return point != nullptr && (!job_.deadline || point->duration[spot] <= *job_.deadline);
  }

  // Few nodes waste least, so the search climbs from the fewest that could do it: by doubling until
  // it is feasible, then between the last two by halves, then twice more by doubling in case a
  // rounder number splits better.
  const Point* cheapest(bool spot) {
    const std::int64_t most = most_nodes();
    std::int64_t nodes = std::min(most, fewest_thinkable());
    std::int64_t below = 0;
    while (!meets(at(nodes), spot) && nodes < most) {
      below = nodes;
      nodes = std::min(most, 2 * nodes);
    }
    if (!meets(at(nodes), spot)) return nullptr;
    std::int64_t good = nodes;
    while (good - below > 1 && below > 0) {
      const std::int64_t middle = below + (good - below) / 2;
      (meets(at(middle), spot) ? good : below) = middle;
    }
    at(std::min(most, 2 * nodes));
    const Point* best = nullptr;
    for (const auto& [count, point] : points_) {
      if (!point || !meets(&*point, spot)) continue;
      const auto bill = [&](const Point& p) {
        return static_cast<double>(p.nodes) * p.duration[spot].raw();
      };
      if (best == nullptr || bill(*point) < bill(*best)) best = &*point;
    }
    return best;
  }

  // A power of two no larger than what the arithmetic alone needs at the datasheet peak.
  std::int64_t fewest_thinkable() const {
    if (!job_.deadline) return 1;
    const double peak = trainer_.machine().rate(trainer_.job().compute).peak.raw() *
                        static_cast<double>(shape_.node.count);
    const double wanted = peak > 0 ? least_flop_ / (peak * job_.deadline->raw()) : 1;
    std::int64_t nodes = 1;
    while (2.0 * static_cast<double>(nodes) <= wanted && nodes < kMostAccelerators) nodes *= 2;
    return nodes;
  }

  std::string precision() const { return std::string(model::format_name(format_)); }

  Miss nearest_miss(bool spot) const {
    // Nothing fits: the leanest strategy on the most nodes tried. Something fits: the fastest.
    const Point* fastest = nullptr;
    for (const auto& [nodes, point] : points_) {
      if (point && (fastest == nullptr || point->duration[spot] < fastest->duration[spot])) {
        fastest = &*point;
      }
    }
    if (fastest == nullptr) {
      const auto& [nodes, search] = *searches_.rbegin();
      const double factor = search.usable.raw() > 0 && search.smallest_memory.raw() > 0
                                ? search.smallest_memory / search.usable
                                : kNoNumber;
      const std::string text = training::nearest_miss(search);
      return miss_of(Reason::kMemory, factor, fmt::format("{} on {}", precision(), count(nodes)),
                     text.empty() ? "no legal way to split the model" : text, memory_change());
    }
    const std::string how = fmt::format("{} {} on {}", training::strategy_text(fastest->strategy),
                                        precision(), count(fastest->nodes));
    const Seconds duration = fastest->duration[spot];
    const double factor = duration / *job_.deadline;
    const std::string lacked =
        fmt::format("takes {} on {}, the deadline is {}", duration_text(duration),
                    count(fastest->nodes), duration_text(*job_.deadline));
    const std::string change = fmt::format("deadline: {}d", std::ceil(duration.in(kDay)));
    if (may_join()) return miss_of(Reason::kDeadline, factor, how, lacked, change);
    return miss_of(Reason::kInterconnect, factor, how,
                   lacked + (shape_.multi_node ? ", and no RDMA is known between its nodes"
                                               : ", and no network of known speed joins its nodes"),
                   change);
  }

  std::string memory_change() const {
    if (!may_join()) return "machines with a known network, or method: qlora";
    return job_.training.method == training::Method::kFull ? "optimizer: adam-8bit"
                                                           : "method: qlora";
  }

  static std::string count(std::int64_t nodes) {
    return nodes == 1 ? "1 node" : with_commas(nodes) + " nodes";
  }

  Solution describe(const Point& point, bool spot) const {
    Solution solution;
    Plan& plan = solution.plan;
    const training::RunEstimate& run = point.estimate;
    const training::Strategy& strategy = point.strategy;
    solution.instances = solution.instances_low = solution.instances_high = point.nodes;
    plan.training_strategy = strategy;
    plan.training_estimate = run;
    plan.training_estimate->goodput = point.goodput[spot];
    plan.training_estimate->duration = point.working[spot];
    plan.accelerators_per_replica =
        static_cast<std::int64_t>(strategy.tp) * strategy.pp * strategy.cp;
    plan.replicas = plan.replicas_mean = strategy.dp;
    plan.precision = precision();
    plan.engine = support_.row->engine;
    plan.support_confidence = support_.row->confidence;
    plan.advise_proof_of_concept = support_.row->advise_proof_of_concept;
    plan.tier = trainer_.machine().tier;
    plan.duration = point.duration[spot];
    plan.mfu = run.mfu;
    plan.output_tokens_per_second = run.tokens_per_second * point.goodput[spot];
    plan.memory_per_accelerator = run.memory.total();
    plan.utilisation = run.step.raw() > 0 ? point.goodput[spot] * (run.compute / run.step) : 0;
    plan.bound = run.exposed_communication > run.compute ? cost::Bound::kCommunication
                 : run.host > run.compute                ? cost::Bound::kOverhead
                                                         : cost::Bound::kCompute;
    if (support_.as_fp16) plan.notes.emplace_back("bf16 is computed in fp16 here");
    const cost::ErrorBand band = training::step_band(trainer_.machine());
    solution.duration_low = kStartUp + point.working[spot] * band.low;
    solution.duration_high = kStartUp + point.working[spot] * band.high;
    if (job_.deadline && *solution.duration_high > *job_.deadline) {
      plan.notes.push_back(fmt::format(
          "at the slow end of the 80 % interval (times x{}) it takes {}, past the deadline",
          significant(band.high, 3), duration_text(*solution.duration_high)));
    }
    if (spot) {
      const double hazard = question_.market->spot_hazard_per_hour(*shape_.node.accelerator);
      plan.notes.push_back(
          fmt::format("spot: {} interruptions per instance and month assumed, {} % of the time "
                      "lost to them and "
                      "to failures",
                      significant(hazard * kMonth.in(kHour), 2),
                      significant(100 * (1 - point.goodput[spot]), 2)));
    }
    return solution;
  }

  const Question& question_;
  const Job& job_;
  const Shape& shape_;
  model::Format format_;
  Support support_;
  training::Trainer trainer_;
  double least_flop_ = 0;
  double trained_ = 0;
  std::uint64_t feasible_ = 0;
  std::map<std::int64_t, training::Trainer::Search> searches_;
  std::map<std::int64_t, std::optional<Point>> points_;
};

// One number format on one shape.
ShapeAnswer solve_format(const Question& question, const Shape& shape, const cost::Machine& machine,
                         model::Format format) {
  ShapeAnswer answer;
  answer.candidates = 1;
  const Job& job = *question.job;
  const hardware::Accelerator& accelerator = *shape.node.accelerator;
  const std::string name(model::format_name(format));
  auto known = find_support(question.market->support, "train", accelerator, format, job.engine);
  if (auto* no = std::get_if<NoSupport>(&known)) {
    answer.miss = miss_of(no->what == Unsupported::kEngine ? Reason::kEngineUnsupported
                                                           : Reason::kPrecisionUnsupported,
                          kNoNumber, name, std::move(no->lacked), std::move(no->change));
    return answer;
  }
  if (job.where.need_scale_up_link && shape.node.count > 1 &&
      shape.node.link == hardware::LinkKind::kNone) {
    answer.miss = miss_of(Reason::kInterconnect, kNoNumber, name,
                          "its accelerators talk over PCIe, where.interconnect asks for nvlink",
                          "take nvlink out of where.interconnect");
    return answer;
  }
  training::Job run = job.training;
  run.compute = model::compute_of(format);
  auto trainer = training::Trainer::compile(question.model->architecture, machine, run);
  if (!trainer) {
    answer.miss = miss_of(Reason::kPrecisionUnsupported, kNoNumber, name, trainer.error().message,
                          trainer.error().hint);
    return answer;
  }
  return TrainingSolver(question, shape, format, std::get<Support>(known), *std::move(trainer))
      .solve();
}

}  // namespace

ShapeAnswer solve_training(const Question& question, const Shape& shape) {
  const Job& job = *question.job;
  ShapeAnswer best;
  const auto machine = cost::make_machine(shape.node);
  if (!machine) {
    best.miss = miss_of(Reason::kEngineUnsupported, kNoNumber, {}, machine.error().message,
                        machine.error().hint);
    return best;
  }
  std::vector<model::Format> formats;
  for (const std::string& name : job.precision) {
    if (const auto format = model::parse_format(name)) formats.push_back(*format);
  }
  if (formats.empty()) formats.push_back(model::Format::kBf16);
  const auto bill = [](const std::optional<Solution>& solution) {
    return solution ? static_cast<double>(solution->instances) * solution->plan.duration->raw()
                    : kNoNumber;
  };
  for (const model::Format format : formats) {
    ShapeAnswer answer = solve_format(question, shape, *machine, format);
    best.candidates += answer.candidates;
    best.evaluated += answer.evaluated;
    best.dominated += answer.dominated + (answer.steady && best.steady ? 1 : 0);
    // The format listed first wins a tie.
    if (bill(answer.steady) < bill(best.steady)) best.steady = std::move(answer.steady);
    if (bill(answer.spot) < bill(best.spot)) best.spot = std::move(answer.spot);
    if (answer.miss && (!best.miss || came_further(*answer.miss, *best.miss))) {
      best.miss = std::move(answer.miss);
    }
  }
  if (best.steady && best.spot) best.miss.reset();
  return best;
}

}  // namespace portolan::planner
