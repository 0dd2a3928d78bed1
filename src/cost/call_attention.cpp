#include "cost/call_attention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cost/profile.hpp"
#include "model/operators.hpp"

namespace portolan::cost {
namespace {

constexpr double kBlock = 128;            // queries and keys of a tile
constexpr double kQueryRows = 64;         // rows of a tile that one key-value head's queries share
constexpr double kLongestPrompt = 16384;  // of the published tables; beyond, work per token is held
constexpr double kActivationBytes = 2;    // queries and outputs are 16 bit

/// log2 for grid coordinates.
float log2_of(double x) { return static_cast<float>(std::log2(x)); }

bool small(model::Compute compute, double kv_bytes) {
  return compute == model::Compute::kFp8 || kv_bytes < 1.5;
}

/// FLOP/s that bounds the call: kernels over an fp8 cache may compute in fp8.
double peak(const Chip& chip, model::Compute compute, double kv_bytes) {
  const double fp8 = chip.peak[static_cast<std::size_t>(model::Compute::kFp8)];
  return small(compute, kv_bytes) && fp8 > 0
             ? fp8
             : chip.peak[static_cast<std::size_t>(model::Compute::kBf16)];
}

/// Work of one head in whole blocks, and of its longest tile.
struct Blocks {
  double all = 1, longest = 1;
};
Blocks blocks_of(double tokens, double cached, double window, bool causal) {
  const double tiles = std::ceil(tokens / kBlock), before = cached / kBlock;
  if (!causal) {
    const double longest = std::ceil((tokens + cached) / kBlock);
    return {tiles * longest, longest};
  }
  const double most = window > 0 ? std::ceil(window / kBlock) + 1 : tiles + before;
  const double rising = std::clamp(std::floor(most - before), 0.0, tiles);
  return {rising * before + rising * (rising + 1) / 2 + (tiles - rising) * most,
          std::min(tiles + before, most)};
}

/// Padded over useful work: whole blocks, and tiles that leave multiprocessors idle.
double waste_of(const Chip& chip, const Blocks& blocks, double pairs, double parallel) {
  double waste = blocks.all * kBlock * kBlock / pairs;
  if (chip.multiprocessors > 0)
    waste *= std::max(1.0, blocks.longest * chip.multiprocessors / (blocks.all * parallel));
  return waste;
}

std::string_view dtype_of(model::Compute compute) {
  return compute == model::Compute::kFp8 ? "fp8" : "bfloat16";
}
std::string_view kv_dtype_of(double kv_bytes) { return kv_bytes < 1.5 ? "fp8" : "bfloat16"; }

/// Head dimensions of the published tables, nearest to `d` first; of two the larger, which kernels
/// pad to.
std::vector<double> nearest(double d, std::span<const double> measured) {
  std::vector<double> list(measured.begin(), measured.end());
  std::sort(list.begin(), list.end(), [&](double a, double b) {
    const double x = std::abs(std::log(a / d)), y = std::abs(std::log(b / d));
    return x != y ? x < y : a > b;
  });
  return list;
}

CurveNames names_of(std::string_view op, const AttentionShape& shape,
                    std::span<const double> measured) {
  CurveNames names{.op = op,
                   .dtype = dtype_of(shape.compute),
                   .kv_dtype = kv_dtype_of(shape.kv_bytes),
                   .variants = {}};
  const auto add = [&](double d) {
    for (const double window : {shape.window, 0.0}) {
      std::string variant = attention_variant(d, window);
      if (std::find(names.variants.begin(), names.variants.end(), variant) == names.variants.end())
        names.variants.push_back(std::move(variant));
    }
  };
  add(shape.d_qk);
  for (const double d : nearest(shape.d_qk, measured)) add(d);
  return names;
}

constexpr std::array kMeasuredDims = {64.0, 128.0, 192.0, 256.0, 512.0};
constexpr std::array kMeasuredEncoderDims = {64.0, 72.0, 80.0};

}  // namespace

std::string attention_variant(double d_qk, double window) {
  return fmt::format("d{:.0f}{}", d_qk, window > 0 && window <= kShortWindow ? ".window" : "");
}

CurveNames context_attention_names(const AttentionShape& shape) {
  CurveNames names = names_of("context_attention", shape, kMeasuredDims);
  if (shape.compute == model::Compute::kFp8) names.kv_dtype = "fp8";
  return names;
}

CurveNames decode_attention_names(const AttentionShape& shape) {
  CurveNames names = names_of("generation_attention", shape, kMeasuredDims);
  names.dtype = "bfloat16";  // one token a sequence: queries stay 16 bit in every table
  return names;
}

CurveNames encoder_attention_names(const AttentionShape& shape) {
  AttentionShape full = shape;
  full.window = 0;
  CurveNames names = names_of("encoder_attention", full, kMeasuredEncoderDims);
  names.kv_dtype = "";
  return names;
}

CurveNames context_mla_names(const LatentShape& shape) {
  return {.op = "context_mla",
          .dtype = dtype_of(shape.compute),
          .kv_dtype = kv_dtype_of(shape.kv_bytes),
          .variants = {""}};
}

CurveNames decode_mla_names(const LatentShape& shape) {
  return {.op = "generation_mla",
          .dtype = "bfloat16",
          .kv_dtype = kv_dtype_of(shape.kv_bytes),
          .variants = {""}};
}

Chosen choose(const KernelSet& kernels, const CurveNames& names) {
  Chosen any;
  for (const std::string_view dtype : {names.dtype, std::string_view("bfloat16")})
    for (const std::string& variant : names.variants) {
      const Chosen found = kernels.find(names.op, dtype, variant, names.kv_dtype);
      if (found.curve == nullptr) continue;
      if (found.tier <= Tier::kSibling) return found;
      if (any.curve == nullptr) any = found;
    }
  return any;
}

Call context_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                            double tokens, double cached) {
  const double width = shape.d_qk + shape.d_v, parallel = requests * shape.heads;
  const double pairs = shape.causal ? model::attention_pairs(tokens, cached, shape.window)
                                    : tokens * (tokens + cached);
  const double context = tokens + cached;
  const double seen = shape.window > 0 ? std::min(context, shape.window + tokens) : context;
  Call call;
  call.compute =
      2 * parallel * width * pairs / (shape.stride * peak(chip, shape.compute, shape.kv_bytes));
  call.memory = requests * width *
                (kActivationBytes * tokens * shape.heads +
                 shape.kv_bytes * seen * shape.kv_heads / shape.stride) /
                chip.bandwidth;
  call.waste =
      waste_of(chip, blocks_of(tokens, cached, shape.window, shape.causal), pairs, parallel);
  // Work per token grows with the prefix like with a longer prompt; the number of tiles does not.
  const double prefix = shape.window > 0 ? std::min(cached, shape.window) : cached;
  const double equal = std::max(tokens, std::min(tokens + 2 * prefix, kLongestPrompt));
  const double sharing = shape.heads / shape.kv_heads;
  call.at = {log2_of(parallel * tokens / equal),
             sharing > 1 ? log2_of(sharing) : -log2_of(shape.kv_heads), log2_of(equal), 0};
  return call;
}

