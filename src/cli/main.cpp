// The command line: parse, call app, hand the answer to render, turn errors into text and exit
// codes.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/execute.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/documents.hpp"
#include "cli/terminal.hpp"
#include "io/text_formats.hpp"
#include "render/format.hpp"
#include "render/plot.hpp"
#include "render/value_of.hpp"

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
  if (!error.also.empty()) return combine(std::move(error.also), "the command line");
  return error;
}

Result<int> version(const std::vector<std::string>& words) {
  if (!wants_json(words)) {
    PORTOLAN_DO(print(fmt::format("portolan {}\n", kVersion)));
    return 0;
  }
  const app::Context context = PORTOLAN_TRY(app::Context::open({}));
  io::Value out{io::Value::Object{}};
  out.set("version", kVersion);
  out.set("commit",
          std::string_view(PORTOLAN_COMMIT).empty() ? io::Value() : io::Value(PORTOLAN_COMMIT));
  out.set("compiler", fmt::format("g++ or compatible {}", __VERSION__));
  out.set("build_type", PORTOLAN_BUILD_TYPE);
  out.set("catalogue_date", context.catalogue().date().text());
  out.set("schema_version", render::kSchemaVersion);
  PORTOLAN_DO(
      print(io::write_json(out, stdout_is_terminal()) + (stdout_is_terminal() ? "" : "\n")));
  return 0;
}

Result<int> help(const std::vector<std::string>& words) {
  if (words.size() < 2) {
    PORTOLAN_DO(print(overview()));
    return 0;
  }
  const std::string& topic = words[1];
  if (const app::Verb* verb = app::find_verb(topic)) {
    PORTOLAN_DO(print(verb_help(*verb, true)));
    return 0;
  }
  const std::string_view text = app::help_topic(topic);
  if (text.empty()) {
    std::vector<std::string_view> names(app::help_topics().begin(), app::help_topics().end());
    for (const app::Verb& verb : app::verbs()) names.push_back(verb.name);
    std::string hint = did_you_mean(topic, names);
    return fail(ErrorCode::kUsage, fmt::format("no help on {}", quoted(topic)),
                hint.empty() ? "portolan --help" : hint);
  }
  PORTOLAN_DO(print(text));
  return 0;
}

/// help, completion, man, schema, reference, --version: texts that need no request. -1 when the
/// words are none of them.
Result<int> document(const std::vector<std::string>& words) {
  const std::string& first = words.front();
  if (first == "--version" || first == "version") return version(words);
  if (first == "--help" || first == "-h") {
    PORTOLAN_DO(print(overview()));
    return 0;
  }
  if (first == "help") return help(words);
  if (first == "completion") {
    const std::string text = completion(words.size() > 1 ? words[1] : "");
    if (text.empty())
      return fail(ErrorCode::kUsage, "completion needs a shell",
                  "portolan completion bash, zsh or fish");
    PORTOLAN_DO(print(text));
    return 0;
  }
  if (first == "man") {
    PORTOLAN_DO(print(man_page(kVersion)));
    return 0;
  }
  if (first == "reference") {
    PORTOLAN_DO(print(reference()));
    return 0;
  }
  if (first == "schema") {
    const io::Value schema = words.size() > 1 ? render::schema(words[1]) : io::Value();
    if (schema.is_null()) {
      std::string names;
      for (const app::Verb& verb : app::verbs())
        names += (names.empty() ? "" : ", ") + std::string(verb.name);
      return fail(ErrorCode::kUsage,
                  words.size() > 1 ? fmt::format("no schema for {}", quoted(words[1]))
                                   : std::string("schema needs a command"),
                  "one of: " + names);
    }
    PORTOLAN_DO(print(io::write_json(schema, true)));
    return 0;
  }
  return -1;
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

Result<int> run(const std::vector<std::string>& words) {
  if (words.empty()) {
    PORTOLAN_DO(print(first_screen()));
    return 0;
  }
  const int done = PORTOLAN_TRY(document(words));
  if (done >= 0) return done;
  Arguments arguments = PORTOLAN_TRY(parse_arguments(words));
  if (arguments.help) {
    PORTOLAN_DO(print(verb_help(*arguments.verb, arguments.full_help)));
    return 0;
  }
  const Common& common = arguments.common;
  render::Options options;
  options.format = PORTOLAN_TRY(render::parse_format(common.output));
  options.style = terminal_style(common);
  options.fields = common.fields;
  options.explain = common.explain;
  options.assumptions = common.assumptions;
  options.timing = !common.no_timing;
  options.csv_raw = common.csv_raw;
  options.indent_json = stdout_is_terminal();
  const io::Value svg = take(arguments.request, "svg");
  const bool force = !take(arguments.request, "force").is_null();

  const app::Context context = PORTOLAN_TRY(app::Context::open(
      {.catalogue = common.catalogue, .as_of = common.as_of, .threads = common.threads}));
  auto executed = app::execute(arguments.verb->name, arguments.request, context);
  if (!executed) return fail(as_typed(std::move(executed).error(), *arguments.verb));
  const app::Answer& answer = *executed;
  if (common.fields.size() == 1 && common.fields.front() == "help") {
    PORTOLAN_DO(print(render::field_names(answer)));
    return 0;
  }
  const std::string text = PORTOLAN_TRY(render::format_answer(answer, options));
  if (svg.is_string()) {
    if (const auto* planned = std::get_if<app::PlanAnswer>(&answer)) {
      std::string x, y;
      const auto points = render::plot_points(planned->result, &x, &y);
      PORTOLAN_DO(write_file(
          svg.string(), render::svg_plot(points, "Cost and latency of the plans", x, y), force));
    }
  }
  PORTOLAN_DO(print(text));
  if (!common.quiet) {
    for (const std::string& warning : app::envelope(answer).warnings)
      fmt::print(stderr, "warning: {}\n", printable(warning));
  }
  // The answer stands, and what is wrong with it is said: no plan, a threshold exceeded.
  if (const std::optional<Error> wrong = app::verdict(answer))
    return report(*wrong, wants_json(words));
  return 0;
}

}  // namespace
}  // namespace portolan::cli

int main(int argc, char** argv) {
  using namespace portolan;
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const bool json = cli::wants_json(words);
  try {
    const Result<int> result = cli::run(words);
    return result ? *result : cli::report(result.error(), json);
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
