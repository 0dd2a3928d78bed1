// Which of many replicas does something next: a binary heap over slots whose times change, ordered
// by time, then by slot.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "simulation/request.hpp"

namespace portolan::simulation {

class EventHeap {
 public:
  /// Appends a slot that never happens; its number.
  std::uint32_t add() {
    const auto slot = static_cast<std::uint32_t>(times_.size());
    times_.push_back(kNever);
    where_.push_back(static_cast<std::uint32_t>(heap_.size()));
    heap_.push_back(slot);
    return slot;
  }
  void set(std::uint32_t slot, Time time) {
    if (times_[slot] == time) return;
    const bool sooner = time < times_[slot];
    times_[slot] = time;
    if (sooner)
      rise(where_[slot]);
    else
      sink(where_[slot]);
  }
  [[nodiscard]] Time time() const { return heap_.empty() ? kNever : times_[heap_[0]]; }
  [[nodiscard]] std::uint32_t slot() const { return heap_[0]; }

 private:
  [[nodiscard]] bool before(std::uint32_t a, std::uint32_t b) const {
    return times_[a] != times_[b] ? times_[a] < times_[b] : a < b;
  }
  void exchange(std::size_t a, std::size_t b) {
    std::swap(heap_[a], heap_[b]);
    where_[heap_[a]] = static_cast<std::uint32_t>(a);
    where_[heap_[b]] = static_cast<std::uint32_t>(b);
  }
  void rise(std::size_t at) {
    while (at > 0 && before(heap_[at], heap_[(at - 1) / 2])) {
      exchange(at, (at - 1) / 2);
      at = (at - 1) / 2;
    }
  }
  void sink(std::size_t at) {
    while (true) {
      std::size_t least = at;
      for (std::size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); ++child)
        if (before(heap_[child], heap_[least])) least = child;
      if (least == at) return;
      exchange(at, least);
      at = least;
    }
  }

  std::vector<Time> times_;           // by slot
  std::vector<std::uint32_t> where_;  // of a slot in heap_
  std::vector<std::uint32_t> heap_;   // slots
};

}  // namespace portolan::simulation
