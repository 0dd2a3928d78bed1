// An inference engine as the simulator runs it: the compiled step cost with the scheduler's rules,
// limits and overheads of one engine version on one machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "cost/engine.hpp"
#include "cost/machine.hpp"
#include "cost/memory.hpp"
#include "cost/step.hpp"
#include "model/architecture.hpp"
#include "simulation/request.hpp"
#include "simulation/step_cost.hpp"

namespace portolan::simulation {

/// What a user may pin; unset: the engine's own default, or what the memory has room for.
struct EngineOptions {
  std::optional<std::int64_t> max_sequences, max_batched_tokens, kv_blocks, block_tokens,
      max_model_len;
  std::optional<double> memory_fraction;
  bool prefix_caching = true;
  double drafted = 0, acceptance = 0;  // speculative decoding: tokens per step, chance of each
  std::int64_t max_adapters = 0;       // LoRA adapters in one step; 0 = no limit
  Seconds adapter_load{0};             // reading one that is not resident
};

/// Limits are of one data-parallel rank of attention; a replica has `ranks` of them in lockstep.
struct EngineModel {
  std::shared_ptr<const StepCost> cost;
  cost::PrefillPolicy prefill = cost::PrefillPolicy::kMixed;
  bool async_scheduling = true;
  /// Room for the whole prompt, not only its first chunk, is needed to admit it (vLLM from 0.19).
  bool reserve_full_prompt = true;
  bool reserves_outputs = false;  // all outputs too: nothing is ever preempted
  bool prefix_caching = true;
  std::int32_t ranks = 1, lanes = 1;  // data-parallel ranks; pipeline stages
  std::int64_t max_sequences = 256, max_batched_tokens = 8192, max_model_len = 131072;
  std::int64_t kv_blocks = 0;  // usable ones, per rank
  std::int32_t block_tokens = 16;
  std::int64_t state_blocks = 0;  // what a sequence holds besides, of any length (recurrent layers)
  std::int64_t most_steps = kNever;  // decode steps taken at once at most
  double drafted = 0, acceptance = 0;
  std::int64_t max_adapters = 0;
  Time adapter_load = 0;
  // Outside of steps.
  Time front_end = 0, per_prompt_token = 0, after_decode = 0, per_output_token = 0;
  std::int64_t chat_template_tokens = 0;
  // For those who account: per replica.
  std::int64_t accelerators = 1;
  double weight_bytes = 0;        // all ranks, what a start has to load
  double kv_bytes_per_token = 0;  // all ranks: what moving a request's cache takes
  std::optional<double> idle_watts;

  /// Blocks that a sequence of so many tokens takes.
  [[nodiscard]] std::int64_t blocks_of(std::int64_t tokens) const {
    return (tokens + block_tokens - 1) / block_tokens + state_blocks;
  }
  /// Whether a request that ends at so many tokens could ever be served: context and KV cache.
  [[nodiscard]] bool holds(std::int64_t tokens) const {
    return tokens <= max_model_len && blocks_of(tokens) <= kv_blocks;
  }
};

/// Errors: infeasible ("memory") when the weights leave no room for one block; usage for limits
/// below 1.
Result<EngineModel> make_engine_model(const model::Architecture& architecture,
                                      const cost::StepModel& step, const EngineOptions& options);

}  // namespace portolan::simulation
