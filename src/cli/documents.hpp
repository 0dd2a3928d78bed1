// Texts made from the option registry: help, completion scripts, man page, reference.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "app/registry.hpp"

namespace portolan::cli {

/// Commands that print a text instead of answering a question.
struct Extra {
  std::string_view name, arguments, help;
};
std::span<const Extra> extras();

std::string first_screen();                               // twelve lines, without arguments
std::string overview();                                   // --help
std::string verb_help(const app::Verb& verb, bool full);  // -h is one screen, --help complete
std::string completion(std::string_view shell);           // bash, zsh, fish; empty for others
std::string man_page(std::string_view version);           // roff
std::string reference();                                  // Markdown of every command and option

}  // namespace portolan::cli
