// A strategy as the launch flags of the frameworks that run it, and read back from them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "training/run.hpp"

namespace portolan::training {

enum class Framework : std::uint8_t { kMegatron, kTorchtitan, kDeepspeed, kAccelerate };
/// "megatron", "torchtitan", "deepspeed", "accelerate".
std::span<const std::string_view> framework_names();
Result<Framework> parse_framework(std::string_view name);

/// What flags say of a run; what they do not say stays at its default.
struct FlaggedRun {
  Strategy strategy;
  double sequence = 0, sequences = 0;  // tokens of a sample, samples of a step; 0 = not said
  model::Compute compute = model::Compute::kBf16;
  Scaling scaling = Scaling::kTensor;
};

/// The flags on one line. Megatron-LM and Megatron-Bridge (pretrain_gpt.py), torchtitan 0.2
/// (dotted options), DeepSpeed (options of its JSON as `--ds.key value`), Accelerate with FSDP
/// (`accelerate launch`). Errors: invalid_input naming what the framework cannot express and the
/// nearest strategy it can.
Result<std::string> launch_flags(const FlaggedRun& run, Framework framework);

/// The reverse; `accelerators` decides the data-parallel degree, which no framework is told.
/// Unknown flags are left alone. Errors: invalid_input for a flag without its value, a value that
/// is no number, degrees that do not divide the accelerators, a batch that does not divide.
Result<FlaggedRun> read_flags(std::string_view flags, Framework framework,
                              std::int64_t accelerators);

}  // namespace portolan::training
