// How trace files are read: one table of fields per format, one reader for lines of JSON, one for
// CSV. For the files of this room that make sources of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/byte_stream.hpp"
#include "io/line_reader.hpp"
#include "simulation/request.hpp"
#include "simulation/traffic.hpp"

namespace portolan::simulation {

/// Twice the longest context of any model today; more is a mistake in the file.
inline constexpr std::int64_t kMostTokens = 20'000'000;
/// Content ids of generated and hashed texts stand for so many tokens, the common block size.
inline constexpr std::int32_t kRunTokens = 16;

enum class Row : std::uint8_t { kRequest, kSkipped, kEnd };

/// Picoseconds on the trace's own clock, which may count from 1970.
__extension__ using Instant = __int128;

/// Rows of a trace as requests, unordered and unnumbered.
class TraceReader {
 public:
  TraceReader() = default;
  TraceReader(const TraceReader&) = delete;
  TraceReader& operator=(const TraceReader&) = delete;
  virtual ~TraceReader() = default;
  /// Fills all of `request` but index and arrival; its deadline is after arrival.
  virtual Result<Row> read(Request& request, Instant& arrival) = 0;
  /// An error at the row read last.
  [[nodiscard]] virtual std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                         std::string why,
                                                         std::string hint) const = 0;
  [[nodiscard]] virtual std::vector<std::string> assumptions() const { return {}; }
  /// Of chained formats: what follows the request read last, one after the other; `arrival` is the
  /// wait after the answer before.
  [[nodiscard]] std::vector<Request>& rest() { return rest_; }

 protected:
  std::vector<Request> rest_;
};

enum class Field : std::uint8_t {
  kArrival,  // `scale` picoseconds to the unit
  kDate,     // "2023-11-16 18:17:03.9799600", perhaps with T and a zone
  kInput,
  kOutput,
  kIds,       // a list of content ids
  kTokens,    // a list of the prompt's tokens, of which content ids are made
  kIdTokens,  // tokens to a content id
  kModel,
  kClass,
  kConversation,
  kAdapter,
  kDeadline,     // after arrival; `scale` as above
  kDeadlineAt,   // on the trace's clock, 0 = none
  kStatus,       // "error": a request that failed
  kGroup,        // whose system prompt comes before the input
  kGroupTokens,  // its length, not in that of the input
  kNone          // only tells the format
};

struct FieldSpec {
  std::string_view name;
  Field field;
  bool required = true;
  Time scale = kSecond;
};

struct FormatSpec {
  std::string_view name, about;
  bool csv = false;
  std::span<const FieldSpec> fields{};  // of others than tables: those that tell the format
  bool log = true;    // of production: requests of length 0 are failed ones, skipped and counted
  bool timed = true;  // has arrivals
  std::int32_t id_tokens = 0;
  /// How many ids there must be: one for each run of the prompt, the last one perhaps partial;
  /// only for full runs; any number that prompt and reply have room for.
  enum class Ids : std::uint8_t { kAll, kFull, kSome } ids = Ids::kSome;
  bool chained = false;  // conversations whose turns wait for answers
  bool sorted = true;    // rows are in order of arrival, not of the end of requests
  /// Of those that are no table of fields.
  using Make = std::unique_ptr<TraceReader> (*)(io::ByteStream stream, const TraceOptions& options);
  Make make = nullptr;
};

std::unique_ptr<TraceReader> read_dynamo(io::ByteStream stream, const TraceOptions& options);
std::unique_ptr<TraceReader> read_sessions(io::ByteStream stream, const TraceOptions& options);
std::unique_ptr<TraceReader> read_turns(io::ByteStream stream, const TraceOptions& options);
std::unique_ptr<TraceReader> read_agentic(io::ByteStream stream, const TraceOptions& options);
std::unique_ptr<TraceReader> read_sharegpt(io::ByteStream stream, const TraceOptions& options);

/// A trace's requests with whatever arrivals the rows have, or 0; for the lengths alone.
Result<std::unique_ptr<Source>> open_lengths(const TraceOptions& options);

/// All formats, in the order in which `auto` tries them.
std::span<const FormatSpec> formats();
/// Nullptr when there is none of that name.
const FormatSpec* find_format(std::string_view name);
/// The format of a file that begins like this; nullptr when it is none.
const FormatSpec* recognise(std::string_view head);

Result<std::unique_ptr<TraceReader>> read_trace(io::ByteStream stream, const FormatSpec& format,
                                                const TraceOptions& options);
/// Names of the columns of a CSV header.
std::vector<std::string> csv_names(std::string_view line);

/// Number of a name in TraceOptions::models or classes.
Result<std::uint32_t> number_of(const std::map<std::string, std::uint32_t>& numbers,
                                const std::string& name, std::string_view what);
/// Decimal text as picoseconds, exact to the last one; nullopt for what is no number and beyond
/// 1e26.
std::optional<Instant> parse_instant(std::string_view text, Time scale);
/// "2023-11-16 18:17:03.9799600", T instead of the space, Z or ±hh:mm at the end.
std::optional<Instant> parse_date(std::string_view text);
/// Never 0.
std::uint64_t hash_text(std::string_view text);

}  // namespace portolan::simulation
