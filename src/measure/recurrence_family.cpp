#include <fmt/format.h>

#include <cmath>

#include "cost/call_recurrence.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

/// Which of the four kernels of a recurrent layer a row measures, by its name and phase.
Result<std::string_view> variant_of(const KernelTable& table, std::size_t row) {
  const std::string &kernel = table.text(row, "kernel"), &phase = table.text(row, "phase");
  const bool conv = kernel.find("conv1d") != std::string::npos;
  if (phase == "context") return conv ? cost::kConvVariant : cost::kScanVariant;
  if (phase == "generation") return conv ? cost::kConvUpdateVariant : cost::kUpdateVariant;
  return fail(table.problem(row, fmt::format("unknown phase \"{}\" of a recurrence", phase),
                            "write context or generation"));
}

Result<KernelPoint> make_point(const KernelTable& table, std::size_t row, const cost::Chip& chip,
                               const cost::RecurrenceShape& shape, double channels) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  p.variant = PORTOLAN_TRY(variant_of(table, row));
  const double batch = PORTOLAN_TRY(table.number(row, "batch"));
  const double tokens = PORTOLAN_TRY(table.number(row, "seq_len"));
  if (!(batch > 0 && tokens > 0 && channels > 0 && shape.state_elements > 0))
    return fail(table.problem(row, "a shape of a recurrence is not positive",
                              "batch, seq_len, heads and dimensions count from 1"));
  if (p.variant == cost::kScanVariant)
    p.call = cost::recurrence_scan_call(chip, shape, batch, tokens);
  else if (p.variant == cost::kUpdateVariant)
    p.call = cost::recurrence_update_call(chip, shape, batch);
  else
    p.call = cost::convolution_call(chip, channels, PORTOLAN_TRY(table.number(row, "d_conv")),
                                    batch, tokens);
  p.site = site_of({channels, shape.state_elements});
  return p;
}

Result<KernelPoint> read_gated_delta(const KernelTable& table, std::size_t row,
                                     const cost::Chip& chip) {
  const double key_heads = PORTOLAN_TRY(table.number(row, "num_k_heads"));
  const double key_dim = PORTOLAN_TRY(table.number(row, "head_k_dim"));
  const double value_heads = PORTOLAN_TRY(table.number(row, "num_v_heads"));
  const double value_dim = PORTOLAN_TRY(table.number(row, "head_v_dim"));
  return make_point(
      table, row, chip, cost::gated_delta_shape(key_heads, key_dim, value_heads, value_dim),
      // TensorRT-LLM's rows take the same time whatever the value heads: they convolve
      // the channels of one of queries and keys.
      table.text(row, "backend") == "trtllm" ? key_heads * key_dim
                                             : 2 * key_heads * key_dim + value_heads * value_dim);
}

Result<KernelPoint> read_mamba2(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  const double heads = PORTOLAN_TRY(table.number(row, "nheads"));
  const double dim = PORTOLAN_TRY(table.number(row, "head_dim"));
  const double state = PORTOLAN_TRY(table.number(row, "d_state"));
  const double groups = PORTOLAN_TRY(table.number(row, "n_groups"));
  const double chunk = PORTOLAN_TRY(table.number(row, "chunk_size", 256));
  const double inner = heads * dim;
  return make_point(table, row, chip,
                    {.flop_prefill = chunk * (groups * state + inner) + 4 * state * inner,
                     .flop_decode = 5 * state * inner,
                     .state_elements = 2 * state * inner,
                     .io_elements = 2 * inner + 2 * groups * state + heads},
                    inner + 2 * groups * state);
}

FitOptions options(std::span<const KernelPoint> points) {
  FitOptions o;
  const std::string& variant = points.front().variant;
  if (variant == cost::kScanVariant) {
    o.knots[0] = knots_between(points, 0, {1, 3, 5, 6, 7, 8, 9, 11, 12});
    o.knots[1] = knots_between(points, 1, {0, 4, 6, 7, 8, 9, 10, 11, 13, 15});
    o.fit_wave = true;
    o.start.compute = 0.2;
  } else if (variant == cost::kUpdateVariant) {
    o.knots[0] = knots_between(points, 0, {1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  } else {
    o.knots[0] = knots_between(points, 0, {0, 3, 6, 8, 10, 11, 12, 13, 14, 16, 18, 21});
    o.knots[1] = knots_between(points, 1, {9, 11, 12, 13, 14, 15});
    o.knots[2] = knots_between(points, 2, {0, 3, 6, 9, 15});
  }
  return o;
}

}  // namespace

const Family kGatedDeltaFamily{"gdn", read_gated_delta, options};
const Family kMamba2Family{"mamba2", read_mamba2, options};

}  // namespace portolan::measure
