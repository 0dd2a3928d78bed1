#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "base/text.hpp"

namespace portolan::cli {
namespace {

Error usage(std::string message, std::string argument, std::string hint) {
  Error error;
  error.code = ErrorCode::kUsage;
  error.message = std::move(message);
  error.where.argument = std::move(argument);
  error.hint = std::move(hint);
  return error;
}

/// Where CLI11 puts what it finds for one option.
struct Slot {
  const app::Option* option = nullptr;
  bool common = false, given = false;
  std::string text;
  std::vector<std::string> list;
};

constexpr int kMostWords = 4096;

bool is_list(const app::Option& option) {
  return option.type == app::OptionType::kList || option.type == app::OptionType::kFiles;
}

void declare(CLI::App& parser, Slot& slot) {
  const app::Option& option = *slot.option;
  std::string names = option.positional ? std::string(option.key) : app::flag_of(option);
  if (option.short_name != 0) names = fmt::format("-{},{}", option.short_name, names);
  if (option.type == app::OptionType::kFlag) {
    parser.add_flag(names, slot.given);
  } else if (is_list(option)) {
    // Words in any number belong to a list without a flag and to a flag of files.
    const bool many = option.positional || option.type == app::OptionType::kFiles;
    parser.add_option(names, slot.list)
        ->expected(1, many ? kMostWords : 1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    // Given twice: the last one counts, as with most tools.
    parser.add_option(names, slot.text)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

std::vector<std::string> flags_of(const app::Verb& verb) {
  std::vector<std::string> flags;
  for (const app::Option& option : verb.options) {
    if (!option.positional) flags.push_back(app::flag_of(option));
  }
  for (const app::Option& option : app::common_options()) flags.push_back(app::flag_of(option));
  flags.emplace_back("--help");
  return flags;
}

std::string help_command(const app::Verb& verb) {
  return fmt::format("portolan {} --help", verb.name);
}

Error unknown_argument(const std::string& word, const app::Verb& verb) {
  if (word.starts_with("-") && word.size() > 1) {
    const std::string flag = word.substr(0, word.find('='));
    const std::vector<std::string> known = flags_of(verb);
    if (flag.size() < word.size() && std::find(known.begin(), known.end(), flag) != known.end()) {
      return usage(fmt::format("option {} takes no value", quoted(flag)), flag, help_command(verb));
    }
    std::vector<std::string_view> views(known.begin(), known.end());
    std::string hint = did_you_mean(flag, views);
    if (hint.empty()) hint = help_command(verb);
    return usage(fmt::format("unknown option {} of {}", quoted(flag), verb.name), flag, hint);
  }
  return usage(fmt::format("unexpected argument {} of {}", quoted(word), verb.name), word,
               help_command(verb));
}

Result<void> read_common(const std::deque<Slot>& slots, Common& common) {
  for (const Slot& slot : slots) {
    if (!slot.common) continue;
    const std::string_view key = slot.option->key;
    if (key == "format" && slot.given) common.output = slot.text;
    if (key == "color" && slot.given) {
      if (slot.text != "always" && slot.text != "never" && slot.text != "auto") {
        return fail(usage(fmt::format("unknown color {}", quoted(slot.text)), "--color",
                          "one of: always, never, auto"));
      }
      common.color = slot.text;
    }
    if (key == "fields" && slot.given) {
      for (std::string_view field : split(slot.text, ',')) {
        if (!trim(field).empty()) common.fields.emplace_back(trim(field));
      }
    }
    if (key == "no_header") common.no_header = slot.given;
    if (key == "explain") common.explain = slot.given;
    if (key == "assumptions") common.assumptions = slot.given;
    if (key == "offline") common.offline = slot.given;
    if (key == "no_timing") common.no_timing = slot.given;
    if (key == "quiet") common.quiet = slot.given;
    if (key == "verbose") common.verbose = slot.given;
    if (key == "ascii") common.ascii = slot.given;
    if (key == "csv_raw") common.csv_raw = slot.given;
    if (key == "catalogue" && slot.given) common.catalogue = slot.text;
    if (key == "profile" && slot.given) common.profile = slot.text;
    if (key == "as_of" && slot.given) {
      auto date = parse_date(slot.text);
      if (!date) {
        Error error = std::move(date).error();
        error.code = ErrorCode::kUsage;
        error.where.argument = "--as-of";
        if (error.hint.empty()) error.hint = "--as-of 2023-04-07";
        return fail(std::move(error));
      }
      common.as_of = *date;
    }
    if ((key == "threads" || key == "seed") && slot.given) {
      const auto number = parse_int(slot.text);
      if (!number || *number < 0 || (key == "threads" && *number > 1024)) {
        return fail(usage(fmt::format("{} is not a whole number {}", quoted(slot.text),
                                      key == "threads" ? "from 0 to 1024" : "of at least 0"),
                          app::flag_of(*slot.option), {}));
      }
      if (key == "threads") common.threads = static_cast<unsigned>(*number);
      if (key == "seed") common.seed = number;
    }
  }
  return {};
}

}  // namespace

bool wants_json(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-ojson" || word == "-o=json" || word == "--format=json") return true;
    if ((word == "-o" || word == "--format") && i + 1 < words.size() &&
        (words[i + 1] == "json" || words[i + 1] == "jsonl"))
      return true;
  }
  return false;
}

Result<Arguments> parse_arguments(const std::vector<std::string>& words) {
  Arguments out;
  if (words.empty() || words.front().starts_with("-")) {
    const std::string word = words.empty() ? "" : words.front();
    return fail(usage(
        word.empty() ? "no command" : fmt::format("option {} before the command", quoted(word)),
        word, "options follow the command: portolan COMMAND [options]"));
  }
  out.verb = app::find_verb(words.front());
  if (out.verb == nullptr) {
    std::vector<std::string_view> names = {"help", "completion", "man", "schema", "reference"};
    for (const app::Verb& verb : app::verbs()) names.push_back(verb.name);
    std::string hint = did_you_mean(words.front(), names);
    if (hint.empty()) hint = "portolan --help lists the commands";
    return fail(
        usage(fmt::format("unknown command {}", quoted(words.front())), words.front(), hint));
  }
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word == "-h" || word == "--help") {
      out.help = true;
      out.full_help = word == "--help";
      return out;
    }
  }

