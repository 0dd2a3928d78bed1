// A training or fine-tuning run: parallel strategy -> step time, memory per accelerator, goodput, duration.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "cost/machine.hpp"
#include "model/architecture.hpp"

namespace portolan::training {

enum class Recompute : std::uint8_t { kNone, kSelective, kFull };
std::string_view recompute_name(Recompute recompute);
enum class Method : std::uint8_t { kFull, kLora, kQlora };
enum class Optimizer : std::uint8_t { kAdamMixed /*2+4+12 bytes/param*/, kAdamFp32 /*4+4+8*/, kAdam8bit, kSgd };

struct Job {
  double tokens = 0;                     // of the run
  double sequence = 0;                   // tokens per sample
  double global_batch_tokens = 0;
  Method method = Method::kFull;
  Optimizer optimizer = Optimizer::kAdamMixed;
  std::int64_t lora_rank = 16;
  model::Compute compute = model::Compute::kBf16;  // or fp8
};

/// One way to split the run over `nodes` × node.count accelerators.
struct Strategy {
  int tp = 1, pp = 1, ep = 1, cp = 1, dp = 1;
  int zero = 1;                 // 0–3
  int microbatch = 1;           // sequences
  int virtual_stages = 1;       // interleaving
  Recompute recompute = Recompute::kNone;
  [[nodiscard]] int accelerators() const { return tp * pp * cp * dp; }
};

struct TrainingMemory { Bytes weights{0}, gradients{0}, optimizer{0}, activations{0}, logits{0}, overhead{0}; [[nodiscard]] Bytes total() const; };

struct RunEstimate {
  Seconds step{0};
  Seconds compute{0}, bubble{0}, exposed_communication{0}, optimizer_update{0}, host{0};  // parts of step
  TrainingMemory memory;                 // of the fullest rank
  double mfu = 0;                        // model FLOP over dense datasheet peak of `compute`
  double tokens_per_second = 0;          // whole job, without failures
  double goodput = 1;                    // share of wall time that is progress (failures, checkpoints)
  Seconds duration{0};                   // tokens / (rate × goodput)
  double steps = 0;
};

/// Compiled per (model, machine, job): tables of layer time and memory so that `evaluate` is a few dozen multiply-adds.
class Trainer {
 public:
  static Result<Trainer> compile(const model::Architecture& architecture, const cost::Machine& machine, const Job& job);

  /// nullopt when the strategy is illegal (divisibility); memory is reported even when it does not fit.
  [[nodiscard]] std::optional<RunEstimate> evaluate(const Strategy& strategy, std::int64_t nodes) const;

  /// Best strategies on `nodes` nodes: fastest that fits; counts of what was looked at and why others lost; the nearest miss by memory.
  struct Search {
    std::optional<Strategy> best;
    std::optional<RunEstimate> estimate;
    std::uint64_t candidates = 0, evaluated = 0, memory_rejected = 0, illegal = 0;
    Bytes smallest_memory{0};            // needed by the leanest strategy, per accelerator
    Bytes usable{0};
    Strategy leanest;
  };
  [[nodiscard]] Search search(std::int64_t nodes) const;
  [[nodiscard]] const cost::Machine& machine() const;

 private:
  struct Tables;
  std::shared_ptr<const Tables> tables_;
};

/// Trainable parameters of LoRA of rank r on all linear layers.
double lora_parameters(const model::Architecture& architecture, std::int64_t rank);
/// Bytes per parameter of weights + gradients + optimizer state: 12 (article, Adam moments only), 16 (default), 6 (8-bit Adam) …
double state_bytes_per_parameter(Optimizer optimizer);

/// Goodput for exponential failures (training.md §10): checkpoint time C, mean time between failures M, restart R; interval minimises the exact form.
struct Goodput { double share = 1; Seconds interval{0}; };
Goodput goodput(Seconds checkpoint, Seconds mean_time_between_failures, Seconds restart);

}  // namespace portolan::training
