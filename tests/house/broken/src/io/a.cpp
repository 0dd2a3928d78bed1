#include <yaml-cpp/yaml.h>

#include "base/absent.hpp"
#include "json.hpp"
