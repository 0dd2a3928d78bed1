#include "base/error.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"

namespace portolan {
namespace {

constexpr std::size_t kMostProblems = 50;

struct CodeRow {
  std::string_view name;
  int exit;
  int http;
  int basic;  // the lower, the more basic: 1 before 2 before 4 before 6 before 3 before 5
};

// In the order of ErrorCode.
constexpr std::array<CodeRow, 13> kCodes{{{"internal", 1, 500, 0},
                                          {"usage", 2, 400, 1},
                                          {"infeasible", 3, 200, 4},
                                          {"malformed", 4, 400, 2},
                                          {"invalid_input", 4, 422, 2},
                                          {"not_found", 4, 404, 2},
                                          {"conflict", 4, 409, 2},
                                          {"limit", 4, 413, 2},
                                          {"policy", 5, 200, 5},
                                          {"io", 1, 500, 0},
                                          {"unavailable", 6, 503, 3},
                                          {"timeout", 6, 503, 3},
                                          {"cancelled", 130, 200, 6}}};

const CodeRow& row(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  PORTOLAN_CHECK(index < kCodes.size());
  return kCodes[index];
}

// The place of one problem in a list: short, because the pointer repeats what the message names.
std::string short_place(const Where& where) {
  if (where.line > 0 || where.pointer.empty()) {
    Where place = where;
    place.pointer.clear();
    return place.text();
  }
  return where.file.empty() ? where.pointer : where.file + ": " + where.pointer;
}

}  // namespace

std::string_view code_name(ErrorCode code) { return row(code).name; }
int exit_code(ErrorCode code) { return row(code).exit; }
int http_status(ErrorCode code) { return row(code).http; }

bool Where::empty() const {
  return file.empty() && line == 0 && pointer.empty() && argument.empty() && offset.empty();
}

std::string Where::text() const {
  if (!argument.empty()) return printable(argument);
  if (!offset.empty()) return offset;
  std::string place = printable(file);
  if (line > 0) {
    if (place.empty()) place = "line ";
    if (!file.empty()) place += ':';
    place += std::to_string(line);
    if (column > 0) place += ':' + std::to_string(column);
  }
  if (!pointer.empty()) {
    const std::string shown = printable(pointer);
    place += place.empty() ? shown : " (" + shown + ")";
  }
  return place;
}

Error combine(std::vector<Error> problems, std::string_view what) {
  PORTOLAN_CHECK(!problems.empty());
  std::stable_sort(problems.begin(), problems.end(), [](const Error& a, const Error& b) {
    return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
  });
  if (problems.size() == 1) return std::move(problems.front());
  Error all;
  all.message = std::to_string(problems.size()) + " problems in " + std::string(what);
  all.code = std::min_element(problems.begin(), problems.end(), [](const Error& a, const Error& b) {
               return row(a.code).basic < row(b.code).basic;
             })->code;
  all.where.file = problems.front().where.file;
  if (problems.size() > kMostProblems) {
    all.why = "the first " + std::to_string(kMostProblems) + " are shown";
    problems.resize(kMostProblems);
  }
  all.also = std::move(problems);
  return all;
}

std::string format_error(const Error& error) {
  std::string text = "error: " + error.message + '\n';
  if (!error.also.empty()) {
    std::vector<std::string> places;
    std::size_t width = 0;
    for (const Error& problem : error.also) {
      places.push_back(short_place(problem.where));
      width = std::max(width, places.back().size());
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
      const Error& problem = error.also[i];
      text += "  " + places[i];
      if (width > 0) text.append(width + 2 - places[i].size(), ' ');
      text += problem.message;
      if (!problem.why.empty()) text += " (" + problem.why + ")";
      if (!problem.hint.empty()) text += "; " + problem.hint;
      text += '\n';
    }
  } else if (const std::string place = error.where.text();
             !place.empty() && error.message.find(place) == std::string::npos) {
    text += "  where: " + place + '\n';  // unless the message has said it
  }
  if (!error.why.empty()) text += "  why:   " + error.why + '\n';
  if (!error.hint.empty()) text += "  try:   " + error.hint + '\n';
  return text;
}

}  // namespace portolan
