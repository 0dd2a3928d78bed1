#include "cli/documents.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "render/table.hpp"

namespace portolan::cli {
namespace {

constexpr std::string_view kWhat =
    "Portolan charts the cost of AI compute: which hardware, from whom, how to run it, for how "
    "much.";

std::string left_column(const app::Option& option) {
  if (option.positional) return std::string(option.value_name);
  std::string out =
      option.short_name != 0 ? fmt::format("-{}, ", option.short_name) : std::string();
  out += app::flag_of(option);
  if (!option.value_name.empty()) out += " " + std::string(option.value_name);
  return out;
}

constexpr std::size_t kHelpWidth = 100;
constexpr std::size_t kHelpColumn = 31;

std::string option_lines(std::span<const app::Option> options) {
  std::string out;
  for (const app::Option& option : options) {
    std::string help(option.help);
    if (!option.default_text.empty() && help.find("default") == std::string::npos) {
      help += fmt::format(" [{}]", option.default_text);
    }
    const std::string left = fmt::format("  {:<{}} ", left_column(option), kHelpColumn - 3);
    out += render::wrap(left, help, kHelpWidth, kHelpColumn) + "\n";
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

std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    line_start = c == '\n';
    std::uint32_t code_point = 0;
    const std::size_t length = utf8_length(text, i, code_point);
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (length > 1) {
      out += fmt::format("\\[u{:04X}]", code_point);  // troff itself reads no UTF-8
    } else {
      out += c;
    }
    i += std::max<std::size_t>(1, length);
  }
  return out;
}

}  // namespace

std::span<const Extra> extras() {
  static constexpr Extra kExtras[] = {
      {"help", "[COMMAND|TOPIC]",
       "explain a command, or: formats units exit-codes environment assumptions grammar"},
      {"schema", "COMMAND", "JSON Schema of a command's JSON"},
      {"completion", "bash|zsh|fish", "completion script"},
      {"man", "", "the manual page, in roff"},
      {"reference", "", "every command and option, in Markdown"},
  };
  return kExtras;
}

std::string first_screen() {
  return std::string(kWhat) +
         "\n\n"
         "  portolan estimate llama-3.1-70b --gpu h100-sxm --tp 4\n\n"
         "That line runs as printed. More:\n"
         "  portolan plan JOB.yaml        the cheapest feasible ways to run a job, and what was "
         "rejected\n"
         "  portolan simulate --help      traffic against machines, event by event\n"
         "  portolan offers --gpu H100:8  priced machines; gpus, models, providers look up the "
         "rest\n"
         "  portolan validate article     the reference figures, recomputed\n\n"
         "portolan --help lists everything, portolan COMMAND --help explains one command. Each "
         "takes\n"
         "-o json|yaml|csv|md, --explain and --assumptions, and works offline with its own "
         "catalogue.\n";
}

std::string overview() {
  std::string out = std::string(kWhat) + "\n\nusage: portolan COMMAND [options]\n\ncommands\n";
  for (const app::Verb& verb : app::verbs())
    out += fmt::format("  {:<12} {}\n", verb.name, verb.summary);
  for (const Extra& extra : extras()) out += fmt::format("  {:<12} {}\n", extra.name, extra.help);
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
