// What arrives: traces and streams of a scenario.
#include <cmath>

#include "app/scenario_reader.hpp"
#include "base/units_text.hpp"
#include "planner/job_fields.hpp"

namespace portolan::app {
namespace {

using simulation::Lengths;
using simulation::RateShape;
using simulation::Stream;

constexpr double kMostTokens = 2e7, kMostRequests = 1e9, kMostSeconds = 100.0 * 86'400;
constexpr std::size_t kMostStreams = 1000, kMostShapes = 100, kMostBins = 100'000;

constexpr std::array<std::pair<std::string_view, Lengths::Kind>, 5> kLengths{
    {{"constant", Lengths::Kind::kConstant},
     {"uniform", Lengths::Kind::kUniform},
     {"lognormal", Lengths::Kind::kLogNormal},
     {"geometric", Lengths::Kind::kGeometric},
     {"empirical", Lengths::Kind::kEmpirical}}};
constexpr std::array<std::pair<std::string_view, Stream::Arrival>, 6> kArrivals{
    {{"poisson", Stream::Arrival::kPoisson},
     {"gamma", Stream::Arrival::kGamma},
     {"weibull", Stream::Arrival::kWeibull},
     {"constant", Stream::Arrival::kConstant},
     {"batch", Stream::Arrival::kBatch},
     {"closed", Stream::Arrival::kClosed}}};
constexpr std::array<std::pair<std::string_view, RateShape::Kind>, 6> kShapes{
    {{"sine", RateShape::Kind::kSine},
     {"profile", RateShape::Kind::kProfile},
     {"step", RateShape::Kind::kStep},
     {"ramp", RateShape::Kind::kRamp},
     {"spike", RateShape::Kind::kSpike},
     {"growth", RateShape::Kind::kGrowth}}};

/// Pairs [value, weight].
void read_histogram(io::Fields& fields, Lengths& lengths, io::Problems& problems) {
  const io::Value* value = fields.get("histogram");
  if (value == nullptr) return;
  const std::string pointer = fields.pointer("histogram");
  if (!value->is_array() || value->array().empty() || value->array().size() > kMostBins) {
    fields.problem("histogram", "expected a list of [tokens, weight]",
                   "histogram: [[128, 3], [1024, 1]]");
    return;
  }
  for (std::size_t i = 0; i < value->array().size(); ++i) {
    const io::Value& pair = value->array()[i];
    const bool numbers = pair.is_array() && pair.array().size() == 2 &&
                         pair.array()[0].is_number() && pair.array()[1].is_number();
    if (!numbers || !(pair.array()[0].number() >= 1) || !(pair.array()[1].number() >= 0)) {
      problems.add(pair, fmt::format("{}/{}", pointer, i),
                   "histogram: expected [tokens, weight] with at least 1 token");
      return;
    }
    lengths.histogram.emplace_back(pair.array()[0].number(), pair.array()[1].number());
  }
}

/// A number of tokens, or a mapping that names a distribution.
std::optional<Lengths> read_lengths(io::Fields& fields, std::string_view key,
                                    io::Problems& problems) {
  const io::Value* value = fields.get(key);
  if (value == nullptr) return std::nullopt;
  Lengths lengths;
  if (!value->is_object()) {
    lengths.mean = static_cast<double>(whole(fields, key, 1, kMostTokens).value_or(1));
    return lengths;
  }
  io::Fields of(*value, fields.pointer(key), problems);
  lengths.kind = word(of, "distribution", kLengths).value_or(Lengths::Kind::kConstant);
  of.require("distribution");
  lengths.mean = of.number("mean", 1, kMostTokens).value_or(1);
  lengths.cv = of.number("cv", 0, 100).value_or(1);
  lengths.low = of.number("low", 1, kMostTokens).value_or(1);
  lengths.high = of.number("high", 1, kMostTokens).value_or(1);
  read_histogram(of, lengths, problems);
  if (lengths.high < lengths.low) of.problem("high", "is below low");
  using enum Lengths::Kind;
  if (lengths.kind == kEmpirical) of.require("histogram");
  if (lengths.kind == kUniform) of.require("high");
  if (lengths.kind == kConstant || lengths.kind == kLogNormal || lengths.kind == kGeometric)
    of.require("mean");
  of.finish();
  return lengths;
}

/// `spike: {at, duration, factor}` and `growth_per_week: 50%`, the two that are asked for most.
void read_short_shapes(io::Fields& fields, std::vector<RateShape>& shapes, io::Problems& problems) {
  if (const auto growth = fields.share("growth_per_week")) {
    RateShape shape;
    shape.kind = RateShape::Kind::kGrowth;
    shape.period = 7 * 86'400.0;
    shape.factor = 1 + *growth;
    shapes.push_back(std::move(shape));
  }
  const io::Value* spike = fields.get("spike");
  if (spike == nullptr) return;
  io::Fields of(*spike, fields.pointer("spike"), problems);
  RateShape shape;
  shape.kind = RateShape::Kind::kSpike;
  of.require("factor");
  shape.at = seconds(of, "at").value_or(0);
  shape.duration = seconds(of, "duration").value_or(86'400);
  shape.factor = of.number("factor", 0, 1e6).value_or(1);
  of.finish();
  shapes.push_back(std::move(shape));
}

void read_shapes(io::Fields& fields, std::vector<RateShape>& shapes, io::Problems& problems) {
  read_short_shapes(fields, shapes, problems);
  const io::Value* value = fields.get("shapes");
  if (value == nullptr) return;
  if (!value->is_array() || value->array().size() > kMostShapes) {
    fields.problem("shapes", fmt::format("expected a list of at most {} shapes", kMostShapes),
                   "shapes: [{shape: spike, at: 12h, duration: 1h, factor: 10}]");
    return;
  }
  for (std::size_t i = 0; i < value->array().size(); ++i) {
    io::Fields of(value->array()[i], fmt::format("{}/{}", fields.pointer("shapes"), i), problems);
    if (!value->array()[i].is_object()) continue;
    RateShape shape;
    shape.kind = word(of, "shape", kShapes).value_or(RateShape::Kind::kStep);
    const bool named = of.require("shape");
    using enum RateShape::Kind;
    const bool growth = shape.kind == kGrowth;
    shape.at = seconds(of, "at").value_or(0);
    shape.duration = seconds(of, "duration").value_or(86'400);
    shape.period = seconds(of, "period", 1e9).value_or(growth ? 7 * 86'400.0 : 86'400);
    shape.factor = of.number("factor", 0, 1e6).value_or(1);
    shape.amplitude = of.number("amplitude", 0, 1).value_or(0);
    if (const io::Value* values = of.get("values")) {
      const bool list =
          values->is_array() && !values->array().empty() && values->array().size() <= kMostBins &&
          std::all_of(values->array().begin(), values->array().end(),
                      [](const io::Value& v) { return v.is_number() && v.number() >= 0; });
      if (list) {
        for (const io::Value& v : values->array()) shape.values.push_back(v.number());
      } else {
        of.problem("values", "expected a list of rates of at least 0",
                   "24 of them with period: 24h are the hours of a day");
      }
    }
    if (named && shape.kind == kProfile) of.require("values");
    if (named && shape.kind == kSine) of.require("amplitude");
    if (named && shape.kind != kProfile && shape.kind != kSine) of.require("factor");
    if (shape.period <= 0) of.problem("period", "must be above 0");
    of.finish();
    shapes.push_back(std::move(shape));
  }
}

std::optional<simulation::SharedPrefix> read_prefix(io::Fields& fields, io::Problems& problems) {
  const io::Value* value = fields.get("prefix");
  if (value == nullptr) return std::nullopt;
  io::Fields of(*value, fields.pointer("prefix"), problems);
  simulation::SharedPrefix prefix;
  prefix.groups = whole(of, "groups", 1, 1e9).value_or(1);
  prefix.users = whole(of, "users", 1, 1e9).value_or(1);
  of.require("system_tokens");
  prefix.system_tokens = whole(of, "system_tokens", 0, kMostTokens).value_or(0);
  prefix.recurring = of.share("recurring").value_or(0);
  of.finish();
  return prefix;
}

/// The position of a name among those that exist.
template <class List, class Name>
std::uint32_t position(io::Fields& fields, std::string_view key, const List& list, Name name_of) {
  const std::optional<std::string> wanted = fields.text(key);
  if (!wanted) return 0;
  std::vector<std::string_view> known;
  for (const auto& one : list) {
    if (name_of(one) == *wanted) return static_cast<std::uint32_t>(known.size());
    known.push_back(name_of(one));
  }
  const std::string guess = did_you_mean(*wanted, known);
  fields.problem(key, fmt::format("unknown {} {}", key, quoted(*wanted)),
                 guess.empty() ? fmt::format("{} of this scenario", key) : guess);
  return 0;
}

void read_streams(const io::Value& value, const std::string& pointer, const TrafficNames& names,
                  SimulateRequest& request, io::Problems& problems) {
  if (!value.is_array() || value.array().empty() || value.array().size() > kMostStreams) {
    problems.add(value, pointer,
                 fmt::format("streams: expected a list of 1 to {} streams", kMostStreams));
    return;
  }
  for (std::size_t i = 0; i < value.array().size(); ++i) {
    io::Fields of(value.array()[i], fmt::format("{}/{}", pointer, i), problems);
    if (!value.array()[i].is_object()) continue;
    request.generator.streams.push_back(
        read_stream(of, names, problems, "input_tokens", "output_tokens"));
    of.finish();
  }
}

}  // namespace

simulation::Stream read_stream(io::Fields& fields, const TrafficNames& names,
                               io::Problems& problems, std::string_view input_key,
                               std::string_view output_key, bool lengths_needed) {
  Stream stream;
  using enum Stream::Arrival;
  stream.arrival = word(fields, "arrival", kArrivals).value_or(kPoisson);
  const std::optional<double> per_second = rate(fields, "rate");
  const bool timed = stream.arrival != kBatch && stream.arrival != kClosed;
  if (timed) {
    if (fields.require("rate")) stream.rate = per_second.value_or(1);
  } else if (per_second) {
    fields.problem("rate", "has no meaning where requests do not come by the clock",
                   "leave it out, or arrival poisson");
  }
  stream.cv = fields.number("cv", 1e-3, 100).value_or(1);
  read_shapes(fields, stream.shapes, problems);
  stream.start_seconds = seconds(fields, "start").value_or(0);
  stream.stop_seconds = seconds(fields, "stop");
  stream.concurrency = whole(fields, "concurrency", 1, 1e6).value_or(1);
  stream.think_seconds = seconds(fields, "think").value_or(0);
  if (lengths_needed) {
    fields.require(input_key);
    fields.require(output_key);
  }
  stream.input = read_lengths(fields, input_key, problems).value_or(Lengths{});
  stream.output = read_lengths(fields, output_key, problems).value_or(Lengths{});
  stream.turns = read_lengths(fields, "turns", problems).value_or(Lengths{});
  stream.prefix = read_prefix(fields, problems);
  stream.model = position(fields, "model", names.models,
                          [](const std::string& m) { return std::string_view(m); });
  stream.slo_class = position(fields, "class", names.classes, [](const simulation::SloClass& c) {
    return std::string_view(c.name);
  });
  stream.adapter = static_cast<std::uint32_t>(whole(fields, "adapter", 0, 1e9).value_or(0));
  stream.deadline_seconds = seconds(fields, "deadline");
  if (const auto requests = whole(fields, "requests", 1, kMostRequests))
    stream.requests = static_cast<std::uint64_t>(*requests);
  if (lengths_needed && !stream.requests && !stream.stop_seconds) {
    fields.problem("requests", "missing: when does it end?", "requests: 1000, or stop: 24h");
  }
  return stream;
}

simulation::TraceOptions read_trace(io::Fields& fields, std::string_view path_key,
                                    const TrafficNames& names) {
  simulation::TraceOptions trace;
  trace.path = fields.text(path_key).value_or("");
  if (fields.get(path_key) != nullptr && trace.path.empty())
    fields.problem(path_key, "an empty name");
  if (const auto format = fields.text("trace_format")) {
    std::vector<std::string_view> known = {"auto"};
    for (const simulation::TraceFormat& one : simulation::trace_formats())
      known.push_back(one.name);
    if (std::find(known.begin(), known.end(), *format) == known.end()) {
      std::string list;
      for (std::string_view one : known) list += (list.empty() ? "" : ", ") + std::string(one);
      const std::string guess = did_you_mean(*format, known);
      fields.problem("trace_format", "unknown format " + quoted(*format),
                     guess.empty() ? "one of: " + list : guess);
    } else {
      trace.format = *format;
    }
  }
  trace.sort = fields.boolean("sort").value_or(false);
  trace.hash_tokens =
      static_cast<std::int32_t>(fields.integer("hash_tokens", 1, 1'000'000).value_or(512));
  trace.characters_per_token = fields.number("characters_per_token", 0.1, 100).value_or(4);
  trace.from_seconds = seconds(fields, "from").value_or(0);
  trace.to_seconds = seconds(fields, "to");
  if (trace.to_seconds && *trace.to_seconds <= trace.from_seconds)
    fields.problem("to", "is not after from");
  trace.spread_seconds = seconds(fields, "spread").value_or(0);
  trace.speed = fields.number("speed", 1e-6, 1e6).value_or(1);
  trace.rate_scale = fields.number("rate_scale", 1e-6, 1e6).value_or(1);
  trace.loops = fields.integer("loop", 0, 1'000'000).value_or(1);
  // Traces name models and classes as they like: those of the scenario by name, all others as the
  // first one.
  if (names.models.size() > 1) {
    for (std::size_t i = 0; i < names.models.size(); ++i)
      trace.models[names.models[i]] = static_cast<std::uint32_t>(i);
  }
  for (std::size_t i = 0; i < names.classes.size(); ++i)
    trace.classes[names.classes[i].name] = static_cast<std::uint32_t>(i);
  if (!trace.classes.empty()) trace.classes.emplace("*", 0);
  return trace;
}

void read_workload(const io::Value& value, const std::string& pointer, const TrafficNames& names,
                   SimulateRequest& request, io::Problems& problems) {
  io::Fields fields(value, pointer, problems);
  if (!value.is_object()) return;
  const std::optional<std::int64_t> limit = whole(fields, "limit", 1, kMostRequests);
  const auto limited = limit ? std::optional(static_cast<std::uint64_t>(*limit)) : std::nullopt;
  const bool trace = fields.get("trace") != nullptr;
  const bool lengths = fields.get("lengths_from") != nullptr;
  const io::Value* streams = fields.get("streams");
  if (static_cast<int>(trace) + static_cast<int>(lengths) + static_cast<int>(streams != nullptr) >
      1) {
    problems.add(value, pointer, "trace, lengths_from and streams exclude each other",
                 "keep one of them");
    return;
  }
  if (trace) {
    request.trace = read_trace(fields, "trace", names);
    read_shapes(fields, request.trace->shapes, problems);
    request.trace->stop_seconds = seconds(fields, "stop");
    request.trace->limit = limited;
  } else if (streams != nullptr) {
    read_streams(*streams, fields.pointer("streams"), names, request, problems);
    request.generator.limit = limited;
  } else {
    request.generator.streams.push_back(
        read_stream(fields, names, problems, "input_tokens", "output_tokens", !lengths));
    if (lengths) request.generator.lengths_from = read_trace(fields, "lengths_from", names);
    request.generator.limit = limited;
  }
  fields.finish();
}

}  // namespace portolan::app
