// yaml-cpp's event parser feeds the builder directly, so that caps hold before anything grows:
// its own tree has no limits.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <istream>
#include <map>
#include <streambuf>

#include "base/text.hpp"
#include "io/text_fault.hpp"
#include "io/text_formats.hpp"
#include "io/tree_builder.hpp"

namespace portolan::io {
namespace {

// yaml-cpp reads about one megabyte a second: more would be a wait without an answer.
constexpr std::uint64_t kMostBytes = 4u << 20;
constexpr int kMostAliases = 1000;
constexpr std::size_t kMostLookahead = 128u << 10;
constexpr std::uint64_t kMostExpansion = 10;
// Short files may repeat themselves as they like.
constexpr std::uint64_t kFreeNodes = 1000;

Place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

bool all_digits(std::string_view text, int base) {
  if (text.empty()) return false;
  for (const char c : text) {
    const char folded = static_cast<char>(c | 0x20);
    const int digit = c >= '0' && c <= '9'             ? c - '0'
                      : folded >= 'a' && folded <= 'f' ? folded - 'a' + 10
                                                       : 99;
    if (digit >= base) return false;
  }
  return true;
}

// YAML 1.2.2 §10.3.2: [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_float(std::string_view text) {
  std::size_t at = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - first;
  };
  const std::size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// A plain scalar by the core schema, but for the booleans and nulls spelled otherwise than true,
// false, null, ~ and for infinities and not-a-number: those stay text, and the schema refuses them
// by name.
Value resolve(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return Value();
  if (text == "true" || text == "false") return Value(text == "true");
  const std::string_view all = text;
  const bool hex = all.starts_with("0x");
  if ((hex && all_digits(all.substr(2), 16)) ||
      (all.starts_with("0o") && all_digits(all.substr(2), 8))) {
    std::int64_t value = 0;
    const auto [end, problem] =
        std::from_chars(text.data() + 2, text.data() + text.size(), value, hex ? 16 : 8);
    return problem == std::errc() ? Value::integer_text(value, text) : Value(text);
  }
  if (!is_float(all)) return Value(text);
  // from_chars knows neither a leading + nor a point without digits on either side of it.
  const std::string_view unsigned_text = all.starts_with('+') ? all.substr(1) : all;
  if (const auto whole = parse_int(unsigned_text)) return Value::integer_text(*whole, text);
  if (parse_double(unsigned_text)) return Value::number_text(text);
  return Value(text);
}

// What yaml-cpp found, in words for a person who edits a file.
struct Fault {
  std::string_view theirs, ours, hint;
};
constexpr Fault kFaults[] = {
    {"illegal map value", "a colon where no value may stand",
     "quote text that holds a colon and a space"},
    {"illegal map key", "a key where none may stand", "check the indentation"},
    {"illegal block entry", "a list entry where none may stand", "check the indentation"},
    {"end of map not found", "the line fits no key or list above it", "check the indentation"},
    {"end of sequence not found", "the line fits no key or list above it", "check the indentation"},
    {"end of map flow not found", "a { is not closed", ""},
    {"end of sequence flow not found", "a [ is not closed", ""},
    {"illegal flow end", "a ] or } that closes nothing", ""},
    {"illegal EOF in scalar", "the quoted text is not closed", ""},
    {"illegal tab when looking for indentation", "a tab in the indentation", "use spaces"},
    {"unknown token", "a character that cannot begin a value", "quote the text"},
    {"the referenced anchor is not defined", "the alias refers to nothing", ""},
};

// Thrown through yaml-cpp, which knows no other way to stop; the builder holds the reason.
struct Stop {};

class Handler final : public YAML::EventHandler {
 public:
  explicit Handler(TreeBuilder& builder) : builder_(builder) {}

