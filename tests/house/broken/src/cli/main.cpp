#include "base/up.hpp"
#include "model/model.hpp"
int main() { std::exit(0); }
