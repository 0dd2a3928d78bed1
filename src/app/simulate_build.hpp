// From what a request of `simulate` names to what runs: engines on machines, prices.
#pragma once

#include <vector>

#include "app/simulate.hpp"

namespace portolan::app {

struct Built {
  simulation::Scenario scenario;
  std::vector<PoolFacts> facts;  // of each pool
};
/// Adds assumptions, sources and warnings to the envelope. Errors: unknown names (with the flag or
/// the place in the scenario), infeasible when a model does not fit.
Result<Built> build_scenario(const SimulateRequest& request, const Context& context,
                             Envelope& envelope);

}  // namespace portolan::app
