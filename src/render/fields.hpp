// A table of fields per result struct: name, JSON type, one line of meaning, and how to read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "io/value.hpp"

namespace portolan::render {

enum class JsonType : std::uint8_t {
  kString,
  kNumber,
  kInteger,
  kBoolean,
  kArray,
  kStrings,  // an array of strings
  kObject,
  kAny
};

/// What a schema says of one member. `children` describes the members of an object or of an array's
/// objects.
struct FieldInfo {
  std::string_view name;
  JsonType type = JsonType::kString;
  std::string_view description;
  bool nullable = false;
  std::vector<FieldInfo> children = {};
  bool optional = false;  // may be absent: a clock field, or one that a flag asks for
};

template <class T>
struct Field {
  FieldInfo info;
  io::Value (*get)(const T&);
};

template <class T, std::size_t N>
io::Value object_of(const T& item, const Field<T> (&fields)[N]) {
  io::Value::Object object;
  object.reserve(N);
  for (const Field<T>& field : fields) {
    object.emplace_back(std::string(field.info.name), field.get(item));
  }
  return io::Value(std::move(object));
}

template <class T, std::size_t N>
std::vector<FieldInfo> infos(const Field<T> (&fields)[N]) {
  std::vector<FieldInfo> out;
  for (const Field<T>& field : fields) out.push_back(field.info);
  return out;
}

/// `items` holds values or pointers to them.
template <class List, class T, std::size_t N>
io::Value array_of(const List& items, const Field<T> (&fields)[N]) {
  io::Value::Array array;
  array.reserve(items.size());
  for (const auto& item : items) {
    if constexpr (std::is_pointer_v<std::decay_t<decltype(item)>>) {
      array.push_back(object_of(*item, fields));
    } else {
      array.push_back(object_of(item, fields));
    }
  }
  return io::Value(std::move(array));
}

}  // namespace portolan::render
