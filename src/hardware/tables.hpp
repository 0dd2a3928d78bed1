// Reads the accelerator and alias tables (CSV text) into values; used when the snapshot is built.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hardware/accelerator.hpp"

namespace portolan::hardware {

/// data/accelerators.csv. Errors (invalid_input): a missing column, a cell that is no number, with
/// file and line.
Result<std::vector<Accelerator>> read_accelerators(std::string_view csv, const std::string& file);
/// data/accelerator_aliases.csv.
Result<std::vector<Accelerators::Alias>> read_aliases(std::string_view csv,
                                                      const std::string& file);

Result<LinkKind> parse_link_kind(std::string_view name);  // "none", "switched", …
std::string_view link_kind_name(LinkKind kind);

}  // namespace portolan::hardware
