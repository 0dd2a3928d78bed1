// The measured points inside the executable: our own tables of published figures (data/measured),
// and what other tools say of the same points.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "measure/table.hpp"

namespace portolan::measure {

struct ShippedSet {
  std::string_view name;  // "kernels", "blis" …
  TableKind layout = TableKind::kKernels;
  std::string_view what;  // one line for people
};
/// In the order they are listed.
std::span<const ShippedSet> shipped_sets();
const ShippedSet* find_shipped_set(std::string_view name);

/// The points of a set in the column layout that users' files come in, sources in full, and the
/// column `point` beside it. `points`
/// empty = all, else only those with these ids.
Result<Table> shipped_table(const ShippedSet& set, std::span<const std::string> points = {});

/// What another tool predicts for one shipped point; empty = nothing.
struct PeerPoint {
  std::string peer, set, point;
  std::optional<double> ttft_mean, tpot_mean, e2e_mean;  // ms; TPOT of "blis" is the mean ITL
  std::string source, date;
};
Result<std::vector<PeerPoint>> peer_points();

/// What another tool's authors published, or what running it gave, over a whole table. Fractions.
struct PeerFigure {
  std::string peer, set, group, metric, basis;  // "published", "reproduced"
  std::int64_t n = 0;
  std::optional<double> median_ape, mean_ape, p90_ape, bias;
  std::string source, date;
};
Result<std::vector<PeerFigure>> peer_figures();

}  // namespace portolan::measure
