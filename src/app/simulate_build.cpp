#include "app/simulate_build.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/reference_machine.hpp"
#include "app/request.hpp"
#include "base/text.hpp"
#include "cost/engine.hpp"
#include "model/numeric_format.hpp"
#include "simulation/load_time.hpp"

namespace portolan::app {
namespace {

using simulation::EngineModel;

/// The value a pointer leads to in the scenario, for its line; nullptr where it is not written.
const io::Value* at_pointer(const io::Value& document, std::string_view pointer) {
  const io::Value* at = &document;
  while (at != nullptr && !pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view step = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(step.size());
    if (!at->is_array()) {
      at = at->find(step);
      continue;
    }
    const auto index = parse_int(step);
    const bool inside =
        index && *index >= 0 && static_cast<std::size_t>(*index) < at->array().size();
    at = inside ? &at->array()[static_cast<std::size_t>(*index)] : nullptr;
  }
  return at;
}

class Builder {
 public:
  Builder(const SimulateRequest& request, const Context& context, Envelope& envelope)
      : request_(request), context_(context), envelope_(envelope) {}

  Result<Built> build() {
    built_.scenario = request_.scenario;
    for (const PoolWish& wish : request_.pools) {
      simulation::Pool pool = wish.pool;
      PoolFacts facts;
      pool.engine = PORTOLAN_TRY(make_engine(wish, wish.engine, &facts));
      for (std::size_t i = 0; i < wish.sharing.size(); ++i)
        pool.sharing.models[i].engine = PORTOLAN_TRY(make_engine(wish, wish.sharing[i], nullptr));
      PORTOLAN_DO(set_price(wish, facts, pool));
      tell(wish, facts);
      built_.facts.push_back(std::move(facts));
      built_.scenario.pools.push_back(std::move(pool));
    }
    if (request_.hosted) PORTOLAN_DO(set_hosted());
    return std::move(built_);
  }

 private:
  /// Names the place of what an error is about: the flag, or the key of the pool in the file.
  template <class T>
  Result<T> placed(std::string_view key, const std::string& pointer, Result<T> result) {
    if (result || !result.error().where.empty()) return result;
    Error error = std::move(result).error();
    if (pointer.empty()) {
      error.where.argument = "--" + std::string(key);
      std::replace(error.where.argument.begin(), error.where.argument.end(), '_', '-');
      return fail(std::move(error));
    }
    // What the pool does not say itself stands at the top.
    std::string at = pointer + "/" + std::string(key);
    const io::Value* value = at_pointer(request_.document, at);
    if (value == nullptr) value = at_pointer(request_.document, at = "/" + std::string(key));
    if (value == nullptr) value = at_pointer(request_.document, at = pointer);
    error.where.file = request_.file;
    error.where.pointer = std::move(at);
    if (value != nullptr) {
      error.where.line = value->line;
      error.where.column = value->column;
    }
    return fail(std::move(error));
  }

  Result<const cost::Engine*> engine_named(const EngineWish& wish,
                                           const hardware::Accelerator& accelerator) {
    const cost::Profile& profile = context_.profile();
    const std::string name = wish.engine.value_or(context_.engine().engine);
    const cost::Engine* engine = profile.find_engine(name, {}, accelerator.vendor);
    if (engine != nullptr) return engine;
    std::vector<std::string_view> known;
    std::string list;
    for (const cost::Engine& one : cost::engines()) {
      if (std::find(known.begin(), known.end(), one.engine) != known.end()) continue;
      known.push_back(one.engine);
      list += (list.empty() ? "" : ", ") + one.engine;
    }
    const std::string guess = did_you_mean(name, known);
    return fail(ErrorCode::kNotFound, "unknown engine " + quoted(name),
                guess.empty() ? "one of: " + list : guess);
  }

