// The names of `vllm bench serve --save-result`.
#include <fmt/format.h>

#include "io/text_formats.hpp"
#include "io/value.hpp"
#include "render/simulation_report.hpp"

namespace portolan::render {
namespace {

using io::Value;

void add(Value& out, const char* name, const simulation::Percentiles& p) {
  const auto set = [&](const char* statistic, double seconds) {
    out.set(fmt::format("{}_{}_ms", statistic, name), p.count > 0 ? Value(seconds * 1e3) : Value());
  };
  set("mean", p.mean);
  set("median", p.p50);
  set("p90", p.p90);
  set("p95", p.p95);
  set("p99", p.p99);
}

}  // namespace

std::string bench_json(const app::SimulateAnswer& answer) {
  const simulation::RunResult& run = answer.result.run;
  const double seconds = run.simulated_seconds;
  const auto per_second = [&](double n) { return seconds > 0 ? Value(n / seconds) : Value(); };
  const auto input = static_cast<double>(run.all.input_tokens);
  const auto output = static_cast<double>(run.all.output_tokens);
  Value out{Value::Object{}};
  out.set("backend", answer.result.pools.front().engine);
  out.set("model_id", answer.result.pools.front().model);
  out.set("num_prompts", run.all.offered);
  out.set("request_rate", run.offered_requests_per_second);
  out.set("duration", seconds);
  out.set("completed", run.all.completed + run.all.hosted);
  out.set("failed", run.all.offered - run.all.completed - run.all.hosted);
  out.set("total_input_tokens", run.all.input_tokens);
  out.set("total_output_tokens", run.all.output_tokens);
  out.set("request_throughput", Value(app::requests_per_second(answer.result)));
  const bool targets = run.all.met_ttft || run.all.met_tpot || run.all.met_e2e;
  out.set("request_goodput", targets ? per_second(static_cast<double>(run.all.good)) : Value());
  out.set("output_throughput", per_second(output));
  out.set("total_token_throughput", per_second(input + output));
  const simulation::Latencies& l = run.all.latency;
  add(out, "ttft", l.ttft);
  add(out, "tpot", l.tpot);
  add(out, "itl", l.itl);
  add(out, "e2el", l.e2e);
  return io::write_json(out, true);
}

}  // namespace portolan::render
