#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cost/call_attention.hpp"
#include "measure/families.hpp"

namespace portolan::measure {
namespace {

Result<model::Compute> query_compute(const KernelTable& table, std::size_t row,
                                     const std::string& dtype) {
  if (dtype == "bfloat16" || dtype == "float16" || dtype == "half") return model::Compute::kBf16;
  if (dtype == "fp8") return model::Compute::kFp8;
  return fail(table.problem(row, fmt::format("unknown dtype \"{}\" of an attention", dtype),
                            "name a type of the kernel tables: bfloat16, float16, fp8"));
}

Result<double> kv_bytes(const KernelTable& table, std::size_t row, std::string& kv_dtype) {
  kv_dtype = table.text(row, "kv_dtype");
  if (kv_dtype.empty()) kv_dtype = "bfloat16";
  if (kv_dtype == "bfloat16" || kv_dtype == "float16" || kv_dtype == "half") return 2.0;
  if (kv_dtype == "fp8" || kv_dtype == "int8") return 1.0;
  return fail(table.problem(row, fmt::format("unknown kv_dtype \"{}\" of an attention", kv_dtype),
                            "name a type of the kernel tables: bfloat16, float16, fp8, int8"));
}

/// What context and decode rows have in common.
struct Row {
  cost::AttentionShape shape;
  double batch = 0, tokens = 0, cached = 0;
};
Result<Row> read_row(const KernelTable& table, std::size_t row, KernelPoint& point) {
  Row r;
  point.dtype = table.text(row, "dtype");
  r.shape.compute = PORTOLAN_TRY(query_compute(table, row, point.dtype));
  r.shape.kv_bytes = PORTOLAN_TRY(kv_bytes(table, row, point.kv_dtype));
  r.batch = PORTOLAN_TRY(table.number(row, "batch"));
  r.tokens = PORTOLAN_TRY(table.number(row, "isl"));
  r.cached = PORTOLAN_TRY(table.number(row, "past_kv", 0));
  r.shape.heads = PORTOLAN_TRY(table.number(row, "num_heads"));
  r.shape.kv_heads = PORTOLAN_TRY(table.number(row, "num_kv_heads"));
  r.shape.d_qk = r.shape.d_v = PORTOLAN_TRY(table.number(row, "head_dim"));
  r.shape.window = PORTOLAN_TRY(table.number(row, "window", 0));
  if (!(r.batch > 0 && r.tokens > 0 && r.cached >= 0 && r.shape.heads > 0 && r.shape.kv_heads > 0 &&
        r.shape.d_qk > 0 && r.shape.window >= 0))
    return fail(table.problem(row, "a shape of an attention is not positive",
                              "batch, isl, heads and head_dim count from 1"));
  point.variant = cost::attention_variant(r.shape.d_qk, r.shape.window);
  point.site = site_of({r.shape.heads, r.shape.kv_heads, r.shape.d_qk});
  return r;
}

Result<KernelPoint> read_context(const KernelTable& table, std::size_t row,
                                 const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  p.call = cost::context_attention_call(chip, r.shape, r.batch, r.tokens, r.cached);
  return p;
}

Result<KernelPoint> read_decode(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  // Some tables count the new token among the cached ones of a second column; here it is apart.
  p.call = cost::decode_attention_call(chip, r.shape, r.batch, r.cached + r.tokens);
  return p;
}

Result<KernelPoint> read_mixed(const KernelTable& table, std::size_t row, const cost::Chip& chip) {
  KernelPoint p;
  const Row r = PORTOLAN_TRY(read_row(table, row, p));
  const double decodes = PORTOLAN_TRY(table.number(row, "decodes"));
  const double context = PORTOLAN_TRY(table.number(row, "decode_context"));
  if (!(decodes > 0 && context > 0))
    return fail(table.problem(row, "a mixed step without decodes",
                              "write rows of prompts alone as context_attention"));
  p.variant =
      cost::mixed_attention_variant(r.shape.d_qk, r.shape.window, r.shape.heads / r.shape.kv_heads);
  p.site = site_of({r.shape.heads, r.batch, r.tokens, r.cached});
  p.call = cost::mixed_attention_call(chip, r.shape, r.batch, r.tokens, r.cached, decodes, context);
  return p;
}

Result<KernelPoint> read_encoder(const KernelTable& table, std::size_t row,
                                 const cost::Chip& chip) {
  KernelPoint p;
  p.dtype = table.text(row, "dtype");
  cost::AttentionShape shape{.causal = false};
  shape.compute = PORTOLAN_TRY(query_compute(table, row, p.dtype));
  const double batch = PORTOLAN_TRY(table.number(row, "batch"));
  const double tokens = PORTOLAN_TRY(table.number(row, "isl"));
  shape.heads = shape.kv_heads = PORTOLAN_TRY(table.number(row, "num_heads"));
  shape.d_qk = shape.d_v = PORTOLAN_TRY(table.number(row, "head_dim"));
  if (!(batch > 0 && tokens > 0 && shape.heads > 0 && shape.d_qk > 0))
    return fail(table.problem(row, "a shape of an attention is not positive",
                              "batch, isl, heads and head_dim count from 1"));
  p.variant = cost::attention_variant(shape.d_qk, 0);
  p.site = site_of({shape.heads, shape.d_qk});
  p.call = cost::encoder_attention_call(chip, shape, batch, tokens);
  return p;
}

// Enough points for a fine grid; the published tables have some 5,000 or 500 a curve.
constexpr std::size_t kMany = 1500;

FitOptions context_options(std::span<const KernelPoint> points) {
  FitOptions o;
  if (points.size() >= kMany) {
    o.knots[0] = knots_between(points, 0, {0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14});
    o.knots[1] = knots_between(points, 1, {-6, -4.5F, -2, 1, 2.5F, 5});
    o.knots[2] = knots_between(points, 2, {0, 5, 6, 7, 8, 9, 10, 11, 12, 14});
  } else {
    o.knots[0] = knots_between(points, 0, {0, 3, 5, 6, 7, 8, 10, 14});
    o.knots[1] = knots_between(points, 1, {-6, -3, 1, 4});
    o.knots[2] = knots_between(points, 2, {0, 5, 6, 7, 8, 9, 10, 12, 14});
  }
  o.start.compute = 0.6;
  o.start.knee = 2;
  o.fit_knee = false;
  o.fit_wave = true;
  // Left free, the bandwidth share stands in for work that does not depend on bandwidth, and the
  // curve no longer transfers between parts that differ in it (H100, H200).
  o.start.memory = 0.9;
  o.fit_memory = false;
  return o;
}

FitOptions decode_options(std::span<const KernelPoint> points) {
  FitOptions o;
  // Kernels change between 32 and 48 queries a key-value head; nothing is measured between.
  if (points.size() >= kMany) {
    o.knots[0] = knots_between(points, 0, {0, 2, 4, 5, 6, 7, 8, 9, 10, 12, 14});
    o.knots[1] = knots_between(points, 1, {1, 4, 6, 7, 8, 9, 10, 11, 12, 14, 17});
    o.knots[2] = knots_between(points, 2, {0, 1, 3, 5, 5.58F});
  } else {
    o.knots[0] = knots_between(points, 0, {0, 3, 5, 6, 7, 8, 9, 10, 12});
    o.knots[1] = knots_between(points, 1, {1, 5, 7, 8, 9, 10, 11, 12, 14, 17});
    o.knots[2] = knots_between(points, 2, {0, 1, 3});
  }
  o.start.compute = 0.5;
  o.fit_short_k = true;
  // Every step asks for this curve: a knee of 2 and whole waste need no powers.
  o.start.knee = 2;
  o.fit_knee = false;
  o.start.wave = 1;
  return o;
}

FitOptions mixed_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_between(points, 0, {-5, -2, 1, 3, 5, 8});
  o.knots[1] = knots_between(points, 1, {4, 6, 8, 9, 10, 11, 12.5F, 14});
  o.knots[2] = knots_between(points, 2, {4, 6, 8, 9, 10, 11, 12});
  o.knots[3] = knots_between(points, 3, {4, 7, 9, 10.5F, 12, 14});
  o.start.compute = 0.6;
  o.start.knee = 2;
  o.fit_knee = false;
  o.fit_wave = true;
  return o;
}

FitOptions encoder_options(std::span<const KernelPoint> points) {
  FitOptions o;
  o.knots[0] = knots_between(points, 0, {0, 2, 4, 5, 6, 7, 8, 10, 13});
  o.knots[1] = knots_between(points, 1, {0, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  o.start.compute = 0.6;
  o.fit_wave = true;
  o.start.memory = 0.9;  // as of prompts
  o.fit_memory = false;
  return o;
}

}  // namespace

const Family kContextAttentionFamily{"context_attention", read_context, context_options};
const Family kDecodeAttentionFamily{"generation_attention", read_decode, decode_options};
const Family kMixedAttentionFamily{"mixed_attention", read_mixed, mixed_options};
const Family kEncoderAttentionFamily{"encoder_attention", read_encoder, encoder_options};

}  // namespace portolan::measure
