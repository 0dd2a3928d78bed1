// What the KV cache costs per request (target: under 1 µs a call): prompts as in the Mooncake
// conversation trace, 24 runs of 512 tokens of which a good third were there before, in a cache
// that has room for a few hundred of them. items_per_second counts requests.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/random.hpp"
#include "simulation/kv_pool.hpp"
#include "simulation/sketch.hpp"

namespace portolan::simulation {
namespace {

constexpr std::int64_t kPromptTokens = 12'035, kOutputTokens = 343;
constexpr std::size_t kIds = 24;

/// Conversations whose prompts begin with the prompt before: about 37 % of ids are not new.
std::vector<std::vector<std::uint64_t>> prompts() {
  const RandomStream random(1, 0);
  std::vector<std::vector<std::uint64_t>> all(10'000);
  std::uint64_t name = 1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = {0};  // the system prompt of all
    if (i > 100 && random.uniform(2 * i) < 0.6) {
      const auto& before = all[i - 1 - random.below(2 * i + 1, 100)];
      all[i].assign(before.begin(), before.begin() + 14);
    }
    while (all[i].size() < kIds) all[i].push_back(name++);
  }
  return all;
}

/// A request's whole way: looked up, admitted, computed in two chunks, decoded, given back; sixteen
/// of them at a time.
void request(benchmark::State& state) {
  const auto block_tokens = static_cast<std::int32_t>(state.range(0));
  KvPool pool(4'000'000 / block_tokens, block_tokens, true);
  const auto texts = prompts();
  struct Guest {
    KvPool::Holding holding;
    Content content;
  };
  std::vector<Guest> guests(16);
  std::uint64_t index = 0;
  std::int64_t found = 0;
  for (auto _ : state) {
    Guest& guest = guests[index % guests.size()];
    if (guest.holding.owned > 0) {
      pool.grow(guest.holding, (kPromptTokens + kOutputTokens) / block_tokens + 1);
      pool.index(guest.holding, guest.content, kPromptTokens + kOutputTokens);
      pool.release(guest.holding);
    }
    guest.content = {.ids = texts[index % texts.size()],
                     .id_tokens = 512,
                     .owner = index,
                     .named_tokens = kPromptTokens};
    const auto hit = pool.find(guest.content, (kPromptTokens - 1) / block_tokens);
    pool.take(guest.holding, guest.content, hit);
    found += hit.blocks * block_tokens;
    pool.grow(guest.holding, kPromptTokens / block_tokens + 1);
    pool.index(guest.holding, guest.content, kPromptTokens / 2);
    pool.index(guest.holding, guest.content, kPromptTokens);
    ++index;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["hits"] =
      static_cast<double>(found) / static_cast<double>(kPromptTokens * state.iterations());
}
BENCHMARK(request)->ArgName("block")->Arg(16)->Arg(512);

void find(benchmark::State& state) {
  const auto block_tokens = static_cast<std::int32_t>(state.range(0));
  const auto texts = prompts();
  KvPool pool(std::int64_t{1} << 32, block_tokens, true);
  for (const auto& ids : texts) {
    const Content content{.ids = ids, .id_tokens = 512};
    KvPool::Holding holding;
    pool.take(holding, content, pool.find(content, kPromptTokens / block_tokens));
    pool.grow(holding, kPromptTokens / block_tokens);
    pool.index(holding, content, kPromptTokens);
    pool.release(holding);
  }
  std::size_t index = 0;
  for (auto _ : state) {
    const Content content{.ids = texts[index], .id_tokens = 512};
    benchmark::DoNotOptimize(pool.find(content, kPromptTokens / block_tokens));
    index = index + 1 < texts.size() ? index + 1 : 0;
  }
}
BENCHMARK(find)->ArgName("block")->Arg(16)->Arg(512);

/// A run of decode steps whose gaps grow from 20 to 24 ms, and one value.
void sketch_run(benchmark::State& state) {
  Sketch sketch;
  for (auto _ : state) {
    sketch.add_run(20'000'000'000, 4'000'000'000 / state.range(0),
                   static_cast<std::uint64_t>(state.range(0)), 64);
  }
}
BENCHMARK(sketch_run)->ArgName("steps")->Arg(10)->Arg(1000);
void sketch_add(benchmark::State& state) {
  Sketch sketch;
  Time value = 1;
  for (auto _ : state) {
    value = value * 5 % 999'999'999'989;
    sketch.add(value);
  }
}
BENCHMARK(sketch_add);

}  // namespace
}  // namespace portolan::simulation
