#include "app/request.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace portolan::app {

Result<void> finish_request(io::Fields& fields, io::Problems& problems) {
  fields.finish();
  if (problems.errors.empty()) return {};
  for (Error& error : problems.errors) {
    // A request has no lines of its own; the pointer "/kv_dtype" is the flag "--kv-dtype".
    if (error.where.line == 0 && error.where.pointer.size() > 1 && error.where.argument.empty()) {
      std::string argument = "--" + error.where.pointer.substr(1);
      std::replace(argument.begin(), argument.end(), '_', '-');
      error.where.argument = std::move(argument);
    }
  }
  return fail(combine(std::move(problems.errors), "the request"));
}

bool flag(io::Fields& fields, std::string_view key) { return fields.boolean(key).value_or(false); }

std::vector<std::string> text_list(io::Fields& fields, std::string_view key) {
  std::vector<std::string> out;
  for (const std::string& text : fields.texts(key).value_or(std::vector<std::string>{})) {
    for (std::string_view part : split(text, ',')) {
      if (!trim(part).empty()) out.emplace_back(trim(part));
    }
  }
  return out;
}

}  // namespace portolan::app
