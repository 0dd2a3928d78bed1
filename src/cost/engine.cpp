// Host overhead of engines, per version: data with sources.
#include "cost/step.hpp"

namespace portolan::cost {

const EngineOverhead& default_engine() {
  static const EngineOverhead engine{
      .engine = "vllm-0.15",
      .per_step = Seconds(126e-6),
      .per_layer = Seconds(32.1e-6),
      .per_request = Seconds(4.42e-6),
      .front_end = Seconds(6.5e-3),
      .after_decode = Seconds(0.777e-3),
      .per_output_token = Seconds(45.9e-6),
      .async_scheduling = true,
      .source =
          "inference-sim (BLIS) fit of vLLM 0.15.1 on H100; its front end of 15.56 ms stands for "
          "front end and the step in "
          "flight, which async scheduling adds on its own: with that step the same public rows "
          "leave 4 to 9 ms",
      .date = "2026-06-01"};
  return engine;
}

}  // namespace portolan::cost
