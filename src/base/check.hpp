// PORTOLAN_CHECK guards invariants that no input may break; it stays on in release and means a bug.
#pragma once

#include <stdexcept>
#include <string>

namespace portolan {
/// Thrown by PORTOLAN_CHECK; caught once in main (exit 1) and once per HTTP request (500).
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  throw InternalError(std::string("internal check failed: ") + condition + " at " + file + ":" +
                      std::to_string(line));
}
}  // namespace portolan

#define PORTOLAN_CHECK(condition)                                                    \
  do {                                                                               \
    if (!(condition)) ::portolan::check_failed(#condition, __FILE_NAME__, __LINE__); \
  } while (false)
