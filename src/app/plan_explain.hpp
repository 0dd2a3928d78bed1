// The derivations behind `plan --explain`: how the winner's cost, replicas and latency come about.
#pragma once

#include <vector>

#include "app/context.hpp"
#include "base/derivation.hpp"
#include "planner/plan.hpp"

namespace portolan::app {

std::vector<Derivation> explain_plan(const planner::PlanResult& result, const Context& context);

}  // namespace portolan::app
