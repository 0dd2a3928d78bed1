#include <yaml-cpp/yaml.h>
#include "json.hpp"
#include "base/absent.hpp"
