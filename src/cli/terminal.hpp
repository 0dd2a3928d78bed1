// What kind of place the answer goes to: width, colour, characters.
#pragma once

#include "cli/arguments.hpp"
#include "render/table.hpp"

namespace portolan::cli {

/// Follows --color, --ascii, NO_COLOR, CLICOLOR_FORCE, TERM, COLUMNS and the locale (experience.md
/// §4).
render::Style terminal_style(const Common& common);
bool stdout_is_terminal();
bool stderr_is_terminal();

}  // namespace portolan::cli
