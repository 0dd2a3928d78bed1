// A training or fine-tuning run: parallel strategy -> step time, memory per accelerator, goodput,
// duration.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "cost/machine.hpp"
#include "model/architecture.hpp"
#include "model/numeric_format.hpp"
#include "training/goodput.hpp"
#include "training/recipe.hpp"
#include "training/stack.hpp"

namespace portolan::training {

/// What the backward pass computes again instead of keeping it. Selective: the attention core where
/// it is not fused, and with flash attention (which never keeps the core) the norm outputs and
/// activation products. Full: whole layers.
enum class Recompute : std::uint8_t { kNone, kSelective, kFull };
std::string_view recompute_name(Recompute recompute);

/// How a pipeline orders its passes. 1F1B is interleaved where a rank has several stages. The
/// zero-bubble schedules (arXiv 2401.10241) fill the warm-up and drain with weight gradients, which
/// nothing waits for: the first keeps the memory of 1F1B, the second holds almost twice as many
/// microbatches. The search leaves them out, because hardly any framework has them.
enum class Schedule : std::uint8_t { k1F1B, kZeroBubble1, kZeroBubble2 };
std::string_view schedule_name(Schedule schedule);

/// Full trains every weight; LoRA trains adapters of rank r on frozen 16-bit weights; QLoRA on NF4
/// weights.
enum class Method : std::uint8_t { kFull, kLora, kQlora };
std::string_view method_name(Method method);

struct Job {
  double tokens = 0;               // of the run
  double sequence = 0;             // tokens per sample (packed: no padding)
  double global_batch_tokens = 0;  // per optimizer step
  Method method = Method::kFull;
  Optimizer optimizer = Optimizer::kAdamMixed;
  std::int64_t lora_rank = 16;
  model::Compute compute =
      model::Compute::kBf16;  // of the linear layers: bf16 or fp8; attention and head stay bf16
  Scaling scaling = Scaling::kTensor;  // of fp8 and fp4 products
  Stack stack = fused_stack();         // how the software runs a step
};

/// One way to split the run over `nodes` × node.count accelerators. Ranks are placed tp innermost,
/// then cp, dp, pp. Routed experts: ep = 1 splits each like the rest over tp; ep > 1 spreads whole
/// experts over ep of the tp·cp·dp ranks.
struct Strategy {
  int tp = 1, pp = 1, ep = 1, cp = 1, dp = 1;
  int zero = 1;  // 0–3: what is divided over dp·cp: nothing, optimizer, + gradients, + weights
  int microbatch = 1;      // sequences
  int virtual_stages = 1;  // interleaving
  Recompute recompute = Recompute::kNone;
  Schedule schedule = Schedule::k1F1B;
  // HSDP: states are divided over so many of the dp·cp ranks, gradients reduced over the rest;
  // 0 = over all of them.
  int shard = 0;
  [[nodiscard]] int accelerators() const { return tp * pp * cp * dp; }
  friend bool operator==(const Strategy&, const Strategy&) = default;
};

/// Per accelerator, of the fullest rank. `activations` holds what the backward pass needs and the
/// largest layer's working set; `overhead` the context, communication buffers and allocator slack.
struct TrainingMemory {
  Bytes weights{0}, gradients{0}, optimizer{0}, activations{0}, logits{0}, overhead{0};
  [[nodiscard]] Bytes total() const {
    return weights + gradients + optimizer + activations + logits + overhead;
  }
};

struct RunEstimate {
  Seconds step{0};  // = compute + bubble + exposed_communication + optimizer_update + host
  Seconds compute{0}, bubble{0}, exposed_communication{0}, optimizer_update{0}, host{0};
  TrainingMemory memory;         // of the fullest rank
  int fullest_stage = 0;         // pipeline stage of that rank, counted from 0
  double mfu = 0;                // model FLOP over dense datasheet peak of `compute`
  double tokens_per_second = 0;  // whole job, without failures
  double goodput = 1;            // share of wall time that is progress (failures, checkpoints)
  Seconds duration{0};           // tokens / (rate × goodput)
  double steps = 0;
  double batch_tokens =
      0;  // the step's batch: the job's, rounded to whole microbatches on every replica
};

struct Compiled;  // tables.hpp

/// Compiled once per (model, machine, job); immutable, so that threads may share it.
class Trainer {
 public:
  /// Errors: infeasible when the machine has no arithmetic for the job (`why` =
  /// "precision_unsupported"); invalid_input for a job without tokens, sequence or batch, or a
  /// model of which only a parameter count is known.
  static Result<Trainer> compile(const model::Architecture& architecture,
                                 const cost::Machine& machine, const Job& job);

