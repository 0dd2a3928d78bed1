// Contradictions in a scenario, found before anything runs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "simulation/cluster.hpp"

namespace portolan::simulation {
namespace {

constexpr double kYearSeconds = 366.0 * 86400;

/// Collects what is wrong with one part of a scenario; the first thing found is told.
class Checker {
 public:
  explicit Checker(std::string name) : name_(std::move(name)) {}

  void number(std::string_view what, double value, double least, double most) {
    if (value >= least && value <= most) return;
    wrong(fmt::format("{} is {}", what, value), fmt::format("{} to {}", least, most));
  }
  void number(std::string_view what, const std::optional<double>& value, double least,
              double most) {
    if (value) number(what, *value, least, most);
  }
  void count(std::string_view what, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value < least || value > most)
      wrong(fmt::format("{} is {}", what, value), fmt::format("{} to {}", least, most));
  }
  void require(bool good, std::string what, std::string hint = {}) {
    if (!good) wrong(std::move(what), std::move(hint));
  }
  [[nodiscard]] Result<void> result() {
    if (what_.empty()) return {};
    return fail(ErrorCode::kUsage, fmt::format("{}: {}", name_, what_), std::move(hint_));
  }

 private:
  void wrong(std::string what, std::string hint) {
    if (!what_.empty()) return;
    what_ = std::move(what);
    hint_ = std::move(hint);
  }
  std::string name_, what_, hint_;
};

void check_load(Checker& part, const LoadTime& load) {
  for (const double seconds :
       {load.provision_seconds, load.image_seconds, load.engine_seconds, load.compile_seconds,
        load.profile_seconds, load.graph_seconds, load.first_request_seconds})
    part.number("a part of the load time, in seconds,", seconds, 0, kYearSeconds);
  part.number("weight_bytes", load.weight_bytes, 0, 1e16);
  for (const auto& rate :
       {load.storage_bytes_per_second, load.network_bytes_per_second, load.pcie_bytes_per_second})
    part.number("a bandwidth of the load time, in bytes per second,", rate, 1, 1e16);
  part.number("the spread of the load time", load.spread, 0, 3);
}

void check_autoscale(Checker& part, const Pool& pool) {
  const Autoscale& rules = pool.autoscale;
  part.number("drain_seconds", rules.drain_seconds, 0, kYearSeconds);
  if (rules.policy == Scaling::kStatic) return;
  part.count("min_replicas", rules.min_replicas, pool.role == Role::kBoth ? 0 : 1, 100'000);
  part.count("max_replicas", rules.max_replicas, std::max<std::int64_t>(1, rules.min_replicas),
             100'000);
  part.number("tick_seconds", rules.tick_seconds, 0.01, kYearSeconds);
  part.number("scrape_delay_seconds", rules.scrape_delay_seconds, 0, 86400);
  part.number("down_stabilisation_seconds", rules.down_stabilisation_seconds, 0, kYearSeconds);
  part.number("tolerance", rules.tolerance, 0, 1);
  part.number("headroom", rules.headroom, 0, 100);
  if (rules.policy == Scaling::kTarget)
    part.require(rules.target > 0, "tracks a target, and the target is not above 0",
                 "give a target per replica, such as 32 requests or 0.7 of the KV cache");
  if (rules.policy == Scaling::kSchedule) {
    part.require(!rules.schedule.empty(), "follows a schedule that is empty");
    part.require(std::ranges::is_sorted(rules.schedule, {}, &ScheduleStep::at_seconds),
                 "follows a schedule that is not in order of time");
    part.number("schedule_period_seconds", rules.schedule_period_seconds, 0, kYearSeconds);
  }
  if (rules.policy == Scaling::kForecast || rules.policy == Scaling::kPlanner) {
    part.number("sustained_requests_per_second", rules.sustained_requests_per_second, 1e-9, 1e9);
    part.number("window_seconds", rules.window_seconds, 0.01, kYearSeconds);
    part.number("period_seconds", rules.period_seconds, 1, kYearSeconds);
    part.count("profile_bins", rules.profile_bins, 1, 100'000);
  }
}

void check_spot(Checker& part, const Spot& spot) {
  double total = 0;
  for (const SpotStep& step : spot.series) {
    part.count("the capacity of a spot step", step.available, 0, 1'000'000);
    part.number("the length of a spot step, in seconds,", step.seconds, 1e-3, kYearSeconds);
    total += step.seconds;
  }
  part.require(spot.series.empty() || total > 0, "has a spot series without length");
  part.count("zones", spot.zones, 1, 1000);
  part.number("mean_up_seconds", spot.mean_up_seconds, 1, 10 * kYearSeconds);
  part.number("mean_down_seconds", spot.mean_down_seconds, 1, 10 * kYearSeconds);
  part.number("shock_share", spot.shock_share, 0, 1);
  part.number("warning_seconds", spot.warning_seconds, 0, 86400);
  part.count("extra_replicas", spot.extra_replicas, 0, 100'000);
  part.number("on_demand_usd_per_hour", spot.on_demand_usd_per_hour, 0, 1e6);
}

void check_sharing(Checker& part, const Scenario& scenario, const Pool& pool) {
  const Sharing& sharing = pool.sharing;
  if (sharing.models.empty()) return;
  for (const SharedModel& m : sharing.models) {
    part.require(m.engine && m.engine->cost, "has a shared model without an engine");
    part.require(m.model < std::max<std::size_t>(1, scenario.models.size()),
                 fmt::format("shares model {} of {}", m.model, scenario.models.size()));
    part.number("weight_bytes of a shared model", m.weight_bytes, 1, 1e16);
    part.number("load_seconds of a shared model", m.load_seconds, 0, kYearSeconds);
    part.number("wake_seconds of a shared model", m.wake_seconds, 0, kYearSeconds);
  }
  part.count("resident_models", sharing.resident_models, 0, 1'000'000);
  part.number("resident_bytes", sharing.resident_bytes, 0, 1e18);
  part.require(sharing.resident_models > 0 || sharing.resident_bytes > 0,
               "is shared by models, and nothing says how many stay on a machine",
               "set resident_models or resident_bytes");
  part.number("most_wait_seconds", sharing.most_wait_seconds, 0, kYearSeconds);
  part.require(pool.role == Role::kBoth && !pool.spot && !pool.failures &&
                   pool.autoscale.policy == Scaling::kStatic,
               "is shared by models and also scales, is on spot capacity, fails or is split; its "
               "machines can only stay",
               "leave the others out, or give each model a pool of its own");
  part.require(pool.replicas > 0, "is shared by models and has no replica");
  bool waits_at_router = scenario.hosted && scenario.hosted->wait_seconds;
  for (const SloClass& c : scenario.classes)
    waits_at_router = waits_at_router || c.queue_limit || c.shed_wait_seconds ||
                      c.priority != scenario.classes.front().priority || !c.pools.empty();
  part.require(!waits_at_router,
               "is shared by models, whose requests wait at the machines: no priorities, queue "
               "limits, predicted waits or pools of classes there");
}

Result<void> check_pool(const Scenario& scenario, const Pool& pool) {
  Checker part(fmt::format("pool '{}'", pool.name));
  part.require(pool.engine && pool.engine->cost, "has no engine");
  if (!pool.engine) return part.result();
  part.require(pool.model < std::max<std::size_t>(1, scenario.models.size()),
               fmt::format("serves model {} of {}", pool.model, scenario.models.size()));
  part.count("replicas", pool.replicas, 0, 100'000);
  part.number("usd_per_hour", pool.usd_per_hour, 0, 1e6);
  part.number("billing_quantum_seconds", pool.billing_quantum_seconds, 0, kYearSeconds / 12);
  part.number("billing_minimum_seconds", pool.billing_minimum_seconds, 0, kYearSeconds / 12);
  check_load(part, pool.load);
  check_autoscale(part, pool);
  if (pool.spot) check_spot(part, *pool.spot);
  check_sharing(part, scenario, pool);
  if (pool.failures) {
    part.number("mean_seconds_between failures", pool.failures->mean_seconds_between, 1,
                1000 * kYearSeconds);
    part.number("repair_seconds", pool.failures->repair_seconds, 0, kYearSeconds);
  }
  part.require(pool.role == Role::kBoth || (!pool.spot && !pool.failures),
               "computes prompts or outputs alone and can lose machines: a request is on two "
               "machines then, and what becomes of it is not simulated",
               "let lost machines compute whole requests (role both)");
  PORTOLAN_DO(part.result());
  if (pool.engine->kv_blocks < 1)
    return fail(ErrorCode::kInfeasible,
                fmt::format("pool '{}' has no room in its KV cache for a request", pool.name));
  return {};
}

Result<void> check_roles(const Scenario& scenario) {
  for (std::uint32_t m = 0; m < std::max<std::size_t>(1, scenario.models.size()); ++m) {
    bool prompts = false, outputs = false, both = false, shared = false;
    for (const Pool& pool : scenario.pools) {
      for (const SharedModel& one : pool.sharing.models) shared = shared || one.model == m;
      if (!pool.sharing.models.empty()) continue;
      if (pool.model != m) continue;
      // A pool that never has a machine serves nobody.
      if (pool.replicas == 0 && pool.autoscale.policy == Scaling::kStatic) continue;
      prompts = prompts || pool.role == Role::kPrompt;
      outputs = outputs || (pool.role == Role::kOutput && pool.replicas > 0);
      both = both || pool.role == Role::kBoth;
    }
    const std::string name = m < scenario.models.size() ? scenario.models[m] : "";
    if (prompts != outputs)
      return fail(ErrorCode::kUsage,
                  fmt::format("model '{}' has a pool for {} but none with replicas for {}", name,
                              prompts ? "prompts" : "outputs", prompts ? "outputs" : "prompts"));
    if (prompts && both)
      return fail(
          ErrorCode::kUsage,
          fmt::format("model '{}' has pools for prompts and outputs and one for both", name),
          "short prompts can run whole on pools for outputs: split_from_tokens");
    if (shared && (prompts || both))
      return fail(ErrorCode::kUsage,
                  fmt::format("model '{}' is on a shared pool and on one of its own", name));
    if (!prompts && !both && !shared && !scenario.models.empty())
      return fail(ErrorCode::kInfeasible,
                  fmt::format("no pool with replicas serves model '{}'", name));
  }
  for (const Link& link : scenario.links) {
    Checker part("a link between pools");
    part.require(
        link.from < scenario.pools.size() && link.to < scenario.pools.size(),
        fmt::format("leads from pool {} to {} of {}", link.from, link.to, scenario.pools.size()));
    part.number("latency_seconds", link.latency_seconds, 0, 3600);
    part.number("bytes_per_second", link.bytes_per_second, 1, 1e16);
    PORTOLAN_DO(part.result());
  }
  return {};
}

Result<void> check_class(const Scenario& scenario, const SloClass& c) {
  Checker part(fmt::format("class '{}'", c.name));
  part.number("ttft_seconds", c.ttft_seconds, 0, kYearSeconds);
  part.number("tpot_seconds", c.tpot_seconds, 0, kYearSeconds);
  part.number("e2e_seconds", c.e2e_seconds, 0, kYearSeconds);
  part.number("shed_wait_seconds", c.shed_wait_seconds, 0, kYearSeconds);
  part.number("deadline_seconds", c.deadline_seconds, 0, kYearSeconds);
  part.number("spill_wait_seconds", c.spill_wait_seconds, 0, kYearSeconds);
  if (c.queue_limit) part.count("queue_limit", *c.queue_limit, 0, 1'000'000'000);
  for (const std::uint32_t pool : c.pools)
    part.require(pool < scenario.pools.size(),
                 fmt::format("may run on pool {} of {}", pool, scenario.pools.size()));
  return part.result();
}

Result<void> check_hosted(const Hosted& api) {
  Checker part(fmt::format("hosted API '{}'", api.name));
  part.number("ttft_seconds", api.ttft_seconds, 0, 86400);
  part.number("output_tokens_per_second", api.output_tokens_per_second, 1e-3, 1e9);
  part.number("requests_per_second", api.requests_per_second, 1e-9, 1e9);
  part.number("usd_per_million_input_tokens", api.usd_per_million_input_tokens, 0, 1e6);
  part.number("usd_per_million_output_tokens", api.usd_per_million_output_tokens, 0, 1e6);
  part.require(api.wait_seconds || api.waiting_requests,
               "is never used: neither a wait nor a number of waiting requests is set",
               "set wait_seconds or waiting_requests");
  part.number("wait_seconds", api.wait_seconds, 0, kYearSeconds);
  return part.result();
}

}  // namespace

Result<void> check(const Scenario& scenario) {
  if (scenario.pools.empty()) return fail(ErrorCode::kUsage, "the scenario has no pool");
  bool any = false;
  for (const Pool& pool : scenario.pools) {
    PORTOLAN_DO(check_pool(scenario, pool));
    any = any || pool.replicas > 0 || pool.autoscale.policy != Scaling::kStatic;
  }
  if (!any)
    return fail(ErrorCode::kInfeasible, "no pool has a replica", "give at least one pool replicas");
  PORTOLAN_DO(check_roles(scenario));
  for (const SloClass& c : scenario.classes) PORTOLAN_DO(check_class(scenario, c));
  if (scenario.hosted) PORTOLAN_DO(check_hosted(*scenario.hosted));
  Checker part("the scenario");
  part.require(scenario.staleness_seconds == 0 ||
                   (scenario.staleness_seconds >= 1e-3 && scenario.staleness_seconds <= 86400),
               fmt::format("routers see machines as of {} s ago", scenario.staleness_seconds),
               "0 (they always know), or 0.001 to 86400");
  part.number("horizon_seconds", scenario.horizon_seconds, 0, 1e12);
  part.count("max_retries", scenario.max_retries, 0, 1'000'000);
  part.count("prefix_load_guard", scenario.prefix_load_guard, 0, 1'000'000'000);
  part.count("split_from_tokens", scenario.split_from_tokens, 0, 1'000'000'000);
  return part.result();
}

}  // namespace portolan::simulation
