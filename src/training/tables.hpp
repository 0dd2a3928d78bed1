// What a Trainer is compiled into: layer classes sharded for each tensor-parallel degree, and the
// three sets of figures from which a strategy's time and memory are combined.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cost/roofline.hpp"
#include "model/operators.hpp"
#include "training/activations.hpp"
#include "training/run.hpp"

namespace portolan::training {

/// A product of the layer; `experts` > 0: routed, with top_k copies of each token. Linear::n is
/// divided by tp where the layer is.
struct Product {
  cost::Linear linear;
  double count = 0;
  double experts = 0, top_k = 0;
};
/// Softmax attention, and the share of a sequence that travels in context parallelism.
struct AttentionCore {
  model::Operator op;
  double count = 0;
  double reach = 0;  // tokens behind a query that can matter: the window or the sequence
};
struct Scan {
  model::Operator op;
  double count = 0;
};

/// One layer class on one rank of a tensor-parallel group.
struct ShardedClass {
  std::vector<Product> products;
  std::vector<AttentionCore> cores;
  std::vector<Scan> scans;
  // Elementwise traffic per token; `whole` is divided by sequence parallelism, `routed` (the
  // permutation of routed tokens) by tp only when experts are not.
  double whole_elements = 0, split_elements = 0, routed_elements = 0;
  double kernels = 0;  // elementwise launches
  // All-reduces of the residual in one forward pass; the second with whole experts per rank.
  double reductions = 0, reductions_without_experts = 0;
  double parameters = 0;                                // on the rank, routed experts left out
  double expert_parameters = 0;                         // all routed experts at this tensor split
  double adapter_parameters = 0;                        // LoRA, on the rank
  LayerActivations activations, activations_exchanged;  // the second with ep > 1 (imbalance)
};

struct Sharding {
  int tp = 1;
  std::vector<ShardedClass> classes;
  double embedding = 0, head = 0;  // parameters on the rank
};

struct LayerClass {
  model::Mixer mixer;
  model::Channel channel;
  double layers = 0;            // in the decoder, multi-token prediction left out
  double other_parameters = 0;  // norms and what else is no product, of one layer
};

/// The pipeline stages of (pp, v) that can be the slowest or the fullest: the first, the last, and
/// the earliest of each composition.
struct StageSet {
  int pp = 1, virtual_stages = 1;
  struct Stage {
    int index = 0;
    bool first = false, last = false;
    double layers = 0;
  };
  std::vector<Stage> stages;
  std::vector<double> counts;  // stage × class
};

/// One microbatch through one layer of each class and through the ends, for one (tp, cp, ep,
/// microbatch, recompute). Seconds and bytes.
struct LayerSet {
  struct Cost {
    double forward = 0, backward = 0, communication = 0, host = 0, activations = 0;
    double weight = 0;  // of backward: weight gradients, which no other pass waits for
    [[nodiscard]] double seconds() const { return forward + backward + communication + host; }
    void add(const Cost& other, double times);
  };
  std::vector<Cost> layers;  // by class
  Cost first, last;          // embedding; head and loss, once per prediction depth
  double logits = 0, working = 0;
  double all = 0;         // seconds of all layers and ends
  double all_weight = 0;  // of them, weight gradients
  double hop_inside = 0,
         hop_across = 0;  // one point-to-point between stages, within the fast domain and beyond
};

inline constexpr std::array kMicrobatches = {1, 2, 4, 8, 16};
inline constexpr std::array kRecomputes = {Recompute::kNone, Recompute::kSelective,
                                           Recompute::kFull};
/// One for each Recompute: what they share is computed once.
using LayerSets = std::array<LayerSet, kRecomputes.size()>;

/// Parameters, states and exchange of one (tp, cp, ep, pp, dp, zero).
struct StateSet {
  struct Stage {
    double weights = 0, gradients = 0, optimizer = 0;
  };
  std::vector<Stage> stages;  // as StageSet
  // Seconds of data-parallel exchange of the stage with most parameters: per step (zero ≤ 1) or per
  // microbatch.
  double reduce = 0, gather_forward = 0, gather_backward = 0, units = 1, update = 0;
};

/// Time and memory of one strategy: plain numbers, so that the search compares millions of them.
struct Outcome {
  double compute = 0, bubble = 0, communication = 0, update = 0, host = 0;
  [[nodiscard]] double step() const { return compute + bubble + communication + update + host; }
  double weights = 0, gradients = 0, optimizer = 0, activations = 0, logits = 0, overhead = 0;
  [[nodiscard]] double memory() const {
    return weights + gradients + optimizer + activations + logits + overhead;
  }
  int fullest_stage = 0;
};

/// LayerSets of the (tp, cp, ep, microbatch) that searches ask for, each made at its first use by
/// whichever thread comes first: machine and job decide them alone, so searches over many cluster
/// sizes share them.
class LayerCache {
 public:
  void resize(std::size_t cells) { cells_ = std::make_unique<Cell[]>(cells); }
  template <class Make>
  const LayerSets& at(std::size_t cell, Make make) const {
    std::call_once(cells_[cell].once, [&] { cells_[cell].sets = make(); });
    return cells_[cell].sets;
  }

