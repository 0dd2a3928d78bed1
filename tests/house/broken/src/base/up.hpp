int unexplained;
#include "io/json.hpp"
#include "base/up.hpp"
