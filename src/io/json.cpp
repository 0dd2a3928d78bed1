// nlohmann's event parser decides what is JSON; a cursor that walks the same tokens knows where
// each one stands and how each number was spelled, which the events do not tell.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "io/text_formats.hpp"
#include "io/tree_builder.hpp"

namespace portolan::io {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool ends_token(std::string_view text, std::size_t at) {
  return at >= text.size() || is_space(text[at]) || text[at] == ',' || text[at] == ']' ||
         text[at] == '}';
}

// Walks the tokens of a text whose grammar the parser has checked up to the token in question.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {
    if (text.starts_with("\xEF\xBB\xBF")) at_ = line_start_ = 3;
  }

  // Moves to the next token that is neither space, comma nor colon.
  Place next() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_start_ = at_ + 1;
      } else if (!is_space(c) && c != ',' && c != ':') {
        break;
      }
    }
    return {line_, static_cast<std::uint32_t>(at_ - line_start_ + 1)};
  }
  void pass_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }
  [[nodiscard]] std::size_t offset() const { return at_; }
  std::string_view pass(std::size_t length) {
    at_ += length;
    return text_.substr(at_ - length, length);
  }
  std::string_view pass_integer() {
    std::size_t end = at_ + (text_[at_] == '-' ? 1 : 0);
    if (text_[end] == '0') return pass(end + 1 - at_);
    while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') ++end;
    return pass(end - at_);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0, line_start_ = 0;
  std::uint32_t line_ = 1;
};

Place place_of(std::string_view text, std::size_t offset) {
  Place place{1, 1};
  std::size_t line_start = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  offset = std::max(std::min(offset, text.size()), line_start);
  for (std::size_t i = line_start; i < offset; ++i) {
    if (text[i] == '\n') {
      ++place.line;
      line_start = i + 1;
    }
  }
  place.column = static_cast<std::uint32_t>(offset - line_start + 1);
  return place;
}

// Our words for what the lexer found wrong inside a token; empty if the token itself is sound.
std::string_view lexical_problem(std::string_view what) {
  struct Row {
    std::string_view theirs, ours;
  };
  static constexpr Row kRows[] = {
      {"control character", "a control character inside a string must be escaped"},
      {"UTF-8", "invalid UTF-8 inside a string"},
      {"forbidden character after backslash", "unknown escape inside a string"},
      {"4 hex digits", "\\u must be followed by four hexadecimal digits"},
      {"surrogate", "half of a surrogate pair inside a string"},
      {"missing closing quote", "the text ends inside a string"},
      {"invalid number", "malformed number"},
  };
  for (const Row& row : kRows) {
    if (what.find(row.theirs) != std::string_view::npos) return row.ours;
  }
  return {};
}

using TakeMember = std::function<Result<void>(std::string_view, Value)>;

class Handler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Handler(std::string_view text, TreeBuilder& builder, const TakeMember* take)
      : text_(text), cursor_(text), builder_(builder), take_(take) {}

  [[nodiscard]] std::optional<Error> take_error() {
    if (outer_error_) return std::move(outer_error_);
    return builder_.error();
  }

  bool null() override {
    const Place place = cursor_.next();
    cursor_.pass(4);
    return builder_.scalar(Value(), place) && hand_over();
  }
  bool boolean(bool value) override {
    const Place place = cursor_.next();
    cursor_.pass(value ? 4 : 5);
    return builder_.scalar(Value(value), place) && hand_over();
  }
  bool number_integer(std::int64_t value) override { return integer(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
      return integer(static_cast<std::int64_t>(value));
    }
    return number(static_cast<double>(value), std::to_string(value).size());
  }
  bool number_float(double value, const std::string& spelled) override {
    return number(value, spelled.size());
  }
  bool string(std::string& value) override {
    const Place place = cursor_.next();
    cursor_.pass_string();
    return builder_.scalar(Value(std::move(value)), place) && hand_over();
  }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // not in JSON text
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    const Place place = cursor_.next();
    cursor_.pass_string();
    return builder_.key(std::move(name), place);
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& problem) override {
    // `position` counts the bytes read, the last one being the offending one.
    const std::size_t offset = position == 0 ? 0 : position - 1;
    const std::string_view what = problem.what();
    if (problem.id == 406) {
      const Place place = cursor_.next();
      return builder_.fail_at(ErrorCode::kLimit, "number " + quoted(token) + " is out of range",
                              place, "a number must stay below 1.8e308");
    }
    const std::string_view inside = lexical_problem(what);
    if (position > text_.size() && inside.empty()) {
      return builder_.fail_at(ErrorCode::kMalformed, "the JSON text ends too early",
                              place_of(text_, text_.size()));
    }
    if (!inside.empty()) {
      return builder_.fail_at(ErrorCode::kMalformed, std::string(inside), place_of(text_, offset));
    }
    // The cursor skips commas and colons, so one that is out of place lies before it.
    cursor_.next();
    const std::size_t start = std::min(cursor_.offset(), offset);
    std::size_t end = start + 1;
    if (std::string_view("[]{},:").find(text_[start]) == std::string_view::npos) {
      while (end < text_.size() && !ends_token(text_, end)) ++end;
    }
    const std::string_view found = text_.substr(start, end - start);
    return builder_.fail_at(ErrorCode::kMalformed, "unexpected " + quoted(found) + " in JSON",
                            place_of(text_, start), {}, hint(found, start));
  }

 private:
  [[nodiscard]] std::string hint(std::string_view token, std::size_t start) const {
    if (token.starts_with('/') || token.starts_with('#')) return "JSON has no comments";
    if (token.starts_with('\'')) return "use double quotes";
    if (token.starts_with('N') || token.starts_with('I') || token.starts_with("-I")) {
      return "JSON has no NaN or Infinity; write null";
    }
    std::size_t before = start;
    while (before > 0 && is_space(text_[before - 1])) --before;
    if ((token == "]" || token == "}") && before > 0 && text_[before - 1] == ',') {
      return "remove the comma before it";
    }
    return {};
  }

  bool integer(std::int64_t value) {
    const Place place = cursor_.next();
    return builder_.scalar(Value::integer_text(value, std::string(cursor_.pass_integer())),
                           place) &&
           hand_over();
  }
  bool number(double number_value, std::size_t length) {
    const Place place = cursor_.next();
    const std::string_view spelled = cursor_.pass(length);
    const bool python_constant = spelled.ends_with('y') || spelled.ends_with('N');
    Value value =
        python_constant ? Value() : Value::number_text(number_value, std::string(spelled));
    return builder_.scalar(std::move(value), place) && hand_over();
  }
  bool open(bool object) {
    const Place place = cursor_.next();
    cursor_.pass(1);
    return builder_.open(object, place);
  }
  bool close() {
    cursor_.next();
    cursor_.pass(1);
    if (take_ != nullptr && builder_.depth() == 1) return builder_.close();
    return builder_.close() && hand_over();
  }

  // Streaming: a member of the outermost container is complete.
  bool hand_over() {
    if (take_ == nullptr || builder_.depth() != 1) return true;
    std::string name;
    Value value;
    if (builder_.in_object()) {
      Value::Object members = builder_.take_members();
      name = std::move(members.front().first);
      value = std::move(members.front().second);
    } else {
      Value::Array elements = builder_.take_elements();
      value = std::move(elements.front());
    }
    Result<void> taken = (*take_)(name, std::move(value));
    if (taken) return true;
    outer_error_ = std::move(taken).error();
    return false;
  }

  std::string_view text_;
  Cursor cursor_;
  TreeBuilder& builder_;
  const TakeMember* take_;
  std::optional<Error> outer_error_;
};

