// Finds what may not stand in a text at all: bytes that are not UTF-8 and control characters.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/tree_builder.hpp"

namespace portolan::io {

struct TextFault {
  std::string what;
  Place place;
};

/// The first fault, or nullopt. Tab, line feed and carriage return are no faults.
std::optional<TextFault> find_text_fault(std::string_view text);

}  // namespace portolan::io
