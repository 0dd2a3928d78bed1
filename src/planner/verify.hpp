// Plans proved by simulation: the cheapest ones are run against the job's traffic, request by
// request, and put in order by what the simulations say.
#pragma once

#include "base/result.hpp"
#include "planner/market_view.hpp"
#include "planner/plan.hpp"

namespace portolan::planner {

/// Simulates the `options.verify` cheapest plans of a serving or batch job, and further ones while
/// none holds or a plan that is not simulated would be cheaper than the cheapest one that holds, at
/// most four times as many. Fills Plan::verified and puts the plans in order: those that hold by
/// what they cost for the rate proved, those that fail, the rest; without any that holds, those
/// that fail come last. Training: a warning, nothing is simulated.
///
/// A serving plan: the largest rate at which every target of the job holds, by bisection to 1 %,
/// capped at the job's utilisation of the throughput of a replica that always has work; at most
/// four replicas behind a router that takes the one with the fewest requests, at the planned load
/// per replica; means over four seeds. A batch plan: its requests, all there at the start.
/// Errors: `cancelled`.
Result<void> verify(PlanResult& result, const Market& market, const Filter& filter,
                    const PlanOptions& options);

}  // namespace portolan::planner
