// A developer's tool: the figures of each trace named on the command line, and how long reading it
// takes, for comparison with published ones.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/random.hpp"
#include "simulation/traffic.hpp"

namespace portolan::simulation {
namespace {

// As NumPy's default: linear between order statistics.
double quantile(std::vector<std::int64_t> values, double q) {
  std::ranges::sort(values);
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return static_cast<double>(values[low]) +
         (at - std::floor(at)) * static_cast<double>(values[high] - values[low]);
}

int print(const std::string& path) {
  const auto fail = [](const Error& error) {
    fmt::print(stderr, "{}", format_error(error));
    return 1;
  };
  std::vector<double> seconds;
  for (int run = 0; run < 5; ++run) {
    const std::clock_t start = std::clock();
    auto source = open_trace({.path = path});
    if (!source) return fail(source.error());
    Request request;
    while (true) {
      const Result<bool> more = (*source)->next(request);
      if (!more) return fail(more.error());
      if (!*more) break;
    }
    seconds.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::ranges::sort(seconds);

  auto source = open_trace({.path = path});
  if (!source) return fail(source.error());
  Request request;
  std::vector<std::int64_t> in, out;
  std::vector<double> gaps;
  Time first = 0, last = 0;
  std::int64_t sum_in = 0, sum_out = 0, full_hits = 0, all_hits = 0, ids = 0;
  std::unordered_set<std::uint64_t> names, prefixes, distinct;
  while (*(*source)->next(request)) {
    if (in.empty()) first = request.arrival;
    if (!in.empty()) gaps.push_back(to_seconds(request.arrival - last));
    last = request.arrival;
    in.push_back(request.input_tokens);
    out.push_back(request.output_tokens);
    sum_in += request.input_tokens;
    sum_out += request.output_tokens;
    ids += static_cast<std::int64_t>(request.ids.size());
    // An infinite cache, filled on arrival. A last partial id hits in sub-blocks of 16 tokens, of
    // which the prompt's last one does not count when it would leave nothing to compute.
    std::uint64_t key = 0;
    bool hitting = true;
    std::int64_t at = 0;
    for (const std::uint64_t id : request.ids) {
      const std::int64_t run = std::min<std::int64_t>(request.id_tokens, request.input_tokens - at);
      key = mix_bits(key ^ mix_bits(id));
      distinct.insert(id);
      const bool full = run == request.id_tokens;
      const std::uint64_t name = full ? key : mix_bits(key ^ 1);
      hitting = hitting && (prefixes.contains(name) || (!full && prefixes.contains(key)));
      if (hitting && full) full_hits += run;
      at += run;
      if (hitting) all_hits += (run - (at == request.input_tokens ? 1 : 0)) / 16 * 16;
      prefixes.insert(name);
    }
  }
  double mean = 0, square = 0;
  for (const double gap : gaps) mean += gap;
  mean /= static_cast<double>(std::max<std::size_t>(gaps.size(), 1));
  for (const double gap : gaps) square += (gap - mean) * (gap - mean);
  const double cv =
      std::sqrt(square / static_cast<double>(std::max<std::size_t>(gaps.size(), 1))) / mean;
  const auto rows = static_cast<double>(in.size());
  fmt::print(
      "{}\n  rows {} skipped {} span {:.3f} s last {:.3f} s sum in {} out {}\n"
      "  mean {:.2f} / {:.2f} p50 {} / {} p99 in {} max {} / {} gap cv {:.4g}\n"
      "  ids {} distinct {} hits full {} all {}\n  read in {:.1f} ms of CPU (median of 5)\n",
      path, in.size(), (*source)->skipped(), to_seconds(last - first), to_seconds(last), sum_in,
      sum_out, static_cast<double>(sum_in) / rows, static_cast<double>(sum_out) / rows,
      quantile(in, 0.5), quantile(out, 0.5), quantile(in, 0.99), std::ranges::max(in),
      std::ranges::max(out), cv, ids, distinct.size(), full_hits, all_hits, 1e3 * seconds[2]);
  return 0;
}

}  // namespace
}  // namespace portolan::simulation

int main(int count, char** arguments) {
  int failed = 0;
  for (int i = 1; i < count; ++i) failed |= portolan::simulation::print(arguments[i]);
  return failed;
}