  Result<std::shared_ptr<const EngineModel>> make_engine(const PoolWish& pool,
                                                         const EngineWish& wish, PoolFacts* facts) {
    const std::string& at = wish.pointer;
    const model::Model model =
        PORTOLAN_TRY(placed("model", at, context_.models().find(wish.model)));
    const hardware::Resolved gpu =
        PORTOLAN_TRY(placed("gpu", at, context_.catalogue().accelerators().resolve(pool.gpu)));
    const hardware::Accelerator& accelerator = *gpu.accelerator;
    const cost::Engine& engine =
        *PORTOLAN_TRY(placed("engine", at, engine_named(wish, accelerator)));
    cost::Deployment deployment;
    deployment.tp = static_cast<int>(pool.tp);
    deployment.pp = static_cast<int>(pool.pp);
    deployment.ep = static_cast<int>(pool.ep);
    deployment.own_format = !wish.dtype;
    deployment.weights = model.architecture.weights;
    if (wish.dtype)
      deployment.weights = PORTOLAN_TRY(placed("dtype", at, model::parse_format(*wish.dtype)));
    const std::string kv =
        wish.kv_dtype.value_or(deployment.weights == model::Format::kFp32 ? "fp32" : "bf16");
    deployment.kv_bytes_per_element =
        PORTOLAN_TRY(placed("kv_dtype", at, model::kv_bytes_per_element(kv)));

    const std::int64_t ranks = std::max<std::int64_t>(1, pool.ep / pool.tp);
    const hardware::Node node = reference_node(accelerator, pool.tp * pool.pp * ranks);
    const cost::Machine machine = PORTOLAN_TRY(
        cost::make_machine(node, context_.kernels(cost::engine_family_name(engine.family))));
    const cost::StepModel step = PORTOLAN_TRY(placed(
        "tp", at, cost::StepModel::compile(model.architecture, machine, deployment, engine)));
    EngineModel limits = PORTOLAN_TRY(
        placed("gpu", at, simulation::make_engine_model(model.architecture, step, wish.options)));
    auto shared = std::make_shared<const EngineModel>(std::move(limits));
    if (facts == nullptr) return shared;

    if (!gpu.note.empty() && !warned(gpu.note)) envelope_.warnings.push_back(gpu.note);
    for (const std::string& note : model.architecture.notes) {
      if (!warned(note)) envelope_.warnings.push_back(note);
    }
    facts->model = model.id;
    facts->accelerator = accelerator.id;
    facts->engine = engine.engine;
    facts->weights = deployment.weights == model::Format::kExact
                         ? model.architecture.dtype_name
                         : std::string(model::format_name(deployment.weights));
    facts->kv_format = kv;
    facts->deployment = deployment;
    facts->accelerators_per_replica = shared->accelerators;
    facts->limits = shared;
    facts->kv_pinned = wish.options.kv_blocks.has_value();
    facts->kv_blocks = shared->ranks * wish.options.kv_blocks.value_or(
                                           shared->kv_blocks +
                                           static_cast<std::int64_t>(engine.memory.null_blocks));
    facts->tier = step.machine().tier;
    facts->interval_low = step.machine().band.low;
    facts->interval_high = step.machine().band.high;
    envelope_.cite("model", model.id, model.source.empty() ? "file given" : model.source,
                   model.date);
    envelope_.cite("accelerator", accelerator.id, accelerator.source, accelerator.date);
    envelope_.cite("engine", engine.engine, engine.source, engine.date);
    accelerator_ = &accelerator;
    return shared;
  }

  [[nodiscard]] bool warned(const std::string& text) const {
    return std::find(envelope_.warnings.begin(), envelope_.warnings.end(), text) !=
           envelope_.warnings.end();
  }

