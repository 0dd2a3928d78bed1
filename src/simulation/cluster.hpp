// One run: the state that the event loop, admission and control share. Private to the room.
//
// Order of events, on which results depend: by time; at equal times what replicas do (by slot)
// comes first, then timers by rank (transfers, machines coming and going, decisions, looks of the
// routers) and order of planning, then arrivals (those of the source before follow-ups). Samples
// for observers are taken before anything else at their time and change nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "simulation/autoscale.hpp"
#include "simulation/backlog.hpp"
#include "simulation/load_time.hpp"
#include "simulation/machines.hpp"
#include "simulation/router.hpp"
#include "simulation/run.hpp"
#include "simulation/spot.hpp"
#include "simulation/swap_cache.hpp"
#include "simulation/tally.hpp"

namespace portolan::simulation {

/// A request on its way to a machine.
struct Pending {
  Request request;
  Outcome outcome;
  std::int64_t emitted = 0;
};

/// Something planned. The order of the enumerators is the rank at equal times.
struct Timer {
  enum class Kind : std::uint8_t {
    kTransfer,  // a cache has been sent: of transfers_
    kWeights,   // a machine begins to read its weights
    kRead,      // a machine of a pool has them
    kReady,
    kSpot,      // capacity of a pool changes
    kSpotLost,  // a machine whose capacity was called back
    kFailure,
    kRepaired,  // a machine of a pool
    kDrained,   // a machine has had its time to finish
    kSwapped,   // a shared machine has the model it was to have: of hosts_
    kPatience,  // a request has waited long enough for another model to give way: of hosts_
    kMeasure,   // scrape of a pool for its autoscaler
    kTick,      // decision of a pool's autoscaler
    kScrape,    // routers look at the machines
    kDeadline   // of a request held at the router
  };
  Time at = 0;
  Kind kind = Kind::kScrape;
  std::uint32_t subject = 0;  // slot, pool or record
  std::uint64_t life = 0;     // of the slot
  std::uint64_t sequence = 0;
};
struct LaterTimer {
  bool operator()(const Timer& a, const Timer& b) const {
    if (a.at != b.at) return a.at > b.at;
    if (a.kind != b.kind) return a.kind > b.kind;
    return a.sequence > b.sequence;
  }
};

class Cluster {
 public:
  Cluster(const Scenario& scenario, Source& source, const Observers& observers);
  Result<RunResult> run();

 private:
  /// Machines that requests of one model and class may go to, in tiers: a later one only when the
  /// wait at an earlier one is too long.
  struct Tier {
    std::vector<std::uint32_t> pools;
    std::vector<std::uint32_t> ready;  // slots; of Machines::version() `version`
    std::uint64_t version = ~std::uint64_t{0};
    std::uint64_t turn = 0;
    bool alike = true;  // all pools have the same engine
  };
  struct Group {
    std::vector<Tier> tiers;
    std::optional<Tier> outputs;  // where outputs are computed, when prompts are elsewhere
    /// Shared pools that have its model, and its place among their models.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> shared;
    bool blocked = false;  // in one pass over what is held
    std::map<std::pair<std::int64_t, std::uint64_t>, Pending> held;  // by -priority, order
  };

  /// What became of a request that was to go to a machine.
  enum class Placed : std::uint8_t {
    kSent,   // it is there
    kOver,   // it is over: rejected or timed out
    kNoRoom  // it has to wait at the router
  };

  // run.cpp
  Result<void> loop();
  Result<void> pull();
  [[nodiscard]] Time next_arrival() const;
  [[nodiscard]] std::int64_t waiting() const {
    return machines_.waiting(now_) + held_ + shared_waiting_;
  }
  Result<void> take_arrival();
  void replica_event();
  void timer_event();
  void sample_until(Time time);
  void stop(std::string why);
  RunResult results();
  void plan(Time at, Timer::Kind kind, std::uint32_t subject, std::uint64_t life = 0);

  /// What keeps the number of machines of a pool at what is wanted.
  struct Control {
    std::int64_t wanted = 0;
    std::optional<Autoscaler> scaler;
    std::optional<SpotCapacity> spot;
    std::optional<SharedStorage> storage;
    std::int64_t repairing = 0;
    std::uint64_t arrivals = 0, orders = 0;
    double input_tokens = 0, output_tokens = 0;  // of arrivals, sums
    double sustained = 0, sustained_for_input = 0, sustained_for_output = 0;
    PoolResult counts;  // of events only
  };
  // control.cpp
  void start_pools();
  std::uint32_t order(std::uint32_t pool, bool on_demand);
  void come_up(std::uint32_t slot);
  void begin_weights(std::uint32_t slot);
  void weights_read(std::uint32_t pool, std::uint64_t version);
  void plan_read(std::uint32_t pool);
  void reconcile(std::uint32_t pool);
  void bring_to(std::uint32_t pool, bool on_demand, std::int64_t count);
  [[nodiscard]] std::int64_t have(std::uint32_t pool, bool on_demand) const;
  void retire(std::uint32_t slot);
  void leave(std::uint32_t slot);  // released; what it had goes elsewhere
  void release_if_drained(std::uint32_t slot);
  void notice(std::uint32_t slot);
  void spot_event(std::uint32_t pool);
  void fail_machine(std::uint32_t slot);
  void measure(std::uint32_t pool);
  void tick(std::uint32_t pool);
  double sustained(std::uint32_t pool);
  void wake(const Group& group);
  void retry(Unfinished&& lost, std::uint32_t pool);

