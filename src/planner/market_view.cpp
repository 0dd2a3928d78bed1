#include "planner/market_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <tuple>

#include "base/text.hpp"

namespace portolan::planner {
namespace {

using market::Purchase;

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& item) {
    return item.size() == name.size() && starts_with_ignoring_case(item, name);
  });
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ", ") + printable(item);
  return text;
}

// Everything physics may depend on; what is left out (region, price, host) it may not.
auto physics(const Shape& shape) {
  const hardware::Node& node = shape.node;
  return std::tuple(std::string_view(node.accelerator->id), shape.share,
                    shape.partition_memory.value_or(Bytes(-1)), node.count, node.link,
                    node.link_per_direction.value_or(BytesPerSecond(-1)), node.link_domain,
                    node.network.per_accelerator.value_or(BytesPerSecond(-1)),
                    static_cast<int>(node.network.rdma.value_or(false)) +
                        static_cast<int>(node.network.rdma.has_value()),
                    std::string_view(node.network.fabric), shape.multi_node);
}

// A partition gets its share of everything: how a slice is really cut is the provider's secret.
hardware::Accelerator partition_of(const hardware::Accelerator& whole, double share,
                                   std::optional<Bytes> memory) {
  hardware::Accelerator part = whole;
  part.memory = memory.value_or(whole.memory * share);
  part.memory_label_bytes *= share;
  part.bandwidth *= share;
  for (auto& peak : part.peak) {
    if (peak) *peak *= share;
  }
  if (part.tdp) *part.tdp *= share;
  if (part.measured_bf16) *part.measured_bf16 *= share;
  if (part.measured_fp8) *part.measured_fp8 *= share;
  if (part.multiprocessors) {
    part.multiprocessors = std::max(1, static_cast<int>(std::floor(*part.multiprocessors * share)));
  }
  return part;
}

std::vector<std::string_view> provider_names(const Market& market) {
  std::vector<std::string_view> names;
  for (const market::Provider& provider : market.providers) names.emplace_back(provider.id);
  for (const Listing& listing : market.listings) names.emplace_back(listing.offer->provider);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::optional<Error> unknown_provider(const std::vector<std::string_view>& known,
                                      std::string_view name, Where where) {
  const bool found = std::any_of(known.begin(), known.end(), [&](std::string_view id) {
    return id.size() == name.size() && starts_with_ignoring_case(id, name);
  });
  if (found) return std::nullopt;
  const std::string guess = did_you_mean(name, known);
  Error error{.code = ErrorCode::kInvalidInput,
              .message = fmt::format("unknown provider {}", quoted(name)),
              .where = {},
              .why = {},
              .hint = guess.empty() ? "portolan providers lists them" : guess,
              .also = {}};
  error.where = std::move(where);
  return error;
}

}  // namespace

const market::Provider* Market::provider(std::string_view id) const {
  const auto found = std::find_if(providers.begin(), providers.end(),
                                  [&](const market::Provider& p) { return p.id == id; });
  return found == providers.end() ? nullptr : &*found;
}

double Market::spot_hazard_per_hour(const hardware::Accelerator& accelerator) const {
  double share = 0;
  for (const SpotLoss& loss : spot_loss) share = std::max(share, loss.per_month);
  for (const SpotLoss& loss : spot_loss) {
    // "l4" is not "l40s": the prefix ends where the id's next part begins.
    const std::string_view id = accelerator.id;
    if (id.starts_with(loss.prefix) &&
        (id.size() == loss.prefix.size() || id[loss.prefix.size()] == '-')) {
      share = loss.per_month;
    }
  }
  return share >= 1 ? 1e9 : -std::log1p(-share) / kMonth.in(kHour);
}

Market market_of(const market::Catalogue& catalogue) {
  Market market;
  market.providers = catalogue.providers();
  market.support = catalogue.engine_support();
  market.accelerators = &catalogue.accelerators();
  market.listings.reserve(catalogue.offers().size());
  for (const market::Offer& offer : catalogue.offers()) {
    market.listings.push_back({&offer, catalogue.node_of(offer)});
  }
  constexpr std::string_view kPrefix = "spot_interruption_per_month.";
  for (const market::Constant& constant : catalogue.constants()) {
    if (constant.key.starts_with(kPrefix)) {
      market.spot_loss.push_back({constant.key.substr(kPrefix.size()), constant.value});
    }
  }
  return market;
}

