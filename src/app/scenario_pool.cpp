// The machines of a scenario: engines with their limits, pools, how their number follows the load,
// and how they are lost.
#include <cmath>

#include "app/scenario_reader.hpp"
#include "base/units_text.hpp"
#include "planner/job_fields.hpp"
#include "simulation/load_time.hpp"

namespace portolan::app {
namespace {

using simulation::Autoscale;
using simulation::Eviction;
using simulation::Role;
using simulation::Scaling;
using simulation::ScalingMetric;

constexpr std::int64_t kMostReplicas = 100'000, kMostTokens = 1'000'000'000;
constexpr double kMostSeconds = 1e9;  // of means: a machine that fails once in 30 years

constexpr std::array<std::pair<std::string_view, Scaling>, 9> kPolicies{
    {{"static", Scaling::kStatic},
     {"target", Scaling::kTarget},
     {"target_tracking", Scaling::kTarget},
     {"threshold", Scaling::kThreshold},
     {"schedule", Scaling::kSchedule},
     {"forecast", Scaling::kForecast},
     {"planner", Scaling::kPlanner},
     {"slo_planner", Scaling::kPlanner},
     {"reactive", Scaling::kThreshold}}};
constexpr std::array<std::pair<std::string_view, ScalingMetric>, 3> kMetrics{
    {{"requests", ScalingMetric::kRequests},
     {"waiting", ScalingMetric::kWaiting},
     {"kv_share", ScalingMetric::kKvShare}}};
constexpr std::array<std::pair<std::string_view, Role>, 3> kRoles{
    {{"both", Role::kBoth}, {"prompt", Role::kPrompt}, {"output", Role::kOutput}}};
constexpr std::array<std::pair<std::string_view, Eviction>, 2> kEvictions{
    {{"lru", Eviction::kLeastRecent}, {"value", Eviction::kValue}}};

/// Sub-objects of a pool; nullopt when the key is absent or no mapping (then a problem was added).
template <class Read>
void part(io::Fields& fields, std::string_view key, io::Problems& problems, Read read) {
  const io::Value* value = fields.get(key);
  if (value == nullptr) return;
  io::Fields of(*value, fields.pointer(key), problems);
  if (!value->is_object()) return;
  read(of);
  of.finish();
}

void assign(double& to, const std::optional<double>& value) { to = value.value_or(to); }
void assign(std::int64_t& to, const std::optional<std::int64_t>& value) { to = value.value_or(to); }

std::optional<double> bytes(io::Fields& fields, std::string_view key) {
  const std::optional<Bytes> value = fields.bytes(key);
  if (!value) return std::nullopt;
  if (value->raw() > 0) return value->raw();
  fields.problem(key, "must be above 0", "leave it out where it is no bottleneck");
  return std::nullopt;
}

std::optional<std::int64_t> replicas(io::Fields& fields, std::string_view key, std::int64_t least) {
  return fields.integer(key, least, kMostReplicas);
}

void read_load(io::Fields& of, simulation::LoadTime& load) {
  assign(load.provision_seconds, seconds(of, "provision"));
  assign(load.image_seconds, seconds(of, "image"));
  assign(load.engine_seconds, seconds(of, "engine"));
  assign(load.compile_seconds, seconds(of, "compile"));
  assign(load.profile_seconds, seconds(of, "profile"));
  assign(load.graph_seconds, seconds(of, "graphs"));
  assign(load.first_request_seconds, seconds(of, "first_request"));
  load.weight_bytes = bytes(of, "weights");
  load.storage_bytes_per_second = bytes(of, "storage_per_second");
  load.network_bytes_per_second = bytes(of, "network_per_second");
  load.pcie_bytes_per_second = bytes(of, "pcie_per_second");
  assign(load.spread, of.number("spread", 0, 5));
}

std::vector<simulation::ScheduleStep> read_schedule(io::Fields& of, io::Problems& problems) {
  std::vector<simulation::ScheduleStep> steps;
  const io::Value* value = of.get("schedule");
  if (value == nullptr) return steps;
  if (!value->is_array() || value->array().empty() || value->array().size() > 10'000) {
    of.problem("schedule", "expected a list of {at, replicas}",
               "schedule: [{at: 0s, replicas: 2}, {at: 8h, replicas: 6}]");
    return steps;
  }
  for (std::size_t i = 0; i < value->array().size(); ++i) {
    io::Fields step(value->array()[i], fmt::format("{}/{}", of.pointer("schedule"), i), problems);
    if (!value->array()[i].is_object()) continue;
    step.require("replicas");
    simulation::ScheduleStep one{.at_seconds = seconds(step, "at").value_or(0),
                                 .replicas = replicas(step, "replicas", 0).value_or(0)};
    if (!steps.empty() && one.at_seconds <= steps.back().at_seconds)
      step.problem("at", "is not after the step before");
    step.finish();
    steps.push_back(one);
  }
  return steps;
}

Autoscale read_scaling(io::Fields& of, io::Problems& problems) {
  Autoscale scale;
  of.require("policy");
  scale.policy = word(of, "policy", kPolicies).value_or(Scaling::kStatic);
  scale.min_replicas = replicas(of, "min", 0).value_or(1);
  of.require("max");
  scale.max_replicas =
      replicas(of, "max", 1).value_or(std::max<std::int64_t>(1, scale.min_replicas));
  if (scale.max_replicas < scale.min_replicas) of.problem("max", "is below min");
  assign(scale.tick_seconds, seconds(of, "tick"));
  if (scale.tick_seconds < 0.1) of.problem("tick", "at least 100ms");
  assign(scale.scrape_delay_seconds, seconds(of, "scrape_delay"));
  assign(scale.down_stabilisation_seconds, seconds(of, "down_stabilisation"));
  assign(scale.tolerance, of.number("tolerance", 0, 1));
  scale.metric = word(of, "metric", kMetrics).value_or(ScalingMetric::kRequests);
  assign(scale.target, of.number("target", 1e-9, 1e9));
  if (scale.policy == Scaling::kTarget) of.require("target");
  assign(scale.up_waiting, of.number("up_waiting", 0, 1e9));
  assign(scale.up_kv_share, of.share("up_kv_share"));
  assign(scale.down_kv_share, of.share("down_kv_share"));
  scale.schedule = read_schedule(of, problems);
  if (scale.policy == Scaling::kSchedule) of.require("schedule");
  assign(scale.schedule_period_seconds, seconds(of, "schedule_period"));
  scale.sustained_requests_per_second = rate(of, "sustained_requests_per_second");
  assign(scale.headroom, of.share("headroom"));
  assign(scale.window_seconds, seconds(of, "window"));
  assign(scale.period_seconds, seconds(of, "period"));
  assign(scale.profile_bins, of.integer("profile_bins", 1, 100'000));
  assign(scale.drain_seconds, seconds(of, "drain"));
  return scale;
}

void read_spot(io::Fields& of, PoolWish& wish, io::Problems& problems) {
  simulation::Spot spot;
  if (const io::Value* series = of.get("series")) {
    if (!series->is_array() || series->array().empty() || series->array().size() > 1'000'000) {
      of.problem("series", "expected a list of {available, for}",
                 "series: [{available: 4, for: 3h}, {available: 0, for: 10min}]");
    } else {
      for (std::size_t i = 0; i < series->array().size(); ++i) {
        io::Fields step(series->array()[i], fmt::format("{}/{}", of.pointer("series"), i),
                        problems);
        if (!series->array()[i].is_object()) continue;
        step.require("available");
        step.require("for");
        spot.series.push_back({.available = replicas(step, "available", 0).value_or(0),
                               .seconds = seconds(step, "for").value_or(1)});
        if (spot.series.back().seconds <= 0) step.problem("for", "must be above 0");
        step.finish();
      }
    }
  }
  assign(spot.zones, of.integer("zones", 1, 1000));
  assign(spot.mean_up_seconds, seconds(of, "mean_up", kMostSeconds));
  assign(spot.mean_down_seconds, seconds(of, "mean_down", kMostSeconds));
  if (spot.mean_up_seconds <= 0) of.problem("mean_up", "must be above 0");
  if (spot.mean_down_seconds <= 0) of.problem("mean_down", "must be above 0");
  assign(spot.shock_share, of.share("shock_share"));
  assign(spot.warning_seconds, seconds(of, "warning"));
  assign(spot.extra_replicas, replicas(of, "extra_replicas", 0));
  spot.on_demand_fallback = of.boolean("on_demand_fallback").value_or(false);
  wish.on_demand_price = of.usd_per_hour("on_demand_price");
  wish.pool.spot = std::move(spot);
}

void read_sharing(io::Fields& of, PoolWish& wish, std::vector<std::string>& models,
                  io::Problems& problems) {
  simulation::Sharing& sharing = wish.pool.sharing;
  assign(sharing.resident_models, of.integer("resident_models", 1, 10'000));
  assign(sharing.resident_bytes, bytes(of, "resident_bytes"));
  sharing.eviction = word(of, "eviction", kEvictions).value_or(Eviction::kLeastRecent);
  assign(sharing.most_wait_seconds, seconds(of, "most_wait"));
  of.require("models");
  const io::Value* list = of.get("models");
  if (list == nullptr) return;
  if (!list->is_array() || list->array().empty() || list->array().size() > 10'000) {
    of.problem("models", "expected a list of {model, …}",
               "models: [{model: llama-3.1-8b}, {model: qwen3-8b, wake: 2s}]");
    return;
  }
  for (std::size_t i = 0; i < list->array().size(); ++i) {
    io::Fields one(list->array()[i], fmt::format("{}/{}", of.pointer("models"), i), problems);
    if (!list->array()[i].is_object()) continue;
    simulation::SharedModel shared;
    one.require("model");
    EngineWish engine = read_engine(one, wish.engine);
    engine.pointer = fmt::format("{}/{}", of.pointer("models"), i);
    shared.model = model_number(models, engine.model);
    shared.weight_bytes = bytes(one, "weights");
    shared.load_seconds = seconds(one, "load");
    assign(shared.wake_seconds, seconds(one, "wake"));
    one.finish();
    sharing.models.push_back(std::move(shared));
    wish.sharing.push_back(std::move(engine));
  }
}

}  // namespace

EngineWish read_engine(io::Fields& fields, const EngineWish& base) {
  EngineWish wish = base;
  const auto text = [&](std::string_view key) { return fields.text(key); };
  if (const auto model = text("model")) wish.model = *model;
  if (fields.get("model") != nullptr && trim(wish.model).empty())
    fields.problem("model", "an empty name");
  if (const auto engine = text("engine")) wish.engine = to_lower(trim(*engine));
  if (const auto dtype = text("dtype")) wish.dtype = dtype;
  if (const auto kv = text("kv_dtype")) wish.kv_dtype = kv;
  simulation::EngineOptions& options = wish.options;
  const auto limit = [&](std::optional<std::int64_t>& to, std::string_view key, std::int64_t most) {
    if (const auto given = whole(fields, key, 1, static_cast<double>(most))) to = given;
  };
  limit(options.max_sequences, "max_num_seqs", 1'000'000);
  limit(options.max_batched_tokens, "max_num_batched_tokens", kMostTokens);
  limit(options.kv_blocks, "kv_blocks", kMostTokens);
  limit(options.block_tokens, "block_size", 1'000'000);
  limit(options.max_model_len, "max_model_len", kMostTokens);
  if (const auto share = fields.share("gpu_memory_utilization")) {
    options.memory_fraction = share;
    if (*share <= 0) fields.problem("gpu_memory_utilization", "must be above 0");
  }
  if (fields.boolean("no_prefix_caching").value_or(false)) options.prefix_caching = false;
  assign(options.drafted, fields.number("speculative", 0, 64));
  if (const auto share = fields.share("acceptance")) {
    options.acceptance = *share;
    if (options.drafted <= 0)
      fields.problem("acceptance", "nothing is drafted", "add speculative: tokens drafted a step");
  } else if (options.drafted > 0 && base.options.drafted <= 0 &&
             fields.get("speculative") != nullptr) {
    fields.problem("acceptance", "missing: the chance that a drafted token is accepted",
                   "acceptance: 70%");
  }
  assign(options.max_adapters, fields.integer("max_loras", 1, 100'000));
  if (const auto load = seconds(fields, "adapter_load")) options.adapter_load = Seconds(*load);
  return wish;
}

void read_machine(io::Fields& fields, PoolWish& wish) {
  wish.gpu = fields.text("gpu").value_or("");
  assign(wish.tp, fields.integer("tp", 1, 4096));
  assign(wish.pp, fields.integer("pp", 1, 4096));
  assign(wish.ep, fields.integer("ep", 1, 4096));
  wish.price = fields.usd_per_hour("price");
  if (wish.price && wish.price->raw() <= 0)
    fields.problem("price", "must be above 0", "leave it out to use the market's");
  if (const auto purchase = fields.text("purchase")) {
    const auto parsed = market::parse_purchase(*purchase);
    if (parsed) {
      wish.purchase = *parsed;
    } else {
      fields.problem("purchase", parsed.error().message, parsed.error().hint);
    }
  }
}

std::optional<Autoscale> read_autoscale(io::Fields& fields, io::Problems& problems) {
  std::optional<Autoscale> out;
  part(fields, "autoscale", problems, [&](io::Fields& of) { out = read_scaling(of, problems); });
  return out;
}

PoolWish read_pool(const io::Value& value, const std::string& pointer, const PoolDefaults& top,
                   std::vector<std::string>& models, io::Problems& problems) {
  PoolWish wish;
  io::Fields fields(value, pointer, problems);
  if (!value.is_object()) return wish;
  wish.pool.name = fields.text("name").value_or("");
  wish.engine = read_engine(fields, top.engine);
  wish.engine.pointer = pointer;
  fields.require("gpu");
  read_machine(fields, wish);
  wish.pool.role = word(fields, "role", kRoles).value_or(Role::kBoth);
  if (const auto scale = read_autoscale(fields, problems)) {
    wish.pool.autoscale = *scale;
  } else if (top.autoscale) {
    wish.pool.autoscale = *top.autoscale;
  }
  const Autoscale& scale = wish.pool.autoscale;
  const bool scaled = scale.policy != Scaling::kStatic;
  const std::int64_t least = scaled && scale.min_replicas == 0 ? 0 : 1;
  wish.pool.replicas = replicas(fields, "replicas", least)
                           .value_or(scaled ? std::max(least, scale.min_replicas) : 1);
  part(fields, "billing", problems, [&](io::Fields& of) {
    assign(wish.pool.billing_quantum_seconds, seconds(of, "quantum"));
    assign(wish.pool.billing_minimum_seconds, seconds(of, "minimum"));
  });
  wish.load_given = fields.get("load") != nullptr;
  if (!wish.load_given) wish.pool.load = simulation::measured_load_time();
  part(fields, "load", problems, [&](io::Fields& of) { read_load(of, wish.pool.load); });
  part(fields, "spot", problems, [&](io::Fields& of) { read_spot(of, wish, problems); });
  part(fields, "failures", problems, [&](io::Fields& of) {
    simulation::Failures failures;
    of.require("every");
    assign(failures.mean_seconds_between, seconds(of, "every", kMostSeconds));
    if (of.get("every") != nullptr && failures.mean_seconds_between <= 0)
      of.problem("every", "must be above 0");
    assign(failures.repair_seconds, seconds(of, "repair"));
    wish.pool.failures = failures;
  });
  bool shares = false;
  part(fields, "sharing", problems, [&](io::Fields& of) {
    shares = true;
    read_sharing(of, wish, models, problems);
  });
  if (wish.engine.model.empty() && shares && !wish.sharing.empty()) {
    wish.engine.model = wish.sharing.front().model;
  } else if (wish.engine.model.empty() && !shares) {
    fields.problem("model", "missing: which model does this pool serve?",
                   "model: at the top, or here");
  }
  wish.pool.model = model_number(models, wish.engine.model);
  fields.finish();
  return wish;
}

}  // namespace portolan::app
