#include "app/answer.hpp"

#include <algorithm>
#include <utility>

namespace portolan::app {

void Envelope::assume(std::string key, io::Value value, std::string origin, std::string flag,
                      std::string source) {
  assumptions.push_back(
      {std::move(key), std::move(value), std::move(origin), std::move(flag), std::move(source)});
}

void Envelope::cite(std::string id, std::string what, std::string reference, std::string date) {
  const bool known =
      std::any_of(sources.begin(), sources.end(), [&](const Source& s) { return s.id == id; });
  if (!known) {
    sources.push_back({std::move(id), std::move(what), std::move(reference), std::move(date)});
  }
}

}  // namespace portolan::app
