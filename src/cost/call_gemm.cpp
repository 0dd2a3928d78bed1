#include "cost/call_gemm.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace portolan::cost {
namespace {

struct Named {
  std::string_view name;
  GemmType type;
};
// Storage per element with scales (cost-model.md §5). The dynamic fp8 and fp4 schemes quantise
// their input inside the measured call: read 16 bit, write the small format.
constexpr std::array kTypes = {
    Named{"bfloat16", {model::Compute::kBf16, 2, 2, 0}},
    Named{"float16", {model::Compute::kBf16, 2, 2, 0}},
    Named{"half", {model::Compute::kBf16, 2, 2, 0}},
    Named{"fp8", {model::Compute::kFp8, 1, 1, 3}},
    Named{"fp8_static", {model::Compute::kFp8, 1, 1, 3}},
    Named{"fp8_block", {model::Compute::kFp8, 1 + 4.0 / 16384, 1 + 4.0 / 128, 3}},
    Named{"nvfp4", {model::Compute::kFp4, 0.5625, 0.5625, 2.5625}},
    Named{"mxfp4", {model::Compute::kFp4, 0.53125, 0.53125, 2.53125}},
    Named{"int8_wo", {model::Compute::kBf16, 1, 2, 0}},
    Named{"int4_wo", {model::Compute::kBf16, 0.5195, 2, 0}},
    Named{"sq", {model::Compute::kInt8, 1, 1, 0}},
    Named{"int8", {model::Compute::kInt8, 1, 1, 3}},
};

/// Padded over useful work of the best tile (cost-model.md §6.3).
double tile_waste(double multiprocessors, double m, double n) {
  static constexpr std::array kTiles = {64.0, 128.0, 256.0};
  double best = 0;
  for (const double rows : kTiles) {
    const double row_tiles = std::ceil(m / rows);
    for (const double columns : kTiles) {
      const double tiles = row_tiles * std::ceil(n / columns);
      const double run =
          multiprocessors > 0 ? std::ceil(tiles / multiprocessors) * multiprocessors : tiles;
      const double waste = run * rows * columns / (m * n);
      if (best == 0 || waste < best) best = waste;
    }
    if (m <= rows) break;  // larger tiles only pad more
  }
  return std::max(best, 1.0);
}

// Rows in groups of this many need no padded scales (block-scaled fp8).
constexpr double kAligned = 4;

}  // namespace

float gemm_rows_axis(double m) {
  const double octave = std::log2(std::max(m, 0.25));
  return static_cast<float>(octave + kRowsJump * std::max(0.0, std::ceil(octave) - 4.0));
}

std::optional<GemmType> gemm_type(std::string_view dtype) {
  for (const Named& named : kTypes)
    if (named.name == dtype) return named.type;
  return std::nullopt;
}

std::string_view gemm_dtype(model::Format format, model::Compute compute) {
  using model::Format;
  if (compute == model::Compute::kFp8) return format == Format::kFp8Block ? "fp8_block" : "fp8";
  if (compute == model::Compute::kFp4) return "nvfp4";
  if (compute == model::Compute::kInt8) return "sq";
  if (compute != model::Compute::kBf16) return "";
  switch (format) {
    case Format::kInt8:
      return "int8_wo";
    case Format::kInt4:
      return "int4_wo";
    default:
      return "bfloat16";
  }
}

Call gemm_call(const Chip& chip, const GemmType& type, double m, double n, double k) {
  constexpr double kOutputBytes = 2;  // activations between operators are 16 bit
  Call call;
  // Formats without arithmetic of their own are unpacked to 16 bit.
  double peak = chip.peak[static_cast<std::size_t>(type.compute)];
  if (peak <= 0) peak = chip.peak[static_cast<std::size_t>(model::Compute::kBf16)];
  call.compute = 2.0 * m * n * k / peak;
  call.memory = (type.input_bytes * m * k + type.weight_bytes * n * k + kOutputBytes * m * n) /
                chip.bandwidth;
  call.waste = tile_waste(chip.multiprocessors, m, n);
  call.depth = k;
  call.extra = type.pass_bytes * m * k / chip.bandwidth;
  const bool ragged = m != std::floor(m / kAligned) * kAligned;
  call.at = {gemm_rows_axis(m), static_cast<float>(std::log2(n)), static_cast<float>(std::log2(k)),
             ragged ? 1.0F : 0.0F};
  return call;
}

}  // namespace portolan::cost
