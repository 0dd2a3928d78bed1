// Reads one JSON text left to right without building values, for files of millions of lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::io {

/// The first problem sticks: from then on everything returns false, zero or nothing, so that a
/// caller may look at problem() once, at the end. Strings are checked for control characters and
/// escapes, not for UTF-8.
class JsonScanner {
 public:
  /// The byte after `text` must be readable and a NUL.
  explicit JsonScanner(std::string_view text)
      : begin_(text.data()), end_(begin_ + text.size()), at_(begin_) {}

  void begin_object();
  /// The next member's name, without its quotes and with escapes as they are; false at the end.
  bool next_key(std::string_view& key);
  void begin_array();
  /// Whether there is another element, which must then be read; false at the end.
  bool next_element();

  /// The text of a number as JSON spells it.
  std::string_view number();
  /// A number without fraction; 12.0 and 1.2e1 are 12. Beyond 64 bits: a problem.
  std::int64_t integer();
  /// An array of whole numbers from 0 to 2^64 - 1, appended.
  void integers(std::vector<std::uint64_t>& to);
  /// Appends the decoded text.
  void string(std::string& to);
  /// Passes any value and returns its text; at most 64 levels deep.
  std::string_view skip();
  /// Whether the next value begins with this character ('"', '[', '{', 'n' …).
  [[nodiscard]] bool peek(char c);
  /// Passes null when that is next.
  bool null();
  /// Nothing but space may be left. False: see problem().
  bool finish();

  /// Empty while all is well.
  [[nodiscard]] const char* problem() const { return problem_; }
  /// Byte position of the problem in the text, from 1.
  [[nodiscard]] std::uint64_t column() const {
    return static_cast<std::uint64_t>(at_ - begin_) + 1;
  }
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  void pass_space() {
    while (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r') ++at_;
  }
  bool stop(const char* problem);
  bool pass_string(std::string_view& raw);
  void skip_value(int depth);

  const char* begin_;
  const char* end_;
  const char* at_;
  const char* problem_ = "";
  bool first_ = false;  // the next key or element is the first of its container
};

}  // namespace portolan::io
