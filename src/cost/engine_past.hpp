// Records of engine versions that only old measurements used; private to this room.
#pragma once

#include <vector>

#include "cost/engine.hpp"

namespace portolan::cost {

/// Oldest version first.
std::vector<Engine> past_engines(EngineFamily family);

}  // namespace portolan::cost
