#include "training/stack.hpp"

namespace portolan::training {

const Stack& fused_stack() {
  static constexpr Stack kStack{
      .name = "fused",
      .source =
          "set from public Megatron-Bridge 25.09-26.08, NeMo 24.07 and MLPerf 4.0-5.1 steps; "
          "context "
          "and buffers estimated",
      .date = "2026-11-22",
      .product_share = 0.80,
      .low_precision_share = 0.95,
      .attention_share = 0.9,
      .data_overlap = 0.85,
      .tensor_overlap = 0.6,
      .expert_overlap = 0.5,
      .pipeline_overlap = 1.0,
      .expert_imbalance = 1.1,
      .host_per_layer = 300 * kMicrosecond,
      .host_per_step = 5 * kMillisecond,
      .context = 0.7 * kGB,
      .communication_buffers = 1.0 * kGB,
      .allocator_slack = 0.05,
      .straggler_per_decade = 0.03,
      .corrections = {},
  };
  return kStack;
}

const Stack& eager_stack() {
  static constexpr Stack kStack{
      .name = "eager",
      .source = "set from public llm-foundry and torchtitan steps",
      .date = "2026-11-22",
      .product_share = 0.82,
      .low_precision_share = 0.90,
      .attention_share = 0.5,
      .elementwise_passes = 2.2,
      .data_overlap = 0.85,
      .tensor_overlap = 0.0,
      .expert_overlap = 0.0,
      .pipeline_overlap = 0.5,
      .expert_imbalance = 1.1,
      .host_per_layer = 800 * kMicrosecond,
      .host_per_step = 10 * kMillisecond,
      .context = 0.7 * kGB,
      .communication_buffers = 1.0 * kGB,
      .allocator_slack = 0.07,
      .straggler_per_decade = 0.03,
      .corrections = {},
  };
  return kStack;
}

const Stack& unfused_stack() {
  static constexpr Stack kStack{
      .name = "unfused-2021",
      .source = "set from public Megatron-LM, Megatron-DeepSpeed and vTrain steps",
      .date = "2026-11-22",
      .flash_attention = false,
      .dropout = true,
      .sequence_parallel = false,
      .product_share = 0.9,
      .data_overlap = 0.0,
      .tensor_overlap = 0.0,
      .expert_overlap = 0.0,
      .pipeline_overlap = 0.0,
      .expert_imbalance = 1.1,
      .host_per_layer = 2.4 * kMillisecond,
      .host_per_step = 20 * kMillisecond,
      .context = 0.7 * kGB,
      .communication_buffers = 1.5 * kGB,
      .allocator_slack = 0.07,
      .straggler_per_decade = 0.03,
      .corrections = {},
  };
  return kStack;
}

}  // namespace portolan::training
