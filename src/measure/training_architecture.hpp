// The architecture a row of a training table describes: by its columns, by a known name, or by its
// number of parameters alone.
#pragma once

#include <optional>

#include "measure/table.hpp"
#include "model/architecture.hpp"
#include "model/library.hpp"

namespace portolan::measure {

/// Columns describe a plain decoder wholly. A mixture of experts, latent, hybrid or sparse
/// attention and missing dimensions need the known model of that name; where there is none, the
/// columns are completed with the usual choices and the coverage is lowered. nullopt when not even
/// a number of parameters is given.
std::optional<model::Architecture> training_architecture(const TableRow& row,
                                                         const model::Library& models);

}  // namespace portolan::measure
