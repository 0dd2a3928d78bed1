#include "training/launch_flags.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "base/text.hpp"

namespace portolan::training {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"megatron", "torchtitan", "deepspeed",
                                                    "accelerate"};

std::unexpected<Error> bad(std::string message, std::string hint) {
  return fail(ErrorCode::kInvalidInput, std::move(message), std::move(hint));
}

bool low(const FlaggedRun& run) {
  return run.compute == model::Compute::kFp8 || run.compute == model::Compute::kFp4;
}

/// Flags of a command line by name; `--name value`, `--name=value` and bare switches.
using Flags = std::map<std::string, std::string, std::less<>>;

Flags split_flags(std::string_view text) {
  Flags flags;
  std::string name;
  for (std::string_view word : split(text, ' ')) {
    if (word.empty()) continue;
    if (word.starts_with("--")) {
      name = std::string(word.substr(2));
      if (const std::size_t at = name.find('='); at != std::string::npos) {
        flags[name.substr(0, at)] = name.substr(at + 1);
        name.clear();
      } else {
        flags[name] = "";
      }
    } else if (!name.empty()) {
      flags[name] = std::string(word);
      name.clear();
    }
  }
  return flags;
}

Result<std::optional<double>> number(const Flags& flags, std::string_view name) {
  const auto found = flags.find(name);
  if (found == flags.end()) return std::optional<double>{};
  const auto value = parse_double(found->second);
  if (!value || !std::isfinite(*value)) {
    return bad(fmt::format("--{} needs a number, not {}", name, quoted(found->second)),
               fmt::format("--{} 1", name));
  }
  return std::optional<double>(*value);
}

/// Sets a degree of at least 1 where the flag is given.
Result<void> degree(const Flags& flags, std::string_view name, int& out) {
  const std::optional<double> value = PORTOLAN_TRY(number(flags, name));
  if (!value) return {};
  if (*value < 1 || *value > 1e6 || std::floor(*value) != *value) {
    return bad(fmt::format("--{} {:g} is no whole number from 1 on", name, *value),
               fmt::format("--{} {}", name, std::max(1, static_cast<int>(std::round(*value)))));
  }
  out = static_cast<int>(*value);
  return {};
}

Result<void> amount(const Flags& flags, std::string_view name, double& out) {
  const std::optional<double> value = PORTOLAN_TRY(number(flags, name));
  if (value) out = *value;
  return {};
}

std::string text_of(const Flags& flags, std::string_view name) {
  const auto found = flags.find(name);
  return found == flags.end() ? "" : found->second;
}

std::string megatron(const FlaggedRun& run) {
  const Strategy& s = run.strategy;
  std::string out =
      fmt::format("--tensor-model-parallel-size {} --pipeline-model-parallel-size {}", s.tp, s.pp);
  if (s.virtual_stages > 1)
    out += fmt::format(" --num-virtual-stages-per-pipeline-rank {}", s.virtual_stages);
  if (s.cp > 1) out += fmt::format(" --context-parallel-size {}", s.cp);
  if (s.ep > 1) out += fmt::format(" --expert-model-parallel-size {}", s.ep);
  if (s.tp > 1) out += " --sequence-parallel";
  if (s.zero == 1) out += " --use-distributed-optimizer";
  if (s.zero >= 2)
    out += fmt::format(" --use-megatron-fsdp --data-parallel-sharding-strategy {}",
                       s.zero == 2 ? "optim_grads" : "optim_grads_params");
  out += fmt::format(" --micro-batch-size {}", s.microbatch);
  if (run.sequences > 0) out += fmt::format(" --global-batch-size {:.0f}", run.sequences);
  if (run.sequence > 0) out += fmt::format(" --seq-length {:.0f}", run.sequence);
  if (s.recompute == Recompute::kSelective) out += " --recompute-granularity selective";
  if (s.recompute == Recompute::kFull)
    out += " --recompute-granularity full --recompute-method uniform --recompute-num-layers 1";
  out += " --bf16";
  if (run.compute == model::Compute::kFp8) {
    constexpr std::array<std::string_view, 4> kRecipes = {"tensorwise", "rowwise", "blockwise",
                                                          "mxfp8"};
    out += fmt::format(" --fp8-format hybrid --fp8-recipe {}",
                       kRecipes[static_cast<std::size_t>(run.scaling)]);
  }
  if (run.compute == model::Compute::kFp4) out += " --fp4-format e2m1";
  return out;
}

