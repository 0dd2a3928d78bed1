// `validate article`: every golden value of the reference article recomputed by the engine, and the
// errata E1–E13.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"

namespace portolan::app {

/// One golden value: what the engine computes, what is expected, within which relative tolerance
/// and why.
struct Golden {
  std::string id;           // "G6.1"
  std::string requirement;  // "R6"
  std::string what;         // "2 · 1,024 · 175e9"
  double computed = 0, expected = 0;
  double tolerance = 1e-9;                 // relative
  std::string unit, reason, command;       // a command that prints it
  [[nodiscard]] double deviation() const;  // relative, signed
  [[nodiscard]] bool passes() const;
};

/// One erratum: the claim, what is wrong, what Portolan says (recomputed), which goldens prove it.
struct Erratum {
  std::string id, claim, problem, answer, explanation;
  std::vector<std::string> goldens;
};

struct ArticleResult {
  std::vector<Golden> goldens;
  std::vector<Erratum> errata;
  std::size_t failed = 0;
};
struct ArticleAnswer {
  ArticleResult result;
  Envelope envelope;
};
Result<ArticleAnswer> article(const Context& context);

/// The errata's prose with the figures of `goldens` put in.
std::vector<Erratum> errata(const std::vector<Golden>& goldens);

}  // namespace portolan::app
