// Engines and a driver for tests of the scheduler.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "simulation/replica.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::simulation::testing {

inline cost::StepModel step_of(const cost::Engine& engine,
                               const cost::Deployment& deployment = {}) {
  return cost::StepModel::compile(parts::llama_8b(), parts::machine(parts::h100(), 8), deployment,
                                  engine)
      .value();
}

/// An engine without overheads outside of its steps, with plenty of memory.
inline EngineModel plain_engine(const char* name = "vllm-0.19") {
  const cost::Engine& engine = *cost::find_engine(name);
  EngineModel model;
  model.prefill = engine.prefill;
  model.async_scheduling = false;
  model.reserve_full_prompt = engine.reserves_full_prompt;
  model.reserves_outputs = engine.reserves_outputs;
  model.kv_blocks = 10'000;
  model.max_batched_tokens = 2048;
  model.cost = std::make_shared<StepCost>(step_of(engine), 1, 0);
  return model;
}

inline Request request(std::uint64_t index, double seconds, std::int64_t input,
                       std::int64_t output) {
  Request r;
  r.index = index;
  r.arrival = from_seconds(seconds);
  r.input_tokens = input;
  r.output_tokens = output;
  return r;
}

struct Driven {
  std::vector<Outcome> outcomes;  // by index
  std::vector<Segment> segments;
  Counters counters;
  Sketch itl{true};
  std::vector<std::uint64_t> rejected;
  Time end = 0;
};

/// Runs requests (in order of arrival) through one replica to the end.
inline Driven drive(const EngineModel& engine, std::vector<Request> requests,
                    std::uint64_t seed = 1) {
  Driven out;
  Replica replica(std::make_shared<EngineModel>(engine), 0, seed, out.itl);
  replica.watch([&](const Segment& s) { out.segments.push_back(s); });
  const auto collect = [&] {
    for (Finished& f : replica.finished()) out.outcomes.push_back(f.outcome);
    replica.finished().clear();
  };
  const auto until = [&](Time time) {
    while (replica.next_event() < time) {
      out.end = replica.next_event();
      replica.advance(out.end);
      collect();
    }
  };
  for (Request& r : requests) {
    until(r.arrival);
    Outcome outcome;
    outcome.index = r.index;
    outcome.arrival = r.arrival;
    outcome.input_tokens = r.input_tokens;
    const Time now = r.arrival;
    const std::uint64_t index = r.index;
    if (!replica.submit(std::move(r), outcome, now)) out.rejected.push_back(index);
  }
  until(kNever);
  out.counters = replica.counters(out.end);
  std::sort(out.outcomes.begin(), out.outcomes.end(),
            [](const Outcome& a, const Outcome& b) { return a.index < b.index; });
  return out;
}

}  // namespace portolan::simulation::testing
