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

// Constants of these records come from measure::fit_offline, one engine at a time; the errors named
// are medians over models left out of the fit.
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
  // Time per token of one request does not change from four to eight accelerators: 29.5 ms on the
  // hosts of H100s and 45 ms on those of A100s for 80 layers launched one by one.
  v0.per_layer = Seconds(450 * kMicro);
  v0.source =
      "Splitwise performance model (Llama-2-70B and BLOOM-176B, vLLM of 2023, 228 rows); left-out "
      "models 26 %";
  v0.date = "2023-11-01";
  v0.defaults_source = "vLLM 0.2 engine arguments: prompts before decodes, no captured graphs";
  list.push_back(v0);

  v0.engine = "vllm-0.5";
  v0.per_layer = Seconds(32.1 * kMicro);
  v0.per_request = Seconds(70 * kMicro);
  v0.source =
      "Argonne LLM-Inference-Bench (A100, H100, GH200; vLLM 0.5 and 0.6, 682 rows); left-out "
      "models "
      "7 %, left-out accelerators 9 %";
  v0.date = "2024-10-01";
  v0.graphs = {.first_step = 8, .knee = 256, .second_step = 8, .largest = 256};
  v0.defaults_source = "vLLM 0.5 engine arguments: prompts before decodes, captured up to 256";
  list.push_back(v0);

  Engine rocm = v0;
  rocm.engine = "vllm-0.5-rocm";
  rocm.vendor = "amd";
  rocm.repeats_kv_heads = true;
  rocm.kernel_factor = 1.9;
  rocm.per_step = Seconds(1.49 * kMilli);
  rocm.per_request = Seconds(125 * kMicro);
  rocm.source =
      "Argonne LLM-Inference-Bench (MI250, MI300X; vLLM 0.6.1, 1,112 rows); left-out models 16 %, "
      "left-out accelerator 24 %";
  list.push_back(rocm);

  Engine xpu = v0;
  xpu.engine = "vllm-0.5-xpu";
  xpu.vendor = "intel";
  xpu.repeats_kv_heads = true;
  xpu.kernel_factor = 2.76;
  xpu.per_step = Seconds(25 * kMilli);
  xpu.per_request = Seconds(670 * kMicro);
  xpu.source =
      "Argonne LLM-Inference-Bench (Max 1550; vLLM 0.5.2, 151 rows, half of which hold 17 s of "
      "compiling); left-out models 49 %";
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
  old.per_step = Seconds(0.75 * kMilli);
  old.per_request = Seconds(22 * kMicro);
  old.defaults_source =
      "TensorRT-LLM 0.11 to 0.17 executor: guaranteed-no-evict, KV fraction 0.90 of free memory";
  old.source =
      "Argonne LLM-Inference-Bench (A100, H100, GH200; TensorRT-LLM 0.11, 589 rows); left-out "
      "models "
      "8 %";
  old.date = "2024-10-01";
  list.push_back(old);
  old.engine = "trtllm-0.14";
  list.push_back(old);
  old.engine = "trtllm-0.17";
  old.per_step = Seconds(126 * kMicro);
  old.per_request = Seconds(4.4 * kMicro);
  old.source =
      "TensorRT-LLM performance overview, saturated throughput of 0.17 (A100, L40S, H100, H200, "
      "GH200; 373 rows); left-out models 6 %";
  old.date = "2025-02-01";
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
