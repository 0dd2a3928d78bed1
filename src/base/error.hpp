// What a user is told when something cannot be done: a closed set of codes, a sentence, a place and
// a fix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portolan {

/// Closed set. Exit code and HTTP status are fixed per code (`exit_code`, `http_status`).
enum class ErrorCode : std::uint8_t {
  kInternal,      // a bug, out of memory: 1, 500
  kUsage,         // unknown verb or flag, malformed argument: 2, 400
  kInfeasible,    // a valid question without a plan: 3, 200
  kMalformed,     // bytes are not the format they claim to be: 4, 400
  kInvalidInput,  // parses, but breaks the schema or makes no sense: 4, 422
  kNotFound,      // file, plan or key does not exist or may not be read: 4, 404
  kConflict,      // output exists without --force …: 4, 409
  kLimit,         // larger, deeper or longer than a stated cap; arithmetic out of range: 4, 413
  kPolicy,        // the user's threshold is exceeded: 5, 200
  kIo,            // disk full, write error, read error midway: 1, 500
  kUnavailable,   // a source did not answer: 6, 503
  kTimeout,       // 6, 503
  kCancelled      // SIGINT: 130
};

std::string_view code_name(ErrorCode code);  // "invalid_input", …
int exit_code(ErrorCode code);
int http_status(ErrorCode code);

/// Where the problem is: a file position (line and column count from 1, 0 = unknown), a JSON
/// pointer inside a document, or a command-line argument. All empty = nowhere in particular.
struct Where {
  std::string file;
  std::uint64_t line = 0, column = 0;
  std::string pointer;   // "/where/gpus/0"
  std::string argument;  // "--gpu"
  std::string offset;    // "byte 8", for binary files
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::string text() const;  // "job.yaml:9:12 (/where/gpus/0)"
};

/// Message style: lower case, no full stop, the thing and the value named. `why` is the rule that
/// was broken with its numbers, `hint` an edit or command that works. `also` holds further problems
/// of the same input (at most 49).
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  Where where;
  std::string why;
  std::string hint;
  std::vector<Error> also;
};

/// Merges several problems of one input into one Error ("3 problems in job.yaml", problems in
/// `also`); one stays itself.
Error combine(std::vector<Error> problems, std::string_view what);

/// The four-part text of experience.md §5, ending in a newline: "error: …\n  where: …\n  why:   …\n
/// try:   …\n".
std::string format_error(const Error& error);

}  // namespace portolan
