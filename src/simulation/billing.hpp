// What a machine costs for the time it is kept: whole nano-dollars, so that parts add up to totals.
#pragma once

#include <cstdint>

#include "simulation/request.hpp"

namespace portolan::simulation {

struct Price {
  std::int64_t nano_usd_per_hour = 0;
  Time quantum = 0, minimum = 0;  // billed at least `minimum`, in whole quanta
};

/// Rounded up to whole quanta after the minimum.
Time billed(const Price& price, Time kept);
/// Of a billed time, rounded to the nearest nano-dollar (halves up).
std::int64_t nano_usd(const Price& price, Time billed);

}  // namespace portolan::simulation
