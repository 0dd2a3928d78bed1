#include "market/offer.hpp"

#include <array>
#include <cmath>
#include <tuple>

#include "base/text.hpp"
#include "market/data.hpp"

namespace portolan::market {
namespace {

constexpr std::array<std::string_view, 7> kPurchases{
    "on-demand", "spot", "reserved-1y", "reserved-3y", "capacity-block", "auction", "serverless"};

}  // namespace

std::string_view purchase_name(Purchase purchase) {
  return kPurchases[static_cast<std::size_t>(purchase)];
}

Result<Purchase> parse_purchase(std::string_view name) {
  const std::string wanted = to_lower(trim(name));
  for (std::size_t i = 0; i < kPurchases.size(); ++i) {
    if (kPurchases[i] == wanted) return static_cast<Purchase>(i);
  }
  if (wanted == "ondemand" || wanted == "on_demand") return Purchase::kOnDemand;
  std::string hint = did_you_mean(wanted, kPurchases);
  if (hint.empty()) {
    hint = "write on-demand, spot, reserved-1y, reserved-3y, capacity-block, auction or serverless";
  }
  return fail(ErrorCode::kInvalidInput, quoted(name) + " is no way to buy", std::move(hint));
}

std::optional<Money> Offer::usd_per_accelerator_hour() const {
  if (!usd_per_hour || !(count > 0)) return std::nullopt;
  if (count == std::floor(count) && count < 1e9) {
    return divide(*usd_per_hour, static_cast<std::int64_t>(count));
  }
  return to_money(Usd(usd_per_hour->dollars() / count));
}

bool offer_before(const Offer& a, const Offer& b) {
  const auto key = [](const Offer& o) {
    return std::tie(o.provider, o.upstream, o.sku, o.region, o.zone, o.zone_id);
  };
  if (key(a) != key(b)) return key(a) < key(b);
  const std::string_view id_a = a.accelerator != nullptr ? a.accelerator->id : std::string_view();
  const std::string_view id_b = b.accelerator != nullptr ? b.accelerator->id : std::string_view();
  const auto rest = [](const Offer& o) {
    return std::tie(o.accelerator_raw, o.count, o.purchase, o.gpu_component_only, o.usd_per_hour,
                    o.source, o.revision, o.observed.earliest, o.observed.latest, o.vcpus, o.memory,
                    o.flags);
  };
  return id_a != id_b ? id_a < id_b : rest(a) < rest(b);
}

}  // namespace portolan::market
