#include "cost/efficiency.hpp"

#include <array>

namespace portolan::cost {
namespace {

constexpr std::string_view kFit =
    "fit of public kernel tables (aiconfigurator systems data, vLLM kernels): GEMM e_m, p, t0, k0, "
    "wave exponent; best context and decode attention";
constexpr std::string_view kFitDate = "2026-08-21";

// bf16 is used only where the accelerator table has no measured ceiling; fp8, fp4 and int8 are the
// best kernel's share scaled by (sustained ceiling / best kernel) of bf16, because sustained dense
// work runs at the power limit and short kernels do not.
constexpr std::array kFamilies = {
    KernelFamily{.id_prefix = "h200",
                 .architecture = "hopper",
                 .bf16 = 0.80,
                 .fp8 = 0.72,
                 .int8 = 0.72,
                 .bandwidth = 0.811,
                 .knee = 4,
                 .launch_us = 2.6,
                 .short_k = 165,
                 .wave_exponent = 0.80,
                 .prefill_attention = 0.68,
                 .decode_attention = 0.93,
                 .decode_attention_us = 10.8,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "hopper",
                 .bf16 = 0.80,
                 .fp8 = 0.71,
                 .int8 = 0.71,
                 .bandwidth = 0.867,
                 .knee = 4,
                 .launch_us = 2.6,
                 .short_k = 187,
                 .wave_exponent = 0.78,
                 .prefill_attention = 0.68,
                 .decode_attention = 0.94,
                 .decode_attention_us = 11,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "blackwell",
                 .bf16 = 0.775,
                 .fp8 = 0.74,
                 .fp4 = 0.49,
                 .int8 = 0.70,
                 .bandwidth = 0.823,
                 .knee = 2.4,
                 .launch_us = 2.2,
                 .short_k = 86,
                 .wave_exponent = 0.93,
                 .prefill_attention = 0.60,
                 .decode_attention = 0.92,
                 .decode_attention_us = 8.5,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "blackwell-ultra",
                 .bf16 = 0.77,
                 .fp8 = 0.74,
                 .fp4 = 0.34,
                 .int8 = 0.70,
                 .bandwidth = 0.823,
                 .knee = 2.4,
                 .launch_us = 2.2,
                 .short_k = 86,
                 .wave_exponent = 0.93,
                 .prefill_attention = 0.70,
                 .decode_attention = 0.90,
                 .decode_attention_us = 8.4,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "ampere",
                 .bf16 = 0.87,
                 .int8 = 0.80,
                 .bandwidth = 0.80,
                 .knee = 2.0,
                 .launch_us = 4.2,
                 .short_k = 113,
                 .wave_exponent = 0.49,
                 .prefill_attention = 0.60,
                 .decode_attention = 0.85,
                 .decode_attention_us = 10.6,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "rtx-30",
                 .architecture = "ampere",
                 .hbm = false,
                 .bf16 = 0.92,
                 .int8 = 0.80,
                 .bandwidth = 0.90,
                 .knee = 4,
                 .launch_us = 3,
                 .short_k = 113,
                 .wave_exponent = 0.59,
                 .prefill_attention = 0.70,
                 .decode_attention = 0.90,
                 .decode_attention_us = 9,
                 .source = "transferred from RTX 4090: GeForce boards run above the nominal clock",
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "ampere",
                 .hbm = false,
                 .bf16 = 0.80,
                 .int8 = 0.75,
                 .bandwidth = 0.82,
                 .knee = 4,
                 .launch_us = 3.5,
                 .short_k = 113,
                 .wave_exponent = 0.59,
                 .prefill_attention = 0.58,
                 .decode_attention = 0.90,
                 .decode_attention_us = 9,
                 .source = "transferred: A100 compute, L40S memory shares",
                 .date = kFitDate},
    KernelFamily{.id_prefix = "rtx-40",
                 .architecture = "ada",
                 .hbm = false,
                 .bf16 = 0.95,
                 .fp8 = 0.85,
                 .int8 = 0.80,
                 .bandwidth = 0.93,
                 .knee = 4,
                 .launch_us = 2.0,
                 .short_k = 120,
                 .wave_exponent = 0.6,
                 .prefill_attention = 0.75,
                 .decode_attention = 0.93,
                 .decode_attention_us = 7.5,
                 .source = "LLMServingSim profile of vLLM 0.19 on RTX 4090: GeForce boards run "
                           "above the nominal clock",
                 .date = "2026-06-01"},
    KernelFamily{.id_prefix = "",
                 .architecture = "ada",
                 .hbm = false,
                 .bf16 = 0.68,
                 .fp8 = 0.60,
                 .int8 = 0.60,
                 .bandwidth = 0.80,
                 .knee = 4,
                 .launch_us = 2.0,
                 .short_k = 163,
                 .wave_exponent = 0.59,
                 .prefill_attention = 0.58,
                 .decode_attention = 0.92,
                 .decode_attention_us = 7.5,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "blackwell",
                 .hbm = false,
                 .bf16 = 0.88,
                 .fp8 = 0.74,
                 .fp4 = 0.45,
                 .int8 = 0.70,
                 .bandwidth = 0.90,
                 .knee = 4,
                 .launch_us = 2.0,
                 .short_k = 120,
                 .wave_exponent = 0.7,
                 .prefill_attention = 0.66,
                 .decode_attention = 0.92,
                 .decode_attention_us = 8.5,
                 .source = kFit,
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "volta",
                 .bf16 = 0.70,
                 .bandwidth = 0.80,
                 .knee = 2.5,
                 .launch_us = 4.5,
                 .short_k = 113,
                 .wave_exponent = 0.5,
                 .prefill_attention = 0.45,
                 .decode_attention = 0.75,
                 .decode_attention_us = 12,
                 .source = "transferred from ampere at 0.9",
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "turing",
                 .hbm = false,
                 .bf16 = 0.40,
                 .int8 = 0.40,
                 .bandwidth = 0.78,
                 .knee = 3,
                 .launch_us = 4.5,
                 .short_k = 113,
                 .wave_exponent = 0.5,
                 .prefill_attention = 0.30,
                 .decode_attention = 0.75,
                 .decode_attention_us = 12,
                 .source = "T4 sustains less than half of its rate at 70 W; unverified",
                 .date = kFitDate},
    KernelFamily{.id_prefix = "",
                 .architecture = "cdna3",
                 .bandwidth = 0.75,
                 .knee = 3,
                 .launch_us = 4,
                 .short_k = 150,
                 .wave_exponent = 0.7,
                 .prefill_attention = 0.35,
                 .decode_attention = 0.70,
                 .decode_attention_us = 14,
                 .source = "cost-model ceiling tier; attention at half of the GEMM ceiling",
                 .date = kFitDate},
};

constexpr KernelFamily kGeneral{
    .id_prefix = "",
    .architecture = "",
    .source = "cost-model ceiling/datasheet tier: e_m 0.80, p 3, t0 4 us",
    .date = kFitDate};

bool is_hbm(const hardware::Accelerator& accelerator) {
  return accelerator.memory_type.empty() ||
         accelerator.memory_type.find("HBM") != std::string::npos;
}

// Best NCCL / engine all-reduce busbw over the one-way link rate at 2, 4, 8 ranks.
constexpr std::string_view kComm = "comm_efficiency_summary of public NCCL and engine tables";
constexpr std::array kSwitched = {
    LinkShares{"ampere",
               {0.66, 0.73, 0.75},
               {0.53, 0.66, 0.69},
               {0.55, 0.65, 0.68},
               5.6,
               14,
               kComm,
               kFitDate},
    LinkShares{"hopper",
               {0.73, 0.79, 1.03},
               {0.57, 0.70, 0.75},
               {0.61, 0.70, 0.71},
               4.6,
               10,
               kComm,
               kFitDate},
    LinkShares{"blackwell",
               {0.62, 0.70, 0.80},
               {0.49, 0.63, 0.68},
               {0.38, 0.54, 0.62},
               6.9,
               16,
               kComm,
               kFitDate},
    LinkShares{"blackwell-ultra",
               {0.63, 0.71, 0.80},
               {0.49, 0.63, 0.69},
               {0.38, 0.56, 0.64},
               6.9,
               16,
               kComm,
               kFitDate},
};
constexpr LinkShares kSwitchedGeneral{"",
                                      {0.60, 0.68, 0.72},
                                      {0.50, 0.62, 0.65},
                                      {0.45, 0.55, 0.60},
                                      8,
                                      16,
                                      "lowest measured switched shares",
                                      kFitDate};

}  // namespace

const KernelFamily& kernel_family(const hardware::Accelerator& accelerator) {
  const bool hbm = is_hbm(accelerator);
  for (const KernelFamily& family : kFamilies) {
    if (!family.id_prefix.empty() && !accelerator.id.starts_with(family.id_prefix)) continue;
    if (family.architecture == accelerator.architecture && family.hbm == hbm) return family;
  }
  return kGeneral;
}

bool is_general(const KernelFamily& family) { return family.architecture.empty(); }

double head_dimension_factor(double head_dimension) {
  // H100, best context attention by head dimension over that of 128: 64 -> 0.53/0.68 ... (kernel
  // tables, section 6.5). 512 falls because the tile no longer fits in shared memory.
  struct Point {
    double dimension, factor;
  };
  static constexpr std::array kPoints = {Point{32, 0.5},   Point{64, 0.78},  Point{128, 1.0},
                                         Point{192, 1.10}, Point{256, 1.15}, Point{512, 0.58}};
  if (head_dimension <= kPoints.front().dimension) return kPoints.front().factor;
  for (std::size_t i = 1; i < kPoints.size(); ++i) {
    if (head_dimension <= kPoints[i].dimension) {
      const double share = (head_dimension - kPoints[i - 1].dimension) /
                           (kPoints[i].dimension - kPoints[i - 1].dimension);
      return kPoints[i - 1].factor + share * (kPoints[i].factor - kPoints[i - 1].factor);
    }
  }
  return kPoints.back().factor;
}

GroupedShares grouped_shares(model::Format format, model::Compute compute) {
  // MoE kernel tables, H100 and B200 (cost-model section 6.7): sustained compute share at 4,096
  // tokens; bandwidth share where every expert is read once; floor of align, scatter and one
  // product.
  switch (compute) {
    case model::Compute::kFp8:
      return {0.30, 0.80, 12};
    case model::Compute::kFp4:
      return {0.37, 0.72, 8};
    case model::Compute::kInt8:
      return {0.30, 0.80, 12};
    default:
      break;
  }
  if (format == model::Format::kMxfp4 || format == model::Format::kNvfp4 ||
      format == model::Format::kInt4)
    return {0.33, 0.80, 14};
  return {0.47, 0.86, 10};  // bandwidth: 0.80 in the kernel tables, 0.86-0.92 inside engines
}

std::span<const LinkShares> switched_link_shares() { return kSwitched; }
const LinkShares& switched_shares(std::string_view architecture) {
  for (const LinkShares& shares : kSwitched) {
    if (shares.architecture == architecture) return shares;
  }
  return kSwitchedGeneral;
}

}  // namespace portolan::cost
