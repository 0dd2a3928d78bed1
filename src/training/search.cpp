// The search over strategies: factorisations of the cluster, tabulated so that one strategy costs a
// few dozen multiply-adds, and pruned by bounds that cannot hide the winner.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>

#include "training/tables.hpp"

namespace portolan::training {
namespace {

auto fields(const Strategy& s) {
  return std::tuple(s.tp, s.pp, s.cp, s.ep, s.dp, s.zero, s.virtual_stages, s.microbatch,
                    static_cast<int>(s.recompute));
}

/// Increasing.
std::vector<int> divisors(std::int64_t n) {
  std::vector<int> small, large;
  for (std::int64_t i = 1; i * i <= n; ++i) {
    if (n % i != 0) continue;
    small.push_back(static_cast<int>(i));
    if (i * i != n) large.push_back(static_cast<int>(n / i));
  }
  small.insert(small.end(), large.rbegin(), large.rend());
  return small;
}

class Searcher {
 public:
  Searcher(const Compiled& compiled, std::int64_t nodes, bool prune)
      : c_(compiled),
        g_(nodes * compiled.machine.node.count),
        prune_(prune),
        usable_(compiled.usable()) {}

  Trainer::Search run() {
    result_.usable = Bytes{usable_};
    if (g_ < 1 || (g_ > c_.fast_domain && c_.machine.network.raw() <= 0)) return result_;
    degrees_ = divisors(g_);
    for (const int pp : degrees_) {
      if (pp > c_.layer_count) break;
      auto& sets = stages_.emplace_back();
      for (int v = 1; v <= (pp > 1 ? (c_.layer_count + 2) / pp : 1); ++v) {
        // Equal chunks, or equal when the embedding and the head count as a layer each.
        const double chunks = static_cast<double>(pp) * v;
        if (v == 1 || std::fmod(c_.layer_count, chunks) == 0 ||
            std::fmod(c_.layer_count + 2, chunks) == 0)
          sets.push_back(c_.stage_set(pp, v));
      }
    }
    for (std::size_t t = 0; t < c_.shardings.size(); ++t) {
      const int tp = c_.shardings[t].tp;
      if (tp > c_.fast_domain || g_ % tp != 0) continue;
      for (std::size_t c = 0; c < c_.context_splits.size(); ++c) {
        if (g_ / tp % c_.context_splits[c] != 0) continue;
        for (std::size_t e = 0; e < c_.expert_splits.size() && c_.expert_splits[e] <= g_; ++e)
          split(t, c, e);
      }
    }
    if (result_.best) result_.estimate = c_.finish(*result_.best, best_outcome_);
    return result_;
  }

 private:
  /// All strategies of one (tp, cp, ep), given by their indices in the tables.
  void split(std::size_t tp_index, std::size_t cp_index, std::size_t ep_index) {
    const Sharding& sharding = c_.shardings[tp_index];
    const int cp = c_.context_splits[cp_index], ep = c_.expert_splits[ep_index];
    for (const auto& sets : stages_) {
      const int pp = sets.front().pp;
      const std::int64_t inner = static_cast<std::int64_t>(sharding.tp) * cp * pp;
      if (g_ % inner != 0) continue;
      const int dp = static_cast<int>(g_ / inner);
      if ((static_cast<std::int64_t>(dp) * cp * sharding.tp) % ep != 0) continue;
      Place place{.sharding = sharding,
                  .stages = sets,
                  .cp = cp,
                  .ep = ep,
                  .dp = dp,
                  .zeros = dp * cp > 1 ? 4 : 1,
                  .states = {}};
      const std::uint64_t combinations = sets.size() * static_cast<std::uint64_t>(place.zeros);
      for (std::size_t b = 0; b < kMicrobatches.size(); ++b) {
        const int m = c_.microbatches(dp, kMicrobatches[b]);
        if (m == 0) {
          count(combinations * kRecomputes.size(), &Trainer::Search::illegal);
          continue;
        }
        const LayerSets& layers = c_.cached_sets(tp_index, cp_index, ep_index, b);
        for (std::size_t r = 0; r < kRecomputes.size(); ++r) {
          const Strategy strategy{.tp = sharding.tp,
                                  .pp = pp,
                                  .ep = ep,
                                  .cp = cp,
                                  .dp = dp,
                                  .zero = 0,
                                  .microbatch = kMicrobatches[b],
                                  .virtual_stages = 1,
                                  .recompute = kRecomputes[r]};
          if (prune_ && result_.best && cannot_win(layers[r], strategy, m)) {
            count(combinations, nullptr);
          } else if (prune_ && result_.best && cannot_fit(place)) {
            count(combinations, &Trainer::Search::memory_rejected);
          } else {
            evaluate_all(place, layers[r], strategy, m);
          }
        }
      }
    }
  }

