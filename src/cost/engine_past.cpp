#include "cost/engine_past.hpp"

namespace portolan::cost {
namespace {

constexpr double kMicro = 1e-6, kMilli = 1e-3;

Engine base(EngineFamily family, std::string name) {
  Engine engine;
  engine.family = family;
  engine.engine = std::move(name);
  engine.per_layer = Seconds(32.1 * kMicro);
  engine.front_end = Seconds(6.5 * kMilli);
  engine.after_decode = Seconds(0.777 * kMilli);
  engine.per_output_token = Seconds(45.9 * kMicro);
  engine.async_scheduling = false;
  return engine;
}

std::vector<Engine> vllm() {
  std::vector<Engine> list;
  // Before the V1 engine: no overlap of scheduling and computing, prompts in steps of their own.
  Engine v0 = base(EngineFamily::kVllm, "vllm-0.2");
  v0.prefill = PrefillPolicy::kFirst;
  v0.max_num_seqs = 256;
  v0.max_num_batched_tokens = 2048;
  v0.graphs = {.first_step = 1, .knee = 0, .second_step = 1, .largest = 0};
  v0.per_step = Seconds(1.9 * kMilli);
  v0.per_request = Seconds(80 * kMicro);
  v0.per_layer = Seconds(450 * kMicro);
  list.push_back(v0);

  v0.engine = "vllm-0.5";
  v0.per_layer = Seconds(32.1 * kMicro);
  v0.graphs = {.first_step = 8, .knee = 256, .second_step = 8, .largest = 256};
  v0.defaults_source = "vLLM 0.5 engine arguments: prompts before decodes, captured up to 256";
  list.push_back(v0);

  Engine rocm = v0;
  rocm.engine = "vllm-0.5-rocm";
  rocm.vendor = "amd";
  rocm.repeats_kv_heads = true;
  rocm.kernel_factor = 1.9;
  rocm.per_step = Seconds(0.73 * kMilli);
  rocm.per_request = Seconds(124 * kMicro);
  list.push_back(rocm);

  Engine xpu = v0;
  xpu.engine = "vllm-0.5-xpu";
  xpu.vendor = "intel";
  xpu.repeats_kv_heads = true;
  xpu.kernel_factor = 2.76;
  xpu.per_step = Seconds(25 * kMilli);
  xpu.per_request = Seconds(580 * kMicro);
  list.push_back(xpu);
  return list;
}

std::vector<Engine> trtllm() {
  std::vector<Engine> list;
  Engine old = base(EngineFamily::kTrtllm, "trtllm-0.11");
  old.prefill = PrefillPolicy::kInflight;
  old.memory_base = MemoryBase::kFreeAfterWeights;
  old.reserves_outputs = true;
  old.max_num_seqs = 2048;
  old.max_num_batched_tokens = 8192;
  old.per_step = Seconds(1.03 * kMilli);
  old.per_request = Seconds(22 * kMicro);
  old.defaults_source =
      "TensorRT-LLM 0.11 to 0.17 executor: guaranteed-no-evict, KV fraction 0.90 of free memory";
  list.push_back(old);
  old.engine = "trtllm-0.14";
  list.push_back(old);
  old.engine = "trtllm-0.17";
  old.per_step = Seconds(126 * kMicro);
  old.per_request = Seconds(4.42 * kMicro);
  list.push_back(old);
  return list;
}

}  // namespace

std::vector<Engine> past_engines(EngineFamily family) {
  switch (family) {
    case EngineFamily::kVllm:
      return vllm();
    case EngineFamily::kTrtllm:
      return trtllm();
    case EngineFamily::kSglang:
      break;
  }
  return {};
}

}  // namespace portolan::cost
