// Result<T>: a value or an Error, and the macro that unwraps it.
#pragma once

#include <expected>
#include <utility>

#include "base/error.hpp"

namespace portolan {

template <class T>
using Result = std::expected<T, Error>;

/// Shorthand for returning an error from a function that returns a Result.
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }
inline std::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {}) {
  return std::unexpected<Error>(Error{.code = code,
                                      .message = std::move(message),
                                      .where = {},
                                      .why = {},
                                      .hint = std::move(hint),
                                      .also = {}});
}

}  // namespace portolan

#define PORTOLAN_CONCAT_(a, b) a##b
#define PORTOLAN_CONCAT(a, b) PORTOLAN_CONCAT_(a, b)
#define PORTOLAN_TRY_(name, expr)                               \
  __extension__({                                               \
    auto&& name = (expr);                                       \
    if (!name) return std::unexpected(std::move(name).error()); \
    *std::move(name);                                           \
  })
/// `auto x = PORTOLAN_TRY(f());` unwraps or returns the error. For Result<void> use PORTOLAN_DO.
#define PORTOLAN_TRY(expr) PORTOLAN_TRY_(PORTOLAN_CONCAT(try_result_, __COUNTER__), expr)
#define PORTOLAN_DO(expr)                                                   \
  do {                                                                      \
    auto&& do_result_ = (expr);                                             \
    if (!do_result_) return std::unexpected(std::move(do_result_).error()); \
  } while (false)
