// What a catalogue holds: the tables of one snapshot as plain values. Inside market/ only.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "market/catalogue.hpp"

namespace portolan::market {

/// Links and network of an instance family; joined to offers by provider and longest SKU prefix.
struct Interconnect {
  std::string provider, sku_prefix, accelerator_id;  // accelerator empty = any
  std::int64_t per_node = 0;
  std::string link_name;
  hardware::LinkKind link = hardware::LinkKind::kNone;
  std::optional<BytesPerSecond> link_per_direction;  // of one accelerator
  std::int64_t link_domain = 1;
  std::string fabric;
  std::optional<BytesPerSecond> node_network;  // of the whole node, one direction
  std::optional<bool> rdma;
  std::string note, source, date;
};

/// How often a gate fired: rows, pairs, keys or zones as catalogue.md §5 counts them.
using GateCounts = std::map<std::string, std::size_t>;

struct Catalogue::Data {
  std::shared_ptr<const hardware::Accelerators> accelerators;
  std::vector<Offer> offers;   // total order, see offer_before
  std::vector<Offer> history;  // older prices, same order; only as_of reads them
  std::vector<ApiPrice> api_prices;
  std::vector<Provider> providers;
  std::vector<EngineSupport> engine_support;
  std::vector<Egress> egress;
  std::vector<Constant> constants;
  std::vector<Interconnect> interconnects;
  std::vector<Source> sources;
  GateCounts gates;
  Date date;
};

/// Provider, upstream, SKU, region, zone, zone id, accelerator, count, purchase, price, source,
/// dates, host, flags: total but for identical rows.
bool offer_before(const Offer& a, const Offer& b);

}  // namespace portolan::market
