// How a checkpoint stores its weights: dtype and quantisation_config of a config.
#pragma once

#include "model/architecture.hpp"
#include "model/config_reader.hpp"

namespace portolan::model {

/// Fills weights, unquantised, quantised_* and dtype_name; unknown methods become notes.
void read_storage(ConfigReader& config, Architecture& model);

}  // namespace portolan::model
