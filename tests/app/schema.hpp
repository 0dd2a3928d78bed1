// Checks a value against the part of JSON Schema 2020-12 that the published schemas use: type,
// properties, required and items. Stricter than the standard in one way: a member that the schema
// does not describe is a problem.
#pragma once

#include <string>
#include <vector>

#include "io/value.hpp"

namespace portolan::testing {

inline bool is_of(const io::Value& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "integer") {
    return value.is_integer() ||
           (value.is_number() &&
            value.number() == static_cast<double>(static_cast<std::int64_t>(value.number())));
  }
  return type == "number" && value.is_number();
}

inline void check(const io::Value& schema, const io::Value& value, const std::string& path,
                  std::vector<std::string>& problems) {
  for (const auto& [key, member] : schema.object()) {
    static const std::vector<std::string> kKnown = {"$schema",    "title",    "description", "type",
                                                    "properties", "required", "items"};
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      problems.push_back(path + ": the schema says " + key + ", which this check does not know");
    }
  }
  if (const io::Value* type = schema.find("type")) {
    bool allowed = type->is_string() && is_of(value, type->string());
    for (std::size_t i = 0; type->is_array() && i < type->array().size(); ++i) {
      allowed = allowed || is_of(value, type->array()[i].string());
    }
    if (!allowed) problems.push_back(path + " has another type than the schema says");
  }
  if (value.is_object() && schema.find("properties") != nullptr) {
    const io::Value& properties = *schema.find("properties");
    for (const io::Value& name : schema.find("required")->array()) {
      if (value.find(name.string()) == nullptr)
        problems.push_back(path + "." + name.string() + " is missing");
    }
    for (const auto& [key, member] : value.object()) {
      const io::Value* described = properties.find(key);
      if (described == nullptr) {
        problems.push_back(path + "." + key + " is not in the schema");
      } else {
        check(*described, member, path + "." + key, problems);
      }
    }
  }
  if (value.is_array() && schema.find("items") != nullptr) {
    for (std::size_t i = 0; i < value.array().size(); ++i) {
      check(*schema.find("items"), value.array()[i], path + "." + std::to_string(i), problems);
    }
  }
}

}  // namespace portolan::testing
