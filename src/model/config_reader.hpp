// Typed look-ups in a model config: chains of spellings, class defaults, and every problem with its
// place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/fields.hpp"
#include "io/value.hpp"
#include "model/traits.hpp"

namespace portolan::model {

/// Caps of a believable model; beyond them a config is refused.
inline constexpr std::int64_t kMostLayers = 10'000, kWidest = 10'000'000,
                              kLargestVocabulary = 100'000'000, kMostExperts = 100'000,
                              kWidestSide = 65'536, kLongestContext = 1'000'000'000'000;
inline constexpr double kMostParameters = 1e16;

using Keys = std::initializer_list<std::string_view>;

class ConfigReader {
 public:
  /// `object` and `outer` (the config around a text part, or nullptr) outlive the reader.
  ConfigReader(const io::Value& object, std::string pointer, const io::Value* outer,
               io::Problems& problems)
      : object_(object), pointer_(std::move(pointer)), outer_(outer), problems_(problems) {}
  void set_defaults(const Traits* traits) { traits_ = traits; }
  /// Keys whose class default was taken, in order of use.
  [[nodiscard]] const std::vector<std::string>& defaulted() const { return defaulted_; }

  /// The first of `keys` that is present and not null; then the class default of the architecture.
  /// A key with a dot looks inside an object ("attn_config.kv_n_heads"). A list whose entries are
  /// all the same stands for one of them. Out of range or not a whole number is a problem.
  std::optional<std::int64_t> integer(Keys keys, std::int64_t least, std::int64_t most);
  /// A number of elements along a dimension: 1 … kWidest.
  std::optional<std::int64_t> dimension(Keys keys) { return integer(keys, 1, kWidest); }
  std::optional<double> number(Keys keys);
  std::optional<bool> flag(Keys keys);
  std::string text(Keys keys);
  /// A list of whole numbers (booleans count as 0 and 1); empty when absent. A scalar is not a list
  /// and is left alone.
  std::vector<std::int64_t> integers(std::string_view key, std::int64_t least, std::int64_t most);
  std::vector<std::string> texts(std::string_view key);
  /// One number per layer from a list or a single number; empty when no key is present.
  std::vector<std::int64_t> per_layer(Keys keys, std::int64_t least, std::int64_t most,
                                      std::int64_t layers);

  /// Raw member, nullptr when absent or null; shared keys (vocabulary, tying, dtype, quantisation)
  /// are also looked for outside.
  [[nodiscard]] const io::Value* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] bool value_is_text(std::string_view key) const {
    const io::Value* value = find(key);
    return value != nullptr && value->is_string();
  }
  [[nodiscard]] bool value_is_list(std::string_view key) const {
    const io::Value* value = find(key);
    return value != nullptr && value->is_array();
  }
  void problem(std::string_view key, std::string message, std::string hint = {});
  [[nodiscard]] const io::Value& object() const { return object_; }
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  [[nodiscard]] io::Problems& problems() { return problems_; }

 private:
  std::optional<std::int64_t> whole(const io::Value& value, std::string_view key,
                                    std::int64_t least, std::int64_t most);

  const io::Value& object_;
  std::string pointer_;
  const io::Value* outer_;
  io::Problems& problems_;
  const Traits* traits_ = nullptr;
  std::vector<std::string> defaulted_;
};

}  // namespace portolan::model
