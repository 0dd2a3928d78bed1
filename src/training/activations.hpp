// Bytes of activations that one layer keeps for its backward pass (training.md §5.3).
#pragma once

#include <cstdint>

#include "model/architecture.hpp"
#include "training/run.hpp"

namespace portolan::training {

struct ActivationCase {
  double tp = 1;
  bool sequence_parallel = true;  // with tp > 1
  bool flash_attention = true;
  bool dropout = false;
  bool by_operator = false;  // what selective recompute keeps: see Stack::selective_operators
  bool fp8 = false;          // linear layers keep their inputs at one byte
  double sequence = 0;       // tokens attended, for scores that are written out
  double expert_imbalance = 1;
};

/// Bytes per token of the microbatch on one rank (divide the tokens by cp before).
/// `kept[recompute]` by Recompute; `working` is the largest layer-internal set of gradients while
/// the layer runs backward.
///   classic GPT: 34h + 5as without tp, (10 + 24/t)h + 5as/t with tp, all /t with sequence
///   parallelism (arXiv 2205.05198 table 2); Llama style: 8h + 4ad + 4kd + 4a + 6f.
struct LayerActivations {
  double kept[3] = {};
  double working = 0;
};
LayerActivations layer_activations(const model::Mixer& mixer, const model::Channel& channel,
                                   std::int64_t hidden, const ActivationCase& how);

/// Microbatches of its own layers that a stage of `pp` (counted from 0) holds when its backward
/// passes begin: min(m, p − i) for 1F1B; interleaved min(m, p + (p − 1 − 2i)/v), at the first stage
/// p · (1 + (p − 1)/(p·v)).
double microbatches_in_flight(double microbatches, int stage, int pp, int virtual_stages);

}  // namespace portolan::training
