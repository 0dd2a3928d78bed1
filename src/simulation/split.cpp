// What machines hand over: requests that are over, and prompts whose outputs are computed
// elsewhere, with the transfer of their cache between the two (serving.md §1.13).
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "simulation/cluster.hpp"

namespace portolan::simulation {

void Cluster::collect(std::uint32_t slot) {
  Machine& machine = machines_[slot];
  const Role role = scenario_->pools[machine.pool].role;
  // Where a request is on two machines, what one hands over can make the other hand over more, and
  // come back here: each list is taken before it is gone through.
  std::vector<Finished> taken;
  if (role != Role::kBoth) taken.swap(machine.replica->finished());
  std::vector<Finished>& done = role != Role::kBoth ? taken : machine.replica->finished();
  for (Finished& finished : done) {
    if (role == Role::kPrompt && finished.handle != 0) {
      send_output(std::move(finished), slot);
      continue;
    }
    if (role == Role::kOutput) forget_prompt(finished.outcome.index);
    finished.outcome.pool = machine.pool;
    finished.outcome.replica = machine.serial;
    if (observers_->request && finished.outcome.scheduled != kNever)
      finished.outcome.usd =
          machines_.usd_of(slot, machine.share.between(finished.outcome.scheduled, now_));
    if (finished.request.ids.capacity() > 0 && spare_ids_.size() < 64)
      spare_ids_.push_back(std::move(finished.request.ids));
    finish(finished.outcome);
  }
  done.clear();
  if (role == Role::kOutput) {
    for (const Replica::Awaiting& awaiting : machine.replica->awaiting())
      begin_transfer(slot, awaiting);
    machine.replica->awaiting().clear();
  }
  if (observers_->request) machine.share.note(now_, machine.replica->load(now_).running);
  machines_.touched(slot);
}

void Cluster::send_output(Finished&& prompt, std::uint32_t slot) {
  const std::uint64_t index = prompt.request.index;
  Group& g = group(prompt.request.model, prompt.request.slo_class);
  const std::vector<std::uint32_t>& candidates = ready(*g.outputs);
  prompt.outcome.output_tokens = prompt.request.output_tokens;
  std::optional<std::uint32_t> to;
  if (!candidates.empty())
    to = router_.choose(prompt.request, candidates, machines_, now_, g.outputs->turn);
  // Neither of the two machines may leave before the cache is over.
  ++machines_[slot].holding;
  ++machines_[to.value_or(slot)].holding;
  splits_[index] = {.slot = slot, .handle = prompt.handle, .to = to.value_or(slot)};
  if (!to || !machines_[*to].replica->submit(std::move(prompt.request), prompt.outcome, now_,
                                             Part::kOutput)) {
    forget_prompt(index);
    over(prompt.outcome, Status::kRejected);
    return;
  }
  // Its blocks may be there already.
  collect(*to);
}

void Cluster::begin_transfer(std::uint32_t slot, const Replica::Awaiting& awaiting) {
  const auto found = splits_.find(awaiting.index);
  PORTOLAN_CHECK(found != splits_.end());
  const Split& split = found->second;
  const std::uint32_t from = machines_[split.slot].pool, to = machines_[slot].pool;
  Wire& wire = wires_[from * scenario_->pools.size() + to];
  const double bytes =
      static_cast<double>(awaiting.tokens) * scenario_->pools[from].engine->kv_bytes_per_token;
  const Time begin = std::min(kLongest, std::max(now_, wire.free));
  const Time end = later(begin, to_seconds(wire.latency) + bytes / wire.bytes_per_second);
  wire.free = end;
  controls_[from].counts.transferred_bytes += bytes;
  controls_[from].counts.transfer_wait_seconds += to_seconds(begin - now_);
  std::uint32_t number = 0;
  if (free_transfers_.empty()) {
    number = static_cast<std::uint32_t>(transfers_.size());
    transfers_.emplace_back();
  } else {
    number = free_transfers_.back();
    free_transfers_.pop_back();
  }
  transfers_[number] = {.index = awaiting.index, .slot = slot, .handle = awaiting.handle};
  plan(end, Timer::Kind::kTransfer, number);
}

void Cluster::end_transfer(std::uint32_t transfer) {
  const Transfer t = transfers_[transfer];
  free_transfers_.push_back(transfer);
  forget_prompt(t.index);
  machines_[t.slot].replica->fetched(t.handle, now_);
  collect(t.slot);
}

void Cluster::forget_prompt(std::uint64_t index) {
  const auto found = splits_.find(index);
  if (found == splits_.end()) return;
  const Split split = found->second;
  splits_.erase(found);
  --machines_[split.slot].holding;
  --machines_[split.to].holding;
  machines_[split.slot].replica->release(split.handle, now_);
  collect(split.slot);
  if (machines_[split.slot].state == MachineState::kDraining) release_if_drained(split.slot);
}

}  // namespace portolan::simulation
