int unexplained;
#include "base/up.hpp"
#include "io/json.hpp"
