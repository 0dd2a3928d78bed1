// The derivations behind `estimate --explain`.
#pragma once

#include <vector>

#include "app/context.hpp"
#include "app/estimate.hpp"
#include "base/derivation.hpp"

namespace portolan::app {

std::vector<Derivation> explain_estimate(const EstimateRequest& request,
                                         const EstimateResult& result, const Context& context);

}  // namespace portolan::app
