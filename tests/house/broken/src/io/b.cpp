#include <yaml-cpp/yaml.h>

#include <regex>
// std::exit(1) in a comment and "abort()" in a text are no calls.
const char* text = "exit(1)"; /* getenv("X") */
/* std::random_device
   std::abort(); */
void f() { std::exit(1); }
// TODO later
