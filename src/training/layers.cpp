// Time and activations of one microbatch through one layer of each class and through the ends.
#include <algorithm>
#include <cmath>

#include "training/products.hpp"
#include "training/tables.hpp"

namespace portolan::training {
namespace {

using cost::CollectiveKind;

double d(std::int64_t x) { return static_cast<double>(x); }

// Flash attention runs backward at 2.5 times the FLOP (it redoes QKᵀ) and 0.85 of the forward rate
// (A100 196 of 230 TFLOP/s, arXiv 2307.08691 §4.1, 2023-07-17; H100 580 of 740, arXiv 2407.08608
// §4.1, 2024-07-11).
constexpr double kFlashBackward = 2.5 / 0.85;
// Chunked scans: the backward recomputes the chunk states, as flash attention its scores.
constexpr double kScanBackward = 2.5;
// Elementwise kernels read the saved input beside the gradient.
constexpr double kElementwiseBackward = 1.5;
// Passes over unfused scores in bytes: softmax reads and writes 2 + 2, dropout 2 + 2 + 1 for the
// mask; backward 4 + 2 and 2 + 2 + 1.
constexpr double kSoftmaxForward = 4, kDropoutForward = 5, kSoftmaxBackward = 6,
                 kDropoutBackward = 5;
// Loss over the logits: cast to fp32, maximum, exponential and sum, gradient: read 2, write 4, read
// 4, write 4, read 4, write 2.
constexpr double kLossBytes = 20;
constexpr double kResidualBytes = 2;

}  // namespace

void LayerSet::Cost::add(const Cost& other, double times) {
  forward += times * other.forward;
  backward += times * other.backward;
  communication += times * other.communication;
  host += times * other.host;
  weight += times * other.weight;
  activations += times * other.activations;
}

/// Builds the LayerSets of one (tp, cp, ep, microbatch); one object per call.
class LayerBuilder {
 public:
  LayerBuilder(const Compiled& compiled, const Sharding& sharding, int cp, int ep, int microbatch)
      : compiled_(compiled),
        machine_(compiled.machine),
        stack_(compiled.job.stack),
        sharding_(sharding),
        tp_(sharding.tp),
        cp_(cp),
        ep_(ep),
        sequences_(microbatch),
        tokens_(microbatch * compiled.job.sequence / cp),
        exchange_(residual_exchange()) {}

  LayerSets build() {
    LayerSets sets;
    for (std::size_t i = 0; i < sharding_.classes.size(); ++i) {
      const Passes passes = passes_of(sharding_.classes[i], compiled_.shardings.front().classes[i]);
      for (std::size_t r = 0; r < sets.size(); ++r) add_class(sets[r], i, passes, kRecomputes[r]);
    }
    LayerSet ends;
    ends.first = embedding();
    ends.last = head(ends);
    const double split = stack_.sequence_parallel ? tp_ : 1;
    const Bytes hop{tokens_ * compiled_.hidden * kResidualBytes / split};
    ends.hop_inside =
        stack_.corrections.pipeline *
        cost::collective_time(machine_, CollectiveKind::kPointToPoint, hop, 2, 2).raw();
    ends.hop_across =
        stack_.corrections.pipeline *
        cost::collective_time(machine_, CollectiveKind::kPointToPoint, hop, 2, 1).raw();
    for (LayerSet& set : sets) {
      set.first = ends.first;
      set.last = ends.last;
      set.logits = ends.logits;
      set.hop_inside = ends.hop_inside;
      set.hop_across = ends.hop_across;
      set.all += set.first.seconds() + set.last.seconds();
    }
    return sets;
  }

 private:
  [[nodiscard]] bool frozen() const { return compiled_.job.method != Method::kFull; }

  /// One layer without recomputation: seconds of each pass, of what selective recompute repeats,
  /// and of one pass's exchange (the ring of context parallelism is hidden differently in each pass
  /// and counted whole).
  struct Passes {
    double forward = 0, backward = 0, again = 0, exchange = 0, ring = 0, weight = 0;
  };

