// Generates requests: streams of conversations side by side, each by its own law.
#include <algorithm>
#include <cmath>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/text.hpp"
#include "simulation/draws.hpp"
#include "simulation/trace_reader.hpp"
#include "simulation/traffic.hpp"

namespace portolan::simulation {
namespace {

enum Purpose : std::uint64_t {
  kGap = 0x6761'7073,
  kInput,
  kOutput,
  kTurns,
  kThink,
  kWho,
  kRecurs,
  kText
};

// A conversation between two of its turns.
struct Session {
  std::size_t stream = 0;
  std::uint64_t number = 0;  // in its stream
  std::int64_t turn = 0, turns = 1;
  std::int64_t text = 0;  // tokens so far, the reply to come included
  std::uint64_t row = 0;  // of the trace that lengths come from
};

struct StreamState {
  Stream spec;
  std::uint64_t seed = 0;
  Sampler input, output, turns;
  Gaps gaps;
  RateCurve rate;
  bool several_turns = false;
  std::uint64_t begun = 0;  // conversations
  std::int64_t users = 0;   // of closed streams: how many have come
  double next = 0;          // start of the next conversation; only of open streams

  [[nodiscard]] bool closed() const { return spec.arrival == Stream::Arrival::kClosed; }
  [[nodiscard]] bool exhausted() const { return spec.requests && begun >= *spec.requests; }
  [[nodiscard]] RandomStream draws(std::uint64_t purpose, std::uint64_t entity) const {
    return {seed, purpose, entity};
  }
};

Gaps gaps_of(const Stream& spec) {
  using Arrival = Stream::Arrival;
  switch (spec.arrival) {
    case Arrival::kGamma:
      return {Gaps::Law::kGamma, spec.cv};
    case Arrival::kWeibull:
      return {Gaps::Law::kWeibull, spec.cv};
    case Arrival::kConstant:
      return {Gaps::Law::kConstant, 0};
    default:
      return {};
  }
}

class Traffic final : public Source {
 public:
  Traffic(const TrafficSpec& spec, std::unique_ptr<Source> rows)
      : limit_(spec.limit), rows_(std::move(rows)), reactive_(rows_ && rows_->reactive()) {
    for (std::size_t i = 0; i < spec.streams.size(); ++i) {
      const Stream& stream = spec.streams[i];
      StreamState state;
      state.spec = stream;
      state.seed = mix_bits(spec.seed ^ mix_bits(i));
      state.input = Sampler(stream.input);
      state.output = Sampler(stream.output);
      state.turns = Sampler(stream.turns);
      state.gaps = gaps_of(stream);
      state.rate = RateCurve(stream.rate, stream.shapes);
      state.several_turns =
          !(stream.turns.kind == Lengths::Kind::kConstant && stream.turns.mean < 1.5);
      reactive_ = reactive_ || state.several_turns || state.closed();
      state.next = stream.start_seconds;
      streams_.push_back(std::move(state));
      StreamState& added = streams_.back();
      const bool open = stream.arrival != Stream::Arrival::kBatch && !added.closed();
      if (!open || advance(added)) starts_.push({added.next, i});
    }
  }

  Result<bool> next(Request& request) override {
    while (!starts_.empty() && !full()) {
      const auto [start, which] = starts_.top();
      StreamState& stream = streams_[which];
      Session session{.stream = which};
      if (!PORTOLAN_TRY(begin(stream, session, from_seconds(start), request))) {
        starts_.pop();
        continue;
      }
      starts_.pop();
      switch (stream.spec.arrival) {
        case Stream::Arrival::kBatch:
          if (!stream.exhausted()) starts_.push({start, which});
          break;
        case Stream::Arrival::kClosed:
          if (!stream.exhausted() && ++stream.users < stream.spec.concurrency) {
            starts_.push({start, which});
          }
          break;
        default:
          if (!stream.exhausted() && advance(stream)) starts_.push({stream.next, which});
      }
      return true;
    }
    return false;
  }

