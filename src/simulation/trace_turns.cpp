// Mooncake's rows with sessions, as Dynamo replays them: a row waits for the answer to the one
// before it in its session, then for its delay. Rows of a session may lie anywhere in the file, so
// that all of it is held.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "io/json_scanner.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

constexpr Time kMilli = kSecond / 1000;
constexpr std::size_t kMostRows = 2'000'000, kMostIds = 200'000'000;

class TurnsReader final : public TraceReader {
 public:
  TurnsReader(io::ByteStream stream, const TraceOptions& options)
      : lines_(std::move(stream)), id_tokens_(options.hash_tokens) {}

  Result<Row> read(Request& request, Instant& arrival) override {
    if (!loaded_) {
      PORTOLAN_DO(load());
      loaded_ = true;
    }
    rest_.clear();
    if (next_ == sessions_.size()) return Row::kEnd;
    Session& session = sessions_[next_++];
    arrival = session.arrival;
    request = std::move(session.turns.front());
    for (std::size_t i = 1; i < session.turns.size(); ++i) {
      rest_.push_back(std::move(session.turns[i]));
    }
    session.turns = {};
    return Row::kRequest;
  }
  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why, std::string hint) const override {
    return lines_.fail_here(code, std::move(message), std::move(why), std::move(hint));
  }

 private:
  struct Session {
    Instant arrival = 0, last = 0;  // of its first row; of its last one with a time
    std::vector<Request> turns;
  };
  struct Fields {
    std::int64_t input = 0, output = 0;
    std::string_view time, delay, session;
    std::vector<std::uint64_t> ids;
    bool has_ids = false;
  };

  [[nodiscard]] std::unexpected<Error> invalid(std::string message, std::string why = {}) const {
    return fail_here(ErrorCode::kInvalidInput, std::move(message), std::move(why), {});
  }

  Result<void> load() {
    std::string_view line;
    std::unordered_map<std::uint64_t, std::size_t> known;  // sessions by name; never iterated
    std::size_t rows = 0, ids = 0;
    while (PORTOLAN_TRY(lines_.next_text(line))) {
      const Fields fields = PORTOLAN_TRY(parse(line));
      ids += fields.ids.size();
      if (++rows > kMostRows || ids > kMostIds) {
        return fail_here(ErrorCode::kLimit, "the trace has too many rows to be held",
                         "2,000,000 rows and 200 million content ids of sessions are",
                         "--trace-format mooncake takes the times of all rows as arrivals");
      }
      const std::uint64_t name = fields.session.empty() ? 0 : hash_text(fields.session);
      std::size_t which = sessions_.size();
      if (name != 0) which = known.try_emplace(name, which).first->second;
      if (which == sessions_.size()) sessions_.emplace_back();
      PORTOLAN_DO(add(sessions_[which], fields, name));
    }
    std::ranges::stable_sort(sessions_, {}, &Session::arrival);
    return {};
  }

  Result<Fields> parse(std::string_view line) {
    Fields fields;
    io::JsonScanner json(line);
    std::string_view key;
    for (json.begin_object(); json.next_key(key);) {
      if (json.null()) continue;
      if (key == "timestamp" || key == "created_time") {
        fields.time = json.number();
      } else if (key == "delay" || key == "delay_ms") {
        fields.delay = json.number();
      } else if (key == "input_length" || key == "input_tokens") {
        fields.input = json.integer();
      } else if (key == "output_length" || key == "output_tokens") {
        fields.output = json.integer();
      } else if (key == "session_id") {
        fields.session = json.skip();
      } else if (key == "hash_ids") {
        fields.has_ids = true;
        json.integers(fields.ids);
      } else {
        json.skip();
      }
    }
    if (!json.finish()) {
      return lines_.fail_here(ErrorCode::kMalformed, json.problem(), {}, {}, json.column());
    }
    for (const auto& [name, tokens] :
         {std::pair{"input_length", fields.input}, std::pair{"output_length", fields.output}}) {
      if (tokens < 1 || tokens > kMostTokens) {
        return invalid("\"" + std::string(name) + "\" is " + std::to_string(tokens),
                       "a request has 1 to " + with_commas(kMostTokens) + " tokens of each kind");
      }
    }
    const std::int64_t all = (fields.input + id_tokens_ - 1) / id_tokens_;
    if (fields.has_ids && static_cast<std::int64_t>(fields.ids.size()) != all) {
      return invalid("\"hash_ids\" has " + std::to_string(fields.ids.size()) + " ids for " +
                         with_commas(fields.input) + " tokens of input",
                     "ids of " + with_commas(id_tokens_) + " tokens must be " + with_commas(all));
    }
    return fields;
  }

  Result<Instant> instant(const char* name, std::string_view text) const {
    const std::optional<Instant> value = parse_instant(text, kMilli);
    if (value && *value >= 0) return *value;
    return invalid("\"" + std::string(name) + "\" is no time from 0 on: " + quoted(text));
  }

  Result<void> add(Session& session, const Fields& fields, std::uint64_t name) const {
    const bool first = session.turns.empty();
    Instant wait = 0;
    if (!fields.time.empty()) {
      const Instant time = PORTOLAN_TRY(instant("timestamp", fields.time));
      if (first) session.arrival = session.last = time;
      if (time < session.last)
        return invalid("the row lies before the one before it in its session");
      wait = time - session.last;
      session.last = time;
    } else if (first) {
      return invalid("\"timestamp\" is missing in the first row of a session");
    }
    if (!fields.delay.empty()) wait = PORTOLAN_TRY(instant("delay", fields.delay));
    Request& request = session.turns.emplace_back();
    request.arrival = first ? 0 : static_cast<Time>(std::min<Instant>(wait, kLongest));
    request.input_tokens = fields.input;
    request.output_tokens = fields.output;
    request.conversation = name;
    request.id_tokens = fields.has_ids ? id_tokens_ : 0;
    request.ids = fields.ids;
    return {};
  }

  io::LineReader lines_;
  std::int32_t id_tokens_;
  std::vector<Session> sessions_;
  std::size_t next_ = 0;
  bool loaded_ = false;
};

}  // namespace

std::unique_ptr<TraceReader> read_turns(io::ByteStream stream, const TraceOptions& options) {
  return std::make_unique<TurnsReader>(std::move(stream), options);
}

}  // namespace portolan::simulation