  void add_class(LayerSet& set, std::size_t index, const Passes& passes,
                 Recompute recompute) const {
    const ShardedClass& layer = sharding_.classes[index];
    const LayerActivations& activations = ep_ > 1 ? layer.activations_exchanged : layer.activations;
    const auto level = static_cast<std::size_t>(recompute),
               none = static_cast<std::size_t>(Recompute::kNone);
    const bool full = recompute == Recompute::kFull;
    LayerSet::Cost cost;
    cost.forward = passes.forward;
    cost.backward = passes.backward + (full                                 ? passes.forward
                                       : recompute == Recompute::kSelective ? passes.again
                                                                            : 0);
    cost.weight = passes.weight;
    cost.communication = (full ? 3 : 2) * passes.exchange + passes.ring;
    const double launches = stack_.host_per_layer.raw() * (full ? 4.0 / 3 : 1.0);
    cost.host = std::max(0.0, launches - cost.forward - cost.backward - cost.communication);
    cost.activations = tokens_ * activations.kept[level] *
                       (compiled_.job.method == Method::kQlora ? stack_.qlora_activations : 1);
    // The layer in work has everything again that was not kept.
    set.working = std::max(set.working, tokens_ * (activations.working + activations.kept[none] -
                                                   activations.kept[level]));
    set.all += (compiled_.classes[index].layers + compiled_.mtp_layers[index]) * cost.seconds();
    set.all_weight += (compiled_.classes[index].layers + compiled_.mtp_layers[index]) * cost.weight;
    set.layers.push_back(cost);
  }

  /// One all-reduce of the residual over the tensor-parallel group, or the all-gather and
  /// reduce-scatter that replace it.
  [[nodiscard]] double residual_exchange() const {
    if (tp_ <= 1) return 0;
    const double bytes = tokens_ * compiled_.hidden * kResidualBytes;
    const double seconds =
        stack_.sequence_parallel
            ? compiled_.collective(CollectiveKind::kAllGather, bytes, tp_, 1) +
                  compiled_.collective(CollectiveKind::kReduceScatter, bytes, tp_, 1)
            : compiled_.collective(CollectiveKind::kAllReduce, bytes, tp_, 1);
    return seconds * (1 - stack_.tensor_overlap) * stack_.corrections.tensor;
  }

  [[nodiscard]] Passes passes_of(const ShardedClass& layer, const ShardedClass& unsplit) const {
    Passes passes;
    for (std::size_t i = 0; i < layer.products.size(); ++i)
      add_product(layer.products[i], unsplit.products[i], passes);
    const double products = passes.forward;
    for (const AttentionCore& core : layer.cores) {
      const double before = passes.forward;
      add_attention(core, passes);
      if (!stack_.flash_attention) passes.again += passes.forward - before;
    }
    for (const Scan& scan : layer.scans) {
      const double seconds = scan.count * stack_.corrections.scan *
                             cost::scan_prefill_time(machine_, scan.op, tokens_).seconds;
      passes.forward += seconds;
      passes.backward += kScanBackward * seconds;
    }
    const double elements = layer.whole_elements / (stack_.sequence_parallel ? tp_ : 1) +
                            layer.split_elements +
                            stack_.routed_passes * layer.routed_elements / (ep_ > 1 ? tp_ : 1);
    const double floors = std::max(0.0, layer.kernels - 1) * machine_.launch.raw();
    const double elementwise =
        stack_.corrections.elementwise * stack_.elementwise_passes *
        (cost::elementwise_time(machine_, elements * tokens_ * kResidualBytes).seconds + floors);
    passes.forward += elementwise;
    passes.backward += kElementwiseBackward * elementwise;
    if (stack_.flash_attention) passes.again += elementwise;
    if (stack_.selective_operators) passes.again += products / 2;
    passes.exchange = reductions(layer) * exchange_;
    if (ep_ > 1) passes.exchange += expert_exchange(layer);
    return passes;
  }

  [[nodiscard]] double reductions(const ShardedClass& layer) const {
    return ep_ > 1 ? layer.reductions_without_experts : layer.reductions;
  }

  /// Dispatch and combine of one forward pass.
  [[nodiscard]] double expert_exchange(const ShardedClass& layer) const {
    double seconds = 0;
    for (const Product& product : layer.products) {
      if (product.experts <= 0) continue;
      // The up product is as deep as what is sent, the down product as wide: each of the pair
      // stands for one exchange.
      const double width = std::min(product.linear.k, compiled_.hidden);
      const bool up = &product == first_expert(layer);
      const double bytes =
          tokens_ / tp_ * product.top_k * (up ? width : product.linear.n) * kResidualBytes;
      seconds += product.count * compiled_.collective(CollectiveKind::kAllToAll, bytes, ep_, 1);
    }
    return seconds * (1 - stack_.expert_overlap) * stack_.corrections.expert_exchange;
  }