Call decode_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                           double context) {
  const double seen = shape.window > 0 ? std::min(context, shape.window) : context;
  const double width = shape.d_qk + shape.d_v;
  Call call;
  call.compute = 2 * requests * shape.heads * width * seen /
                 (shape.stride * peak(chip, shape.compute, shape.kv_bytes));
  call.memory =
      requests * width *
      (kActivationBytes * shape.heads + shape.kv_bytes * seen * shape.kv_heads / shape.stride) /
      chip.bandwidth;
  const double sharing = shape.heads / shape.kv_heads;
  call.waste = std::max(1.0, kQueryRows / sharing);
  call.depth = seen;
  call.at = {log2_of(requests * shape.kv_heads), log2_of(context), log2_of(sharing), 0};
  return call;
}

Call mixed_decode_call(const Chip& chip, const AttentionShape& shape, double requests,
                       double context) {
  return context_attention_call(chip, shape, requests, 1, std::max(0.0, context - 1));
}

Call mixed_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                          double tokens, double cached, double decodes, double context) {
  const Call prompts = context_attention_call(chip, shape, requests, tokens, cached);
  const Call tokens_alone = mixed_decode_call(chip, shape, decodes, context);
  Call call;
  call.compute = prompts.compute + tokens_alone.compute;
  call.memory = prompts.memory + tokens_alone.memory;
  call.waste =
      (prompts.compute * prompts.waste + tokens_alone.compute * tokens_alone.waste) / call.compute;
  call.at = {prompts.at[0], prompts.at[2], log2_of(shape.heads * decodes), log2_of(context)};
  return call;
}

std::string mixed_attention_variant(double d_qk, double window, double sharing) {
  return fmt::format("{} g{:.0f}", attention_variant(d_qk, window), sharing);
}

CurveNames mixed_attention_names(const AttentionShape& shape) {
  return {.op = "mixed_attention",
          .dtype = dtype_of(shape.compute),
          .kv_dtype = kv_dtype_of(shape.kv_bytes),
          .variants = {
              mixed_attention_variant(shape.d_qk, shape.window, shape.heads / shape.kv_heads)}};
}

double longest_share(const Chip& chip, double heads, double requests, bool mixed) {
  constexpr double kSplit = 0.035;
  const double tiles = heads * requests;
  if (!mixed || chip.multiprocessors <= 0) return kSplit;
  if (tiles <= chip.multiprocessors) return 1;
  return std::max(kSplit, 0.5 * chip.multiprocessors / tiles);
}

Call encoder_attention_call(const Chip& chip, const AttentionShape& shape, double requests,
                            double tokens) {
  AttentionShape all = shape;
  all.causal = false;
  all.window = 0;
  Call call = context_attention_call(chip, all, requests, tokens, 0);
  call.at = {log2_of(requests * shape.heads), log2_of(tokens), 0, 0};
  return call;
}

Call context_mla_call(const Chip& chip, const LatentShape& shape, double requests, double tokens,
                      double cached) {
  const AttentionShape expanded{.heads = shape.heads,
                                .kv_heads = shape.heads,
                                .d_qk = shape.nope + shape.rope,
                                .d_v = shape.d_v,
                                .kv_bytes = shape.kv_bytes,
                                .compute = shape.compute};
  Call call = context_attention_call(chip, expanded, requests, tokens, cached);
  // What must be read is the latent; whether heads are expanded in memory is the kernel's choice.
  call.memory = requests *
                (kActivationBytes * tokens * shape.heads * (shape.nope + shape.rope + shape.d_v) +
                 shape.kv_bytes * (tokens + cached) * (shape.kv_rank + shape.rope)) /
                chip.bandwidth;
  call.at[1] = call.at[2];
  call.at[2] = 0;
  return call;
}

Call decode_mla_call(const Chip& chip, const LatentShape& shape, double requests, double context) {
  const double per_head = 2 * shape.kv_rank + shape.rope;
  Call call;
  call.compute =
      2 * requests * shape.heads * per_head * context / peak(chip, shape.compute, shape.kv_bytes);
  call.memory = requests *
                (kActivationBytes * shape.heads * per_head +
                 shape.kv_bytes * context * (shape.kv_rank + shape.rope)) /
                chip.bandwidth;
  call.at = {log2_of(requests), log2_of(context), log2_of(shape.heads), 0};
  return call;
}

}  // namespace portolan::cost
