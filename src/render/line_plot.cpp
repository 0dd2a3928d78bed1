#include "render/line_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "render/axis.hpp"
#include "render/plot.hpp"

namespace portolan::render {
namespace {

constexpr double kWidth = 640, kHeight = 300, kLeft = 64, kRight = 16, kTop = 48, kBottom = 46;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr std::size_t kColours = 6;

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void take(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

double px(const Axis& axis, double x) {
  return kLeft + std::clamp(axis.at(x), 0.0, 1.0) * kPlotWidth;
}
double py(const Axis& axis, double y) {
  return kTop + (1 - std::clamp(axis.at(y), 0.0, 1.0)) * kPlotHeight;
}

std::string grid(const Axis& x, const Axis& y, const LinePlot& plot) {
  std::string out;
  double free_from = 0;
  for (const double tick : x.ticks()) {
    const double at = px(x, tick);
    out += fmt::format("<path class=\"g\" d=\"M{0:.1f} {1}V{2}\"/>", at, kTop, kTop + kPlotHeight);
    const std::string text = tick_text(tick);
    const double half = static_cast<double>(text.size()) * 3.4;
    if (at - half < free_from) continue;  // ticks of a logarithmic axis crowd
    free_from = at + half + 6;
    out += fmt::format("<text class=\"t\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                       at, kTop + kPlotHeight + 16, text);
  }
  for (const double tick : y.ticks()) {
    const double at = py(y, tick);
    out += fmt::format(
        "<path class=\"g\" d=\"M{0} {1:.1f}H{2}\"/>"
        "<text class=\"t\" x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>",
        kLeft, at, kLeft + kPlotWidth, kLeft - 6, at + 4, tick_text(tick));
  }
  out += fmt::format(
      "\n<text class=\"t\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>"
      "<text class=\"t\" transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}"
      "</text>\n",
      kLeft + kPlotWidth / 2, kHeight - 10, xml_escaped(plot.x_title), kTop + kPlotHeight / 2,
      xml_escaped(plot.y_title));
  return out;
}

std::string path(const Line& line, const Axis& x, const Axis& y, bool steps) {
  std::string out;
  bool drawing = false;
  double last = 0;
  for (const auto& [a, b] : line.points) {
    if (!std::isfinite(a) || !std::isfinite(b)) {
      drawing = false;
      continue;
    }
    const double at = px(x, a), up = py(y, b);
    if (!drawing) {
      out += fmt::format("M{:.1f} {:.1f}", at, up);
    } else if (steps) {
      if (up != last) out += fmt::format("H{:.1f}V{:.1f}", at, up);
    } else {
      out += fmt::format("L{:.1f} {:.1f}", at, up);
    }
    drawing = true;
    last = up;
  }
  if (steps && drawing) out += fmt::format("H{:.1f}", px(x, line.points.back().first));
  return out;
}

}  // namespace

std::string line_plot(const LinePlot& plot) {
  Range across, up;
  for (const Line& line : plot.lines) {
    for (const auto& [x, y] : line.points) {
      if (!std::isfinite(x) || !std::isfinite(y) || (plot.log_x && x <= 0)) continue;
      across.take(x);
      up.take(y);
    }
  }
  if (!(across.low <= across.high)) return {};
  Axis x{.low = across.low, .high = across.high, .logarithmic = plot.log_x};
  if (plot.log_x) {
    x.low /= 1.05;
    x.high *= 1.05;
  } else if (x.high <= x.low) {
    x.high = x.low + 1;
  }
  const double top = std::max(up.high, plot.least_top);
  const Axis y{.low = 0, .high = top > 0 ? top * 1.04 : 1, .logarithmic = false};

  std::string out = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n<text class=\"h\" x=\"{}\" "
      "y=\"16\">{}</text>\n",
      kWidth, kHeight, xml_escaped(plot.title), kLeft, xml_escaped(plot.title));
  out += grid(x, y, plot);
  double legend = kLeft;
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    const Line& line = plot.lines[i];
    const std::size_t colour = i % kColours;
    const std::string drawn = path(line, x, y, plot.steps);
    if (drawn.empty()) continue;
    out += fmt::format("<path class=\"l l{}\" d=\"{}\"/>\n", colour, drawn);
    out += fmt::format(
        "<path class=\"l l{0}\" d=\"M{1:.0f} 32h16\"/><text class=\"t\" x=\"{2:.0f}\" "
        "y=\"36\">{3}</text>\n",
        colour, legend, legend + 21, xml_escaped(line.name));
    legend += 40 + 6.6 * static_cast<double>(line.name.size());
  }
  return out + "</svg>\n";
}

}  // namespace portolan::render
