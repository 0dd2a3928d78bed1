// Number formats: bytes per stored element including scales, and which arithmetic computes with
// them.
#pragma once

#include <optional>
#include <string_view>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "model/architecture.hpp"

namespace portolan::model {

/// Arithmetic an operator runs in: decides the peak rate.
enum class Compute : std::uint8_t { kFp32, kTf32, kBf16, kFp8, kFp4, kInt8 };

/// "bf16", "fp8", "int4" … and the spellings of configs ("bfloat16", "float8_e4m3fn", "awq").
/// Errors: invalid_input with nearest names.
Result<Format> parse_format(std::string_view name);
std::string_view format_name(Format format);
/// Bytes per weight including scales and zero points (cost-model.md §5): bf16 2, fp8 1, int4
/// 0.5195, nvfp4 0.5625, mxfp4 0.53125 …
double bytes_per_weight(Format format);
/// Nominal bytes per weight without scales: the rule of thumb's (int4 0.5, int8 1).
double nominal_bytes_per_weight(Format format);
/// Activation bytes per element that a linear layer of this format reads.
double bytes_per_activation(Format format);
Compute compute_of(Format format);  // int4 weight-only computes in bf16 …

/// KV formats: bf16, fp16, fp32, fp8, int8, int4 (q4_0), q8_0, nvfp4. Bytes per element including
/// scales.
Result<double> kv_bytes_per_element(std::string_view name);

/// The weight bytes of an architecture stored as `format` for its bulk (nullopt = the checkpoint's
/// own): embeddings, head, norms and router stay in `unquantised` (bf16 for quantised checkpoints;
/// the same as the bulk for fp32/bf16/fp16). Exact tensor sizes win when format is nullopt.
Bytes weight_bytes(const Architecture& architecture, std::optional<Format> format);

}  // namespace portolan::model
