// ShareGPT: one long JSON list of conversations as text, read object by object.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "io/json_scanner.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

// The objects of a list, one by one, from a text of which only one is held at a time.
class ObjectReader {
 public:
  explicit ObjectReader(io::ByteStream stream) : stream_(std::move(stream)), buffer_(kChunk) {}

  // False at the end of the list.
  Result<bool> next(std::string& object) {
    object.clear();
    int depth = 0;
    bool in_string = false, escaped = false;
    while (true) {
      if (at_ == end_) {
        end_ = PORTOLAN_TRY(placed(stream_.read(buffer_.data(), buffer_.size())));
        at_ = 0;
        if (end_ == 0) {
          if (closed_) return false;
          return fail_here(ErrorCode::kMalformed, "the list does not end", {}, {});
        }
      }
      const char c = buffer_[at_++];
      if (c == '\n') ++line_;
      if (depth > 0) {
        object += c;
        if (object.size() > io::LineReader::kMostLineBytes) {
          return fail_here(ErrorCode::kLimit, "a conversation is longer than the limit of 64 MiB",
                           {}, {});
        }
        if (in_string) {
          in_string = escaped || c != '"';
          escaped = !escaped && c == '\\';
        } else if (c == '"') {
          in_string = true;
        } else if (c == '{' || c == '[') {
          ++depth;
        } else if (c == '}' || c == ']') {
          if (--depth == 0) return true;
        }
        continue;
      }
      if (std::string_view(" \t\r\n").find(c) != std::string_view::npos) continue;
      const bool mark =
          !opened_ && std::string_view("\xEF\xBB\xBF").find(c) != std::string_view::npos;
      if (mark) continue;
      if (!opened_ && c == '[') {
        opened_ = true;
      } else if (opened_ && !closed_ && c == '{') {
        depth = 1;
        object += c;
        object_line_ = line_;
      } else if (opened_ && !closed_ && c == ']') {
        closed_ = true;
      } else if (!opened_ || closed_ || c != ',') {
        object_line_ = line_;
        return fail_here(ErrorCode::kMalformed, "expected a list of objects", {}, {});
      }
    }
  }
  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why, std::string hint) const {
    return std::unexpected(Error{.code = code,
                                 .message = std::move(message),
                                 .where = {.file = stream_.name(),
                                           .line = object_line_,
                                           .pointer = {},
                                           .argument = {},
                                           .offset = {}},
                                 .why = std::move(why),
                                 .hint = std::move(hint),
                                 .also = {}});
  }

 private:
  Result<std::size_t> placed(Result<std::size_t> got) const {
    if (!got) got.error().where.line = line_;
    return got;
  }
  static constexpr std::size_t kChunk = 1u << 17;
  io::ByteStream stream_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::uint64_t line_ = 1, object_line_ = 1;
  bool opened_ = false, closed_ = false;
};

class ShareGptReader final : public TraceReader {
 public:
  ShareGptReader(io::ByteStream stream, const TraceOptions& options)
      : objects_(std::move(stream)), characters_per_token_(options.characters_per_token) {}

  Result<Row> read(Request& request, Instant& arrival) override {
    if (!PORTOLAN_TRY(objects_.next(object_))) return Row::kEnd;
    request = {};
    arrival = 0;
    double question = 0, answer = 0;  // characters
    std::string_view key;
    io::JsonScanner json(object_);
    for (json.begin_object(); json.next_key(key);) {
      if (key == "conversations" && json.peek('[')) {
        read_turns(json, question, answer);
      } else {
        json.skip();
      }
    }
    if (!json.finish()) {
      return objects_.fail_here(ErrorCode::kMalformed, json.problem(), {}, {});
    }
    // What is no question with an answer is no request.
    if (question == 0 || answer == 0) return Row::kSkipped;
    request.input_tokens = tokens(question);
    request.output_tokens = tokens(answer);
    return Row::kRequest;
  }
  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why, std::string hint) const override {
    return objects_.fail_here(code, std::move(message), std::move(why), std::move(hint));
  }
  [[nodiscard]] std::vector<std::string> assumptions() const override {
    return {"a token is " + shortest(characters_per_token_) +
            " characters of the text; a conversation is its first question and answer"};
  }

 private:
  // The first question that is answered at once.
  void read_turns(io::JsonScanner& json, double& question, double& answer) {
    double asked = 0;
    for (json.begin_array(); json.next_element();) {
      from_.clear();
      text_.clear();
      std::string_view key;
      for (json.begin_object(); json.next_key(key);) {
        if (key == "from" && json.peek('"')) {
          json.string(from_);
        } else if (key == "value" && json.peek('"')) {
          json.string(text_);
        } else {
          json.skip();
        }
      }
      const auto characters = static_cast<double>(std::ranges::count_if(
          text_, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
      if (from_ == "human" || from_ == "user") {
        asked = characters;
      } else if ((from_ == "gpt" || from_ == "assistant") && asked > 0 && answer == 0) {
        question = asked;
        answer = characters;
      }
    }
  }
  [[nodiscard]] std::int64_t tokens(double characters) const {
    const double count = std::ceil(characters / characters_per_token_);
    return static_cast<std::int64_t>(std::min(count, static_cast<double>(kMostTokens)));
  }
  ObjectReader objects_;
  double characters_per_token_;
  std::string object_, from_, text_;
};

}  // namespace

std::unique_ptr<TraceReader> read_sharegpt(io::ByteStream stream, const TraceOptions& options) {
  return std::make_unique<ShareGptReader>(std::move(stream), options);
}

}  // namespace portolan::simulation