  /// What strategies of one (tp, cp, ep, pp, dp) share. States are made when the first strategy
  /// needs them.
  struct Place {
    const Sharding& sharding;
    const std::vector<StageSet>& stages;
    int cp = 1, ep = 1, dp = 1, zeros = 1;
    std::vector<StateSet> states;  // by virtual stages, then zero
  };

  void make_states(Place& place) const {
    if (!place.states.empty()) return;
    place.states.reserve(place.stages.size() * static_cast<std::size_t>(place.zeros));
    for (const StageSet& set : place.stages) {
      for (int zero = 0; zero < place.zeros; ++zero)
        place.states.push_back(
            c_.state_set(place.sharding, set, place.cp, place.ep, place.dp, zero));
    }
  }

  /// Weights, gradients and optimizer alone are too much however they are divided.
  [[nodiscard]] bool cannot_fit(Place& place) const {
    make_states(place);
    for (const StateSet& states : place.states) {
      double fullest = 0;
      for (const StateSet::Stage& s : states.stages)
        fullest = std::max(fullest, s.weights + s.gradients + s.optimizer);
      if (fullest <= usable_) return false;
    }
    return true;
  }

  void evaluate_all(Place& place, const LayerSet& layers, Strategy strategy, int m) {
    make_states(place);
    std::size_t index = 0;
    for (const StageSet& set : place.stages) {
      strategy.virtual_stages = set.virtual_stages;
      const bool legal = set.virtual_stages == 1 || m % set.pp == 0;
      for (int zero = 0; zero < place.zeros; ++zero, ++index) {
        strategy.zero = zero;
        ++result_.candidates;
        if (legal)
          evaluate(strategy, set, layers, place.states[index], m);
        else
          ++result_.illegal;
      }
    }
  }

  void count(std::uint64_t strategies, std::uint64_t Trainer::Search::* as) {
    result_.candidates += strategies;
    if (as != nullptr) result_.*as += strategies;
  }

  /// No schedule, sharding or overlap makes a step shorter than the mean stage's share of the work;
  /// strict, so that ties are evaluated.
  [[nodiscard]] bool cannot_win(const LayerSet& layers, const Strategy& s, int m) const {
    const double bound = m * layers.all / s.pp;
    return bound * (1 - 1e-9) > best_per_sequence_ * m * s.dp * s.microbatch;
  }

  void evaluate(const Strategy& strategy, const StageSet& set, const LayerSet& layers,
                const StateSet& states, int m) {
    ++result_.evaluated;
    const Outcome outcome = c_.combine(set, layers, states, m, strategy.zero, static_cast<int>(g_));
    const double memory = outcome.memory();
    if (result_.evaluated == 1 || memory < result_.smallest_memory.raw() ||
        (memory == result_.smallest_memory.raw() && fields(strategy) < fields(result_.leanest))) {
      result_.smallest_memory = Bytes{memory};
      result_.leanest = strategy;
    }
    if (memory > usable_) {
      ++result_.memory_rejected;
      return;
    }
    ++result_.fitting;
    const double per_sequence =
        outcome.step() / (static_cast<double>(m) * strategy.dp * strategy.microbatch);
    if (result_.best) {
      if (per_sequence > best_per_sequence_) return;
      if (per_sequence == best_per_sequence_) {
        const double best_memory = best_outcome_.memory();
        if (memory > best_memory ||
            (memory == best_memory && fields(strategy) > fields(*result_.best)))
          return;
      }
    }
    best_per_sequence_ = per_sequence;
    best_outcome_ = outcome;
    result_.best = strategy;
  }

  const Compiled& c_;
  std::int64_t g_;
  bool prune_;
  double usable_;
  std::vector<int> degrees_;
  std::vector<std::vector<StageSet>> stages_;  // by pp, then by virtual stages
  Trainer::Search result_;
  double best_per_sequence_ = 0;
  Outcome best_outcome_;
};

}  // namespace

Trainer::Search Trainer::search(std::int64_t nodes) const {
  return Searcher(*compiled_, nodes, true).run();
}
Trainer::Search Trainer::search_exhaustively(std::int64_t nodes) const {
  return Searcher(*compiled_, nodes, false).run();
}

}  // namespace portolan::training
