#include "simulation/machines.hpp"

#include <algorithm>
#include <cmath>

namespace portolan::simulation {

Counters& operator+=(Counters& sum, const Counters& more) {
  sum.steps += more.steps;
  sum.completed += more.completed;
  sum.preemptions += more.preemptions;
  sum.prompt_tokens += more.prompt_tokens;
  sum.cached_tokens += more.cached_tokens;
  sum.output_tokens += more.output_tokens;
  sum.busy += more.busy;
  sum.joules += more.joules;
  sum.peak_blocks = std::max(sum.peak_blocks, more.peak_blocks);
  return sum;
}

Load& operator+=(Load& sum, const Load& more) {
  sum.waiting += more.waiting;
  sum.running += more.running;
  sum.waiting_tokens += more.waiting_tokens;
  sum.running_tokens += more.running_tokens;
  sum.used_blocks += more.used_blocks;
  sum.total_blocks += more.total_blocks;
  return sum;
}

Machines::Machines(const Scenario& scenario, Tally& tally,
                   std::function<void(const Segment&)> segment)
    : scenario_(&scenario),
      tally_(&tally),
      segment_(std::move(segment)),
      stale_(scenario.staleness_seconds > 0),
      ready_(scenario.pools.size()),
      books_(scenario.pools.size()) {
  const auto nano = [](double usd) { return static_cast<std::int64_t>(std::llround(usd * 1e9)); };
  for (std::size_t i = 0; i < books_.size(); ++i) {
    const Pool& pool = scenario.pools[i];
    Book& book = books_[i];
    book.priced = pool.usd_per_hour.has_value();
    book.price = {.nano_usd_per_hour = nano(pool.usd_per_hour.value_or(0)),
                  .quantum = from_seconds(pool.billing_quantum_seconds),
                  .minimum = from_seconds(pool.billing_minimum_seconds)};
    book.on_demand = book.price;
    if (pool.spot && pool.spot->on_demand_usd_per_hour)
      book.on_demand.nano_usd_per_hour = nano(*pool.spot->on_demand_usd_per_hour);
    book.has_watts = pool.engine->idle_watts.has_value();
    book.watts = pool.engine->idle_watts.value_or(0);
  }
}

// Tables of step times fill as they are used: a run has its own, so that runs of one scenario can
// go side by side.
std::shared_ptr<const EngineModel> Machines::own(const std::shared_ptr<const EngineModel>& engine) {
  for (const auto& [given, copy] : own_)
    if (given == engine) return copy;
  auto copy = std::make_shared<EngineModel>(*engine);
  copy->cost = std::make_shared<StepCost>(*engine->cost);
  own_.emplace_back(engine, copy);
  return copy;
}

std::uint32_t Machines::place(std::uint32_t pool, const std::shared_ptr<const EngineModel>& engine,
                              Time now) {
  std::uint32_t slot = 0;
  while (slot < all_.size() && all_[slot].state != MachineState::kGone) ++slot;
  if (slot == all_.size()) {
    all_.emplace_back();
    heap_.add();
  }
  Machine& machine = all_[slot];
  machine.pool = pool;
  machine.serial = serial_++;
  machine.on_demand = machine.doomed = false;
  machine.paid = true;
  machine.holding = 0;
  machine.paid_from = now;
  machine.ready_at = kNever;
  machine.seen = {};
  machine.share = {};
  ++machine.life;
  machine.replica.emplace(own(engine), machine.serial, scenario_->seed, tally_->itl(pool));
  if (segment_) machine.replica->watch(segment_);
  heap_.set(slot, kNever);
  return slot;
}

std::uint32_t Machines::order(std::uint32_t pool, Time now, bool on_demand, std::uint32_t zone) {
  const std::uint32_t slot = place(pool, scenario_->pools[pool].engine, now);
  Machine& machine = all_[slot];
  machine.on_demand = on_demand;
  machine.zone = zone;
  machine.state = MachineState::kLoading;
  Book& book = books_[pool];
  book.most = std::max(book.most, ++book.held);
  return slot;
}

std::uint32_t Machines::add_lodger(std::uint32_t pool,
                                   const std::shared_ptr<const EngineModel>& engine, Time now) {
  const std::uint32_t slot = place(pool, engine, now);
  all_[slot].paid = false;
  all_[slot].state = MachineState::kDraining;  // never a candidate of its own
  return slot;
}

void Machines::add_loading(std::uint32_t pool, Time time) {
  const std::int64_t nano = nano_usd(books_[pool].price, time);
  books_[pool].nano_loading += nano;
  books_[pool].nano_idle -= nano;
}

void Machines::set_state(std::uint32_t slot, MachineState state, Time now) {
  Machine& machine = all_[slot];
  const bool was = machine.state == MachineState::kReady, is = state == MachineState::kReady;
  machine.state = state;
  if (was == is) return;
  ++version_;
  std::vector<std::uint32_t>& list = ready_[machine.pool];
  Book& book = books_[machine.pool];
  if (is) {
    list.insert(std::ranges::lower_bound(list, slot), slot);
    if (list.size() == 1) book.ready_since = now;
  } else {
    std::erase(list, slot);
    if (list.empty()) book.ready_time += now - book.ready_since;
  }
}

void Machines::make_ready(std::uint32_t slot, Time now) {
  all_[slot].ready_at = now;
  set_state(slot, MachineState::kReady, now);
}

void Machines::drain(std::uint32_t slot, Time now) {
  set_state(slot, MachineState::kDraining, now);
}
void Machines::undrain(std::uint32_t slot, Time now) { set_state(slot, MachineState::kReady, now); }

std::vector<Unfinished> Machines::release(std::uint32_t slot, Time now) {
  Machine& machine = all_[slot];
  Book& book = books_[machine.pool];
  std::vector<Unfinished> lost = machine.replica->abandon(now);
  const Counters counters = machine.replica->counters(now);
  book.gone += counters;
  set_state(slot, MachineState::kGone, now);
  if (machine.paid) {
    --book.held;
    const Price& rate = price(machine);
    const Time paid = billed(rate, now - machine.paid_from);
    const Time loading = (machine.ready_at == kNever ? now : machine.ready_at) - machine.paid_from;
    const std::int64_t nano = nano_usd(rate, paid);
    const std::int64_t nano_loading = std::min(nano, nano_usd(rate, loading));
    const std::int64_t nano_busy = std::min(nano - nano_loading, nano_usd(rate, counters.busy));
    book.nano += nano;
    book.nano_loading += nano_loading;
    book.nano_idle += nano - nano_loading - nano_busy;
    book.replica_seconds += to_seconds(paid);
    if (machine.on_demand) book.on_demand_seconds += to_seconds(paid);
    book.idle_joules +=
        book.watts * to_seconds(std::max<Time>(0, now - machine.paid_from - counters.busy));
  } else {
    // The machine it lodges on was not idle meanwhile.
    book.nano_idle -= nano_usd(price(machine), counters.busy);
    book.idle_joules -= book.watts * to_seconds(counters.busy);
  }
  machine.replica.reset();
  ++machine.life;
  heap_.set(slot, kNever);
  return lost;
}

std::int64_t Machines::count(std::uint32_t pool, MachineState state) const {
  return std::ranges::count_if(
      all_, [&](const Machine& m) { return m.pool == pool && m.state == state && m.paid; });
}

void Machines::look(Time now) {
  for (Machine& machine : all_)
    if (machine.replica) machine.seen = machine.replica->load(now);
}

Load Machines::load(std::uint32_t pool, Time now) const {
  Load sum;
  for (const Machine& machine : all_)
    if (machine.pool == pool && machine.replica) sum += machine.replica->load(now);
  return sum;
}

Counters Machines::counters(std::uint32_t pool, Time now) const {
  Counters sum = books_[pool].gone;
  for (const Machine& machine : all_)
    if (machine.pool == pool && machine.replica) sum += machine.replica->counters(now);
  return sum;
}

std::int64_t Machines::waiting(Time now) const {
  std::int64_t sum = 0;
  for (const Machine& machine : all_)
    if (machine.replica) sum += machine.replica->load(now).waiting;
  return sum;
}

double Machines::usd(std::uint32_t pool, Time now) const {
  std::int64_t nano = books_[pool].nano;
  for (const Machine& machine : all_)
    if (machine.pool == pool && machine.replica && machine.paid)
      nano += nano_usd(price(machine), now - machine.paid_from);
  return static_cast<double>(nano) * 1e-9;
}

void Machines::settle(std::uint32_t pool, PoolResult& result) const {
  const Book& book = books_[pool];
  result.counters = book.gone;
  result.most_replicas = book.most;
  result.replica_seconds = book.replica_seconds;
  result.on_demand_seconds = book.on_demand_seconds;
  if (book.priced) {
    result.usd = static_cast<double>(book.nano) * 1e-9;
    result.usd_idle = static_cast<double>(book.nano_idle) * 1e-9;
    result.usd_loading = static_cast<double>(book.nano_loading) * 1e-9;
  }
  if (book.has_watts) result.joules = book.gone.joules + book.idle_joules;
}

}  // namespace portolan::simulation
