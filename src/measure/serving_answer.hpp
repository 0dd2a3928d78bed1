// Loads of one measured serving row, answered by the closed form or by a finite run. Inside
// measure/.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/result.hpp"
#include "cost/engine.hpp"
#include "cost/step.hpp"
#include "measure/serving_row.hpp"
#include "measure/serving_rows.hpp"
#include "serving/closed_loop.hpp"
#include "serving/offline.hpp"
#include "serving/steady_state.hpp"

namespace portolan::measure {

/// A run that was predicted step by step, on the engine's clock.
struct PredictedRun {
  double seconds = 0, steps = 0, request_steps = 0;  // of one replica
};

/// Latency of many requests: the mean and enough of its distribution to mix stages.
struct Law {
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0;
  [[nodiscard]] double quantile(double u) const {
    const std::array<std::pair<double, double>, 6> knots = {{{0.0, std::max(0.0, 2 * p50 - p95)},
                                                             {0.5, p50},
                                                             {0.9, p90},
                                                             {0.95, p95},
                                                             {0.99, p99},
                                                             {1.0, p99 + 0.25 * (p99 - p90)}}};
    for (std::size_t i = 1; i < knots.size(); ++i) {
      if (u > knots[i].first) continue;
      const double share = (u - knots[i - 1].first) / (knots[i].first - knots[i - 1].first);
      return knots[i - 1].second + share * (knots[i].second - knots[i - 1].second);
    }
    return knots.back().second;
  }
};

/// All requests of several stages together.
Law mixture(std::span<const std::pair<double, Law>> parts);

/// Latencies (seconds) and rates of one load.
struct Outcome {
  Law ttft, gap, e2e;
  double requests_per_second = 0, output_tokens_per_second = 0;
  std::optional<double> watts;
  PredictedRun run;
};

struct Lengths {
  double input = 0, output = 0;
};
/// Errors say which length the row lacks.
Result<Lengths> lengths_of(const ServingRow& row);

/// Requests of the whole run where the row says so ("500 requests", "requests=725").
std::optional<double> run_requests(const ServingRow& row);

/// Requests of NVIDIA's throughput tables by prompt and output length (TensorRT-LLM
/// docs/source/performance/perf-overview.md, "Preparing a Dataset").
double benchmark_requests(double input, double output);

/// Batch and token limits that trtllm-bench chooses for a data set of fixed lengths (TensorRT-LLM
/// tensorrt_llm/bench/build/tuning.py): what the cache may hold, at most 4,096, and the tokens that
/// keep such a batch fed.
struct BenchLimits {
  double max_sequences = 0, max_batched_tokens = 0;
};
BenchLimits bench_limits(double cache_requests, double input, double output, double pp);

/// What a row that cannot be answered says.
Error unanswered(std::string message);

/// The loads of a row, answered one by one.
class RowAnswer {
 public:
  RowAnswer(const ServingRow& row, const cost::Engine& engine, const cost::StepModel& step,
            const ServingOptions& options, double replicas, Lengths lengths)
      : row_(row),
        engine_(engine),
        step_(step),
        options_(options),
        replicas_(replicas),
        lengths_(lengths) {
    sequences = row.max_num_seqs.value_or(engine.max_num_seqs);
    batched_tokens = row.max_num_batched_tokens.value_or(engine.max_num_batched_tokens);
  }

  double sequences = 0, batched_tokens = 0;
  double whole_requests = 0, mean_requests = 0;  // that the cache holds: of full and of mean length

  [[nodiscard]] Outcome offline(const serving::OfflineJob& job, bool online) const;

  [[nodiscard]] Outcome static_batch(double batch, double outputs) const;

  [[nodiscard]] Outcome closed(double count) const;

  /// The loads above as the serving room takes them, of one replica.
  [[nodiscard]] serving::Workload arrivals() const;
  [[nodiscard]] serving::ClosedLoop clients(double clients) const;
  [[nodiscard]] serving::EngineLimits limits() const {
    return {.max_sequences = sequences,
            .max_batched_tokens = batched_tokens,
            .kv_sequences = mean_requests};
  }

 private:
  [[nodiscard]] double front_seconds() const {
    return engine_.front_end.raw() + engine_.per_prompt_token.raw() * lengths_.input;
  }
  const ServingRow& row_;
  const cost::Engine& engine_;
  const cost::StepModel& step_;
  const ServingOptions& options_;
  const double replicas_;
  const Lengths lengths_;
};

}  // namespace portolan::measure
