// `simulate`: traffic against pools of machines, event by event: latencies, throughput, KV cache,
// money and energy.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "app/simulate_compare.hpp"
#include "base/quantity.hpp"
#include "cost/step.hpp"
#include "market/offer.hpp"
#include "simulation/run.hpp"
#include "simulation/traffic.hpp"

namespace portolan::app {

/// An engine on a machine as a request names it.
struct EngineWish {
  std::string model;
  std::optional<std::string> engine, dtype, kv_dtype;
  simulation::EngineOptions options;
  std::string pointer;  // where in the scenario, for places of problems; empty: flags
};

/// A pool as a request names it; what the market and the engine decide is not filled in yet.
struct PoolWish {
  simulation::Pool pool;
  std::string gpu;
  std::int64_t tp = 1, pp = 1, ep = 1;
  EngineWish engine;
  std::vector<EngineWish> sharing;                // parallel to pool.sharing.models
  std::optional<UsdRate> price, on_demand_price;  // of one accelerator
  market::Purchase purchase = market::Purchase::kOnDemand;
  bool load_given = false;  // else starts take what was measured of others
};

/// The hosted API that takes what machines cannot; what is not said is looked up in the catalogue.
struct HostedWish {
  std::string api;
  std::optional<double> usd_per_million_input, usd_per_million_output;
};

/// Files written beside the answer. The request table, the time series and the trace of events are
/// written as the run goes, the others are for the face to render.
struct SimulateFiles {
  std::optional<std::string> requests_csv, timeseries, chrome_trace, report, bench_json;
  double interval_seconds = 10;
  bool force = false;
};

struct SimulateRequest {
  std::string name;
  std::vector<PoolWish> pools;
  simulation::Scenario scenario;  // without pools
  std::optional<HostedWish> hosted;
  std::optional<simulation::TraceOptions> trace;
  simulation::TrafficSpec generator;  // without a trace
  SimulateFiles files;
  std::optional<std::string> compare;  // result of an earlier run
  bool explain = false;
  io::Value document;  // of a scenario file; null for flags
  std::string file;
};
/// `scenario` is a document (an object) or the path of a file; everything else are the flags.
Result<SimulateRequest> read_simulate(const io::Value& request);

/// What a pool turned out to be.
struct PoolFacts {
  std::string model, accelerator, engine, weights, kv_format;
  cost::Deployment deployment;
  std::int64_t accelerators_per_replica = 1;
  std::shared_ptr<const simulation::EngineModel> limits;
  bool kv_pinned = false;
  std::int64_t kv_blocks = 0;  // of one replica as the engine counts them, null block included
  cost::Tier tier = cost::Tier::kDatasheet;
  double interval_low = 1, interval_high = 1;  // factors on step times, 80 %
  std::optional<double> usd_per_accelerator_hour;
  std::string price_origin;
};

/// One pool over one stretch of simulated time.
struct TimePoint {
  double seconds = 0, span_seconds = 0;  // its end, its length
  std::uint32_t pool = 0;
  std::int64_t running = 0, waiting = 0, used_blocks = 0, total_blocks = 0;
  std::int64_t ready = 0, loading = 0;
  double completed_per_second = 0, prompt_tokens_per_second = 0, output_tokens_per_second = 0;
  std::optional<double> step_seconds;      // mean; unset: no step
  std::optional<double> prefix_hit_share;  // of the prompt tokens that were scheduled
  std::optional<double> watts, usd_per_hour;
};

/// Quantiles of one figure over all answered requests, for plots: at 0, 1 … 100 %.
struct Distribution {
  std::string name;  // "ttft"
  std::vector<double> seconds;
};

struct SimulateResult {
  simulation::RunResult run;
  std::vector<PoolFacts> pools;
  std::vector<simulation::SloClass> classes;
  std::string traffic;  // in words
  std::uint64_t rows_skipped = 0;
  double wall_seconds = 0;
  std::optional<Comparison> comparison;
  std::vector<TimePoint> timeline;  // with a report; at most some hundred per pool
  std::vector<Distribution> distributions;
};

// Figures that follow from others.
std::optional<double> requests_per_second(const SimulateResult& result);  // answered
/// All cost on the output; unset without a price or output.
std::optional<double> usd_per_million_output_tokens(const simulation::GroupResult& group);
/// Answered within every target, of all that were offered; unset without requests.
std::optional<double> goodput_share(const simulation::GroupResult& group);
struct KvFigures {
  std::int64_t blocks = 0, peak_used = 0;  // of the fullest replica, and its pool
  std::uint64_t preemptions = 0;
  std::int64_t prefix_hit_tokens = 0, prompt_tokens = 0;  // computed ones
};
KvFigures kv_figures(const SimulateResult& result);

struct SimulateAnswer {
  SimulateResult result;
  SimulateFiles files;
  Envelope envelope;
};
/// Errors: those of names, files and the market; infeasible when a model does not fit; cancelled.
Result<SimulateAnswer> simulate(const SimulateRequest& request, const Context& context);

}  // namespace portolan::app
