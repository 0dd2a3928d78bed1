// What is simulated: models on pools of machines, how requests are routed, how the number of
// machines follows the load, what can be lost, and what everything costs. Filled by `app` from
// flags or a scenario file. Every value has a meaning alone; a contradiction is an error of run().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulation/engine_model.hpp"
#include "simulation/request.hpp"

namespace portolan::simulation {

enum class Routing : std::uint8_t {
  kRoundRobin,
  kRandom,
  kLeastRequests,  // waiting and running
  kLeastTokens,    // prompt tokens waiting and tokens in the cache
  kPowerOfTwo,     // the less loaded of two at random
  kSticky,         // by conversation, else by the text's first 1,024 tokens
  kPrefixAware,    // longest cached prefix less the prompt tokens waiting there, within a guard
  kKvAware,        // fewest prompt tokens to compute plus cache in use
  kCostAware       // the cheapest machine that is expected to meet the target
};

enum class Role : std::uint8_t { kBoth, kPrompt, kOutput };

/// From the order for a machine to its first answer (serving.md §4.2): provision, image, engine,
/// weights at the slowest of the pool's storage (shared by all that load at once), the machine's
/// network and its PCIe links, then compile, profile, graphs and a first request.
struct LoadTime {
  double provision_seconds = 0, image_seconds = 0, engine_seconds = 0, compile_seconds = 0,
         profile_seconds = 0, graph_seconds = 0, first_request_seconds = 0;
  std::optional<double> weight_bytes = {};  // else the engine model's
  /// Of the whole pool; unset: never the bottleneck.
  std::optional<double> storage_bytes_per_second = {};
  std::optional<double> network_bytes_per_second = {};  // of one replica
  std::optional<double> pcie_bytes_per_second = {};     // of one accelerator
  double spread = 0;  // sigma of a log-normal factor (median 1) on the sum
};

/// How the number of replicas follows the load. Where it says "the metric", it is as old as
/// `scrape_delay_seconds`.
enum class Scaling : std::uint8_t {
  kStatic,
  kTarget,     // ceil(current · metric / target), not within `tolerance` of it
  kThreshold,  // one more above, one fewer below
  kSchedule,   // as many as `schedule` says
  kForecast,   // for the rate expected when a machine ordered now would be ready
  kPlanner     // for the rate measured over the last window
};
enum class ScalingMetric : std::uint8_t {
  kRequests,  // waiting and running, per ready replica
  kWaiting,   // waiting, per ready replica
  kKvShare    // of KV blocks in use, 0 to 1
};
struct ScheduleStep {
  double at_seconds = 0;
  std::int64_t replicas = 0;
};
struct Autoscale {
  Scaling policy = Scaling::kStatic;
  std::int64_t min_replicas = 1, max_replicas = 1;  // min 0: to zero, and from zero on a request
  double tick_seconds = 15;
  double scrape_delay_seconds = 0;
  double down_stabilisation_seconds = 300;  // the largest wish of so long counts; of going to zero,
                                            // also how long nothing must have been asked
  double tolerance = 0.1;
  ScalingMetric metric = ScalingMetric::kRequests;
  double target = 0;                         // kTarget: > 0
  double up_waiting = 1, up_kv_share = 0.9;  // kThreshold: more when either is exceeded (waiting is
  double down_kv_share = 0.3;                // per replica), fewer when none waits and below this
  std::vector<ScheduleStep> schedule = {};   // kSchedule: ascending
  double schedule_period_seconds = 0;        // repeats after so long; 0: never
  /// kForecast, kPlanner: what one replica sustains within its targets. Unset: asked of the closed
  /// form (serving::sustained_rate) for the lengths seen and the targets of the first class.
  std::optional<double> sustained_requests_per_second = {};
  double headroom = 0.1;          // share of capacity kept free
  double window_seconds = 60;     // over which the rate is measured
  double period_seconds = 86400;  // kForecast: of the profile, in `profile_bins` parts
  std::int64_t profile_bins = 96;
  double drain_seconds = 3600;  // a replica to be released finishes what it has; after so long,
                                // requests still on it go elsewhere
};

/// Capacity that comes and goes.
struct SpotStep {
  std::int64_t available = 0;  // machines to be had
  double seconds = 0;
};
struct Spot {
  /// Replayed from the start, repeated when over. Empty: drawn from the rates below.
  std::vector<SpotStep> series = {};
  /// Zones that machines are spread over. Each is up for `mean_up_seconds` and down for
  /// `mean_down_seconds` on average (exponential); a zone going down takes all its machines.
  std::int64_t zones = 1;
  double mean_up_seconds = 86400, mean_down_seconds = 600;
  /// Chance that a zone going down takes each other zone with it: correlated loss.
  double shock_share = 0;
  double warning_seconds = 30;  // between the notice and the loss; drains meanwhile
  /// Spot replicas kept beyond those wanted; and machines on demand for those that are missing
  /// (SpotHedge).
  std::int64_t extra_replicas = 0;
  bool on_demand_fallback = false;
  std::optional<double> on_demand_usd_per_hour = {};  // of one replica
};

/// Single machines that break.
struct Failures {
  double mean_seconds_between = 0;  // of one replica, exponential; > 0
  double repair_seconds = 600;      // until it starts to load again; not paid for
};

/// One machine for several models: one computes at a time, others stay resident (asleep in host
/// memory) up to a bound; a request for a model that is not there makes it load.
enum class Eviction : std::uint8_t {
  kLeastRecent,
  kValue  // GreedyDual-Size: uses times load seconds per byte, aged
};
struct SharedModel {
  std::uint32_t model = 0;  // of Scenario::models
  std::shared_ptr<const EngineModel> engine = {};
  std::optional<double> weight_bytes = {};  // else the engine model's
  std::optional<double> load_seconds = {};  // from absent to ready; else by the pool's LoadTime
  double wake_seconds = 0;                  // from asleep to computing
};
struct Sharing {
  std::vector<SharedModel> models = {};  // empty: the pool serves Pool::model alone
  std::int64_t resident_models = 0;      // at most, per machine; 0: bytes decide
  double resident_bytes = 0;             // at most, per machine; 0: the number decides
  Eviction eviction = Eviction::kLeastRecent;
  /// A model that computes gives way to one that waits when it has nothing to do, or when the first
  /// request of the other has waited so long (it then takes no more and finishes what it has).
  double most_wait_seconds = 10;
};

/// Replicas that are alike.
struct Pool {
  std::string name = {};
  std::uint32_t model = 0;  // of Scenario::models
  std::shared_ptr<const EngineModel> engine = {};
  Role role = Role::kBoth;
  std::int64_t replicas = 1;                // at the start, ready then
  std::optional<double> usd_per_hour = {};  // of one replica, all its accelerators
  double billing_quantum_seconds = 0, billing_minimum_seconds = 0;  // 0: to the picosecond
  LoadTime load;
  Autoscale autoscale;
  std::optional<Spot> spot = {};
  std::optional<Failures> failures = {};
  Sharing sharing;
};

struct SloClass {
  std::string name = {};
  std::optional<double> ttft_seconds = {}, tpot_seconds = {}, e2e_seconds = {};  // per request
  /// Higher goes first. When classes differ, requests wait at the router, not at the machines.
  std::int64_t priority = 0;
  std::optional<std::int64_t> queue_limit = {};  // waiting requests of the class; more are shed
  std::optional<double> shed_wait_seconds = {};  // shed when the predicted wait is longer
  std::optional<double> deadline_seconds = {};   // from arrival to first token; else timed out
  /// Where it may run (of Scenario::pools), most wanted first: the next one when the predicted wait
  /// is longer than `spill_wait_seconds`. Empty: all pools of the model alike.
  std::vector<std::uint32_t> pools = {};
  double spill_wait_seconds = 1;
  bool may_burst = true;  // to the hosted API
};

/// A hosted API that takes what the machines cannot.
struct Hosted {
  std::string name = {};
  double ttft_seconds = 0, output_tokens_per_second = 0;
  std::optional<double> requests_per_second = {};  // limit
  double usd_per_million_input_tokens = 0, usd_per_million_output_tokens = 0;
  /// Used when the predicted wait is longer, or more requests wait; at least one is set.
  std::optional<double> wait_seconds = {};
  std::optional<std::int64_t> waiting_requests = {};
};

/// Between a pool of prompts and one of outputs: first in, first out, one transfer at a time.
struct Link {
  std::uint32_t from = 0, to = 0;  // of Scenario::pools
  double latency_seconds = 5e-5, bytes_per_second = 25e9;
};

struct Scenario {
  std::vector<std::string> models = {};
  std::vector<Pool> pools = {};
  std::vector<SloClass> classes = {};  // empty: one without targets
  Routing routing = Routing::kRoundRobin;
  double staleness_seconds = 0;  // age of what a router knows of the machines
  /// kPrefixAware: a machine that has more requests than one and a half times those of the least
  /// busy one and this is passed over.
  std::int64_t prefix_load_guard = 8;
  std::optional<Hosted> hosted = {};
  std::vector<Link> links = {};  // pairs not listed: the defaults of Link
  /// Prompts with fewer tokens to compute run whole where outputs do.
  std::int64_t split_from_tokens = 0;
  std::int64_t max_retries = 3;  // of a request whose machine went away
  bool keep_outputs = true;      // what its client has is not computed again, only read
  std::uint64_t seed = 1;
  /// Arrivals later than this after the first are not taken; requests under way end.
  std::optional<double> horizon_seconds = {};
  bool exact = false;  // percentiles from all samples
};

}  // namespace portolan::simulation
