// `offers`, `gpus`, `models`, `providers`: look things up, filter, sort.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/answer.hpp"
#include "app/context.hpp"
#include "market/query.hpp"
#include "model/count.hpp"

namespace portolan::app {

struct OffersRequest {
  std::optional<std::string> gpu, count;
  std::vector<std::string> provider, region, purchase;
  std::optional<UsdRate> max_price;
  std::string sort = "price";
  std::int64_t limit = 20;  // 0 = all
  bool stats = false, quarantined = false, explain = false;
  std::optional<std::int64_t> max_price_age_days;
};
struct OffersResult {
  std::vector<const market::Offer*> offers;
  std::size_t shown = 0, matched = 0, total = 0, without_price = 0, quarantined = 0,
              hidden_by_age = 0;
  std::size_t components = 0;  // attachable accelerators without their host
  std::size_t hosts = 0;       // machines without an accelerator, left out unless asked for
  bool stats = false;
  std::vector<market::Spread> spread;  // with stats
  std::string sort;
  Date today;
};
struct OffersAnswer {
  OffersResult result;
  Envelope envelope;
};
Result<OffersRequest> read_offers(const io::Value& request);
Result<OffersAnswer> offers(const OffersRequest& request, const Context& context);

struct GpusRequest {
  std::optional<std::string> gpu;  // one (or a loose name): details
  std::optional<std::string> vendor;
  std::optional<Bytes> min_memory;
  std::string sort = "id";  // id, memory, bandwidth, bf16, price, perf-per-dollar
  std::int64_t limit = 0;
  bool all = false;  // announced and unmodelled parts too
  bool explain = false;
};
struct GpuRow {
  const hardware::Accelerator* accelerator = nullptr;
  std::optional<Money> cheapest, median;  // on-demand USD per accelerator-hour
  std::size_t offers = 0;
  std::optional<double>
      tflop_per_dollar;          // attainable bf16 TFLOP bought by one dollar at the cheapest price
  std::optional<Usd> energy_3y;  // R44: TDP around the clock for 3 years of 8,760 h
  std::vector<const market::EngineSupport*> engines;
};
struct GpusResult {
  std::vector<GpuRow> gpus;
  std::size_t matched = 0, total = 0;
  bool detail = false;
};
struct GpusAnswer {
  GpusResult result;
  Envelope envelope;
};
Result<GpusRequest> read_gpus(const io::Value& request);
Result<GpusAnswer> gpus(const GpusRequest& request, const Context& context);

struct ModelsRequest {
  std::optional<std::string> name, family;
  std::optional<double> max_parameters, min_parameters;
  std::string sort = "id";  // id, parameters, released, kv
  std::int64_t limit = 20;
  bool compute = false;               // the article's table (R13)
  bool prices = false;                // what hosted APIs ask per token, of the one model or of all
  std::vector<std::string> provider;  // of hosted prices
};
struct ModelRow {
  model::Model model;
  model::ParameterCount parameters;
  Bytes kv_per_token{0};
};
struct ModelsResult {
  std::vector<ModelRow> models;
  std::vector<const market::ApiPrice*>
      prices;  // cheapest output first; of the one model, or with `prices`
  std::size_t matched = 0, total = 0, prices_matched = 0;
  bool compute = false, detail = false, list_prices = false;
};
struct ModelsAnswer {
  ModelsResult result;
  Envelope envelope;
};
Result<ModelsRequest> read_models(const io::Value& request);
Result<ModelsAnswer> models(const ModelsRequest& request, const Context& context);

struct ProvidersRequest {
  std::optional<std::string> name, kind;
  bool engines = false;
};
struct ProviderRow {
  const market::Provider* provider = nullptr;
  std::size_t offers = 0, accelerators = 0, fractional = 0;
  std::vector<std::string> interconnects;
  std::vector<const market::Egress*>
      egress;  // what data costs on its way out, by destination and tier
};
struct ProvidersResult {
  std::vector<ProviderRow> providers;
  std::vector<const market::EngineSupport*> engines;
  std::size_t total = 0;
  bool detail = false;
};
struct ProvidersAnswer {
  ProvidersResult result;
  Envelope envelope;
};
Result<ProvidersRequest> read_providers(const io::Value& request);
Result<ProvidersAnswer> providers(const ProvidersRequest& request, const Context& context);

}  // namespace portolan::app
