#include "market/catalogue.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "market/data.hpp"
#include "market/snapshot.hpp"
#include "market/tables.hpp"

namespace portolan::market {
namespace {

// An older price is replayed for at most a year: after that its seller is taken to have stopped.
constexpr std::int32_t kReplayDays = 365;

// Was this price known on `date`? A price whose dates are unknown cannot be placed in time; one
// that is known only to be older than a day counts from that day.
bool known_on(const DateInterval& observed, Date date) {
  if (observed.earliest) return *observed.earliest <= date;
  return observed.latest && *observed.latest <= date;
}

bool has_flag(const Offer& offer, std::string_view flag) {
  return std::ranges::binary_search(offer.flags, flag);
}

// Who sells what, how: a price of the current tables takes the place of any older one.
auto market_key(const Offer& offer) {
  return std::tuple(std::string_view(offer.provider), offer.accelerator, offer.purchase);
}

// The newest older price of each machine known on `date`, not older than a year.
std::vector<Offer> replayed(const std::vector<Offer>& history, const std::vector<Offer>& current,
                            Date date) {
  std::set<decltype(market_key(history.front()))> superseded;
  for (const Offer& offer : current) superseded.insert(market_key(offer));
  std::map<std::tuple<std::string_view, std::string_view, std::string_view, std::string_view,
                      double, Purchase, bool>,
           const Offer*>
      newest;
  for (const Offer& offer : history) {
    if (has_flag(offer, "dates_unknown") || !known_on(offer.observed, date) ||
        superseded.contains(market_key(offer)) || !offer.observed.latest ||
        days_between(*offer.observed.latest, date) > kReplayDays) {
      continue;
    }
    const std::string_view id = offer.accelerator->id;
    const Offer*& kept = newest[{offer.provider, offer.sku, offer.region, id, offer.count,
                                 offer.purchase, offer.gpu_component_only}];
    if (kept == nullptr || kept->observed.latest < offer.observed.latest) kept = &offer;
  }
  std::vector<Offer> out;
  out.reserve(newest.size());
  for (const auto& [key, offer] : newest) out.push_back(*offer);
  return out;
}

std::shared_ptr<const Catalogue> catalogue_of(Catalogue::Data data) {
  return std::make_shared<const Catalogue>(
      std::make_shared<const Catalogue::Data>(std::move(data)));
}

}  // namespace

Result<std::shared_ptr<const Catalogue>> Catalogue::from_bytes(std::string_view bytes,
                                                               const std::string& file) {
  return catalogue_of(PORTOLAN_TRY(decode(bytes, file)));
}

Result<std::shared_ptr<const Catalogue>> Catalogue::as_of(Date date) const {
  Data data = *data_;
  std::erase_if(data.offers, [&](const Offer& o) { return !known_on(o.observed, date); });
  std::erase_if(data.api_prices, [&](const ApiPrice& price) {
    const bool announced = price.effective_from && *price.effective_from <= date;
    return price.flags.find("undated") != std::string::npos ||
           !(announced || known_on(price.observed, date));
  });
  for (Offer& offer : replayed(data_->history, data.offers, date)) {
    data.offers.push_back(std::move(offer));
  }
  if (data.offers.empty() && data.api_prices.empty()) {
    return fail(ErrorCode::kNotFound,
                "the catalogue knows no price of " + date.text() + " or the year before",
                "its oldest prices are of 2016; the reference article's are of 2023-02-01");
  }
  std::ranges::stable_sort(data.offers, offer_before);
  data.date = std::min(date, data_->date);
  set_confidence(data.offers, data.sources, data.date);
  return catalogue_of(std::move(data));
}

Date Catalogue::date() const { return data_->date; }
const hardware::Accelerators& Catalogue::accelerators() const { return *data_->accelerators; }
std::span<const Offer> Catalogue::offers() const { return data_->offers; }
std::span<const ApiPrice> Catalogue::api_prices() const { return data_->api_prices; }
std::span<const Provider> Catalogue::providers() const { return data_->providers; }
std::span<const EngineSupport> Catalogue::engine_support() const { return data_->engine_support; }
std::span<const Egress> Catalogue::egress() const { return data_->egress; }
std::span<const Constant> Catalogue::constants() const { return data_->constants; }
std::span<const Source> Catalogue::sources() const { return data_->sources; }

const Provider* Catalogue::provider(std::string_view id) const {
  const auto at = std::ranges::lower_bound(data_->providers, id, {}, &Provider::id);
  return at != data_->providers.end() && at->id == id ? &*at : nullptr;
}

const Constant& Catalogue::constant(std::string_view key) const {
  const auto at = std::ranges::lower_bound(data_->constants, key, {}, &Constant::key);
  PORTOLAN_CHECK(at != data_->constants.end() && at->key == key);
  return *at;
}

std::vector<std::pair<std::string_view, std::size_t>> Catalogue::gate_counts() const {
  std::vector<std::pair<std::string_view, std::size_t>> counts;
  for (const auto& [gate, count] : data_->gates) counts.emplace_back(gate, count);
  return counts;
}

std::optional<Date> Catalogue::oldest_price_date() const {
  std::optional<Date> oldest;
  for (const Offer& offer : data_->offers) {
    if (offer.standing != Standing::kAccepted || !offer.observed.earliest) continue;
    if (!oldest || *offer.observed.earliest < *oldest) oldest = offer.observed.earliest;
  }
  return oldest;
}

}  // namespace portolan::market
