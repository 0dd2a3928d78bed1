#include "market/tables.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "hardware/table_row.hpp"
#include "hardware/tables.hpp"
#include "market/freshness.hpp"

namespace portolan::market {
namespace {

using hardware::TableRow;

std::vector<std::string> flags_of(const std::string& text) {
  std::vector<std::string> flags;
  for (const std::string_view flag : split(text, ';')) {
    if (!flag.empty()) flags.emplace_back(flag);
  }
  std::ranges::sort(flags);
  return flags;
}

DateInterval observed_of(TableRow& row) {
  return {row.day("observed_earliest"), row.day("observed_latest")};
}

// "2", "0.5" or "1/3".
double count_of(TableRow& row) {
  const std::string cell = row.text("count");
  if (cell.empty()) return 0;
  const std::size_t slash = cell.find('/');
  const std::optional<double> top = parse_double(std::string_view(cell).substr(0, slash));
  const std::optional<double> bottom = slash == std::string::npos
                                           ? std::optional<double>(1)
                                           : parse_double(std::string_view(cell).substr(slash + 1));
  if (!top || !bottom || !(*top >= 0) || !(*bottom >= 1) || *top > 1e6) {
    row.problem("count is " + quoted(cell) + ", not a number of accelerators");
    return 0;
  }
  return *top / *bottom;
}

// "host=0.73948;gpu=2.93391"; without parts the price is one part.
std::vector<Component> components_of(TableRow& row, const Offer& offer) {
  std::vector<Component> components;
  const std::string text = row.has("components") ? row.text("components") : std::string();
  Money sum;
  for (const std::string_view part : split(text, ';')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const Result<Money> price = Money::parse(
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
    const std::optional<Money> total = price ? checked_add(sum, *price) : std::nullopt;
    if (!total) {
      row.problem("component " + quoted(part) + " is not kind=usd_per_hour");
      return {};
    }
    sum = *total;
    components.push_back({std::string(part.substr(0, equals)), *price, offer.source});
  }
  if (!offer.usd_per_hour) return {};
  if (components.empty()) return {{"instance", *offer.usd_per_hour, offer.source}};
  if (sum != *offer.usd_per_hour) {
    row.problem("the components add up to " + sum.text() + ", usd_per_hour is " +
                offer.usd_per_hour->text());
  }
  return components;
}

// A cell of a column that a user's table may leave out.
std::string optional_text(TableRow& row, std::string_view column) {
  return row.has(column) ? row.text(column) : std::string();
}

GateRow offer_row(TableRow& row, const hardware::Accelerators& accelerators,
                  const std::string& default_source) {
  GateRow out;
  Offer& offer = out.offer;
  offer.provider = to_lower(trim(row.text("provider")));
  offer.upstream = optional_text(row, "upstream");
  offer.sku = row.text("sku");
  offer.region = optional_text(row, "region");
  offer.zone = optional_text(row, "zone");
  offer.zone_id = optional_text(row, "zone_id");
  offer.country = optional_text(row, "country");
  if (offer.provider.empty() || offer.sku.empty()) row.problem("a row needs provider and sku");
  const std::string name = row.text("accelerator_id");
  offer.accelerator_raw = optional_text(row, "accelerator_raw");
  if (!name.empty()) {
    if (offer.accelerator_raw.empty()) offer.accelerator_raw = name;
    const Result<hardware::Resolved> found = accelerators.resolve(name, offer.provider);
    if (found) {
      offer.accelerator = found->accelerator;
      if (!found->note.empty()) offer.flags.emplace_back("form_factor_assumed");
    }
  }
  offer.count = count_of(row);
  offer.usd_per_hour = row.money("usd_per_hour");
  if (row.has("partition_memory_bytes")) {
    offer.partition_memory = row.quantity<Bytes>("partition_memory_bytes");
  }
  if (row.has("memory_reported_gb")) out.memory_reported_gb = row.number("memory_reported_gb");
  if (row.has("vcpus")) {
    if (const std::optional<double> vcpus = row.number("vcpus"); vcpus) {
      offer.vcpus = static_cast<std::int64_t>(*vcpus);
    }
  }
  if (row.has("ram_bytes")) offer.memory = row.quantity<Bytes>("ram_bytes");
  if (const std::string purchase = optional_text(row, "purchase"); !purchase.empty()) {
    if (const Result<Purchase> parsed = parse_purchase(purchase); parsed) {
      offer.purchase = *parsed;
    } else {
      row.problem(parsed.error().message);
    }
  }
  if (const std::string scope = optional_text(row, "price_scope"); !scope.empty()) {
    if (const Result<Scope> parsed = parse_scope(scope); parsed) {
      out.scope = *parsed;
    } else {
      row.problem(parsed.error().message);
    }
  }
  if (row.has("observed_earliest") && row.has("observed_latest")) offer.observed = observed_of(row);
  for (std::string& flag : flags_of(optional_text(row, "flags"))) {
    offer.flags.push_back(std::move(flag));
  }
  std::ranges::sort(offer.flags);
  offer.source = optional_text(row, "source");
  if (offer.source.empty()) offer.source = default_source;
  offer.revision = optional_text(row, "revision");
  offer.components = components_of(row, offer);
  return out;
}

// An older price: per accelerator-hour as published, times the number in the machine.
Offer history_row(TableRow& row, const hardware::Accelerators& accelerators) {
  Offer offer;
  offer.provider = row.text("provider");
  offer.sku = row.text("sku");
  offer.region = row.text("region");
  offer.accelerator = accelerators.by_id(row.text("accelerator_id"));
  if (offer.accelerator == nullptr) row.problem("accelerator_id is not in accelerators.csv");
  offer.accelerator_raw = row.text("accelerator_raw");
  offer.flags = flags_of(row.text("flags"));
  offer.count = count_of(row);
  if (!(offer.count > 0)) {
    offer.count = 1;
    offer.flags.emplace_back("count_unknown");
  }
  const std::optional<Money> each = row.money("usd_per_accelerator_hour");
  offer.usd_per_hour = row.money("usd_per_hour");
  if (!offer.usd_per_hour && each) {
    offer.usd_per_hour = checked_multiply(*each, static_cast<std::int64_t>(offer.count));
    if (offer.count > 1) offer.flags.emplace_back("price_per_accelerator_rounded");
  }
  if (const Result<Purchase> purchase = parse_purchase(row.text("purchase")); purchase) {
    offer.purchase = *purchase;
  } else {
    row.problem(purchase.error().message);
  }
  offer.observed = observed_of(row);
  offer.source = row.text("source");
  offer.revision = row.text("revision");
  std::ranges::sort(offer.flags);
  offer.gpu_component_only = std::ranges::binary_search(offer.flags, "gpu_component");
  if (offer.usd_per_hour) {
    offer.components = {
        {offer.gpu_component_only ? "gpu" : "instance", *offer.usd_per_hour, offer.source}};
  }
  if (std::ranges::binary_search(offer.flags, "not_a_sale_price")) {
    offer.standing = Standing::kRejected;
    offer.gate = "V1 not a sale price: estimated by the source";
  } else if (!offer.usd_per_hour || offer.usd_per_hour->nano() <= 0) {
    offer.standing = Standing::kRejected;
    offer.gate = "V1 no price";
  }
  return offer;
}

// "above=200000:input=6:output=22.5 above=…"
std::vector<ApiPrice::Tier> tiers_of(TableRow& row) {
  std::vector<ApiPrice::Tier> tiers;
  const std::string text = row.text("tiers");
  for (const std::string_view level : split(text, ' ')) {
    if (level.empty()) continue;
    ApiPrice::Tier tier;
    bool good = false;
    for (const std::string_view part : split(level, ':')) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view key = part.substr(0, equals), value = part.substr(equals + 1);
      if (key == "above") {
        if (const std::optional<std::int64_t> above = parse_int(value); above) {
          tier.above_tokens = *above;
          good = true;
        }
      } else if (const Result<Money> price = Money::parse(value); price) {
        (key == "input" ? tier.input : tier.output) = *price;
      }
    }
    if (!good) row.problem("tier " + quoted(level) + " is not above=N:input=P:output=P");
    tiers.push_back(tier);
  }
  return tiers;
}

ApiPrice api_row(TableRow& row) {
  ApiPrice price;
  price.provider = row.text("provider");
  price.model = row.text("model");
  price.hf_id = row.text("hf_id");
  price.context = row.integer("context_tokens");
  price.input = row.money("usd_per_mtok_input");
  price.output = row.money("usd_per_mtok_output");
  price.cache_read = row.money("usd_per_mtok_cache_read");
  price.cache_write = row.money("usd_per_mtok_cache_write");
  price.batch_input = row.money("usd_per_mtok_batch_input");
  price.batch_output = row.money("usd_per_mtok_batch_output");
  price.tiers = tiers_of(row);
  price.effective_from = row.day("effective_from");
  price.time_window = row.text("utc_window");
  price.other = row.text("other");
  price.flags = row.text("flags");
  price.observed = observed_of(row);
  price.source = row.text("source");
  return price;
}

Provider provider_row(TableRow& row) {
  Provider provider;
  provider.id = row.text("provider");
  provider.name = row.text("name");
  provider.kind = row.text("kind");
  provider.delivery_model = row.text("delivery_model");
  provider.minimum_commitment = row.text("minimum_commitment");
  provider.minimum_seconds = row.integer("minimum_seconds");
  provider.billing_quantum = row.text("billing_quantum");
  provider.billing_quantum_seconds = row.integer("billing_quantum_seconds");
  provider.spot = row.yes_no("spot");
  provider.multi_node = row.yes_no("multi_node");
  provider.stop_resume = row.yes_no("stop_resume");
  provider.discount_programmes = row.text("discount_programmes");
  provider.support_tiers = row.text("support_tiers");
  provider.price_feed = row.text("price_feed");
  provider.recalled_fields = row.text("recalled_fields");
  provider.source = row.text("source");
  provider.date = row.text("date");
  return provider;
}

Interconnect interconnect_row(TableRow& row) {
  Interconnect link;
  link.provider = row.text("provider");
  link.sku_prefix = row.text("sku_prefix");
  link.accelerator_id = row.text("accelerator_id");
  link.per_node = row.integer("accelerators_per_node").value_or(0);
  link.link_name = row.text("link");
  if (const Result<hardware::LinkKind> kind = hardware::parse_link_kind(row.text("link_topology"));
      kind) {
    link.link = *kind;
  } else {
    row.problem(kind.error().message);
  }
  link.link_per_direction = row.quantity<BytesPerSecond>("link_bytes_per_second_per_direction");
  link.link_domain = row.integer("link_domain").value_or(1);
  link.fabric = row.text("fabric");
  link.node_network = row.quantity<BytesPerSecond>("node_network_bytes_per_second_per_direction");
  link.rdma = row.yes_no("rdma");
  link.note = row.text("note");
  link.source = row.text("source");
  link.date = row.text("date");
  return link;
}

EngineSupport engine_row(TableRow& row) {
  return {.engine = row.text("engine"),
          .job = row.text("job"),
          .vendor = row.text("vendor"),
          .architecture = row.text("architecture"),
          .formats = row.text("formats"),
          .confidence = row.text("confidence"),
          .advise_proof_of_concept = row.flag("advise_proof_of_concept"),
          .note = row.text("note"),
          .source = row.text("source"),
          .date = row.text("date")};
}

Egress egress_row(TableRow& row) {
  return {.provider = row.text("provider"),
          .destination = row.text("destination"),
          .from_gb = row.number("from_gb").value_or(0),
          .to_gb = row.number("to_gb"),
          .usd_per_gb = row.number("usd_per_gb").value_or(0),
          .note = row.text("note"),
          .source = row.text("source"),
          .date = row.text("date")};
}

Constant constant_row(TableRow& row) {
  Constant constant{.key = row.text("key"),
                    .value = row.number("value").value_or(0),
                    .unit = row.text("unit"),
                    .note = row.text("note"),
                    .source = row.text("source"),
                    .date = row.text("date")};
  if (row.text("value").empty()) row.problem("constant " + quoted(constant.key) + " has no value");
  return constant;
}

Source source_row(TableRow& row) {
  return {.id = row.text("source"),
          .title = row.text("title"),
          .path = row.text("path"),
          .rank = static_cast<int>(row.integer("rank").value_or(5)),
          .trust = row.text("trust"),
          .licence = row.text("licence"),
          .note = row.text("note"),
          .date = row.text("date")};
}

}  // namespace

Result<std::vector<GateRow>> read_offers(std::string_view csv, const std::string& file,
                                         const hardware::Accelerators& accelerators,
                                         const std::string& default_source) {
  return hardware::read_table<GateRow>(
      csv, file, [&](TableRow& row) { return offer_row(row, accelerators, default_source); });
}

Date newest_observation(const Catalogue::Data& data) {
  Date newest{0};
  const auto see = [&](const DateInterval& observed, std::string_view flags) {
    // A date that only says when a copy was collected is not an observation of the price.
    if (flags.find("undated") != std::string_view::npos) return;
    if (observed.earliest && observed.latest) newest = std::max(newest, *observed.latest);
  };
  for (const Offer& offer : data.offers) see(offer.observed, {});
  for (const ApiPrice& price : data.api_prices) see(price.observed, price.flags);
  return newest;
}

void set_confidence(std::vector<Offer>& offers, const std::vector<Source>& sources, Date today) {
  for (Offer& offer : offers) offer.confidence = confidence_of(offer, sources, today);
}

Result<Catalogue::Data> build_data(
    const std::function<Result<std::string>(const std::string&)>& table) {
  Catalogue::Data data;
  const auto read = [&]<class T>(std::vector<T>& rows, const std::string& name,
                                 auto make) -> Result<void> {
    const std::string text = PORTOLAN_TRY(table(name));
    rows = PORTOLAN_TRY(hardware::read_table<T>(text, name, make));
    return {};
  };
  const std::string accelerators = PORTOLAN_TRY(table("accelerators.csv"));
  const std::string aliases = PORTOLAN_TRY(table("accelerator_aliases.csv"));
  data.accelerators = std::make_shared<const hardware::Accelerators>(
      PORTOLAN_TRY(hardware::Accelerators::from_tables(
          PORTOLAN_TRY(hardware::read_accelerators(accelerators, "accelerators.csv")),
          PORTOLAN_TRY(hardware::read_aliases(aliases, "accelerator_aliases.csv")))));
  const hardware::Accelerators& known = *data.accelerators;

  PORTOLAN_DO(read(data.sources, "sources.csv", source_row));
  PORTOLAN_DO(read(data.interconnects, "interconnects.csv", interconnect_row));
  PORTOLAN_DO(read(data.providers, "providers.csv", provider_row));
  PORTOLAN_DO(read(data.engine_support, "engine_support.csv", engine_row));
  PORTOLAN_DO(read(data.egress, "egress.csv", egress_row));
  PORTOLAN_DO(read(data.constants, "constants.csv", constant_row));
  PORTOLAN_DO(read(data.api_prices, "api_prices.csv", api_row));
  PORTOLAN_DO(read(data.history, "historical_offers.csv",
                   [&](TableRow& row) { return history_row(row, known); }));
  std::ranges::sort(data.sources, {}, &Source::id);
  std::ranges::sort(data.providers, {}, &Provider::id);
  std::ranges::sort(data.constants, {}, &Constant::key);
  std::ranges::stable_sort(data.history, offer_before);

  const std::string offers = PORTOLAN_TRY(table("offers.csv"));
  std::vector<GateRow> rows = PORTOLAN_TRY(read_offers(offers, "offers.csv", known, ""));
  data.gates = apply_gates(rows, known, data.interconnects, data.sources);
  data.offers.reserve(rows.size());
  for (GateRow& row : rows) data.offers.push_back(std::move(row.offer));
  data.date = newest_observation(data);
  set_confidence(data.offers, data.sources, data.date);
  return data;
}

}  // namespace portolan::market
