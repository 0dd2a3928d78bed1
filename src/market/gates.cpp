#include "market/gates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.hpp"

namespace portolan::market {
namespace {

using Rows = std::vector<GateRow>;
using Group = std::vector<GateRow*>;

constexpr std::array<std::string_view, 5> kScopes{"instance", "composed", "gpu_component", "slice",
                                                  "derived"};

void flag(Offer& offer, std::string_view name) {
  const auto at = std::ranges::lower_bound(offer.flags, name);
  if (at == offer.flags.end() || *at != name) offer.flags.emplace(at, name);
}

bool has_flag(const Offer& offer, std::string_view name) {
  return std::ranges::binary_search(offer.flags, name);
}

// The first gate that sets an offer aside is the one that is told.
void set_aside(Offer& offer, Standing standing, std::string gate) {
  if (offer.standing >= standing) return;
  offer.standing = standing;
  offer.gate = std::move(gate);
}

void quarantine(Offer& offer, std::string gate) {
  set_aside(offer, Standing::kQuarantined, std::move(gate));
}

std::string_view accelerator_id(const Offer& offer) {
  return offer.accelerator != nullptr ? std::string_view(offer.accelerator->id)
                                      : std::string_view();
}

// The price where there is one to compare: rejected rows have none.
std::optional<Money> price_of(const GateRow& row) {
  return row.offer.standing == Standing::kRejected ? std::nullopt : row.offer.usd_per_hour;
}

double ratio(Money a, Money b) {
  return static_cast<double>(a.nano()) / static_cast<double>(b.nano());
}

// USD per accelerator-hour where price and number are known, else 0.
double price_each(const GateRow& row) {
  const std::optional<Money> price = price_of(row);
  return price && row.offer.count > 0 ? price->dollars() / row.offer.count : 0;
}

bool whole_machine(const GateRow& row) {
  return row.scope == Scope::kInstance || row.scope == Scope::kComposed;
}

// One SKU in one place: its rows differ in how it is bought.
auto place_key(const GateRow& row) {
  const Offer& o = row.offer;
  return std::tuple(std::string_view(o.provider), std::string_view(o.upstream),
                    std::string_view(o.sku), std::string_view(o.region), std::string_view(o.zone),
                    std::string_view(o.zone_id), accelerator_id(o), o.count, row.scope);
}

template <class Key>
auto grouped(Rows& rows, Key key) {
  std::map<decltype(key(rows.front())), Group> groups;
  for (GateRow& row : rows) groups[key(row)].push_back(&row);
  return groups;
}

// V11: the offer's memory figure only picks a variant of the part.
void check_memory(GateRow& row, const hardware::Accelerators& accelerators, GateCounts& counts) {
  Offer& offer = row.offer;
  if (offer.accelerator == nullptr || !row.memory_reported_gb || !(*row.memory_reported_gb > 0)) {
    return;
  }
  const auto fits = [&](const hardware::Accelerator& accelerator, double tolerance) {
    const Bytes label = accelerator.memory_label_bytes;
    if (!(label.raw() > 0)) return true;
    const Bytes decimal = *row.memory_reported_gb * kGB, binary = *row.memory_reported_gb * kGiB;
    return std::fabs(decimal / label - 1) <= tolerance ||
           std::fabs(binary / label - 1) <= tolerance;
  };
  if (fits(*offer.accelerator, 0.15)) return;
  ++counts["V11"];
  if (offer.partition_memory) {
    flag(offer, "v11_share_of_memory");
    return;
  }
  const hardware::Accelerator* better = nullptr;
  int found = 0;
  for (const hardware::Accelerator& other : accelerators.all()) {
    const hardware::Accelerator& now = *offer.accelerator;
    if (other.vendor == now.vendor && other.architecture == now.architecture &&
        other.form_factor == now.form_factor && other.memory_label_bytes.raw() > 0 &&
        other.planned && fits(other, 0.12)) {
      better = &other;
      ++found;
    }
  }
  const std::string figure = shortest(*row.memory_reported_gb) + " GB";
  if (found == 1) {
    offer.accelerator = better;
    flag(offer, "v11_other_variant_by_memory");
  } else {
    quarantine(offer, "V11 memory differs: " + figure + ", the table says " +
                          offer.accelerator->memory_label);
  }
}

// V16: an accelerator SKU without a count is repaired from what is known, else not planned on.
void check_count(GateRow& row, std::span<const Interconnect> interconnects, GateCounts& counts) {
  Offer& offer = row.offer;
  if (offer.accelerator == nullptr || offer.count > 0) return;
  ++counts["V16"];
  const Bytes label = offer.accelerator->memory_label_bytes;
  if (offer.partition_memory && offer.partition_memory->raw() > 0 && label.raw() > 0) {
    offer.count = 1 / std::round(label / *offer.partition_memory);
    flag(offer, "v16_count_repaired");
    return;
  }
  for (const Interconnect& known : interconnects) {
    if (known.provider == offer.provider && known.sku_prefix == offer.sku &&
        known.accelerator_id == offer.accelerator->id) {
      offer.count = static_cast<double>(known.per_node);
      flag(offer, "v16_count_repaired");
      return;
    }
  }
  quarantine(offer, "V16 number of accelerators unknown");
}

// V13, V14: one key and purchase more than once. Identical rows are one; otherwise the better
// ranked, then newer source is used and the others are kept and shown.
void resolve_duplicates(Rows& rows, std::span<const Source> sources, GateCounts& counts) {
  const auto rank = [&](const Offer& offer) {
    const auto at = std::ranges::lower_bound(sources, offer.source, {}, &Source::id);
    return at != sources.end() && at->id == offer.source ? at->rank : 6;
  };
  std::set<const GateRow*> dropped;
  for (auto& [key, group] : grouped(rows, [](const GateRow& row) {
         return std::tuple_cat(place_key(row), std::tuple(row.offer.purchase));
       })) {
    if (group.size() == 1) continue;
    std::ranges::stable_sort(group, [&](const GateRow* a, const GateRow* b) {
      const int rank_a = rank(a->offer), rank_b = rank(b->offer);
      if (rank_a != rank_b) return rank_a < rank_b;
      if (a->offer.observed.latest != b->offer.observed.latest) {
        return a->offer.observed.latest > b->offer.observed.latest;
      }
      return offer_before(a->offer, b->offer);
    });
    const Offer& used = group.front()->offer;
    for (std::size_t i = 1; i < group.size(); ++i) {
      Offer& other = group[i]->offer;
      if (!offer_before(used, other) && !offer_before(other, used)) {
        dropped.insert(group[i]);
        ++counts["V14"];
        continue;
      }
      ++counts["V13"];
      flag(group.front()->offer, "v13_conflict");
      flag(other, "v13_conflict");
      quarantine(other, "V13 another source is used for this key: " + used.source +
                            (used.usd_per_hour ? " says " + used.usd_per_hour->text() : ""));
    }
  }
  if (dropped.empty()) return;
  Rows kept;
  kept.reserve(rows.size() - dropped.size());
  for (GateRow& row : rows) {
    if (!dropped.contains(&row)) kept.push_back(std::move(row));
  }
  rows = std::move(kept);
}

// V1 and V20: what is no price, what has no possible date.
void reject_impossible(Rows& rows, GateCounts& counts) {
  for (GateRow& row : rows) {
    Offer& offer = row.offer;
    if (!offer.usd_per_hour || offer.usd_per_hour->nano() <= 0) {
      ++counts["V1"];
      set_aside(offer, Standing::kRejected,
                offer.usd_per_hour ? "V1 no price: " + offer.usd_per_hour->text() : "V1 no price");
      offer.usd_per_hour.reset();
      offer.components.clear();
    } else if (offer.observed.earliest && offer.observed.latest &&
               *offer.observed.earliest > *offer.observed.latest) {
      ++counts["V20"];
      set_aside(offer, Standing::kRejected,
                "V20 observed until " + offer.observed.latest->text() + " before it began");
    }
  }
}

bool first_sku_feed(const Offer& offer) { return offer.source.ends_with("-gcp"); }

// Exactly 0.01, 0.10 or 1.00 per accelerator-hour.
bool is_round_floor(const Offer& offer) {
  if (!offer.usd_per_hour || !(offer.count > 0) || offer.count != std::floor(offer.count)) {
    return false;
  }
  const auto count = static_cast<std::int64_t>(offer.count);
  const std::int64_t nano = offer.usd_per_hour->nano();
  return nano == 10'000'000 * count || nano == 100'000'000 * count || nano == 1'000'000'000 * count;
}

void quarantine_floor(Offer& offer, GateCounts& counts) {
  if (offer.standing != Standing::kAccepted) return;
  ++counts["V10"];
  quarantine(offer,
             "V10 equal to a round bid floor: " + offer.usd_per_hour.value_or(Money()).text() +
                 " for " + shortest(offer.count));
}

// V2–V5 and the certain half of V10: spot beside on-demand of the same SKU in the same place.
void compare_spot(GateRow& ondemand, GateRow& spot, GateCounts& counts) {
  const std::optional<Money> full = price_of(ondemand), cheap = price_of(spot);
  if (!full || !cheap) return;
  const double share = ratio(*cheap, *full);
  const std::string figures = cheap->text() + " against " + full->text();
  if (share > 0.7 && first_sku_feed(ondemand.offer) && ondemand.scope == Scope::kGpuComponent) {
    ++counts["V5 components"];
  }
  if (cheap->nano() == full->nano()) {
    ++counts["V3"];
    flag(ondemand.offer, "v3_spot_equals_ondemand");
    set_aside(spot.offer, Standing::kRejected,
              "V3 spot equals on-demand, not a market price: " + cheap->text());
    if (is_round_floor(ondemand.offer)) quarantine_floor(ondemand.offer, counts);
    return;
  }
  if (share > 1.0001) {
    ++counts["V2"];
    quarantine(ondemand.offer, "V2 spot above on-demand: " + figures);
    quarantine(spot.offer, "V2 spot above on-demand: " + figures);
    return;
  }
  for (const double formula : {0.1, 0.3, 0.5}) {
    if (std::fabs(share - formula) < 5e-5) {
      ++counts["V4"];
      flag(spot.offer, "v4_spot_formula");
      // A tenth is the bid floor of an empty market. A floor must never win a ranking, and it
      // would: it is the lowest price a spot market can show.
      if (formula == 0.1)
        quarantine(spot.offer, "V4 spot at the floor of a tenth of on-demand: " + figures);
    }
  }
  if (share > 0.7) {
    ++counts["V5"];
    if (first_sku_feed(ondemand.offer)) {
      quarantine(ondemand.offer, "V5 on-demand too near spot for this source: " + figures);
    } else {
      flag(spot.offer, "v5_spot_near_ondemand");
    }
  }
}

void compare_purchases(Rows& rows, GateCounts& counts) {
  for (auto& [key, group] : grouped(rows, place_key)) {
    for (GateRow* ondemand : group) {
      if (ondemand->offer.purchase != Purchase::kOnDemand) continue;
      for (GateRow* spot : group) {
        if (spot->offer.purchase == Purchase::kSpot || spot->offer.purchase == Purchase::kAuction) {
          compare_spot(*ondemand, *spot, counts);
        }
      }
    }
  }
}

// V7: components of one accelerator in one zone must cost the same each, however many are attached.
void compare_counts(Rows& rows, GateCounts& counts) {
  for (auto& [key, group] : grouped(rows, [](const GateRow& row) {
         return std::tuple(std::string_view(row.offer.provider), std::string_view(row.offer.zone),
                           accelerator_id(row.offer), row.offer.purchase, row.scope);
       })) {
    if (std::get<3>(key) != Purchase::kOnDemand || std::get<4>(key) != Scope::kGpuComponent) {
      continue;
    }
    double highest = 0;
    bool fired = false;
    for (const GateRow* row : group) highest = std::max(highest, price_each(*row));
    for (GateRow* row : group) {
      const double each = price_each(*row);
      if (!(each > 0) || each * 1.25 >= highest) continue;
      fired = true;
      quarantine(row->offer, "V7 not linear in the number attached: " + significant(each, 5) +
                                 " each, " + significant(highest, 5) +
                                 " each at another number in this zone");
    }
    if (fired) ++counts["V7"];
  }
}

// Set aside because of its price, not because its machine is unknown.
bool price_doubted(const Offer& offer) {
  constexpr std::array<std::string_view, 4> kPriceGates{"V2 ", "V5 ", "V7 ", "V10 "};
  return std::ranges::any_of(kPriceGates,
                             [&](std::string_view gate) { return offer.gate.starts_with(gate); });
}

// V6: one SKU across the regions of one provider, government regions apart.
void compare_regions(Rows& rows, GateCounts& counts) {
  for (auto& [key, group] : grouped(rows, [](const GateRow& row) {
         const Offer& o = row.offer;
         return std::tuple(std::string_view(o.provider), std::string_view(o.upstream),
                           std::string_view(o.sku), accelerator_id(o), o.count, row.scope,
                           o.purchase, has_flag(o, "government_region"));
       })) {
    if (std::get<6>(key) != Purchase::kOnDemand) continue;
    Money highest, lowest;
    for (const GateRow* row : group) {
      const std::optional<Money> price = price_of(*row);
      if (!price) continue;
      highest = std::max(highest, *price);
      lowest = lowest.nano() == 0 ? *price : std::min(lowest, *price);
    }
    if (lowest.nano() == 0 || ratio(highest, lowest) <= 1.8) continue;
    ++counts[ratio(highest, lowest) > 2.5 ? "V6 above 2.5" : "V6 above 1.8"];
    std::vector<std::pair<GateRow*, Money>> low;
    bool agreed = false;
    for (GateRow* row : group) {
      const std::optional<Money> price = price_of(*row);
      if (!price || ratio(highest, *price) <= 1.8) continue;
      low.emplace_back(row, *price);
      agreed = agreed || price_doubted(row->offer);
    }
    for (const auto& [row, price] : low) {
      flag(row->offer, "v6_regional_low");
      if (agreed) {
        quarantine(row->offer, "V6 low side of regions " + significant(ratio(highest, lowest), 3) +
                                   "x apart, others of it set aside: " + price.text() +
                                   " against " + highest.text());
      }
    }
  }
}

// A composed price is as good as its accelerator part: the component row of the same zone.
void inherit_from_components(Rows& rows) {
  std::map<std::tuple<std::string_view, std::string_view, std::string_view, Purchase>, const Offer*>
      components;
  for (const GateRow& row : rows) {
    const Offer& o = row.offer;
    if (row.scope == Scope::kGpuComponent && o.count == 1) {
      components[{o.provider, o.zone, o.accelerator_raw, o.purchase}] = &o;
    }
  }
  for (GateRow& row : rows) {
    Offer& offer = row.offer;
    if (row.scope != Scope::kComposed) continue;
    const auto at =
        components.find({offer.provider, offer.zone, offer.accelerator_raw, offer.purchase});
    if (at == components.end()) continue;
    for (const std::string& name : at->second->flags) {
      if (name.starts_with('v')) flag(offer, name);
    }
    if (at->second->standing != Standing::kAccepted) {
      set_aside(offer, at->second->standing, at->second->gate + " (its gpu part)");
    }
  }
}

// V8: the same five-digit price in ten or more regions while other regions differ.
void find_copied_prices(Rows& rows, GateCounts& counts) {
  for (auto& [key, group] : grouped(rows, [](const GateRow& row) {
         return std::tuple(std::string_view(row.offer.provider), std::string_view(row.offer.sku),
                           row.offer.purchase, row.scope);
       })) {
    std::map<Money, std::set<std::string_view>> regions;
    for (const GateRow* row : group) {
      const std::optional<Money> price = price_of(*row);
      if (price) regions[*price].insert(row->offer.region);
    }
    if (regions.size() < 2 || std::get<3>(key) == Scope::kComposed) continue;
    for (const auto& [price, where] : regions) {
      // Four decimals or fewer: list prices are often the same in many regions.
      if (where.size() < 10 || price.nano() % 100'000 == 0) continue;
      ++counts["V8"];
      for (GateRow* row : group) {
        if (price_of(*row) == price) flag(row->offer, "v8_one_price_many_regions");
      }
    }
  }
}

// V9: far from the median of the accelerator over whole machines; alone only a warning.
void compare_with_median(Rows& rows, GateCounts& counts) {
  std::map<std::string_view, std::vector<double>> prices;
  const auto each = [](const GateRow& row) {
    const bool counted = whole_machine(row) && row.offer.purchase == Purchase::kOnDemand &&
                         row.offer.accelerator != nullptr;
    return counted ? price_each(row) : 0.0;
  };
  for (const GateRow& row : rows) {
    if (row.offer.standing == Standing::kAccepted && each(row) > 0) {
      prices[accelerator_id(row.offer)].push_back(each(row));
    }
  }
  std::map<std::string_view, double> medians;
  for (auto& [id, values] : prices) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    medians[id] =
        values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  }
  for (GateRow& row : rows) {
    const double price = each(row);
    if (!(price > 0)) continue;
    const auto median = medians.find(accelerator_id(row.offer));
    if (median == medians.end()) continue;
    if (price >= 0.2 * median->second && price <= 5 * median->second) continue;
    ++counts["V9"];
    flag(row.offer, "v9_far_from_median");
    if (is_round_floor(row.offer)) quarantine_floor(row.offer, counts);
  }
}

// V15: listed without a place is not orderable.
void check_regions(Rows& rows, GateCounts& counts) {
  std::set<decltype(place_key(rows.front()))> places;
  for (GateRow& row : rows) {
    if (!row.offer.region.empty()) continue;
    places.insert(place_key(row));
    flag(row.offer, "not_listed");
    quarantine(row.offer, "V15 no region: not orderable now");
  }
  if (!places.empty()) counts["V15"] += places.size();
}

}  // namespace

Result<Scope> parse_scope(std::string_view name) {
  for (std::size_t i = 0; i < kScopes.size(); ++i) {
    if (kScopes[i] == name) return static_cast<Scope>(i);
  }
  return fail(ErrorCode::kInvalidInput, "price scope " + quoted(name) + " is unknown",
              "write instance, composed, gpu_component, slice or derived");
}

GateCounts apply_gates(std::vector<GateRow>& rows, const hardware::Accelerators& accelerators,
                       std::span<const Interconnect> interconnects,
                       std::span<const Source> sources) {
  GateCounts counts;
  if (rows.empty()) return counts;
  const auto sorted = [&] {
    std::ranges::stable_sort(
        rows, [](const GateRow& a, const GateRow& b) { return offer_before(a.offer, b.offer); });
  };
  sorted();
  for (GateRow& row : rows) {
    row.offer.gpu_component_only =
        row.scope == Scope::kGpuComponent || row.scope == Scope::kDerived;
    if (row.offer.accelerator == nullptr && !row.offer.accelerator_raw.empty()) {
      ++counts["unknown accelerator"];
      quarantine(row.offer, "unknown accelerator " + quoted(row.offer.accelerator_raw));
    }
    check_memory(row, accelerators, counts);
    check_count(row, interconnects, counts);
  }
  reject_impossible(rows, counts);
  resolve_duplicates(rows, sources, counts);
  compare_purchases(rows, counts);
  compare_counts(rows, counts);
  compare_regions(rows, counts);
  find_copied_prices(rows, counts);
  inherit_from_components(rows);
  compare_with_median(rows, counts);
  check_regions(rows, counts);
  sorted();
  return counts;
}

}  // namespace portolan::market
