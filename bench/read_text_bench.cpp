// How fast the readers of text are: a price list of two megabytes, a job file.
#include <benchmark/benchmark.h>

#include <string>

#include "io/text_formats.hpp"

namespace {

using namespace portolan;

std::string price_list() {
  std::string text = "{";
  for (int i = 0; i < 12'000; ++i) {
    text += "\"model-" + std::to_string(i) +
            "\": {\"input_cost_per_token\": 1.5e-06, \"output_cost_per_token\": 2.25e-06, "
            "\"provider\": \"somewhere\", \"max_tokens\": 131072, \"supports\": [\"a\", \"b\"], "
            "\"deprecated\": null, \"vision\": true},\n";
  }
  text.erase(text.size() - 2);
  return text + '}';
}

void JsonPriceList(benchmark::State& state) {
  const std::string text = price_list();
  for (auto _ : state) {
    benchmark::DoNotOptimize(io::parse_json(text, "prices.json", io::DuplicateKeys::kRefuse));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(JsonPriceList)->Unit(benchmark::kMillisecond);

void JsonPriceListMemberByMember(benchmark::State& state) {
  const std::string text = price_list();
  for (auto _ : state) {
    const auto take = [](std::string_view, io::Value value) -> Result<void> {
      benchmark::DoNotOptimize(value);
      return {};
    };
    benchmark::DoNotOptimize(io::each_json_member(text, "prices.json", {}, take));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(JsonPriceListMemberByMember)->Unit(benchmark::kMillisecond);

void YamlJob(benchmark::State& state) {
  const std::string text =
      "job: serve\nmodel: meta-llama/Llama-3.1-70B-Instruct\n"
      "traffic: {requests_per_second: 5, input_tokens: 1000, output_tokens: 300}\n"
      "slo: {ttft_p95: 1s, tpot_p95: 50ms}\nprecision: [bf16, fp8]\n"
      "where:\n  providers: [aws, lambda]\n  regions: [\"us-*\"]\n  max_usd_per_hour: 100\n";
  for (auto _ : state) benchmark::DoNotOptimize(io::parse_yaml(text, "job.yaml"));
}
BENCHMARK(YamlJob)->Unit(benchmark::kMicrosecond);

}  // namespace
