// The seam for time: base may read a clock, and abort, but not the environment.
#include <chrono>
#include <cstdlib>
auto now() { return std::chrono::steady_clock::now(); }
void stop() { std::abort(); }
const char* home() { return std::getenv("HOME"); }