  Result<void> set_price(const PoolWish& wish, PoolFacts& facts, simulation::Pool& pool) {
    const auto accelerators = static_cast<double>(facts.accelerators_per_replica);
    const auto look_up = [&](market::Purchase purchase) -> std::optional<UsdRate> {
      const Priced priced = cheapest_accelerator_hour(context_.catalogue(), *accelerator_,
                                                      facts.accelerators_per_replica, purchase);
      if (priced.offer == nullptr) return std::nullopt;
      facts.price_origin = priced.origin;
      const auto date = priced.offer->observed.earliest;
      envelope_.cite("price", priced.origin, priced.offer->source, date ? date->text() : "");
      if (date && (!envelope_.oldest_price_date || *date < *envelope_.oldest_price_date))
        envelope_.oldest_price_date = date;
      return priced.rate;
    };
    std::optional<UsdRate> price = wish.price;
    if (price) {
      facts.price_origin = "given";
    } else {
      price = look_up(wish.purchase);
    }
    if (price) {
      facts.usd_per_accelerator_hour = price->in(kUsdPerHour);
      pool.usd_per_hour = price->in(kUsdPerHour)*accelerators;
    } else {
      envelope_.warnings.push_back(
          fmt::format("no {} price for {} in the catalogue: money is unknown; give one with {}",
                      market::purchase_name(wish.purchase), facts.accelerator,
                      wish.engine.pointer.empty() ? "--price" : "price:"));
    }
    if (wish.purchase == market::Purchase::kSpot && !pool.spot) {
      envelope_.warnings.push_back(
          fmt::format("spot machines of pool {} are never taken away: nothing says when; see spot: "
                      "in docs/formats/scenario.md",
                      pool.name));
    }
    if (pool.spot && pool.spot->on_demand_fallback) {
      const std::string origin = facts.price_origin;
      const auto fallback =
          wish.on_demand_price ? wish.on_demand_price : look_up(market::Purchase::kOnDemand);
      facts.price_origin = origin;
      if (fallback) pool.spot->on_demand_usd_per_hour = fallback->in(kUsdPerHour)*accelerators;
    }
    return {};
  }

  /// What was assumed of a pool; with several of them, keys carry its name.
  void tell(const PoolWish& wish, const PoolFacts& facts) {
    const bool file = !wish.engine.pointer.empty();
    const std::string prefix = request_.pools.size() > 1 ? wish.pool.name + "." : "";
    const auto how = [&](const char* flag, const char* key) -> std::string {
      return file ? std::string(key) + ": of the pool" : flag;
    };
    const char* const given = file ? "job" : "flag";
    const auto assume = [&](const char* key, io::Value value, bool pinned, const char* flag,
                            const char* file_key, std::string source = {}) {
      envelope_.assume(prefix + key, std::move(value), pinned ? given : "default",
                       how(flag, file_key), std::move(source));
    };
    const simulation::EngineOptions& options = wish.engine.options;
    const EngineModel& limits = *facts.limits;
    const cost::Engine& engine = limits.cost->model().engine();
    assume("engine", facts.engine, wish.engine.engine.has_value(), "--engine", "engine",
           engine.source);
    if (facts.usd_per_accelerator_hour) {
      assume("price_usd_per_accelerator_hour", *facts.usd_per_accelerator_hour,
             wish.price.has_value(), "--price", "price", wish.price ? "" : facts.price_origin);
    }
    assume("dtype", facts.weights, wish.engine.dtype.has_value(), "--dtype", "dtype",
           wish.engine.dtype ? "" : "the checkpoint's own format");
    assume("kv_dtype", facts.kv_format, wish.engine.kv_dtype.has_value(), "--kv-dtype", "kv_dtype");
    assume("max_num_seqs", limits.max_sequences, options.max_sequences.has_value(),
           "--max-num-seqs", "max_num_seqs", engine.defaults_source);
    assume("max_num_batched_tokens", limits.max_batched_tokens,
           options.max_batched_tokens.has_value(), "--max-num-batched-tokens",
           "max_num_batched_tokens", engine.defaults_source);
    assume("block_size_tokens", limits.block_tokens, options.block_tokens.has_value(),
           "--block-size", "block_size");
    assume("gpu_memory_utilization", options.memory_fraction.value_or(engine.memory_fraction),
           options.memory_fraction.has_value(), "--gpu-memory-utilization",
           "gpu_memory_utilization");
    envelope_.assume(
        prefix + "kv_blocks", limits.kv_blocks * limits.ranks, facts.kv_pinned ? given : "derived",
        how("--kv-blocks", "kv_blocks"),
        facts.kv_pinned ? "" : "predicted from the memory left by weights and buffers");
    assume("max_model_len_tokens", limits.max_model_len, options.max_model_len.has_value(),
           "--max-model-len", "max_model_len");
    assume("prefix_caching", limits.prefix_caching, !options.prefix_caching, "--no-prefix-caching",
           "no_prefix_caching");
    const simulation::Pool& pool = wish.pool;
    if (pool.autoscale.policy != simulation::Scaling::kStatic || pool.spot || pool.failures) {
      assume("start_seconds", simulation::start_seconds(pool.load, limits), wish.load_given, "load",
             "load",
             wish.load_given ? ""
                             : "36 s and the weights at 3.8 GB/s, as measured of vLLM; machine and "
                               "image not included");
    }
    if (limits.drafted > 0) {
      assume("drafted_tokens", limits.drafted, true, "--speculative", "speculative");
      assume("acceptance", limits.acceptance, true, "--acceptance", "acceptance");
    }
  }

