#include "io/tree_builder.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"

namespace portolan::io {
namespace {

constexpr std::uint64_t kFixedBytes = 24ull << 20;
// What the allocator adds to a block.
constexpr std::uint64_t kBlock = 16;

std::uint64_t string_heap(const std::string& text) {
  const std::size_t inside = std::string().capacity();
  return text.capacity() > inside ? text.capacity() + 1 + kBlock : 0;
}

// The heap a finished value holds beyond its own 40 bytes, and the nodes in it.
struct Cost {
  std::uint64_t nodes = 1;
  std::uint64_t bytes = 0;
};

Cost cost_of(const Value& value) {
  Cost cost;
  if (value.is_string()) {
    cost.bytes = sizeof(std::string) + kBlock + string_heap(value.string());
  } else if (value.is_number()) {
    // The text is boxed only where it is not the shortest; its length decides, within a factor.
    const std::size_t length = value.scalar_text().size();
    cost.bytes = length > 3 ? sizeof(std::string) + kBlock + length : 0;
  } else if (value.is_array()) {
    cost.bytes = sizeof(Value::Array) + kBlock + value.array().capacity() * sizeof(Value) + kBlock;
    for (const Value& element : value.array()) {
      const Cost inner = cost_of(element);
      cost.nodes += inner.nodes;
      cost.bytes += inner.bytes;
    }
  } else if (value.is_object()) {
    cost.bytes =
        sizeof(Value::Object) + kBlock + value.object().capacity() * sizeof(Value::Member) + kBlock;
    for (const auto& [key, member] : value.object()) {
      const Cost inner = cost_of(member);
      cost.nodes += inner.nodes;
      cost.bytes += inner.bytes + string_heap(key);
    }
  }
  return cost;
}

// What a vector that doubles will hold beyond what it holds now if one more element is pushed:
// while it moves, the old and the new block are both alive.
template <class Vector>
std::uint64_t growth(const Vector& vector) {
  if (vector.size() < vector.capacity()) return 0;
  return std::max<std::size_t>(2 * vector.capacity(), 1) * sizeof(vector[0]) + kBlock;
}

}  // namespace

TreeBuilder::TreeBuilder(const TextLimits& limits, std::uint64_t text_bytes,
                         const std::string& file, DuplicateKeys duplicates)
    : limits_(limits),
      file_(file),
      duplicates_(duplicates),
      most_bytes_(limits.memory_factor * text_bytes + kFixedBytes) {}

bool TreeBuilder::fail_at(ErrorCode code, std::string message, Place place, std::string why,
                          std::string hint) {
  error_ = Error{.code = code,
                 .message = std::move(message),
                 .where = {.file = file_,
                           .line = place.line,
                           .column = place.column,
                           .pointer = {},
                           .argument = {},
                           .offset = {}},
                 .why = std::move(why),
                 .hint = std::move(hint),
                 .also = {}};
  return false;
}

bool TreeBuilder::charge(std::uint64_t nodes, std::uint64_t bytes, Place place) {
  nodes_ += nodes;
  bytes_ += bytes;
  if (nodes_ > limits_.nodes) {
    return fail_at(ErrorCode::kLimit,
                   "more than " + with_commas(static_cast<std::int64_t>(limits_.nodes)) + " values",
                   place, "the limit on the number of values in one document");
  }
  if (bytes_ > most_bytes_) {
    return fail_at(ErrorCode::kLimit, "the values take too much memory", place,
                   "more than " + with_commas(static_cast<std::int64_t>(most_bytes_)) +
                       " bytes, the limit for a text of this size");
  }
  return true;
}

bool TreeBuilder::key(std::string name, Place place) {
  if (name.size() > limits_.key_bytes) {
    return fail_at(ErrorCode::kLimit, "key " + quoted(name) + " is too long", place,
                   "it has " + with_commas(static_cast<std::int64_t>(name.size())) +
                       " bytes, the limit is " +
                       with_commas(static_cast<std::int64_t>(limits_.key_bytes)));
  }
  key_ = std::move(name);
  key_place_ = place;
  has_key_ = true;
  return true;
}

// Puts the value where the next one belongs; nullptr when a cap is passed.
Value* TreeBuilder::add(Value value, Place place) {
  value.line = place.line;
  value.column = place.column;
  if (open_.empty()) {
    if (!charge(1, 0, place)) return nullptr;
    root_ = std::move(value);
    return &root_;
  }
  Value& parent = *open_.back();
  if (parent.is_array()) {
    Value::Array& elements = parent.array();
    const std::uint64_t old = elements.capacity() * sizeof(Value);
    const std::uint64_t grown = growth(elements);
    if (!charge(1, grown, place)) return nullptr;
    elements.push_back(std::move(value));
    if (grown > 0 && old > 0) bytes_ -= old + kBlock;
    return &elements.back();
  }
  PORTOLAN_CHECK(has_key_);
  has_key_ = false;
  value.key_line = key_place_.line;
  value.key_column = key_place_.column;
  Value::Object& members = parent.object();
  const std::uint64_t old = members.capacity() * sizeof(Value::Member);
  const std::uint64_t grown = growth(members);
  if (!charge(1, grown + string_heap(key_), place)) return nullptr;
  members.emplace_back(std::move(key_), std::move(value));
  if (grown > 0 && old > 0) bytes_ -= old + kBlock;
  return &members.back().second;
}

bool TreeBuilder::scalar(Value value, Place place) {
  if (value.is_string() && value.string().size() > limits_.string_bytes) {
    return fail_at(ErrorCode::kLimit, "string " + quoted(value.string()) + " is too long", place,
                   "it has " + with_commas(static_cast<std::int64_t>(value.string().size())) +
                       " bytes, the limit is " +
                       with_commas(static_cast<std::int64_t>(limits_.string_bytes)));
  }
  if (!charge(0, cost_of(value).bytes, place)) return false;
  last_ = add(std::move(value), place);
  return last_ != nullptr;
}

bool TreeBuilder::open(bool object, Place place) {
  if (open_.size() >= static_cast<std::size_t>(limits_.depth)) {
    return fail_at(ErrorCode::kLimit, "nested more than " + std::to_string(limits_.depth) + " deep",
                   place);
  }
  Value* container = add(object ? Value(Value::Object{}) : Value(Value::Array{}), place);
  if (container == nullptr) return false;
  open_.push_back(container);
  return charge(0, sizeof(Value::Array) + 2 * kBlock, place);
}

bool TreeBuilder::close() {
  PORTOLAN_CHECK(!open_.empty() && !has_key_);
  if (open_.back()->is_object() && !refuse_repeated_key()) return false;
  // Give back what doubling left over, so that many small containers stay small.
  Value& container = *open_.back();
  if (container.is_array()) {
    Value::Array& elements = container.array();
    bytes_ -= (elements.capacity() - elements.size()) * sizeof(Value);
    elements.shrink_to_fit();
  } else {
    Value::Object& members = container.object();
    bytes_ -= (members.capacity() - members.size()) * sizeof(Value::Member);
    members.shrink_to_fit();
  }
  last_ = &container;
  open_.pop_back();
  return true;
}

bool TreeBuilder::account(const Value& value, Place place) {
  const Cost cost = cost_of(value);
  // The value, its node in a map here and the name in a map of the parser.
  return charge(cost.nodes, cost.bytes + sizeof(Value) + 160, place);
}

bool TreeBuilder::copy(const Value& value, Place place) {
  const Cost cost = cost_of(value);
  if (!charge(cost.nodes - 1, cost.bytes, place)) return false;
  last_ = add(value, place);
  return last_ != nullptr;
}

// Finds a key that an object has twice; keeps the last one or refuses. Sorted, because a linear
// look-up per key would let a long object take quadratic time.
bool TreeBuilder::refuse_repeated_key() {
  Value::Object& members = open_.back()->object();
  if (members.size() < 2) return true;
  std::vector<std::uint32_t> order(members.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int compared = members[a].first.compare(members[b].first);
    return compared != 0 ? compared < 0 : a < b;
  });
  std::vector<bool> superseded;
  std::size_t first_repeat = members.size();
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (members[order[i - 1]].first != members[order[i]].first) continue;
    superseded.resize(members.size());
    superseded[order[i - 1]] = true;
    first_repeat = std::min<std::size_t>(first_repeat, order[i]);
  }
  if (first_repeat == members.size()) return true;
  if (duplicates_ == DuplicateKeys::kRefuse) {
    const auto& [name, value] = members[first_repeat];
    const auto first = std::find_if(members.begin(), members.end(),
                                    [&](const Value::Member& m) { return m.first == name; });
    return fail_at(ErrorCode::kInvalidInput, "key " + quoted(name) + " appears twice",
                   {value.key_line, value.key_column},
                   "it is at line " + std::to_string(first->second.key_line) + " already",
                   "remove one of them");
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (superseded[i]) continue;
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.resize(kept);
  return true;
}

Value::Array TreeBuilder::take_elements() {
  nodes_ = bytes_ = 0;
  return std::exchange(open_.front()->array(), {});
}

Value::Object TreeBuilder::take_members() {
  nodes_ = bytes_ = 0;
  return std::exchange(open_.front()->object(), {});
}

}  // namespace portolan::io
