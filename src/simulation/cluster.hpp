// One run: the state that the event loop, admission and control share. Private to the room.
//
// Order of events, on which results depend: by time; at equal times what replicas do (by slot)
// comes first, then timers by rank (transfers, machines coming and going, decisions, looks of the
// routers) and order of planning, then arrivals (those of the source before follow-ups). Samples
// for observers are taken before anything else at their time and change nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "simulation/backlog.hpp"
#include "simulation/machines.hpp"
#include "simulation/router.hpp"
#include "simulation/run.hpp"
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
    kScrape,   // routers look at the machines
    kDeadline  // of a request held at the router
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
    bool blocked = false;  // in one pass over what is held
    std::map<std::pair<std::int64_t, std::uint64_t>, Pending> held;  // by -priority, order
  };

  // run.cpp
  Result<void> loop();
  Result<void> pull();
  [[nodiscard]] Time next_arrival() const;
  Result<void> take_arrival();
  void replica_event();
  void timer_event();
  void sample_until(Time time);
  void stop(std::string why);
  RunResult results();
  void plan(Time at, Timer::Kind kind, std::uint32_t subject, std::uint64_t life = 0);

  // dispatch.cpp
  void build_groups();
  Group& group(std::uint32_t model, std::uint32_t slo_class) {
    return groups_[model * classes_ + slo_class];
  }
  void offer(Request&& request);
  /// Sends it to a machine, or holds it, or rejects it. False: held.
  enum class Placed : std::uint8_t { kSent, kOver, kNoRoom };
  Placed place(Pending& pending);
  /// The machine for it; nullopt: none is ready (or has room, when requests wait at the router).
  /// `never`: no pool can ever hold it.
  std::optional<std::uint32_t> pick(const Request& request, bool& never);
  const std::vector<std::uint32_t>& ready(Tier& tier);
  void hold(Pending&& pending);
  void dispatch_held();
  void over(Outcome& outcome, Status status);  // that never reached its end on a machine
  void finish(const Outcome& outcome);

  const Scenario* scenario_;
  Source* source_;
  const Observers* observers_;
  std::size_t classes_ = 1, models_ = 1;
  bool central_ = false;  // requests wait at the router
  Tally tally_;
  Machines machines_;
  Waits waits_;
  Router router_;
  Backlog backlog_;
  std::vector<Group> groups_;
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
