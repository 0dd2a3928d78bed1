// Passes over memory around matrix products, and the small products of absorbed latent attention,
// as calls of a curve.
#pragma once

#include <string_view>

#include "cost/call_gemm.hpp"
#include "cost/curve.hpp"

namespace portolan::cost {

/// Kernels of the tables: ops "computescale" and "scale_matrix", dtype of the result ("fp8").
/// Finding the scale reads m·k 16-bit inputs; scaling reads them and writes `written_bytes` each.
Call scale_call(const Chip& chip, double m, double k, double written_bytes);

/// Norms, rotations, activations (op "elementwise") and sampling (op "sampler") by the bytes they
/// touch; `at` is their log2. Bandwidth is no bound: what the kernel before wrote is in the cache.
Call pass_call(const Chip& chip, double bytes);

/// y[h,m,n] = x[h,m,k] w[h,k,n], one product for each of `heads`: q·W_UK before and ·W_UV after the
/// decode of latent attention (op "mla_bmm", variants "mla_gen_pre" and "mla_gen_post").
Call head_product_call(const Chip& chip, const GemmType& type, double heads, double m, double n,
                       double k);

/// The sizes all published rows of mla_bmm have: 512 latent and 128 head dimensions.
inline constexpr double kTableLatent = 512, kTableHead = 128;

}  // namespace portolan::cost
