#include "measure/serving_answer.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "serving/closed_loop.hpp"
#include "serving/steady_state.hpp"

namespace portolan::measure {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Law law_of(const serving::Spread& s, double shift) {
  return {s.mean + shift, s.p50 + shift, s.p90 + shift, s.p95 + shift, s.p99 + shift};
}

}  // namespace

Error unanswered(std::string message) {
  return Error{.code = ErrorCode::kInfeasible,
               .message = std::move(message),
               .where = {},
               .why = {},
               .hint = {},
               .also = {}};
}

Law mixture(std::span<const std::pair<double, Law>> parts) {
  constexpr int kSamples = 200;
  std::vector<std::pair<double, double>> samples;
  double total = 0, mean = 0;
  for (const auto& [weight, law] : parts) {
    total += weight;
    mean += weight * law.mean;
    for (int i = 0; i < kSamples; ++i)
      samples.emplace_back(law.quantile((i + 0.5) / kSamples), weight / kSamples);
  }
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double q) {
    double below = 0;
    for (const auto& [value, weight] : samples) {
      below += weight;
      if (below >= q * total) return value;
    }
    return samples.back().first;
  };
  return {mean / total, at(0.5), at(0.9), at(0.95), at(0.99)};
}

Result<Lengths> lengths_of(const ServingRow& row) {
  Lengths lengths;
  const std::optional<double> output = row.effective_outputs();
  if (!row.input_tokens || *row.input_tokens < 1)
    return fail(unanswered("no prompt length in the row"));
  lengths.input = *row.input_tokens;
  if (output && *output >= 1) {
    lengths.output = *output;
  } else if (const auto stated = number_before(row.notes_text, " out per")) {
    lengths.output = *stated;  // "1024 in / 1024 out per …"
  } else {
    return fail(unanswered("no output length in the row"));
  }
  return lengths;
}

std::optional<double> run_requests(const ServingRow& row) {
  if (const auto noted = row.note_number("requests"); noted && *noted >= 1) return noted;
  if (const auto stated = number_before(row.scenario, "requests"); stated && *stated >= 1)
    return stated;
  return std::nullopt;
}

double benchmark_requests(double input, double output) {
  struct Run {
    double input, output, requests;
  };
  constexpr std::array kRuns = {
      Run{128, 128, 30000},   Run{128, 2048, 3000},   Run{128, 4096, 1500},
      Run{1000, 2000, 1500},  Run{2048, 128, 3000},   Run{2048, 2048, 1500},
      Run{5000, 500, 1500},   Run{1000, 1000, 3000},  Run{500, 2000, 3000},
      Run{20000, 2000, 1000}, Run{1024, 1024, 3000},  Run{8192, 1024, 1500},
      Run{1024, 8192, 1500},  Run{32768, 1024, 1000}, Run{1024, 32768, 1000},
      Run{100000, 1024, 300}};
  for (const Run& run : kRuns) {
    if (run.input == input && run.output == output) return run.requests;
  }
  // Another length: as many as the table gives to one of the same size.
  const double tokens = input + output;
  return tokens <= 512 ? 30000 : tokens <= 2500 ? 3000 : tokens <= 10000 ? 1500 : 1000;
}

BenchLimits bench_limits(double cache_requests, double input, double output, double pp) {
  const auto up = [](double x, double step) { return step * std::ceil(x / step); };
  const double batch = std::min(cache_requests, 4096.0) / pp;
  const double tokens = std::min(batch * (1.0 + input / output), 32768.0);
  BenchLimits limits;
  limits.max_sequences =
      pp * (batch < 256 ? std::max(64.0, up(batch, 32)) : up(batch, batch < 1024 ? 128 : 256));
  limits.max_batched_tokens =
      tokens < 4096 ? std::max(2048.0, up(tokens, 256)) : up(tokens, tokens < 8192 ? 512 : 1024);
  return limits;
}

Outcome RowAnswer::offline(const serving::OfflineJob& job, bool online) const {
  const serving::OfflineRun run = *serving::offline_run(step_, job,
                                                        {.max_sequences = sequences,
                                                         .max_batched_tokens = batched_tokens,
                                                         .whole_sequences = whole_requests});
  const double front = online ? front_seconds() : 0.0;
  const double token = online ? engine_.per_output_token.raw() : 0.0;
  const double after = online ? engine_.after_decode.raw() : 0.0;
  Outcome outcome;
  outcome.ttft = law_of(run.ttft, front);
  outcome.gap = law_of(run.tpot, token);
  outcome.e2e = law_of(run.e2e, front + after + token * std::max(0.0, job.output_tokens - 1.0));
  outcome.output_tokens_per_second = replicas_ * run.output_tokens_per_second;
  outcome.requests_per_second = outcome.output_tokens_per_second / job.output_tokens;
  if (run.energy) outcome.watts = replicas_ * run.energy->raw() / run.makespan.raw();
  outcome.run = {run.makespan.raw(), run.steps, run.request_steps};
  return outcome;
}

Outcome RowAnswer::static_batch(double batch, double outputs) const {
  serving::OfflineJob job{
      .requests = batch, .input_tokens = lengths_.input, .output_tokens = outputs};
  Outcome outcome = offline(job, false);
  // The clock of a batch stops when its last request is done.
  const double makespan = batch * outputs * replicas_ / outcome.output_tokens_per_second;
  outcome.e2e = {makespan, makespan, makespan, makespan, makespan};
  return outcome;
}

serving::Workload RowAnswer::arrivals() const {
  const bool shared_prompts = contains(row_.notes_text, "shared system prompts");
  const bool trace = contains(to_lower(row_.scenario), "trace");
  return {.input_tokens = lengths_.input + engine_.chat_template_tokens,
          .output_tokens = lengths_.output,
          .cached_share = shared_prompts ? options_.cached_share : 0.0,
          .input_cv2 = trace ? 1.0 : 0.0,
          .output_cv2 = trace ? 1.0 : 0.0};
}

serving::ClosedLoop RowAnswer::clients(double clients) const {
  // Lengths that are all the same still end a little apart: clients are seen to fall out of step.
  constexpr double kSpread = 0.05;
  return {.clients = clients / replicas_,
          .requests = std::min(1e5, run_requests(row_).value_or(0.0) / replicas_),
          .input_tokens = lengths_.input,
          .output_tokens = lengths_.output,
          .shortest = std::clamp(row_.note_number("shortest").value_or(1.0 - kSpread), 0.01, 1.0),
          .longest = std::clamp(row_.note_number("longest").value_or(1.0 + kSpread), 1.0, 100.0)};
}

Outcome RowAnswer::closed(double count) const {
  const serving::ClosedLoopResult run = serving::closed_loop(step_, clients(count), limits());
  const auto level = [](Seconds mean) {
    return Law{mean.raw(), mean.raw(), mean.raw(), mean.raw(), mean.raw()};
  };
  Outcome outcome;
  outcome.ttft = level(run.ttft_mean);
  outcome.gap = level(run.tpot_mean);
  outcome.e2e = level(run.e2e_mean);
  outcome.output_tokens_per_second = replicas_ * run.output_tokens_per_second;
  outcome.requests_per_second = outcome.output_tokens_per_second / lengths_.output;
  return outcome;
}

}  // namespace portolan::measure
