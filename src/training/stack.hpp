// How the training software runs a step: every coefficient that is not physics, named and sourced,
// and the corrections a fit may put on the terms of the step.
#pragma once

#include <span>
#include <string_view>

#include "base/quantity.hpp"

namespace portolan::training {

/// Factors on predicted times, 1 = as the operator model says. A calibration sets them per
/// accelerator class and framework.
struct Corrections {
  double linear = 1;   // dense products of the layers
  double experts = 1;  // grouped products
  double attention = 1;
  double scan = 1;         // recurrences: state-space and linear attention
  double elementwise = 1;  // norms, activations, rotary embedding, residual; unfused score traffic
  double head = 1;         // logits and loss
  double tensor = 1;       // tensor- and context-parallel communication
  double expert_exchange = 1;
  double pipeline = 1;  // point-to-point between stages
  double data = 1;      // gradient and weight exchange
  double optimizer = 1;
};

struct Stack {
  std::string_view name, source, date;
  bool flash_attention =
      true;              // else scores are written out: full s², 5as bytes kept per token and head
  bool dropout = false;  // masks kept (GPT-2/3-era recipes)
  bool sequence_parallel = true;  // with tp > 1: norms and residuals divided too
  double product_share =
      1;  // of the sustained ceiling, which is the best shape's, that the products of a step reach
  double low_precision_share = 1;  // further share of fp8 and fp4 products: precise accumulation
                                   // backward, scales, transposed copies
  double grouped_share = 0.5;      // further share of the products of routed experts
  double fp4_share = 1;            // further share of fp4 products
  double ultra_share = 1;      // sustained rate of Blackwell Ultra over its stated shares, which
                               // are those of short kernels below its power limit
  double attention_share = 1;  // of the accelerator's best context attention
  double attention_share_hopper = 1;  // further share from Hopper on: kernels written for Ampere do
                                      // not use its matrix instructions
  double misaligned = 0;  // slowdown of a 16-bit product for each halving of the largest power of
                          // two that divides its sides below 64 (arXiv 2401.14489 §4)
  double short_products = 1;         // of the accelerator's penalty on short reductions, which was
                                     // measured on kernels of today
  double wave_products = 1;          // of its exponent of tile and wave quantisation
  bool interleaves_unasked = false;  // publishes layouts without their virtual stages
  double elementwise_passes =
      1;  // traffic of norms, activations and residuals over that of fused kernels
  double routed_passes = 1;  // traffic of permuting, scaling and quantising routed tokens over one
                             // read and one write each way
  double data_overlap = 0;  // share of the compute that data-parallel communication can hide behind
  double tensor_overlap = 0;  // share of tensor-parallel communication hidden in products
  double expert_overlap = 0;  // share of all-to-all hidden
  double pipeline_overlap =
      1;  // share hidden of the two exchanges between stages that each microbatch makes in 1F1B
  double expert_imbalance = 1;       // tokens of the fullest expert rank over the mean, with ep > 1
  bool selective_operators = false;  // "selective" keeps the attention core and every second
                                     // product (torchtitan's "selective (op)")
  bool gradients_on_demand = false;  // PyTorch: none before the backward pass of a lone microbatch;
                                     // else buffers of the whole run
  bool gathers_whole = false;        // ZeRO-3 around the model as one unit: all weights at once
  bool optimizer_in_backward = false;  // each gradient is used up as soon as it is there
  bool offloads_activations = false;   // what is kept waits in host memory, two layers apart
  double qlora_activations = 1;        // kept with NF4 weights over kept with 16-bit ones
  double logit_bytes = 10;             // kept per logit: bf16 logits 2, fp32 softmax 4, gradient 4
  Seconds host_per_layer{
      0};  // launches of one layer, forward and backward; hidden while the accelerator is busy
  Seconds host_per_step{0};
  Bytes context{0};                 // driver, kernels, library workspaces
  Bytes communication_buffers{0};   // when more than one accelerator works
  double allocator_slack = 0;       // reserved but unused, share of what is allocated
  double straggler_per_decade = 0;  // slowdown per factor of ten above 1,000 accelerators
  Corrections corrections;
};

/// What chunked (asynchronous) tensor parallelism hides of its exchange; torchtitan on H100:
/// Llama-3-70B TP8 1.09 times as fast in bf16 and 1.16 in fp8 (training.md §6).
inline constexpr double kAsynchronousTensorOverlap = 0.6;

/// Bytes per logit where nothing fuses or cuts the loss: bf16 logits 2, fp32 copy 4, log-softmax 4,
/// its gradient 4, the cast back 2 (torchtitan December 2024: 15.1 and 15.7 in the runs whose other
/// terms are small).
inline constexpr double kWholeLogitBytes = 15.5;

/// The same where the loss is worked out in eighths of the tokens: bf16 logits 2 and an eighth of
/// the rest.
inline constexpr double kChunkedLogitBytes = 3.5;

/// Every stack by name, in the order of the file; each fitted value has its table and date in
/// stack.cpp.
std::span<const Stack> stacks();
/// nullptr when there is none of that name.
const Stack* find_stack(std::string_view name);

/// A current stack: fused kernels, flash attention, bucketed overlap of gradients. The default of a
/// Job.
const Stack& fused_stack();
/// PyTorch with FSDP as it comes: flash attention, no compiled or fused layers.
const Stack& eager_stack();
/// Megatron-LM of 2020–22: scores written out, dropout, no sequence parallelism, hardly any
/// overlap.
const Stack& unfused_stack();

}  // namespace portolan::training