 private:
  struct Cell {
    std::once_flag once;
    LayerSets sets;
  };
  std::unique_ptr<Cell[]> cells_;
};

struct Compiled {
  cost::Machine machine;
  Job job;
  Recipe recipe;
  double hidden = 0, vocab = 0, layer_count = 0;
  bool has_head = false, tied = false;
  std::vector<LayerClass> classes;
  std::vector<std::size_t> class_of_layer;
  std::vector<double> mtp_layers;  // by class
  double mtp_depth = 0, mtp_parameters = 0;
  double first_parameters = 0, last_parameters = 0;  // replicated ends: positions, final norm
  double frozen_bytes = 0;        // towers that a text run leaves alone, on the first stage
  bool modern_attention = false;  // Hopper and later: other matrix instructions than Ampere's
  bool ultra = false;             // Blackwell Ultra
  int fast_domain = 1;            // accelerators that talk at link speed
  double experts = 0;  // gcd of routed experts over the layers that have them; 0 = dense model
  double encoder_flop_per_token = 0;
  double trained_parameters = 0, total_parameters = 0;
  double model_flop_per_token = 0;
  std::vector<Sharding> shardings;                 // by tp, increasing
  std::vector<int> context_splits, expert_splits;  // what searches try, increasing
  LayerCache cache;

  void set_model_flop();
  [[nodiscard]] const Sharding* sharding(int tp) const;
  [[nodiscard]] double usable() const;
  /// Members of a group of `ranks` with `stride` that share a node.
  [[nodiscard]] std::int64_t per_node(double ranks, double stride) const;
  [[nodiscard]] double collective(cost::CollectiveKind kind, double bytes, double ranks,
                                  double stride) const;
  /// Microbatches per step; 0 when the batch cannot be split so.
  [[nodiscard]] int microbatches(int dp, int microbatch) const;
  [[nodiscard]] std::optional<Error> objection(const Strategy& strategy,
                                               std::int64_t accelerators) const;
  [[nodiscard]] bool legal(const Strategy& strategy, std::int64_t accelerators) const;

  [[nodiscard]] StageSet stage_set(int pp, int virtual_stages) const;
  [[nodiscard]] LayerSets layer_sets(const Sharding& sharding, int cp, int ep,
                                     int microbatch) const;
  /// The same from the cache; the arguments are indices into shardings, context_splits,
  /// expert_splits and kMicrobatches.
  [[nodiscard]] const LayerSets& cached_sets(std::size_t sharding, std::size_t cp, std::size_t ep,
                                             std::size_t microbatch) const;
  [[nodiscard]] StateSet state_set(const Sharding& sharding, const StageSet& stages, int cp, int ep,
                                   int dp, int zero, int shard = 0) const;
  [[nodiscard]] Outcome combine(const StageSet& stages, const LayerSet& layers,
                                const StateSet& states, int microbatches, int zero,
                                int accelerators, Schedule schedule = Schedule::k1F1B) const;
  [[nodiscard]] RunEstimate finish(const Strategy& strategy, const Outcome& outcome) const;
  /// What does not depend on the strategy but on the size of the cluster.
  [[nodiscard]] Goodput goodput_of(double accelerators) const;
};

}  // namespace portolan::training