  static const Product* first_expert(const ShardedClass& layer) {
    for (const Product& product : layer.products) {
      if (product.experts > 0) return &product;
    }
    return nullptr;
  }

  void add_product(const Product& split, const Product& unsplit, Passes& passes) const {
    const bool routed = split.experts > 0;
    // Whole experts per rank see the tokens of the ep ranks that feed them, each a tp-th of its
    // microbatch.
    const Product& product = routed && ep_ > 1 ? unsplit : split;
    const bool low = product.linear.compute == model::Compute::kFp8 ||
                     product.linear.compute == model::Compute::kFp4;
    const double share =
        stack_.product_share / misalignment(product.linear.n, product.linear.k, stack_.misaligned) *
        (low ? stack_.low_precision_share * scaling_rate(compiled_.job.scaling) : 1) *
        (product.linear.compute == model::Compute::kFp4 ? stack_.fp4_share : 1) *
        (compiled_.ultra ? stack_.ultra_share : 1) *
        (routed ? stack_.grouped_share / (ep_ > 1 ? stack_.expert_imbalance : 1) : 1);
    const double factor =
        product.count * (routed ? stack_.corrections.experts : stack_.corrections.linear) / share;
    const Work work = !routed ? dense(machine_, product.linear, tokens_)
                              : grouped(machine_, product, ep_ > 1 ? tokens_ / tp_ : tokens_, ep_);
    passes.forward += factor * work.forward;
    passes.backward += factor * work.input_gradient;
    if (!frozen()) {
      passes.backward += factor * work.weight_gradient;
      passes.weight += factor * work.weight_gradient;
      return;
    }
    const double weights =
        product.linear.n * product.linear.k * std::max(1.0, product.experts / ep_);
    if (compiled_.job.method == Method::kQlora) {
      // Each pass unpacks the NF4 weights to 16 bit before the product reads them.
      const double unpack =
          factor * cost::elementwise_time(
                       machine_, weights * (model::bytes_per_weight(model::Format::kNf4) + 2))
                       .seconds;
      passes.forward += unpack;
      passes.backward += unpack;
    }
    if (!routed) {
      // Adapters are too thin for tensor cores to matter: their time is reading the wide side,
      // twice forward, four times backward.
      const double side = tokens_ * (product.linear.n + product.linear.k) * kResidualBytes;
      const double adapter =
          factor * (cost::elementwise_time(machine_, side).seconds + machine_.launch.raw());
      passes.forward += adapter;
      passes.backward += 2 * adapter;
    }
  }

  void add_attention(const AttentionCore& core, Passes& passes) const {
    const double flash =
        stack_.attention_share * (compiled_.modern_attention ? stack_.attention_share_hopper : 1);
    const double factor = core.count * stack_.corrections.attention /
                          (stack_.flash_attention ? flash : stack_.product_share);
    const double s = compiled_.job.sequence, requests = sequences_ / cp_;
    double forward = 0, backward = 0;
    if (stack_.flash_attention || core.op.d_v == 0) {
      forward =
          cost::prefill_attention_time(machine_, core.op, kResidualBytes, requests, s, 0).seconds;
      backward = kFlashBackward * forward;
    } else {
      const double rows = requests * s * d(core.op.heads);
      const double product =
          misalignment(s, d(core.op.d_qk), stack_.misaligned) *
          (cost::gemm_time(machine_, {.n = s, .k = d(core.op.d_qk)}, rows).seconds +
           cost::gemm_time(machine_, {.n = d(core.op.d_v), .k = s}, rows).seconds);
      const double scores =
          rows * s * stack_.corrections.elementwise / stack_.corrections.attention;
      const double drop = stack_.dropout ? 1 : 0;
      forward = product + cost::elementwise_time(
                              machine_, scores * (kSoftmaxForward + drop * kDropoutForward))
                              .seconds;
      backward = 2 * product + cost::elementwise_time(
                                   machine_, scores * (kSoftmaxBackward + drop * kDropoutBackward))
                                   .seconds;
    }
    passes.forward += factor * forward;
    passes.backward += factor * backward;
    if (cp_ > 1) passes.ring += core.count * ring(core, forward, backward);
  }

