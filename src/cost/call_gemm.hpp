// Dense matrix products as calls of a curve.
#pragma once

#include <optional>
#include <string_view>

#include "cost/curve.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {

/// Arithmetic and storage of a matrix product as the kernel tables name them.
struct GemmType {
  model::Compute compute = model::Compute::kBf16;
  double weight_bytes = 2, input_bytes = 2;  // per element, scales included
  double pass_bytes = 0;  // per input element of a quantising pass inside the call; 0 = none
};
/// nullopt for a name nobody knows. "bfloat16", "fp8", "fp8_block", "nvfp4", "int8_wo", …
std::optional<GemmType> gemm_type(std::string_view dtype);
/// The tables' name for a storage format computed natively ("fp8_block"); "" when none was
/// measured.
std::string_view gemm_dtype(model::Format format, model::Compute compute);

/// Rows of a product on the axis of a grid: log2(m), plus this much at every power of two from 16
/// on, because kernels change tiles there: 129 rows cost up to twice what 128 do.
inline constexpr double kRowsJump = 0.5;
float gemm_rows_axis(double m);

/// y[m,n] = x[m,k] w[k,n], output 16 bit. `m` may be fractional (a mean over steps): tiles and
/// waves then enter as their expectation.
Call gemm_call(const Chip& chip, const GemmType& type, double m, double n, double k);

}  // namespace portolan::cost
