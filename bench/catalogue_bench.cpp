// Opening the embedded catalogue (target: under 5 ms) and asking it.
#include <benchmark/benchmark.h>

#include "market/query.hpp"

namespace {

using namespace portolan;

const market::Catalogue& embedded() {
  static const std::shared_ptr<const market::Catalogue> kCatalogue = *market::Catalogue::embedded();
  return *kCatalogue;
}

void open_embedded(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(market::Catalogue::embedded());
}
BENCHMARK(open_embedded)->Unit(benchmark::kMillisecond);

void select_and_sort(benchmark::State& state) {
  market::OfferQuery query;
  query.gpu = *market::parse_gpu_filter("H100:1..8", embedded().accelerators());
  query.sort = market::OfferSort::kGpuPrice;
  for (auto _ : state) benchmark::DoNotOptimize(market::select_offers(embedded(), query));
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(embedded().offers().size()));
}
BENCHMARK(select_and_sort);

void resolve_name(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(embedded().accelerators().resolve("NVIDIA H100 80GB HBM3"));
  }
}
BENCHMARK(resolve_name);

void as_of(benchmark::State& state) {
  const Date date = *parse_date("2023-04-07");
  for (auto _ : state) benchmark::DoNotOptimize(embedded().as_of(date));
}
BENCHMARK(as_of)->Unit(benchmark::kMillisecond);

}  // namespace
