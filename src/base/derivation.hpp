// The derivation tree behind --explain: each figure can carry the formula, the numbers put in, and
// their sources.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace portolan {

/// One figure: what it is, its value as a plain number in `unit`, the formula with symbols, the
/// same formula with the numbers put in, where an input came from, and the inputs themselves.
struct Derivation {
  std::string name;             // "forward FLOP"
  std::optional<double> value;  // unknown stays unknown
  std::string unit;             // "FLOP", "bytes", "s", "USD/h"
  std::string formula;          // "2 · n · p"
  std::string substituted;      // "2 · 1,024 · 1.75e11"
  std::string source;  // "arXiv 2001.08361 §2.1" or a catalogue row; empty for intermediate figures
  std::string date;    // of the source
  std::string kind;    // "measured" | "estimate" | "opinion" | "fact" | "assumption"; may be empty
  std::string note;
  std::vector<Derivation> inputs;
};

/// A figure that follows from others by a formula.
inline Derivation estimated(std::string name, double value, std::string unit, std::string formula,
                            std::string substituted, std::vector<Derivation> inputs = {}) {
  return {.name = std::move(name),
          .value = value,
          .unit = std::move(unit),
          .formula = std::move(formula),
          .substituted = std::move(substituted),
          .source = {},
          .date = {},
          .kind = "estimate",
          .note = {},
          .inputs = std::move(inputs)};
}

}  // namespace portolan
