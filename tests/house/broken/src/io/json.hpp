// Includes a heavy header where every reader pays for it.
#include <nlohmann/json.hpp>
