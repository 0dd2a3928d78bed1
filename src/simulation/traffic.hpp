// The doors of traffic: traces of many formats and generators, both as sources of requests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "simulation/source.hpp"

namespace portolan::simulation {

/// A factor on the rate over time; all that are given together multiply. Seconds.
struct RateShape {
  enum class Kind : std::uint8_t {
    kSine,     // 1 + amplitude · cos(2π (t − at) / period): most at `at`
    kProfile,  // steps of period / values.size(), again and again; relative to their mean
    kStep,     // `factor` from `at` on
    kRamp,     // from 1 at `at` to `factor` at `at` + `duration`
    kSpike,    // `factor` from `at` for `duration`
    kGrowth    // factor^(t / period)
  };
  Kind kind = Kind::kStep;
  double at = 0, duration = 86'400, period = 86'400;
  double factor = 1, amplitude = 0;
  std::vector<double> values{};
};

/// How a trace is read. Times are seconds on the trace's own clock; where its first row has a date
/// or lies more than ten days in, the clock starts with that row.
struct TraceOptions {
  std::string path{};           // "-": standard input; a folder for servegen
  std::string format = "auto";  // or one of trace_formats()
  /// Numbers of models and classes by the names that the trace has for them; the entry "*" stands
  /// for all others. Empty: all are 0. A name that is not found is an error.
  std::map<std::string, std::uint32_t> models{}, classes{};
  /// Rows out of order are an error; with `sort`, those within 65,536 rows (or 4 million content
  /// ids, whichever comes first) of their place are put there.
  bool sort = false;
  std::int32_t hash_tokens = 512;  // to each of the hash_ids of mooncake
  /// Characters to a token, for traces of text (sharegpt).
  double characters_per_token = 4;

  // Changes to what the trace says, in this order.
  double from_seconds = 0;             // a part of it: from here, which becomes time 0,
  std::optional<double> to_seconds{};  // to here (not included)
  /// Arrivals are moved later by uniform amounts below this: for traces whose clock ticks in
  /// seconds, which make bursts that were none.
  double spread_seconds = 0;
  double speed = 1;  // arrivals twice as fast: all times halved, bursts in proportion
  /// The whole again and again, with new contents each time; a mean gap lies between. 0: for ever.
  std::int64_t loops = 1;
  /// Each request this often: by chance left out below 1; above, further copies that arrive up to
  /// `copy_spread_seconds` later with contents of their own. Bursts keep their length.
  double rate_scale = 1;
  std::vector<RateShape> shapes{};  // the same, over time
  double copy_spread_seconds = 60;
  std::optional<double> stop_seconds{};  // nothing arrives at or after it
  std::optional<std::uint64_t> limit{};  // requests in all
  std::uint64_t seed = 1;
};

struct TraceFormat {
  std::string_view name, about;
};
/// All names that TraceOptions::format may have besides "auto".
const std::vector<TraceFormat>& trace_formats();

/// Errors: not_found, usage for an unknown format or options out of range, malformed and
/// invalid_input with file and line. Rows of requests that failed (no output) are skipped and
/// counted.
Result<std::unique_ptr<Source>> open_trace(const TraceOptions& options);
/// The same from a text instead of a file, which `options.path` names.
Result<std::unique_ptr<Source>> open_trace_text(std::string text, const TraceOptions& options);

/// A distribution of tokens or turns, cut to 1 … 20 million and rounded.
struct Lengths {
  enum class Kind : std::uint8_t { kConstant, kUniform, kLogNormal, kGeometric, kEmpirical };
  Kind kind = Kind::kConstant;
  double mean = 1;           // all but uniform and empirical
  double cv = 1;             // log-normal
  double low = 1, high = 1;  // uniform, both included; bounds that others are cut to if high > 1
  std::vector<std::pair<double, double>> histogram{};  // empirical: value and weight
};

/// What prompts have in common: `groups` system prompts of `system_tokens` tokens, each used by
/// `users` users; a request's prompt is its group's system prompt and a question of its own, or,
/// with chance `recurring`, the same question as the user's first. Groups and users are equally
/// likely.
struct SharedPrefix {
  std::int64_t groups = 1, users = 1, system_tokens = 0;
  double recurring = 0;
};

/// One stream of alike requests.
struct Stream {
  enum class Arrival : std::uint8_t {
    kPoisson,
    kGamma,
    kWeibull,
    kConstant,
    kBatch,  // all `requests` at the start
    kClosed  // `concurrency` users, each of whom sends on when answered, after thinking
  };
  Arrival arrival = Arrival::kPoisson;
  double rate = 1;  // conversations (of one turn: requests) per second, before shapes
  double cv = 1;    // of gaps: gamma, weibull
  std::vector<RateShape> shapes{};
  double start_seconds = 0;
  std::optional<double> stop_seconds{};  // no conversation begins at or after it
  std::int64_t concurrency = 1;
  double think_seconds = 0;   // mean; exponential; between an answer and the next turn
  Lengths input{}, output{};  // of one turn: what is new, without system prompt and history
  Lengths turns{};            // of a conversation
  std::optional<SharedPrefix> prefix{};
  std::uint32_t model = 0, slo_class = 0, adapter = 0;
  std::optional<double> deadline_seconds{};  // after arrival
  /// Conversations counted: the stream ends after so many. Needed by batch and closed.
  std::optional<std::uint64_t> requests{};
};

/// Streams side by side. Draws of one do not depend on the others.
struct TrafficSpec {
  std::vector<Stream> streams{};
  /// Lengths, contents, models and classes come from this trace, row by row, its times do not:
  /// for traces that have none. One stream, of one turn.
  std::optional<TraceOptions> lengths_from{};
  std::optional<std::uint64_t> limit{};  // requests in all
  std::uint64_t seed = 1;
};

/// Errors: usage, for values out of range and streams that could go on for ever.
Result<std::unique_ptr<Source>> make_traffic(const TrafficSpec& spec);

}  // namespace portolan::simulation
