// An inference engine under a constant number of clients, each of which sends its next request when
// the last one is answered: the protocol of most published serving benchmarks.
#pragma once

#include "base/quantity.hpp"
#include "cost/step.hpp"
#include "serving/steady_state.hpp"

namespace portolan::serving {

/// The load. Lengths are spread evenly over [shortest, longest] × nominal, prompts and outputs
/// independently. Equal lengths keep clients that start together in step for ever.
struct ClosedLoop {
  double clients = 1;
  double requests = 0;  // in all, the first `clients` of them at once; 0: ten per client
  double input_tokens = 0, output_tokens = 0;
  double shortest = 1, longest = 1;
  /// The engine looks for new requests once in so many decode steps (SGLang's
  /// scheduler-recv-interval); a step with prompts looks again at once.
  double poll_steps = 1;
  /// Data-parallel ranks of attention start prompts together: fewer than one for each rank wait at
  /// most so many decode steps for the others (TensorRT-LLM's attention_dp balance). 0: at once.
  double gather_steps = 0;
  /// Speculative decoding with the model's own prediction layers: tokens drafted per step, and the
  /// chance that a drafted token is accepted after the ones before it were.
  double drafted = 0, acceptance = 0;
};

/// Means over all requests, start included.
struct ClosedLoopResult {
  Seconds ttft_mean{0}, tpot_mean{0}, e2e_mean{0};
  double output_tokens_per_second = 0;  // over the whole run
  double batch = 0;                     // requests in service, mean over time
};

/// One replica, event by event: scheduling follows the engine's policy (serving.md §1.4–1.7,
/// 1.12), runs of equal decode steps are taken at once. `limits.max_sequences`, its KV cap and the
/// clients are of the whole replica, all data-parallel ranks of attention together;
/// `max_batched_tokens` is per rank. Deterministic. Nothing fits (a cap below one request): all
/// figures are 0.
ClosedLoopResult closed_loop(const cost::StepModel& step, const ClosedLoop& load,
                             const EngineLimits& limits);

}  // namespace portolan::serving
