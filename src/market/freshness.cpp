#include "market/freshness.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace portolan::market {
namespace {

constexpr double kUnknownAge = 10;  // half-lives

// What a flag costs; gates that only warn lower confidence here.
struct Discount {
  std::string_view flag;
  double factor;
};
constexpr std::array<Discount, 14> kDiscounts{{{"dates_unknown", 0.5},
                                               {"form_factor_assumed", 0.9},
                                               {"host_part_scaled_from_1g", 0.95},
                                               {"recalled", 0.5},
                                               {"region_not_availability", 0.8},
                                               {"same_price_copied_across_hosts", 0.6},
                                               {"shape_recalled", 0.95},
                                               {"v13_conflict", 0.7},
                                               {"v16_count_repaired", 0.9},
                                               {"v4_spot_formula", 0.5},
                                               {"v5_spot_near_ondemand", 0.7},
                                               {"v6_regional_low", 0.8},
                                               {"v8_one_price_many_regions", 0.8},
                                               {"v9_far_from_median", 0.7}}};

double rank_factor(int rank) {
  constexpr std::array<double, 6> kByRank{0.5, 1.0, 0.95, 0.85, 0.75, 0.5};
  return kByRank[rank >= 1 && rank <= 5 ? static_cast<std::size_t>(rank) : 0];
}

}  // namespace

double half_life_days(Purchase purchase) {
  switch (purchase) {
    case Purchase::kAuction:
      return 0.25;
    case Purchase::kSpot:
      return 1;
    case Purchase::kReserved1y:
    case Purchase::kReserved3y:
    case Purchase::kCapacityBlock:
      return 180;
    case Purchase::kOnDemand:
    case Purchase::kServerless:
      break;
  }
  return 60;
}

double age_in_half_lives(const Offer& offer, Date today) {
  if (!offer.observed.earliest) return kUnknownAge;
  const double days = std::max(0, days_between(*offer.observed.earliest, today));
  return days / half_life_days(offer.purchase);
}

Freshness freshness(const Offer& offer, Date today) {
  const double age = age_in_half_lives(offer, today);
  return age < 1 ? Freshness::kFresh : age <= 3 ? Freshness::kAgeing : Freshness::kStale;
}

double confidence_of(const Offer& offer, std::span<const Source> sources, Date today) {
  if (offer.standing == Standing::kRejected) return 0;
  const bool own = std::ranges::binary_search(offer.flags, kYourPrice);
  if (own && offer.standing == Standing::kAccepted) return 1;
  const auto source = std::ranges::lower_bound(sources, offer.source, {}, &Source::id);
  const bool known = source != sources.end() && source->id == offer.source;
  double value = rank_factor(known ? source->rank : 0);
  value *= std::exp2(-age_in_half_lives(offer, today));
  for (const std::string& flag : offer.flags) {
    for (const Discount& discount : kDiscounts) {
      if (discount.flag == flag) value *= discount.factor;
    }
  }
  if (offer.standing == Standing::kQuarantined) value *= 0.1;
  return value;
}

}  // namespace portolan::market
