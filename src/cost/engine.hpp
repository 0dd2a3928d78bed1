// Inference engines as data: host overheads, scheduling and defaults of each family and version,
// each with source and date.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/quantity.hpp"
#include "cost/memory_engine.hpp"

namespace portolan::cost {

enum class EngineFamily : std::uint8_t { kVllm, kSglang, kTrtllm };
std::string_view engine_family_name(EngineFamily family);  // "vllm", "sglang", "trtllm"

/// What a step may hold while prompts wait (serving.md §1.1, 1.12).
enum class PrefillPolicy : std::uint8_t {
  kMixed,     // one token budget: decodes first, prompt chunks fill the rest of the same step
  kFirst,     // prompts go before decodes, in steps of their own
  kInflight,  // whole prompts (or chunks) join the running batch of the next step
};

/// What the memory fraction is a fraction of.
enum class MemoryBase : std::uint8_t {
  kTotal,             // of the device, weights and all
  kFreeAfterWeights,  // of what is left when the weights are loaded, for the KV cache alone
};

/// Sizes that decode batches are padded to when they replay a captured graph: powers of two up to
/// `first_step`, then multiples of it up to `knee`, then multiples of `second_step` up to
/// `largest`. Beyond, kernels are launched one by one.
struct CaptureSizes {
  double first_step = 8, knee = 256, second_step = 16, largest = 512;
  /// The size that a batch of `requests` runs at; `requests` itself above the largest. Fractional
  /// batches (means over steps) cost the mean of the sizes their neighbours run at.
  [[nodiscard]] double padded(double requests) const;
};

/// Measured over predicted at 80 %: truth lies in [low, high] × prediction.
struct Band {
  double low = 0, high = 0;
  [[nodiscard]] bool known() const { return high > 0; }
};

/// One engine and version. Seconds are host time: what the accelerator's kernels do not explain.
struct Engine {
  EngineFamily family = EngineFamily::kVllm;
  std::string engine;  // "vllm-0.15": family and the first version the record is for
  std::string vendor;  // of accelerators, where a port of its own serves them; empty: any other

  // Inside a step (cost-model.md §11.2).
  Seconds per_step{0};           // scheduling, input preparation, output processing
  Seconds per_layer{0};          // launching a plain layer where no captured graph is replayed
  Seconds per_request{0};        // rows of the batch: input preparation, sampling, output
  Seconds per_prefill_token{0};  // of a step with prompts
  Seconds per_prefill_step{0};   // a step with prompts leaves the captured graph

  /// Kernels of this version over the ones that shares and curves describe (2024 to 2026).
  double kernel_factor = 1;
  /// Decode attention reads a key-value head once for each query head that shares it.
  bool repeats_kv_heads = false;

  // Outside of steps, at the client's side of the engine (serving.md §1.14).
  Seconds front_end{0};         // HTTP, queue hops and first detokenising, once per request
  Seconds fan_out{0};           // handing a request to the ranks, for each doubling of them
  Seconds per_prompt_token{0};  // tokenising and moving the prompt
  Seconds after_decode{0};      // closing the request
  Seconds per_output_token{0};  // detokenising and streaming one token

  /// The next step is composed while the current one runs: launching the layers shows only where it
  /// takes longer than the accelerator, and an arrival waits for one step more.
  bool async_scheduling = true;
  PrefillPolicy prefill = PrefillPolicy::kMixed;
  CaptureSizes graphs = {};  // of steps that only decode
  /// Steps with prompts replay captured pieces up to so many tokens; 0: never.
  double captured_prompt_tokens = 0;

  // Defaults that a user can override.
  double max_num_seqs = 256;
  double max_num_batched_tokens = 8192;
  double memory_fraction = 0.9;
  MemoryBase memory_base = MemoryBase::kTotal;
  EngineMemory memory = {};  // overheads beside weights and cache, rule of the cache size
  /// The whole length, outputs included, is reserved when a request is admitted (TensorRT-LLM's
  /// guaranteed-no-evict).
  bool reserves_outputs = false;
  /// The whole prompt must find room when a request is admitted, not only its first chunk.
  bool reserves_full_prompt = false;
  double chat_template_tokens = 0;  // added to each prompt by the chat endpoint

  Band ttft_band, tpot_band;  // of models that were left out of the fit

  std::string source, date;     // of the overheads and bands
  std::string defaults_source;  // of scheduling and defaults
};

/// Every known record: by family, oldest version first.
std::span<const Engine> engines();

/// The record for an engine by name and version: ("vllm", "0.19.0"), ("trtllm", "1.2.0rc6.post2"),
/// ("vllm-0.15", ""), ("SGLang 0.5.9", ""). A version without a record of its own takes the nearest
/// older one, or the oldest there is; an empty version or one without a number ("nightly-…") the
/// family's newest. `vendor` of the accelerator: records of its port stand before others of the
/// same version. nullptr: no such family.
const Engine* find_engine(std::string_view name, std::string_view version = {},
                          std::string_view vendor = {});

/// The same with records of a user's own, in any order, which stand before known ones of the same
/// version.
const Engine* find_engine(std::span<const Engine> own, std::string_view name,
                          std::string_view version = {}, std::string_view vendor = {});

/// What is known of an engine by the name of a record: that record ("vllm-0.5-rocm"), else the one
/// that its version falls to, of the same port ("vllm-0.6-rocm"). nullptr: no such family or port,
/// or no version.
const Engine* known_engine(std::span<const Engine> own, std::string_view name);

/// Version of a record as a·1000 + b: 19 of "vllm-0.19", -1 without a number.
int engine_version(std::string_view name);

const Engine& default_engine();  // vLLM

}  // namespace portolan::cost
