// Lines over a common axis as an SVG element for a page whose style sheet names the colours.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace portolan::render {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by x; gaps where a value is not finite
};

struct LinePlot {
  std::string title, x_title, y_title;
  std::vector<Line> lines;
  bool log_x = false;    // all x above 0
  bool steps = false;    // a value holds until the next point
  double least_top = 0;  // the y axis reaches at least so far, and begins at 0
};

/// 640 × 300, lines of classes l0 … l5, text and grid of classes t and g; empty without a point.
std::string line_plot(const LinePlot& plot);

}  // namespace portolan::render
