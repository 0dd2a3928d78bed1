// Help, completion, man page and reference all follow the option registry.
#include "cli/documents.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "render/table.hpp"

namespace portolan::cli {
namespace {

#define EXPECT_IN(part, whole) EXPECT_NE((whole).find(part), std::string::npos) << (part)

std::size_t widest(const std::string& text) {
  std::size_t width = 0, from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    width = std::max(width, render::display_width(text.substr(from, end - from)));
    from = end + 1;
  }
  return width;
}

TEST(Documents, first_screen_has_twelve_lines_and_a_command) {
  const std::string screen = first_screen();
  EXPECT_EQ(std::count(screen.begin(), screen.end(), '\n'), 12);
  EXPECT_IN("\n  portolan estimate llama-3.1-70b --gpu h100-sxm --tp 4\n", screen);
}

TEST(Documents, help_names_every_option_and_fits_a_terminal) {
  for (const app::Verb& verb : app::verbs()) {
    const std::string full = verb_help(verb, true);
    const std::string brief = verb_help(verb, false);
    for (const app::Option& option : verb.options) {
      const std::string name =
          option.positional ? std::string(option.value_name) : app::flag_of(option);
      EXPECT_IN(name, full);
      EXPECT_IN(name, brief);
    }
    for (const app::Option& option : app::common_options()) EXPECT_IN(app::flag_of(option), full);
    EXPECT_LE(widest(full), 100u) << verb.name;
    EXPECT_LT(brief.size(), full.size());
  }
  EXPECT_LE(widest(overview()), 100u);
  EXPECT_LE(widest(first_screen()), 100u);
  for (std::string_view topic : app::help_topics()) {
    EXPECT_LE(widest(std::string(app::help_topic(topic))), 100u) << topic;
  }
}

TEST(Documents, every_face_of_the_registry_has_every_flag) {
  const std::string man = man_page("1.0"), pages = reference();
  const std::string bash = completion("bash"), zsh = completion("zsh"), fish = completion("fish");
  for (const app::Verb& verb : app::verbs()) {
    for (const std::string* text : {&man, &pages, &bash, &zsh, &fish}) EXPECT_IN(verb.name, *text);
    for (const app::Option& option : verb.options) {
      if (option.positional) continue;
      const std::string flag = app::flag_of(option);
      EXPECT_IN("`" + flag, pages);
      EXPECT_IN(flag + " ", bash);
      EXPECT_IN(flag + "[", zsh);
      EXPECT_IN("-l " + flag.substr(2) + " ", fish);
      std::string roff = flag;
      for (std::size_t at = 0; (at = roff.find('-', at)) != std::string::npos; at += 2)
        roff.insert(at, 1, '\\');
      EXPECT_IN(roff, man);
    }
  }
  EXPECT_TRUE(completion("tcsh").empty());
}

}  // namespace
}  // namespace portolan::cli
