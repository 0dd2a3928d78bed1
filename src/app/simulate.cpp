#include "app/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/request.hpp"
#include "app/scenario_reader.hpp"
#include "app/simulate_build.hpp"
#include "app/simulate_explain.hpp"
#include "app/simulate_streams.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"

namespace portolan::app {
namespace {

using Traffic = simulation::Source;
using simulation::Verdict;

std::string lengths_text(const simulation::Lengths& lengths) {
  using enum simulation::Lengths::Kind;
  switch (lengths.kind) {
    case kConstant:
      return significant(lengths.mean, 6);
    case kUniform:
      return fmt::format("{} to {}", significant(lengths.low, 6), significant(lengths.high, 6));
    case kLogNormal:
    case kGeometric:
      return "about " + significant(lengths.mean, 6);
    case kEmpirical:
      break;
  }
  return fmt::format("{} lengths", lengths.histogram.size());
}

std::string stream_text(const simulation::Stream& stream, bool lengths) {
  using enum simulation::Stream::Arrival;
  static constexpr const char* kNames[] = {"Poisson", "gamma",       "Weibull",
                                           "even",    "all at once", "closed loop"};
  std::string out = kNames[static_cast<std::size_t>(stream.arrival)];
  if (stream.arrival == kClosed) {
    out += fmt::format(" of {} users", with_commas(stream.concurrency));
  } else if (stream.arrival != kBatch) {
    out += fmt::format(" {} requests/s", significant(stream.rate, 4));
    if (!stream.shapes.empty()) out += " before its shapes";
  }
  if (lengths)
    out += fmt::format(", {} tokens in, {} out", lengths_text(stream.input),
                       lengths_text(stream.output));
  return out;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string traffic_text(const SimulateRequest& request) {
  if (request.trace) return file_name(request.trace->path);
  const auto& streams = request.generator.streams;
  if (streams.size() != 1) return fmt::format("{} streams", streams.size());
  if (request.generator.lengths_from)
    return stream_text(streams.front(), false) + ", lengths of " +
           file_name(request.generator.lengths_from->path);
  return stream_text(streams.front(), true);
}

/// A path in a scenario file is beside the file.
std::string beside(const std::string& path, const std::string& file) {
  const std::size_t slash = file.rfind('/');
  const bool whole = path.empty() || path.front() == '/' || path == "-";
  return whole || slash == std::string::npos ? path : file.substr(0, slash + 1) + path;
}

/// Errors about flags of traffic name no place of their own.
Result<std::unique_ptr<Traffic>> open_traffic(const SimulateRequest& request) {
  const std::uint64_t seed = request.scenario.seed;
  if (request.trace) {
    simulation::TraceOptions trace = *request.trace;
    trace.path = beside(trace.path, request.file);
    trace.seed = seed;
    return simulation::open_trace(trace);
  }
  simulation::TrafficSpec spec = request.generator;
  spec.seed = seed;
  if (spec.lengths_from) {
    spec.lengths_from->path = beside(spec.lengths_from->path, request.file);
    spec.lengths_from->seed = seed;
  }
  return simulation::make_traffic(spec);
}

void add_assumptions(SimulateAnswer& answer, const SimulateRequest& request,
                     const Traffic& source) {
  Envelope& envelope = answer.envelope;
  const bool file = request.document.is_object();
  const auto how = [&](const char* flag, const char* key) {
    return std::string(file ? key : flag);
  };
  envelope.assume("router", std::string(router_name(request.scenario.routing)), "default",
                  how("--router", "router: in the scenario"));
  envelope.assume("seed", request.scenario.seed, "default", "--seed");
  envelope.assume("traffic", answer.result.traffic, file ? "job" : "flag",
                  how("--trace, --arrival", "workload: in the scenario"));
  for (const std::string& assumed : source.assumptions())
    envelope.assume("trace", assumed, "derived", "");
  envelope.assume("percentiles",
                  request.scenario.exact ? "of all samples" : "within 0.1 % of the samples",
                  request.scenario.exact ? "flag" : "default", how("--exact", "exact: true"));
  envelope.assume("price_includes",
                  "accelerator-hours while machines are held; not storage, egress, tax or support",
                  "default", "");
}

/// What makes the figures unreliable, most serious first.
void add_warnings(SimulateAnswer& answer) {
  const simulation::RunResult& run = answer.result.run;
  std::vector<std::string> first;
  if (run.verdict == Verdict::kOverloaded) {
    first.push_back(
        fmt::format("saturated: {}; latencies measure the length of the run, not the "
                    "service",
                    run.verdict_reason));
  } else if (run.verdict == Verdict::kBacklogged) {
    first.push_back(fmt::format("backlogged: {}; percentiles depend on how long it lasted",
                                run.verdict_reason));
  }
  if (run.all.rejected > 0) {
    first.push_back(
        fmt::format("{} of {} requests were rejected: longer than the context or the KV cache "
                    "(--assumptions: max_model_len_tokens, kv_blocks)",
                    with_commas(static_cast<std::int64_t>(run.all.rejected)),
                    with_commas(static_cast<std::int64_t>(run.all.offered))));
  }
  for (std::size_t i = 0; i < answer.result.pools.size(); ++i) {
    const PoolFacts& facts = answer.result.pools[i];
    const simulation::PoolResult& pool = run.pools[i];
    constexpr double kNearlyFull = 0.9;
    const bool full =
        pool.counters.preemptions > 0 || static_cast<double>(pool.counters.peak_blocks) >=
                                             kNearlyFull * static_cast<double>(pool.kv_blocks);
    if (full && !facts.kv_pinned) {
      first.push_back(fmt::format(
          "the KV cache of pool {} was full, and its {} blocks are predicted, not measured: pin "
          "the engine's own number with --kv-blocks",
          pool.group.name, with_commas(facts.kv_blocks)));
    }
    if (facts.tier > cost::Tier::kTransferred) {
      first.push_back(fmt::format(
          "no measured kernels for {} on {}: step times rest on {} rates, 80 % of them between "
          "{} and {} of what is shown",
          facts.engine, facts.accelerator, cost::tier_name(facts.tier),
          significant(facts.interval_low, 2), significant(facts.interval_high, 2)));
    }
  }
  if (answer.result.rows_skipped > 0) {
    first.push_back(
        fmt::format("{} rows of the trace were skipped: requests that failed",
                    with_commas(static_cast<std::int64_t>(answer.result.rows_skipped))));
  }
  answer.envelope.warnings.insert(answer.envelope.warnings.begin(), first.begin(), first.end());
}

simulation::Observers observers_of(const Context& context, const Traffic& source,
                                   const SimulateStreams& streams) {
  simulation::Observers observers;
  const std::optional<std::uint64_t> count = source.count();
  observers.progress = [&context, &streams, count](std::uint64_t done, simulation::Time now) {
    const auto text = with_commas(static_cast<std::int64_t>(done));
    const std::string of =
        count ? " of " + with_commas(static_cast<std::int64_t>(*count)) : std::string();
    context.progress(fmt::format("simulating: {}{} requests, {} on its clock", text, of,
                                 duration_text(Seconds(simulation::to_seconds(now)), 3)));
    return !context.cancelled() && !streams.failed();
  };
  return observers;
}

}  // namespace

std::optional<double> requests_per_second(const SimulateResult& result) {
  const simulation::RunResult& run = result.run;
  if (run.simulated_seconds <= 0) return std::nullopt;
  return static_cast<double>(run.all.completed + run.all.hosted) / run.simulated_seconds;
}

std::optional<double> usd_per_million_output_tokens(const simulation::GroupResult& group) {
  if (!group.usd || group.output_tokens == 0) return std::nullopt;
  return *group.usd / static_cast<double>(group.output_tokens) * 1e6;
}

std::optional<double> goodput_share(const simulation::GroupResult& group) {
  if (group.offered == 0) return std::nullopt;
  return static_cast<double>(group.good) / static_cast<double>(group.offered);
}

KvFigures kv_figures(const SimulateResult& result) {
  KvFigures kv;
  for (const PoolFacts& facts : result.pools) kv.blocks = std::max(kv.blocks, facts.kv_blocks);
  for (const simulation::PoolResult& pool : result.run.pools) {
    kv.peak_used = std::max(kv.peak_used, pool.counters.peak_blocks);
    kv.preemptions += pool.counters.preemptions;
    kv.prefix_hit_tokens += pool.counters.cached_tokens;
    kv.prompt_tokens += pool.counters.prompt_tokens;
  }
  return kv;
}

Result<SimulateAnswer> simulate(const SimulateRequest& request, const Context& context) {
  SimulateAnswer answer;
  answer.files = request.files;
  answer.envelope.command = "simulate";
  answer.envelope.catalogue_date = context.catalogue().date();
  SimulateResult& result = answer.result;
  std::optional<io::Value> before;
  if (request.compare) before = PORTOLAN_TRY(read_result(*request.compare));
  Built built = PORTOLAN_TRY(build_scenario(request, context, answer.envelope));
  const std::unique_ptr<simulation::Source> source = PORTOLAN_TRY(open_traffic(request));
  SimulateStreams streams(answer.files, built.scenario);
  PORTOLAN_DO(streams.open());
  simulation::Observers observers = observers_of(context, *source, streams);
  streams.listen(observers);

  const Seconds start = monotonic_now();
  auto run = simulation::run(built.scenario, *source, observers);
  result.wall_seconds = (monotonic_now() - start).raw();
  context.progress("");
  if (streams.failed()) PORTOLAN_DO(streams.finish());
  if (!run) return fail(std::move(run).error());
  result.run = std::move(*run);
  PORTOLAN_DO(streams.finish());

  result.pools = std::move(built.facts);
  result.classes = built.scenario.classes;
  result.traffic = traffic_text(request);
  result.rows_skipped = source->skipped();
  result.timeline = streams.timeline();
  result.distributions = streams.distributions();
  add_assumptions(answer, request, *source);
  add_warnings(answer);
  if (before) result.comparison = compare_runs(*before, result);
  if (request.explain) answer.envelope.derivations = explain_simulation(result);
  return answer;
}

}  // namespace portolan::app
