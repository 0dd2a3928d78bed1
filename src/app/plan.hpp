// `plan`: reads a job and searches the market for the cheapest feasible ways to run it.
#pragma once

#include <optional>
#include <string>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "planner/plan.hpp"

namespace portolan::app {

struct PlanRequest {
  planner::Job job;
  io::Value
      document;  // the job as it was written, for places of problems and for the answer's request
  std::string file;  // it came from; empty when the request held it
  std::int64_t top = 10;
  std::int64_t verify = 0;  // so many of the cheapest plans are simulated
  bool explain = false;
  std::optional<std::int64_t> max_price_age_days;
};
/// `request.job` is the job document itself (an object) or the path of a file ("-" = stdin).
Result<PlanRequest> read_plan(const io::Value& request);

struct PlanAnswer {
  planner::PlanResult result;
  std::size_t shown = 0;  // rows of result.plans that were asked for; the chart shows all
  Envelope envelope;
  std::optional<Error>
      policy;  // --max-price-age exceeded: the answer is still printed, exit code 5
};
Result<PlanAnswer> plan(const PlanRequest& request, const Context& context);

}  // namespace portolan::app