Result<void> read_megatron(const Flags& flags, FlaggedRun& run) {
  Strategy& s = run.strategy;
  PORTOLAN_DO(degree(flags, "tensor-model-parallel-size", s.tp));
  PORTOLAN_DO(degree(flags, "pipeline-model-parallel-size", s.pp));
  PORTOLAN_DO(degree(flags, "num-virtual-stages-per-pipeline-rank", s.virtual_stages));
  PORTOLAN_DO(degree(flags, "context-parallel-size", s.cp));
  PORTOLAN_DO(degree(flags, "expert-model-parallel-size", s.ep));
  PORTOLAN_DO(degree(flags, "micro-batch-size", s.microbatch));
  PORTOLAN_DO(amount(flags, "global-batch-size", run.sequences));
  PORTOLAN_DO(amount(flags, "seq-length", run.sequence));
  s.zero = flags.contains("use-distributed-optimizer") ? 1 : 0;
  if (flags.contains("use-megatron-fsdp"))
    s.zero = text_of(flags, "data-parallel-sharding-strategy") == "optim_grads" ? 2 : 3;
  const std::string granularity = text_of(flags, "recompute-granularity");
  if (granularity == "selective") s.recompute = Recompute::kSelective;
  if (granularity == "full") s.recompute = Recompute::kFull;
  if (flags.contains("fp8-format")) {
    run.compute = model::Compute::kFp8;
    const std::string recipe = text_of(flags, "fp8-recipe");
    run.scaling = recipe == "mxfp8"       ? Scaling::kMicro
                  : recipe == "blockwise" ? Scaling::kBlock
                  : recipe == "rowwise"   ? Scaling::kRow
                                          : Scaling::kTensor;
  }
  if (flags.contains("fp4-format")) {
    run.compute = model::Compute::kFp4;
    run.scaling = Scaling::kMicro;
  }
  return {};
}

Result<std::string> torchtitan(const FlaggedRun& run) {
  const Strategy& s = run.strategy;
  if (s.zero != 3 && s.dp > 1) {
    return bad(fmt::format("torchtitan shards weights over its data-parallel ranks: ZeRO stage {} "
                           "has no flags",
                           s.zero),
               "zero 3");
  }
  std::string out = fmt::format(
      "--parallelism.data_parallel_shard_degree {} --parallelism.tensor_parallel_degree {} "
      "--parallelism.pipeline_parallel_degree {} --parallelism.context_parallel_degree {}",
      s.dp, s.tp, s.pp, s.cp);
  if (s.ep > 1) out += fmt::format(" --parallelism.expert_parallel_degree {}", s.ep);
  if (s.pp > 1) {
    out += fmt::format(" --parallelism.pipeline_parallel_schedule {}",
                       s.virtual_stages > 1 ? "Interleaved1F1B" : "1F1B");
    // The split of layers says how many stages a rank has; the option is of its own here.
    out += fmt::format(" --parallelism.virtual_stages {}", s.virtual_stages);
  }
  out += fmt::format(" --training.local_batch_size {}", s.microbatch);
  if (run.sequences > 0) out += fmt::format(" --training.global_batch_size {:.0f}", run.sequences);
  if (run.sequence > 0) out += fmt::format(" --training.seq_len {:.0f}", run.sequence);
  out += fmt::format(" --activation_checkpoint.mode {}", recompute_name(s.recompute));
  if (s.recompute == Recompute::kSelective)
    out += " --activation_checkpoint.selective_ac_option op";
  if (low(run)) {
    out += run.scaling == Scaling::kMicro ? " --model.converters mx" : " --model.converters float8";
    if (run.scaling == Scaling::kRow) out += " --float8.recipe_name rowwise";
  }
  return out;
}

