// Serving and batch on machine shapes: the replica that needs the fewest instances, priced later.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "planner/replica.hpp"
#include "planner/search.hpp"
#include "serving/steady_state.hpp"
#include "training/goodput.hpp"

namespace portolan::planner {
namespace {

constexpr double kSlack = 1e-9;  // 5 / 2.5 is 2 replicas, not 3
constexpr double kMostInstances = 1e12;

std::int64_t whole(double count) {
  return static_cast<std::int64_t>(std::min(std::ceil(count - kSlack), kMostInstances));
}

class GroupSolver {
 public:
  GroupSolver(const Question& question, std::span<const Shape> shapes,
              std::span<const std::size_t> members)
      : question_(question),
        judge_(question),
        job_(*question.job),
        shapes_(shapes),
        members_(members),
        machine_(cost::make_machine(largest().node, question.kernels)) {}

  std::vector<ShapeAnswer> solve() {
    std::vector<ShapeAnswer> answers;
    for (const std::size_t member : members_) answers.push_back(solve_shape(shapes_[member]));
    return answers;
  }

 private:
  // A replica inside a node sees only the links of the ranks it uses: the largest node stands for
  // all.
  const Shape& largest() const {
    return shapes_[*std::max_element(members_.begin(), members_.end(),
                                     [&](std::size_t a, std::size_t b) {
                                       return shapes_[a].node.count < shapes_[b].node.count;
                                     })];
  }

  const Replica& inside(const Layout& layout, std::size_t format, std::size_t cache) {
    const auto key = std::tuple(layout, format, cache);
    auto found = replicas_.find(key);
    if (found == replicas_.end()) {
      found = replicas_.emplace(key, judge_.judge(layout, format, cache, *machine_)).first;
    }
    return found->second;
  }

  // Replicas for `rate` requests per second at `sustained` each, spares included.
  std::int64_t replicas_for(double rate, double sustained) const {
    return std::max<std::int64_t>(1, whole(rate / sustained)) + job_.spare_replicas;
  }
  static std::int64_t replicas_per_instance(const Replica& replica, const Shape& shape) {
    return shape.node.count / replica.layout.accelerators();
  }
  static std::int64_t instances_for(const Replica& replica, const Shape& shape,
                                    std::int64_t replicas) {
    if (replica.layout.nodes > 1) return replicas * replica.layout.nodes;
    const std::int64_t each = replicas_per_instance(replica, shape);
    return (replicas + each - 1) / each;
  }
  // Requests per second of one instance (of its share, when a replica spans several).
  static double rate_per_instance(const Replica& replica, const Shape& shape) {
    if (replica.layout.nodes > 1) {
      return replica.requests_per_second / static_cast<double>(replica.layout.nodes);
    }
    return replica.requests_per_second * static_cast<double>(replicas_per_instance(replica, shape));
  }

  // What decides between strategies of one shape, smallest first. Serving: fewest instances, the
  // format listed first, most capacity for the same bill, smallest replica. Batch: most work per
  // instance-hour, then the same.
  auto merit(const Replica& replica, const Shape& shape) const {
    const double rate = rate_per_instance(replica, shape);
    double bill = -rate;
    if (job_.kind == JobKind::kServe) {
      bill = static_cast<double>(instances_for(
          replica, shape,
          replicas_for(job_.traffic.peak_requests_per_second, replica.requests_per_second)));
    }
    return std::tuple(bill, replica.format, replica.cache, -rate, replica.layout);
  }

  void consider(const Replica& replica, const Shape& shape, const Replica*& best,
                ShapeAnswer& answer) const {
    ++answer.candidates;
    if (replica.timed) ++answer.evaluated;
    if (replica.miss) {
      if (!answer.miss || came_further(*replica.miss, *answer.miss)) answer.miss = replica.miss;
      return;
    }
    if (best != nullptr) ++answer.dominated;
    if (best == nullptr || merit(replica, shape) < merit(*best, shape)) best = &replica;
  }

  template <class Each>
  void for_formats(Each each) const {
    for (std::size_t format = 0; format < judge_.formats().size(); ++format) {
      for (std::size_t cache = 0; cache < judge_.caches().size(); ++cache) each(format, cache);
    }
  }