  [[nodiscard]] bool reactive() const override { return reactive_; }

  Result<bool> completed(const Outcome& outcome, Time at, Request& follow_up) override {
    const auto found = sessions_.find(outcome.index);
    if (found == sessions_.end()) return false;
    Session session = found->second;
    sessions_.erase(found);
    if (full()) return false;
    StreamState& stream = streams_[session.stream];
    if (rows_ && rows_->reactive()) {
      Outcome of_row = outcome;
      of_row.index = session.row;
      if (PORTOLAN_TRY(rows_->completed(of_row, at, follow_up))) {
        session.row = follow_up.index;
        hand_out(session, follow_up);
        return true;
      }
    }
    const bool answered = outcome.status == Status::kCompleted || outcome.status == Status::kHosted;
    if (answered && session.turn + 1 < session.turns && session.text < kMostTokens / 2) {
      const Time wait = think(stream, session);
      if (wait >= kLongest - at) return false;
      ++session.turn;
      fill(stream, session, at + wait, follow_up);
      return true;
    }
    // A user whose request cannot be served at all does not come back: nothing would ever happen
    // between two tries.
    if (!stream.closed() || stream.exhausted() || outcome.status == Status::kRejected) return false;
    Session another{.stream = session.stream};
    const Time wait =
        think(stream, Session{.stream = session.stream, .number = stream.begun, .turn = -1});
    if (wait >= kLongest - at) return false;
    const Time start = at + wait;
    if (stream.spec.stop_seconds && start >= from_seconds(*stream.spec.stop_seconds)) return false;
    return begin(stream, another, start, follow_up);
  }

  [[nodiscard]] std::optional<std::uint64_t> count() const override {
    std::uint64_t sum = 0;
    for (const StreamState& stream : streams_) {
      if (!stream.spec.requests || stream.several_turns || stream.spec.stop_seconds || rows_) {
        return limit_;
      }
      sum += *stream.spec.requests;
    }
    return std::min(sum, limit_.value_or(sum));
  }
  [[nodiscard]] std::uint64_t skipped() const override { return rows_ ? rows_->skipped() : 0; }
  [[nodiscard]] std::vector<std::string> assumptions() const override {
    return rows_ ? rows_->assumptions() : std::vector<std::string>();
  }

 private:
  struct Start {
    double time;
    std::size_t stream;
    bool operator>(const Start& other) const {
      return time != other.time ? time > other.time : stream > other.stream;
    }
  };

  [[nodiscard]] bool full() const { return limit_ && given_ >= *limit_; }

  // Moves an open stream to its next start; false when there is none.
  static bool advance(StreamState& stream) {
    const double gap = stream.gaps.draw(stream.draws(kGap, 0), stream.begun);
    const std::optional<double> next = stream.rate.after(stream.next, gap);
    if (!next || (stream.spec.stop_seconds && *next >= *stream.spec.stop_seconds)) return false;
    stream.next = *next;
    return true;
  }

  static Time after(Time at, Time wait) { return wait < kNever - at ? at + wait : kNever; }

  static Time think(const StreamState& stream, const Session& session) {
    if (stream.spec.think_seconds <= 0) return 0;
    const auto turn = static_cast<std::uint64_t>(session.turn + 1);
    const double mean = stream.spec.think_seconds;
    return from_seconds(mean * stream.draws(kThink, session.number).exponential(turn));
  }

  // False: the rows that lengths come from have ended.
  Result<bool> begin(StreamState& stream, Session& session, Time at, Request& request) {
    session.number = stream.begun;
    if (rows_) {
      if (!PORTOLAN_TRY(rows_->next(request))) return false;
      ++stream.begun;
      request.arrival = at;
      if (request.deadline != kNever) request.deadline = after(at, request.deadline);
      session.row = request.index;
      hand_out(session, request);
      return true;
    }
    ++stream.begun;
    session.turns =
        stream.several_turns ? stream.turns.draw(stream.draws(kTurns, session.number), 0) : 1;
    fill(stream, session, at, request);
    return true;
  }

