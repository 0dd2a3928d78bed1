// Completion scripts for bash, zsh and fish, made from the option registry.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/documents.hpp"

namespace portolan::cli {
namespace {

bool takes_files(const app::Option& option) {
  return option.type == app::OptionType::kFile || option.type == app::OptionType::kFiles;
}

/// What the shell may offer after an option: fixed words, or a command that lists names.
std::string bash_values(const app::Option& option) {
  if (option.choices == "@models") return "$(portolan models --limit 0 -o name 2>/dev/null)";
  if (option.choices == "@gpus") return "$(portolan gpus -o name 2>/dev/null)";
  if (option.choices == "@providers") return "$(portolan providers -o name 2>/dev/null)";
  if (option.choices == "@formats") return "fp32 bf16 fp16 fp8 int8 int4 nvfp4 mxfp4 nf4";
  return std::string(option.choices);
}

/// What `help`, `schema` and `completion` take.
std::string words_of(std::string_view extra) {
  std::string out;
  if (extra == "completion") return "bash zsh fish";
  if (extra != "help" && extra != "schema") return out;
  for (const app::Verb& verb : app::verbs()) {
    out += (out.empty() ? "" : " ") + std::string(verb.name);
  }
  if (extra == "schema") return out;
  for (const Extra& one : extras()) out += " " + std::string(one.name);
  for (std::string_view topic : app::help_topics()) out += " " + std::string(topic);
  return out;
}

std::string verb_names() {
  std::string out;
  for (const app::Verb& verb : app::verbs())
    out += (out.empty() ? "" : " ") + std::string(verb.name);
  for (const Extra& extra : extras()) out += " " + std::string(extra.name);
  return out;
}

std::string flags(const app::Verb& verb) {
  std::string out;
  for (const app::Option& option : verb.options) {
    if (!option.positional) out += app::flag_of(option) + " ";
  }
  for (const app::Option& option : app::common_options()) out += app::flag_of(option) + " ";
  return out + "--help";
}

std::string bash_completion() {
  std::string out =
      "# bash completion for portolan; source it or install as "
      "/usr/share/bash-completion/completions/portolan\n"
      "_portolan() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
      "verb=${COMP_WORDS[1]}\n"
      "  COMPREPLY=()\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" +
      verb_names() +
      " --help --version\" -- \"$cur\")); return\n  fi\n"
      "  case \"$prev\" in\n";
  std::vector<std::string> done;
  auto value_case = [&](const app::Option& option) {
    if (option.type == app::OptionType::kFlag || option.positional) return;
    const std::string flag = app::flag_of(option);
    if (std::find(done.begin(), done.end(), flag) != done.end()) return;
    done.push_back(flag);
    const std::string pattern =
        option.short_name != 0 ? fmt::format("{}|-{}", flag, option.short_name) : flag;
    if (takes_files(option)) {
      out += fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n", pattern);
    } else if (!option.choices.empty()) {
      out += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return;;\n",
                         pattern, bash_values(option));
    } else {
      out += fmt::format("    {}) return;;\n", pattern);
    }
  };
  for (const app::Verb& verb : app::verbs()) {
    for (const app::Option& option : verb.options) value_case(option);
  }
  for (const app::Option& option : app::common_options()) value_case(option);
  out += "  esac\n  case \"$verb\" in\n";
  for (const app::Verb& verb : app::verbs()) {
    std::string words = flags(verb);
    std::string files;
    for (const app::Option& option : verb.options) {
      if (!option.positional) continue;
      if (!option.choices.empty()) words += " " + bash_values(option);
      if (takes_files(option) || option.choices == "@models") files = " $(compgen -f -- \"$cur\")";
    }
    out += fmt::format(
        "    {})\n      case \"$cur\" in\n        -*) COMPREPLY=($(compgen -W \"{}\" -- "
        "\"$cur\"));;\n        *) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"){});;\n      esac;;\n",
        verb.name, flags(verb), words, files);
  }
  for (const Extra& extra : extras()) {
    out += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"));;\n", extra.name,
                       words_of(extra.name));
  }
  return out + "  esac\n}\ncomplete -F _portolan portolan\n";
}

