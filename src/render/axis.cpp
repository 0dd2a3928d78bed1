#include "render/axis.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"

namespace portolan::render {

double Axis::at(double value) const {
  return logarithmic ? (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low))
                     : (value - low) / (high - low);
}

std::vector<double> Axis::ticks() const {
  std::vector<double> out;
  if (logarithmic) {
    const int last = static_cast<int>(std::floor(std::log10(high)));
    for (int e = static_cast<int>(std::floor(std::log10(low))); e <= last; ++e) {
      const double decade = std::pow(10, e);
      for (double m : {1.0, 2.0, 5.0}) {
        const double v = decade * m;
        if (v >= low * 0.999 && v <= high * 1.001) out.push_back(v);
      }
    }
    return out;
  }
  const double rough = (high - low) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power;
  for (double m : {1.0, 2.0, 5.0, 10.0}) {
    step = power * m;
    if (step >= rough) break;
  }
  const double first = std::ceil(low / step);
  const double last = std::floor(high / step + 1e-9);
  for (int i = 0; first + i <= last; ++i) out.push_back((first + i) * step);
  return out;
}

Axis axis_of(double low, double high) {
  Axis axis;
  axis.logarithmic = low > 0 && high / low > 10;
  if (axis.logarithmic) {
    axis.low = low / 1.1;
    axis.high = high * 1.1;
  } else {
    const double pad = high > low ? (high - low) * 0.06 : std::max(high * 0.1, 1e-9);
    axis.low = std::max(0.0, low - pad);
    axis.high = high + pad;
  }
  return axis;
}

std::string tick_text(double value) { return significant(value, 3); }

}  // namespace portolan::render
