// Machines that several models share: who computes, who gives way, what is loaded (serving.md
// §4.4).
#include <algorithm>
#include <cmath>
#include <utility>

#include "simulation/cluster.hpp"

namespace portolan::simulation {

void Cluster::start_hosts(std::uint32_t pool) {
  const Sharing& sharing = scenario_->pools[pool].sharing;
  for (std::int64_t i = 0; i < scenario_->pools[pool].replicas; ++i) {
    Host host;
    host.pool = pool;
    std::vector<ResidentSet::Model> models;
    for (const SharedModel& m : sharing.models) {
      const double bytes = m.weight_bytes.value_or(m.engine->weight_bytes);
      const LoadTime& load = scenario_->pools[pool].load;
      LoadTime swap = load;  // the machine is there
      swap.provision_seconds = swap.image_seconds = 0;
      swap.weight_bytes = bytes;
      models.push_back({.bytes = std::max(1.0, bytes),
                        .load_seconds = m.load_seconds.value_or(start_seconds(swap, *m.engine))});
      host.slots.push_back(machines_.add_lodger(pool, m.engine, now_));
      if (host_of_.size() <= host.slots.back()) host_of_.resize(host.slots.back() + 1, 0);
      host_of_[host.slots.back()] = static_cast<std::uint32_t>(hosts_.size());
    }
    host.queues.resize(models.size());
    host.since.resize(models.size());
    host.loads = models;
    host.residents = ResidentSet(std::move(models), sharing.eviction, sharing.resident_models,
                                 sharing.resident_bytes);
    // At the start it has the first ones that there is room for.
    for (std::uint32_t m = 0; m < sharing.models.size(); ++m) host.residents.put_if_room(m);
    hosts_.push_back(std::move(host));
  }
}

double Cluster::switch_seconds(const Host& host, std::uint32_t model) const {
  if (host.active == model) return 0;
  return host.residents.holds(model)
             ? scenario_->pools[host.pool].sharing.models[model].wake_seconds
             : host.loads[model].load_seconds;
}

Cluster::Placed Cluster::place_shared(Pending& pending, const Group& group) {
  // The machine where it would begin first: what has to be switched, whether somebody else has to
  // give way before, and those who wait there already.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> best;  // host, model
  double least = HUGE_VAL;
  for (const auto& [pool, model] : group.shared) {
    const Sharing& sharing = scenario_->pools[pool].sharing;
    if (!fits(*sharing.models[model].engine, pending.request)) continue;
    for (std::uint32_t h = 0; h < hosts_.size(); ++h) {
      const Host& host = hosts_[h];
      if (host.pool != pool || !host.residents.fits(model)) continue;
      double seconds = switch_seconds(host, model);
      for (std::uint32_t m = 0; m < host.queues.size(); ++m) {
        const Machine& lodger = machines_[host.slots[m]];
        const Load load = lodger.replica->load(now_);
        if (m == model) {
          seconds += waits_.wait(lodger, load);
        } else if (load.running + load.waiting > 0) {
          seconds += sharing.most_wait_seconds;
        } else if (!host.queues[m].empty()) {
          seconds += switch_seconds(host, m) + sharing.most_wait_seconds;
        }
      }
      if (seconds < least) {
        least = seconds;
        best = std::pair(h, model);
      }
    }
  }
  if (!best) {
    over(pending.outcome, Status::kRejected);
    return Placed::kOver;
  }
  Host& host = hosts_[best->first];
  ++controls_[host.pool].arrivals;
  host.queues[best->second].push_back(std::move(pending));
  host.since[best->second].push_back(now_);
  ++shared_waiting_;
  consider(best->first);
  return Placed::kSent;
}

void Cluster::admit_waiting(std::uint32_t number) {
  Host& host = hosts_[number];
  const std::uint32_t model = *host.active;
  std::deque<Pending>& queue = host.queues[model];
  while (!queue.empty()) {
    Pending pending = std::move(queue.front());
    queue.pop_front();
    host.since[model].pop_front();
    --shared_waiting_;
    if (now_ > pending.request.deadline) {
      over(pending.outcome, Status::kTimedOut);
      continue;
    }
    const std::uint32_t slot = host.slots[model];
    if (!machines_[slot].replica->submit(std::move(pending.request), pending.outcome, now_,
                                         Part::kWhole, pending.emitted)) {
      over(pending.outcome, Status::kRejected);
      continue;
    }
    host.residents.use(model);
    machines_.touched(slot);
  }
}

void Cluster::consider(std::uint32_t number) {
  Host& host = hosts_[number];
  if (host.switching) return;
  const Sharing& sharing = scenario_->pools[host.pool].sharing;
  // Who waits longest, of those who do not compute.
  std::optional<std::uint32_t> next;
  for (std::uint32_t m = 0; m < host.queues.size(); ++m)
    if (m != host.active && !host.queues[m].empty() &&
        (!next || host.since[m].front() < host.since[*next].front()))
      next = m;
  if (host.active) {
    const Time patience =
        next ? later(host.since[*next].front(), sharing.most_wait_seconds) : kNever;
    if (!host.giving_way && now_ >= patience) host.giving_way = true;
    if (!host.giving_way) admit_waiting(number);
    const Replica& replica = *machines_[host.slots[*host.active]].replica;
    const Load load = replica.load(now_);
    if (load.running + load.waiting > 0 || replica.next_event() != kNever) {
      if (next && !host.giving_way)
        plan(patience, Timer::Kind::kPatience, number, ++host.decisions);
      return;
    }
    if (!next) {
      host.giving_way = false;
      admit_waiting(number);
      return;
    }
  }
  if (!next) return;
  const double seconds = switch_seconds(host, *next);
  PoolResult& counts = controls_[host.pool].counts;
  if (host.residents.use(*next)) {
    ++counts.wakes;
  } else {
    ++counts.swaps;
    counts.swap_seconds += seconds;
    machines_.add_loading(host.pool, from_seconds(seconds));
  }
  host.active = next;
  host.switching = true;
  host.giving_way = false;
  ++host.decisions;
  plan(later(now_, seconds), Timer::Kind::kSwapped, number);
}

void Cluster::swapped(std::uint32_t number) {
  Host& host = hosts_[number];
  host.switching = false;
  admit_waiting(number);
  consider(number);
}

}  // namespace portolan::simulation
