#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "cost/call_gemm.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

Result<KernelPoint> read(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  const auto type = cost::gemm_type(p.dtype);
  if (!type)
    return fail(table.problem(row, fmt::format("unknown dtype \"{}\" of a gemm", p.dtype),
                              "name a type of the kernel tables: bfloat16, fp8, fp8_block, nvfp4, "
                              "int8_wo, int4_wo, sq"));
  const double m = PORTOLAN_TRY(table.number(row, "m"));
  const double n = PORTOLAN_TRY(table.number(row, "n"));
  const double k = PORTOLAN_TRY(table.number(row, "k"));
  if (m <= 0 || n <= 0 || k <= 0)
    return fail(table.problem(row, fmt::format("{} x {} x {} is no product", m, n, k),
                              "m, n and k must be positive"));
  p.call = cost::gemm_call(chip, *type, m, n, k);
  p.site = site_of({n, k});
  return p;
}

/// m of a point, from its place on the axis of rows.
double rows_of(const KernelPoint& p) {
  const double jump = cost::kRowsJump, at = static_cast<double>(p.call.at[0]);
  const double octaves = at <= 4 ? 0 : std::ceil((at - 4) / (1 + jump) - 1e-4);
  return std::round(std::exp2(at - jump * octaves));
}

/// Candidates with a measured value near them.
std::vector<float> knots_near(std::vector<float> candidates, std::vector<float> values,
                              float near) {
  std::sort(values.begin(), values.end());
  std::erase_if(candidates, [&](float c) {
    const auto at = std::lower_bound(values.begin(), values.end(), c - near);
    return at == values.end() || *at > c + near;
  });
  return candidates;
}

/// Every octave up to 16 rows; beyond, both sides of each power of two and, where asked for, the
/// middle.
std::vector<float> row_knots(const std::vector<float>& values, bool middle) {
  std::vector<float> candidates = {0, 1, 2, 3};
  constexpr auto kJump = static_cast<float>(cost::kRowsJump);
  for (int octave = 4; octave <= 20; ++octave) {
    const float at = static_cast<float>(octave) + kJump * static_cast<float>(octave - 4);
    candidates.insert(candidates.end(), {at, at + kJump + 0.05F});
    if (middle) candidates.push_back(at + kJump + 0.5F);
  }
  return knots_near(std::move(candidates), values, 0.2F);
}

/// Octaves of n and k; 2^16 stands for all beyond 2^14. Of the few products of one or two models
/// the widths themselves.
std::vector<float> width_knots(const std::vector<float>& values) {
  constexpr std::size_t kFew = 16;
  if (std::vector<float> own = knots_of(values, 0.3F, kFew + 1); own.size() <= kFew) return own;
  return knots_near({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18}, values, 0.2F);
}

/// Whether rows that are no multiple of four cost a pass of their own: median of neighbours away
/// from the powers of two.
bool ragged_matters(std::span<const KernelPoint> points) {
  std::map<std::pair<std::uint64_t, double>, double> seconds;
  for (const KernelPoint& p : points) seconds[{p.site, rows_of(p)}] = p.seconds;
  std::vector<double> ratio;
  for (const auto& [key, t] : seconds) {
    if (std::fmod(key.second, 16.0) != 0 || std::has_single_bit(static_cast<unsigned>(key.second)))
      continue;
    const auto next = seconds.find({key.first, key.second + 1});
    if (next != seconds.end()) ratio.push_back(next->second / t);
  }
  if (ratio.size() < 100) return false;
  std::sort(ratio.begin(), ratio.end());
  return quantile(ratio, 0.5) > 1.05;
}

FitOptions options(std::span<const KernelPoint> points) {
  FitOptions o;
  const bool ragged = ragged_matters(points);
  o.knots[0] = row_knots(coordinates(points, 0), !ragged);
  o.knots[1] = width_knots(coordinates(points, 1));
  o.knots[2] = width_knots(coordinates(points, 2));
  if (ragged) {
    o.knots[3] = {0, 1};
    o.smooth[3] = 0;
  }
  // A sparse table has fewer points than cells: its grid must be stiff, or it learns the noise.
  constexpr std::size_t kDense = 12000;
  // With many rows of each product and knots at its widths the rows alone are smoothed.
  constexpr std::size_t kRowsEach = 100;
  std::set<std::uint64_t> products;
  for (const KernelPoint& p : points) products.insert(p.site);
  const double stiff = points.size() >= kDense                        ? 0.1
                       : points.size() >= kRowsEach * products.size() ? 0.05
                                                                      : 0.6;
  o.smooth[0] = o.smooth[1] = o.smooth[2] = stiff;
  o.start.compute = 0.8;
  o.start.memory = 0.8;
  o.fit_wave = o.fit_short_k = true;
  for (const KernelPoint& p : points) o.fit_pass = o.fit_pass || p.call.extra > 0;
  return o;
}

}  // namespace

const Family kGemmFamily{"gemm", read, options};

}  // namespace portolan::measure
