// What every fuzz target of a reader demands beyond not crashing.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.hpp"

namespace portolan::fuzz {

inline void require(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "contract broken: %s\n", what.c_str());
  std::abort();
}

/// A refusal blames the input, says what is wrong and, where `place` is asked for, where.
inline void check_refusal(const Error& error, bool place) {
  require(exit_code(error.code) == 4, "refused as " + std::string(code_name(error.code)));
  require(!error.message.empty(), "refused without a message");
  require(!place || error.where.line > 0 || !error.where.offset.empty(),
          "refused without a place: " + error.message);
  for (const char c : format_error(error)) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 || c == '\n', "a message holds control characters");
  }
}

}  // namespace portolan::fuzz
