// Predicted against measured as SVG, and point by point as CSV.
#pragma once

#include <span>
#include <string>

#include "measure/score.hpp"

namespace portolan::render {

/// A stand-alone SVG document (no scripts, no external references): both axes logarithmic, one
/// panel per metric of a set, the diagonal, a band of ±20 %, a colour per group with a legend of
/// the largest groups.
std::string score_plot(std::span<const measure::ScoredPoint> points, const std::string& title);

/// set, group, metric, label, measured, predicted, low, high, ape, tier, reason, source.
std::string score_rows(std::span<const measure::ScoredPoint> points, bool guard_formulas);

}  // namespace portolan::render
