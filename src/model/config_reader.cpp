#include "model/config_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"

namespace portolan::model {
namespace {

constexpr std::string_view kShared[] = {
    "vocab_size",   "tie_word_embeddings",     "torch_dtype",        "dtype",
    "expert_dtype", "max_position_embeddings", "quantization_config"};

std::string_view kind_name(const io::Value& value) {
  switch (value.kind()) {
    case io::Value::Kind::kNull:
      return "null";
    case io::Value::Kind::kBool:
      return "a truth value";
    case io::Value::Kind::kInteger:
    case io::Value::Kind::kNumber:
      return "a number";
    case io::Value::Kind::kString:
      return "a text";
    case io::Value::Kind::kArray:
      return "a list";
    case io::Value::Kind::kObject:
      return "an object";
  }
  return "unknown";
}

/// A number as it was written, cut: a hostile one may have a million digits.
std::string quoted_number(const io::Value& value) {
  std::string text = printable(value.scalar_text());
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return text;
}

}  // namespace

const io::Value* ConfigReader::find(std::string_view key) const {
  if (const auto dot = key.find('.'); dot != std::string_view::npos) {
    const io::Value* inner = object_.find(key.substr(0, dot));
    const io::Value* found = inner != nullptr ? inner->find(key.substr(dot + 1)) : nullptr;
    return found != nullptr && !found->is_null() ? found : nullptr;
  }
  const io::Value* value = object_.find(key);
  if (value != nullptr && !value->is_null()) return value;
  if (outer_ == nullptr) return nullptr;
  for (const std::string_view shared : kShared) {
    if (shared != key) continue;
    value = outer_->find(key);
    return value != nullptr && !value->is_null() ? value : nullptr;
  }
  return nullptr;
}

void ConfigReader::problem(std::string_view key, std::string message, std::string hint) {
  const io::Value* value = find(key);
  problems_.add(value != nullptr ? *value : object_, fmt::format("{}/{}", pointer_, key),
                std::move(message), std::move(hint));
}

std::optional<std::int64_t> ConfigReader::whole(const io::Value& value, std::string_view key,
                                                std::int64_t least, std::int64_t most) {
  if (value.is_array() && !value.array().empty() && !value.array()[0].is_array()) {
    const io::Value::Array& items = value.array();
    for (const io::Value& item : items) {
      if (item == items[0]) continue;
      problem(key,
              fmt::format(
                  "{} differs from layer to layer, which this architecture does not support", key));
      return std::nullopt;
    }
    return whole(items[0], key, least, most);
  }
  if (value.is_integer()) {
    const std::int64_t integer = value.integer();
    if (integer >= least && integer <= most) return integer;
  } else if (value.is_number()) {
    const double number = value.number();
    if (number == std::floor(number) && number >= static_cast<double>(least) &&
        number <= static_cast<double>(most)) {
      return static_cast<std::int64_t>(number);
    }
  } else {
    problem(key, fmt::format("{} is {}, not a whole number", key, kind_name(value)));
    return std::nullopt;
  }
  problem(key, fmt::format("{} is {}; expected a whole number from {} to {}", key,
                           quoted_number(value), with_commas(least), with_commas(most)));
  return std::nullopt;
}

std::optional<std::int64_t> ConfigReader::integer(Keys keys, std::int64_t least,
                                                  std::int64_t most) {
  for (const std::string_view key : keys) {
    if (const io::Value* value = find(key)) return whole(*value, key, least, most);
  }
  if (traits_ == nullptr) return std::nullopt;
  for (const std::string_view key : keys) {
    const std::int64_t value = trait_default(*traits_, key);
    if (value < 0) continue;
    if (std::find(defaulted_.begin(), defaulted_.end(), key) == defaulted_.end()) {
      defaulted_.emplace_back(key);
    }
    return value;
  }
  return std::nullopt;
}

std::optional<double> ConfigReader::number(Keys keys) {
  for (const std::string_view key : keys) {
    const io::Value* value = find(key);
    if (value == nullptr) continue;
    if (value->is_number() && std::isfinite(value->number())) return value->number();
    problem(key, fmt::format("{} is {}, not a number", key, kind_name(*value)));
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<bool> ConfigReader::flag(Keys keys) {
  for (const std::string_view key : keys) {
    const io::Value* value = find(key);
    if (value == nullptr) continue;
    if (value->is_bool()) return value->boolean();
    if (value->is_integer() && (value->integer() == 0 || value->integer() == 1))
      return value->integer() == 1;
    problem(key, fmt::format("{} is {}, not true or false", key, kind_name(*value)));
    return std::nullopt;
  }
  return std::nullopt;
}

std::string ConfigReader::text(Keys keys) {
  for (const std::string_view key : keys) {
    const io::Value* value = find(key);
    if (value == nullptr) continue;
    if (value->is_string()) return value->string();
  }
  return {};
}

std::vector<std::int64_t> ConfigReader::integers(std::string_view key, std::int64_t least,
                                                 std::int64_t most) {
  std::vector<std::int64_t> numbers;
  const io::Value* value = find(key);
  if (value == nullptr || !value->is_array()) return numbers;
  if (value->array().size() > static_cast<std::size_t>(kMostLayers) + 16) {
    problem(key, fmt::format("{} has {} entries, more than the {} layers a model may have", key,
                             with_commas(static_cast<std::int64_t>(value->array().size())),
                             with_commas(kMostLayers)));
    return numbers;
  }
  numbers.reserve(value->array().size());
  for (const io::Value& item : value->array()) {
    if (item.is_bool()) {
      numbers.push_back(item.boolean() ? 1 : 0);
      continue;
    }
    const auto number = whole(item, key, least, most);
    if (!number) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<std::int64_t> ConfigReader::per_layer(Keys keys, std::int64_t least, std::int64_t most,
                                                  std::int64_t layers) {
  const auto count = static_cast<std::size_t>(layers);
  for (const std::string_view key : keys) {
    const io::Value* value = find(key);
    if (value == nullptr) continue;
    if (!value->is_array()) {
      const auto one = whole(*value, key, least, most);
      return one ? std::vector<std::int64_t>(count, *one) : std::vector<std::int64_t>{};
    }
    std::vector<std::int64_t> numbers = integers(key, least, most);
    if (numbers.size() < count) {
      if (!value->array().empty() && numbers.empty()) return {};
      problem(key, fmt::format("{} has {} entries for {} layers", key, numbers.size(), count));
      return {};
    }
    numbers.resize(count);
    return numbers;
  }
  const auto fallback = integer(keys, least, most);
  return fallback ? std::vector<std::int64_t>(count, *fallback) : std::vector<std::int64_t>{};
}

std::vector<std::string> ConfigReader::texts(std::string_view key) {
  std::vector<std::string> strings;
  const io::Value* value = find(key);
  if (value == nullptr || !value->is_array()) return strings;
  for (const io::Value& item : value->array()) {
    if (!item.is_string()) {
      problem(key, fmt::format("{} holds {}, not only texts", key, kind_name(item)));
      return {};
    }
    strings.push_back(item.string());
  }
  return strings;
}

}  // namespace portolan::model