std::string fish_quoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish_completion() {
  std::string out =
      "# fish completion for portolan; install as "
      "~/.config/fish/completions/portolan.fish\ncomplete -c portolan -f\n";
  for (const app::Verb& verb : app::verbs()) {
    out += fmt::format("complete -c portolan -n __fish_use_subcommand -a {} -d '{}'\n", verb.name,
                       fish_quoted(verb.summary));
  }
  for (const Extra& extra : extras())
    out += fmt::format("complete -c portolan -n __fish_use_subcommand -a {} -d '{}'\n", extra.name,
                       fish_quoted(extra.help));
  auto option_line = [&](const app::Option& option, std::string_view condition) {
    if (option.positional) {
      if (takes_files(option) || option.choices == "@models")
        out += fmt::format("complete -c portolan -n '{}' -F\n", condition);
      if (option.choices == "@models")
        out += fmt::format(
            "complete -c portolan -n '{}' -a '(portolan models --limit 0 -o name 2>/dev/null)'\n",
            condition);
      if (option.choices == "@gpus")
        out += fmt::format(
            "complete -c portolan -n '{}' -a '(portolan gpus -o name 2>/dev/null)'\n", condition);
      if (option.choices == "@providers")
        out += fmt::format(
            "complete -c portolan -n '{}' -a '(portolan providers -o name 2>/dev/null)'\n",
            condition);
      return;
    }
    std::string line = fmt::format("complete -c portolan -n '{}' -l {} -d '{}'", condition,
                                   app::flag_of(option).substr(2), fish_quoted(option.help));
    if (option.short_name != 0) line += fmt::format(" -s {}", option.short_name);
    if (takes_files(option)) {
      line += " -r -F";
    } else if (option.type != app::OptionType::kFlag) {
      line += " -x";
      std::string values = bash_values(option);
      if (values.starts_with("$(")) values = values.substr(1);
      if (!values.empty()) line += fmt::format(" -a '{}'", fish_quoted(values));
    }
    out += line + "\n";
  };
  for (const app::Verb& verb : app::verbs()) {
    for (const app::Option& option : verb.options)
      option_line(option, fmt::format("__fish_seen_subcommand_from {}", verb.name));
  }
  std::string all;
  for (const app::Verb& verb : app::verbs()) all += " " + std::string(verb.name);
  for (const app::Option& option : app::common_options())
    option_line(option, "__fish_seen_subcommand_from" + all);
  for (const Extra& extra : extras()) {
    out += fmt::format("complete -c portolan -n '__fish_seen_subcommand_from {}' -a '{}'\n",
                       extra.name, words_of(extra.name));
  }
  return out;
}

std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out;
}

std::string zsh_action(const app::Option& option) {
  if (takes_files(option)) return "_files";
  std::string values = bash_values(option);
  if (values.empty()) return " ";
  if (values.starts_with("$("))
    return "{ local -a names; names=(${(f)\"" + values + "\"}); compadd -a names }";
  return "(" + values + ")";
}

std::string zsh_completion() {
  std::string out =
      "#compdef portolan\n# zsh completion for portolan; put it on $fpath as "
      "_portolan\n_portolan() {\n  local -a verbs=(\n";
  for (const app::Verb& verb : app::verbs())
    out += fmt::format("    '{}:{}'\n", verb.name, zsh_quoted(verb.summary));
  for (const Extra& extra : extras())
    out += fmt::format("    '{}:{}'\n", extra.name, zsh_quoted(extra.help));
  out +=
      "  )\n  if (( CURRENT == 2 )); then _describe command verbs; return; fi\n  local "
      "verb=$words[2]\n  shift words; (( CURRENT-- ))\n  local -a common=(\n";
  auto spec = [](const app::Option& option) {
    const std::string help = zsh_quoted(option.help);
    if (option.positional) {
      std::string action = zsh_action(option);
      if (option.choices == "@models") action.insert(action.size() - 2, "; _files");
      return fmt::format("':{}:{}'", zsh_quoted(option.value_name), action);
    }
    std::string value;
    if (option.type != app::OptionType::kFlag)
      value = fmt::format(":{}:{}", zsh_quoted(option.value_name), zsh_action(option));
    if (option.short_name != 0)
      return fmt::format("'(-{0} {1})'{{-{0},{1}}}'[{2}]{3}'", option.short_name,
                         app::flag_of(option), help, value);
    return fmt::format("'{}[{}]{}'", app::flag_of(option), help, value);
  };
  for (const app::Option& option : app::common_options()) out += "    " + spec(option) + "\n";
  out += "  )\n  case $verb in\n";
  for (const app::Verb& verb : app::verbs()) {
    out += fmt::format("    {})\n      _arguments $common", verb.name);
    for (const app::Option& option : verb.options) out += " \\\n        " + spec(option);
    out += ";;\n";
  }
  for (const Extra& extra : extras()) {
    out += fmt::format("    {}) _arguments '1:{}:({})';;\n", extra.name, extra.name,
                       words_of(extra.name));
  }
  return out + "  esac\n}\n_portolan \"$@\"\n";
}

}  // namespace

std::string completion(std::string_view shell) {
  if (shell == "bash") return bash_completion();
  if (shell == "zsh") return zsh_completion();
  if (shell == "fish") return fish_completion();
  return {};
}

}  // namespace portolan::cli
