// `estimate`: FLOPs, memory, time, energy and cost of one model, the rule of thumb beside the
// operator-level model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "cost/memory.hpp"
#include "cost/step.hpp"
#include "model/count.hpp"
#include "training/rules.hpp"
#include "training/run.hpp"

namespace portolan::app {

struct EstimateRequest {
  std::string model;
  std::optional<double> tokens, input, output, training_tokens, context, characters;
  std::optional<std::string> dtype, kv_dtype, gpu;
  double batch = 1;
  std::optional<std::int64_t> count, tp, pp, ep;
  std::optional<UsdRate> price;    // per accelerator-hour
  std::optional<double> mfu;       // of the training rule
  double utilisation = 1;          // share of paid time that does work
  std::optional<double> sequence;  // training sample length
  std::optional<Bytes> memory;     // with max_params: of one card
  bool max_params = false;
  bool explain = false;
};
Result<EstimateRequest> read_estimate(const io::Value& request);

/// 2np and 6pD, with p the published count.
struct RuleOfThumb {
  double parameters = 0, active_parameters = 0;  // memory follows all of them, FLOP the active ones
  double tokens = 0;                             // processed
  Flop forward{0}, training_per_token{0};
  std::optional<Flop> training;
  Bytes weights{0}, training_memory{0}, training_memory_article{0};
  std::optional<Seconds> ideal_forward;          // at the datasheet peak, all accelerators
  std::optional<Seconds> weight_read_per_token;  // batch-1 decode: weights over datasheet bandwidth
  std::optional<Seconds> training_time;          // at `mfu`
  std::optional<Usd> training_cost, cost_per_1000_tokens;
  std::optional<double> accelerator_hours;
  double mfu = 0;
};

struct OperatorFigures {
  Flop prefill{0}, decode_per_token{0}, training_per_token{0};
};

struct OnHardware {
  const hardware::Accelerator* accelerator = nullptr;
  std::int64_t count = 1;
  cost::Deployment deployment;
  bool fits = false;
  Bytes memory_per_accelerator{0}, usable_per_accelerator{0};
  std::int64_t minimum_accelerators =
      0;  // smallest legal layout that holds the weights and the batch; 0 = none up to 1,024
  std::int64_t largest_context = 0, largest_batch = 0;
  bool context_unbounded = false;  // windowed or recurrent throughout: the cache stops growing
  bool batch_unbounded = false;    // nothing is kept per sequence, as in an encoder
  std::optional<Seconds> prefill, decode_per_token;
  cost::Bound prefill_bound = cost::Bound::kCompute, decode_bound = cost::Bound::kMemory;
  std::optional<double> output_tokens_per_second;
  std::optional<Joules> joules_per_output_token;
  std::optional<UsdRate> price;                        // per accelerator
  std::string price_origin, price_source, price_date;  // which offer, who says so, since when
  std::optional<double> usd_per_million_input, usd_per_million_output;
  std::optional<Seconds> training_time;
  std::optional<Usd> training_cost;
  std::optional<training::Strategy> training_strategy;
  std::optional<training::RunEstimate> training_estimate;
  std::string training_basis;  // "operator model", "rule of thumb at MFU 0.375"
  cost::Tier tier = cost::Tier::kDatasheet;
  double interval_low = 1, interval_high = 1;            // factors on the times, 80 %
  std::vector<cost::StepModel::OperatorTime> breakdown;  // of one decode step, with explain
};

/// One accelerator that could hold the model: how many are needed and the cheapest price for that.
struct FittingAccelerator {
  const hardware::Accelerator* accelerator = nullptr;
  std::int64_t accelerators = 0;
  Bytes memory_per_accelerator{0};
  std::optional<Money> usd_per_hour;  // cheapest accepted on-demand instance(s) with that many
  std::string provider;
};

struct EstimateResult {
  model::Model model;
  model::ParameterCount parameters;
  std::string dtype, kv_dtype;
  double prompt_tokens = 0, output_tokens = 0, context_tokens = 0, batch = 1;
  RuleOfThumb rule;
  OperatorFigures operators;
  cost::InstanceMemory memory;
  Bytes kv_per_token{0};
  std::optional<OnHardware> on;
  std::vector<FittingAccelerator> fits;            // fewest accelerators first
  std::vector<training::TrainableSize> trainable;  // with max_params
};

struct EstimateAnswer {
  EstimateResult result;
  Envelope envelope;
};
Result<EstimateAnswer> estimate(const EstimateRequest& request, const Context& context);

}  // namespace portolan::app
