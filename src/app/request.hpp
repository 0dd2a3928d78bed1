// Shared steps of reading a verb's request object into its struct.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/fields.hpp"

namespace portolan::app {

/// Ends reading: unknown keys are reported, and all problems of the request become one error. A request typed as flags names the flag
/// of each problem ("--batch") besides its key.
Result<void> finish_request(io::Fields& fields, io::Problems& problems);

/// A flag given as text or a JSON boolean.
bool flag(io::Fields& fields, std::string_view key);

/// Splits every text at commas: `--provider aws,lambda` is a list of two.
std::vector<std::string> text_list(io::Fields& fields, std::string_view key);


}  // namespace portolan::app
