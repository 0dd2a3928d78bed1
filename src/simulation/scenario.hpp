// What is simulated: models on pools of machines, how requests are routed and what everything
// costs. Filled by `app` from flags or a scenario file.
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
  kSticky,         // by conversation, else by the text's first id
  kPrefixAware,    // longest cached prefix, unless its machine is far busier than the least busy
  kKvAware,        // fewest prompt tokens to compute plus cache in use
  kCostAware       // the cheapest machine that is expected to meet the target
};

enum class Role : std::uint8_t { kBoth, kPrompt, kOutput };

/// Replicas that are alike.
struct Pool {
  std::string name;
  std::uint32_t model = 0;  // of Scenario::models
  std::shared_ptr<const EngineModel> engine;
  Role role = Role::kBoth;
  std::int64_t replicas = 1;  // at the start
  std::optional<double> usd_per_hour;  // of one replica, all its accelerators
};

struct SloClass {
  std::string name;
  std::optional<double> ttft_seconds, tpot_seconds, e2e_seconds;  // per request
};

struct Scenario {
  std::vector<std::string> models;
  std::vector<Pool> pools;
  std::vector<SloClass> classes;  // empty: one without targets
  Routing routing = Routing::kRoundRobin;
  double staleness_seconds = 0;  // age of what a router knows of the machines
  std::uint64_t seed = 1;
  std::optional<double> horizon_seconds;  // arrivals after it are not taken; requests under way end
  bool exact = false;                     // percentiles from all samples
};

}  // namespace portolan::simulation
