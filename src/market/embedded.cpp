// The snapshot that every program carries, and the catalogues a user opens over it.
#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/files.hpp"
#include "market/data.hpp"
#include "market/freshness.hpp"
#include "market/gates.hpp"
#include "market/snapshot.hpp"
#include "market/tables.hpp"

extern "C" const unsigned char catalogue_snapshot_begin[], catalogue_snapshot_end[];

namespace portolan::market {
namespace {

// A folder of tables in our layout, whole or only offers.
Result<Catalogue::Data> open_folder(const std::string& path) {
  if (exists(path + "/accelerators.csv")) {
    return build_data([&](const std::string& name) { return read_file(path + "/" + name); });
  }
  return fail(ErrorCode::kNotFound, path + " holds no accelerators.csv",
              "give a folder of catalogue tables, a CSV of offers or a snapshot file");
}

// A user's own offers over the embedded tables: their rows take the place of ours with the same
// key.
Result<Catalogue::Data> overlay(const Catalogue::Data& base, std::string_view csv,
                                const std::string& path) {
  Catalogue::Data data = base;
  std::vector<GateRow> rows = PORTOLAN_TRY(read_offers(csv, path, *base.accelerators, path));
  const GateCounts counts = apply_gates(rows, *base.accelerators, base.interconnects, base.sources);
  for (const auto& [gate, count] : counts) data.gates[gate] += count;
  const auto key = [](const Offer& o) {
    return std::tie(o.provider, o.upstream, o.sku, o.region, o.zone, o.accelerator, o.count,
                    o.purchase);
  };
  for (const GateRow& row : rows) {
    std::erase_if(data.offers, [&](const Offer& ours) { return key(ours) == key(row.offer); });
  }
  for (GateRow& row : rows) {
    row.offer.flags.emplace_back(kYourPrice);
    std::ranges::sort(row.offer.flags);
    data.offers.push_back(std::move(row.offer));
  }
  std::ranges::stable_sort(data.offers, offer_before);
  data.date = newest_observation(data);
  set_confidence(data.offers, data.sources, data.date);
  return data;
}

std::shared_ptr<const Catalogue> catalogue_of(Catalogue::Data data) {
  return std::make_shared<const Catalogue>(
      std::make_shared<const Catalogue::Data>(std::move(data)));
}

}  // namespace

Result<std::shared_ptr<const Catalogue>> Catalogue::embedded() {
  // Bytes that the linker placed; their size is the distance of its two symbols.
  const std::string_view bytes(
      reinterpret_cast<const char*>(catalogue_snapshot_begin),
      static_cast<std::size_t>(catalogue_snapshot_end - catalogue_snapshot_begin));
  Result<std::shared_ptr<const Catalogue>> catalogue = from_bytes(bytes, "the embedded catalogue");
  if (!catalogue) {
    Error error = catalogue.error();
    error.code = ErrorCode::kInternal;
    return fail(std::move(error));
  }
  return catalogue;
}

Result<std::shared_ptr<const Catalogue>> Catalogue::open(const std::string& path) {
  if (is_directory(path)) return catalogue_of(PORTOLAN_TRY(open_folder(path)));
  const std::string bytes = PORTOLAN_TRY(read_file(path));
  if (is_snapshot(bytes)) return from_bytes(bytes, path);
  const std::shared_ptr<const Catalogue> base = PORTOLAN_TRY(embedded());
  return catalogue_of(PORTOLAN_TRY(overlay(*base->data_, bytes, path)));
}

}  // namespace portolan::market