// Overwrites NaN, Infinity and -Infinity with numbers of the same length. The cursor walks the
// original text, so the handler sees what stood there and makes it null.
std::string without_python_constants(std::string_view text) {
  std::string out(text);
  bool in_string = false;
  bool starts_token = true;
  for (std::size_t at = 0; at < out.size(); ++at) {
    if (in_string) {
      if (out[at] == '\\') {
        ++at;
      } else if (out[at] == '"') {
        in_string = false;
      }
      continue;
    }
    if (starts_token) {
      const std::string_view rest = text.substr(at);
      for (const std::string_view constant : {"-Infinity", "Infinity", "NaN"}) {
        if (rest.starts_with(constant) && ends_token(text, at + constant.size())) {
          const std::size_t dot = constant[0] == '-' ? 2 : 1;
          out.replace(at, constant.size(), constant.size(), '0');
          if (dot == 2) out[at] = '-';
          out[at + dot] = '.';
          break;
        }
      }
    }
    in_string = out[at] == '"';
    starts_token = is_space(out[at]) || out[at] == ',' || out[at] == ':' || out[at] == '[';
  }
  return out;
}

std::optional<Error> read(std::string_view text, TreeBuilder& builder, const TextLimits& limits,
                          const TakeMember* take) {
  if (text.size() > limits.bytes) {
    builder.fail_at(ErrorCode::kLimit,
                    "the text has " + with_commas(static_cast<std::int64_t>(text.size())) +
                        " bytes, the limit is " +
                        with_commas(static_cast<std::int64_t>(limits.bytes)),
                    {});
    return builder.error();
  }
  // The lexer would take a NUL byte for the end of the text.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    builder.fail_at(ErrorCode::kMalformed, "unexpected NUL byte in JSON", place_of(text, nul));
    return builder.error();
  }
  std::string masked;
  if (limits.python_constants && (text.find("NaN") != std::string_view::npos ||
                                  text.find("Infinity") != std::string_view::npos)) {
    masked = without_python_constants(text);
  }
  const std::string_view parsed = masked.empty() ? text : masked;
  Handler handler(text, builder, take);
  if (nlohmann::json::sax_parse(parsed.data(), parsed.data() + parsed.size(), &handler)) {
    return std::nullopt;
  }
  return handler.take_error();
}

}  // namespace

Result<Value> parse_json(std::string_view text, const std::string& file, DuplicateKeys duplicates,
                         const TextLimits& limits) {
  TreeBuilder builder(limits, text.size(), file, duplicates);
  if (std::optional<Error> error = read(text, builder, limits, nullptr)) {
    return fail(std::move(*error));
  }
  return builder.take();
}

Result<void> each_json_member(std::string_view text, const std::string& file,
                              const TextLimits& limits, const TakeMember& take) {
  TreeBuilder builder(limits, text.size(), file, DuplicateKeys::kRefuse);
  if (std::optional<Error> error = read(text, builder, limits, &take)) {
    return fail(std::move(*error));
  }
  return {};
}

}  // namespace portolan::io
