#include "app/left_out.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace portolan::app {

std::vector<LeftOut> left_out_of(std::span<const measure::CalibrationLine> lines,
                                 bool by_accelerator) {
  using measure::CalibrationLine;
  struct Figure {
    double CalibrationLine::* from;
    std::optional<double> LeftOut::* to;
  };
  static constexpr std::array<Figure, 4> kFigures = {
      {{&CalibrationLine::median_point, &LeftOut::median_point},
       {&CalibrationLine::p90_point, &LeftOut::p90_point},
       {&CalibrationLine::median_site, &LeftOut::median_site},
       {&CalibrationLine::p90_site, &LeftOut::p90_site}}};
  struct Part {
    LeftOut pooled;
    std::array<double, kFigures.size()> rows{};  // of curves that have the figure
  };
  std::map<std::pair<std::string, std::string>, Part> parts;
  for (const CalibrationLine& line : lines) {
    Part& part = parts[{line.key.op, by_accelerator ? line.key.accelerator : std::string()}];
    LeftOut& pooled = part.pooled;
    pooled.op = line.key.op;
    if (by_accelerator) pooled.accelerator = line.key.accelerator;
    ++pooled.curves;
    pooled.rows += line.rows;
    pooled.rejected += line.rejected;
    for (std::size_t f = 0; f < kFigures.size(); ++f) {
      const double value = line.*kFigures[f].from;
      if (!(value > 0)) continue;  // nothing could be left out of this curve
      auto& sum = pooled.*kFigures[f].to;
      const auto weight = static_cast<double>(std::max<std::size_t>(1, line.rows));
      sum = sum.value_or(0) + weight * value;
      part.rows[f] += weight;
    }
  }
  std::vector<LeftOut> out;
  out.reserve(parts.size());
  for (auto& [key, part] : parts) {
    for (std::size_t f = 0; f < kFigures.size(); ++f) {
      if (auto& sum = part.pooled.*kFigures[f].to) *sum /= part.rows[f];
    }
    out.push_back(std::move(part.pooled));
  }
  return out;
}

}  // namespace portolan::app
