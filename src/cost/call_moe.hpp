// Blocks of routed experts as calls of a curve: what the fullest expert-parallel rank gets under a
// routing law, and the curves that stand for a block.
//
// One call is the whole block as engines run and tables measure it: sorting tokens by expert,
// quantising the input, the up (and gate) product, activation, the down product and the weighted
// sum over each token's experts. The router product, collectives and shared experts are not in it.
// A step that lists "experts up", "experts activation" and "experts down" prices one call and drops
// the activation; shares for display go by weight bytes (gated: up 2/3, down 1/3; else halves).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cost/curve.hpp"
#include "cost/machine.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {

/// How tokens fall on experts. Expert loads are independent draws of a density x^-alpha between 1
/// and 0.8 T (between 0.01 and 2 while there are fewer choices than experts), scaled to T·top_k
/// choices, none above T: the law of the public kernel tables ("power_law_1.01"). 0 is "balanced":
/// experts in stripes, every one the same. The default is the milder of the two skewed laws
/// measured: of 128 experts with 8 chosen and 4,096 tokens the fullest of 4, 8 and 32 ranks gets
/// 1.4, 1.7 and 3.3 times the mean. Models trained to balance their experts lie between it and 0.
struct Routing {
  double alpha = 1.01;
};

/// Arithmetic and storage of the experts' products as the kernel tables name them.
struct MoeType {
  model::Compute compute = model::Compute::kBf16;
  double weight_bytes = 2, input_bytes = 2;  // per element, scales included
};
/// nullopt for a name nobody knows. "bfloat16", "fp8", "fp8_block", "nvfp4", "w4a16_mxfp4",
/// "w4a8_mxfp4_mxfp8", "int4_wo".
std::optional<MoeType> moe_type(std::string_view dtype);

/// One block of routed experts, whole: not yet divided by the ranks.
struct MoeShape {
  double hidden = 0, inter = 0;               // of one expert
  double top_k = 1, experts = 1;              // chosen per token; in all
  double tensor_ranks = 1, expert_ranks = 1;  // ranks that divide `inter`; that divide `experts`
  bool gated = true;                          // three products an expert, else two
};

/// What the fullest of the expert-parallel ranks gets, as a function of the tokens: expectation of
/// the law over a fixed set of draws, tabled when made, so that a query is a look-up.
class ExpertLoads {
 public:
  ExpertLoads(double experts, double top_k, double ranks, const Routing& routing);
  struct Load {
    double rows = 0;     // tokens × choices that fall on the rank
    double experts = 0;  // of it with at least one row
    double padding = 1;  // rows of its experts rounded up to tiles, over rows
  };
  /// `tokens` of all ranks that feed these experts, before top-k duplication; may be fractional, a
  /// mean over steps. Zero tokens load nothing.
  [[nodiscard]] Load at(double tokens) const;
  /// Rows of the fullest rank over the mean rank's, >= 1.
  [[nodiscard]] double skew(double tokens) const;

 private:
  struct Knot {
    double rows, experts, padding;
  };
  double top_k_, ranks_;
  std::vector<Knot> knots_;
};
/// The loads of a shape, computed once for the process; the reference stays valid. Safe to share
/// between threads.
const ExpertLoads& expert_loads(const MoeShape& shape, const Routing& routing);

/// The call of one block. Coordinates, all log2: mean rows of an expert (what kernels are chosen
/// by), experts touched on the fullest rank, elements of one product of an expert on a rank, and
/// the model's width over the expert's on a rank.
Call moe_call(const Chip& chip, const MoeType& type, const MoeShape& shape,
              const ExpertLoads& loads, double tokens);

/// The same where it is known what the rank gets.
Call moe_call(const Chip& chip, const MoeType& type, const MoeShape& shape,
              const ExpertLoads::Load& load, double tokens);
/// Even rows on `experts` of the experts of a rank.
ExpertLoads::Load even_load(const MoeShape& shape, double experts, double tokens);

/// The fitted curves that stand for a block. An engine that has two kernels for it takes the
/// faster, as its tuner does.
struct MoeKernel {
  const Curve* curve = nullptr;    // null = no curve: price it another way
  const Curve* another = nullptr;  // of the same accelerator and backend; null = none
  Tier tier = Tier::kDatasheet;
  MoeType type;  // of the call
  /// Seconds of the call; only with a curve.
  [[nodiscard]] double seconds(const Call& call) const;
};
/// Curves for experts stored in `format` whose products run in `compute`: own type first, then the
/// nearest storage measured, then bf16 with the bytes of the format. `gated` as of the shape:
/// curves of non-gated kernels have variant "nongated", the low-latency kernels of TensorRT-LLM
/// "min_latency".
MoeKernel moe_kernel(const KernelSet& kernels, model::Format format, model::Compute compute,
                     bool gated);

}  // namespace portolan::cost