  /// nullopt when the strategy is illegal (divisibility, more stages than layers, a batch that
  /// would move by more than 5 %, nodes that cannot talk); memory is reported even when it does not
  /// fit.
  [[nodiscard]] std::optional<RunEstimate> evaluate(const Strategy& strategy,
                                                    std::int64_t nodes) const;
  /// What is wrong with a strategy that `evaluate` refuses, with the nearest legal value as the
  /// hint; nullopt for a legal one.
  [[nodiscard]] std::optional<Error> objection(const Strategy& strategy, std::int64_t nodes) const;

  /// The strategy that finishes first among those that fit, ties broken by less memory, then by the
  /// fields of the strategy in order. Skips what cannot win (`candidates` − `illegal` − `evaluated`
  /// − some of `memory_rejected`); never changes the winner.
  struct Search {
    std::optional<Strategy> best;
    std::optional<RunEstimate> estimate;
    std::uint64_t candidates = 0;       // strategies considered, legal or not
    std::uint64_t evaluated = 0;        // given time and memory
    std::uint64_t memory_rejected = 0;  // shown not to fit, by full evaluation or by a lower bound
    std::uint64_t fitting = 0;          // evaluated and within memory
    std::uint64_t illegal = 0;
    Bytes smallest_memory{
        0};  // needed by the leanest legal strategy, per accelerator; exact when nothing fits
    Bytes usable{0};
    Strategy leanest;
  };
  [[nodiscard]] Search search(std::int64_t nodes) const;
  /// The same by brute force: every legal strategy is evaluated. The reference for `search` and for
  /// counting speed.
  [[nodiscard]] Search search_exhaustively(std::int64_t nodes) const;

  [[nodiscard]] const cost::Machine& machine() const;
  [[nodiscard]] const Job& job() const;
  /// Memory a strategy may use on one accelerator.
  [[nodiscard]] Bytes usable() const;

 private:
  std::shared_ptr<const Compiled> compiled_;
};

/// 80 % interval of a predicted step as multiples of it: measured over predicted of 614 published
/// steps on parts with a measured ceiling (0.87 and 1.14) and of 120 on their relatives (0.83 and
/// 1.18), widened by what leaving a model out costs; elsewhere the machine's own.
cost::ErrorBand step_band(const cost::Machine& machine);

/// What keeps the best strategy from fitting: "needs 91.2 GB of 80.0 GB at tp8 pp4 dp2 zero1, full
/// recompute"; empty when something fits.
std::string nearest_miss(const Trainer::Search& search);
/// "tp8 pp4 dp2 zero1 mb1 selective recompute": degrees of 1 are left out.
std::string strategy_text(const Strategy& strategy);

/// Which linear layers carry adapters.
enum class LoraTargets : std::uint8_t { kAllLinear, kQueryValue };
/// Trainable parameters of LoRA of rank r: Σ r (in + out) over the targeted linear layers of the
/// decoder. Routed experts, the router, the embedding and the head carry none.
double lora_parameters(const model::Architecture& architecture, std::int64_t rank,
                       LoraTargets targets = LoraTargets::kAllLinear);

}  // namespace portolan::training
