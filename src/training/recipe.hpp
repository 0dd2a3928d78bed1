// Bytes per parameter that training recipes keep: weights, gradients, optimizer state (training.md
// §5.2).
#pragma once

#include <cstdint>
#include <string_view>

namespace portolan::training {

enum class Optimizer : std::uint8_t {
  kAdamMixed,  // bf16 weights and gradients, fp32 master and two moments: 2 + 2 + 12 (DeepSpeed;
               // requirements R10's default)
  kAdamFp32,   // everything fp32: 4 + 4 + 8
  kAdam8bit,   // bf16 weights and gradients, two 8-bit moments, no master: 2 + 2 + 2 (block scales,
               // 8/2048 B, left out)
  kSgd,        // bf16 weights and gradients, fp32 master and momentum: 2 + 2 + 8
  kAdamMegatron,  // as kAdamMixed with fp32 gradient accumulation: 2 + 4 + 12
  kAdamBf16,      // everything bf16: 2 + 2 + 4 (torchtune, Composer's PURE)
  kAdafactor,     // bf16 weights and gradients, fp32 master; moments by row and column, left out
  kLion,          // bf16 weights and gradients, fp32 master and one moment: 2 + 2 + 8
  kMuon,  // the same on matrices of hidden layers; Adam's 12 on embeddings, norms and the head
  kAdamDeepspeed,     // as kAdamMixed with the fp32 copy of the gradients of a step: 2 + 2 + 16
  kAdamDeepspeedBf16  // fp32 gradient accumulation beside the bf16 gradients: 2 + 6 + 16
                      // (DeepSpeed's BF16 optimizer)
};
std::string_view optimizer_name(Optimizer optimizer);

/// What shares one scale when products run in 8 or 4 bits: a tensor (delayed or current), a row, a
/// block of 128×128, a micro-block of 16 or 32 (MXFP8, NVFP4).
enum class Scaling : std::uint8_t { kTensor, kRow, kBlock, kMicro };
/// Rate of the products of a recipe over that of one scale per tensor. Row: torchtitan float8 on
/// 256 H100, Llama-3-70B, 599.6 against 809.8 tokens/s of which two thirds are products
/// (2024-12-26). Block and micro: Megatron-Bridge 25.09, DeepSeek-V3 on 1,024 H100 25.3 against
/// 27.9 s, on 256 B200 14.5 against 15.2 s (2025-09).
constexpr double scaling_rate(Scaling scaling) {
  switch (scaling) {
    case Scaling::kTensor:
      return 1;
    case Scaling::kRow:
      return 0.60;
    case Scaling::kBlock:
      return 0.86;
    case Scaling::kMicro:
      return 0.93;
  }
  return 1;
}

/// Bytes per trained parameter.
struct Recipe {
  double weights = 0, gradients = 0, state = 0;
  [[nodiscard]] constexpr double total() const { return weights + gradients + state; }
};
constexpr Recipe recipe(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::kAdamMixed:
      return {2, 2, 12};
    case Optimizer::kAdamFp32:
      return {4, 4, 8};
    case Optimizer::kAdam8bit:
      return {2, 2, 2};
    case Optimizer::kSgd:
      return {2, 2, 8};
    case Optimizer::kAdamMegatron:
      return {2, 4, 12};
    case Optimizer::kAdamBf16:
      return {2, 2, 4};
    case Optimizer::kAdafactor:
      return {2, 2, 4};
    case Optimizer::kLion:
    case Optimizer::kMuon:
      return {2, 2, 8};
    case Optimizer::kAdamDeepspeed:
      return {2, 2, 16};
    case Optimizer::kAdamDeepspeedBf16:
      return {2, 6, 16};
  }
  return {};
}
/// Weights + gradients + optimizer state: 16 for kAdamMixed and kAdamFp32, 6 for kAdam8bit, 18 for
/// kAdamMegatron.
constexpr double state_bytes_per_parameter(Optimizer optimizer) {
  return recipe(optimizer).total();
}
/// The reference article's rule (R10): fp32 weights and Adam's two fp32 moments, gradients
/// forgotten.
inline constexpr double kArticleBytesPerParameter = 12;

}  // namespace portolan::training