  /// Where the last event stood.
  [[nodiscard]] const YAML::Mark& last_mark() const { return last_mark_; }
  [[nodiscard]] std::size_t last_offset() const {
    return last_mark_.is_null() ? 0 : static_cast<std::size_t>(last_mark_.pos);
  }
  /// Where the last scalar begins that is quoted or a block; the null mark if there is none.
  [[nodiscard]] const YAML::Mark& last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      refuse("a second document begins here", mark, "keep one document per file");
    }
  }
  void OnDocumentEnd() override {
    const std::uint64_t written = builder_.nodes() - copied_;
    if (copied_ > kFreeNodes && builder_.nodes() > kMostExpansion * written) {
      refuse("the aliases expand to more than " + std::to_string(kMostExpansion) +
                 " times what is written",
             last_alias_, {}, ErrorCode::kLimit);
    }
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    last_mark_ = mark;
    add(Value(), std::string(), mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    last_mark_ = mark;
    // "?" is a plain scalar, "!" a quoted or block one; anything else was written in the file.
    if (tag != "?" && tag != "!") refuse("tag " + quoted(tag) + " is not supported", mark);
    if (tag == "!") last_quoted_ = mark;
    add(tag == "?" ? resolve(text) : Value(text), text, mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    last_mark_ = mark;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      refuse("the alias refers to a value that contains it", mark);
    }
    if (++aliases_ > kMostAliases) {
      refuse("more than " + std::to_string(kMostAliases) + " aliases", mark, {}, ErrorCode::kLimit);
    }
    if (builder_.expects_key()) {
      const Value& value = found->second;
      if (value.is_array() || value.is_object()) refuse("a key must be a plain value", mark);
      check(builder_.key(value.scalar_text(), place_of(mark)));
    } else {
      const std::uint64_t before = builder_.nodes();
      check(builder_.copy(found->second, place_of(mark)));
      copied_ += builder_.nodes() - before;
      last_alias_ = mark;
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(false, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(true, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  static void check(bool ok) {
    if (!ok) throw Stop();
  }
  [[noreturn]] void refuse(std::string message, const YAML::Mark& mark, std::string hint = {},
                           ErrorCode code = ErrorCode::kInvalidInput) {
    builder_.fail_at(code, std::move(message), place_of(mark), {}, std::move(hint));
    throw Stop();
  }

  void add(Value value, const std::string& text, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (builder_.expects_key()) {
      if (text == "<<" && value.is_string()) {
        refuse("merge keys (<<) are not supported", mark, "write the keys out");
      }
      if (anchor != YAML::NullAnchor) keep(anchor, value, mark);
      check(builder_.key(text, place_of(mark)));
      return;
    }
    check(builder_.scalar(std::move(value), place_of(mark)));
    if (anchor != YAML::NullAnchor) keep(anchor, builder_.last(), mark);
  }
  void keep(YAML::anchor_t anchor, const Value& value, const YAML::Mark& mark) {
    const std::uint64_t before = builder_.nodes();
    check(builder_.account(value, place_of(mark)));
    copied_ += builder_.nodes() - before;
    anchors_.insert_or_assign(anchor, value);
  }
  void open(bool object, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (tag != "?" && !tag.empty()) refuse("tag " + quoted(tag) + " is not supported", mark);
    if (builder_.expects_key()) refuse("a key must be a plain value", mark);
    last_mark_ = mark;
    check(builder_.open(object, place_of(mark)));
    open_.emplace_back(anchor, mark);
  }
  void close() {
    const auto [anchor, mark] = open_.back();
    open_.pop_back();
    check(builder_.close());
    if (anchor != YAML::NullAnchor) keep(anchor, builder_.last(), mark);
  }

  TreeBuilder& builder_;
  int documents_ = 0;
  int aliases_ = 0;
  std::uint64_t copied_ = 0;
  YAML::Mark last_alias_;
  YAML::Mark last_mark_;
  YAML::Mark last_quoted_ = YAML::Mark::null_mark();
  std::map<YAML::anchor_t, Value> anchors_;
  std::vector<std::pair<YAML::anchor_t, YAML::Mark>> open_;
};

// Feeds yaml-cpp the text where it lies, but never far beyond what it has turned into events: its
// scanner keeps every token of a flow collection, some 240 bytes for one of text, until it knows
// that the collection is not a key.
class BoundedBuffer final : public std::streambuf {
 public:
  BoundedBuffer(std::string_view text, const Handler& handler) : text_(text), handler_(handler) {}

  /// Whether the text was cut because it went on too long without a value.
  [[nodiscard]] bool exceeded() const { return exceeded_; }

 protected:
  int_type underflow() override {
    constexpr std::size_t kPiece = 2048;
    const std::size_t at = fed_;
    if (at == text_.size()) return traits_type::eof();
    if (at > handler_.last_offset() + kMostLookahead) {
      exceeded_ = true;
      return traits_type::eof();
    }
    fed_ += std::min(kPiece, text_.size() - at);
    char* first = const_cast<char*>(text_.data());  // never written to: there is no put area
    setg(first + at, first + at, first + fed_);
    return traits_type::to_int_type(text_[at]);
  }

 private:
  std::string_view text_;
  const Handler& handler_;
  std::size_t fed_ = 0;
  bool exceeded_ = false;
};

// Whether the node at `at` is a quoted scalar whose closing quote is missing. Only the last one of
// a text can be: yaml-cpp takes some of those for closed when the text ends.
bool is_unclosed(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {  // anchor or tag before it
    at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
  }
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return false;
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || at + 1 >= text.size() || text[at + 1] != quote) return false;
      ++at;
    }
  }
  return true;
}

std::optional<Error> read(std::string_view text, TreeBuilder& builder) {
  Handler handler(builder);
  BoundedBuffer buffer(text, handler);
  std::istream stream(&buffer);
  const auto too_long = [&] {
    builder.fail_at(ErrorCode::kLimit, "a text or a flow list is too long for YAML",
                    place_of(handler.last_mark()),
                    "the limit is " + std::to_string(kMostLookahead) + " bytes",
                    "write a long list with one \"- \" per line, or the file as JSON");
    return builder.error();
  };
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(handler)) {
    }
    if (buffer.exceeded()) return too_long();
    const YAML::Mark& quoted_at = handler.last_quoted();
    const std::size_t start = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    if (!quoted_at.is_null() &&
        is_unclosed(text, start + static_cast<std::size_t>(quoted_at.pos))) {
      builder.fail_at(ErrorCode::kMalformed, "not valid YAML: the quoted text is not closed",
                      place_of(quoted_at));
      return builder.error();
    }
  } catch (const Stop&) {
    if (buffer.exceeded()) return too_long();
    return builder.error();
  } catch (const YAML::Exception& problem) {
    if (buffer.exceeded()) return too_long();
    const auto* fault = std::find_if(std::begin(kFaults), std::end(kFaults), [&](const Fault& row) {
      return problem.msg.starts_with(row.theirs);
    });
    const bool known = fault != std::end(kFaults);
    builder.fail_at(ErrorCode::kMalformed,
                    "not valid YAML: " + (known ? std::string(fault->ours) : to_lower(problem.msg)),
                    place_of(problem.mark), {}, known ? std::string(fault->hint) : "");
    return builder.error();
  }
  return std::nullopt;
}

}  // namespace

Result<Value> parse_yaml(std::string_view text, const std::string& file, const TextLimits& limits) {
  TreeBuilder builder(limits, text.size(), file, DuplicateKeys::kRefuse);
  const std::uint64_t most = std::min(limits.bytes, kMostBytes);
  if (text.size() > most) {
    builder.fail_at(ErrorCode::kLimit,
                    "the text has " + with_commas(static_cast<std::int64_t>(text.size())) +
                        " bytes, the limit for YAML is " +
                        with_commas(static_cast<std::int64_t>(most)),
                    {}, {}, "write it as JSON");
    return fail(*builder.error());
  }
  if (const std::optional<TextFault> fault = find_text_fault(text)) {
    builder.fail_at(ErrorCode::kMalformed, fault->what, fault->place);
    return fail(*builder.error());
  }
  if (std::optional<Error> error = read(text, builder)) return fail(std::move(*error));
  return builder.take();
}

Result<Value> parse_document(std::string_view text, const std::string& file) {
  const std::string_view body = trim(text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text);
  if (body.starts_with('{') || body.starts_with('[')) {
    return parse_json(text, file, DuplicateKeys::kRefuse);
  }
  return parse_yaml(text, file);
}

}  // namespace portolan::io
