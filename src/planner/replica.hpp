// One replica of a model on one machine: does it fit, what speed does it reach, or what does it
// lack. Knows no price.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/memory.hpp"
#include "cost/step.hpp"
#include "planner/search.hpp"
#include "planner/support.hpp"
#include "serving/steady_state.hpp"

namespace portolan::planner {

struct NumberFormat {
  std::string name;
  model::Format format = model::Format::kBf16;
  bool own = true;  // the checkpoint as it is
};
struct CacheFormat {
  std::string name;
  double bytes = 2;  // per element
};

/// Parallel layout of a replica. Over several nodes each holds whole pipeline stages.
struct Layout {
  int tp = 1, pp = 1, ep = 1;
  std::int64_t nodes = 1;
  [[nodiscard]] std::int64_t accelerators() const { return static_cast<std::int64_t>(tp) * pp; }
  friend auto operator<=>(const Layout&, const Layout&) = default;
};

/// A layout in a number format with what the cost model says about it: `miss`, or a speed.
struct Replica {
  Layout layout;
  std::size_t format = 0, cache = 0;  // indices into the planner's lists
  cost::Deployment deployment;
  Support support;
  cost::MemoryLimits limits;
  cost::MemoryLayout memory;
  serving::EngineLimits engine;
  std::shared_ptr<const cost::StepModel> step;
  bool timed = false;              // given time and memory
  double requests_per_second = 0;  // sustained within the targets, or the throughput of a batch
  std::optional<Miss> miss;
};

/// Judges replicas for one question; const and shared by threads.
class ReplicaJudge {
 public:
  explicit ReplicaJudge(const Question& question);

  /// Powers of two of tensor parallelism inside a node (R11); with `pipelines` also pipeline stages
  /// inside it. With experts, each layout also with experts spread over its ranks.
  [[nodiscard]] std::vector<Layout> layouts_inside(std::int64_t count, bool pipelines) const;
  /// Whole nodes as pipeline stages, fewest first.
  [[nodiscard]] std::vector<Layout> layouts_over_nodes(std::int64_t count) const;

  [[nodiscard]] Replica judge(const Layout& layout, std::size_t format, std::size_t cache,
                              const cost::Machine& machine) const;

  [[nodiscard]] const std::vector<NumberFormat>& formats() const { return formats_; }
  [[nodiscard]] const std::vector<CacheFormat>& caches() const { return caches_; }
  [[nodiscard]] const Job& job() const { return job_; }
  [[nodiscard]] const model::Architecture& architecture() const { return architecture_; }
  [[nodiscard]] double mean_tokens() const { return mean_tokens_; }

  /// Fills the plan's description of a replica: layout, formats, engine, confidence.
  void describe(const Replica& replica, Plan& plan) const;
  /// Load-dependent fields of a plan whose replicas each serve `rate` requests per second.
  void describe_load(const Replica& replica, const serving::SteadyState& state, double rate,
                     Plan& plan) const;
  /// Requests per second a replica would sustain if every time were `factor` as long. When no rate
  /// meets the targets any more, `misses` is set and the targets are left out.
  [[nodiscard]] double sustained_when_times_scale(const Replica& replica, double factor,
                                                  bool& misses) const;

 private:
  void add(std::vector<Layout>& layouts, Layout layout) const;
  void fail(Replica& replica, Reason reason, double factor, std::string lacked,
            std::string change) const;
  [[nodiscard]] Bytes needed(const Replica& replica) const;
  [[nodiscard]] std::string memory_text(const Replica& replica) const;
  [[nodiscard]] std::string memory_change(const Replica& replica,
                                          const cost::Machine& machine) const;
  void lay_out(Replica& replica, const cost::Machine& machine) const;
  bool supported(Replica& replica, const cost::Machine& machine) const;
  bool linked(Replica& replica, const cost::Machine& machine) const;
  void measure(Replica& replica) const;

  const Job& job_;
  const model::Architecture& architecture_;
  const cost::Engine& engine_;  // whose host times, scheduling and memory a replica has
  std::span<const market::EngineSupport> support_;
  std::vector<NumberFormat> formats_;
  std::vector<CacheFormat> caches_;
  double full_tokens_ = 0, mean_tokens_ = 0;  // of one request: at its end, over its life
  std::int64_t layers_ = 0;
  bool experts_ = false;
};

}  // namespace portolan::planner
