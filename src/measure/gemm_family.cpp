#include <fmt/format.h>

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
  p.call = cost::gemm_call(chip, *type, m, n, k);
  p.site = site_of({n, k});
  return p;
}

FitOptions options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_of(coordinates(points, 0), 0.5F, 34);
  o.knots[1] = knots_of(coordinates(points, 1), 1.0F, 14);
  o.knots[2] = knots_of(coordinates(points, 2), 1.0F, 14);
  o.start.compute = 0.8;
  o.start.memory = 0.8;
  o.fit_wave = o.fit_short_k = true;
  for (const KernelPoint& p : points) o.fit_pass = o.fit_pass || p.call.extra > 0;
  return o;
}

}  // namespace

const Family kGemmFamily{"gemm", read, options};

}  // namespace portolan::measure
