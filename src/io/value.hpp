// A JSON-like value with the place it was read from: what every reader of text returns and every
// writer takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace portolan::io {

/// Ordered objects (declared order in, same order out). A number keeps its original text when it
/// was read, so that money stays exact and `1.10` stays `1.10` where text is expected.
class Value {
 public:
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  Value() = default;
  Value(std::nullptr_t) {}  // NOLINT: implicit by design, results are built from literals
  Value(bool b) : kind_(Kind::kBool), bool_(b) {}                // NOLINT
  Value(std::int64_t i) : kind_(Kind::kInteger), integer_(i) {}  // NOLINT
  Value(int i) : Value(static_cast<std::int64_t>(i)) {}          // NOLINT
  Value(unsigned i) : Value(static_cast<std::int64_t>(i)) {}     // NOLINT
  Value(std::uint64_t i);  // NOLINT: above 2^63-1 becomes a number
  /// Not finite becomes null.
  Value(double d);                                                     // NOLINT
  Value(std::string s) : kind_(Kind::kString), text_(std::move(s)) {}  // NOLINT
  Value(std::string_view s) : Value(std::string(s)) {}                 // NOLINT
  Value(const char* s) : Value(std::string(s)) {}                      // NOLINT
  Value(Array a) : kind_(Kind::kArray), array_(std::move(a)) {}        // NOLINT
  Value(Object o) : kind_(Kind::kObject), object_(std::move(o)) {}     // NOLINT
  template <class T>
  Value(const std::optional<T>& v) {
    if (v) *this = Value(*v);
  }  // NOLINT
  /// A number whose exact decimal text is given (money): written as is.
  static Value number_text(std::string decimal);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_null() const { return kind_ == Kind::kNull; }
  [[nodiscard]] bool is_bool() const { return kind_ == Kind::kBool; }
  [[nodiscard]] bool is_string() const { return kind_ == Kind::kString; }
  [[nodiscard]] bool is_number() const { return kind_ == Kind::kInteger || kind_ == Kind::kNumber; }
  [[nodiscard]] bool is_integer() const { return kind_ == Kind::kInteger; }
  [[nodiscard]] bool is_array() const { return kind_ == Kind::kArray; }
  [[nodiscard]] bool is_object() const { return kind_ == Kind::kObject; }

  // Unchecked access: the kind must match (PORTOLAN_CHECK).
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] double number() const;  // integer or number
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] const Array& array() const;
  [[nodiscard]] Array& array();
  [[nodiscard]] const Object& object() const;
  [[nodiscard]] Object& object();
  /// The original text of a number that was read, its shortest text otherwise; of a string the
  /// string; "true"/"false".
  [[nodiscard]] std::string scalar_text() const;

  /// Member of an object (the last one of that name), nullptr when absent or not an object.
  [[nodiscard]] const Value* find(std::string_view key) const;
  /// Appends a member (must be null or an object) and returns it.
  Value& set(std::string key, Value value);
  void push(Value value);  // must be null or an array

  std::uint64_t line = 0,
                column = 0;  // 1-based place in the text it came from, 0 = built in memory
  std::uint64_t key_line = 0, key_column = 0;  // place of the member's key

 private:
  Kind kind_ = Kind::kNull;
  bool bool_ = false;
  std::int64_t integer_ = 0;
  double number_ = 0;
  std::string text_;  // string content, or original number text
  Array array_;
  Object object_;
};

/// Same kind and content; places ignored, 1 and 1.0 differ by kind only if their texts differ.
bool operator==(const Value& a, const Value& b);

}  // namespace portolan::io
