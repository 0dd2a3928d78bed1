#include <random>

#include "base/up.hpp"
#include "io/json.hpp"
std::random_device device;
void g() { std::abort(); }