  // split.cpp
  void collect(std::uint32_t slot);
  void send_output(Finished&& prompt, std::uint32_t slot);
  void begin_transfer(std::uint32_t slot, const Replica::Awaiting& awaiting);
  void end_transfer(std::uint32_t transfer);
  void forget_prompt(std::uint64_t index);

  /// A machine that several models share: one computes at a time.
  struct Host {
    std::uint32_t pool = 0;
    std::optional<std::uint32_t> active;  // place among the models; what computes
    bool switching = false;               // `active` is being loaded or woken
    bool giving_way = false;              // it takes no more requests
    std::uint64_t decisions = 0;          // what was planned for an earlier one is void
    ResidentSet residents{{}, Eviction::kLeastRecent, 0, 0};
    std::vector<ResidentSet::Model> loads;    // by model
    std::vector<std::uint32_t> slots;         // by model
    std::vector<std::deque<Pending>> queues;  // by model, with when they came
    std::vector<std::deque<Time>> since;
  };
  // shared_machines.cpp
  void start_hosts(std::uint32_t pool);
  [[nodiscard]] double switch_seconds(const Host& host, std::uint32_t model) const;
  Placed place_shared(Pending& pending, const Group& group);
  void consider(std::uint32_t host);
  void swapped(std::uint32_t host);
  void admit_waiting(std::uint32_t host);

  // dispatch.cpp
  void build_groups();
  Group& group(std::uint32_t model, std::uint32_t slo_class) {
    return groups_[model * classes_ + slo_class];
  }
  void offer(Request&& request);
  Placed place(Pending& pending);
  /// The machine for it; nullopt: none is ready (or has room, when requests wait at the router).
  /// `never`: no pool can ever hold it.
  std::optional<std::uint32_t> pick(const Request& request, bool& never);
  const std::vector<std::uint32_t>& ready(Tier& tier);
  void hold(Pending&& pending);
  void dispatch_held();
  [[nodiscard]] double predicted_wait(const Request& request);
  bool send_to_hosted(Pending& pending);
  bool turn_away(Pending& pending);
  void over(Outcome& outcome, Status status);  // that never reached its end on a machine
  void finish(const Outcome& outcome);

  const Scenario* scenario_;
  Source* source_;
  const Observers* observers_;
  std::size_t classes_ = 1, models_ = 1;
  bool central_ = false;    // requests wait at the router
  bool admission_ = false;  // some may be turned away
  std::vector<std::int64_t> held_of_class_;
  Tally tally_;
  Machines machines_;
  Waits waits_;
  Router router_;
  Backlog backlog_;
  std::vector<Group> groups_;
  std::vector<Control> controls_;  // by pool
  std::vector<Host> hosts_;
  std::vector<std::uint32_t> host_of_;  // by slot; of lodgers
  std::int64_t shared_waiting_ = 0;
  std::vector<Start> starts_;  // of loading machines, by slot
  bool starting_ = false;      // machines are ready when ordered
  struct Split {
    std::uint32_t slot = 0, handle = 0;  // where its prompt's blocks are
    std::uint32_t to = 0;                // where its outputs will be computed
  };
  std::unordered_map<std::uint64_t, Split> splits_;  // by request; never iterated
  struct Transfer {
    std::uint64_t index = 0;             // of the request
    std::uint32_t slot = 0, handle = 0;  // where it goes to
  };
  std::vector<Transfer> transfers_;
  std::vector<std::uint32_t> free_transfers_;
  struct Wire {
    Time latency = 0, free = 0;
    double bytes_per_second = 0;
  };
  std::vector<Wire> wires_;  // by from pool, to pool
  Time hosted_free_ = 0;     // when its rate limit allows the next request
  std::int64_t held_ = 0;
  std::uint64_t held_sequence_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, LaterTimer> timers_;
  std::uint64_t timer_sequence_ = 0;

  Time now_ = 0;
  Request next_;
  bool has_next_ = false, reactive_ = false;
  struct FollowUp {
    Request request;
    std::uint64_t sequence = 0;
  };
  std::vector<FollowUp> follow_ups_;  // heap
  std::uint64_t follow_up_sequence_ = 0;
  std::optional<Error> fault_;  // of the source, met inside an event
  std::vector<std::vector<std::uint64_t>> spare_ids_;
  Time first_arrival_ = kNever, last_arrival_ = 0, horizon_ = kNever, next_sample_ = kNever;
  std::int64_t in_flight_ = 0, seats_ = 0, waiting_at_last_ = 0;
  std::uint64_t offered_ = 0, events_ = 0;
  bool stopped_ = false;
  std::string why_stopped_;
};

/// What run() checks before it begins. Errors: usage and infeasible, naming the pool.
Result<void> check(const Scenario& scenario);

/// Whether a replica of this engine could ever hold a request.
bool fits(const EngineModel& engine, const Request& request);

}  // namespace portolan::simulation
