#include "simulation/engine_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace portolan::simulation {
namespace {

/// Contexts whose cost per token stands for all where layers with windows make it vary.
constexpr double kTypicalTokens = 2048;

std::int64_t whole(double value) { return static_cast<std::int64_t>(std::floor(value)); }

std::unexpected<Error> usage(std::string message, std::string hint) {
  return fail({.code = ErrorCode::kUsage,
               .message = std::move(message),
               .where = {},
               .why = {},
               .hint = std::move(hint),
               .also = {}});
}

}  // namespace

Result<EngineModel> make_engine_model(const model::Architecture& architecture,
                                      const cost::StepModel& step, const EngineOptions& options) {
  const cost::Engine& engine = step.engine();
  const cost::Deployment& deployment = step.deployment();
  const auto pinned = [](std::optional<std::int64_t> value, double otherwise) {
    return value ? *value : whole(otherwise);
  };
  EngineModel model;
  model.prefill = engine.prefill;
  model.async_scheduling = engine.async_scheduling;
  model.reserve_full_prompt = engine.reserves_full_prompt;
  model.reserves_outputs = engine.reserves_outputs || options.drafted > 0;
  model.prefix_caching = options.prefix_caching;
  model.ranks = std::max(1, deployment.ep / std::max(1, deployment.tp));
  model.lanes = std::max(1, deployment.pp);
  model.max_sequences = pinned(options.max_sequences, engine.max_num_seqs);
  model.max_batched_tokens = pinned(options.max_batched_tokens, engine.max_num_batched_tokens);
  model.block_tokens = static_cast<std::int32_t>(
      pinned(options.block_tokens, std::max(1.0, engine.memory.block_tokens)));
  model.max_model_len = pinned(
      options.max_model_len,
      architecture.max_position > 0 ? static_cast<double>(architecture.max_position) : 1 << 20);
  for (const auto& [name, value] :
       {std::pair("max-num-seqs", model.max_sequences),
        std::pair("max-num-batched-tokens", model.max_batched_tokens),
        std::pair("block-size", static_cast<std::int64_t>(model.block_tokens)),
        std::pair("max-model-len", model.max_model_len)}) {
    if (value < 1 || value > (std::int64_t{1} << 30))
      return usage(fmt::format("--{} must be between 1 and 2^30, got {}", name, value),
                   fmt::format("leave --{} out for the engine's default", name));
  }
  model.drafted = options.drafted;
  model.acceptance = options.acceptance;
  model.max_adapters = options.max_adapters;
  model.adapter_load = from_seconds(options.adapter_load.raw());

  const double span =
      static_cast<double>(model.ranks) * deployment.tp * static_cast<double>(model.lanes);
  model.front_end =
      from_seconds(engine.front_end.raw() + engine.fan_out.raw() * std::log2(std::max(1.0, span)));
  model.per_prompt_token = from_seconds(engine.per_prompt_token.raw());
  model.after_decode = from_seconds(engine.after_decode.raw());
  model.per_output_token = from_seconds(engine.per_output_token.raw());
  model.chat_template_tokens = whole(engine.chat_template_tokens);
  model.accelerators = static_cast<std::int64_t>(deployment.accelerators()) * model.ranks;

  cost::MemoryLimits limits{.utilisation = options.memory_fraction.value_or(engine.memory_fraction),
                            .max_batched_tokens = static_cast<double>(model.max_batched_tokens),
                            .max_sequences = static_cast<double>(model.max_sequences),
                            .engine = &engine.memory};
  const cost::MemoryLayout memory =
      cost::memory_layout(architecture, step.machine(), deployment, limits);
  const auto holds = [&](double tokens) {
    return cost::sequence_bytes(architecture, deployment, tokens, &engine.memory).raw();
  };
  const double state = memory.state_per_sequence.raw();
  const double per_token = std::max(0.0, holds(kTypicalTokens) - state) / kTypicalTokens;
  model.weight_bytes = memory.weights.raw() * static_cast<double>(model.accelerators);
  model.kv_bytes_per_token = per_token * static_cast<double>(model.accelerators);
  const double block = per_token * static_cast<double>(model.block_tokens);
  const double left = memory.left_for_sequences().raw();
  constexpr double kMostBlocks = 1e9;
  const double predicted =
      block > 0 ? std::min(kMostBlocks, std::floor(left / block)) : kMostBlocks;
  if (options.kv_blocks) {
    // A user's count is of the engine's own blocks, which are of one layer group where layers with
    // windows share pages.
    const double engines = static_cast<double>(cost::kv_blocks(architecture, memory, deployment)) *
                           memory.block_tokens / static_cast<double>(model.block_tokens);
    const double unit = engines > 0 && predicted > 0 && left > 0 ? predicted / engines : 1.0;
    const bool plain = std::abs(unit - 1.0) < 0.02;
    model.kv_blocks =
        plain ? *options.kv_blocks : whole(static_cast<double>(*options.kv_blocks) * unit);
  } else {
    if (left <= 0 || predicted < 1)
      return fail({.code = ErrorCode::kInfeasible,
                   .message = fmt::format("{:.1f} GB of weights and buffers leave no room for the "
                                          "KV cache in {:.1f} GB per accelerator",
                                          memory.fixed().raw() / 1e9, memory.capacity.raw() / 1e9),
                   .where = {},
                   .why = "memory",
                   .hint = "use more accelerators per replica (--tp), a smaller format (--dtype) "
                           "or a larger accelerator",
                   .also = {}});
    model.kv_blocks = static_cast<std::int64_t>(predicted);
  }
  model.kv_blocks -= static_cast<std::int64_t>(engine.memory.null_blocks);
  if (model.kv_blocks < 1)
    return usage(fmt::format("{} KV blocks are too few to serve one request", model.kv_blocks),
                 "leave --kv-blocks out for the number the memory has room for");
  if (state > 0 && block > 0)
    model.state_blocks = static_cast<std::int64_t>(std::ceil(state / block));

  model.idle_watts = [&]() -> std::optional<double> {
    if (const std::optional<Watts> idle = step.idle_power()) return idle->raw() * model.ranks;
    return std::nullopt;
  }();
  model.cost = std::make_shared<StepCost>(step, model.ranks, model.drafted);
  return model;
}

}  // namespace portolan::simulation
