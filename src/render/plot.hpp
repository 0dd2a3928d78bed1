// Cost against latency as a text plot and as SVG, with the Pareto front marked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/plan.hpp"

namespace portolan::render {

struct PlotPoint {
  double x = 0, y = 0;  // cost, latency; both above 0
  bool front = false, winner = false;
  std::string label;
};

/// The points of a plan: cost per hour or in all, against p95 TTFT or duration; empty when fewer
/// than two plans have both.
std::vector<PlotPoint> plot_points(const planner::PlanResult& result, std::string* x_title,
                                   std::string* y_title);

/// At most 80 characters wide (`width`, 0 = no limit) with axes; logarithmic where an axis spans
/// more than a decade.
std::string text_plot(const std::vector<PlotPoint>& points, const std::string& x_title,
                      const std::string& y_title, std::size_t width, bool unicode);

/// A stand-alone SVG document (no scripts, no external references), 760 × 460.
std::string svg_plot(const std::vector<PlotPoint>& points, const std::string& title,
                     const std::string& x_title, const std::string& y_title);

/// Text as content or attribute of an SVG: no control characters, &<>" as entities.
std::string xml_escaped(std::string_view text);

}  // namespace portolan::render
