#include "app/estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/estimate_explain.hpp"
#include "app/reference_machine.hpp"
#include "app/request.hpp"
#include "base/check.hpp"
#include "base/text.hpp"
#include "model/numeric_format.hpp"
#include "training/rules.hpp"

namespace portolan::app {
namespace {

constexpr std::int64_t kLargestListed = 16;  // `fits` lists what one would rent for one replica
constexpr double kArticleTokens = 1024;      // R5, R6: the reference article's prompt

/// contract.md: 4 bytes per element for fp32 weights, 2 for any other.
std::string default_kv_dtype(model::Format weights) {
  return weights == model::Format::kFp32 ? "fp32" : "bf16";
}

/// Layouts `estimate` considers when it looks for the smallest number of accelerators: tensor
/// parallel inside the node, pipeline beyond.
cost::Deployment layout_of(std::int64_t accelerators, std::int64_t node,
                           const EstimateResult& result, const std::optional<std::string>& dtype,
                           model::Format format, double kv_bytes) {
  cost::Deployment deployment;
  deployment.tp = static_cast<int>(std::min(accelerators, node));
  deployment.pp = static_cast<int>(accelerators / deployment.tp);
  deployment.weights = dtype ? format : result.model.architecture.weights;
  deployment.own_format = !dtype;
  deployment.kv_bytes_per_element = kv_bytes;
  return deployment;
}

struct Setting {
  model::Format format{};
  bool own_format = true;
  double kv_bytes = 2;
  cost::MemoryLimits limits;
};

/// Fewest accelerators (a power of two up to 1,024) that hold weights, activations and `batch`
/// sequences of `context` tokens.
std::int64_t minimum_accelerators(const EstimateResult& result,
                                  const hardware::Accelerator& accelerator, const Setting& setting,
                                  Bytes* per_accelerator) {
  const std::int64_t layers = std::max<std::int64_t>(1, result.model.architecture.layer_count());
  for (std::int64_t n = 1; n <= 1024; n *= 2) {
    const hardware::Node node = reference_node(accelerator, n);
    const auto machine = cost::make_machine(node);
    if (!machine) return 0;
    const std::int64_t in_node = std::min<std::int64_t>(node.count, 8);
    cost::Deployment deployment;
    deployment.tp = static_cast<int>(std::min(n, in_node));
    deployment.pp = static_cast<int>(n / deployment.tp);
    if (deployment.pp > layers) return 0;
    deployment.weights = setting.format;
    deployment.own_format = setting.own_format;
    deployment.kv_bytes_per_element = setting.kv_bytes;
    const cost::MemoryLayout layout =
        cost::memory_layout(result.model.architecture, *machine, deployment, setting.limits);
    const Bytes sequences =
        cost::sequence_bytes(result.model.architecture, deployment, result.context_tokens) *
        result.batch;
    if (layout.fixed() + sequences <= layout.capacity) {
      if (per_accelerator != nullptr) *per_accelerator = layout.fixed() + sequences;
      return n;
    }
  }
  return 0;
}

/// The engine's buffers grow with the sequences it may run, so the batch that fits is where the
/// room left by the buffers of a batch holds that batch.
std::int64_t largest_batch(const EstimateResult& result, const cost::Machine& machine,
                           const cost::Deployment& deployment, cost::MemoryLimits limits) {
  const model::Architecture& architecture = result.model.architecture;
  const double tokens = std::min(result.prompt_tokens, 8192.0);
  const auto room = [&](std::int64_t batch) {
    limits.max_sequences = static_cast<double>(batch);
    limits.max_batched_tokens = std::max(limits.max_sequences, tokens);
    const cost::MemoryLayout layout =
        cost::memory_layout(architecture, machine, deployment, limits);
    return cost::max_sequences(architecture, layout, deployment, result.context_tokens);
  };
  std::int64_t low = 0, high = room(1);  // low fits, above high nothing does
  if (high >= cost::kUnlimitedSequences) return high;
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (room(middle) >= middle) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

void fill_fits(EstimateResult& result, const Context& context, const Setting& setting) {
  for (const hardware::Accelerator& accelerator : context.catalogue().accelerators().all()) {
    if (accelerator.is_cpu || accelerator.announced || !accelerator.planned) continue;
    FittingAccelerator row;
    row.accelerator = &accelerator;
    row.accelerators =
        minimum_accelerators(result, accelerator, setting, &row.memory_per_accelerator);
    if (row.accelerators == 0 || row.accelerators > kLargestListed) continue;
    const Priced price =
        cheapest_accelerator_hour(context.catalogue(), accelerator, row.accelerators);
    if (price.offer != nullptr) {
      // Instances are rented whole: a machine with more accelerators than needed costs its full
      // price.
      const double per_instance = price.offer->count;
      const auto instances = static_cast<std::int64_t>(
          std::ceil(static_cast<double>(row.accelerators) / per_instance - 1e-9));
      row.usd_per_hour =
          checked_multiply(*price.offer->usd_per_hour, std::max<std::int64_t>(1, instances));
      row.provider = price.offer->provider;
    }
    result.fits.push_back(row);
  }
  std::sort(result.fits.begin(), result.fits.end(), [](const auto& a, const auto& b) {
    if (a.usd_per_hour.has_value() != b.usd_per_hour.has_value()) return a.usd_per_hour.has_value();
    if (a.usd_per_hour && *a.usd_per_hour != *b.usd_per_hour)
      return *a.usd_per_hour < *b.usd_per_hour;
    if (a.accelerators != b.accelerators) return a.accelerators < b.accelerators;
    return a.accelerator->id < b.accelerator->id;
  });
}

/// Which datasheet rate the arithmetic of a format is measured against.
hardware::Rate rate_of(model::Compute compute) {
  switch (compute) {
    case model::Compute::kFp32:
      return hardware::Rate::kFp32;
    case model::Compute::kTf32:
      return hardware::Rate::kTf32;
    case model::Compute::kBf16:
      return hardware::Rate::kBf16;
    case model::Compute::kFp8:
      return hardware::Rate::kFp8;
    case model::Compute::kFp4:
      return hardware::Rate::kFp4;
    case model::Compute::kInt8:
      return hardware::Rate::kInt8;
  }
  return hardware::Rate::kBf16;
}

std::optional<FlopPerSecond> datasheet_peak(const hardware::Accelerator& accelerator,
                                            model::Compute compute) {
  std::optional<FlopPerSecond> peak = accelerator.peak_of(rate_of(compute));
  if (!peak && compute == model::Compute::kBf16) peak = accelerator.peak_of(hardware::Rate::kFp16);
  if (!peak && compute == model::Compute::kBf16) peak = accelerator.peak_of(hardware::Rate::kFp32);
  return peak;
}

void fill_rule(EstimateResult& result, const EstimateRequest& request, const Setting& setting) {
  RuleOfThumb& rule = result.rule;
  const double p = result.model.parameters_for_rule();
  const double n = request.input || request.output
                       ? request.input.value_or(0) + request.output.value_or(0)
                       : result.prompt_tokens;
  // "active" where the model has experts: FLOPs follow the parameters a token touches, memory all
  // of them.
  const double active =
      result.parameters.active < result.parameters.total && result.parameters.total > 0
          ? p * static_cast<double>(result.parameters.active) /
                static_cast<double>(result.parameters.total)
          : p;
  const double flop_parameters = result.model.published_active_parameters.value_or(active);
  rule.parameters = p;
  rule.active_parameters = flop_parameters;
  rule.tokens = n;
  rule.forward = training::rule_forward(flop_parameters, n);
  rule.training_per_token = training::rule_training(flop_parameters, 1);
  if (request.training_tokens)
    rule.training = training::rule_training(flop_parameters, *request.training_tokens);
  double bytes_per_weight = model::nominal_bytes_per_weight(setting.format);
  if (const auto exact = result.model.architecture.exact_weight_bytes;
      setting.format == model::Format::kExact && exact && result.parameters.total > 0) {
    // A file of mixed formats: the mean of its tensors.
    bytes_per_weight = static_cast<double>(*exact) / static_cast<double>(result.parameters.total);
  }
  rule.weights = Bytes(p * bytes_per_weight);
  rule.training_memory =
      Bytes(p * training::state_bytes_per_parameter(training::Optimizer::kAdamMixed));
  rule.training_memory_article = Bytes(p * training::kArticleBytesPerParameter);
  rule.mfu = request.mfu.value_or(training::kMedianPublishedMfu);
}

void fill_rule_on(EstimateResult& result, const OnHardware& on, const EstimateRequest& request,
                  const Setting& setting) {
  RuleOfThumb& rule = result.rule;
  const auto peak = datasheet_peak(*on.accelerator, model::compute_of(setting.format));
  const auto count = static_cast<double>(on.count);
  if (peak) rule.ideal_forward = rule.forward / (*peak * count);
  if (on.accelerator->bandwidth.raw() > 0) {
    rule.weight_read_per_token = rule.weights / (on.accelerator->bandwidth * count);
  }
  if (on.price && rule.ideal_forward) {
    if (rule.tokens > 0) {
      rule.cost_per_1000_tokens =
          *rule.ideal_forward * (*on.price * count) * (1000.0 / rule.tokens) / request.utilisation;
    }
  }
  if (rule.training && peak) {
    rule.training_time = *rule.training / (*peak * rule.mfu * count);
    rule.accelerator_hours = rule.training_time->in(kHour)*count;
    if (on.price) rule.training_cost = *rule.training_time * (*on.price * count);
  }
}

/// 4M tokens as large runs use; a cluster of thousands needs at least a thousand tokens for each
/// accelerator to be busy.
double global_batch_tokens(double sequence, std::int64_t accelerators) {
  return std::max({sequence, 4e6, 1024.0 * static_cast<double>(accelerators)});
}

void fill_training(EstimateAnswer& answer, OnHardware& on, const EstimateRequest& request,
                   const cost::Machine& machine, const Setting& setting) {
  if (!request.training_tokens) return;
  EstimateResult& result = answer.result;
  training::Job job;
  job.tokens = *request.training_tokens;
  const auto maximum = static_cast<double>(result.model.architecture.max_position);
  job.sequence = request.sequence.value_or(std::min(8192.0, maximum > 0 ? maximum : 2048.0));
  job.global_batch_tokens = global_batch_tokens(job.sequence, on.count);
  answer.envelope.assume("global_batch_tokens", job.global_batch_tokens, "default",
                         "global_batch_tokens: of a plan's job file");
  if (model::compute_of(setting.format) == model::Compute::kFp8) job.compute = model::Compute::kFp8;
  const bool operator_level =
      !request.mfu && result.model.architecture.coverage != model::Coverage::kParameterCount &&
      on.count % machine.node.count == 0;
  if (operator_level) {
    const auto trainer = training::Trainer::compile(result.model.architecture, machine, job);
    if (trainer) {
      const auto found = trainer->search(on.count / machine.node.count);
      if (found.best && found.estimate) {
        on.training_strategy = found.best;
        on.training_estimate = found.estimate;
        on.training_time = found.estimate->duration;
        on.training_basis = "operator model, best strategy that fits";
      } else {
        answer.envelope.warnings.push_back("training does not fit: " +
                                           training::nearest_miss(found));
      }
    }
  }
  if (!on.training_time && result.rule.training_time) {
    on.training_time = result.rule.training_time;
    on.training_basis = fmt::format("rule of thumb at MFU {}", shortest(result.rule.mfu));
  }
  if (on.training_time && on.price) {
    on.training_cost = *on.training_time * (*on.price * static_cast<double>(on.count));
  }
}

void fill_times(EstimateResult& result, OnHardware& on, const EstimateRequest& request,
                const cost::StepModel& step) {
  const double chunk = result.prompt_tokens;
  if (chunk > 0) {
    const cost::StepTime prefill =
        step.time({.prefill_requests = 1, .prefill_tokens = chunk, .sampled = 1});
    on.prefill = prefill.total;
    on.prefill_bound = prefill.bound();
  }
  const model::Architecture& architecture = result.model.architecture;
  if (architecture.causal && architecture.lm_head) {
    const cost::Batch batch{.decode_requests = result.batch,
                            .decode_context = std::max(1.0, result.context_tokens),
                            .sampled = result.batch};
    const cost::StepTime decode = step.time(batch);
    on.decode_per_token = decode.total;
    on.decode_bound = decode.bound();
    on.output_tokens_per_second = result.batch / decode.total.raw();
    if (const auto joules = step.energy(batch, decode))
      on.joules_per_output_token = *joules / result.batch;
    if (request.explain) on.breakdown = step.breakdown(batch);
  }
  if (on.price) {
    const UsdRate all = *on.price * static_cast<double>(on.count);
    if (on.prefill && chunk > 0) {
      on.usd_per_million_input = (*on.prefill * all).raw() / chunk * 1e6 / request.utilisation;
    }
    if (on.decode_per_token) {
      on.usd_per_million_output =
          (*on.decode_per_token * all).raw() / result.batch * 1e6 / request.utilisation;
    }
  }
}

Result<hardware::Resolved> resolve_gpu(const std::string& name, const Context& context) {
  auto found = about("--gpu", context.catalogue().accelerators().resolve(name));
  const std::size_t colon = name.rfind(':');
  if (!found && colon != std::string::npos && parse_int(name.substr(colon + 1))) {
    // The grammar of `offers`; here the number has a flag of its own.
    found.error().hint = fmt::format("--gpu {} --count {}", printable(name.substr(0, colon)),
                                     name.substr(colon + 1));
  }
  return found;
}

Result<void> fill_on(EstimateAnswer& answer, const EstimateRequest& request, const Context& context,
                     const Setting& setting) {
  EstimateResult& result = answer.result;
  const auto resolved = PORTOLAN_TRY(resolve_gpu(*request.gpu, context));
  if (!resolved.note.empty()) answer.envelope.warnings.push_back(resolved.note);
  OnHardware on;
  on.accelerator = resolved.accelerator;
  const std::int64_t pp = request.pp.value_or(1);
  on.count = request.count.value_or(std::max<std::int64_t>(1, request.tp.value_or(1) * pp));
  const hardware::Node node = reference_node(*on.accelerator, on.count);
  const cost::Machine machine =
      PORTOLAN_TRY(cost::make_machine(node, context.kernels(kServingBackend)));
  on.minimum_accelerators = minimum_accelerators(result, *on.accelerator, setting, nullptr);
  // The accelerators of a training run are no one replica of an inference engine: its smallest
  // layout stands for it.
  const bool trains = request.training_tokens && !request.tp && !request.pp;
  const std::int64_t replica =
      trains && on.minimum_accelerators > 0 && on.count % on.minimum_accelerators == 0
          ? on.minimum_accelerators
          : on.count;
  on.deployment = layout_of(replica, std::min<std::int64_t>(node.count, 8), result, request.dtype,
                            setting.format, setting.kv_bytes);
  if (request.tp) on.deployment.tp = static_cast<int>(*request.tp);
  if (request.pp) on.deployment.pp = static_cast<int>(*request.pp);
  if (!request.tp && !trains)
    on.deployment.tp = static_cast<int>(std::max<std::int64_t>(1, on.count / on.deployment.pp));
  if (request.ep) on.deployment.ep = static_cast<int>(*request.ep);
  const std::int64_t used = on.deployment.accelerators();
  if (on.count % used != 0) {
    return fail(ErrorCode::kInvalidInput,
                fmt::format("{} accelerators do not divide into replicas of tp {} x pp {}",
                            on.count, on.deployment.tp, on.deployment.pp),
                fmt::format("--count {}", used));
  }
  // A training cluster is many replicas; an inference estimate is of one.
  const bool whole_count_is_one_replica = on.count == used;
  on.tier = machine.tier;
  on.interval_low = machine.band.low;
  on.interval_high = machine.band.high;

  const cost::MemoryLayout layout =
      cost::memory_layout(result.model.architecture, machine, on.deployment, setting.limits);
  const Bytes sequences =
      cost::sequence_bytes(result.model.architecture, on.deployment, result.context_tokens) *
      result.batch;
  on.memory_per_accelerator = layout.fixed() + sequences;
  on.usable_per_accelerator = layout.capacity;
  on.fits = on.memory_per_accelerator <= on.usable_per_accelerator;
  on.largest_context = cost::max_context(result.model.architecture, layout, on.deployment,
                                         static_cast<std::int64_t>(std::ceil(result.batch)));
  on.largest_batch = largest_batch(result, machine, on.deployment, setting.limits);
  on.context_unbounded = on.largest_context >= cost::kUnlimitedContext;
  on.batch_unbounded = on.largest_batch >= cost::kUnlimitedSequences;
  result.memory.weights = layout.weights * static_cast<double>(used);
  result.memory.activations = layout.activations * static_cast<double>(used);
  result.memory.overhead = layout.overhead * static_cast<double>(used);

  if (request.price) {
    on.price = request.price;
    on.price_origin = "--price";
    answer.envelope.assume("price_usd_per_accelerator_hour", request.price->in(kUsdPerHour), "flag",
                           "--price");
  } else {
    const Priced priced = cheapest_accelerator_hour(context.catalogue(), *on.accelerator, on.count);
    on.price = priced.rate;
    on.price_origin = priced.rate ? priced.origin : "no accepted on-demand price in the catalogue";
    if (priced.offer != nullptr) {
      on.price_source = priced.offer->source;
      on.price_date =
          priced.offer->observed.earliest ? priced.offer->observed.earliest->text() : "";
    }
    if (priced.offer != nullptr) {
      answer.envelope.assume("price_usd_per_accelerator_hour", priced.rate->in(kUsdPerHour),
                             "default", "--price", priced.origin);
      answer.envelope.cite(
          "price", on.price_origin, priced.offer->source,
          priced.offer->observed.earliest ? priced.offer->observed.earliest->text() : "");
      answer.envelope.oldest_price_date = priced.offer->observed.earliest;
    } else {
      answer.envelope.warnings.push_back(fmt::format(
          "no on-demand price for {} in the catalogue: costs are unknown; give one with --price",
          on.accelerator->id));
    }
  }
  fill_rule_on(result, on, request, setting);

  const auto step =
      cost::StepModel::compile(result.model.architecture, machine, on.deployment, context.engine());
  if (step) {
    on.tier = step->machine().tier;
    on.interval_low = step->machine().band.low;
    on.interval_high = step->machine().band.high;
    fill_times(result, on, request, *step);
    if (!whole_count_is_one_replica && !request.training_tokens) {
      answer.envelope.warnings.push_back(fmt::format(
          "{} accelerators are {} replicas of {}: times and tokens per second are of one replica",
          on.count, on.count / used, used));
    }
  } else {
    // Training figures do not need an inference layout; an inference question does.
    if (!request.training_tokens) return fail(step.error());
    answer.envelope.warnings.push_back(step.error().message);
  }
  // A run trains at the sustained shares of the machine, not at those of short kernels.
  fill_training(answer, on, request, PORTOLAN_TRY(cost::make_machine(node)), setting);
  if (!on.fits && !request.training_tokens) {
    answer.envelope.warnings.push_back(
        on.minimum_accelerators > 0
            ? fmt::format("does not fit: needs {} on each of {} accelerator(s), usable {}; the "
                          "times are as if it "
                          "did; smallest layout that fits: {} x {}",
                          si(on.memory_per_accelerator.raw(), "B"), used,
                          si(on.usable_per_accelerator.raw(), "B"), on.minimum_accelerators,
                          on.accelerator->id)
            : fmt::format("does not fit: needs {} on each of {} accelerator(s), usable {}; no "
                          "layout up to 1,024 "
                          "accelerators holds it",
                          si(on.memory_per_accelerator.raw(), "B"), used,
                          si(on.usable_per_accelerator.raw(), "B")));
  }
  if (on.training_basis.empty() && request.training_tokens) {
    answer.envelope.warnings.emplace_back(
        "no training time: the accelerator has no rate for this arithmetic");
  }
  result.on = std::move(on);
  return {};
}

void add_warnings(EstimateAnswer& answer, const EstimateRequest& request) {
  const model::Architecture& architecture = answer.result.model.architecture;
  for (const std::string& note : architecture.notes) answer.envelope.warnings.push_back(note);
  if (architecture.max_position > 0 &&
      answer.result.context_tokens > static_cast<double>(architecture.max_position)) {
    answer.envelope.warnings.push_back(
        fmt::format("a context of {} tokens is beyond the model's maximum of {}",
                    with_commas(static_cast<std::int64_t>(answer.result.context_tokens)),
                    with_commas(architecture.max_position)));
  }
  if (request.training_tokens && *request.training_tokens > 1e14) {
    answer.envelope.warnings.emplace_back(
        *request.training_tokens > 3e14
            ? "more than 3e14 training tokens: beyond the estimated stock of public text"
            : "more than 1e14 training tokens: near the estimated stock of public text");
  }
}

}  // namespace

Result<EstimateAnswer> estimate(const EstimateRequest& request, const Context& context) {
  EstimateAnswer answer;
  answer.envelope.command = "estimate";
  answer.envelope.catalogue_date = context.catalogue().date();
  EstimateResult& result = answer.result;
  result.model = PORTOLAN_TRY(about("MODEL", context.models().find(request.model)));
  const model::Architecture& architecture = result.model.architecture;
  result.parameters = model::count_parameters(architecture);

  Setting setting;
  setting.own_format = !request.dtype;
  setting.format = request.dtype
                       ? PORTOLAN_TRY(about("--dtype", model::parse_format(*request.dtype)))
                       : architecture.weights;
  // A mixed checkpoint (GGUF, safetensors) has no single format: its own name says more.
  result.dtype = setting.format == model::Format::kExact
                     ? architecture.dtype_name
                     : std::string(model::format_name(setting.format));
  result.kv_dtype = request.kv_dtype.value_or(default_kv_dtype(setting.format));
  setting.kv_bytes =
      PORTOLAN_TRY(about("--kv-dtype", model::kv_bytes_per_element(result.kv_dtype)));

  const double characters_per_token = context.catalogue().constant("characters_per_token").value;
  if (request.characters) {
    answer.envelope.assume("characters_per_token", characters_per_token, "default", "--tokens",
                           context.catalogue().constant("characters_per_token").source);
  }
  const std::optional<double> tokens =
      request.characters ? std::optional(*request.characters / characters_per_token)
                         : request.tokens;
  result.prompt_tokens =
      request.input.value_or(tokens.value_or(request.output ? 0 : kArticleTokens));
  result.output_tokens = request.output.value_or(0);
  result.context_tokens = request.context.value_or(result.prompt_tokens + result.output_tokens);
  result.batch = request.batch;
  if (!tokens && !request.input && !request.output) {
    answer.envelope.assume("tokens", kArticleTokens, "default", "--tokens");
  }
  if (!request.context)
    answer.envelope.assume("context_tokens", result.context_tokens, "derived", "--context");
  if (!request.dtype)
    answer.envelope.assume("dtype", result.dtype, "default", "--dtype",
                           "the checkpoint's own format");
  if (!request.kv_dtype)
    answer.envelope.assume("kv_dtype", result.kv_dtype, "default", "--kv-dtype");

  fill_rule(result, request, setting);
  if (result.prompt_tokens > 0)
    result.operators.prefill = model::prefill_flop(architecture, result.prompt_tokens, 0, 1);
  result.operators.decode_per_token =
      model::decode_flop_per_token(architecture, std::max(1.0, result.context_tokens));
  const auto maximum = static_cast<double>(architecture.max_position);
  const double sequence =
      request.sequence.value_or(std::min(8192.0, maximum > 0 ? maximum : 2048.0));
  result.operators.training_per_token = model::training_flop_per_token(architecture, sequence);
  answer.envelope.assume("sequence_tokens", sequence, request.sequence ? "flag" : "default",
                         "--sequence");

  setting.limits.max_batched_tokens =
      std::max(result.batch, std::min(result.prompt_tokens, 8192.0));
  setting.limits.max_sequences = result.batch;
  setting.limits.engine = &context.engine().memory;
  result.kv_per_token = model::kv_bytes_per_token(architecture, setting.kv_bytes);
  result.memory.kv =
      model::kv_bytes(architecture, result.context_tokens, setting.kv_bytes) * result.batch;
  result.memory.state = model::state_bytes(architecture, setting.kv_bytes) * result.batch;
  result.memory.weights = model::weight_bytes(
      architecture, request.dtype ? std::optional(setting.format) : std::nullopt);
  if (!request.gpu) {
    // Activations and engine overhead depend on the engine, hardly on the card: one H100 stands for
    // it.
    const hardware::Accelerator* reference =
        context.catalogue().accelerators().by_id("h100-sxm-80gb");
    PORTOLAN_CHECK(reference != nullptr);
    const cost::Machine machine = PORTOLAN_TRY(cost::make_machine(reference_node(*reference, 1)));
    const cost::MemoryLayout layout = cost::memory_layout(
        architecture, machine,
        layout_of(1, 1, result, request.dtype, setting.format, setting.kv_bytes), setting.limits);
    result.memory.activations = layout.activations;
    result.memory.overhead = layout.overhead;
  } else {
    PORTOLAN_DO(fill_on(answer, request, context, setting));
  }
  if (request.training_tokens || request.mfu) {
    const market::Constant& mfu = context.catalogue().constant("mfu");
    answer.envelope.assume("mfu", result.rule.mfu, request.mfu ? "flag" : "default", "--mfu",
                           request.mfu ? "" : fmt::format("{} ({})", mfu.note, mfu.source));
  }
  answer.envelope.assume("utilisation", request.utilisation,
                         request.utilisation == 1 ? "default" : "flag", "--utilisation");
  if (request.max_params) {
    const Bytes memory = request.memory ? *request.memory : result.on->accelerator->memory;
    result.trainable = training::largest_trainable(memory);
    answer.envelope.assume("memory_bytes", memory.raw(), request.memory ? "flag" : "derived",
                           "--memory");
  }
  fill_fits(result, context, setting);
  add_warnings(answer, request);
  const std::string model_source = result.model.source.empty() ? "file given" : result.model.source;
  answer.envelope.cite("model", result.model.id, model_source, result.model.date);
  if (result.on) {
    answer.envelope.cite("accelerator", result.on->accelerator->id, result.on->accelerator->source,
                         result.on->accelerator->date);
  }
  const cost::Engine& engine = context.engine();
  answer.envelope.cite("engine", engine.engine, engine.source, engine.date);
  if (request.explain) answer.envelope.derivations = explain_estimate(request, result, context);
  return answer;
}

}  // namespace portolan::app
