// Deterministic parallel loops: each index writes its own slot, so results do not depend on the
// number of threads.
#pragma once

#include <cstddef>
#include <functional>

namespace portolan {

/// Calls body(i) for i in [0, count) on up to `threads` threads (0 = hardware). body must only
/// write to slot i. Exceptions of body are rethrown (the one of the lowest index).
void parallel_for(std::size_t count, unsigned threads,
                  const std::function<void(std::size_t)>& body);

}  // namespace portolan
