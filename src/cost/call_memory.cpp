#include "cost/call_memory.hpp"

#include <algorithm>
#include <cmath>

namespace portolan::cost {

Call scale_call(const Chip& chip, double m, double k, double written_bytes) {
  constexpr double kInputBytes = 2;
  Call call;
  call.memory = m * k * (kInputBytes + written_bytes) / chip.bandwidth;
  call.at = {static_cast<float>(std::log2(std::max(m, 0.25))), static_cast<float>(std::log2(k)), 0,
             0};
  return call;
}

Call pass_call(const Chip& chip, double bytes) {
  Call call;
  call.extra = bytes / chip.bandwidth;
  call.at = {static_cast<float>(std::log2(std::max(bytes, 1.0))), 0, 0, 0};
  return call;
}

Call head_product_call(const Chip& chip, const GemmType& type, double heads, double m, double n,
                       double k) {
  Call call = gemm_call(chip, type, m, n, k);
  call.compute *= heads;
  call.memory *= heads;
  call.extra *= heads;
  call.waste = std::max(1.0, std::ceil(m / 64) * 64 / m);
  call.at = {gemm_rows_axis(m), static_cast<float>(std::log2(heads)), 0, 0};
  return call;
}

}  // namespace portolan::cost
