// The clock seam: how long something took. Nothing but timing fields may depend on it.
#pragma once

#include "base/quantity.hpp"

namespace portolan {

/// Monotonic time since an arbitrary start.
Seconds monotonic_now();

}  // namespace portolan
