// A scenario file: models on pools of machines, traffic, classes, router, and what to write.
#include <cmath>

#include "app/scenario_reader.hpp"
#include "base/units_text.hpp"
#include "planner/job_fields.hpp"

namespace portolan::app {
namespace {

using simulation::Routing;

constexpr std::size_t kMostPools = 1000, kMostClasses = 1000, kMostLinks = 100'000;

constexpr std::array<std::pair<std::string_view, Routing>, 10> kRouters{
    {{"round_robin", Routing::kRoundRobin},
     {"random", Routing::kRandom},
     {"least_requests", Routing::kLeastRequests},
     {"least_outstanding", Routing::kLeastRequests},
     {"least_tokens", Routing::kLeastTokens},
     {"power_of_two", Routing::kPowerOfTwo},
     {"sticky", Routing::kSticky},
     {"prefix_aware", Routing::kPrefixAware},
     {"kv_aware", Routing::kKvAware},
     {"cost_aware", Routing::kCostAware}}};

class ScenarioReader {
 public:
  ScenarioReader(const io::Value& document, io::Problems& problems)
      : problems_(problems), top_(document, "", problems) {}

  SimulateRequest read() {
    if (!top_.value().is_object()) return {};
    simulation::Scenario& scenario = request_.scenario;
    request_.name = top_.text("name").value_or("");
    read_pools();
    names_unique();
    read_classes();
    read_router(top_, scenario, problems_);
    read_burst();
    read_links();
    if (const auto split = whole(top_, "split_from_tokens", 0)) scenario.split_from_tokens = *split;
    scenario.max_retries = top_.integer("max_retries", 0, 1000).value_or(scenario.max_retries);
    scenario.keep_outputs = top_.boolean("keep_outputs").value_or(scenario.keep_outputs);
    if (const auto seed = top_.integer("seed", 0, kMostSeed))
      scenario.seed = static_cast<std::uint64_t>(*seed);
    scenario.horizon_seconds = seconds(top_, "horizon");
    scenario.exact = top_.boolean("exact").value_or(false);
    if (top_.require("workload")) {
      if (const io::Value* value = top_.get("workload"))
        read_workload(*value, top_.pointer("workload"), {scenario.models, scenario.classes},
                      request_, problems_);
    }
    if (const io::Value* value = top_.get("output")) {
      io::Fields of(*value, top_.pointer("output"), problems_);
      read_files(of, request_.files);
      of.finish();
    }
    top_.finish();
    return std::move(request_);
  }

 private:
  void read_pools() {
    PoolDefaults defaults;
    defaults.engine = read_engine(top_, {});
    defaults.autoscale = read_autoscale(top_, problems_);
    if (!top_.require("pools")) return;
    const io::Value* list = top_.get("pools");
    if (list == nullptr) return;
    if (!list->is_array() || list->array().empty() || list->array().size() > kMostPools) {
      top_.problem("pools", fmt::format("expected a list of 1 to {} pools", kMostPools),
                   "pools: [{gpu: h100-sxm, replicas: 2}]");
      return;
    }
    for (std::size_t i = 0; i < list->array().size(); ++i) {
      request_.pools.push_back(read_pool(list->array()[i],
                                         fmt::format("{}/{}", top_.pointer("pools"), i), defaults,
                                         request_.scenario.models, problems_));
      simulation::Pool& pool = request_.pools.back().pool;
      if (pool.name.empty())
        pool.name = list->array().size() == 1 ? "main" : fmt::format("pool-{}", i + 1);
    }
  }

  void names_unique() {
    for (std::size_t i = 0; i < request_.pools.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (request_.pools[i].pool.name == request_.pools[j].pool.name)
          top_.problem("pools",
                       fmt::format("two pools are named {}", quoted(request_.pools[i].pool.name)));
      }
    }
  }

  /// The position of a pool by its name.
  std::optional<std::uint32_t> pool_named(const io::Value& at, const std::string& pointer,
                                          const std::string& name) {
    std::vector<std::string_view> known;
    for (const PoolWish& wish : request_.pools) {
      if (wish.pool.name == name) return static_cast<std::uint32_t>(known.size());
      known.push_back(wish.pool.name);
    }
    problems_.add(at, pointer, "unknown pool " + quoted(name), did_you_mean(name, known));
    return std::nullopt;
  }

