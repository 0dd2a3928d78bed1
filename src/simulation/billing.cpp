#include "simulation/billing.hpp"

#include <algorithm>

namespace portolan::simulation {

Time billed(const Price& price, Time kept) {
  const Time least = std::max(kept, price.minimum);
  if (price.quantum <= 0) return least;
  return (least + price.quantum - 1) / price.quantum * price.quantum;
}

std::int64_t nano_usd(const Price& price, Time billed) {
  __extension__ using Wide = __int128;
  constexpr Wide kHour = Wide{3600} * kSecond;
  return static_cast<std::int64_t>((Wide{price.nano_usd_per_hour} * billed + kHour / 2) / kHour);
}

}  // namespace portolan::simulation
