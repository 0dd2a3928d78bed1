// What the tests of the market share: the embedded catalogue, the reviewed tables, small rows.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "market/catalogue.hpp"
#include "market/gates.hpp"
#include "market/tables.hpp"

namespace portolan::market {

inline const Catalogue& embedded() {
  static const std::shared_ptr<const Catalogue> kCatalogue = *Catalogue::embedded();
  return *kCatalogue;
}

inline Result<std::string> table_text(const std::string& name) {
  return read_file(PORTOLAN_SOURCE_DIR "/data/" + name);
}

/// The tables read and gated here, as the snapshot tool does.
inline const Catalogue::Data& built() {
  static const Catalogue::Data kData = [] {
    Result<Catalogue::Data> data = build_data(table_text);
    EXPECT_TRUE(data) << (data ? "" : format_error(data.error()));
    return *std::move(data);
  }();
  return kData;
}

inline std::size_t gate_count(const GateCounts& counts, const std::string& gate) {
  const auto at = counts.find(gate);
  return at == counts.end() ? 0 : at->second;
}

inline bool has_flag(const Offer& offer, std::string_view flag) {
  return std::ranges::find(offer.flags, flag) != offer.flags.end();
}

inline Money usd(std::string_view text) { return *Money::parse(text); }

/// One priced row; the id is one of accelerators.csv.
inline GateRow row(std::string_view sku, std::string_view region, std::string_view accelerator,
                   double count, std::string_view price, Purchase purchase = Purchase::kOnDemand) {
  GateRow out;
  out.offer.provider = "example";
  out.offer.sku = sku;
  out.offer.region = region;
  out.offer.accelerator = embedded().accelerators().by_id(accelerator);
  out.offer.accelerator_raw = accelerator;
  out.offer.count = count;
  out.offer.purchase = purchase;
  out.offer.source = "test";
  out.offer.observed = {parse_date("2026-06-01").value(), parse_date("2026-06-01").value()};
  if (!price.empty()) {
    out.offer.usd_per_hour = usd(price);
    out.offer.components = {{"instance", usd(price), "test"}};
  }
  return out;
}

inline GateCounts gate(std::vector<GateRow>& rows) {
  return apply_gates(rows, embedded().accelerators(), {}, {});
}

inline const Offer& find(const std::vector<GateRow>& rows, std::string_view sku,
                         Purchase purchase = Purchase::kOnDemand, std::string_view region = {}) {
  for (const GateRow& row : rows) {
    if (row.offer.sku == sku && row.offer.purchase == purchase &&
        (region.empty() || row.offer.region == region)) {
      return row.offer;
    }
  }
  ADD_FAILURE() << "no row " << sku;
  return rows.front().offer;
}

}  // namespace portolan::market
