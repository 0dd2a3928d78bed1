// The node an offer rents: links and network by provider and SKU, else by what the accelerator has.
#include <algorithm>
#include <cmath>

#include "market/data.hpp"

namespace portolan::market {
namespace {

using hardware::LinkKind;

bool starts_with_folded(std::string_view text, std::string_view prefix) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

// The row with the longest SKU prefix that fits provider, accelerator and number.
const Interconnect* interconnect_of(const std::vector<Interconnect>& rows, const Offer& offer,
                                    std::int64_t count) {
  const Interconnect* best = nullptr;
  for (const Interconnect& row : rows) {
    const bool fits = row.provider == offer.provider && !row.sku_prefix.empty() &&
                      starts_with_folded(offer.sku, row.sku_prefix) &&
                      (row.accelerator_id.empty() || offer.accelerator->id == row.accelerator_id) &&
                      // A TPU slice spans hosts; elsewhere the row is of this very machine.
                      (row.per_node == count || row.link == LinkKind::kTorus);
    if (fits && (best == nullptr || row.sku_prefix.size() > best->sku_prefix.size())) best = &row;
  }
  return best;
}

// Without a row: the accelerator's own links, but no bridge that nobody mentions. Boards sold in
// bridged pairs (NVL) have it.
void links_of_accelerator(hardware::Node& node) {
  const hardware::Accelerator& accelerator = *node.accelerator;
  const bool bridged = accelerator.id.find("-nvl-") != std::string::npos;
  node.link = accelerator.link;
  node.link_per_direction = accelerator.link_per_direction;
  node.link_domain = accelerator.link_domain;
  if (accelerator.link == LinkKind::kBridge && !bridged) node.link = LinkKind::kNone;
  if (accelerator.link == LinkKind::kSwitched || accelerator.link == LinkKind::kMesh) {
    // A rack-scale domain (72) reaches beyond the machine, a board of eight does not.
    if (accelerator.link_domain <= 16) node.link_domain = std::min(node.link_domain, node.count);
  }
}

}  // namespace

hardware::Node Catalogue::node_of(const Offer& offer) const {
  hardware::Node node;
  node.accelerator = offer.accelerator;
  node.count = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(offer.count)));
  node.vcpus = offer.vcpus;
  node.host_memory = offer.memory;
  if (offer.accelerator == nullptr) return node;
  const Interconnect* row = interconnect_of(data_->interconnects, offer, node.count);
  links_of_accelerator(node);
  if (row != nullptr) {
    // The accelerator's own table tells a torus's size; the row that of one host.
    if (row->link != LinkKind::kTorus) {
      node.link = row->link;
      node.link_per_direction = row->link_per_direction;
      node.link_domain = row->link_domain;
    }
    node.network.fabric = row->fabric;
    node.network.rdma = row->rdma;
    node.network.source = row->source;
    node.network.date = row->date;
    if (row->node_network && row->per_node > 0) {
      node.network.per_accelerator = *row->node_network / static_cast<double>(row->per_node);
    }
  }
  if (node.link == LinkKind::kNone) {
    node.link_domain = 1;
    node.link_per_direction = offer.accelerator->pcie_per_direction;
  }
  return node;
}

}  // namespace portolan::market
