#include "model/numeric_format.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/text.hpp"
#include "model/count.hpp"
#include "model/operators.hpp"

namespace portolan::model {
namespace {

struct FormatRow {
  Format format;
  std::string_view name;
  double weight, nominal, activation;
  Compute compute;
  std::string_view spellings;  // of configs and command lines, lower case, separated by spaces
};

// Bytes include scales and zero points: fp8 blocks of 128x128 with a 4-byte scale, int4 groups of
// 128 with scale and zero (2.5 bytes), nvfp4 an fp8 scale per 16, mxfp4 an e8m0 scale per 32, nf4
// an fp32 scale per 64.
constexpr FormatRow kFormats[] = {
    {Format::kFp32, "fp32", 4, 4, 4, Compute::kFp32, "float32 float f32"},
    {Format::kTf32, "tf32", 4, 4, 4, Compute::kTf32, "tensorfloat32"},
    {Format::kBf16, "bf16", 2, 2, 2, Compute::kBf16, "bfloat16 torch.bfloat16"},
    {Format::kFp16, "fp16", 2, 2, 2, Compute::kBf16, "float16 half f16 torch.float16"},
    {Format::kFp8, "fp8", 1, 1, 1, Compute::kFp8,
     "float8 float8_e4m3fn float8_e5m2 f8 e4m3 fp8_e4m3 w8a8-fp8"},
    {Format::kFp8Block, "fp8-block", 1 + 4.0 / 16384, 1, 1 + 4.0 / 128, Compute::kFp8,
     "fp8_block mxfp8"},
    {Format::kInt8, "int8", 1, 1, 1, Compute::kInt8, "w8a8 smoothquant i8"},
    {Format::kInt8WeightOnly, "int8-weight-only", 1 + 2.0 / 128, 1, 2, Compute::kBf16,
     "w8a16 int8_weight_only int8wo"},
    {Format::kInt4, "int4", 0.5 + 2.5 / 128, 0.5, 2, Compute::kBf16,
     "awq gptq w4a16 int4_weight_only q4"},
    {Format::kNvfp4, "nvfp4", 0.5625, 0.5, 0.5625, Compute::kFp4, "fp4"},
    {Format::kMxfp4, "mxfp4", 0.53125, 0.5, 2, Compute::kBf16, ""},
    {Format::kNf4, "nf4", 0.5625, 0.5, 2, Compute::kBf16, "bitsandbytes bnb"},
    {Format::kExact, "exact", 0, 0, 2, Compute::kBf16, ""},
};

const FormatRow& row_of(Format format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return row;
  }
  return kFormats[2];
}

struct KvRow {
  std::string_view name;
  double bytes;
};
constexpr KvRow kKvFormats[] = {{"bf16", 2},      {"fp16", 2},      {"fp32", 4},
                                {"fp8", 1},       {"int8", 1},      {"q8_0", 1.0625},
                                {"int4", 0.5625}, {"q4_0", 0.5625}, {"nvfp4", 0.5625}};

}  // namespace

Result<Format> parse_format(std::string_view name) {
  const std::string wanted = to_lower(trim(name));
  std::vector<std::string_view> known;
  for (const FormatRow& row : kFormats) {
    if (row.format == Format::kExact) continue;
    if (wanted == row.name) return row.format;
    for (const std::string_view spelling : split(row.spellings, ' ')) {
      if (!spelling.empty() && wanted == spelling) return row.format;
    }
    known.push_back(row.name);
  }
  return fail(ErrorCode::kInvalidInput, fmt::format("unknown number format {}", quoted(name)),
              did_you_mean(wanted, known).empty()
                  ? "formats: fp32 tf32 bf16 fp16 fp8 fp8-block int8 int4 nvfp4 mxfp4 nf4"
                  : did_you_mean(wanted, known));
}

std::string_view format_name(Format format) { return row_of(format).name; }
double bytes_per_weight(Format format) { return row_of(format).weight; }
double nominal_bytes_per_weight(Format format) { return row_of(format).nominal; }
double bytes_per_activation(Format format) { return row_of(format).activation; }
Compute compute_of(Format format) { return row_of(format).compute; }

Result<double> kv_bytes_per_element(std::string_view name) {
  const std::string wanted = to_lower(trim(name));
  std::vector<std::string_view> known;
  for (const KvRow& row : kKvFormats) {
    if (wanted == row.name) return row.bytes;
    known.push_back(row.name);
  }
  if (wanted == "bfloat16" || wanted == "float16") return 2.0;
  if (wanted == "fp8_e4m3" || wanted == "fp8_e5m2") return 1.0;
  const std::string guess = did_you_mean(wanted, known);
  return fail(ErrorCode::kInvalidInput, fmt::format("unknown KV-cache format {}", quoted(name)),
              guess.empty() ? "formats: bf16 fp16 fp32 fp8 int8 q8_0 int4 q4_0 nvfp4" : guess);
}

Bytes weight_bytes(const Architecture& architecture, std::optional<Format> format) {
  if (!format && architecture.exact_weight_bytes)
    return Bytes(static_cast<double>(*architecture.exact_weight_bytes));
  const ParameterCount count = count_parameters(architecture);
  const auto of = [&](std::int64_t parameters, WeightClass weights) {
    return static_cast<double>(parameters) *
           bytes_per_weight(stored_format(architecture, weights, format));
  };
  return Bytes(
      of(count.embedding + count.norms + count.other + count.encoders, WeightClass::kEmbedding) +
      of(count.head, WeightClass::kHead) + of(count.attention, WeightClass::kAttention) +
      of(count.mlp, WeightClass::kMlp) + of(count.experts, WeightClass::kExperts) +
      of(count.router, WeightClass::kRouter));
}

}  // namespace portolan::model
