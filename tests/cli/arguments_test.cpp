// Words of the command line -> verb and request; what is refused, and with which hint.
#include "cli/arguments.hpp"

#include <gtest/gtest.h>

#include "io/text_formats.hpp"

namespace portolan::cli {
namespace {

using Words = std::vector<std::string>;

std::string request_of(const Words& words) {
  const auto arguments = parse_arguments(words);
  return arguments ? io::write_json(arguments->request, false) : format_error(arguments.error());
}

TEST(Arguments, become_the_request_in_the_order_of_the_registry) {
  EXPECT_EQ(request_of({"estimate", "--batch", "8", "gpt3-175b", "--tokens=4k"}),
            R"({"model":"gpt3-175b","tokens":"4k","batch":"8"})");
  EXPECT_EQ(request_of({"offers", "--limit", "3", "--stats"}), R"({"limit":3,"stats":true})");
  EXPECT_EQ(request_of({"offers", "--provider", "aws,gcp", "--provider", "azure"}),
            R"({"provider":["aws,gcp","azure"]})");
  EXPECT_EQ(request_of({"plan", "-"}), R"({"job":"-"})");
  EXPECT_EQ(request_of({"estimate", "m", "--explain"}), R"({"model":"m","explain":true})");
}

TEST(Arguments, the_last_of_two_counts) {
  EXPECT_EQ(request_of({"estimate", "m", "--batch", "8", "--batch", "9"}),
            R"({"model":"m","batch":"9"})");
}

TEST(Arguments, values_may_look_like_flags_or_names) {
  EXPECT_EQ(request_of({"estimate", "m", "--tokens", "-5"}), R"({"model":"m","tokens":"-5"})");
  EXPECT_EQ(request_of({"estimate", "--", "-m"}), R"({"model":"-m"})");
  EXPECT_EQ(request_of({"estimate", ""}), R"({"model":""})");
}

TEST(Arguments, common_options_are_kept_apart) {
  const auto arguments = parse_arguments(
      {"offers", "-ojson", "--fields", "sku, region,,", "-q", "-v", "--no-header", "--threads", "4",
       "--as-of", "2023-04-07", "--color", "never", "--seed", "7", "--catalogue", "x"});
  ASSERT_TRUE(arguments);
  const Common& common = arguments->common;
  EXPECT_EQ(common.output, "json");
  EXPECT_EQ(common.fields, (Words{"sku", "region"}));
  EXPECT_TRUE(common.quiet && common.verbose && common.no_header);
  EXPECT_EQ(common.threads, 4u);
  EXPECT_EQ(common.as_of->text(), "2023-04-07");
  EXPECT_EQ(common.color, "never");
  EXPECT_EQ(common.catalogue, "x");
  EXPECT_TRUE(arguments->request.object().empty());
}

TEST(Arguments, help_wins_wherever_it_stands) {
  for (const Words& words :
       {Words{"plan", "-h"}, Words{"plan", "--nonsense", "--help"}, Words{"plan", "job", "-h"}}) {
    const auto arguments = parse_arguments(words);
    ASSERT_TRUE(arguments);
    EXPECT_TRUE(arguments->help);
  }
  EXPECT_TRUE(parse_arguments({"plan", "--help"})->full_help);
  EXPECT_FALSE(parse_arguments({"plan", "-h"})->full_help);
}

struct Refused {
  Words words;
  const char* message;
  const char* hint;
};

TEST(Arguments, mistakes_say_what_and_how_to_mend_it) {
  for (const Refused& r : {
           Refused{{"estiamte"}, "unknown command \"estiamte\"", "did you mean \"estimate\"?"},
           Refused{{"zzz"}, "unknown command \"zzz\"", "portolan --help"},
           Refused{{"-o", "json", "plan"},
                   "option \"-o\" before the command",
                   "options follow the command"},
           Refused{{"estimate"}, "MODEL is missing", "portolan estimate "},
           Refused{{"plan"}, "JOB.yaml is missing", "portolan plan "},
           Refused{{"estimate", "m", "--toknes", "3"},
                   "unknown option \"--toknes\" of estimate",
                   "did you mean \"--tokens\"?"},
           Refused{{"estimate", "m", "--nonsense"},
                   "unknown option \"--nonsense\" of estimate",
                   "portolan estimate --help"},
           Refused{{"estimate", "m", "--tokens"},
                   "option \"--tokens\" needs a value",
                   "portolan estimate --help"},
           Refused{{"estimate", "m", "--explain=yes please"},
                   "option \"--explain\" takes no value",
                   "portolan estimate --help"},
           Refused{{"estimate", "m", "n"},
                   "unexpected argument \"n\" of estimate",
                   "portolan estimate --help"},
           Refused{{"offers", "--color", "blue"}, "unknown color \"blue\"", "always, never, auto"},
           Refused{
               {"offers", "--threads", "-1"}, "\"-1\" is not a whole number from 0 to 1024", ""},
           Refused{{"offers", "--seed", "x"}, "\"x\" is not a whole number of at least 0", ""},
           Refused{{"offers", "--as-of", "2023-02-30"}, "\"2023-02-30\" is not a date", ""},
       }) {
    const auto arguments = parse_arguments(r.words);
    ASSERT_FALSE(arguments) << r.message;
    EXPECT_EQ(arguments.error().code, ErrorCode::kUsage);
    EXPECT_EQ(arguments.error().message, r.message);
    EXPECT_NE(arguments.error().hint.find(r.hint), std::string::npos) << arguments.error().hint;
  }
}

TEST(Arguments, json_errors_are_wanted_before_the_words_are_understood) {
  EXPECT_TRUE(wants_json({"estiamte", "-o", "json"}));
  EXPECT_TRUE(wants_json({"x", "--format=json"}));
  EXPECT_TRUE(wants_json({"x", "-ojson"}));
  EXPECT_TRUE(wants_json({"x", "-o", "jsonl"}));
  EXPECT_FALSE(wants_json({"x", "-o", "csv", "json"}));
  EXPECT_FALSE(wants_json({"x", "-o"}));
}

// No flag twice, every default a value of its kind, every example of the verb it stands under.
TEST(Registry, is_sound) {
  for (const app::Verb& verb : app::verbs()) {
    std::vector<std::string> flags;
    for (const app::Option& option : verb.options) flags.push_back(app::flag_of(option));
    for (const app::Option& option : app::common_options()) flags.push_back(app::flag_of(option));
    std::sort(flags.begin(), flags.end());
    EXPECT_EQ(std::adjacent_find(flags.begin(), flags.end()), flags.end()) << verb.name;
    EXPECT_FALSE(verb.summary.empty() || verb.examples.empty());
    for (std::string_view example : verb.examples) {
      EXPECT_TRUE(example.starts_with(std::string("portolan ") + std::string(verb.name)))
          << example;
    }
    for (const app::Option& option : verb.options) {
      EXPECT_FALSE(option.help.empty()) << option.key;
      EXPECT_EQ(option.value_name.empty(), option.type == app::OptionType::kFlag) << option.key;
      EXPECT_EQ(app::find_verb(verb.name), &verb);
    }
  }
}

}  // namespace
}  // namespace portolan::cli
