// Writes requests as a BLIS TraceV2, so that the same traffic can be given to that simulator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "simulation/source.hpp"

namespace portolan::simulation {

/// The YAML header and the CSV of rows, in two files as BLIS reads them; names by the numbers that
/// requests have (missing ones: "" for models, "standard" for classes). Times are rounded to
/// microseconds. Content ids that do not reach the end of a prompt are written as its prefix group;
/// others have no place in the format and are left out. Follow-ups of reactive sources are no part
/// of it. Returns the number of rows. Errors: those of the source and of writing.
Result<std::uint64_t> write_blis_trace(Source& source, const std::vector<std::string>& models,
                                       const std::vector<std::string>& classes,
                                       const std::string& header_path, const std::string& rows_path,
                                       bool force);

}  // namespace portolan::simulation
