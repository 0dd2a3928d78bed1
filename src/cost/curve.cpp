#include "cost/curve.hpp"

#include <algorithm>
#include <cmath>

namespace portolan::cost {
double power_norm(double a, double b, double p) {
  const double high = std::max(a, b), low = std::min(a, b);
  if (high <= 0.0) return 0.0;
  if (p == 2.0) return std::sqrt(a * a + b * b);
  if (p == 4.0) return std::sqrt(std::sqrt(a * a * (a * a) + b * b * (b * b)));
  const double ratio = low / high;
  if (ratio < 1e-4) return high;
  return high * std::pow(1.0 + std::pow(ratio, p), 1.0 / p);
}

std::size_t Grid::size() const {
  std::size_t cells_needed = 1;
  for (const auto& axis : knots)
    if (!axis.empty()) cells_needed *= axis.size();
  return cells_needed;
}

Grid::Corners Grid::corners(const std::array<float, kCurveAxes>& at) const {
  Corners found;
  found.cell[0] = 0;
  found.weight[0] = 1.0F;
  found.count = 1;
  for (std::size_t a = 0; a < kCurveAxes; ++a) {
    const auto& axis = knots[a];
    if (axis.empty()) continue;
    const auto n = static_cast<std::uint32_t>(axis.size());
    std::uint32_t low = 0;
    float share = 0;
    if (n > 1 && at[a] > axis.front()) {
      if (at[a] >= axis.back()) {
        low = n - 2;
        share = 1;
      } else {
        low = static_cast<std::uint32_t>(std::upper_bound(axis.begin(), axis.end(), at[a]) -
                                         axis.begin() - 1);
        share = (at[a] - axis[low]) / (axis[low + 1] - axis[low]);
      }
    }
    const int before = found.count;
    for (int i = 0; i < before; ++i) {
      const auto c = static_cast<std::size_t>(i);
      const std::uint32_t base = found.cell[c] * n + low;
      if (share > 0) {
        const auto other = static_cast<std::size_t>(found.count++);
        found.cell[other] = base + 1;
        found.weight[other] = found.weight[c] * share;
      }
      found.cell[c] = base;
      found.weight[c] *= 1 - share;
    }
  }
  return found;
}

double Grid::value(const std::array<float, kCurveAxes>& at) const {
  if (cells.empty()) return 0;
  const Corners c = corners(at);
  float sum = 0;
  for (int i = 0; i < c.count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    sum += c.weight[k] * static_cast<float>(cells[c.cell[k]]);
  }
  return static_cast<double>(sum * step);
}

bool Grid::covers(const std::array<float, kCurveAxes>& at) const {
  for (std::size_t a = 0; a < kCurveAxes; ++a) {
    const auto& axis = knots[a];
    if (axis.size() < 2) continue;
    if (at[a] < axis.front() - 0.5F || at[a] > axis.back() + 0.5F) return false;
  }
  return true;
}

double Roofline::seconds(const Call& call) const {
  double busy = call.compute / compute;
  if (call.waste > 1.0 && wave > 0.0) busy *= wave == 1.0 ? call.waste : std::pow(call.waste, wave);
  if (call.depth > 0.0) busy *= 1.0 + short_k / call.depth;
  return power_norm(busy, call.memory / memory, knee) + floor + call.extra / pass;
}

double Curve::seconds(const Call& call) const {
  return std::max(roofline.seconds(call) * std::exp(grid.value(call.at)), call.ideal());
}

}  // namespace portolan::cost
