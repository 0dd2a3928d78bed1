// An axis of a plot: from data to [0, 1], with round ticks.
#pragma once

#include <string>
#include <vector>

namespace portolan::render {

struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  [[nodiscard]] double at(double value) const;
  [[nodiscard]] std::vector<double> ticks() const;
};

/// With some air around the data; logarithmic above a decade.
Axis axis_of(double low, double high);

std::string tick_text(double value);

}  // namespace portolan::render
