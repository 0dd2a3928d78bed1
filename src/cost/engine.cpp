// Host overhead of engines, per version: data with sources.
#include "cost/step.hpp"

namespace portolan::cost {

const EngineOverhead& default_engine() {
  static const EngineOverhead engine{
      .engine = "vllm-0.15",
      .per_step = Seconds(126e-6),
      .per_layer = Seconds(32.1e-6),
      .per_request = Seconds(4.42e-6),
      .front_end = Seconds(15.56e-3),
      .after_decode = Seconds(0.777e-3),
      .per_output_token = Seconds(45.9e-6),
      .source = "inference-sim (BLIS) fit of vLLM 0.15.1 on H100",
      .date = "2026-06-01"};
  return engine;
}

}  // namespace portolan::cost