Shapes fold_into_shapes(const Market& market) {
  Shapes result;
  std::vector<Shape> all;
  std::vector<std::size_t> origin;
  result.of_listing.assign(market.listings.size(), -1);
  for (std::size_t i = 0; i < market.listings.size(); ++i) {
    const Listing& listing = market.listings[i];
    const hardware::Accelerator* accelerator = listing.node.accelerator;
    const double count = listing.offer->count;
    if (accelerator == nullptr || accelerator->is_cpu || !accelerator->planned) continue;
    if (!(count > 0) || listing.offer->gpu_component_only) continue;
    Shape shape{.node = listing.node, .share = 1, .partition_memory = {}, .multi_node = false};
    if (count < 1) {
      shape.share = count;
      shape.partition_memory = listing.offer->partition_memory;
      shape.node.count = 1;
      shape.node.link = hardware::LinkKind::kNone;
      shape.node.link_per_direction.reset();
      shape.node.network = {};
    } else {
      const market::Provider* provider = market.provider(listing.offer->provider);
      shape.multi_node = provider != nullptr && provider->multi_node.value_or(false) &&
                         shape.node.network.per_accelerator.has_value();
      // A network nobody can use does not make two machines different.
      if (!shape.multi_node) shape.node.network = {};
    }
    all.push_back(std::move(shape));
    origin.push_back(i);
  }
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return physics(all[a]) < physics(all[b]); });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Shape& shape = all[order[i]];
    if (i == 0 || physics(all[order[i - 1]]) != physics(shape)) result.shapes.push_back(shape);
    result.of_listing[origin[order[i]]] = static_cast<int>(result.shapes.size()) - 1;
  }
  for (Shape& shape : result.shapes) {
    if (shape.share >= 1) continue;
    result.partitions.push_back(
        partition_of(*shape.node.accelerator, shape.share, shape.partition_memory));
    shape.node.accelerator = &result.partitions.back();
  }
  return result;
}

Result<Filter> Filter::make(const Job& job, const Market& market, Date today) {
  Filter filter;
  filter.where_ = job.where;
  filter.today_ = today;
  filter.purchase_ = job.where.purchase;
  if (filter.purchase_.empty()) {
    filter.purchase_by_default_ = true;
    filter.purchase_ = {Purchase::kOnDemand};
    if (job.kind != JobKind::kServe) filter.purchase_.push_back(Purchase::kSpot);
  }
  const std::vector<std::string_view> known = provider_names(market);
  std::vector<Error> problems;
  const auto check_provider = [&](std::string_view name, std::string pointer) {
    if (auto error = unknown_provider(known, name, where_in(job, std::move(pointer)))) {
      problems.push_back(*std::move(error));
    }
  };
  const auto read_gpu = [&](const std::string& text, const std::string& pointer) {
    Result<market::GpuFilter> gpu = market::parse_gpu_filter(text, *market.accelerators);
    if (gpu) {
      filter.notes_.insert(filter.notes_.end(), gpu->notes.begin(), gpu->notes.end());
    } else {
      Error error = gpu.error();
      error.where = where_in(job, pointer);
      problems.push_back(std::move(error));
    }
    return gpu;
  };
  const WhereToLook& where = job.where;
  for (std::size_t i = 0; i < where.providers.size(); ++i) {
    check_provider(where.providers[i], fmt::format("/where/providers/{}", i));
  }
  for (std::size_t i = 0; i < where.exclude_providers.size(); ++i) {
    check_provider(where.exclude_providers[i], fmt::format("/where/exclude_providers/{}", i));
  }
  for (const Quota& quota : where.quotas) {
    check_provider(quota.provider, "/where/quotas/" + quota.provider);
  }
  for (std::size_t i = 0; i < where.gpus.size(); ++i) {
    auto gpu = read_gpu(where.gpus[i], fmt::format("/where/gpus/{}", i));
    if (gpu) filter.gpus_.push_back(*std::move(gpu));
  }
  for (std::size_t i = 0; i < where.sold_out.size(); ++i) {
    const SoldOut& fact = where.sold_out[i];
    const std::string pointer = fmt::format("/where/sold_out/{}", i);
    if (!fact.provider.empty()) check_provider(fact.provider, pointer + "/provider");
    SoldOutRule rule{.provider = fact.provider, .region = fact.region, .gpu = {}};
    if (!fact.gpu.empty()) {
      auto gpu = read_gpu(fact.gpu, pointer + "/gpu");
      if (gpu) rule.gpu = *std::move(gpu);
    }
    filter.sold_out_.push_back(std::move(rule));
  }
  if (!problems.empty())
    return fail(combine(std::move(problems), job.file.empty() ? "the job" : job.file));
  return filter;
}

