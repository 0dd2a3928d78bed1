#include "cost/memory_engine.hpp"

#include <vector>

namespace portolan::cost {
namespace {

// NCCL buffers at 1, 2, 4 and 8 ranks: 0, 342, 392, 392 MiB (aiconfigurator systems data,
// 2026-07-14). With `runtime` they are the median of what six recorded vLLM block counts leave at
// two and four ranks.
constexpr std::array kNccl = {0.0, 342.0 * 1048576, 392.0 * 1048576, 392.0 * 1048576};

struct Record {
  int family, since;
  EngineMemory memory;
};

std::vector<Record> table() {
  // Bytes per logit: start-up logs that print the peak of the dummy run. In all of them it is the
  // sampler's, max_num_seqs rows of full logits: 41 (Llama-3-8B, 0.6.5), 37.8 (Qwen3-8B-FP8, RTX
  // 3090, 0.10.2), 39.0 (Gemma-3-4B, B200, 0.10), 38.5 (Qwen3-Next-80B, 2 x H200, 0.11), 38.5
  // (Llama-3.1-8B, A100, 0.31, its graphs taken off). Runtime: the median of what seven block
  // counts on H100 leave, 0.29 printed on the A100; 0.02 printed on an RTX 3090, 0.30 to 0.33 with
  // the communicator on two L40S or RTX 5090.
  EngineMemory vllm{
      .rule = CacheRule::kShareOfDevice,
      .windows = WindowCache::kFull,
      .null_blocks = 1,
      .context = Bytes(0.5e9),
      .runtime = Bytes(0.27e9),
      .runtime_gddr = Bytes(0.02e9),
      .communicator = kNccl,
      .bytes_per_logit = 38.5,
      .hidden_copies = 2,
      .latent_workspace_tokens = 65536,
      .rotary_table = true,
      .graph_bytes_per_layer = 0.32e6,
      .graph_captures = 35,
      .source =
          "start-up logs in vllm-project/vllm#10511, #12126, #21489 and public run reports of "
          "0.10.2, 0.11 and 0.31; block counts recorded by inference-sim and LLMServingSim",
      .date = "2026-10-06"};
  std::vector<Record> records;
  records.push_back({.family = 0, .since = 5, .memory = vllm});
  vllm.graph_captures = 67;  // piecewise graphs up to 512 tokens
  records.push_back({.family = 0, .since = 8, .memory = vllm});
  // One manager for layers with and without windows.
  vllm.windows = WindowCache::kPagesInCommon;
  records.push_back({.family = 0, .since = 10, .memory = vllm});
  // 51 piecewise and 35 whole graphs in one pool: 0.247 GB for the 32 layers of Llama-3.1-8B, A100,
  // 0.31; 0.40 GB for the 28 of Qwen3-0.6B. Counted against the share from 0.21 on.
  vllm.graph_captures = 86;
  vllm.graph_bytes_per_layer = 0.13e6;
  records.push_back({.family = 0, .since = 19, .memory = vllm});
  vllm.graphs_in_share = true;
  records.push_back({.family = 0, .since = 21, .memory = vllm});

  // SGLang: "Init torch distributed ends. mem usage" 1.8-2.0 GB at 8 ranks of H200, context
  // included; DeepSeek-R1 at 0.82 on 8 x H200 gets 509k tokens, Qwen3-235B FP8 at 0.93 on 4 x H100
  // 367k.
  records.push_back(
      {.family = 1,
       .since = 0,
       .memory = {.rule = CacheRule::kShareOfFree,
                  .windows = WindowCache::kWindow,
                  .block_tokens = 1,
                  .context = Bytes(0.6e9),
                  .runtime = Bytes(0.6e9),
                  .runtime_gddr = Bytes(0.3e9),
                  .communicator = kNccl,
                  .bytes_per_logit = 12,
                  .graph_bytes_per_layer = 0.32e6,
                  .graph_captures = 36,
                  .source = "start-up logs in sgl-project/sglang#11716, ai-dynamo/aisimulate#263, "
                            "vllm-project/vllm#21348; bytes per logit assumed (logits, "
                            "probabilities, sort)",
                  .date = "2026-09-18"}});

  // TensorRT-LLM: 69.52 GB of cache at 0.9 of what a 7B int8 engine leaves on an A100 80GB, 0.8 GB
  // more than weights and context memory explain.
  records.push_back(
      {.family = 2,
       .since = 0,
       .memory = {.rule = CacheRule::kShareOfWhatIsLeft,
                  .windows = WindowCache::kWindow,
                  .block_tokens = 32,
                  .context = Bytes(0.6e9),
                  .runtime = Bytes(0.3e9),
                  .runtime_gddr = Bytes(0.1e9),
                  .communicator = kNccl,
                  .bytes_per_logit = 12,
                  .graph_bytes_per_layer = 0.32e6,
                  .graph_captures = 24,
                  .source = "start-up log in NVIDIA/TensorRT-LLM#1400; bytes per logit assumed",
                  .date = "2024-04-04"}});
  return records;
}

}  // namespace

const EngineMemory& engine_memory(int family, int version) {
  static const std::vector<Record> records = table();
  const EngineMemory *found = nullptr, *oldest = nullptr;
  for (const Record& record : records) {
    if (record.family != family) continue;
    if (oldest == nullptr) oldest = &record.memory;
    if (record.since <= version) found = &record.memory;
  }
  if (found == nullptr) found = oldest;
  return found != nullptr ? *found : records.front().memory;
}

}  // namespace portolan::cost
