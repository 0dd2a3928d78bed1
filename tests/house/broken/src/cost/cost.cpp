#include "base/up.hpp"
#include "hardware/chip.hpp"
