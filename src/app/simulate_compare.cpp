#include "app/simulate_compare.hpp"

#include "app/simulate.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"

namespace portolan::app {

std::vector<std::pair<std::string, std::optional<double>>> headline_figures(
    const SimulateResult& result) {
  const simulation::RunResult& run = result.run;
  std::vector<std::pair<std::string, std::optional<double>>> out;
  const auto add = [&](std::string name, std::optional<double> value) {
    out.emplace_back(std::move(name), value);
  };
  const auto count = [](auto n) { return static_cast<double>(n); };
  add("requests_completed", count(run.all.completed));
  add("requests_rejected", count(run.all.rejected));
  add("simulated_seconds", run.simulated_seconds);
  add("requests_per_second", requests_per_second(result));
  add("output_tokens_per_second", run.output_tokens_per_second);
  add("goodput_share", goodput_share(run.all));
  const simulation::Latencies& l = run.all.latency;
  for (const auto& [name, p] :
       {std::pair<const char*, const simulation::Percentiles*>{"ttft_seconds", &l.ttft},
        {"tpot_seconds", &l.tpot},
        {"itl_seconds", &l.itl},
        {"e2e_seconds", &l.e2e},
        {"queue_seconds", &l.queue}}) {
    const bool known = p->count > 0;
    for (const auto& [statistic, value] : {std::pair{"mean", p->mean},
                                           {"p50", p->p50},
                                           {"p90", p->p90},
                                           {"p95", p->p95},
                                           {"p99", p->p99}})
      add(std::string(name) + "." + statistic, known ? std::optional(value) : std::nullopt);
  }
  const KvFigures kv = kv_figures(result);
  add("kv.peak_used", count(kv.peak_used));
  add("kv.preemptions", count(kv.preemptions));
  add("kv.prefix_hit_tokens", count(kv.prefix_hit_tokens));
  add("usd", run.usd);
  add("usd_per_million_output_tokens", usd_per_million_output_tokens(run.all));
  add("energy_joules", run.joules);
  return out;
}

Result<io::Value> read_result(const std::string& path) {
  const std::string file = path == "-" ? "standard input" : path;
  io::Value value = PORTOLAN_TRY(
      io::parse_json(PORTOLAN_TRY(read_file(path)), file, io::DuplicateKeys::kKeepLast));
  const io::Value* command = value.find("command");
  const io::Value* result = value.find("result");
  if (command == nullptr || !command->is_string() || command->string() != "simulate" ||
      result == nullptr || !result->is_object()) {
    Error error{.code = ErrorCode::kInvalidInput,
                .message = quoted(path) + " is no result of a simulation",
                .where = {},
                .why = {},
                .hint = "write one with: portolan simulate … -o json > before.json",
                .also = {}};
    error.where.argument = "--compare";
    return fail(std::move(error));
  }
  return value;
}

Comparison compare_runs(const io::Value& before, const SimulateResult& after) {
  Comparison out;
  for (const auto& [name, value] : headline_figures(after)) {
    const io::Value* at = before.find("result");
    for (std::string_view step : split(name, '.')) {
      if (at != nullptr) at = at->find(step);
    }
    ComparedFigure figure{
        .name = name, .before = {}, .after = value, .difference = {}, .ratio = {}};
    if (at != nullptr && at->is_number()) figure.before = at->number();
    if (figure.before && value) {
      figure.difference = *value - *figure.before;
      if (*figure.before != 0) figure.ratio = *value / *figure.before;
    }
    out.figures.push_back(std::move(figure));
  }
  return out;
}

}  // namespace portolan::app
