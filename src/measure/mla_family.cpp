#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cost/call_attention.hpp"
#include "cost/call_gemm.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

// Every published table of latent attention measures these widths (DeepSeek-V3); its columns name
// only the heads.
constexpr cost::LatentShape kShape{
    .heads = 0, .kv_rank = 512, .rope = 64, .nope = 128, .d_v = 128, .kv_bytes = 2};
constexpr double kHidden = 7168, kQueryRank = 1536;

struct Row {
  cost::LatentShape shape = kShape;
  double batch = 0, tokens = 0, cached = 0;
};
Result<Row> read_row(const KernelTable& table, std::size_t row, KernelPoint& point) {
  Row r;
  point.dtype = table.text(row, "dtype");
  point.kv_dtype = table.text(row, "kv_dtype");
  if (point.kv_dtype.empty()) point.kv_dtype = point.dtype;
  if (point.dtype == "fp8") r.shape.compute = model::Compute::kFp8;
  r.shape.kv_bytes = point.kv_dtype == "fp8" ? 1 : 2;
  for (const std::string& type : {point.dtype, point.kv_dtype})
    if (type != "bfloat16" && type != "float16" && type != "half" && type != "fp8")
      return fail(table.problem(row, fmt::format("unknown type \"{}\" of a latent attention", type),
                                "name a type of the kernel tables: bfloat16, float16, fp8"));
  r.batch = PORTOLAN_TRY(table.number(row, "batch"));
  r.tokens = PORTOLAN_TRY(table.number(row, "isl"));
  r.cached = PORTOLAN_TRY(table.number(row, "past_kv", 0));
  r.shape.heads = PORTOLAN_TRY(table.number(row, "num_heads"));
  if (!(r.batch > 0 && r.tokens > 0 && r.cached >= 0 && r.shape.heads > 0))
    return fail(table.problem(row, "a shape of a latent attention is not positive",
                              "batch, isl and num_heads count from 1"));
  point.site = site_of({r.shape.heads});
  return r;
}

Result<KernelPoint> read_context(const KernelTable& table, std::size_t row,
                                 const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  p.call = cost::context_mla_call(chip, r.shape, r.batch, r.tokens, r.cached);
  return p;
}

Result<KernelPoint> read_decode(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  p.call = cost::decode_mla_call(chip, r.shape, r.batch, r.cached + r.tokens);
  return p;
}

/// Adds the projections of the block, one curve for each type of theirs. `expanded`: keys and
/// values of all heads are computed (prompts); else queries and outputs pass through W_UK and W_UV.
Result<void> add_projections(const KernelTable& table, std::size_t row, const cost::Chip& chip,
                             double heads, double tokens, bool expanded, KernelPoint& point) {
  point.variant = table.text(row, "gemm_dtype");
  const auto type = cost::gemm_type(point.variant);
  if (!type)
    return fail(table.problem(row, fmt::format("unknown gemm_dtype \"{}\"", point.variant),
                              "name a type of the kernel tables: bfloat16, fp8_block, nvfp4"));
  const double query = kShape.nope + kShape.rope, out = kShape.d_v;
  const double shared = kHidden * (kQueryRank + kShape.kv_rank + kShape.rope) +
                        kQueryRank * heads * query + heads * out * kHidden;
  const double up = kShape.kv_rank * heads * (kShape.nope + out);
  const double peak = chip.peak[static_cast<std::size_t>(type->compute)];
  const double bf16 = chip.peak[static_cast<std::size_t>(model::Compute::kBf16)];
  // The absorbed products stay 16 bit.
  point.call.compute += 2 * tokens * (shared / peak + up / (expanded ? peak : bf16));
  point.call.memory += ((expanded ? type->weight_bytes : 2.0) * up + type->weight_bytes * shared +
                        2 * 2 * tokens * kHidden) /
                       chip.bandwidth;
  return {};
}

Result<KernelPoint> read_context_module(const KernelTable& table, std::size_t row,
                                        const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  p.call = cost::context_mla_call(chip, r.shape, r.batch, r.tokens, r.cached);
  PORTOLAN_TRY(add_projections(table, row, chip, r.shape.heads, r.batch * r.tokens, true, p));
  return p;
}

Result<KernelPoint> read_decode_module(const KernelTable& table, std::size_t row,
                                       const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  p.call = cost::decode_mla_call(chip, r.shape, r.batch, r.cached + r.tokens);
  PORTOLAN_TRY(add_projections(table, row, chip, r.shape.heads, r.batch, false, p));
  return p;
}

FitOptions context_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_between(points, 0, {0, 2, 4, 6, 7, 8, 9, 11, 13, 15});
  o.knots[1] = knots_between(points, 1, {0, 4, 6, 7, 8, 9, 10, 11, 12, 13, 15});
  o.start.compute = 0.5;
  o.start.knee = 1.5;
  o.fit_wave = true;
  return o;
}

/// Of the core alone: its work hardly depends on bandwidth, and a free share of it would not
/// transfer.
FitOptions core_options(std::span<const KernelPoint> points) {
  FitOptions o = context_options(points);
  o.start.memory = 0.9;
  o.fit_memory = false;
  return o;
}

FitOptions decode_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_between(points, 0, {0, 2, 4, 6, 8, 10});
  o.knots[1] = knots_between(points, 1, {1, 5, 8, 10, 12, 14, 17});
  o.knots[2] = knots_between(points, 2, {0, 3, 5, 7});
  o.start.compute = 0.4;
  o.start.knee = 2;  // fixed: every step asks for this curve, and a knee of 2 needs no powers
  o.fit_knee = false;
  return o;
}

}  // namespace

const Family kContextMlaFamily{"context_mla", read_context, core_options};
const Family kDecodeMlaFamily{"generation_mla", read_decode, decode_options};
const Family kContextMlaModuleFamily{"mla_context_module", read_context_module, context_options};
const Family kDecodeMlaModuleFamily{"mla_generation_module", read_decode_module, decode_options};

}  // namespace portolan::measure