  void fill(const StreamState& stream, Session& session, Time at, Request& request) {
    const Stream& spec = stream.spec;
    const auto turn = static_cast<std::uint64_t>(session.turn);
    request.arrival = at;
    request.model = spec.model;
    request.slo_class = spec.slo_class;
    request.adapter = spec.adapter;
    request.deadline = kNever;
    if (spec.deadline_seconds) {
      request.deadline = after(at, from_seconds(*spec.deadline_seconds));
    }
    request.conversation = 0;
    request.id_tokens = 0;
    request.ids.clear();
    request.output_tokens = stream.output.draw(stream.draws(kOutput, session.number), turn);
    std::int64_t fresh = stream.input.draw(stream.draws(kInput, session.number), turn);

    std::int64_t system = 0;
    std::uint64_t group = 0;
    std::uint64_t own = stream.draws(kText, session.number).bits(0);
    bool all_named = stream.several_turns;
    if (spec.prefix) {
      const RandomStream who = stream.draws(kWho, session.number);
      const auto users = static_cast<std::uint64_t>(spec.prefix->users);
      group = who.below(0, static_cast<std::uint64_t>(spec.prefix->groups));
      const std::uint64_t user = group * users + who.below(1, users);
      request.conversation = stream.draws(kWho, user).bits(2) | 1;
      system = spec.prefix->system_tokens;
      if (stream.draws(kRecurs, session.number).uniform(0) < spec.prefix->recurring) {
        // The user's standing question. Entities of users count down, those of sessions up.
        fresh = stream.input.draw(stream.draws(kInput, ~user), 0);
        own = stream.draws(kText, ~user).bits(0);
        all_named = true;
      }
    }
    if (stream.several_turns) request.conversation = own | 1;
    if (session.turn == 0) session.text = system;
    request.input_tokens = session.text + fresh;
    session.text = request.input_tokens + request.output_tokens;

    const std::int64_t named =
        all_named ? (session.text + kRunTokens - 1) / kRunTokens : system / kRunTokens;
    if (named > 0) {
      request.id_tokens = kRunTokens;
      const std::uint64_t shared = stream.draws(kText, 0).bits(group + 1);
      for (std::int64_t run = 0; run < named; ++run) {
        const bool of_system = (run + 1) * kRunTokens <= system;
        request.ids.push_back(
            mix_bits((of_system ? shared : own) ^ mix_bits(static_cast<std::uint64_t>(run))));
      }
    }
    hand_out(session, request);
  }

  void hand_out(const Session& session, Request& request) {
    request.index = given_++;
    if (reactive_) sessions_.emplace(request.index, session);
  }