  ShapeAnswer solve_shape(const Shape& shape) {
    ShapeAnswer answer;
    const auto unable = [](Reason reason, std::string lacked, std::string change) {
      return Miss{.reason = reason,
                  .factor = std::numeric_limits<double>::infinity(),
                  .how = {},
                  .lacked = std::move(lacked),
                  .change = std::move(change)};
    };
    if (!machine_) {
      const Error& error = machine_.error();
      answer.miss = unable(Reason::kEngineUnsupported, error.message, error.hint);
      return answer;
    }
    const Replica* best = nullptr;
    std::vector<Replica> spanning;  // over nodes: of this shape alone, alive until the answer is
    const auto try_inside = [&](bool pipelines) {
      for (const Layout& layout : judge_.layouts_inside(shape.node.count, pipelines)) {
        if (!pipelines || layout.pp > 1 || slow_link(shape)) {
          for_formats([&](std::size_t format, std::size_t cache) {
            consider(inside(layout, format, cache), shape, best, answer);
          });
        }
      }
    };
    const auto out_of_memory = [&] {
      return best == nullptr && answer.miss && answer.miss->reason == Reason::kMemory;
    };
    // Pipeline stages inside a node pay where the link is slow, or where nothing else fits.
    try_inside(slow_link(shape));
    if (out_of_memory() && !slow_link(shape)) try_inside(true);
    if (out_of_memory() && shape.multi_node) {
      const Result<cost::Machine> own = cost::make_machine(shape.node, question_.kernels);
      if (own) {
        for (const Layout& layout : judge_.layouts_over_nodes(shape.node.count)) {
          for_formats([&](std::size_t format, std::size_t cache) {
            spanning.push_back(judge_.judge(layout, format, cache, *own));
          });
        }
      }
      for (const Replica& replica : spanning) consider(replica, shape, best, answer);
    }
    if (answer.candidates == 0) {
      answer.miss = unable(Reason::kConstraint, "max_accelerators_per_replica leaves no layout",
                           "raise max_accelerators_per_replica");
    }
    if (best == nullptr) return answer;
    answer.miss.reset();
    if (job_.kind == JobKind::kServe) {
      answer.steady = answer.spot = serve(*best, shape);
      return answer;
    }
    const Seconds left = job_.deadline ? *job_.deadline - kStartUp : Seconds(0);
    if (job_.deadline && left <= Seconds(0)) {
      answer.miss =
          unable(Reason::kDeadline,
                 fmt::format("an instance is paid for {} before it works, the deadline is {}",
                             duration_text(kStartUp), duration_text(*job_.deadline)),
                 "a deadline of hours, or job: serve on machines that run already");
      return answer;
    }
    answer.steady = batch(*best, shape, false, left);
    answer.spot = batch(*best, shape, true, left);
    return answer;
  }

  static bool slow_link(const Shape& shape) {
    return shape.node.link == hardware::LinkKind::kNone ||
           shape.node.link == hardware::LinkKind::kBridge;
  }

  Solution describe(const Replica& replica, const Shape& shape) const {
    Solution solution;
    judge_.describe(replica, solution.plan);
    if (replica.layout.nodes > 1) {
      solution.plan.instances_per_replica = replica.layout.nodes;
    } else {
      solution.plan.replicas_per_instance = replicas_per_instance(replica, shape);
    }
    if (shape.share < 1) {
      solution.plan.notes.push_back(
          fmt::format("a partition: {} of the accelerator's bandwidth and arithmetic are assumed",
                      significant(shape.share, 2)));
    }
    return solution;
  }

  Solution serve(const Replica& replica, const Shape& shape) const {
    Solution solution = describe(replica, shape);
    Plan& plan = solution.plan;
    const Traffic& traffic = job_.traffic;
    const double sustained = replica.requests_per_second;
    const double peak = traffic.peak_requests_per_second;
    plan.replicas = replicas_for(peak, sustained);
    plan.replicas_mean = replicas_for(traffic.requests_per_second, sustained);
    solution.instances = instances_for(replica, shape, plan.replicas);
    solution.instances_mean = instances_for(replica, shape, plan.replicas_mean);
    for (const double hour : traffic.hourly) {
      solution.instances_by_hour.push_back(
          instances_for(replica, shape, replicas_for(hour, sustained)));
    }
    plan.capacity_requests_per_second = sustained * static_cast<double>(plan.replicas);
    plan.output_tokens_per_second = peak * traffic.work.output_tokens;
    // Spares take their share of the load while everything works.
    const double each = peak / static_cast<double>(plan.replicas);
    judge_.describe_load(replica,
                         serving::steady_state(*replica.step, traffic.work, replica.engine, each),
                         each, plan);
    const cost::ErrorBand band = replica.step->machine().band;
    bool misses = false;
    const auto instances_at = [&](double factor) {
      const double rate = judge_.sustained_when_times_scale(replica, factor, misses);
      return instances_for(replica, shape, replicas_for(peak, rate));
    };
    solution.instances_low = std::min(instances_at(band.low), solution.instances);
    solution.instances_high = std::max(instances_at(band.high), solution.instances);
    if (misses) {
      plan.notes.push_back(
          fmt::format("at the slow end of the 80 % interval (times x{}) no number of replicas "
                      "meets the latency "
                      "targets",
                      significant(band.high, 3)));
    }
    return solution;
  }

