#include "training/products.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace portolan::training {
namespace {

using cost::Linear;

Linear transposed(const Linear& linear) {
  Linear other = linear;
  std::swap(other.n, other.k);
  return other;
}

}  // namespace

Work dense(const cost::Machine& machine, const Linear& linear, double tokens) {
  // dw[k, n] = xᵀ[k, tokens] dy[tokens, n]; the transposed quantised copies come with the first
  // pass.
  Linear weight = linear;
  weight.k = tokens;
  weight.weight_bytes = weight.input_bytes;
  weight.quantises_input = false;
  return {cost::gemm_time(machine, linear, tokens).seconds,
          cost::gemm_time(machine, transposed(linear), tokens).seconds,
          cost::gemm_time(machine, weight, linear.k).seconds};
}

Work grouped(const cost::Machine& machine, const Product& product, double tokens, double ep) {
  constexpr double kHalfTile = 64;
  const double experts = product.experts / ep, rows = tokens * product.top_k;
  const double each = std::max(1.0, rows / experts);
  Linear linear = product.linear, weight = product.linear;
  linear.weight_bytes *= experts;
  weight.k = each;
  weight.weight_bytes = weight.input_bytes;
  weight.quantises_input = false;
  const double padded = rows + kHalfTile * experts;
  return {cost::gemm_time(machine, linear, padded).seconds,
          cost::gemm_time(machine, transposed(linear), padded).seconds,
          cost::gemm_time(machine, weight, product.linear.k * experts).seconds};
}

double misalignment(double a, double b, double penalty) {
  if (penalty <= 0) return 1;
  const auto halvings = [](double side) {
    constexpr int kAligned = 6;  // 64 elements: a cache line
    int zeros = 0;
    for (auto bits = static_cast<std::int64_t>(side); zeros < kAligned && bits % 2 == 0; bits /= 2)
      ++zeros;
    return kAligned - zeros;
  };
  return 1 + penalty * std::max(halvings(a), halvings(b));
}

}  // namespace portolan::training
