// Reads the catalogue's CSV tables into the values of a snapshot: what the snapshot tool runs at
// build time and `open` runs on a user's own table.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "market/data.hpp"
#include "market/gates.hpp"

namespace portolan::market {

/// Offers in our column layout. Needed: provider, sku, accelerator_id (any spelling), count,
/// usd_per_hour; everything else may be missing. An unknown accelerator keeps its raw name and no
/// pointer. Rows without a source get `default_source`.
/// Errors (invalid_input): all problems of the file with their lines.
Result<std::vector<GateRow>> read_offers(std::string_view csv, const std::string& file,
                                         const hardware::Accelerators& accelerators,
                                         const std::string& default_source);

/// Reads every table through `table(name)` ("offers.csv" …), applies the gates and computes
/// confidences. Errors: of the table reader, or invalid_input with file and line.
Result<Catalogue::Data> build_data(
    const std::function<Result<std::string>(const std::string&)>& table);

/// Newest observation of offers and API prices.
Date newest_observation(const Catalogue::Data& data);
/// Confidence of every offer on `today`.
void set_confidence(std::vector<Offer>& offers, const std::vector<Source>& sources, Date today);

}  // namespace portolan::market
