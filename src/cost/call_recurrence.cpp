#include "cost/call_recurrence.hpp"

#include <algorithm>
#include <cmath>

#include "model/numeric_format.hpp"

namespace portolan::cost {
namespace {

// Read in 32 bit; some engines write 16 bit back. A lower bound, so the mean of both.
constexpr double kStateBytes = 3;
constexpr double kActivationBytes = 2;
constexpr double kStateOfHead = 128.0 * 128.0;

float log2_of(double x) { return static_cast<float>(std::log2(x)); }

double peak(const Chip& chip) { return chip.peak[static_cast<std::size_t>(model::Compute::kBf16)]; }

}  // namespace

RecurrenceShape gated_delta_shape(double key_heads, double key_dim, double value_heads,
                                  double value_dim) {
  constexpr double kChunk = 64;
  return {.flop_prefill =
              value_heads * (6 * key_dim * value_dim + kChunk * (3 * key_dim + 2 * value_dim)),
          .flop_decode = value_heads * 7 * key_dim * value_dim,
          .state_elements = 2 * value_heads * key_dim * value_dim,
          .io_elements = 2 * key_heads * key_dim + 2 * value_heads * value_dim};
}

Call recurrence_scan_call(const Chip& chip, const RecurrenceShape& shape, double requests,
                          double tokens) {
  Call call;
  call.compute = requests * tokens * shape.flop_prefill / peak(chip);
  call.memory =
      requests *
      (kActivationBytes * tokens * shape.io_elements + kStateBytes * shape.state_elements / 2) /
      chip.bandwidth;
  const double states = requests * shape.state_elements / 2 / kStateOfHead;
  if (chip.multiprocessors > 0) call.waste = std::max(1.0, chip.multiprocessors / states);
  call.at = {log2_of(states), log2_of(tokens), 0, 0};
  return call;
}

Call recurrence_update_call(const Chip& chip, const RecurrenceShape& shape, double requests) {
  Call call;
  call.compute = requests * shape.flop_decode / peak(chip);
  call.memory = requests *
                (kActivationBytes * shape.io_elements + kStateBytes * shape.state_elements) /
                chip.bandwidth;
  call.at = {log2_of(requests * shape.state_elements / 2 / kStateOfHead), 0, 0, 0};
  return call;
}

Call convolution_call(const Chip& chip, double channels, double width, double requests,
                      double tokens) {
  Call call;
  call.compute = 2 * width * channels * requests * tokens / peak(chip);
  call.memory = kActivationBytes * requests * channels * (2 * tokens + width - 1) / chip.bandwidth;
  call.at = {log2_of(requests * tokens), log2_of(channels), log2_of(tokens), 0};
  return call;
}

}  // namespace portolan::cost
