// Which LoRA adapters an engine has at hand: a fixed number of places, the least recently used one
// without users gives way. Private to the room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace portolan::simulation {

class Adapters {
 public:
  /// `places` at most; 0: no limit.
  explicit Adapters(std::size_t places) : places_(places) {}

  /// One more user of `id` (0: of none, always there). False: every place has users. `read` is set
  /// where it has to be read first.
  bool take(std::uint32_t id, bool& read) {
    if (id == 0) return true;
    ++clock_;
    Adapter* oldest = nullptr;
    for (Adapter& adapter : here_) {
      if (adapter.id == id) {
        adapter.used = clock_;
        ++adapter.users;
        return true;
      }
      if (adapter.users == 0 && (oldest == nullptr || adapter.used < oldest->used))
        oldest = &adapter;
    }
    const Adapter fresh{.id = id, .users = 1, .used = clock_};
    if (places_ == 0 || here_.size() < places_) {
      here_.push_back(fresh);
    } else if (oldest != nullptr) {
      *oldest = fresh;
    } else {
      return false;
    }
    read = true;
    return true;
  }
  /// One user fewer.
  void leave(std::uint32_t id) {
    if (id == 0) return;
    for (Adapter& adapter : here_)
      if (adapter.id == id) --adapter.users;
  }
  void clear() { here_.clear(); }

 private:
  struct Adapter {
    std::uint32_t id = 0;
    std::int64_t users = 0;
    std::uint64_t used = 0;
  };
  std::size_t places_;
  std::vector<Adapter> here_;
  std::uint64_t clock_ = 0;
};

}  // namespace portolan::simulation
