#include "app/request.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "base/units_text.hpp"

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

std::string choice(io::Fields& fields, std::string_view key,
                   std::span<const std::string_view> allowed) {
  const std::string given = fields.text(key).value_or(std::string(allowed.front()));
  if (std::find(allowed.begin(), allowed.end(), given) == allowed.end()) {
    std::string list;
    for (std::string_view a : allowed) list += (list.empty() ? "" : ", ") + std::string(a);
    const std::string hint = did_you_mean(given, allowed);
    fields.problem(key, "unknown value " + quoted(given), hint.empty() ? "one of: " + list : hint);
  }
  return given;
}

std::optional<std::int64_t> age_days(io::Fields& fields, std::string_view key) {
  const std::optional<std::string> given = fields.text(key);
  if (!given) return std::nullopt;
  if (parse_double(*given)) {
    fields.problem(key, quoted(*given) + " has no unit", "write " + *given + "d");
    return std::nullopt;
  }
  const auto age = parse_duration(*given);
  if (!age) {
    fields.problem(key, age.error().message, age.error().hint);
    return std::nullopt;
  }
  return static_cast<std::int64_t>(std::floor(age->in(kDay)));
}

Result<std::string> known_name(std::string_view what, std::string_view argument,
                               const std::string& name, std::vector<std::string_view> known,
                               std::string_view list_command) {
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  const std::string lower = to_lower(name);
  for (std::string_view one : known) {
    if (to_lower(one) == lower) return std::string(one);
  }
  Error error{.code = ErrorCode::kNotFound,
              .message = "unknown " + std::string(what) + " " + quoted(name),
              .where = {},
              .why = {},
              .hint = did_you_mean(name, known),
              .also = {}};
  error.where.argument = argument;
  if (error.hint.empty()) error.hint = std::string(list_command) + " lists them";
  return fail(std::move(error));
}

}  // namespace portolan::app
