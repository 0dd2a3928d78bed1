#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"

namespace portolan::cli {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    const std::string lower = to_lower(value);
    return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
  }
  // No locale at all, as in a bare container: today's terminals and files are UTF-8.
  return true;
}

std::size_t width() {
  constexpr std::size_t kWidest = 100;
  if (const auto columns = parse_int(environment("COLUMNS")); columns && *columns >= 20) {
    return std::min<std::size_t>(kWidest, static_cast<std::size_t>(*columns));
  }
  if (!stdout_is_terminal()) return 0;  // a pipe gets everything
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
    return std::min<std::size_t>(kWidest, size.ws_col);
  return 80;
}

}  // namespace

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

render::Style terminal_style(const Common& common) {
  render::Style style;
  style.width = width();
  style.unicode = !common.ascii && utf8_locale();
  style.header = !common.no_header;
  const std::string_view force = environment("CLICOLOR_FORCE");
  if (common.color != "auto") {
    style.color = common.color == "always";
  } else if (!environment("NO_COLOR").empty()) {
    style.color = false;
  } else if (!force.empty() && force != "0") {
    style.color = true;
  } else {
    style.color =
        stdout_is_terminal() && environment("TERM") != "dumb" && !environment("TERM").empty();
  }
  return style;
}

}  // namespace portolan::cli
