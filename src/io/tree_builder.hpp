// Builds a Value from the events of a text reader within the caps: depth, nodes, lengths, memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/text_formats.hpp"
#include "io/value.hpp"

namespace portolan::io {

struct Place {
  std::uint32_t line = 0, column = 0;
};

/// Each event returns false when it broke a cap or repeated a key; `error()` then says what, and
/// no further event may follow. Events must be balanced: the parsers above guarantee it.
class TreeBuilder {
 public:
  TreeBuilder(const TextLimits& limits, std::uint64_t text_bytes, const std::string& file,
              DuplicateKeys duplicates);

  bool key(std::string name, Place place);
  bool scalar(Value value, Place place);
  bool open(bool object, Place place);
  bool close();
  /// Adds a copy of a value that was built before (a YAML alias).
  bool copy(const Value& value, Place place);
  /// Counts a value kept elsewhere (a YAML anchor) towards the caps.
  bool account(const Value& value, Place place);
  bool fail_at(ErrorCode code, std::string message, Place place, std::string why = {},
               std::string hint = {});

  /// The value completed last.
  [[nodiscard]] const Value& last() const { return *last_; }
  /// Values so far, copies and kept ones included.
  [[nodiscard]] std::uint64_t nodes() const { return nodes_; }
  [[nodiscard]] std::size_t depth() const { return open_.size(); }
  [[nodiscard]] bool in_object() const { return !open_.empty() && open_.back()->is_object(); }
  [[nodiscard]] bool expects_key() const { return in_object() && !has_key_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  /// The finished value; the builder is empty afterwards.
  Value take() { return std::move(root_); }
  /// Empties the outermost container of the members it has so far and hands them to the caller.
  Value::Array take_elements();
  Value::Object take_members();

 private:
  Value* add(Value value, Place place);
  bool charge(std::uint64_t nodes, std::uint64_t bytes, Place place);
  bool refuse_repeated_key();

  const TextLimits& limits_;
  const std::string& file_;
  const DuplicateKeys duplicates_;
  const std::uint64_t most_bytes_;
  std::uint64_t nodes_ = 0;
  std::uint64_t bytes_ = 0;
  Value root_;
  std::vector<Value*> open_;  // the open containers, outermost first
  const Value* last_ = &root_;
  std::string key_;
  Place key_place_;
  bool has_key_ = false;
  std::optional<Error> error_;
};

}  // namespace portolan::io
