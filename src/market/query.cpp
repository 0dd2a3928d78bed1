#include "market/query.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.hpp"

namespace portolan::market {
namespace {

bool wanted(const OfferQuery& query, const Offer& offer) {
  if (!query.gpu.matches(offer)) return false;
  if (!query.providers.empty() && std::ranges::none_of(query.providers, [&](const std::string& p) {
        return glob_match(p, offer.provider);
      })) {
    return false;
  }
  if (!query.regions.empty() && std::ranges::none_of(query.regions, [&](const std::string& r) {
        return glob_match(r, offer.region);
      })) {
    return false;
  }
  return query.purchase.empty() ||
         std::ranges::find(query.purchase, offer.purchase) != query.purchase.end();
}

// Unknown ages are the oldest.
std::int64_t age_days(const Offer& offer, Date today) {
  return offer.observed.earliest ? days_between(*offer.observed.earliest, today) : INT32_MAX;
}

// Sort keys; what has no price comes last.
std::int64_t sort_key(const Offer& offer, OfferSort sort, Date today) {
  switch (sort) {
    case OfferSort::kAge:
      return age_days(offer, today);
    case OfferSort::kGpuPrice: {
      const std::optional<Money> each = offer.usd_per_accelerator_hour();
      return each ? each->nano() : INT64_MAX;
    }
    case OfferSort::kPrice:
      break;
  }
  return offer.usd_per_hour ? offer.usd_per_hour->nano() : INT64_MAX;
}

}  // namespace

OfferSelection select_offers(const Catalogue& catalogue, const OfferQuery& query) {
  OfferSelection selection;
  const Date today = catalogue.date();
  for (const Offer& offer : catalogue.offers()) {
    if (!wanted(query, offer)) continue;
    if (!offer.usd_per_hour) {
      ++selection.without_price;
      continue;
    }
    if (query.max_price && offer.usd_per_hour->per_hour() > *query.max_price) continue;
    if (query.max_age_days && age_days(offer, today) > *query.max_age_days) {
      ++selection.hidden_by_age;
      continue;
    }
    if (offer.standing != Standing::kAccepted) {
      ++selection.quarantined;
      if (!query.include_quarantined) continue;
    } else if (offer.gpu_component_only) {
      ++selection.components;
      if (!query.include_quarantined) continue;
    }
    selection.offers.push_back(&offer);
  }
  selection.matched = selection.offers.size();
  // The catalogue's order is total and the sort stable: equal keys keep it.
  std::vector<std::pair<std::int64_t, const Offer*>> order;
  order.reserve(selection.offers.size());
  for (const Offer* offer : selection.offers) {
    order.emplace_back(sort_key(*offer, query.sort, today), offer);
  }
  std::ranges::stable_sort(order, {}, &std::pair<std::int64_t, const Offer*>::first);
  for (std::size_t i = 0; i < order.size(); ++i) selection.offers[i] = order[i].second;
  return selection;
}

std::vector<Spread> price_spread(const Catalogue& catalogue, const OfferQuery& query) {
  struct Found {
    std::vector<std::int64_t> nano;
    std::set<std::string_view> providers;
  };
  std::map<std::string_view, Found> found;
  OfferQuery instances = query;
  instances.purchase = {Purchase::kOnDemand};
  for (const Offer* offer : select_offers(catalogue, instances).offers) {
    if (offer->accelerator == nullptr || offer->gpu_component_only || offer->count < 1) continue;
    const std::optional<Money> each = offer->usd_per_accelerator_hour();
    if (!each) continue;
    Found& entry = found[offer->accelerator->id];
    entry.nano.push_back(each->nano());
    entry.providers.insert(offer->provider);
  }
  std::vector<Spread> spreads;
  for (auto& [id, entry] : found) {
    std::ranges::sort(entry.nano);
    const std::size_t middle = entry.nano.size() / 2;
    Spread spread;
    spread.accelerator = catalogue.accelerators().by_id(id);
    spread.offers = entry.nano.size();
    spread.providers = entry.providers.size();
    spread.cheapest = Money::from_nano(entry.nano.front());
    spread.dearest = Money::from_nano(entry.nano.back());
    spread.median = entry.nano.size() % 2 == 1
                        ? Money::from_nano(entry.nano[middle])
                        : divide(Money::from_nano(entry.nano[middle - 1] + entry.nano[middle]), 2);
    spread.ratio = spread.dearest.dollars() / spread.cheapest.dollars();
    spreads.push_back(spread);
  }
  return spreads;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  const std::string p = to_lower(pattern), t = to_lower(text);
  // Greedy with one step back: the last '*' takes as little as possible and grows on a mismatch.
  std::size_t at = 0, i = 0, star = std::string::npos, resume = 0;
  while (i < t.size()) {
    if (at < p.size() && p[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < p.size() && p[at] == t[i]) {
      ++at;
      ++i;
    } else if (star != std::string::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (at < p.size() && p[at] == '*') ++at;
  return at == p.size();
}

}  // namespace portolan::market