Result<void> read_torchtitan(const Flags& flags, FlaggedRun& run) {
  Strategy& s = run.strategy;
  s.zero = 3;
  PORTOLAN_DO(degree(flags, "parallelism.tensor_parallel_degree", s.tp));
  PORTOLAN_DO(degree(flags, "parallelism.pipeline_parallel_degree", s.pp));
  PORTOLAN_DO(degree(flags, "parallelism.context_parallel_degree", s.cp));
  PORTOLAN_DO(degree(flags, "parallelism.expert_parallel_degree", s.ep));
  PORTOLAN_DO(degree(flags, "parallelism.virtual_stages", s.virtual_stages));
  PORTOLAN_DO(degree(flags, "training.local_batch_size", s.microbatch));
  PORTOLAN_DO(amount(flags, "training.global_batch_size", run.sequences));
  PORTOLAN_DO(amount(flags, "training.seq_len", run.sequence));
  const std::string mode = text_of(flags, "activation_checkpoint.mode");
  s.recompute = mode == "full"        ? Recompute::kFull
                : mode == "selective" ? Recompute::kSelective
                                      : Recompute::kNone;
  const std::string converters = text_of(flags, "model.converters");
  if (converters == "float8" || converters == "mx") run.compute = model::Compute::kFp8;
  if (converters == "mx") run.scaling = Scaling::kMicro;
  if (text_of(flags, "float8.recipe_name") == "rowwise") run.scaling = Scaling::kRow;
  return {};
}

/// What DeepSpeed and Accelerate cannot split.
Result<void> data_parallel_only(const Strategy& s, std::string_view framework, bool tensor) {
  if (s.pp > 1 || s.cp > 1 || s.ep > 1 || (s.tp > 1 && !tensor)) {
    return bad(fmt::format("{} has no flags for {}", framework, strategy_text(s)),
               fmt::format("dp{} zero3 mb{}", s.accelerators(), s.microbatch));
  }
  return {};
}

Result<std::string> deepspeed(const FlaggedRun& run) {
  const Strategy& s = run.strategy;
  PORTOLAN_DO(data_parallel_only(s, "DeepSpeed", true));
  std::string out = fmt::format(
      "--ds.zero_optimization.stage {} --ds.train_micro_batch_size_per_gpu {} --ds.bf16.enabled "
      "true",
      s.zero, s.microbatch);
  if (s.tp > 1) out += fmt::format(" --ds.tensor_parallel.autotp_size {}", s.tp);
  if (run.sequences > 0) out += fmt::format(" --ds.train_batch_size {:.0f}", run.sequences);
  if (run.sequence > 0) out += fmt::format(" --max_seq_length {:.0f}", run.sequence);
  if (s.recompute == Recompute::kFull) out += " --gradient_checkpointing true";
  return out;
}

Result<void> read_deepspeed(const Flags& flags, FlaggedRun& run) {
  Strategy& s = run.strategy;
  double zero = 0;
  PORTOLAN_DO(amount(flags, "ds.zero_optimization.stage", zero));
  if (zero < 0 || zero > 3 || std::floor(zero) != zero)
    return bad(fmt::format("ZeRO stage {:g} does not exist", zero), zero > 3 ? "3" : "0");
  s.zero = static_cast<int>(zero);
  PORTOLAN_DO(degree(flags, "ds.train_micro_batch_size_per_gpu", s.microbatch));
  PORTOLAN_DO(degree(flags, "ds.tensor_parallel.autotp_size", s.tp));
  PORTOLAN_DO(amount(flags, "ds.train_batch_size", run.sequences));
  PORTOLAN_DO(amount(flags, "max_seq_length", run.sequence));
  if (text_of(flags, "gradient_checkpointing") == "true") s.recompute = Recompute::kFull;
  return {};
}

