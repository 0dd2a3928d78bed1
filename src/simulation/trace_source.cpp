// Opens a trace: finds out its format, checks the order of its rows, applies what is to be changed.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/byte_stream.hpp"
#include "simulation/trace_change.hpp"
#include "simulation/trace_reader.hpp"
#include "simulation/trace_servegen.hpp"

namespace portolan::simulation {
namespace {

using OpenStream = std::function<Result<io::ByteStream>()>;

constexpr std::string_view kServeGen = "servegen";
constexpr std::size_t kSortRows = 65'536, kSortIds = 4'000'000;

// Rows in order on a clock that starts near 0. With `timed` unset arrivals do not matter.
class RowSource final : public Source {
 public:
  RowSource(std::unique_ptr<TraceReader> reader, const FormatSpec& format, bool timed, bool sort)
      : reader_(std::move(reader)), timed_(timed), sort_(sort), chained_(format.chained) {}

  Result<bool> next(Request& request) override {
    if (!sort_) {
      if (!PORTOLAN_TRY(read(request))) return false;
      if (request.arrival < last_) {
        return reader_->fail_here(
            ErrorCode::kInvalidInput,
            "the request arrives " + significant(to_seconds(last_ - request.arrival), 4) +
                " s before the one above it",
            "a trace is read as it goes, in order of arrival",
            "--sort puts rows that are less than 65,536 from their place there");
      }
      last_ = request.arrival;
      return true;
    }
    while (!ended_ && (heap_.size() < kSortRows && held_ids_ < kSortIds)) {
      heap_.emplace_back();
      const Result<bool> got = read(heap_.back());
      if (!got || !*got) heap_.pop_back();
      if (!got) return std::unexpected(got.error());
      if (!*got) {
        ended_ = true;
        break;
      }
      if (origin_ && heap_.back().arrival < last_) {
        return reader_->fail_here(ErrorCode::kInvalidInput,
                                  "the request arrives before requests more than " +
                                      std::to_string(heap_.size() - 1) + " rows above it",
                                  "rows are sorted within 65,536 rows and 4 million content ids",
                                  "sort the file by arrival");
      }
      held_ids_ += heap_.back().ids.size();
      std::ranges::push_heap(heap_, after);
    }
    if (heap_.empty()) return false;
    std::ranges::pop_heap(heap_, after);
    std::swap(request, heap_.back());
    heap_.pop_back();
    held_ids_ -= request.ids.size();
    last_ = request.arrival;
    // The first in order may lie before the first row, where the clock of dates starts.
    if (!origin_) origin_ = std::min<Time>(last_, 0);
    request.arrival -= *origin_;
    return true;
  }
  [[nodiscard]] bool reactive() const override { return chained_; }
  Result<bool> completed(const Outcome& outcome, Time at, Request& follow_up) override {
    const auto found = chains_.find(outcome.index);
    if (found == chains_.end()) return false;
    const bool answered = outcome.status == Status::kCompleted || outcome.status == Status::kHosted;
    const Time wait = found->second.back().arrival;
    const bool goes_on = answered && wait < kLongest - at;
    if (goes_on) {
      follow_up = std::move(found->second.back());
      follow_up.arrival = at + wait;
      follow_up.index = outcome.index;
      found->second.pop_back();
    }
    if (!goes_on || found->second.empty()) chains_.erase(found);
    return goes_on;
  }
  [[nodiscard]] std::uint64_t skipped() const override { return skipped_; }
  [[nodiscard]] std::vector<std::string> assumptions() const override {
    return reader_->assumptions();
  }

 private:
  static bool after(const Request& a, const Request& b) {
    return a.arrival != b.arrival ? a.arrival > b.arrival : a.index > b.index;
  }

  Result<bool> read(Request& request) {
    Instant arrival = 0;
    while (true) {
      const Row row = PORTOLAN_TRY(reader_->read(request, arrival));
      if (row == Row::kSkipped) {
        ++skipped_;
        continue;
      }
      if (row == Row::kEnd) {
        if (rows_ > 0) return false;
        return reader_->fail_here(ErrorCode::kInvalidInput, "there is no request in the trace",
                                  skipped_ > 0 ? with_commas(static_cast<std::int64_t>(skipped_)) +
                                                     " rows are of requests that failed"
                                               : "",
                                  {});
      }
      break;
    }
    constexpr Instant kTenDays = Instant{10} * 86'400 * kSecond;
    if (rows_ == 0 && arrival > kTenDays) base_ = arrival;
    arrival -= base_;
    if (timed_ && arrival >= kLongest) {
      return reader_->fail_here(ErrorCode::kLimit, "the request arrives after more than 100 days",
                                "the longest time that is simulated",
                                "--to 8640000 to end the trace there");
    }
    // Of rows out of order, some may lie before the first.
    request.arrival = !timed_ ? 0 : static_cast<Time>(std::max<Instant>(arrival, -kLongest));
    request.index = rows_++;
    if (chained_ && !reader_->rest().empty()) {
      std::ranges::reverse(reader_->rest());
      chains_.emplace(request.index, std::move(reader_->rest()));
    }
    return true;
  }