  CLI::App parser;
  parser.set_help_flag("");
  parser.allow_extras();
  std::deque<Slot> slots;  // stable addresses: CLI11 keeps references
  for (const app::Option& option : out.verb->options)
    slots.push_back({.option = &option, .common = false, .given = false, .text = {}, .list = {}});
  for (const app::Option& option : app::common_options())
    slots.push_back({.option = &option, .common = true, .given = false, .text = {}, .list = {}});
  for (Slot& slot : slots) declare(parser, slot);
  std::vector<std::string> reversed(words.rbegin(), std::prev(words.rend()));
  try {
    parser.parse(reversed);
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string what = e.what();
    const std::string name = what.substr(0, what.find(':'));
    return fail(
        usage(fmt::format("option {} needs a value", quoted(name)), name, help_command(*out.verb)));
  } catch (const CLI::ConversionError&) {
    // Everything but a flag is read as text, so it is a flag that was given a value.
    for (const std::string& word : words) {
      if (word.starts_with("--") && word.find('=') != std::string::npos) {
        return fail(unknown_argument(word, *out.verb));
      }
    }
    return fail(usage("a flag was given a value", {}, help_command(*out.verb)));
  } catch (const CLI::ParseError& e) {
    return fail(usage(printable(to_lower(e.what())), {}, help_command(*out.verb)));
  }
  std::vector<std::string> extra = parser.remaining();
  std::erase(extra, "--");
  if (!extra.empty()) return fail(unknown_argument(extra.front(), *out.verb));

  out.request = io::Value(io::Value::Object{});
  for (Slot& slot : slots) {
    const app::Option& option = *slot.option;
    const std::string name = option.positional ? std::string(option.key) : app::flag_of(option);
    const auto* parsed = parser.get_option_no_throw(name);
    const bool seen = parsed != nullptr && parsed->count() > 0;
    if (option.type != app::OptionType::kFlag) slot.given = seen;
    if (option.required && !seen) {
      const std::string missing = option.positional ? std::string(option.value_name) : name;
      return fail(usage(fmt::format("{} is missing", missing), missing,
                        out.verb->examples.empty() ? help_command(*out.verb)
                                                   : std::string(out.verb->examples.front())));
    }
    if (slot.common || !slot.given) continue;
    if (option.type == app::OptionType::kFlag) {
      out.request.set(std::string(option.key), true);
    } else if (is_list(option)) {
      io::Value::Array list;
      for (std::string& item : slot.list) list.emplace_back(std::move(item));
      out.request.set(std::string(option.key), io::Value(std::move(list)));
    } else if (const auto number =
                   option.type == app::OptionType::kInteger ? parse_int(slot.text) : std::nullopt) {
      out.request.set(std::string(option.key), *number);
    } else if (const auto decimal = option.type == app::OptionType::kNumber
                                        ? parse_double(slot.text)
                                        : std::nullopt) {
      out.request.set(std::string(option.key), *decimal);
    } else {
      out.request.set(std::string(option.key), slot.text);
    }
  }
  PORTOLAN_DO(read_common(slots, out.common));
  if (out.common.explain) out.request.set("explain", true);
  if (out.common.seed && out.verb->seeded) out.request.set("seed", *out.common.seed);
  return out;
}

}  // namespace portolan::cli
