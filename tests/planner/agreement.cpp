// A developer's tool: closed form beside simulation over models, accelerators, loads and mixes of
// lengths; errors of the closed form in per cent of the simulation. One line per point, the medians
// and the largest at the end.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/parallel.hpp"
#include "cost/memory.hpp"
#include "planner/trial.hpp"
#include "tests/cost/parts.hpp"

namespace portolan::planner {
namespace {

struct Case {
  std::string name;
  model::Architecture architecture;
  hardware::Accelerator part;
  int tp;
};
struct Mix {
  double input, output, cached;
};

struct Line {
  std::string text;
  std::map<std::string, double> errors;
};

constexpr std::uint64_t kSeeds = 4;

std::vector<Line> lines_of(const Case& c, const Mix& mix) {
  const cost::Engine& engine = cost::default_engine();
  const cost::Machine machine = parts::machine(c.part, 8);
  const cost::Deployment deployment{.tp = c.tp};
  const cost::StepModel step =
      cost::StepModel::compile(c.architecture, machine, deployment, engine).value();
  const serving::Workload work{
      .input_tokens = mix.input, .output_tokens = mix.output, .cached_share = mix.cached};
  const cost::MemoryLimits memory{.utilisation = engine.memory_fraction, .engine = &engine.memory};
  const cost::MemoryLayout layout =
      cost::memory_layout(c.architecture, machine, deployment, memory);
  const serving::EngineLimits limits{
      .kv_sequences = static_cast<double>(cost::max_sequences(c.architecture, layout, deployment,
                                                              serving::mean_tokens_held(work)))};
  std::vector<Line> lines;
  if (limits.kv_sequences < 1) return lines;
  const double most = serving::steady_state(step, work, limits, 1e-6).max_requests_per_second;
  const std::string what =
      fmt::format("{:16} {:5.0f}/{:<4.0f} c{:.1f}", c.name, mix.input, mix.output, mix.cached);
  double capacity = 0;
  std::vector<Trials> trials;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    trials.push_back(Trials::make(c.architecture, step, work, limits, 1, seed).value());
    capacity += trials.back().capacity().value() / kSeeds;
  }
  const auto error = [](double model, double truth) {
    return truth > 0 ? 100 * (model / truth - 1) : 0;
  };
  lines.push_back({fmt::format("{} cap {:.0f}: most {:.3f}/s, simulated {:.3f}, {:+.1f} %", what,
                               limits.batch_cap(), most, capacity, error(most, capacity)),
                   {{"most", error(most, capacity)}}});
  for (const double rho : {0.3, 0.6, 0.8}) {
    const double rate = rho * std::min(most, capacity);
    const serving::SteadyState state = serving::steady_state(step, work, limits, rate);
    double tpot = 0, tpot95 = 0, ttft = 0, ttft95 = 0, queue = 0, batch = 0, prompt = 0, kv = 0;
    double preemptions = 0;
    for (const Trials& one : trials) {
      const Trial t = one.at_rate(rate, state.batch).value();
      const simulation::Latencies& l = t.probe.latency;
      tpot += l.tpot.mean / kSeeds;
      tpot95 += l.tpot.p95 / kSeeds;
      ttft += l.ttft.mean / kSeeds;
      ttft95 += l.ttft.p95 / kSeeds;
      queue += l.queue.mean / kSeeds;
      batch += t.batch / kSeeds;
      prompt += t.prompt_seconds / kSeeds;
      kv += t.kv_share / kSeeds;
      preemptions += t.preemptions / kSeeds;
    }
    const std::map<std::string, double> errors{
        {fmt::format("tpot mean {}", rho), error(state.tpot_mean->raw(), tpot)},
        {fmt::format("tpot p95 {}", rho), error(state.tpot_p95->raw(), tpot95)},
        {fmt::format("ttft mean {}", rho), error(state.ttft_mean->raw(), ttft)},
        {fmt::format("ttft p95 {}", rho), error(state.ttft_p95->raw(), ttft95)}};
    lines.push_back(
        {fmt::format(
             "{} {:.1f} B {:5.1f} ({:5.1f}) tpot {:6.2f} ms {:+5.1f}, p95 {:6.2f} {:+5.1f}; "
             "ttft {:7.1f} {:+6.1f}, p95 {:7.1f} {:+6.1f}; queue {:.1f} prompt {:.1f} kv "
             "{:.2f} preempted {:.3f}",
             what, rho, batch, state.batch, 1e3 * tpot, errors.at(fmt::format("tpot mean {}", rho)),
             1e3 * tpot95, errors.at(fmt::format("tpot p95 {}", rho)), 1e3 * ttft,
             errors.at(fmt::format("ttft mean {}", rho)), 1e3 * ttft95,
             errors.at(fmt::format("ttft p95 {}", rho)), 1e3 * queue, 1e3 * prompt, kv,
             preemptions),
         errors});
  }
  return lines;
}

int print() {
  const std::vector<Case> cases{{"llama-8b h100", parts::llama_8b(), parts::h100(), 1},
                                {"llama-8b l40s", parts::llama_8b(), parts::l40s(), 1},
                                {"llama-70b h100x4", parts::llama_70b(), parts::h100(), 4},
                                {"llama-70b b200x2", parts::llama_70b(), parts::b200(), 2},
                                {"mixtral h100x2", parts::mixtral_8x7b(), parts::h100(), 2},
                                {"mixtral a100x4", parts::mixtral_8x7b(), parts::a100(), 4}};
  const std::vector<Mix> mixes{
      {1000, 300, 0}, {200, 200, 0}, {4000, 100, 0}, {500, 1000, 0}, {2000, 300, 0.5}};
  std::vector<std::vector<Line>> lines(cases.size() * mixes.size());
  const auto start = std::chrono::steady_clock::now();
  parallel_for(lines.size(), 0, [&](std::size_t i) {
    lines[i] = lines_of(cases[i / mixes.size()], mixes[i % mixes.size()]);
  });
  std::map<std::string, std::vector<double>> all;
  for (const std::vector<Line>& group : lines) {
    for (const Line& line : group) {
      fmt::print("{}\n", line.text);
      for (const auto& [key, value] : line.errors) all[key].push_back(value);
    }
  }
  for (auto& [key, values] : all) {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    double mean_ape = 0, worst = 0;
    for (const double v : values) {
      mean_ape += std::abs(v) / static_cast<double>(values.size());
      if (std::abs(v) > std::abs(worst)) worst = v;
    }
    fmt::print("{:14} n {:2}: median {:+5.1f} %, mean size {:4.1f} %, largest {:+6.1f} %\n", key,
               values.size(), sorted[sorted.size() / 2], mean_ape, worst);
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  fmt::print("{:.1f} s\n", wall.count());
  return 0;
}

}  // namespace
}  // namespace portolan::planner

int main() { return portolan::planner::print(); }
