#include <fmt/format.h>

#include <cmath>

#include "cost/call_memory.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

/// `written` bytes per element of the result. Times of computescale are differences of two timings:
/// those that are not positive count as faster than physics.
Result<KernelPoint> read_scale(const KernelTable& table, std::size_t row, const cost::Chip& chip,
                               double written) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  const double m = PORTOLAN_TRY(table.number(row, "m"));
  const double k = PORTOLAN_TRY(table.number(row, "k"));
  if (m <= 0 || k <= 0)
    return fail(table.problem(row, fmt::format("{} x {} is not a matrix", m, k),
                              "m and k must be positive"));
  p.call = cost::scale_call(chip, m, k, written);
  p.site = site_of({k});
  return p;
}

Result<KernelPoint> read_find(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  return read_scale(table, row, chip, 0);
}

Result<KernelPoint> read_apply(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  return read_scale(table, row, chip, 1);
}

FitOptions scale_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_of(coordinates(points, 0), 1.0F, 16);
  o.knots[1] = knots_of(coordinates(points, 1), 1.0F, 12);
  o.start.memory = 0.8;
  o.fit_compute = false;
  return o;
}

Result<KernelPoint> read_heads(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  p.variant = table.text(row, "variant");
  const auto type = cost::gemm_type(p.dtype);
  if (!type)
    return fail(table.problem(row,
                              fmt::format("unknown dtype \"{}\" of a batched product", p.dtype),
                              "name a type of the kernel tables: bfloat16, fp8"));
  const bool before = p.variant == "mla_gen_pre";
  if (!before && p.variant != "mla_gen_post")
    return fail(table.problem(row, fmt::format("unknown variant \"{}\" of mla_bmm", p.variant),
                              "expected mla_gen_pre or mla_gen_post"));
  const double m = PORTOLAN_TRY(table.number(row, "num_tokens"));
  const double heads = PORTOLAN_TRY(table.number(row, "num_heads"));
  if (m <= 0 || heads <= 0)
    return fail(table.problem(row, fmt::format("{} tokens of {} heads are no product", m, heads),
                              "num_tokens and num_heads must be positive"));
  p.call =
      cost::head_product_call(chip, *type, heads, m, before ? cost::kTableLatent : cost::kTableHead,
                              before ? cost::kTableHead : cost::kTableLatent);
  p.site = site_of({heads});
  return p;
}

Result<KernelPoint> read_pass(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  const double bytes = PORTOLAN_TRY(table.number(row, "bytes"));
  if (bytes <= 0)
    return fail(table.problem(row, fmt::format("a pass over {} bytes", bytes),
                              "bytes are all that the kernel reads and writes"));
  p.call = cost::pass_call(chip, bytes);
  p.site = site_of({std::round(std::log2(bytes))});
  return p;
}

FitOptions pass_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_of(coordinates(points, 0), 0.75F, 24);
  o.fit_compute = o.fit_memory = o.fit_knee = false;
  o.fit_pass = true;
  return o;
}

FitOptions head_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_of(coordinates(points, 0), 1.0F, 20);
  o.knots[1] = knots_of(coordinates(points, 1), 1.0F, 8);
  o.start.compute = 0.5;
  o.start.memory = 0.6;
  o.smooth = {0.2, 0.2, 0.2, 0.2};
  return o;
}

}  // namespace

const Family kFindScaleFamily{"computescale", read_find, scale_options};
const Family kApplyScaleFamily{"scale_matrix", read_apply, scale_options};
const Family kHeadProductFamily{"mla_bmm", read_heads, head_options};
const Family kPassFamily{"elementwise", read_pass, pass_options};
const Family kSamplerFamily{"sampler", read_pass, pass_options};

}  // namespace portolan::measure