  std::vector<StreamState> streams_;
  std::priority_queue<Start, std::vector<Start>, std::greater<>> starts_;
  std::optional<std::uint64_t> limit_;
  std::unique_ptr<Source> rows_;
  std::uint64_t given_ = 0;
  bool reactive_;
  std::unordered_map<std::uint64_t, Session> sessions_;  // by request under way; never iterated
};

std::unexpected<Error> bad(const std::string& what, double value, const char* why,
                           std::string hint = {}) {
  return fail(ErrorCode::kUsage, what + " is " + shortest(value) + ", not " + why, std::move(hint));
}

Result<void> check_stream(const Stream& stream, bool lengths_given) {
  using Arrival = Stream::Arrival;
  constexpr double kLongestSeconds = 8'640'000;
  const bool open = stream.arrival != Arrival::kBatch && stream.arrival != Arrival::kClosed;
  if (open && !(stream.rate > 0 && stream.rate <= 1e9)) {
    return bad("the arrival rate", stream.rate, "above 0 and at most 1e9 requests per second");
  }
  if ((stream.arrival == Arrival::kGamma || stream.arrival == Arrival::kWeibull) &&
      !(stream.cv >= 0 && stream.cv <= kMostCv)) {
    return bad("the coefficient of variation of arrivals", stream.cv, "in 0 to 100");
  }
  for (const RateShape& shape : stream.shapes) PORTOLAN_DO(check_shape(shape));
  if (!(stream.start_seconds >= 0 && stream.start_seconds < kLongestSeconds)) {
    return bad("the start of the traffic", stream.start_seconds, "in 0 to 8,640,000 s");
  }
  if (stream.stop_seconds && !(*stream.stop_seconds > stream.start_seconds)) {
    return bad("the end of the traffic", *stream.stop_seconds, "after its start");
  }
  if (!(stream.think_seconds >= 0 && stream.think_seconds <= kLongestSeconds)) {
    return bad("the think time", stream.think_seconds, "in 0 to 8,640,000 s");
  }
  if (stream.deadline_seconds && !(*stream.deadline_seconds > 0)) {
    return bad("the deadline", *stream.deadline_seconds, "above 0 s");
  }
  if (stream.arrival == Arrival::kClosed && stream.concurrency < 1) {
    return bad("the number of users", static_cast<double>(stream.concurrency), "at least 1");
  }
  if (stream.requests && *stream.requests == 0)
    return bad("the number of requests", 0, "at least 1");
  if (!lengths_given) {
    PORTOLAN_DO(check_lengths(stream.input, "input tokens"));
    PORTOLAN_DO(check_lengths(stream.output, "output tokens"));
    PORTOLAN_DO(check_lengths(stream.turns, "turns"));
  }
  if (stream.prefix) {
    const SharedPrefix& prefix = *stream.prefix;
    constexpr std::int64_t kMostOf = 1'000'000'000;
    const auto whole = [](std::int64_t value) { return static_cast<double>(value); };
    if (prefix.groups < 1 || prefix.groups > kMostOf) {
      return bad("the number of prefix groups", whole(prefix.groups), "in 1 to 1e9");
    }
    if (prefix.users < 1 || prefix.users > kMostOf) {
      return bad("the number of users of a prefix", whole(prefix.users), "in 1 to 1e9");
    }
    if (prefix.system_tokens < 0 || prefix.system_tokens > kMostTokens) {
      return bad("the length of a system prompt", whole(prefix.system_tokens),
                 "in 0 to 20,000,000 tokens");
    }
    if (!(prefix.recurring >= 0 && prefix.recurring <= 1)) {
      return bad("the share of recurring questions", prefix.recurring, "in 0 to 1");
    }
    if (prefix.recurring > 0 &&
        (stream.turns.mean > 1.5 || stream.turns.kind != Lengths::Kind::kConstant)) {
      return fail(ErrorCode::kUsage,
                  "conversations of several turns cannot have recurring questions",
                  "one turn, or no recurrence");
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Source>> make_traffic(const TrafficSpec& spec) {
  if (spec.streams.empty()) return fail(ErrorCode::kUsage, "the traffic has no stream");
  if (spec.limit && *spec.limit == 0) return bad("the number of requests", 0, "at least 1");
  for (const Stream& stream : spec.streams) {
    PORTOLAN_DO(check_stream(stream, spec.lengths_from.has_value()));
    const bool timed =
        stream.arrival != Stream::Arrival::kBatch && stream.arrival != Stream::Arrival::kClosed;
    const bool ends = spec.limit || stream.requests || (timed && stream.stop_seconds);
    const bool rows_end = spec.lengths_from && spec.lengths_from->loops != 0;
    if (!ends && !rows_end) {
      return fail(ErrorCode::kUsage, "nothing ends the traffic",
                  timed ? "--requests, or a time at which it stops" : "--requests");
    }
  }
  std::unique_ptr<Source> rows;
  if (spec.lengths_from) {
    if (spec.streams.size() != 1 || spec.streams.front().turns.mean > 1.5) {
      return fail(ErrorCode::kUsage, "lengths from a trace need exactly one stream of one turn");
    }
    rows = PORTOLAN_TRY(open_lengths(*spec.lengths_from));
  }
  return std::make_unique<Traffic>(spec, std::move(rows));
}

}  // namespace portolan::simulation
