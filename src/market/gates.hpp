// The validation gates of prices: what is no price is rejected, what is doubtful is quarantined or
// flagged, and nothing is dropped in silence.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "market/data.hpp"

namespace portolan::market {

/// What a row of an offer table is a price of.
enum class Scope : std::uint8_t {
  kInstance,      // a whole machine
  kComposed,      // a whole machine, host and accelerators priced apart
  kGpuComponent,  // an attachable accelerator without its host
  kSlice,         // a TPU slice
  kDerived        // one chip of a slice, computed: not for sale
};
Result<Scope> parse_scope(std::string_view name);  // "instance", "composed", …

/// An offer as read, with what only the gates look at.
struct GateRow {
  Offer offer;
  Scope scope = Scope::kInstance;
  std::optional<double> memory_reported_gb;  // of one accelerator, as the source says
};

/// Applies the gates V1–V11, V13–V16 and V20 of catalogue.md §5 to rows of one import and sorts
/// them (offer_before), so that the order of the rows does not matter. V12 belongs to the importers
/// of foreign layouts, V17 needs vendor columns ours does not have, V18 and V19 compare with an
/// older import. Sets `standing`, `gate` and `flags`. V9 uses the median over offers: the median of
/// provider medians would flag old V100s of AWS and no bid floor. V6 sets the low side aside from a
/// ratio of 1.8 on when another gate agrees.
GateCounts apply_gates(std::vector<GateRow>& rows, const hardware::Accelerators& accelerators,
                       std::span<const Interconnect> interconnects,
                       std::span<const Source> sources);

}  // namespace portolan::market
