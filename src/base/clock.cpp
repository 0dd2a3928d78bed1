#include "base/clock.hpp"

#include <chrono>

namespace portolan {

Seconds monotonic_now() {
  return Seconds(
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

}  // namespace portolan
