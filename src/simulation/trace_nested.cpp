// Formats whose rows are more than a table of fields: chains of requests, traces of Dynamo.
#include <algorithm>
#include <string>
#include <utility>

#include "base/random.hpp"
#include "base/text.hpp"
#include "io/json_scanner.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

constexpr Time kMilli = kSecond / 1000, kNano = kSecond / 1'000'000'000;

// Lines of JSON objects, with the checks that all of them need.
class NestedReader : public TraceReader {
 public:
  NestedReader(io::ByteStream stream, const TraceOptions& options)
      : lines_(std::move(stream)), models_(options.models) {}
  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why, std::string hint) const override {
    return lines_.fail_here(code, std::move(message), std::move(why), std::move(hint));
  }

 protected:
  Result<void> finish(io::JsonScanner& json) const {
    if (json.finish()) return {};
    return lines_.fail_here(ErrorCode::kMalformed, json.problem(), {}, {}, json.column());
  }
  [[nodiscard]] std::unexpected<Error> invalid(std::string message, std::string why = {}) const {
    return fail_here(ErrorCode::kInvalidInput, std::move(message), std::move(why), {});
  }
  Result<void> check_length(const char* name, std::int64_t tokens) const {
    if (tokens >= 1 && tokens <= kMostTokens) return {};
    return invalid("\"" + std::string(name) + "\" is " + std::to_string(tokens),
                   "a request has 1 to " + with_commas(kMostTokens) + " tokens of each kind");
  }
  // A time that is not negative; empty text: it was not there.
  Result<Instant> instant(const char* name, std::string_view text, Time scale) const {
    if (text.empty()) return invalid("\"" + std::string(name) + "\" is missing");
    const std::optional<Instant> value = parse_instant(text, scale);
    if (!value || *value < 0) {
      return invalid("\"" + std::string(name) + "\" is no time from 0 on: " + quoted(text));
    }
    return *value;
  }
  static Time capped(Instant wait) { return static_cast<Time>(std::min<Instant>(wait, kLongest)); }
  static void clear(Request& request) {
    request.model = request.slo_class = request.adapter = 0;
    request.conversation = 0;
    request.deadline = kNever;
    request.id_tokens = 0;
    request.ids.clear();
  }

  io::LineReader lines_;
  const std::map<std::string, std::uint32_t> models_;
};

// LLMServingSim: a chain a line, or a request like those of the flat format.
class SessionsReader final : public NestedReader {
 public:
  using NestedReader::NestedReader;

  Result<Row> read(Request& request, Instant& arrival) override {
    std::string_view line;
    if (!PORTOLAN_TRY(lines_.next_text(line))) return Row::kEnd;
    rest_.clear();
    clear(request);
    turns_.clear();
    Turn flat;
    std::string_view key, time;
    std::uint64_t conversation = 0;
    bool chain = false;
    io::JsonScanner json(line);
    for (json.begin_object(); json.next_key(key);) {
      if (key == "arrival_time_ns") {
        time = json.number();
      } else if (key == "session_id") {
        conversation = hash_text(json.skip());
      } else if (key == "sub_requests") {
        chain = true;
        for (json.begin_array(); json.next_element();) {
          turns_.emplace_back();
          std::string_view name;
          for (json.begin_object(); json.next_key(name);) read_field(json, name, turns_.back());
        }
      } else {
        read_field(json, key, flat);
      }
    }
    PORTOLAN_DO(finish(json));
    if (!chain) turns_.push_back(std::move(flat));
    if (turns_.empty()) return invalid("\"sub_requests\" is empty");
    arrival = PORTOLAN_TRY(instant("arrival_time_ns", time, kNano));
    Time wait = 0;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      Turn& turn = turns_[i];
      Request& to = i == 0 ? request : rest_.emplace_back();
      PORTOLAN_DO(check_length("input_toks", turn.input));
      PORTOLAN_DO(check_length("output_toks", turn.output));
      if (!turn.tokens.empty() && static_cast<std::int64_t>(turn.tokens.size()) != turn.input) {
        return invalid("\"input_tok_ids\" has " + std::to_string(turn.tokens.size()) +
                       " tokens, \"input_toks\" is " + std::to_string(turn.input));
      }
      to.input_tokens = turn.input;
      to.output_tokens = turn.output;
      to.conversation = conversation;
      to.arrival = wait;
      name_text(turn, to);
      const std::string_view after = turn.wait.empty() ? "0" : turn.wait;
      wait = capped(PORTOLAN_TRY(instant("tool_duration_ns", after, kNano)));
    }
    return Row::kRequest;
  }

 private:
  struct Turn {
    std::int64_t input = 0, output = 0;
    std::string_view wait;
    std::vector<std::uint64_t> tokens;  // of prompt, then reply
    std::vector<std::uint64_t> reply;
  };
  static void read_field(io::JsonScanner& json, std::string_view name, Turn& turn) {
    if (name == "input_toks") {
      turn.input = json.integer();
    } else if (name == "output_toks") {
      turn.output = json.integer();
    } else if (name == "tool_duration_ns") {
      turn.wait = json.number();
    } else if (name == "input_tok_ids") {
      json.integers(turn.tokens);
    } else if (name == "output_tok_ids") {
      json.integers(turn.reply);
    } else {
      json.skip();
    }
  }
  // Ids of runs of prompt and reply: a later prompt repeats both.
  static void name_text(Turn& turn, Request& to) {
    if (turn.tokens.empty()) return;
    if (static_cast<std::int64_t>(turn.reply.size()) == turn.output) {
      turn.tokens.insert(turn.tokens.end(), turn.reply.begin(), turn.reply.end());
    }
    to.id_tokens = kRunTokens;
    std::uint64_t id = 0;
    for (std::size_t i = 0; i < turn.tokens.size(); ++i) {
      id = mix_bits(id ^ turn.tokens[i]);
      if ((i + 1) % kRunTokens == 0) to.ids.push_back(std::exchange(id, 0));
    }
  }
  std::vector<Turn> turns_;
};

