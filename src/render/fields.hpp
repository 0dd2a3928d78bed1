// A table of fields per result struct: name, JSON type, one line of meaning, and how to read it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "io/value.hpp"

namespace portolan::render {

enum class JsonType : std::uint8_t { kString, kNumber, kInteger, kBoolean, kArray, kObject, kAny };

/// What a schema says of one member. `children` describes the members of an object or of an array's objects.
struct FieldInfo {
  std::string_view name;
  JsonType type = JsonType::kString;
  std::string_view description;
  bool nullable = false;
  std::vector<FieldInfo> children = {};
};

template <class T>
struct Field {
  FieldInfo info;
  io::Value (*get)(const T&);
};

template <class T>
io::Value object_of(const T& item, std::span<const Field<T>> fields) {
  io::Value::Object object;
  object.reserve(fields.size());
  for (const Field<T>& field : fields) object.emplace_back(std::string(field.info.name), field.get(item));
  return io::Value(std::move(object));
}

template <class T>
std::vector<FieldInfo> infos(std::span<const Field<T>> fields) {
  std::vector<FieldInfo> out;
  for (const Field<T>& field : fields) out.push_back(field.info);
  return out;
}

template <class T, class List>
io::Value array_of(const List& items, std::span<const Field<T>> fields) {
  io::Value::Array array;
  array.reserve(items.size());
  for (const T& item : items) array.push_back(object_of(item, fields));
  return io::Value(std::move(array));
}

}  // namespace portolan::render
