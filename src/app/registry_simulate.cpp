#include "app/registry.hpp"

namespace portolan::app {

using enum OptionType;

Verb simulate_verb() {
  return {
      "simulate",
      "traffic against machines, event by event: latencies, cost, energy",
      "Runs a trace or generated requests through a simulated inference engine: batches, chunked\n"
      "prompts, the paged KV cache with prefix sharing, preemption, routing over replicas. Flags\n"
      "describe one pool of machines; a scenario file (docs/formats/scenario.md) any number, with\n"
      "autoscaling, spot capacity, classes and more. A load that cannot be served ends with the\n"
      "verdict 'overloaded' and exit code 0: it is an answer.",
      {{"scenario", kFile, "SCENARIO.yaml", "", "scenario file, or - for standard input", {}, true},
       {"model", kText, "MODEL", "", "name, config.json, folder, .gguf or .safetensors file",
        "@models"},
       {"gpu", kText, "GPU", "", "accelerator to run on", "@gpus"},
       {"tp", kInteger, "N", "", "tensor-parallel degree (default: 1)"},
       {"pp", kInteger, "N", "", "pipeline-parallel degree (default: 1)"},
       {"ep", kInteger, "N", "",
        "expert-parallel degree (default: 1); above --tp attention is data-parallel (tp x pp x "
        "ep/tp "
        "accelerators)"},
       {"replicas", kInteger, "R", "", "engines side by side (default: 1)"},
       {"engine", kText, "ENGINE", "",
        "vllm-0.15, sglang-0.5, trtllm-1.2 …: scheduler, host times and defaults of that version "
        "(default: the vLLM that estimate and plan take)"},
       {"trace", kFile, "FILE", "", "requests from a trace (gzip and zstd read directly)"},
       {"trace_format", kText, "FORMAT", "",
        "azure, mooncake, burstgpt, vidur, jsonl … (default: told by its beginning)",
        "auto azure mooncake burstgpt vidur jsonl"},
       {"rate_scale", kNumber, "X", "", "each request of the trace this often, by chance"},
       {"speed", kNumber, "X", "", "the trace's clock this much faster"},
       {"loop", kInteger, "N", "", "the whole trace so often (0: for ever, with --limit)"},
       {"limit", kCount, "N", "", "only the first N requests"},
       {"arrival", kText, "LAW", "", "poisson (default), gamma, weibull, constant, batch or closed",
        "poisson gamma weibull constant batch closed"},
       {"rate", kText, "R", "", "requests per second, e.g. 5 or 300rpm"},
       {"cv", kNumber, "CV", "",
        "coefficient of variation of the gaps (gamma, weibull; default: 1)"},
       {"input", kCount, "N", "", "prompt tokens of each request"},
       {"output", kCount, "N", "", "generated tokens of each request"},
       {"requests", kCount, "K", "", "how many requests"},
       {"concurrency", kCount, "N", "", "users of a closed loop"},
       {"think", kText, "TIME", "", "mean pause of such a user before the next request"},
       {"ttft", kText, "TIME", "", "target of each request: time to the first token, e.g. 1s"},
       {"tpot", kText, "TIME", "", "target of each request: time per further token, e.g. 50ms"},
       {"e2e", kText, "TIME", "", "target of each request: until its last token"},
       {"router", kText, "POLICY", "",
        "round_robin (default), random, least_requests, least_tokens, power_of_two, sticky, "
        "prefix_aware, "
        "kv_aware, cost_aware",
        "round_robin random least_requests least_tokens power_of_two sticky prefix_aware kv_aware "
        "cost_aware"},
       {"dtype", kText, "FORMAT", "",
        "weights: bf16 fp8 int8 int4 … (default: the checkpoint's own)", "@formats"},
       {"kv_dtype", kText, "FORMAT", "", "KV cache: bf16 fp8 int8 … (default: 2 bytes)",
        "fp32 bf16 fp16 fp8 int8 q8_0 int4"},
       {"max_num_seqs", kCount, "N", "", "requests in one batch (default: the engine's)"},
       {"max_num_batched_tokens", kCount, "N", "",
        "token budget of one step (default: the engine's)"},
       {"kv_blocks", kCount, "N", "",
        "blocks of the KV cache, as the engine's log says (default: predicted from the memory)"},
       {"block_size", kCount, "N", "", "tokens in a block (default: the engine's)"},
       {"gpu_memory_utilization", kShare, "SHARE", "",
        "share of the memory the engine takes (default: the engine's)"},
       {"max_model_len", kCount, "N", "",
        "longest request, answer included (default: the model's maximum)"},
       {"no_prefix_caching", kFlag, "", "", "equal beginnings of prompts are computed each time"},
       {"speculative", kNumber, "K", "", "tokens drafted in each step"},
       {"acceptance", kShare, "SHARE", "", "chance that a drafted token is accepted, e.g. 70%"},
       {"price", kMoney, "USD", "",
        "price of one accelerator-hour (default: cheapest on-demand offer)"},
       {"purchase", kText, "KIND", "", "on-demand (default), spot, reserved-1y …",
        "on-demand spot reserved-1y reserved-3y"},
       {"exact", kFlag, "", "", "percentiles from all samples, kept in memory"},
       {"requests_csv", kFile, "FILE", "", "write a row per request as it ends"},
       {"timeseries", kFile, "FILE", "", "write load, cache and cost over time as CSV"},
       {"chrome_trace", kFile, "FILE", "", "write a trace of events for Perfetto"},
       {"report", kFile, "FILE.html", "", "write a page with plots that stands alone"},
       {"bench_json", kFile, "FILE", "", "write the figures under the names of vLLM's benchmark"},
       {"interval", kText, "TIME", "",
        "between points of the time series and the report (default: 10s)"},
       {"compare", kFile, "RESULT.json", "", "print the difference to an earlier result (-o json)"},
       {"force", kFlag, "", "", "overwrite files"}},
      {"portolan simulate --model llama-3.1-8b --gpu l40s --trace "
       "examples/simulate-chat/chat.jsonl",
       "portolan simulate examples/tenfold-day/scenario.yaml"},
      true};
}

}  // namespace portolan::app
