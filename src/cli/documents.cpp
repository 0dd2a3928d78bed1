#include "cli/documents.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace portolan::cli {
namespace {

constexpr std::string_view kWhat =
    "Portolan charts the cost of AI compute: which hardware, from whom, how to run it, what it "
    "costs and how sure that is.";

std::string left_column(const app::Option& option) {
  if (option.positional) return std::string(option.value_name);
  std::string out =
      option.short_name != 0 ? fmt::format("-{}, ", option.short_name) : std::string();
  out += app::flag_of(option);
  if (!option.value_name.empty()) out += " " + std::string(option.value_name);
  return out;
}

std::string option_lines(std::span<const app::Option> options) {
  std::string out;
  for (const app::Option& option : options) {
    std::string help(option.help);
    if (!option.default_text.empty() && help.find("default") == std::string::npos)
      help += fmt::format(" [{}]", option.default_text);
    out += fmt::format("  {:<28} {}\n", left_column(option), help);
  }
  return out;
}

std::string usage_line(const app::Verb& verb) {
  std::string out = fmt::format("portolan {}", verb.name);
  for (const app::Option& option : verb.options) {
    if (option.positional)
      out += option.required ? fmt::format(" {}", option.value_name)
                             : fmt::format(" [{}]", option.value_name);
  }
  return out + " [options]";
}

struct Extra {
  std::string_view name, arguments, help;
};
constexpr Extra kExtras[] = {
    {"help", "[COMMAND|TOPIC]", "topics: formats units exit-codes environment assumptions grammar"},
    {"schema", "COMMAND", "JSON Schema of a command's JSON"},
    {"completion", "bash|zsh|fish", "completion script"},
    {"man", "", "the manual page, in roff"},
    {"reference", "", "every command and option, in Markdown"},
};

/// What the shell may offer after an option: fixed words, or a command that lists names.
std::string bash_values(const app::Option& option) {
  if (option.choices == "@models") return "$(portolan models --limit 0 -o name 2>/dev/null)";
  if (option.choices == "@gpus") return "$(portolan gpus -o name 2>/dev/null)";
  if (option.choices == "@providers") return "$(portolan providers -o name 2>/dev/null)";
  if (option.choices == "@formats") return "fp32 bf16 fp16 fp8 int8 int4 nvfp4 mxfp4 nf4";
  return std::string(option.choices);
}

std::string verb_names() {
  std::string out;
  for (const app::Verb& verb : app::verbs())
    out += (out.empty() ? "" : " ") + std::string(verb.name);
  for (const Extra& extra : kExtras) out += " " + std::string(extra.name);
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
    if (option.type == app::OptionType::kFile) {
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
      if (option.type == app::OptionType::kFile || option.choices == "@models")
        files = " $(compgen -f -- \"$cur\")";
    }
    out += fmt::format(
        "    {})\n      case \"$cur\" in\n        -*) COMPREPLY=($(compgen -W \"{}\" -- "
        "\"$cur\"));;\n        *) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"){});;\n      esac;;\n",
        verb.name, flags(verb), words, files);
  }
  out += fmt::format(
      "    help|schema) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"));;\n    completion) "
      "COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$cur\"));;\n",
      verb_names());
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
  for (const Extra& extra : kExtras)
    out += fmt::format("complete -c portolan -n __fish_use_subcommand -a {} -d '{}'\n", extra.name,
                       fish_quoted(extra.help));
  auto option_line = [&](const app::Option& option, std::string_view condition) {
    if (option.positional) {
      if (option.type == app::OptionType::kFile || option.choices == "@models")
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
    if (option.type == app::OptionType::kFile) {
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
  if (option.type == app::OptionType::kFile) return "_files";
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
  for (const Extra& extra : kExtras)
    out += fmt::format("    '{}:{}'\n", extra.name, zsh_quoted(extra.help));
  out +=
      "  )\n  if (( CURRENT == 2 )); then _describe command verbs; return; fi\n  local "
      "verb=$words[2]\n  shift words; (( CURRENT-- ))\n  local -a common=(\n";
  auto spec = [](const app::Option& option) {
    const std::string help = zsh_quoted(option.help);
    if (option.positional)
      return fmt::format("':{}:{}'", zsh_quoted(option.value_name),
                         zsh_action(option) == "_files" || option.choices != "@models"
                             ? zsh_action(option)
                             : zsh_action(option));
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
  return out + "  esac\n}\n_portolan \"$@\"\n";
}

std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      if (line_start && (c == '.' || c == '\'')) out += "\\&";
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

}  // namespace

std::string first_screen() {
  return fmt::format(
      "{}\n\n"
      "  portolan estimate llama-3.1-70b --gpu h100-sxm --tp 4\n"
      "  portolan plan JOB.yaml            the cheapest feasible ways to run a job\n"
      "  portolan estimate MODEL           FLOPs, memory, time, cost of a model\n"
      "  portolan offers | gpus | models | providers\n"
      "  portolan validate article         the reference figures, recomputed\n\n"
      "The first line runs as printed. portolan --help lists everything; every command takes\n"
      "-o json|yaml|csv|md, --explain and --assumptions. Works offline with the embedded "
      "catalogue.\n",
      "Portolan charts the cost of AI compute.");
}

std::string overview() {
  std::string out = std::string(kWhat) + "\n\nusage: portolan COMMAND [options]\n\ncommands\n";
  for (const app::Verb& verb : app::verbs())
    out += fmt::format("  {:<12} {}\n", verb.name, verb.summary);
  for (const Extra& extra : kExtras) out += fmt::format("  {:<12} {}\n", extra.name, extra.help);
  out += "\ncommon options\n" + option_lines(app::common_options());
  out += "\nportolan COMMAND --help explains one command; portolan --version prints the version.\n";
  return out;
}

std::string verb_help(const app::Verb& verb, bool full) {
  std::string out = fmt::format("usage: {}\n\n{}\n", usage_line(verb), verb.summary);
  if (full) out += fmt::format("\n{}\n", verb.details);
  out += "\noptions\n" + option_lines(verb.options);
  if (full) {
    out += "\ncommon options\n" + option_lines(app::common_options());
  } else {
    out +=
        "\ncommon options: -o FORMAT, --fields A,B, --explain, --assumptions, --as-of DATE, … "
        "(--help shows all)\n";
  }
  out += "\nexamples\n";
  for (std::string_view example : verb.examples) out += fmt::format("  {}\n", example);
  return out;
}

std::string completion(std::string_view shell) {
  if (shell == "bash") return bash_completion();
  if (shell == "zsh") return zsh_completion();
  if (shell == "fish") return fish_completion();
  return {};
}

std::string man_page(std::string_view version) {
  std::string out = fmt::format(
      ".TH PORTOLAN 1 \"\" \"portolan {}\" \"User Commands\"\n.SH NAME\nportolan \\- chart the "
      "cost of AI compute\n.SH SYNOPSIS\n.B portolan\n.I COMMAND\n[options]\n.SH DESCRIPTION\n{}\n",
      version, roff(kWhat));
  auto options = [&](std::span<const app::Option> list) {
    for (const app::Option& option : list) {
      out += fmt::format(".TP\n.B {}\n{}", roff(left_column(option)), roff(option.help));
      if (!option.default_text.empty())
        out += fmt::format(" (default {})", roff(option.default_text));
      out += "\n";
    }
  };
  for (const app::Verb& verb : app::verbs()) {
    out += fmt::format(".SH {}\n.B {}\n.PP\n{}\n", roff(to_lower(verb.name)),
                       roff(usage_line(verb)), roff(verb.details));
    options(verb.options);
    out += ".PP\nExamples:\n";
    for (std::string_view example : verb.examples)
      out += fmt::format(".PP\n.EX\n{}\n.EE\n", roff(example));
  }
  out += ".SH COMMON OPTIONS\n";
  options(app::common_options());
  for (std::string_view topic : {"exit-codes", "environment", "grammar", "units"}) {
    out += fmt::format(".SH {}\n.nf\n{}.fi\n", roff(topic), roff(app::help_topic(topic)));
  }
  return out;
}

std::string reference() {
  std::string out = fmt::format(
      "# Reference\n\nMade by `portolan reference` from the option registry.\n\n{}\n", kWhat);
  auto rows = [&](std::span<const app::Option> options) {
    out += "\n| option | kind | default | meaning |\n| --- | --- | --- | --- |\n";
    for (const app::Option& option : options) {
      std::string help(option.help);
      std::replace(help.begin(), help.end(), '|', '/');
      std::string left = left_column(option);
      std::replace(left.begin(), left.end(), '|', '/');
      out += fmt::format(
          "| `{}` | {} | {} | {} |\n", left, app::type_name(option.type),
          option.default_text.empty() ? "" : fmt::format("`{}`", option.default_text), help);
    }
  };
  for (const app::Verb& verb : app::verbs()) {
    out += fmt::format("\n## {}\n\n`{}`\n\n{}\n", verb.name, usage_line(verb), verb.details);
    rows(verb.options);
    out += "\n```\n";
    for (std::string_view example : verb.examples) out += fmt::format("{}\n", example);
    out += "```\n";
  }
  out += "\n## Common options\n";
  rows(app::common_options());
  for (std::string_view topic : app::help_topics())
    out += fmt::format("\n## {}\n\n```\n{}```\n", topic, app::help_topic(topic));
  return out;
}

}  // namespace portolan::cli
