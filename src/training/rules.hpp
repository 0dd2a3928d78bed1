// Rules of thumb for training: 6·p·D, accelerator-hours at an assumed MFU, the largest model a
// memory can train.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/derivation.hpp"
#include "base/quantity.hpp"
#include "training/recipe.hpp"

namespace portolan::training {

/// Median MFU of 33 published training runs (Epoch AI); what is assumed when nothing better is
/// known (requirements R32).
inline constexpr double kMedianPublishedMfu = 0.375;

/// 2·p FLOP per token processed (arXiv 2001.08361 §2.1). `parameters`: the active ones of a mixture
/// of experts.
constexpr Flop rule_forward(double parameters, double tokens) {
  return Flop{2 * parameters * tokens};
}
/// 6·p FLOP per token: forward 2, backward 4.
constexpr Flop rule_training(double parameters, double tokens) {
  return Flop{6 * parameters * tokens};
}
/// With full activation recomputation the forward pass runs twice: 8·p.
constexpr Flop rule_training_recomputed(double parameters, double tokens) {
  return Flop{8 * parameters * tokens};
}
/// Accelerator time of `work` at `mfu` of the dense peak; divide by the number of accelerators for
/// the duration.
constexpr Seconds rule_accelerator_time(Flop work, FlopPerSecond peak, double mfu) {
  return work / (peak * mfu);
}

/// The arithmetic of a run as a tree: accelerator-hours <- FLOP <- parameters, tokens; peak; MFU.
/// With a price also the money.
Derivation explain_training_rule(double parameters, double tokens, FlopPerSecond peak, double mfu,
                                 std::optional<UsdRate> price);

/// What one recipe can train in a memory, states alone: no activations, no context.
struct TrainableSize {
  std::string recipe;
  double bytes_per_parameter = 0;
  double parameters = 0;
  std::string note;
};
/// Every recipe in a fixed order, from the article's rule to QLoRA (requirements R57).
std::vector<TrainableSize> largest_trainable(Bytes memory);
/// Largest model whose states fill `memory`.
constexpr double largest_trainable_parameters(Bytes memory, double bytes_per_parameter) {
  return memory.raw() / bytes_per_parameter;
}
constexpr double largest_trainable_parameters(Bytes memory, Optimizer optimizer) {
  return largest_trainable_parameters(memory, state_bytes_per_parameter(optimizer));
}

/// Bytes per parameter of the frozen weights under adapters: 16 bit, and NF4 with one fp32 scale
/// per 64 weights.
inline constexpr double kLoraBaseBytesPerParameter = 2;
inline constexpr double kQloraBaseBytesPerParameter = 0.5 + 4.0 / 64;

}  // namespace portolan::training