// Applied Compute's agents: each turn's prompt is all text so far.
class AgenticReader final : public NestedReader {
 public:
  using NestedReader::NestedReader;

  Result<Row> read(Request& request, Instant& arrival) override {
    std::string_view line;
    if (!PORTOLAN_TRY(lines_.next_text(line))) return Row::kEnd;
    rest_.clear();
    clear(request);
    std::int64_t turns = 0, prompt = 0, last = 0;
    replies_.clear();
    results_.clear();
    waits_.clear();
    std::string_view key;
    io::JsonScanner json(line);
    for (json.begin_object(); json.next_key(key);) {
      if (key == "num_turns") {
        turns = json.integer();
      } else if (key == "input_prompt_length") {
        prompt = json.integer();
      } else if (key == "final_assistant_response_length") {
        last = json.integer();
      } else if (key == "assistant_response_length") {
        json.integers(replies_);
      } else if (key == "tool_call_output_length") {
        json.integers(results_);
      } else if (key == "tool_call_latency") {
        for (json.begin_array(); json.next_element();) waits_.push_back(json.number());
      } else {
        json.skip();
      }
    }
    PORTOLAN_DO(finish(json));
    const auto count = static_cast<std::size_t>(std::max<std::int64_t>(turns, 0));
    if (replies_.size() != count || results_.size() != count || waits_.size() != count) {
      return invalid("the lists do not have \"num_turns\" = " + std::to_string(turns) +
                     " members each");
    }
    arrival = 0;
    const std::uint64_t own = mix_bits(++sessions_ ^ hash_text("applied-compute"));
    Time wait = 0;
    for (std::size_t i = 0; i <= count; ++i) {
      Request& to = i == 0 ? request : rest_.emplace_back();
      const std::int64_t reply = i == count ? last : tokens(replies_[i]);
      PORTOLAN_DO(check_length(i == 0 ? "input_prompt_length" : "tool_call_output_length", prompt));
      PORTOLAN_DO(check_length(
          i == count ? "final_assistant_response_length" : "assistant_response_length", reply));
      to.input_tokens = prompt;
      to.output_tokens = reply;
      to.conversation = own | 1;
      to.arrival = wait;
      to.id_tokens = kRunTokens;
      const std::int64_t runs = (prompt + reply + kRunTokens - 1) / kRunTokens;
      for (std::int64_t run = 0; run < runs; ++run) {
        to.ids.push_back(mix_bits(own ^ mix_bits(static_cast<std::uint64_t>(run))));
      }
      if (i == count) break;
      prompt += reply + tokens(results_[i]);
      wait = capped(PORTOLAN_TRY(instant("tool_call_latency", waits_[i], kSecond)));
    }
    return Row::kRequest;
  }