Result<std::string> accelerate(const FlaggedRun& run) {
  const Strategy& s = run.strategy;
  PORTOLAN_DO(data_parallel_only(s, "Accelerate with FSDP", false));
  if (s.zero == 1 && s.dp > 1)
    return bad("FSDP has no sharding of the optimizer alone (ZeRO stage 1)", "zero 2");
  constexpr std::array<std::string_view, 4> kStrategies = {"NO_SHARD", "NO_SHARD", "SHARD_GRAD_OP",
                                                           "FULL_SHARD"};
  std::string out = fmt::format(
      "--use_fsdp --fsdp_sharding_strategy {} --mixed_precision {} --fsdp_auto_wrap_policy "
      "TRANSFORMER_BASED_WRAP --per_device_train_batch_size {}",
      kStrategies[static_cast<std::size_t>(s.zero)], low(run) ? "fp8" : "bf16", s.microbatch);
  if (run.sequences > 0) {
    out += fmt::format(" --gradient_accumulation_steps {:.0f}",
                       run.sequences / (static_cast<double>(s.dp) * s.microbatch));
  }
  if (run.sequence > 0) out += fmt::format(" --max_seq_length {:.0f}", run.sequence);
  if (s.recompute == Recompute::kFull) out += " --fsdp_activation_checkpointing true";
  return out;
}

Result<void> read_accelerate(const Flags& flags, FlaggedRun& run, std::int64_t accelerators) {
  Strategy& s = run.strategy;
  const std::string sharding = text_of(flags, "fsdp_sharding_strategy");
  s.zero = sharding == "FULL_SHARD" || sharding == "HYBRID_SHARD" ? 3
           : sharding == "SHARD_GRAD_OP"                          ? 2
                                                                  : 0;
  PORTOLAN_DO(degree(flags, "per_device_train_batch_size", s.microbatch));
  PORTOLAN_DO(amount(flags, "max_seq_length", run.sequence));
  int accumulation = 0;
  PORTOLAN_DO(degree(flags, "gradient_accumulation_steps", accumulation));
  if (accumulation > 0)
    run.sequences =
        static_cast<double>(accumulation) * static_cast<double>(accelerators) * s.microbatch;
  if (text_of(flags, "fsdp_activation_checkpointing") == "true") s.recompute = Recompute::kFull;
  if (text_of(flags, "mixed_precision") == "fp8") run.compute = model::Compute::kFp8;
  return {};
}

}  // namespace

std::span<const std::string_view> framework_names() { return kNames; }

Result<Framework> parse_framework(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Framework>(i);
  }
  return bad(fmt::format("unknown training framework {}", quoted(std::string(name))),
             "megatron, torchtitan, deepspeed or accelerate");
}

Result<std::string> launch_flags(const FlaggedRun& run, Framework framework) {
  switch (framework) {
    case Framework::kMegatron:
      return megatron(run);
    case Framework::kTorchtitan:
      return torchtitan(run);
    case Framework::kDeepspeed:
      return deepspeed(run);
    case Framework::kAccelerate:
      return accelerate(run);
  }
  return std::string{};
}

Result<FlaggedRun> read_flags(std::string_view text, Framework framework,
                              std::int64_t accelerators) {
  FlaggedRun run;
  const Flags flags = split_flags(text);
  switch (framework) {
    case Framework::kMegatron:
      PORTOLAN_DO(read_megatron(flags, run));
      break;
    case Framework::kTorchtitan:
      PORTOLAN_DO(read_torchtitan(flags, run));
      break;
    case Framework::kDeepspeed:
      PORTOLAN_DO(read_deepspeed(flags, run));
      break;
    case Framework::kAccelerate:
      PORTOLAN_DO(read_accelerate(flags, run, accelerators));
      break;
  }
  Strategy& s = run.strategy;
  const std::int64_t inner = std::int64_t{s.tp} * s.pp * s.cp;
  if (accelerators < 1 || accelerators % inner != 0) {
    const std::int64_t nearest = std::max<std::int64_t>(1, accelerators / inner) * inner;
    return bad(fmt::format("{} accelerators are no multiple of tp {} x pp {} x cp {} = {}",
                           accelerators, s.tp, s.pp, s.cp, inner),
               fmt::format("{} accelerators", nearest));
  }
  s.dp = static_cast<int>(accelerators / inner);
  const double slots = static_cast<double>(s.dp) * s.microbatch;
  if (run.sequences > 0 && std::fmod(run.sequences, slots) != 0) {
    return bad(fmt::format("a global batch of {:.0f} is no multiple of {} replicas x microbatch {}",
                           run.sequences, s.dp, s.microbatch),
               fmt::format("a global batch of {:.0f}",
                           std::max(1.0, std::round(run.sequences / slots)) * slots));
  }
  return run;
}

}  // namespace portolan::training
