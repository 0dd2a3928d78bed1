#include "base/up.hpp"
#include "io/json.hpp"
#include <random>
std::random_device device;
void g() { std::abort(); }
