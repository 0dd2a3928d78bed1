// Board power of a kernel from its own time and utilisations: measured surfaces where there are
// some, a law of the datasheet elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "cost/curve.hpp"
#include "cost/machine.hpp"

namespace portolan::cost {

struct KernelTime;

/// Kernels whose power is measured apart.
enum class PowerClass : std::uint8_t {
  kGemm,  // and element-wise kernels
  kMoe,
  kContextAttention,  // and chunked scans
  kDecodeAttention,   // and state updates
  kContextMla,
  kDecodeMla,
  kContextMlaModule,  // the attention with the projections around it, as one measurement
  kDecodeMlaModule
};
inline constexpr std::size_t kPowerClasses = 8;
std::string_view power_class_name(PowerClass power_class);  // "context_attention"
/// The class of an op of the kernel tables ("mla_context_module"); kPowerClasses when none fits.
std::size_t power_class_of(std::string_view op);
std::string_view power_arithmetic(model::Compute compute);  // "bf16", "fp8", "fp4", "int8"

/// A power surface is a curve of op "power", variant its class, dtype its arithmetic: cells are the
/// share of the board limit over log2 of microseconds, of compute and of memory utilisation;
/// `roofline.memory` is the lowest share seen on that accelerator, the rest of it is not used.
inline constexpr std::string_view kPowerOp = "power";
std::array<float, kCurveAxes> power_axes(double seconds, double compute_use, double memory_use);

/// Shares of the board limit on one machine. A donor's surface is taken between its idle share and
/// 1, and laid between the machine's own. What the power limit costs in time is in the kernel
/// times, which were measured under it: the share never exceeds 1 (cost-model.md §11.3).
class PowerModel {
 public:
  PowerModel() = default;
  explicit PowerModel(const Machine& machine);

  /// Mean share of the limit while the kernel runs, in [idle(), 1].
  [[nodiscard]] double share(PowerClass power_class, model::Compute compute,
                             const KernelTime& kernel) const;
  [[nodiscard]] double share(PowerClass power_class, model::Compute compute, double seconds,
                             double compute_use, double memory_use) const;
  /// Without work, clocks up.
  [[nodiscard]] double idle() const { return idle_; }
  /// kMeasured, kTransferred or kDatasheet, of the surface of dense bf16 products.
  [[nodiscard]] Tier tier() const { return tier_; }
  /// Surface that answers, or nullptr for the datasheet's law.
  [[nodiscard]] const Curve* surface(PowerClass power_class, model::Compute compute) const {
    return of(power_class, compute).curve;
  }

 private:
  struct Surface {
    const Curve* curve = nullptr;
    double low = 0, scale = 1;  // share = low + scale · cell
  };
  [[nodiscard]] const Surface& of(PowerClass power_class, model::Compute compute) const {
    return surfaces_[static_cast<std::size_t>(power_class)][static_cast<std::size_t>(compute)];
  }

  Chip chip_;
  std::array<std::array<Surface, 6>, kPowerClasses> surfaces_{};
  double idle_ = 0;
  Tier tier_ = Tier::kDatasheet;
};

}  // namespace portolan::cost
