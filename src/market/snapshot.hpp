// The snapshot as bytes: what the tool writes at build time and the program opens at start.
#pragma once

#include <string>
#include <string_view>

#include "market/data.hpp"

namespace portolan::market {

/// Columnar, dictionary-coded, compressed. The same data gives the same bytes.
std::string encode(const Catalogue::Data& data);

/// Errors: malformed (not a snapshot of this version, or damaged), limit.
Result<Catalogue::Data> decode(std::string_view bytes, const std::string& file);
bool is_snapshot(std::string_view bytes);
/// Tables as `decode` expects to find them: compressed, behind the mark of this version.
std::string wrapped(std::string_view tables);

}  // namespace portolan::market
