int unexplained;
#include "io/json.hpp"
