// A fitted efficiency curve: a roofline with a few fitted numbers, times a small grid of residuals
// over the shape of the call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/date.hpp"

namespace portolan::cost {

/// What the physics of a kernel asks of a chip: datasheet rates of one accelerator.
struct Chip {
  std::array<double, 6> peak{};  // dense FLOP/s by model::Compute; 0 = not supported
  double bandwidth = 0;          // bytes/s of device memory
  double multiprocessors = 0;    // 0 = unknown: waves are not rounded
  double link = 0;               // bytes/s one way to the other accelerators of the node
};

inline constexpr std::size_t kCurveAxes = 4;

/// One kernel call, reduced to what a curve sees. Times are at datasheet rates (efficiency 1).
struct Call {
  double compute = 0;  // s: FLOP / peak, useful work only
  double memory = 0;   // s: compulsory bytes / bandwidth (of a collective: / link)
  double waste = 1;    // padded over useful work of tiles and waves, >= 1
  double depth = 0;    // length of the inner product (k of a GEMM); 0 = no short-k penalty
  double extra = 0;    // s at full bandwidth of a pass of its own (quantising the input)
  std::array<float, kCurveAxes> at{};  // coordinates in the curve's grid; unused ones are 0
  /// Nothing runs faster than this; compute is left out where the algorithm may skip work.
  [[nodiscard]] double ideal() const { return compute > memory ? compute : memory; }
};

/// ln(measured / roofline) on a rectangular grid, multilinear between knots, the boundary held
/// outside. An axis with one knot is constant.
struct Grid {
  std::array<std::vector<float>, kCurveAxes> knots;  // ascending; empty = axis not used
  float step = 0.01F;                                // value of one unit of a cell
  std::vector<std::int8_t> cells;                    // last axis fastest
  [[nodiscard]] std::size_t size() const;            // product of the knots
  /// Corners and weights of a point: at most 2^4.
  struct Corners {
    std::array<std::uint32_t, 16> cell{};
    std::array<float, 16> weight{};
    int count = 0;
  };
  [[nodiscard]] Corners corners(const std::array<float, kCurveAxes>& at) const;
  [[nodiscard]] double value(const std::array<float, kCurveAxes>& at) const;
  /// False outside the knots by more than half a unit on any axis: the boundary is held there.
  [[nodiscard]] bool covers(const std::array<float, kCurveAxes>& at) const;
};

/// (a^p + b^p)^(1/p) of non-negative a, b without overflow; no powers for p = 2 and 4.
double power_norm(double a, double b, double p);

/// Seven numbers of the roofline under the residuals (cost-model.md §6.1, §6.3):
///   t = ( (compute·waste^w·(1 + k0/depth)/e_c)^p + (memory/e_m)^p )^(1/p) + t0 + extra/e_x
struct Roofline {
  double compute = 0.8, memory = 0.8, knee = 3, floor = 4e-6, wave = 0.7, short_k = 0, pass = 0.8;
  [[nodiscard]] double seconds(const Call& call) const;
};

/// Quantiles of ln(measured / predicted) of points that were left out of the fit.
struct Residuals {
  std::array<float, 7> at{};  // 5, 10, 25, 50, 75, 90, 95 %
  std::uint32_t points = 0;   // 0 = unknown
};

/// Which measurements a curve stands for. `variant` separates what one grid cannot join (head
/// dimension, window, kernel family, collective); its meaning is the operator's.
struct CurveKey {
  std::string accelerator;       // id of the catalogue
  std::string backend, version;  // "vllm", "0.24.0"
  std::string op;                // "gemm", "context_attention", … as in the kernel tables
  std::string dtype, kv_dtype;   // as in the tables; kv_dtype empty where there is none
  std::string variant;
  auto operator<=>(const CurveKey&) const = default;
};

struct Curve {
  CurveKey key;
  Roofline roofline;
  Grid grid;
  Residuals by_point, by_site;  // one point of a line left out; all points of a site left out
  std::uint32_t rows = 0, rejected = 0;  // fitted; faster than physics
  float median_point = 0, p90_point = 0, median_site = 0,
        p90_site = 0;  // |relative error|, left out
  std::string source;
  Date date;

  /// Seconds of the call; never below its ideal time.
  [[nodiscard]] double seconds(const Call& call) const;
};

}  // namespace portolan::cost
