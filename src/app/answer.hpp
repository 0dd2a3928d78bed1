// What every verb returns: its result beside the assumptions, sources, warnings and derivations
// that a reader needs to judge it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/date.hpp"
#include "base/derivation.hpp"
#include "io/value.hpp"

namespace portolan::app {

/// A value the answer rests on that the user may change: `flag` says how.
struct Assumption {
  std::string key;  // with the unit in it: "price_usd_per_accelerator_hour"
  io::Value value;
  std::string origin;  // "default", "flag", "job", "derived"
  std::string flag;    // "--price"
  std::string source;  // where a default comes from
};

/// Who said something, and when; figures refer to it by id.
struct Source {
  std::string id, what, reference, date;
};

/// Everything of an answer but its result.
struct Envelope {
  std::string command;
  io::Value request;  // normalised: defaults filled in
  std::optional<Date> catalogue_date, oldest_price_date;
  std::vector<Assumption> assumptions;
  std::vector<Source> sources;
  std::vector<std::string> warnings;
  std::vector<Derivation> derivations;  // only with --explain
  void assume(std::string key, io::Value value, std::string origin, std::string flag,
              std::string source = {});
  void cite(std::string id, std::string what, std::string reference, std::string date);
};

}  // namespace portolan::app