  std::unique_ptr<TraceReader> reader_;
  bool timed_, sort_, chained_, ended_ = false;
  Instant base_ = 0;
  Time last_ = 0;
  std::optional<Time> origin_;
  std::uint64_t rows_ = 0, skipped_ = 0;
  std::vector<Request> heap_;
  std::size_t held_ids_ = 0;
  /// What follows requests under way, the next one last; never iterated.
  std::unordered_map<std::uint64_t, std::vector<Request>> chains_;
};

Error usage(std::string message, std::string hint = {}) {
  return Error{.code = ErrorCode::kUsage,
               .message = std::move(message),
               .where = {},
               .why = {},
               .hint = std::move(hint),
               .also = {}};
}

std::string format_names() {
  std::string names = "auto";
  for (const TraceFormat& format : trace_formats()) names += ", " + std::string(format.name);
  return names;
}

Result<void> check(const TraceOptions& options) {
  const auto bad = [](const char* what, double value, const char* why) {
    return std::unexpected(usage(std::string(what) + " of " + shortest(value) + ' ' + why));
  };
  constexpr double kLongestSeconds = 8'640'000;
  if (!(options.from_seconds >= 0 && options.from_seconds <= kLongestSeconds)) {
    return bad("a start", options.from_seconds, "s is not in 0 to 8,640,000 s");
  }
  if (options.to_seconds && !(*options.to_seconds > options.from_seconds)) {
    return bad("an end", *options.to_seconds, "s is not after the start");
  }
  if (!(options.spread_seconds >= 0 && options.spread_seconds <= 3600)) {
    return bad("a spread", options.spread_seconds, "s is not in 0 to 3,600 s");
  }
  if (!(options.speed >= 1e-6 && options.speed <= 1e6)) {
    return bad("a speed", options.speed, "is not in 0.000001 to 1,000,000");
  }
  if (!(options.rate_scale > 0 && options.rate_scale <= kMostScale)) {
    return bad("a rate scale", options.rate_scale, "is not above 0 and at most 10,000");
  }
  if (!(options.copy_spread_seconds >= 0 && options.copy_spread_seconds <= 3600)) {
    return bad("a spread of copies", options.copy_spread_seconds, "s is not in 0 to 3,600 s");
  }
  for (const RateShape& shape : options.shapes) PORTOLAN_DO(check_shape(shape));
  if (options.stop_seconds && !(*options.stop_seconds > 0)) {
    return bad("an end", *options.stop_seconds, "s is not after the start");
  }
  if (options.loops < 0) {
    return bad("a number of loops", static_cast<double>(options.loops), "is below 0");
  }
  if (options.hash_tokens < 1) {
    return bad("a hash size", options.hash_tokens, "tokens is below 1");
  }
  if (!(options.characters_per_token >= 0.1 && options.characters_per_token <= 100)) {
    return bad("a ratio", options.characters_per_token,
               "characters per token is not in 0.1 to 100");
  }
  return {};
}

// The format and whether it has arrivals.
Result<SourcePtr> open_rows(const OpenStream& open, const TraceOptions& options,
                            bool need_arrivals) {
  const bool folder = options.path != "-" && is_directory(options.path);
  if (options.format == kServeGen || (options.format == "auto" && folder)) {
    return open_servegen(options);
  }
  io::ByteStream stream = PORTOLAN_TRY(open());
  const FormatSpec* format = find_format(options.format);
  if (format == nullptr && options.format != "auto") {
    std::vector<std::string_view> names;
    for (const TraceFormat& each : trace_formats()) names.push_back(each.name);
    std::string hint = did_you_mean(options.format, names);
    return std::unexpected(usage("the trace format " + quoted(options.format) + " is not known",
                                 hint.empty() ? format_names() : std::move(hint)));
  }
  if (format == nullptr) {
    constexpr std::size_t kHead = 1u << 16;
    Result<std::string_view> start = stream.head(kHead);
    if (!start) {
      start.error().where.line = 1;
      return std::unexpected(std::move(start).error());
    }
    std::string_view head = *start;
    if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
    head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
    format = recognise(head);
    if (format == nullptr) {
      return std::unexpected(Error{
          .code = ErrorCode::kInvalidInput,
          .message = head.empty() ? "the trace is empty" : "the format of the trace is not known",
          .where = {.file = options.path, .line = 1, .pointer = {}, .argument = {}, .offset = {}},
          .why = head.empty() ? ""
                              : "its first line begins " + quoted(head.substr(0, head.find('\n'))),
          .hint = head.empty() ? "" : "--trace-format with one of: " + format_names(),
          .also = {}});
    }
  }
  if (need_arrivals && !format->timed) {
    return std::unexpected(
        Error{.code = ErrorCode::kInvalidInput,
              .message = "a trace of the format " + std::string(format->name) + " has no arrivals",
              .where = {.file = options.path, .pointer = {}, .argument = {}, .offset = {}},
              .why = {},
              .hint = "give it some, for example --arrival poisson --rate 2",
              .also = {}});
  }
  if (format->chained &&
      (options.rate_scale > 1 || !options.shapes.empty() || options.loops != 1)) {
    return std::unexpected(usage("conversations that wait for answers cannot be " +
                                     std::string(options.loops != 1 ? "looped" : "multiplied"),
                                 "a rate scale of at most 1, no shapes, no loop"));
  }
  auto reader = PORTOLAN_TRY(read_trace(std::move(stream), *format, options));
  return std::make_unique<RowSource>(std::move(reader), *format, need_arrivals,
                                     need_arrivals && (options.sort || !format->sorted));
}

Result<SourcePtr> open_changed(OpenStream open, const TraceOptions& options, bool timed) {
  PORTOLAN_DO(check(options));
  const auto pass = [open = std::move(open), options, timed]() -> Result<SourcePtr> {
    SourcePtr source = PORTOLAN_TRY(open_rows(open, options, timed));
    if (!timed) return source;
    if (options.from_seconds > 0 || options.to_seconds) {
      source = window(std::move(source), from_seconds(options.from_seconds),
                      options.to_seconds ? from_seconds(*options.to_seconds) : kNever);
    }
    if (options.spread_seconds > 0) {
      source = spread(std::move(source), from_seconds(options.spread_seconds), options.seed);
    }
    if (options.speed != 1) source = faster(std::move(source), options.speed);
    return source;
  };
  // Opened at once, so that what is wrong with the file's beginning is said at once.
  SourcePtr first = PORTOLAN_TRY(pass());
  if (options.loops != 1) {
    if (options.path == "-") {
      return std::unexpected(usage("standard input cannot be looped", "write it to a file first"));
    }
    auto kept = std::make_shared<SourcePtr>(std::move(first));
    first = loop(
        [pass, kept]() -> Result<SourcePtr> {
          if (*kept) return std::move(*kept);
          return pass();
        },
        options.loops);
  }
  if (timed && (options.rate_scale != 1 || !options.shapes.empty())) {
    first = scale_rate(std::move(first), RateCurve(options.rate_scale, options.shapes),
                       from_seconds(options.copy_spread_seconds), options.seed);
  }
  if (timed && options.stop_seconds) {
    first = window(std::move(first), 0, from_seconds(*options.stop_seconds));
  }
  return number(std::move(first), options.limit);
}

OpenStream stream_of(const std::string& path) {
  return [path] { return io::ByteStream::open(path); };
}

}  // namespace

const std::vector<TraceFormat>& trace_formats() {
  static const std::vector<TraceFormat> names = [] {
    std::vector<TraceFormat> all;
    for (const FormatSpec& format : simulation::formats())
      all.push_back({format.name, format.about});
    all.push_back({kServeGen, "a folder of clients: chunk-N-trace.csv and chunk-N-dataset.json"});
    return all;
  }();
  return names;
}

Result<std::unique_ptr<Source>> open_trace(const TraceOptions& options) {
  return open_changed(stream_of(options.path), options, true);
}

Result<std::unique_ptr<Source>> open_trace_text(std::string text, const TraceOptions& options) {
  return open_changed(
      [text = std::move(text), name = options.path]() -> Result<io::ByteStream> {
        return io::ByteStream::of(text, name);
      },
      options, true);
}

Result<std::unique_ptr<Source>> open_lengths(const TraceOptions& options) {
  return open_changed(stream_of(options.path), options, false);
}

}  // namespace portolan::simulation