  /// The cheapest price of the API by output, where the scenario gives none.
  Result<void> set_hosted() {
    simulation::Hosted& hosted = *built_.scenario.hosted;
    const HostedWish& wish = *request_.hosted;
    const market::ApiPrice* best = nullptr;
    std::vector<std::string_view> known;
    for (const market::ApiPrice& price : context_.catalogue().api_prices()) {
      const bool named = price.model == wish.api || price.hf_id == wish.api ||
                         price.provider + "/" + price.model == wish.api;
      known.push_back(price.model);
      if (!named || !price.input || !price.output) continue;
      if (best == nullptr || *price.output < *best->output) best = &price;
    }
    if (best == nullptr && !(wish.usd_per_million_input && wish.usd_per_million_output)) {
      std::sort(known.begin(), known.end());
      known.erase(std::unique(known.begin(), known.end()), known.end());
      const std::string guess = did_you_mean(wish.api, known);
      return placed(
          "api", "/burst",
          Result<void>(fail(ErrorCode::kNotFound, "no price of a hosted model " + quoted(wish.api),
                            guess.empty() ? "give usd_per_million_input_tokens and "
                                            "usd_per_million_output_tokens"
                                          : guess)));
    }
    const auto dollars = [](const std::optional<Money>& money) {
      return money ? money->dollars() : 0.0;
    };
    hosted.usd_per_million_input_tokens =
        wish.usd_per_million_input.value_or(best != nullptr ? dollars(best->input) : 0);
    hosted.usd_per_million_output_tokens =
        wish.usd_per_million_output.value_or(best != nullptr ? dollars(best->output) : 0);
    const bool both = wish.usd_per_million_input && wish.usd_per_million_output;
    const std::string origin = both ? "" : fmt::format("{} at {}", best->model, best->provider);
    envelope_.assume("burst.usd_per_million_output_tokens", hosted.usd_per_million_output_tokens,
                     both ? "job" : "default", "burst.usd_per_million_output_tokens", origin);
    envelope_.assume("burst.usd_per_million_input_tokens", hosted.usd_per_million_input_tokens,
                     both ? "job" : "default", "burst.usd_per_million_input_tokens", origin);
    if (!both) {
      const auto date = best->observed.earliest;
      envelope_.cite("hosted price", origin, best->source, date ? date->text() : "");
    }
    return {};
  }

  const SimulateRequest& request_;
  const Context& context_;
  Envelope& envelope_;
  const hardware::Accelerator* accelerator_ = nullptr;  // of the pool being built
  Built built_;
};

}  // namespace

Result<Built> build_scenario(const SimulateRequest& request, const Context& context,
                             Envelope& envelope) {
  return Builder(request, context, envelope).build();
}

}  // namespace portolan::app
