// Filtering, sorting and summarising offers: the GPU grammar, price spread per accelerator.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "market/catalogue.hpp"

namespace portolan::market {

/// `nvidia:A100,H100:80GB:1..8` (experience.md §9). Empty = anything.
struct GpuFilter {
  std::string vendor;                            // lower case, empty = any
  std::vector<std::string> accelerator_ids;      // resolved, sorted; empty = any
  std::optional<Bytes> memory_low, memory_high;  // label bytes per accelerator, inclusive
  std::optional<double> count_low, count_high;
  std::vector<std::string>
      notes;  // which accelerator an ambiguous name took, implausible count hints
  [[nodiscard]] bool matches(const Offer& offer) const;
  [[nodiscard]] bool matches(const hardware::Accelerator& accelerator) const;
};
/// Errors: invalid_input (empty part, repeated part, empty range, unknown name with nearest).
Result<GpuFilter> parse_gpu_filter(std::string_view text,
                                   const hardware::Accelerators& accelerators);

enum class OfferSort : std::uint8_t { kPrice, kGpuPrice, kAge };
struct OfferQuery {
  GpuFilter gpu;
  std::vector<std::string> providers, regions;  // regions are globs ("us-*")
  std::vector<Purchase> purchase;               // empty = all
  std::optional<UsdRate> max_price;             // per instance hour
  std::optional<std::int32_t> max_age_days;
  bool include_quarantined = false;
  OfferSort sort = OfferSort::kPrice;
};
struct OfferSelection {
  std::vector<const Offer*> offers;  // sorted, total order
  std::size_t matched = 0, without_price = 0, quarantined = 0, hidden_by_age = 0;
  std::size_t components = 0;  // attachable accelerators without their host: no price of a machine,
                               // hidden like quarantined rows
};
OfferSelection select_offers(const Catalogue& catalogue, const OfferQuery& query);

/// Dispersion per accelerator (R48): cheapest, median, dearest accepted on-demand instance price
/// per accelerator-hour, and their ratio.
struct Spread {
  const hardware::Accelerator* accelerator = nullptr;
  std::size_t offers = 0, providers = 0;
  Money cheapest, median, dearest;
  double ratio = 0;
};
std::vector<Spread> price_spread(const Catalogue& catalogue, const OfferQuery& query);

bool glob_match(std::string_view pattern, std::string_view text);  // '*' only, case-insensitive

}  // namespace portolan::market
