#include "simulation/swap_cache.hpp"

#include <limits>
#include <utility>

namespace portolan::simulation {

ResidentSet::ResidentSet(std::vector<Model> models, Eviction eviction, std::int64_t count,
                         double bytes)
    : models_(std::move(models)),
      entries_(models_.size()),
      eviction_(eviction),
      most_(count),
      bytes_(bytes) {}

bool ResidentSet::room_for(std::uint32_t model) const {
  return (most_ <= 0 || count_ < most_) && (bytes_ <= 0 || held_ + models_[model].bytes <= bytes_);
}

void ResidentSet::evict() {
  std::optional<std::uint32_t> victim;
  for (std::uint32_t m = 0; m < entries_.size(); ++m) {
    if (!entries_[m].resident) continue;
    if (!victim) {
      victim = m;
      continue;
    }
    const Entry &a = entries_[m], &b = entries_[*victim];
    const bool worse =
        eviction_ == Eviction::kValue && a.value != b.value ? a.value < b.value : a.used < b.used;
    if (worse) victim = m;
  }
  Entry& gone = entries_[*victim];
  gone.resident = false;
  inflation_ = gone.value;
  --count_;
  held_ -= models_[*victim].bytes;
}

void ResidentSet::put_if_room(std::uint32_t model) {
  if (entries_[model].resident || !room_for(model)) return;
  entries_[model].resident = true;
  ++count_;
  held_ += models_[model].bytes;
}

bool ResidentSet::use(std::uint32_t model) {
  Entry& entry = entries_[model];
  const bool there = entry.resident;
  if (!there) {
    while (count_ > 0 && !room_for(model)) evict();
    put_if_room(model);
  }
  entry.used = ++clock_;
  ++entry.uses;
  entry.value = inflation_ + static_cast<double>(entry.uses) * models_[model].load_seconds /
                                 models_[model].bytes;
  return there;
}

double miss_rate(std::span<const std::uint32_t> uses, std::uint32_t models, std::int64_t slots,
                 Eviction eviction) {
  if (uses.empty()) return 0;
  ResidentSet set(std::vector<ResidentSet::Model>(models), eviction, slots, 0);
  std::uint64_t misses = 0;
  for (const std::uint32_t model : uses) misses += set.use(model) ? 0 : 1;
  return static_cast<double>(misses) / static_cast<double>(uses.size());
}

double least_miss_rate(std::span<const std::uint32_t> uses, std::uint32_t models,
                       std::int64_t slots) {
  if (uses.empty()) return 0;
  constexpr std::size_t kNotAgain = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> again(uses.size()), next(models, kNotAgain);
  for (std::size_t i = uses.size(); i-- > 0;) {
    again[i] = next[uses[i]];
    next[uses[i]] = i;
  }
  std::vector<bool> there(models, false);
  std::vector<std::size_t> used_again(models, kNotAgain);
  std::int64_t count = 0;
  std::uint64_t misses = 0;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const std::uint32_t model = uses[i];
    used_again[model] = again[i];
    if (there[model]) continue;
    ++misses;
    if (count == slots) {
      std::optional<std::uint32_t> victim;
      for (std::uint32_t m = 0; m < models; ++m)
        if (there[m] && (!victim || used_again[m] > used_again[*victim])) victim = m;
      there[*victim] = false;
      --count;
    }
    there[model] = true;
    ++count;
  }
  return static_cast<double>(misses) / static_cast<double>(uses.size());
}

}  // namespace portolan::simulation