 private:
  static std::int64_t tokens(std::uint64_t count) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(count, kMostTokens + 1));
  }
  std::vector<std::uint64_t> replies_, results_;
  std::vector<std::string_view> waits_;
  std::uint64_t sessions_ = 0;
};

// One record a request, written when it ended; others are of tools.
class DynamoReader final : public NestedReader {
 public:
  using NestedReader::NestedReader;

  Result<Row> read(Request& request, Instant& arrival) override {
    std::string_view line;
    while (true) {
      if (!PORTOLAN_TRY(lines_.next_text(line))) return Row::kEnd;
      clear(request);
      record_ = {};
      io::JsonScanner json(line);
      read_record(json, request);
      PORTOLAN_DO(finish(json));
      if (record_.is_request) break;
    }
    if (record_.output == 0) return Row::kSkipped;
    PORTOLAN_DO(check_length("output_tokens", record_.output));
    PORTOLAN_DO(check_length("input_length", record_.input));
    arrival = PORTOLAN_TRY(instant("request_received_ms", record_.received, kMilli));
    request.input_tokens = record_.input;
    request.output_tokens = record_.output;
    if (!request.ids.empty()) {
      const std::int64_t run = record_.block;
      if (run < 1 || run > kMostTokens) {
        return invalid("\"trace_block_size\" is " + std::to_string(run));
      }
      const std::int64_t all = (record_.input + run - 1) / run;
      if (static_cast<std::int64_t>(request.ids.size()) != all) {
        return invalid(
            "\"input_sequence_hashes\" has " + std::to_string(request.ids.size()) + " hashes for " +
                std::to_string(record_.input) + " tokens of input",
            "hashes of " + std::to_string(run) + " tokens must be " + std::to_string(all));
      }
      request.id_tokens = static_cast<std::int32_t>(run);
    }
    Result<std::uint32_t> model = number_of(models_, record_.model, "model");
    if (!model) return invalid(model.error().message, model.error().hint);
    request.model = *model;
    return Row::kRequest;
  }

 private:
  struct Record {
    bool is_request = false;
    std::int64_t input = 0, output = 0, block = 0;
    std::string_view received;
    std::string model;
  };
  void read_record(io::JsonScanner& json, Request& request) {
    std::string_view key, inner;
    for (json.begin_object(); json.next_key(key);) {
      if (key == "event_type") {
        record_.is_request = json.skip() == "\"request_end\"";
      } else if (key == "agent_context" && !json.null()) {
        for (json.begin_object(); json.next_key(inner);) {
          if (inner == "session_id") {
            request.conversation = hash_text(json.skip());
          } else {
            json.skip();
          }
        }
      } else if (key == "request" && !json.null()) {
        for (json.begin_object(); json.next_key(inner);) read_request(json, inner, request);
      } else if (key != "agent_context" && key != "request") {
        json.skip();
      }
    }
  }
  void read_request(io::JsonScanner& json, std::string_view key, Request& request) {
    if (json.null()) return;
    if (key == "request_received_ms") {
      record_.received = json.number();
    } else if (key == "output_tokens") {
      record_.output = json.integer();
    } else if (key == "input_tokens") {
      if (record_.input == 0) {
        record_.input = json.integer();
      } else {
        json.skip();
      }
    } else if (key == "model") {
      json.string(record_.model);
    } else if (key == "replay") {
      std::string_view name;
      for (json.begin_object(); json.next_key(name);) {
        if (name == "trace_block_size") {
          record_.block = json.integer();
        } else if (name == "input_length") {
          record_.input = json.integer();
        } else if (name == "input_sequence_hashes") {
          request.ids.clear();
          json.integers(request.ids);
        } else {
          json.skip();
        }
      }
    } else {
      json.skip();
    }
  }
  Record record_;
};

}  // namespace

std::unique_ptr<TraceReader> read_dynamo(io::ByteStream stream, const TraceOptions& options) {
  return std::make_unique<DynamoReader>(std::move(stream), options);
}
std::unique_ptr<TraceReader> read_sessions(io::ByteStream stream, const TraceOptions& options) {
  return std::make_unique<SessionsReader>(std::move(stream), options);
}
std::unique_ptr<TraceReader> read_agentic(io::ByteStream stream, const TraceOptions& options) {
  return std::make_unique<AgenticReader>(std::move(stream), options);
}

}  // namespace portolan::simulation
