// Where the headline figures of a simulation come from.
#pragma once

#include <vector>

#include "app/simulate.hpp"

namespace portolan::app {

std::vector<Derivation> explain_simulation(const SimulateResult& result);

}  // namespace portolan::app