  Solution batch(const Replica& replica, const Shape& shape, bool spot, Seconds left) const {
    Solution solution = describe(replica, shape);
    Plan& plan = solution.plan;
    // A lost instance is missing for as long as a restart takes; requests in flight are served
    // again, which is less than a restart.
    double present = 1;
    if (spot) {
      const double hazard = question_.market->spot_hazard_per_hour(*shape.node.accelerator);
      present = 1 / (1 + hazard * training::kRestart.in(kHour));
      plan.notes.push_back(fmt::format("spot: {} interruptions per instance and month assumed",
                                       significant(hazard * kMonth.in(kHour), 2)));
    }
    const double rate = rate_per_instance(replica, shape) * present;
    const std::int64_t span = replica.layout.nodes;
    std::int64_t instances = span;
    if (job_.deadline) {
      const double wanted = job_.traffic.requests / (rate * left.raw());
      instances = (std::max(instances, whole(wanted)) + span - 1) / span * span;
    }
    plan.replicas = span > 1 ? instances / span : instances * replicas_per_instance(replica, shape);
    plan.replicas_mean = plan.replicas;
    solution.instances = solution.instances_low = solution.instances_high = instances;
    const double throughput = rate * static_cast<double>(instances);
    const Seconds working(job_.traffic.requests / throughput);
    const cost::ErrorBand band = replica.step->machine().band;
    plan.duration = kStartUp + working;
    solution.duration_low = kStartUp + working * band.low;
    solution.duration_high = kStartUp + working * band.high;
    plan.capacity_requests_per_second = throughput;
    plan.output_tokens_per_second = throughput * job_.traffic.work.output_tokens;
    judge_.describe_load(replica,
                         serving::full_throughput(*replica.step, job_.traffic.work, replica.engine),
                         replica.requests_per_second, plan);
    // A queue that is never empty has no time to first token worth naming.
    plan.ttft_p95.reset();
    plan.ttft_mean.reset();
    if (job_.deadline && *solution.duration_high > *job_.deadline) {
      plan.notes.push_back(
          fmt::format("at the slow end of the 80 % interval (times x{}) the deadline is missed",
                      significant(band.high, 3)));
    }
    return solution;
  }

  const Question& question_;
  ReplicaJudge judge_;
  const Job& job_;
  std::span<const Shape> shapes_;
  std::span<const std::size_t> members_;
  Result<cost::Machine> machine_;
  std::map<std::tuple<Layout, std::size_t, std::size_t>, Replica> replicas_;
};

}  // namespace

std::vector<ShapeAnswer> solve_serving(const Question& question, std::span<const Shape> shapes,
                                       std::span<const std::size_t> members) {
  return GroupSolver(question, shapes, members).solve();
}

std::vector<std::vector<std::size_t>> serving_groups(std::span<const Shape> shapes) {
  const auto key = [](const Shape& shape) {
    const hardware::Node& node = shape.node;
    // How many accelerators a node has matters to a mesh, where each pair has its own link.
    const std::int64_t domain = node.link == hardware::LinkKind::kMesh ? node.link_domain : 0;
    return std::tuple(std::string_view(node.accelerator->id), shape.share,
                      shape.partition_memory.value_or(Bytes(-1)), node.link,
                      node.link_per_direction.value_or(BytesPerSecond(-1)), domain);
  };
  std::vector<std::vector<std::size_t>> groups;
  std::map<decltype(key(shapes.front())), std::size_t> index;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto [found, fresh] = index.emplace(key(shapes[i]), groups.size());
    if (fresh) groups.emplace_back();
    groups[found->second].push_back(i);
  }
  return groups;
}

}  // namespace portolan::planner
