#include "cost/power.hpp"

#include <algorithm>
#include <cmath>

#include "cost/profile.hpp"
#include "cost/roofline.hpp"

namespace portolan::cost {
namespace {

using model::Compute;

// Cost-model section 12, parts whose power nobody measured: 0.18 of the board limit without work,
// clocks up (median of the floors seen: H200 0.18, B200 0.24, GB200 0.18, and of what the idle
// parts of a node add in runs on H100 0.16 and A100 0.17), and a memory-bound kernel draws 0.7 of
// what a compute-bound one does. On measured parts that law misses the mean of a table by 25 to 65
// %, mostly low: it is for parts without a measured relative.
constexpr double kIdleShare = 0.18, kMemoryPowerShare = 0.7;

constexpr std::array<std::string_view, kPowerClasses> kNames = {"gemm",
                                                                "moe",
                                                                "context_attention",
                                                                "generation_attention",
                                                                "context_mla",
                                                                "generation_mla",
                                                                "mla_context_module",
                                                                "mla_generation_module"};

/// The class whose kernels are most alike, where a part has no surface of its own.
PowerClass relative_of(PowerClass power_class) {
  switch (power_class) {
    case PowerClass::kContextMla:
    case PowerClass::kContextMlaModule:
      return PowerClass::kContextAttention;
    case PowerClass::kDecodeMla:
    case PowerClass::kDecodeMlaModule:
      return PowerClass::kDecodeAttention;
    case PowerClass::kMoe:
    case PowerClass::kContextAttention:
    case PowerClass::kDecodeAttention:
    case PowerClass::kGemm:
      return PowerClass::kGemm;
  }
  return PowerClass::kGemm;
}

}  // namespace

std::string_view power_class_name(PowerClass power_class) {
  return kNames[static_cast<std::size_t>(power_class)];
}

std::size_t power_class_of(std::string_view op) {
  return static_cast<std::size_t>(std::find(kNames.begin(), kNames.end(), op) - kNames.begin());
}

std::string_view power_arithmetic(Compute compute) {
  switch (compute) {
    case Compute::kFp8:
      return "fp8";
    case Compute::kFp4:
      return "fp4";
    case Compute::kInt8:
      return "int8";
    default:
      return "bf16";
  }
}

std::array<float, kCurveAxes> power_axes(double seconds, double compute_use, double memory_use) {
  constexpr double kLeast = 1e-4;
  const auto log = [](double x) { return static_cast<float>(std::log2(x)); };
  return {log(std::max(seconds, 1e-9) * 1e6), log(std::max(compute_use, kLeast)),
          log(std::max(memory_use, kLeast)), 0.0F};
}

PowerModel::PowerModel(const Machine& machine) : chip_(machine.chip), idle_(kIdleShare) {
  if (machine.kernels == nullptr) return;
  const KernelSet& set = *machine.kernels;
  const std::string& own = machine.node.accelerator->id;
  const auto find = [&](std::string_view arithmetic, PowerClass power_class) {
    return set.find(kPowerOp, arithmetic, power_class_name(power_class)).curve;
  };
  if (const Curve* curve = find("bf16", PowerClass::kGemm);
      curve != nullptr && curve->key.accelerator == own) {
    idle_ = curve->roofline.memory;
  }
  for (std::size_t c = 0; c < kPowerClasses; ++c) {
    for (std::size_t k = 0; k < surfaces_[c].size(); ++k) {
      const std::string_view arithmetic = power_arithmetic(static_cast<Compute>(k));
      PowerClass power_class{static_cast<std::uint8_t>(c)};
      const Curve* curve = nullptr;
      for (int tries = 0; curve == nullptr && tries < 3; ++tries) {
        curve = find(arithmetic, power_class);
        // The same class in another arithmetic draws about the same.
        if (curve == nullptr) curve = find("bf16", power_class);
        power_class = relative_of(power_class);
      }
      if (curve == nullptr) continue;
      Surface& surface = surfaces_[c][k];
      surface.curve = curve;
      if (curve->key.accelerator == own) continue;
      const double floor = curve->roofline.memory;
      surface.scale = (1.0 - idle_) / (1.0 - floor);
      surface.low = idle_ - floor * surface.scale;
    }
  }
  if (const Curve* gemm = surface(PowerClass::kGemm, Compute::kBf16); gemm != nullptr)
    tier_ = gemm->key.accelerator == own ? Tier::kMeasured : Tier::kTransferred;
}

double PowerModel::share(PowerClass power_class, Compute compute, double seconds,
                         double compute_use, double memory_use) const {
  const Surface& surface = of(power_class, compute);
  if (surface.curve == nullptr) {
    const double use = std::max(compute_use, kMemoryPowerShare * memory_use);
    return idle_ + (1.0 - idle_) * std::min(1.0, use);
  }
  const double cell = surface.curve->grid.value(power_axes(seconds, compute_use, memory_use));
  return std::clamp(surface.low + surface.scale * cell, idle_, 1.0);
}

double PowerModel::share(PowerClass power_class, Compute compute, const KernelTime& kernel) const {
  if (kernel.seconds <= 0) return 0;
  const double peak = chip_.peak[static_cast<std::size_t>(compute)];
  return share(power_class, compute, kernel.seconds,
               peak > 0 ? kernel.flop / peak / kernel.seconds : 0.0,
               chip_.bandwidth > 0 ? kernel.bytes / chip_.bandwidth / kernel.seconds : 0.0);
}

}  // namespace portolan::cost