std::optional<Filter::Refusal> Filter::refuses(const market::Offer& offer) const {
  const auto matches_any = [&](const std::vector<std::string>& globs, std::string_view text) {
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return market::glob_match(glob, text); });
  };
  if (!where_.providers.empty() && !contains(where_.providers, offer.provider)) {
    return Refusal{
        fmt::format("provider {} is not among {}", offer.provider, joined(where_.providers)),
        fmt::format("add {} to where.providers", offer.provider)};
  }
  if (contains(where_.exclude_providers, offer.provider)) {
    return Refusal{fmt::format("provider {} is excluded", offer.provider),
                   fmt::format("take {} out of where.exclude_providers", offer.provider)};
  }
  if (!where_.regions.empty() && !matches_any(where_.regions, offer.region)) {
    return Refusal{fmt::format("region {} is not among {}",
                               offer.region.empty() ? "unknown" : printable(offer.region),
                               joined(where_.regions)),
                   fmt::format("add {} to where.regions", printable(offer.region))};
  }
  if (!where_.countries.empty() && !contains(where_.countries, offer.country)) {
    return Refusal{
        fmt::format("country {} is not among {}", offer.country.empty() ? "unknown" : offer.country,
                    joined(where_.countries)),
        fmt::format("add {} to where.countries", offer.country)};
  }
  if (!gpus_.empty() && std::none_of(gpus_.begin(), gpus_.end(),
                                     [&](const auto& gpu) { return gpu.matches(offer); })) {
    return Refusal{fmt::format("{} is not among {}",
                               offer.accelerator == nullptr ? printable(offer.accelerator_raw)
                                                            : offer.accelerator->id,
                               joined(where_.gpus)),
                   "widen where.gpus"};
  }
  if (std::find(purchase_.begin(), purchase_.end(), offer.purchase) == purchase_.end()) {
    const std::string_view name = market::purchase_name(offer.purchase);
    return Refusal{
        fmt::format("{} offers were not {}", name,
                    purchase_by_default_ ? "looked at without a purchase key" : "asked for"),
        fmt::format("where: {{purchase: [{}, …]}}", name)};
  }
  if (where_.max_price_age_days) {
    const std::optional<Date> seen =
        offer.observed.earliest ? offer.observed.earliest : offer.observed.latest;
    const bool old = !seen || days_between(*seen, today_) > *where_.max_price_age_days;
    if (old) {
      return Refusal{seen ? fmt::format("its price is {} d old, at most {} d are wanted",
                                        days_between(*seen, today_), *where_.max_price_age_days)
                          : std::string("its price has no date"),
                     "raise where.max_price_age, or import newer prices"};
    }
  }
  return std::nullopt;
}

std::optional<Filter::Refusal> Filter::sold_out(const market::Offer& offer) const {
  for (const SoldOutRule& rule : sold_out_) {
    const bool provider =
        rule.provider.empty() || (offer.provider.size() == rule.provider.size() &&
                                  starts_with_ignoring_case(offer.provider, rule.provider));
    const bool region = rule.region.empty() || market::glob_match(rule.region, offer.region);
    if (provider && region && (!rule.gpu || rule.gpu->matches(offer))) {
      return Refusal{"where.sold_out says there is none", "take the entry out of where.sold_out"};
    }
  }
  return std::nullopt;
}

std::optional<double> Filter::quota(const market::Offer& offer) const {
  for (const Quota& quota : where_.quotas) {
    if (quota.provider.size() == offer.provider.size() &&
        starts_with_ignoring_case(offer.provider, quota.provider)) {
      return quota.accelerators;
    }
  }
  return std::nullopt;
}

std::string offer_text(const market::Offer& offer) {
  std::string text;
  if (offer.accelerator != nullptr && !(offer.count > 0)) {
    text = offer.accelerator->id;
  } else if (offer.accelerator != nullptr) {
    text = offer.count < 1
               ? fmt::format("{} of a {}", significant(offer.count, 3), offer.accelerator->id)
               : fmt::format("{}x {}", significant(offer.count, 4), offer.accelerator->id);
  } else {
    text = offer.accelerator_raw.empty() ? "a host without accelerator"
                                         : printable(offer.accelerator_raw);
  }
  text += fmt::format(" of {} {}", offer.provider, printable(offer.sku));
  if (!offer.region.empty()) text += fmt::format(" in {}", printable(offer.region));
  return text + fmt::format(", {}", market::purchase_name(offer.purchase));
}

}  // namespace portolan::planner
