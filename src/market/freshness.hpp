// How old a price is and how far it can be trusted.
#pragma once

#include <span>
#include <string_view>

#include "market/catalogue.hpp"

namespace portolan::market {

/// Days after which confidence in a price of this kind has halved (catalogue.md §7).
double half_life_days(Purchase purchase);
inline constexpr double kApiHalfLifeDays = 14;

/// Marks an offer of the user's own table: it is what they pay, whatever its date.
inline constexpr std::string_view kYourPrice = "your_price";

/// 0–1: rank of the source, age on `today` from the earliest bound, and what the gates and the
/// collectors noted. A price whose age is unknown counts as ten half-lives old.
double confidence_of(const Offer& offer, std::span<const Source> sources, Date today);

}  // namespace portolan::market
