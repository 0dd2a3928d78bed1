// A JSON-like value with the place it was read from: what every reader of text returns and every
// writer takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace portolan::io {

namespace detail {
/// Owns one T on the heap, or nothing; copying copies the T. Keeps a Value at 40 bytes, which is
/// what bounds the memory of a reader.
template <class T>
class Box {
 public:
  Box() = default;
  explicit Box(T value) : owned_(new T(std::move(value))) {}
  Box(const Box& other) : owned_(other.owned_ ? new T(*other.owned_) : nullptr) {}
  Box(Box&& other) noexcept : owned_(std::exchange(other.owned_, nullptr)) {}
  Box& operator=(Box other) noexcept {
    std::swap(owned_, other.owned_);
    return *this;
  }
  ~Box() { delete owned_; }
  [[nodiscard]] T* get() const { return owned_; }

 private:
  T* owned_ = nullptr;
};
}  // namespace detail

/// Ordered objects (declared order in, same order out). A number keeps its original text when it
/// was read, so that money stays exact and `1.10` stays `1.10` where text is expected.
class Value {
 public:
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  // Implicit by design: results are built from literals.
  Value() = default;
  Value(std::nullptr_t) {}                                    // NOLINT(google-explicit-constructor)
  Value(bool b) : content_(b) {}                              // NOLINT(google-explicit-constructor)
  Value(std::int64_t i) : content_(Integer{i, {}}) {}         // NOLINT(google-explicit-constructor)
  Value(int i) : Value(static_cast<std::int64_t>(i)) {}       // NOLINT(google-explicit-constructor)
  Value(unsigned i) : Value(static_cast<std::int64_t>(i)) {}  // NOLINT(google-explicit-constructor)
  /// Above 2^63-1 it becomes a number.
  Value(std::uint64_t i);  // NOLINT(google-explicit-constructor)
  /// Not finite becomes null.
  Value(double d);                                      // NOLINT(google-explicit-constructor)
  Value(std::string s);                                 // NOLINT(google-explicit-constructor)
  Value(std::string_view s) : Value(std::string(s)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* s) : Value(std::string(s)) {}       // NOLINT(google-explicit-constructor)
  Value(Array a);                                       // NOLINT(google-explicit-constructor)
  Value(Object o);                                      // NOLINT(google-explicit-constructor)
  template <class T>
  Value(const std::optional<T>& v) {  // NOLINT(google-explicit-constructor)
    if (v) *this = Value(*v);
  }
  /// A number whose exact decimal text is given (money): written as is.
  static Value number_text(std::string decimal);
  /// The same where the value is known already; it must be finite.
  static Value number_text(double value, std::string decimal);
  /// An integer as it was spelled ("+12", "0x1F").
  static Value integer_text(std::int64_t value, std::string text);

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(content_.index()); }
  [[nodiscard]] bool is_null() const { return kind() == Kind::kNull; }
  [[nodiscard]] bool is_bool() const { return kind() == Kind::kBool; }
  [[nodiscard]] bool is_string() const { return kind() == Kind::kString; }
  [[nodiscard]] bool is_number() const { return is_integer() || kind() == Kind::kNumber; }
  [[nodiscard]] bool is_integer() const { return kind() == Kind::kInteger; }
  [[nodiscard]] bool is_array() const { return kind() == Kind::kArray; }
  [[nodiscard]] bool is_object() const { return kind() == Kind::kObject; }

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

  /// 1-based place in the text it came from, columns in bytes; 0 = built in memory.
  std::uint32_t line = 0, column = 0;
  /// Place of the member's key.
  std::uint32_t key_line = 0, key_column = 0;

 private:
  // Numbers keep their text only where it differs from the shortest one.
  struct Integer {
    std::int64_t value = 0;
    detail::Box<std::string> text;
  };
  struct Number {
    double value = 0;
    detail::Box<std::string> text;
  };
  // In the order of Kind.
  std::variant<std::monostate, bool, Integer, Number, detail::Box<std::string>, detail::Box<Array>,
               detail::Box<Object>>
      content_;
};

/// Same content, places ignored. Numbers are equal when their texts are: 1 and 1.0 read from text
/// differ, the integer 1 and the double 1 built in memory do not.
bool operator==(const Value& a, const Value& b);

}  // namespace portolan::io
