// The command line: parse, call app, hand the answer to render, turn errors into text and exit
// codes.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "app/execute.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"
#include "cli/arguments.hpp"
#include "cli/documents.hpp"
#include "cli/interrupt.hpp"
#include "cli/terminal.hpp"
#include "io/text_formats.hpp"
#include "render/format.hpp"
#include "render/plot.hpp"
#include "render/score_plot.hpp"
#include "render/simulation_report.hpp"
#include "render/value_of.hpp"
#include "render/words.hpp"

namespace portolan::cli {
namespace {

constexpr std::string_view kVersion = PORTOLAN_VERSION;

/// All of it or an error: a full disk must not pass for an answer.
Result<void> print(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written)
    return fail(ErrorCode::kIo, fmt::format("cannot write the answer: {}", std::strerror(errno)),
                "check that the disk is not full");
  return {};
}

int report(const Error& error, bool json) {
  const std::string text =
      json ? io::write_json(render::to_value(error), false) + "\n" : format_error(error);
  std::fwrite(text.data(), 1, text.size(), stderr);
  return exit_code(error.code);
}

/// A problem of the request in the words of the command line: MODEL, not --model; and a value that
/// does not parse is a malformed argument, which is a usage error, while the same in a file is bad
/// input.
Error as_typed(Error error, const app::Verb& verb) {
  auto rename = [&](Error& e) {
    for (const app::Option& option : verb.options) {
      if (option.positional && e.where.argument == app::flag_of(option))
        e.where.argument = std::string(option.value_name);
    }
    if (e.where.argument.empty()) return;
    e.where.pointer.clear();
    if (e.code == ErrorCode::kInvalidInput || e.code == ErrorCode::kMalformed)
      e.code = ErrorCode::kUsage;
  };
  rename(error);
  for (Error& e : error.also) rename(e);
  const bool typed = std::any_of(error.also.begin(), error.also.end(),
                                 [](const Error& e) { return !e.where.argument.empty(); });
  if (typed) return combine(std::move(error.also), "the arguments");
  return error;
}

#if defined(__clang__)
constexpr std::string_view kCompiler = __VERSION__;  // names itself
#else
constexpr std::string_view kCompiler = "g++ " __VERSION__;
#endif

Error usage(std::string message, std::string argument, std::string hint) {
  Error error{.code = ErrorCode::kUsage,
              .message = std::move(message),
              .where = {},
              .why = {},
              .hint = std::move(hint),
              .also = {}};
  error.where.argument = std::move(argument);
  return error;
}

Result<std::string> version_text(bool json) {
  if (!json) return fmt::format("portolan {}\n", kVersion);
  const app::Context context = PORTOLAN_TRY(app::Context::open({}));
  io::Value out{io::Value::Object{}};
  out.set("version", kVersion);
  out.set("commit",
          std::string_view(PORTOLAN_COMMIT).empty() ? io::Value() : io::Value(PORTOLAN_COMMIT));
  out.set("compiler", kCompiler);
  out.set("build_type", PORTOLAN_BUILD_TYPE);
  out.set("catalogue_date", context.catalogue().date().text());
  out.set("schema_version", render::kSchemaVersion);
  const bool indented = stdout_is_terminal();
  return io::write_json(out, indented) + (indented ? "" : "\n");
}

Result<std::string> help_text(const std::string& topic) {
  if (topic.empty()) return overview();
  if (const app::Verb* verb = app::find_verb(topic)) return verb_help(*verb, true);
  for (const Extra& extra : extras()) {
    if (topic != extra.name) continue;
    return fmt::format("usage: portolan {} {}\n\n{}\n", extra.name, extra.arguments, extra.help);
  }
  if (const std::string_view text = app::help_topic(topic); !text.empty()) return std::string(text);
  std::vector<std::string_view> names(app::help_topics().begin(), app::help_topics().end());
  for (const app::Verb& verb : app::verbs()) names.push_back(verb.name);
  const std::string hint = did_you_mean(topic, names);
  return fail(usage("no help on " + quoted(topic), topic, hint.empty() ? "portolan --help" : hint));
}

Result<std::string> schema_text(const std::string& verb) {
  const io::Value schema = render::schema(verb);
  if (!schema.is_null()) return io::write_json(schema, true);
  std::vector<std::string_view> names;
  for (const app::Verb& known : app::verbs()) names.push_back(known.name);
  const std::string hint = did_you_mean(verb, names);
  return fail(usage(verb.empty() ? "COMMAND is missing" : "no schema for " + quoted(verb), verb,
                    hint.empty() ? "one of: " + render::joined(names, ", ") : hint));
}

Result<std::string> completion_text(const std::string& shell) {
  std::string text = completion(shell);
  if (!text.empty()) return text;
  return fail(usage(shell.empty() ? "SHELL is missing" : "no completion for " + quoted(shell),
                    shell, "one of: bash, zsh, fish"));
}

/// The texts that need no request: help, completion, man, schema, reference, --version. nullopt
/// when the words ask for none of them.
std::optional<Result<std::string>> document(const std::vector<std::string>& words) {
  const std::string& first = words.front();
  const bool versions = first == "--version" || first == "version";
  const bool takes_one = first == "help" || first == "completion" || first == "schema";
  const bool known = versions || takes_one || first == "man" || first == "reference" ||
                     first == "--help" || first == "-h";
  if (!known) return std::nullopt;
  if (versions) return version_text(wants_json(words));
  if (words.size() > 1 && (words[1] == "--help" || words[1] == "-h")) return help_text(first);
  const std::size_t most = takes_one ? 2 : 1;
  if (words.size() > most) {
    return fail(
        usage("unexpected argument " + quoted(words[most]), words[most], "portolan help " + first));
  }
  const std::string argument = words.size() > 1 ? words[1] : "";
  if (first == "help") return help_text(argument);
  if (first == "schema") return schema_text(argument);
  if (first == "completion") return completion_text(argument);
  if (first == "man") return man_page(kVersion);
  if (first == "reference") return reference();
  return overview();
}

/// Takes a key out of the request: it is the face's business, not the verb's.
io::Value take(io::Value& request, std::string_view key) {
  io::Value taken;
  std::erase_if(request.object(), [&](io::Value::Member& member) {
    if (member.first != key) return false;
    taken = std::move(member.second);
    return true;
  });
  return taken;
}

render::Options options_of(const Common& common, render::Format format) {
  render::Options options;
  options.format = format;
  options.style = terminal_style(common);
  options.fields = common.fields;
  options.explain = common.explain;
  options.assumptions = common.assumptions;
  options.timing = !common.no_timing;
  options.csv_raw = common.csv_raw;
  options.indent_json = stdout_is_terminal();
  return options;
}

/// What `--svg`, `--rows` and `--out` ask for besides the answer.
struct SideFiles {
  io::Value svg, rows, profile;
  bool force = false;
};

/// Takes them out of the request; they are files, as standard output is for the answer.
Result<SideFiles> side_files(io::Value& request, const app::Verb& verb) {
  SideFiles files{.svg = take(request, "svg"),
                  .rows = take(request, "rows"),
                  .profile = verb.name == "calibrate" ? take(request, "out") : io::Value(),
                  .force = verb.name != "simulate" && !take(request, "force").is_null()};
  struct Named {
    const char* flag;
    const io::Value& value;
    const char* example;
  };
  for (const Named& file : {Named{"--svg", files.svg, "--svg chart.svg"},
                            Named{"--rows", files.rows, "--rows rows.csv"},
                            Named{"--out", files.profile, "--out mine.profile"}}) {
    if (file.value.is_string() && file.value.string() == "-")
      return fail(usage(std::string(file.flag) + " needs a file: standard output is for the answer",
                        file.flag, file.example));
  }
  return files;
}

/// An empty file, as mktemp makes them, has nothing to lose.
Result<void> write_side_file(const io::Value& path, bool force, std::string_view content) {
  if (!path.is_string()) return {};
  const auto old = read_file_head(path.string(), 1);
  return write_file(path.string(), content, force || (old && old->file_size == 0));
}

Result<void> write_side_files(const app::Answer& answer, const SideFiles& files, bool csv_raw) {
  if (const auto* planned = std::get_if<app::PlanAnswer>(&answer);
      planned && files.svg.is_string()) {
    std::string x, y;
    const auto points = render::plot_points(planned->result, &x, &y);
    return write_side_file(files.svg, files.force,
                           render::svg_plot(points, "Cost and latency of the plans", x, y));
  }
  if (const auto* scored = std::get_if<app::ValidateAnswer>(&answer)) {
    const auto& points = scored->result.points;
    if (files.svg.is_string())
      PORTOLAN_DO(write_side_file(files.svg, files.force,
                                  render::score_plot(points, "Predicted against measured")));
    if (files.rows.is_string())
      PORTOLAN_DO(write_side_file(files.rows, files.force, render::score_rows(points, !csv_raw)));
    return {};
  }
  if (const auto* simulated = std::get_if<app::SimulateAnswer>(&answer)) {
    const app::SimulateFiles& own = simulated->files;
    if (own.report)
      PORTOLAN_DO(write_side_file(*own.report, own.force, render::simulation_report(*simulated)));
    if (own.bench_json)
      PORTOLAN_DO(write_side_file(*own.bench_json, own.force, render::bench_json(*simulated)));
    return {};
  }
  if (const auto* fitted = std::get_if<app::CalibrateAnswer>(&answer))
    return write_side_file(files.profile, files.force, fitted->result.profile);
  return {};
}

/// One line on a terminal that says what long work is at, at most ten times a second, erased at the
/// end.
class ProgressLine {
 public:
  explicit ProgressLine(bool shown) : shown_(shown) {}
  void operator()(std::string_view what) {
    if (!shown_) return;
    const Seconds now = monotonic_now();
    const bool erase = what.empty();
    if (erase ? !drawn_ : drawn_ && now - last_ < Seconds(0.1)) return;
    fmt::print(stderr, "\r\x1b[K{}", printable(what.substr(0, 78)));
    std::fflush(stderr);
    last_ = now;
    drawn_ = !erase;
  }

