#include "app/lookups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "app/request.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"

namespace portolan::app {
namespace {

template <class Row>
void cut(std::vector<Row>& rows, std::int64_t limit) {
  if (limit > 0 && rows.size() > static_cast<std::size_t>(limit))
    rows.resize(static_cast<std::size_t>(limit));
}

Envelope envelope_for(std::string command, const Context& context) {
  Envelope envelope;
  envelope.command = std::move(command);
  envelope.catalogue_date = context.catalogue().date();
  return envelope;
}

void cite_offer(Envelope& envelope, const market::Offer& offer) {
  envelope.cite(offer.source, "offers",
                offer.source + (offer.revision.empty() ? "" : "@" + offer.revision),
                offer.observed.latest ? offer.observed.latest->text() : "");
}

}  // namespace

Result<OffersRequest> read_offers(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  OffersRequest request;
  request.gpu = fields.text("gpu");
  request.count = fields.text("count");
  request.provider = text_list(fields, "provider");
  request.region = text_list(fields, "region");
  request.purchase = text_list(fields, "purchase");
  request.max_price = fields.usd_per_hour("max_price");
  request.max_price_age_days = age_days(fields, "max_price_age");
  static constexpr std::array<std::string_view, 3> kSorts = {"price", "gpu-price", "age"};
  request.sort = choice(fields, "sort", kSorts);
  request.limit = fields.integer("limit", 0, 1'000'000'000).value_or(20);
  request.stats = flag(fields, "stats");
  request.quarantined = flag(fields, "quarantined");
  request.explain = flag(fields, "explain");
  PORTOLAN_DO(finish_request(fields, problems));
  return request;
}

Result<OffersAnswer> offers(const OffersRequest& request, const Context& context) {
  OffersAnswer answer;
  answer.envelope = envelope_for("offers", context);
  const market::Catalogue& catalogue = context.catalogue();
  market::OfferQuery query;
  if (request.gpu) {
    query.gpu = PORTOLAN_TRY(
        about("--gpu", market::parse_gpu_filter(*request.gpu, catalogue.accelerators())));
  }
  for (const std::string& note : query.gpu.notes) answer.envelope.warnings.push_back(note);
  bool hosts = false;  // machines without an accelerator are of interest only when asked for
  if (request.count) {
    const CountRange range = PORTOLAN_TRY(about("--count", parse_count_range(*request.count)));
    hosts = range.high && *range.high == 0;
    if (!hosts) {
      query.gpu.count_low = range.low;
      query.gpu.count_high = range.high;
    }
  }
  std::vector<std::string_view> known;
  for (const market::Provider& provider : catalogue.providers()) known.push_back(provider.id);
  for (const market::Offer& offer : catalogue.offers()) {
    if (known.back() != offer.provider) known.push_back(offer.provider);
  }
  for (const std::string& name : request.provider) {
    query.providers.push_back(
        PORTOLAN_TRY(known_name("provider", "--provider", name, known, "portolan providers")));
  }
  query.regions = request.region;
  for (const std::string& name : request.purchase)
    query.purchase.push_back(PORTOLAN_TRY(about("--purchase", market::parse_purchase(name))));
  query.max_price = request.max_price;
  if (request.max_price_age_days)
    query.max_age_days = static_cast<std::int32_t>(*request.max_price_age_days);
  query.include_quarantined = request.quarantined;
  query.sort = request.sort == "gpu-price" ? market::OfferSort::kGpuPrice
               : request.sort == "age"     ? market::OfferSort::kAge
                                           : market::OfferSort::kPrice;
  OffersResult& result = answer.result;
  result.sort = request.sort;
  result.today = context.today();
  result.total = catalogue.offers().size();
  if (request.stats) {
    result.spread = market::price_spread(catalogue, query);
    result.matched = result.shown = result.spread.size();
    cut(result.spread, request.limit);
    result.shown = result.spread.size();
  }
  market::OfferSelection selection = market::select_offers(catalogue, query);
  const auto is_host = [](const market::Offer* o) {
    return o->accelerator == nullptr && o->count == 0;
  };
  const auto without =
      std::stable_partition(selection.offers.begin(), selection.offers.end(),
                            [&](const market::Offer* o) { return is_host(o) == hosts; });
  if (!hosts) result.hosts = static_cast<std::size_t>(selection.offers.end() - without);
  selection.offers.erase(without, selection.offers.end());
  selection.matched = selection.offers.size();
  result.stats = request.stats;
  result.components = selection.components;
  result.without_price = selection.without_price;
  result.quarantined = selection.quarantined;
  result.hidden_by_age = selection.hidden_by_age;
  if (!request.stats) {
    if (request.quarantined) {
      std::erase_if(selection.offers, [](const market::Offer* o) {
        return o->standing == market::Standing::kAccepted;
      });
      selection.matched = selection.offers.size();
    }
    result.matched = selection.matched;
    result.offers = std::move(selection.offers);
    cut(result.offers, request.limit);
    result.shown = result.offers.size();
    for (const market::Offer* offer : result.offers) {
      if (offer->observed.earliest &&
          (!answer.envelope.oldest_price_date ||
           *offer->observed.earliest < *answer.envelope.oldest_price_date)) {
        answer.envelope.oldest_price_date = offer->observed.earliest;
      }
      cite_offer(answer.envelope, *offer);
    }
  }
  return answer;
}

Result<GpusRequest> read_gpus(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  GpusRequest request;
  request.gpu = fields.text("gpu");
  request.vendor = fields.text("vendor");
  request.min_memory = fields.bytes("min_memory");
  static constexpr std::array<std::string_view, 6> kSorts = {"id",   "memory", "bandwidth",
                                                             "bf16", "price",  "perf-per-dollar"};
  request.sort = choice(fields, "sort", kSorts);
  request.limit = fields.integer("limit", 0, 1'000'000'000).value_or(0);
  request.all = flag(fields, "all");
  request.explain = flag(fields, "explain");
  PORTOLAN_DO(finish_request(fields, problems));
  return request;
}

namespace {

GpuRow gpu_row(const hardware::Accelerator& accelerator, const market::Catalogue& catalogue,
               const std::vector<market::Spread>& spread) {
  GpuRow row;
  row.accelerator = &accelerator;
  for (const market::Spread& s : spread) {
    if (s.accelerator != &accelerator) continue;
    row.cheapest = s.cheapest;
    row.median = s.median;
    row.offers = s.offers;
  }
  // What one dollar buys: the measured ceiling where there is one, the datasheet otherwise.
  const auto rate = accelerator.measured_bf16 ? accelerator.measured_bf16
                                              : accelerator.peak_of(hardware::Rate::kBf16);
  if (rate && row.cheapest && row.cheapest->nano() > 0) {
    row.tflop_per_dollar = (*rate * kHour).in(kTFlop) / row.cheapest->dollars();
  }
  if (accelerator.tdp) {
    const double price = catalogue.constant("electricity_usd_per_kwh").value;
    row.energy_3y = Usd((*accelerator.tdp * (3 * 8760 * kHour)).in(kKilowattHour)*price);
  }
  for (const market::EngineSupport& support : catalogue.engine_support()) {
    if (support.vendor == accelerator.vendor &&
        (support.architecture == "*" || support.architecture == accelerator.architecture)) {
      row.engines.push_back(&support);
    }
  }
  return row;
}

/// R19 and R44 for one card: peak from micro-architecture, energy over three years.
std::vector<Derivation> explain_gpu(const GpuRow& row, const market::Catalogue& catalogue) {
  const hardware::Accelerator& a = *row.accelerator;
  std::vector<Derivation> out;
  if (a.tensor_cores && a.flop_per_cycle_per_core && a.boost_clock_hz) {
    const double peak = *a.tensor_cores * *a.flop_per_cycle_per_core * *a.boost_clock_hz;
    Derivation d{.name = "peak from micro-architecture",
                 .value = peak,
                 .unit = "FLOP/s",
                 .formula = "tensor cores · FLOP per cycle and core · boost clock",
                 .substituted = fmt::format("{} · {} · {:.3g} Hz", *a.tensor_cores,
                                            *a.flop_per_cycle_per_core, *a.boost_clock_hz),
                 .source = a.source,
                 .date = a.date,
                 .kind = "fact",
                 .note = {},
                 .inputs = {}};
    if (const auto sheet = a.peak_of(hardware::Rate::kFp16)) {
      d.note = fmt::format("datasheet: {}", si(sheet->raw(), "FLOP/s"));
    } else if (const auto bf16 = a.peak_of(hardware::Rate::kBf16)) {
      d.note = fmt::format("datasheet: {}", si(bf16->raw(), "FLOP/s"));
    }
    out.push_back(std::move(d));
  }
  if (row.energy_3y && a.tdp) {
    const market::Constant& price = catalogue.constant("electricity_usd_per_kwh");
    out.push_back(
        {.name = "energy over three years at full power",
         .value = row.energy_3y->raw(),
         .unit = "USD",
         .formula = "TDP · 3 · 8,760 h · price",
         .substituted = fmt::format("{} W · 26,280 h · {} USD/kWh", significant(a.tdp->raw(), 4),
                                    shortest(price.value)),
         .source = price.source,
         .date = price.date,
         .kind = "estimate",
         .note = "one card, no PUE, always at its limit: an upper bound for the card alone",
         .inputs = {}});
    // R44: the reference article's own price, and what a data centre's overhead adds to it.
    const market::Constant& article = catalogue.constant("article.electricity_usd_per_kwh");
    const double kwh = (*a.tdp * (3 * 8760 * kHour)).in(kKilowattHour);
    const double pue = catalogue.constant("pue.neocloud").value;
    out.push_back(
        {.name = "the same at the reference article's price",
         .value = kwh * article.value,
         .unit = "USD",
         .formula = "kWh in three years · price",
         .substituted =
             fmt::format("{} kWh · {} USD/kWh", significant(kwh, 6), shortest(article.value)),
         .source = article.source,
         .date = article.date,
         .kind = "fact",
         .note = fmt::format("{} kWh a year; with a PUE of {}: {} USD", significant(kwh / 3, 5),
                             shortest(pue), significant(kwh * article.value * pue, 6)),
         .inputs = {}});
  }
  if (!a.conflicts.empty()) {
    out.push_back({.name = "sources disagree",
                   .value = {},
                   .unit = {},
                   .formula = {},
                   .substituted = {},
                   .source = a.source,
                   .date = a.date,
                   .kind = "fact",
                   .note = a.conflicts,
                   .inputs = {}});
  }
  if (!a.recalled_fields.empty()) {
    out.push_back({.name = "fields without a source",
                   .value = {},
                   .unit = {},
                   .formula = {},
                   .substituted = {},
                   .source = {},
                   .date = a.date,
                   .kind = "assumption",
                   .note = a.recalled_fields,
                   .inputs = {}});
  }
  return out;
}

}  // namespace

Result<GpusAnswer> gpus(const GpusRequest& request, const Context& context) {
  GpusAnswer answer;
  answer.envelope = envelope_for("gpus", context);
  const market::Catalogue& catalogue = context.catalogue();
  const hardware::Accelerators& all = catalogue.accelerators();
  std::vector<const hardware::Accelerator*> chosen;
  if (request.gpu) {
    if (const hardware::Accelerator* exact = all.by_id(*request.gpu)) {
      chosen = {exact};
    } else {
      chosen = all.matching(*request.gpu);
      if (chosen.empty())
        chosen = {PORTOLAN_TRY(about("GPU", all.resolve(*request.gpu))).accelerator};
      if (chosen.size() > 1) {
        answer.envelope.warnings.push_back(fmt::format(
            "{} means {} accelerators; commands that need one take {}", quoted(*request.gpu),
            chosen.size(), PORTOLAN_TRY(all.resolve(*request.gpu)).accelerator->id));
      }
    }
    answer.result.detail = chosen.size() == 1;
  } else {
    for (const hardware::Accelerator& a : all.all()) {
      if (request.all || (a.planned && !a.announced && !a.is_cpu)) chosen.push_back(&a);
    }
  }
  if (request.vendor) {
    std::vector<std::string_view> vendors;
    for (const hardware::Accelerator& a : all.all()) vendors.emplace_back(a.vendor);
    const std::string vendor = PORTOLAN_TRY(known_name(
        "vendor", "--vendor", *request.vendor, vendors, "portolan gpus -o csv --fields vendor"));
    std::erase_if(chosen, [&](const auto* a) { return a->vendor != vendor; });
  }
  if (request.min_memory)
    std::erase_if(chosen,
                  [&](const auto* a) { return a->memory_label_bytes < *request.min_memory; });
  const std::vector<market::Spread> spread = market::price_spread(catalogue, market::OfferQuery{});
  for (const hardware::Accelerator* a : chosen)
    answer.result.gpus.push_back(gpu_row(*a, catalogue, spread));
  auto key = [&](const GpuRow& row) -> double {
    const hardware::Accelerator& a = *row.accelerator;
    if (request.sort == "memory") return -a.memory.raw();
    if (request.sort == "bandwidth") return -a.bandwidth.raw();
    if (request.sort == "bf16")
      return -a.peak_of(hardware::Rate::kBf16).value_or(FlopPerSecond(0)).raw();
    if (request.sort == "price") return row.cheapest ? row.cheapest->dollars() : 1e300;
    if (request.sort == "perf-per-dollar") return -row.tflop_per_dollar.value_or(0);
    return 0;
  };
  std::sort(answer.result.gpus.begin(), answer.result.gpus.end(),
            [&](const GpuRow& a, const GpuRow& b) {
              const double ka = key(a), kb = key(b);
              return ka != kb ? ka < kb : a.accelerator->id < b.accelerator->id;
            });
  answer.result.total = all.all().size();
  answer.result.matched = answer.result.gpus.size();
  cut(answer.result.gpus, request.limit);
  for (const GpuRow& row : answer.result.gpus) {
    answer.envelope.cite(row.accelerator->id, row.accelerator->name, row.accelerator->source,
                         row.accelerator->date);
  }
  if (request.explain) {
    for (const GpuRow& row : answer.result.gpus) {
      for (Derivation& d : explain_gpu(row, catalogue)) {
        if (answer.result.gpus.size() > 1) d.name = row.accelerator->id + ": " + d.name;
        answer.envelope.derivations.push_back(std::move(d));
      }
    }
  }
  const market::Constant& electricity = catalogue.constant("electricity_usd_per_kwh");
  answer.envelope.assume("electricity_usd_per_kwh", electricity.value, "default", "",
                         electricity.source);
  return answer;
}

Result<ModelsRequest> read_models(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  ModelsRequest request;
  request.name = fields.text("name");
  request.family = fields.text("family");
  request.min_parameters = fields.count("min_parameters");
  request.max_parameters = fields.count("max_parameters");
  static constexpr std::array<std::string_view, 4> kSorts = {"id", "parameters", "released", "kv"};
  request.sort = choice(fields, "sort", kSorts);
  request.limit = fields.integer("limit", 0, 1'000'000'000).value_or(20);
  request.compute = flag(fields, "compute");
  request.prices = flag(fields, "prices");
  request.provider = text_list(fields, "provider");
  flag(fields, "explain");
  PORTOLAN_DO(finish_request(fields, problems));
  return request;
}

namespace {

/// The part after the last '/', lower case: hosts spell "meta-llama/Llama-3.1-70B-Instruct" in
/// their own ways.
std::string short_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return to_lower(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

/// Hosted prices whose model is `model` by Hugging Face id, or by one of its names.
bool hosts(const market::ApiPrice& price, const model::Model& model) {
  std::vector<std::string> names = {to_lower(model.id), short_name(model.hf_id)};
  for (const std::string& alias : model.aliases) names.push_back(short_name(alias));
  if (!price.hf_id.empty())
    return std::find(names.begin(), names.end(), short_name(price.hf_id)) != names.end();
  const std::string hosted = short_name(price.model).substr(0, short_name(price.model).find(':'));
  return std::find(names.begin(), names.end(), hosted) != names.end();
}

/// All hosted prices, or those of one model, cheapest output first; free tiers and unpriced rows
/// last.
void fill_prices(ModelsAnswer& answer, const ModelsRequest& request,
                 const market::Catalogue& catalogue) {
  ModelsResult& result = answer.result;
  for (const market::ApiPrice& price : catalogue.api_prices()) {
    if (request.name && !hosts(price, result.models.front().model)) continue;
    if (!request.provider.empty() &&
        std::none_of(request.provider.begin(), request.provider.end(), [&](const std::string& p) {
          return to_lower(p) == to_lower(price.provider);
        })) {
      continue;
    }
    result.prices.push_back(&price);
  }
  std::sort(result.prices.begin(), result.prices.end(),
            [](const market::ApiPrice* a, const market::ApiPrice* b) {
              auto key = [](const market::ApiPrice* p) {
                return p->output && p->output->nano() > 0
                           ? p->output->nano()
                           : std::numeric_limits<std::int64_t>::max();
              };
              return std::tuple(key(a), a->provider, a->model, a->time_window, a->flags) <
                     std::tuple(key(b), b->provider, b->model, b->time_window, b->flags);
            });
  result.prices_matched = result.prices.size();
  cut(result.prices, request.limit);
  for (const market::ApiPrice* price : result.prices) {
    answer.envelope.cite(price->source, "hosted API prices", price->source,
                         price->observed.latest ? price->observed.latest->text() : "");
  }
}

}  // namespace

Result<ModelsAnswer> models(const ModelsRequest& request, const Context& context) {
  ModelsAnswer answer;
  answer.envelope = envelope_for("models", context);
  ModelsResult& result = answer.result;
  result.compute = request.compute;
  std::vector<std::string> wanted;
  if (request.name) {
    wanted.push_back(*request.name);
    result.detail = true;
  } else {
    for (std::string_view id : context.models().ids()) wanted.emplace_back(id);
  }
  result.total = context.models().ids().size();
  std::set<std::string> families;
  for (const std::string& name : wanted) {
    ModelRow row;
    row.model = request.name ? PORTOLAN_TRY(context.models().find(name))
                             : PORTOLAN_TRY(context.models().named(name));
    families.insert(row.model.family);
    if (request.compute && !request.name && !row.model.article) continue;
    // "qwen" means every family of that name.
    if (request.family && !starts_with_ignoring_case(row.model.family, *request.family)) continue;
    row.parameters = model::count_parameters(row.model.architecture);
    const double p = row.model.parameters_for_rule();
    if (request.min_parameters && p < *request.min_parameters) continue;
    if (request.max_parameters && p > *request.max_parameters) continue;
    row.kv_per_token = model::kv_bytes_per_token(row.model.architecture, 2);
    result.models.push_back(std::move(row));
  }
  if (request.family && std::none_of(families.begin(), families.end(), [&](const std::string& one) {
        return starts_with_ignoring_case(one, *request.family);
      })) {
    PORTOLAN_DO(known_name("family", "--family", *request.family,
                           {families.begin(), families.end()},
                           "portolan models --limit 0 -o csv --fields family"));
  }
  std::sort(result.models.begin(), result.models.end(), [&](const ModelRow& a, const ModelRow& b) {
    if (request.sort == "parameters") {
      const double pa = a.model.parameters_for_rule(), pb = b.model.parameters_for_rule();
      if (pa != pb) return pa < pb;
    } else if (request.sort == "released") {
      if (a.model.released != b.model.released) return a.model.released > b.model.released;
    } else if (request.sort == "kv") {
      if (a.kv_per_token != b.kv_per_token) return a.kv_per_token < b.kv_per_token;
    }
    return a.model.id < b.model.id;
  });
  answer.envelope.assume("kv_bytes_per_element", 2, "default", "");
  result.list_prices = request.prices;
  if (request.name || request.prices) fill_prices(answer, request, context.catalogue());
  if (request.prices && !request.name) result.models.clear();
  result.matched = result.models.size();
  if (!request.compute) cut(result.models, request.limit);
  for (const ModelRow& row : result.models) {
    if (request.name) {
      for (const std::string& note : row.model.architecture.notes)
        answer.envelope.warnings.push_back(note);
    }
    answer.envelope.cite(row.model.id, row.model.id, row.model.source, row.model.date);
  }
  return answer;
}

Result<ProvidersRequest> read_providers(const io::Value& value) {
  io::Problems problems;
  io::Fields fields(value, "", problems);
  ProvidersRequest request;
  request.name = fields.text("name");
  request.kind = fields.text("kind");
  request.engines = flag(fields, "engines");
  flag(fields, "explain");
  PORTOLAN_DO(finish_request(fields, problems));
  return request;
}

Result<ProvidersAnswer> providers(const ProvidersRequest& request, const Context& context) {
  ProvidersAnswer answer;
  answer.envelope = envelope_for("providers", context);
  const market::Catalogue& catalogue = context.catalogue();
  if (request.engines) {
    for (const market::EngineSupport& support : catalogue.engine_support())
      answer.result.engines.push_back(&support);
    answer.result.total = answer.result.engines.size();
    return answer;
  }
  std::vector<std::string_view> names, kinds;
  for (const market::Provider& provider : catalogue.providers()) {
    names.emplace_back(provider.id);
    kinds.emplace_back(provider.kind);
  }
  if (request.name)
    PORTOLAN_DO(known_name("provider", "NAME", *request.name, names, "portolan providers"));
  if (request.kind)
    PORTOLAN_DO(known_name("kind", "--kind", *request.kind, kinds,
                           "portolan providers -o csv --fields kind"));
  answer.result.detail = request.name.has_value();
  answer.result.total = catalogue.providers().size();
  for (const market::Provider& provider : catalogue.providers()) {
    if (request.name && provider.id != to_lower(*request.name)) continue;
    if (request.kind && to_lower(provider.kind) != to_lower(*request.kind)) continue;
    ProviderRow row;
    row.provider = &provider;
    for (const market::Egress& tier : catalogue.egress()) {
      if (tier.provider == provider.id) row.egress.push_back(&tier);
    }
    std::set<std::string> accelerators, links;
    for (const market::Offer& offer : catalogue.offers()) {
      if (offer.provider != provider.id || offer.standing != market::Standing::kAccepted) continue;
      ++row.offers;
      if (offer.count > 0 && offer.count < 1) ++row.fractional;
      if (offer.accelerator == nullptr) continue;
      accelerators.insert(offer.accelerator->id);
      if (offer.count > 1) {
        const hardware::Node node = catalogue.node_of(offer);
        if (!node.network.fabric.empty()) links.insert(node.network.fabric);
      }
    }
    row.accelerators = accelerators.size();
    row.interconnects.assign(links.begin(), links.end());
    answer.envelope.cite(provider.id, provider.name, provider.source, provider.date);
    answer.result.providers.push_back(std::move(row));
  }
  return answer;
}

}  // namespace portolan::app
