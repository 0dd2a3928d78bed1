// The request of `simulate`: a scenario file, or one pool and one stream from flags.
#include "app/request.hpp"
#include "app/scenario_reader.hpp"
#include "base/files.hpp"
#include "io/text_formats.hpp"

namespace portolan::app {
namespace {

/// Flags that go with a scenario file: they choose what is run again and what is written.
void read_common(io::Fields& fields, SimulateRequest& request) {
  SimulateFiles own;
  read_files(fields, own);
  SimulateFiles& files = request.files;
  for (const auto member :
       {&SimulateFiles::requests_csv, &SimulateFiles::timeseries, &SimulateFiles::chrome_trace,
        &SimulateFiles::report, &SimulateFiles::bench_json}) {
    if (own.*member) files.*member = own.*member;
  }
  if (fields.get("interval") != nullptr) files.interval_seconds = own.interval_seconds;
  files.force = flag(fields, "force");
  if (const auto seed = fields.integer("seed", 0, kMostSeed))
    request.scenario.seed = static_cast<std::uint64_t>(*seed);
  if (flag(fields, "exact")) request.scenario.exact = true;
  request.compare = fields.text("compare");
  request.explain = flag(fields, "explain");
}

/// Targets of each request, as one class without a name of its own.
void read_targets(io::Fields& fields, simulation::Scenario& scenario) {
  simulation::SloClass one;
  one.name = "all";
  const auto target = [&](std::string_view key) {
    const auto value = seconds(fields, key);
    if (value && *value <= 0) fields.problem(key, "must be above 0");
    return value;
  };
  one.ttft_seconds = target("ttft");
  one.tpot_seconds = target("tpot");
  one.e2e_seconds = target("e2e");
  if (one.ttft_seconds || one.tpot_seconds || one.e2e_seconds)
    scenario.classes.push_back(std::move(one));
}

void read_flags(io::Fields& fields, SimulateRequest& request, io::Problems& problems) {
  PoolWish wish;
  wish.pool.name = "main";
  for (const auto& [key, example] :
       {std::pair{"model", "--model llama-3.1-8b"}, {"gpu", "--gpu h100-sxm"}}) {
    if (fields.get(key) == nullptr) fields.problem(key, "missing", example);
  }
  wish.engine = read_engine(fields, {});
  read_machine(fields, wish);
  wish.pool.replicas = fields.integer("replicas", 1, 100'000).value_or(1);
  wish.pool.model = model_number(request.scenario.models, wish.engine.model);
  request.pools.push_back(std::move(wish));
  read_targets(fields, request.scenario);
  read_router(fields, request.scenario, problems);

  const TrafficNames names{request.scenario.models, request.scenario.classes};
  const bool trace = fields.get("trace") != nullptr;
  const auto limit = whole(fields, "limit", 1, 1e9);
  const auto limited = limit ? std::optional(static_cast<std::uint64_t>(*limit)) : std::nullopt;
  if (trace) {
    request.trace = read_trace(fields, "trace", names);
    request.trace->limit = limited;
    for (const char* key :
         {"arrival", "rate", "cv", "input", "output", "requests", "concurrency", "think"}) {
      if (fields.get(key) != nullptr)
        fields.problem(key, "a trace has its own requests",
                       std::string_view(key) == "rate"       ? "--rate-scale 2 doubles its rate"
                       : std::string_view(key) == "requests" ? "--limit N takes the first N"
                                                             : "leave out one of the two");
    }
    return;
  }
  for (const char* key : {"trace_format", "rate_scale", "speed", "loop"}) {
    if (fields.get(key) != nullptr) fields.problem(key, "there is no trace", "--trace FILE");
  }
  if (fields.get("arrival") == nullptr && fields.get("rate") == nullptr &&
      fields.get("requests") == nullptr) {
    fields.problem("trace", "missing: what arrives?",
                   "--trace FILE, or --arrival poisson --rate 5 --input 1000 --output 200 "
                   "--requests 1000");
    for (const char* key : {"cv", "input", "output", "concurrency", "think"}) (void)fields.get(key);
    return;
  }
  request.generator.streams.push_back(read_stream(fields, names, problems, "input", "output"));
  request.generator.limit = limited;
}

/// With a scenario file the flags of a single pool would be a second answer to the same question.
void refuse_flags(io::Fields& fields) {
  static constexpr std::array<std::string_view, 11> kWithScenario = {
      "requests_csv", "timeseries", "chrome_trace", "report",  "bench_json", "interval",
      "force",        "seed",       "exact",        "compare", "explain"};
  for (const io::Value::Member& member : fields.value().object()) {
    const std::string& key = member.first;
    if (key == "scenario" || fields.get(key) == nullptr) continue;
    const bool known =
        std::find(kWithScenario.begin(), kWithScenario.end(), key) != kWithScenario.end();
    if (!known) fields.problem(key, "the scenario says this itself", "change it in the file");
  }
}

}  // namespace

Result<SimulateRequest> read_simulate(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  SimulateRequest request;
  const io::Value* scenario = fields.get("scenario");
  if (scenario == nullptr) {
    read_flags(fields, request, problems);
    read_common(fields, request);
    PORTOLAN_DO(finish_request(fields, problems));
    return request;
  }
  if (scenario->is_object()) {
    request = PORTOLAN_TRY(read_scenario(*scenario, ""));
  } else {
    const std::string path = scenario->scalar_text();
    const std::string file = path == "-" ? "standard input" : path;
    request = PORTOLAN_TRY(
        read_scenario(PORTOLAN_TRY(io::parse_document(PORTOLAN_TRY(read_file(path)), file)), file));
  }
  read_common(fields, request);
  refuse_flags(fields);
  PORTOLAN_DO(finish_request(fields, problems));
  return request;
}

}  // namespace portolan::app