 private:
  bool shown_, drawn_ = false;
  Seconds last_{0};
};

/// The answer to a verb: printed, with its warnings and what is wrong with it on standard error.
Result<int> answer(Arguments arguments, bool json_errors) {
  const Common& common = arguments.common;
  const render::Options options =
      options_of(common, PORTOLAN_TRY(render::parse_format(common.output)));
  const SideFiles files = PORTOLAN_TRY(side_files(arguments.request, *arguments.verb));
  const Seconds start = monotonic_now();
  const auto log = [&](std::string_view what) {
    if (!common.verbose) return;
    fmt::print(stderr, "portolan: {} after {}\n", what, duration_text(monotonic_now() - start, 3));
  };

  ProgressLine progress(stderr_is_terminal() && !common.quiet);
  const app::Context context = PORTOLAN_TRY(app::Context::open({.catalogue = common.catalogue,
                                                                .as_of = common.as_of,
                                                                .profile = common.profile,
                                                                .threads = common.threads,
                                                                .progress = std::ref(progress),
                                                                .cancelled = interrupted}));
  log(fmt::format("catalogue of {}, {} offers, {} models open", context.catalogue().date().text(),
                  context.catalogue().offers().size(), context.models().ids().size()));
  if (arguments.verb->seeded || arguments.request.find("verify") != nullptr) catch_interrupts();
  auto executed = app::execute(arguments.verb->name, arguments.request, context);
  progress("");
  if (!executed) return fail(as_typed(std::move(executed).error(), *arguments.verb));
  log("answered");
  if (common.fields.size() == 1 && common.fields.front() == "help") {
    PORTOLAN_DO(print(render::field_names(*executed)));
    return 0;
  }
  const std::string text = PORTOLAN_TRY(render::format_answer(*executed, options));
  PORTOLAN_DO(write_side_files(*executed, files, common.csv_raw));
  PORTOLAN_DO(print(text));
  log("printed");
  if (!common.quiet) {
    for (const std::string& warning : app::envelope(*executed).warnings) {
      fmt::print(stderr, "warning: {}\n", printable(warning));
    }
  }
  // The answer stands, and what is wrong with it is said: no plan, a threshold exceeded.
  if (const auto wrong = app::verdict(*executed)) return report(*wrong, json_errors);
  return 0;
}

Result<int> run(const std::vector<std::string>& words, bool json_errors) {
  if (words.empty()) {
    PORTOLAN_DO(print(first_screen()));
    return 0;
  }
  if (const auto text = document(words)) {
    if (!*text) return fail(text->error());
    PORTOLAN_DO(print(**text));
    return 0;
  }
  Arguments arguments = PORTOLAN_TRY(parse_arguments(words));
  if (arguments.help) {
    PORTOLAN_DO(print(verb_help(*arguments.verb, arguments.full_help)));
    return 0;
  }
  return answer(std::move(arguments), json_errors);
}

}  // namespace
}  // namespace portolan::cli

int main(int argc, char** argv) {
  using namespace portolan;
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const bool json = cli::wants_json(words);
  try {
    const Result<int> result = cli::run(words, json);
    if (result) return *result;
    const int code = cli::report(result.error(), json);
    return result.error().code == ErrorCode::kCancelled ? cli::interrupt_code() : code;
  } catch (const std::bad_alloc&) {
    return cli::report({.code = ErrorCode::kInternal,
                        .message = "out of memory",
                        .where = {},
                        .why = {},
                        .hint = {},
                        .also = {}},
                       json);
  } catch (const std::exception& e) {
    return cli::report({.code = ErrorCode::kInternal,
                        .message = e.what(),
                        .where = {},
                        .why = "this is a bug in portolan",
                        .hint = "report it with the command that caused it",
                        .also = {}},
                       json);
  }
}
