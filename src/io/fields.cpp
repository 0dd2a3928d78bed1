#include "io/fields.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.hpp"
#include "base/units_text.hpp"

namespace portolan::io {
namespace {

// RFC 6901: a key inside a JSON pointer.
std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string describe(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kArray:
      return "a list";
    case Value::Kind::kObject:
      return "an object";
    case Value::Kind::kString:
      return quoted(value.string());
    default:
      return value.scalar_text();
  }
}

bool is_scalar(const Value& value) { return value.is_string() || value.is_number(); }

}  // namespace

void Problems::add(const Value& at, const std::string& pointer, std::string message,
                   std::string hint, ErrorCode code) {
  errors.push_back(Error{.code = code,
                         .message = std::move(message),
                         .where = {.file = file,
                                   .line = at.line,
                                   .column = at.column,
                                   .pointer = pointer,
                                   .argument = {},
                                   .offset = {}},
                         .why = {},
                         .hint = std::move(hint),
                         .also = {}});
}

Fields::Fields(const Value& value, std::string pointer, Problems& problems)
    : value_(value), pointer_(std::move(pointer)), problems_(problems) {
  if (!value_.is_object()) {
    problems_.add(value_, pointer_, "expected an object with keys, found " + describe(value_));
  }
}

std::string Fields::pointer(std::string_view key) const { return pointer_ + '/' + escaped(key); }

const Value* Fields::get(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const Value* value = value_.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void Fields::problem(std::string_view key, std::string message, std::string hint) {
  const Value* value = value_.find(key);
  problems_.add(value != nullptr ? *value : value_, pointer(key),
                std::string(key) + ": " + std::move(message), std::move(hint));
}

std::optional<std::string> Fields::text(std::string_view key) {
  const Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  // A name may look like a number (`region: 1`): its spelling is what counts.
  if (is_scalar(*value)) return value->scalar_text();
  problem(key, "expected text, found " + describe(*value));
  return std::nullopt;
}

std::optional<bool> Fields::boolean(std::string_view key) {
  const Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->boolean();
  problem(key, "expected true or false, found " + describe(*value));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key, double minimum, double maximum) {
  const Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    problem(key, "expected a number, found " + describe(*value));
    return std::nullopt;
  }
  const double number = value->number();
  if (number < minimum) {
    problem(key, value->scalar_text() + " is below the minimum " + shortest(minimum));
    return std::nullopt;
  }
  if (number > maximum) {
    problem(key, value->scalar_text() + " is above the maximum " + shortest(maximum));
    return std::nullopt;
  }
  return number;
}

std::optional<std::int64_t> Fields::integer(std::string_view key, std::int64_t minimum,
                                            std::int64_t maximum) {
  const Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> whole;
  if (value->is_integer()) {
    whole = value->integer();
  } else if (value->is_number() && value->number() == std::floor(value->number()) &&
             std::fabs(value->number()) <= 9007199254740992.0) {
    whole = static_cast<std::int64_t>(value->number());  // 1e3 or 8.0
  }
  if (!whole) {
    problem(key, "expected a whole number, found " + describe(*value));
    return std::nullopt;
  }
  if (*whole < minimum) {
    problem(key, value->scalar_text() + " is below the minimum " + std::to_string(minimum));
    return std::nullopt;
  }
  if (*whole > maximum) {
    problem(key, value->scalar_text() + " is above the maximum " + std::to_string(maximum));
    return std::nullopt;
  }
  return whole;
}

// Reads a number or the text of a quantity with `parse`; a problem names the key.
template <class T, class Parse>
std::optional<T> Fields::quantity(std::string_view key, std::string_view expected, Parse parse) {
  const Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (!is_scalar(*value)) {
    problem(key, "expected " + std::string(expected) + ", found " + describe(*value));
    return std::nullopt;
  }
  Result<T> parsed = parse(*value);
  if (parsed) return *parsed;
  problem(key, std::move(parsed.error().message), std::move(parsed.error().hint));
  return std::nullopt;
}

std::optional<double> Fields::count(std::string_view key) {
  return quantity<double>(key, "a count such as 4M",
                          [](const Value& value) { return parse_count(value.scalar_text()); });
}

std::optional<Bytes> Fields::bytes(std::string_view key) {
  return quantity<Bytes>(key, "a size such as 80GB", [](const Value& value) -> Result<Bytes> {
    if (!value.is_number()) return parse_bytes(value.string());
    return parse_bytes(value.scalar_text() + "B");
  });
}

std::optional<Seconds> Fields::duration(std::string_view key) {
  return quantity<Seconds>(key, "a duration such as 300ms",
                           [](const Value& value) { return parse_duration(value.scalar_text()); });
}

std::optional<double> Fields::share(std::string_view key) {
  return quantity<double>(key, "a share such as 30% or 0.3",
                          [](const Value& value) { return parse_share(value.scalar_text()); });
}

std::optional<UsdRate> Fields::usd_per_hour(std::string_view key) {
  return quantity<UsdRate>(key, "dollars per hour",
                           [](const Value& value) { return parse_usd_rate(value.scalar_text()); });
}

std::optional<std::vector<std::string>> Fields::texts(std::string_view key) {
  const Value* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (is_scalar(*value)) return std::vector<std::string>{value->scalar_text()};
  if (!value->is_array()) {
    problem(key, "expected a list, found " + describe(*value));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < value->array().size(); ++i) {
    const Value& element = value->array()[i];
    if (is_scalar(element)) {
      texts.push_back(element.scalar_text());
    } else {
      problems_.add(element, pointer(key) + '/' + std::to_string(i),
                    std::string(key) + ": expected text in the list, found " + describe(element));
    }
  }
  return texts;
}

bool Fields::require(std::string_view key) {
  if (get(key) != nullptr) return true;
  if (value_.is_object()) {
    problems_.add(value_, pointer_, "missing key " + quoted(key));
  }
  return false;
}

void Fields::finish() {
  if (!value_.is_object()) return;
  const std::vector<std::string_view> names(known_.begin(), known_.end());
  for (const auto& [key, value] : value_.object()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    Value at;
    at.line = value.key_line;
    at.column = value.key_column;
    std::string hint = did_you_mean(key, names);
    if (hint.empty() && !names.empty()) {
      hint = "known keys:";
      for (std::size_t i = 0; i < names.size(); ++i) {
        hint += (i == 0 ? " " : ", ") + std::string(names[i]);
      }
    }
    problems_.add(at, pointer(key), "unknown key " + quoted(key), std::move(hint));
  }
}

}  // namespace portolan::io
