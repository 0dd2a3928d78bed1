// The one list of verbs and options: flags, request keys, help, completion, man page and reference
// are all made from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::app {

enum class OptionType : std::uint8_t {
  kFlag,
  kText,
  kInteger,
  kNumber,
  kCount,
  kBytes,
  kShare,
  kMoney,
  kDate,
  kList,
  kFile,
  kFiles  // several values after one flag, or the flag several times
};
std::string_view type_name(OptionType type);

/// One user-settable value. The flag is "--" + key with '_' as '-'; the request key of the HTTP API
/// is `key`.
struct Option {
  std::string_view key;
  OptionType type = OptionType::kText;
  std::string_view value_name;    // "N", "GPU"; empty for flags
  std::string_view default_text;  // "" = none
  std::string_view help;          // one line, lower case
  std::string_view choices =
      {};  // space separated, or "@models", "@gpus", "@providers", "@formats"
  bool positional = false, required = false;
  char short_name = 0;
};

struct Verb {
  std::string_view name, summary, details;
  std::vector<Option> options;             // besides the common ones
  std::vector<std::string_view> examples;  // commands that run as printed
  bool seeded = false;                     // takes --seed as the request's key "seed"
};

/// The verb `simulate`, which has options enough for a file of its own.
Verb simulate_verb();

/// In the order help shows them.
std::span<const Verb> verbs();
const Verb* find_verb(std::string_view name);
/// Options every verb takes (output, catalogue, explain …).
std::span<const Option> common_options();
std::string flag_of(const Option& option);  // "--kv-dtype"

/// Text of `portolan help TOPIC`; empty when there is no such topic.
std::string_view help_topic(std::string_view topic);
std::span<const std::string_view> help_topics();

}  // namespace portolan::app
