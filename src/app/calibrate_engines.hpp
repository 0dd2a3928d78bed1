// Host times of engines from a user's tables of serving points; part of `calibrate`.
#pragma once

#include <span>

#include "app/calibrate.hpp"
#include "measure/table.hpp"

namespace portolan::app {

/// Fits every engine version that enough points of `tables` (both serving layouts) name, adds its
/// record to `profile` and what is to be reported to `answer`; what cannot be fitted is a warning
/// there. Errors: those of reading the tables; invalid_input where no engine can be fitted.
Result<void> calibrate_engines(std::span<const measure::Table* const> tables,
                               const Context& context, cost::Profile& profile,
                               CalibrateAnswer& answer);

}  // namespace portolan::app