  /// Ring attention: (c − 1) exchanges of the rank's keys and values, twice as many bytes backward,
  /// hidden behind the chunk in work.
  [[nodiscard]] double ring(const AttentionCore& core, double forward, double backward) const {
    const double rounds = std::min(cp_ - 1, std::ceil(core.reach * cp_ / compiled_.job.sequence));
    const double heads =
        core.op.kind == model::OpKind::kMla ? d(core.op.heads) : d(core.op.kv_heads);
    const double bytes = heads * d(core.op.d_qk + core.op.d_v) * tokens_ * kResidualBytes;
    const std::int64_t together =
        compiled_.per_node(cp_, tp_) >= static_cast<std::int64_t>(cp_) ? 2 : 1;
    const double once =
        cost::collective_time(machine_, CollectiveKind::kPointToPoint, Bytes{bytes}, 2, together)
            .raw();
    const double twice = cost::collective_time(machine_, CollectiveKind::kPointToPoint,
                                               Bytes{2 * bytes}, 2, together)
                             .raw();
    const double exposed =
        rounds * (std::max(0.0, once - forward / cp_) + std::max(0.0, twice - backward / cp_));
    return exposed * stack_.corrections.tensor;
  }

  [[nodiscard]] LayerSet::Cost embedding() const {
    LayerSet::Cost cost;
    const double seconds =
        cost::elementwise_time(machine_, 2 * tokens_ * compiled_.hidden * kResidualBytes).seconds;
    cost.forward = seconds * stack_.corrections.elementwise;
    cost.backward = frozen() ? 0 : 2 * cost.forward;
    cost.communication = 2 * exchange_;
    if (compiled_.encoder_flop_per_token > 0) {
      // The encoder of an encoder-decoder, as one product at the attainable rate.
      const cost::ComputeRate& rate = machine_.rate(compiled_.job.compute);
      const double forward =
          compiled_.encoder_flop_per_token * tokens_ / tp_ / (rate.peak.raw() * rate.efficiency);
      cost.forward += forward;
      cost.backward += (frozen() ? 1 : 2) * forward;
    }
    return cost;
  }

  /// Logits and loss, once more for each multi-token-prediction block; sets the bytes of the
  /// logits.
  [[nodiscard]] LayerSet::Cost head(LayerSet& set) const {
    LayerSet::Cost cost;
    if (!compiled_.has_head) return cost;
    const double columns = std::ceil(compiled_.vocab / tp_);
    const Work product = dense(machine_, {.n = columns, .k = compiled_.hidden}, tokens_);
    const double loss = cost::elementwise_time(machine_, tokens_ * columns * kLossBytes).seconds;
    const double factor = stack_.corrections.head / stack_.product_share;
    LayerSet::Cost once;
    once.forward = factor * (product.forward + loss / 2);
    once.backward =
        factor * (product.input_gradient + (frozen() ? 0 : product.weight_gradient) + loss / 2);
    if (tp_ > 1) {
      once.communication =
          2 * exchange_ +
          3 * compiled_.collective(CollectiveKind::kAllReduce, tokens_ * 4, tp_, 1) *
              stack_.corrections.tensor;
    }
    cost.add(once, 1 + compiled_.mtp_depth);
    if (compiled_.mtp_depth > 0) {
      const Work join = dense(machine_, {.n = compiled_.hidden, .k = 2 * compiled_.hidden},
                              tokens_ / (stack_.sequence_parallel ? tp_ : 1));
      cost.forward += compiled_.mtp_depth * join.forward;
      cost.backward += compiled_.mtp_depth * (join.input_gradient + join.weight_gradient);
    }
    set.logits = tokens_ * columns * stack_.logit_bytes * (1 + compiled_.mtp_depth);
    return cost;
  }

  const Compiled& compiled_;
  const cost::Machine& machine_;
  const Stack& stack_;
  const Sharding& sharding_;
  double tp_, cp_, ep_, sequences_;
  double tokens_;  // of the microbatch on this rank
  double exchange_;
};

LayerSets Compiled::layer_sets(const Sharding& sharding, int cp, int ep, int microbatch) const {
  return LayerBuilder(*this, sharding, cp, ep, microbatch).build();
}

const LayerSets& Compiled::cached_sets(std::size_t sharding, std::size_t cp, std::size_t ep,
                                       std::size_t microbatch) const {
  const std::size_t cell =
      ((sharding * context_splits.size() + cp) * expert_splits.size() + ep) * kMicrobatches.size() +
      microbatch;
  return cache.at(cell, [&] {
    return layer_sets(shardings[sharding], context_splits[cp], expert_splits[ep],
                      kMicrobatches[microbatch]);
  });
}

}  // namespace portolan::training
