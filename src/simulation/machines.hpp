// The machines of all pools: which are loading, ready, draining or gone, which of them does
// something next, and what they cost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "simulation/billing.hpp"
#include "simulation/event_heap.hpp"
#include "simulation/machine_share.hpp"
#include "simulation/replica.hpp"
#include "simulation/scenario.hpp"
#include "simulation/tally.hpp"

namespace portolan::simulation {

enum class MachineState : std::uint8_t {
  kGone,
  kLoading,
  kReady,
  kDraining  // takes no more requests, finishes what it has
};

struct Machine {
  std::uint32_t pool = 0, serial = 0;  // serial: number of the replica in results
  std::uint32_t zone = 0;
  MachineState state = MachineState::kGone;
  bool on_demand = false;
  bool paid = true;          // else one of several models of a machine that is paid for once
  std::int64_t holding = 0;  // prompts whose cache has not been fetched
  bool doomed = false;       // its spot capacity has been called back
  std::optional<Replica> replica;
  Time paid_from = 0, ready_at = kNever;  // ready_at: kNever while loading
  std::uint64_t life = 0;  // of the slot: what was planned for an earlier life is void
  MachineShare share;      // only kept when somebody looks at single requests
  Load seen;               // what routers know when what they know is old
};

class Machines {
 public:
  Machines(const Scenario& scenario, Tally& tally, std::function<void(const Segment&)> segment);

  /// Orders a machine: it is paid for from now and loading.
  std::uint32_t order(std::uint32_t pool, Time now, bool on_demand = false, std::uint32_t zone = 0);
  /// A replica of one more model on a machine that is paid for elsewhere; ready at once.
  std::uint32_t add_lodger(std::uint32_t pool, const std::shared_ptr<const EngineModel>& engine,
                           Time now);
  /// Time that a shared machine spends with loading a model: paid for, and no longer idle.
  void add_loading(std::uint32_t pool, Time time);
  void make_ready(std::uint32_t slot, Time now);
  void drain(std::uint32_t slot, Time now);
  void undrain(std::uint32_t slot, Time now);
  /// No longer paid for. What it was doing comes back, in order of arrival.
  std::vector<Unfinished> release(std::uint32_t slot, Time now);

  Machine& operator[](std::uint32_t slot) { return all_[slot]; }
  const Machine& operator[](std::uint32_t slot) const { return all_[slot]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(all_.size()); }
  /// Ready machines of a pool, ascending.
  [[nodiscard]] const std::vector<std::uint32_t>& ready(std::uint32_t pool) const {
    return ready_[pool];
  }
  /// Changes whenever a ready() does.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::int64_t count(std::uint32_t pool, MachineState state) const;

  /// Dollars of `seconds` of a machine, as charged while it runs.
  [[nodiscard]] double usd_of(std::uint32_t slot, double seconds) const {
    return static_cast<double>(price(all_[slot]).nano_usd_per_hour) * 1e-9 / 3600 * seconds;
  }
  /// To be called after anything was asked of a replica.
  void touched(std::uint32_t slot) { heap_.set(slot, all_[slot].replica->next_event()); }
  [[nodiscard]] Time next_time() const { return heap_.time(); }
  [[nodiscard]] std::uint32_t next_slot() const { return heap_.slot(); }

  /// What a router knows: the load now, or as of the last look() when routers are behind.
  [[nodiscard]] Load known(std::uint32_t slot, Time now) const {
    return stale_ ? all_[slot].seen : all_[slot].replica->load(now);
  }
  void look(Time now);

  /// Sums over a pool's machines, those that are gone included in counters.
  [[nodiscard]] Load load(std::uint32_t pool, Time now) const;
  [[nodiscard]] Counters counters(std::uint32_t pool, Time now) const;
  /// Requests waiting on all machines.
  [[nodiscard]] std::int64_t waiting(Time now) const;
  /// Paid so far, by the time kept (no quanta).
  [[nodiscard]] double usd(std::uint32_t pool, Time now) const;
  /// Everything is released; fills money, energy and replica time of a pool.
  void settle(std::uint32_t pool, PoolResult& result) const;

  /// Time with at least one ready replica, up to the last release.
  [[nodiscard]] double ready_seconds(std::uint32_t pool) const {
    return to_seconds(books_[pool].ready_time);
  }

 private:
  struct Book {
    Price price, on_demand;
    bool priced = false;
    double watts = 0;
    bool has_watts = false;
    std::int64_t nano = 0, nano_idle = 0, nano_loading = 0;
    double replica_seconds = 0, on_demand_seconds = 0, idle_joules = 0;
    Counters gone;  // of machines that were released
    std::int64_t most = 0, held = 0;
    Time ready_time = 0, ready_since = kNever;
  };
  [[nodiscard]] const Price& price(const Machine& machine) const {
    const Book& book = books_[machine.pool];
    return machine.on_demand ? book.on_demand : book.price;
  }
  void set_state(std::uint32_t slot, MachineState state, Time now);
  std::uint32_t place(std::uint32_t pool, const std::shared_ptr<const EngineModel>& engine,
                      Time now);
  std::shared_ptr<const EngineModel> own(const std::shared_ptr<const EngineModel>& engine);

  const Scenario* scenario_;
  std::vector<std::pair<std::shared_ptr<const EngineModel>, std::shared_ptr<const EngineModel>>>
      own_;
  Tally* tally_;
  std::function<void(const Segment&)> segment_;
  bool stale_ = false;
  std::vector<Machine> all_;
  EventHeap heap_;
  std::vector<std::vector<std::uint32_t>> ready_;
  std::vector<Book> books_;
  std::uint64_t version_ = 0;
  std::uint32_t serial_ = 0;
};

Counters& operator+=(Counters& sum, const Counters& more);
Load& operator+=(Load& sum, const Load& more);

}  // namespace portolan::simulation