  void read_class(const io::Value& value, const std::string& pointer) {
    io::Fields of(value, pointer, problems_);
    if (!value.is_object()) return;
    simulation::SloClass one;
    of.require("name");
    one.name = of.text("name").value_or("");
    // Written as in a job, or without the share: a target of each request either way.
    const auto target = [&](std::string_view key, std::string_view as_in_a_job) {
      const auto plain = seconds(of, key), p95 = seconds(of, as_in_a_job);
      if (plain && p95)
        of.problem(as_in_a_job, fmt::format("given beside {}: which one is it?", key));
      const auto chosen = plain ? plain : p95;
      if (chosen && *chosen <= 0) of.problem(plain ? key : as_in_a_job, "must be above 0");
      return chosen;
    };
    one.ttft_seconds = target("ttft", "ttft_p95");
    one.tpot_seconds = target("tpot", "tpot_p95");
    one.e2e_seconds = target("e2e", "e2e_p95");
    one.priority = of.integer("priority", -1'000'000, 1'000'000).value_or(0);
    one.queue_limit = of.integer("queue_limit", 0, 1'000'000'000);
    one.shed_wait_seconds = seconds(of, "shed_wait");
    one.deadline_seconds = seconds(of, "deadline");
    if (const auto wait = seconds(of, "spill_wait")) one.spill_wait_seconds = *wait;
    one.may_burst = of.boolean("may_burst").value_or(true);
    if (const auto pools = of.texts("pools")) {
      for (const std::string& name : *pools) {
        if (const auto at = pool_named(*of.get("pools"), of.pointer("pools"), name))
          one.pools.push_back(*at);
      }
    }
    for (const simulation::SloClass& other : request_.scenario.classes) {
      if (other.name == one.name)
        of.problem("name", fmt::format("two classes are named {}", quoted(one.name)));
    }
    of.finish();
    request_.scenario.classes.push_back(std::move(one));
  }

  void read_classes() {
    const io::Value* list = top_.get("classes");
    if (list == nullptr) return;
    if (!list->is_array() || list->array().empty() || list->array().size() > kMostClasses) {
      top_.problem("classes", fmt::format("expected a list of 1 to {} classes", kMostClasses),
                   "classes: [{name: chat, ttft: 1s, tpot: 50ms}]");
      return;
    }
    for (std::size_t i = 0; i < list->array().size(); ++i)
      read_class(list->array()[i], fmt::format("{}/{}", top_.pointer("classes"), i));
  }

  void read_burst() {
    const io::Value* value = top_.get("burst");
    if (value == nullptr) return;
    io::Fields of(*value, top_.pointer("burst"), problems_);
    if (!value->is_object()) return;
    simulation::Hosted hosted;
    HostedWish wish;
    of.require("api");
    wish.api = of.text("api").value_or("");
    hosted.name = wish.api;
    of.require("ttft");
    hosted.ttft_seconds = seconds(of, "ttft").value_or(0);
    of.require("output_tokens_per_second");
    hosted.output_tokens_per_second = of.number("output_tokens_per_second", 1e-3, 1e9).value_or(1);
    hosted.requests_per_second = rate(of, "requests_per_second");
    wish.usd_per_million_input = of.number("usd_per_million_input_tokens", 0, 1e9);
    wish.usd_per_million_output = of.number("usd_per_million_output_tokens", 0, 1e9);
    hosted.wait_seconds = seconds(of, "wait");
    hosted.waiting_requests = of.integer("waiting_requests", 0, 1'000'000'000);
    if (!hosted.wait_seconds && !hosted.waiting_requests)
      of.problem("wait", "missing: when do requests go there?",
                 "wait: 2s (predicted), or waiting_requests: 100");
    of.finish();
    request_.scenario.hosted = std::move(hosted);
    request_.hosted = std::move(wish);
  }

  void read_links() {
    const io::Value* list = top_.get("links");
    if (list == nullptr) return;
    if (!list->is_array() || list->array().size() > kMostLinks) {
      top_.problem("links", "expected a list of {from, to, …}",
                   "links: [{from: prompts, to: outputs, bytes_per_second: 25GB}]");
      return;
    }
    for (std::size_t i = 0; i < list->array().size(); ++i) {
      io::Fields of(list->array()[i], fmt::format("{}/{}", top_.pointer("links"), i), problems_);
      if (!list->array()[i].is_object()) continue;
      simulation::Link link;
      for (const auto& [key, end] : {std::pair{"from", &link.from}, {"to", &link.to}}) {
        if (!of.require(key)) continue;
        if (const auto name = of.text(key)) {
          if (const auto at = pool_named(*of.get(key), of.pointer(key), *name)) *end = *at;
        }
      }
      if (const auto latency = seconds(of, "latency")) link.latency_seconds = *latency;
      if (const auto speed = of.bytes("bytes_per_second")) {
        link.bytes_per_second = speed->raw();
        if (link.bytes_per_second <= 0) of.problem("bytes_per_second", "must be above 0");
      }
      of.finish();
      request_.scenario.links.push_back(link);
    }
  }

  io::Problems& problems_;
  io::Fields top_;
  SimulateRequest request_;
};

}  // namespace

void read_router(io::Fields& fields, simulation::Scenario& scenario, io::Problems& problems) {
  const io::Value* value = fields.get("router");
  if (value == nullptr) return;
  if (!value->is_object()) {
    scenario.routing = word(fields, "router", kRouters).value_or(scenario.routing);
    return;
  }
  io::Fields of(*value, fields.pointer("router"), problems);
  scenario.routing = word(of, "policy", kRouters).value_or(scenario.routing);
  if (const auto age = seconds(of, "staleness")) scenario.staleness_seconds = *age;
  if (const auto guard = of.integer("prefix_load_guard", 0, 1'000'000))
    scenario.prefix_load_guard = *guard;
  of.finish();
}

std::string_view router_name(simulation::Routing routing) {
  for (const auto& [name, value] : kRouters) {
    if (value == routing) return name;
  }
  return {};
}

void read_files(io::Fields& fields, SimulateFiles& files) {
  const auto file = [&](std::string_view key) {
    const std::optional<std::string> path = fields.text(key);
    if (path && (path->empty() || *path == "-"))
      fields.problem(key, "needs a file: standard output is for the answer",
                     fmt::format("{}: NAME", key));
    return path;
  };
  files.requests_csv = file("requests_csv");
  files.timeseries = file("timeseries");
  files.chrome_trace = file("chrome_trace");
  files.report = file("report");
  files.bench_json = file("bench_json");
  if (const auto interval = seconds(fields, "interval")) {
    files.interval_seconds = *interval;
    if (*interval < 1e-3) fields.problem("interval", "at least 1ms");
  }
}

std::optional<double> seconds(io::Fields& fields, std::string_view key, double most) {
  const std::optional<Seconds> value = fields.duration(key);
  if (!value) return std::nullopt;
  if (value->raw() >= 0 && value->raw() <= most) return value->raw();
  fields.problem(key, value->raw() < 0
                          ? fmt::format("{} is below 0", duration_text(*value))
                          : fmt::format("{} is above the maximum of {}", duration_text(*value),
                                        duration_text(Seconds(most))));
  return std::nullopt;
}

std::optional<double> rate(io::Fields& fields, std::string_view key) {
  constexpr double kMostRate = 1e7;
  return planner::positive(fields, key, planner::parsed(fields, key, parse_requests_per_second),
                           kMostRate);
}

std::optional<std::int64_t> whole(io::Fields& fields, std::string_view key, std::int64_t least,
                                  double most) {
  const io::Value* given = fields.get(key);
  if (given == nullptr) return std::nullopt;
  if (given->is_number() && given->number() < static_cast<double>(least)) {
    fields.problem(key, fmt::format("{} is below the minimum {}", given->scalar_text(), least));
    return std::nullopt;
  }
  const std::optional<double> value = fields.count(key);
  if (!value) return std::nullopt;
  if (*value != std::floor(*value)) {
    fields.problem(key, fmt::format("{} is not a whole number", shortest(*value)));
  } else if (*value < static_cast<double>(least)) {
    fields.problem(key, fmt::format("{} is below the minimum {}", shortest(*value), least));
  } else if (*value > most) {
    fields.problem(key,
                   fmt::format("{} is above the maximum {}", shortest(*value), shortest(most)));
  } else {
    return static_cast<std::int64_t>(*value);
  }
  return std::nullopt;
}

std::uint32_t model_number(std::vector<std::string>& models, const std::string& name) {
  const auto found = std::find(models.begin(), models.end(), name);
  if (found == models.end()) models.push_back(name);
  return static_cast<std::uint32_t>(std::find(models.begin(), models.end(), name) - models.begin());
}

Result<SimulateRequest> read_scenario(const io::Value& document, const std::string& file) {
  io::Problems problems{.file = file, .errors = {}};
  SimulateRequest request = ScenarioReader(document, problems).read();
  if (!problems.errors.empty())
    return fail(combine(std::move(problems.errors), file.empty() ? "the scenario" : file));
  request.document = document;
  request.file = file;
  return request;
}

}  // namespace portolan::app
