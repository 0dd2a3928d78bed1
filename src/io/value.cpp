#include "io/value.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.hpp"
#include "base/text.hpp"

namespace portolan::io {

static_assert(sizeof(Value) <= 40, "the memory bounds of the readers count on this");

Value::Value(std::uint64_t i) {
  if (i <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    *this = Value(static_cast<std::int64_t>(i));
  } else {
    content_ = Number{static_cast<double>(i), detail::Box<std::string>(std::to_string(i))};
  }
}

Value::Value(double d) {
  if (std::isfinite(d)) content_ = Number{d, {}};
}

Value::Value(std::string s) : content_(detail::Box<std::string>(std::move(s))) {}
Value::Value(Array a) : content_(detail::Box<Array>(std::move(a))) {}
Value::Value(Object o) : content_(detail::Box<Object>(std::move(o))) {}

Value Value::number_text(std::string decimal) {
  // from_chars knows no leading plus sign, which YAML allows.
  const std::string_view magnitude = std::string_view(decimal).substr(decimal.starts_with('+'));
  const std::optional<double> value = parse_double(magnitude);
  PORTOLAN_CHECK(value.has_value());
  return number_text(*value, std::move(decimal));
}

Value Value::number_text(double value, std::string decimal) {
  PORTOLAN_CHECK(std::isfinite(value));
  Value result;
  Number number{value, {}};
  if (shortest(value) != decimal) number.text = detail::Box<std::string>(std::move(decimal));
  result.content_ = std::move(number);
  return result;
}

Value Value::integer_text(std::int64_t value, std::string text) {
  Value result;
  Integer integer{value, {}};
  if (std::to_string(value) != text) integer.text = detail::Box<std::string>(std::move(text));
  result.content_ = std::move(integer);
  return result;
}

bool Value::boolean() const {
  PORTOLAN_CHECK(is_bool());
  return std::get<bool>(content_);
}

std::int64_t Value::integer() const {
  PORTOLAN_CHECK(is_integer());
  return std::get<Integer>(content_).value;
}

double Value::number() const {
  PORTOLAN_CHECK(is_number());
  return is_integer() ? static_cast<double>(std::get<Integer>(content_).value)
                      : std::get<Number>(content_).value;
}

const std::string& Value::string() const {
  PORTOLAN_CHECK(is_string());
  return *std::get<detail::Box<std::string>>(content_).get();
}

const Value::Array& Value::array() const {
  PORTOLAN_CHECK(is_array());
  return *std::get<detail::Box<Array>>(content_).get();
}

Value::Array& Value::array() {
  PORTOLAN_CHECK(is_array());
  return *std::get<detail::Box<Array>>(content_).get();
}

const Value::Object& Value::object() const {
  PORTOLAN_CHECK(is_object());
  return *std::get<detail::Box<Object>>(content_).get();
}

Value::Object& Value::object() {
  PORTOLAN_CHECK(is_object());
  return *std::get<detail::Box<Object>>(content_).get();
}

std::string Value::scalar_text() const {
  switch (kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return boolean() ? "true" : "false";
    case Kind::kInteger: {
      const auto& integer = std::get<Integer>(content_);
      return integer.text.get() != nullptr ? *integer.text.get() : std::to_string(integer.value);
    }
    case Kind::kNumber: {
      const auto& number = std::get<Number>(content_);
      return number.text.get() != nullptr ? *number.text.get() : shortest(number.value);
    }
    case Kind::kString:
      return string();
    case Kind::kArray:
    case Kind::kObject:
      break;
  }
  check_failed("a scalar", "value.cpp", __LINE__);
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& members = object();
  const auto found = std::find_if(members.rbegin(), members.rend(),
                                  [&](const Member& member) { return member.first == key; });
  return found == members.rend() ? nullptr : &found->second;
}

Value& Value::set(std::string key, Value value) {
  if (is_null()) content_ = detail::Box<Object>(Object{});
  return object().emplace_back(std::move(key), std::move(value)).second;
}

void Value::push(Value value) {
  if (is_null()) content_ = detail::Box<Array>(Array{});
  array().push_back(std::move(value));
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return a.scalar_text() == b.scalar_text();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::kNull:
      return true;
    case Value::Kind::kBool:
      return a.boolean() == b.boolean();
    case Value::Kind::kString:
      return a.string() == b.string();
    case Value::Kind::kArray:
      return a.array() == b.array();
    case Value::Kind::kObject:
      return a.object() == b.object();
    case Value::Kind::kInteger:
    case Value::Kind::kNumber:
      break;
  }
  return false;
}

}  // namespace portolan::io
