// Which models stay on a machine that has room for some of them (serving.md §4.4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "simulation/scenario.hpp"

namespace portolan::simulation {

/// The resident set of one machine, by least recent use or by value (GreedyDual-Size with
/// frequency: uses · load seconds / bytes, plus the value of what was evicted last).
class ResidentSet {
 public:
  struct Model {
    double bytes = 1, load_seconds = 1;
  };
  /// At most `count` models and `bytes` in all; 0: no such limit.
  ResidentSet(std::vector<Model> models, Eviction eviction, std::int64_t count, double bytes);

  [[nodiscard]] bool holds(std::uint32_t model) const { return entries_[model].resident; }
  /// Whether it could ever be held.
  [[nodiscard]] bool fits(std::uint32_t model) const {
    return bytes_ <= 0 || models_[model].bytes <= bytes_;
  }
  /// It is used; if it is not there, others make room. Returns whether it was there.
  bool use(std::uint32_t model);
  /// Puts it there if that evicts nobody.
  void put_if_room(std::uint32_t model);

 private:
  struct Entry {
    bool resident = false;
    std::uint64_t used = 0;  // when, by count of uses
    std::uint64_t uses = 0;
    double value = 0;
  };
  [[nodiscard]] bool room_for(std::uint32_t model) const;
  void evict();

  std::vector<Model> models_;
  std::vector<Entry> entries_;
  Eviction eviction_;
  std::int64_t most_ = 0, count_ = 0;
  double bytes_ = 0, held_ = 0, inflation_ = 0;
  std::uint64_t clock_ = 0;
};

/// Share of uses that find their model absent, from an empty machine with room for `slots` models.
double miss_rate(std::span<const std::uint32_t> uses, std::uint32_t models, std::int64_t slots,
                 Eviction eviction);
/// The least share any policy can reach (Belady 1966): evict what is used again last.
double least_miss_rate(std::span<const std::uint32_t> uses, std::uint32_t models,
                       std::int64_t slots);

}  // namespace portolan::simulation
