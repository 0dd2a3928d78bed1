// Contradictions in a scenario, found before anything runs.
#include <fmt/format.h>

#include <cmath>

#include "simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

std::unexpected<Error> wrong(const Pool& pool, const std::string& what, std::string hint = {}) {
  return fail(ErrorCode::kUsage, fmt::format("pool '{}': {}", pool.name, what), std::move(hint));
}

Result<void> check_pool(const Scenario& scenario, const Pool& pool) {
  if (!pool.engine || !pool.engine->cost) return wrong(pool, "has no engine");
  if (pool.model >= std::max<std::size_t>(1, scenario.models.size()))
    return wrong(pool, fmt::format("serves model {} of {}", pool.model, scenario.models.size()));
  if (pool.replicas < 0 || pool.replicas > 100'000)
    return wrong(pool, fmt::format("has {} replicas", pool.replicas), "0 to 100000");
  if (pool.engine->kv_blocks < 1)
    return fail(ErrorCode::kInfeasible,
                fmt::format("pool '{}' has no room in its KV cache for a request", pool.name));
  const double usd = pool.usd_per_hour.value_or(0);
  if (!(usd >= 0) || usd > 1e6)
    return wrong(pool, fmt::format("costs {} USD per hour", usd), "0 to 1000000");
  if (!(pool.billing_quantum_seconds >= 0) || !(pool.billing_minimum_seconds >= 0))
    return wrong(pool, "has a billing quantum or minimum below 0 s");
  return {};
}

}  // namespace

Result<void> check(const Scenario& scenario) {
  if (scenario.pools.empty()) return fail(ErrorCode::kUsage, "the scenario has no pool");
  std::int64_t replicas = 0;
  for (const Pool& pool : scenario.pools) {
    PORTOLAN_DO(check_pool(scenario, pool));
    replicas += pool.replicas;
  }
  if (replicas == 0)
    return fail(ErrorCode::kInfeasible, "no pool has a replica", "give at least one pool replicas");
  if (!(scenario.staleness_seconds >= 0) || scenario.staleness_seconds > 86400)
    return fail(ErrorCode::kUsage,
                fmt::format("routers see machines as of {} s ago", scenario.staleness_seconds),
                "0 to 86400");
  if (scenario.staleness_seconds > 0 && scenario.staleness_seconds < 1e-3)
    return fail(ErrorCode::kUsage, "routers that look more often than once a millisecond",
                "give 0 for routers that always know");
  for (const SloClass& c : scenario.classes)
    for (const std::uint32_t pool : c.pools)
      if (pool >= scenario.pools.size())
        return fail(ErrorCode::kUsage, fmt::format("class '{}' may run on pool {} of {}", c.name,
                                                   pool, scenario.pools.size()));
  if (scenario.horizon_seconds && !(*scenario.horizon_seconds >= 0))
    return fail(ErrorCode::kUsage, "the horizon is before the start");
  return {};
}

}  // namespace portolan::simulation
