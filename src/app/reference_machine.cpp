#include "app/reference_machine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace portolan::app {
namespace {

/// Network of the makers' reference systems, one direction per accelerator: DGX A100 has eight
/// 200-Gbit/s adapters for eight accelerators, DGX H100, H200 and B200 eight of 400 Gbit/s (NVIDIA
/// DGX data sheets; data/interconnects.csv agrees).
hardware::Network reference_network(const hardware::Accelerator& accelerator) {
  hardware::Network network;
  if (accelerator.link != hardware::LinkKind::kSwitched) return network;
  const bool ampere = accelerator.architecture == "ampere";
  network.fabric = ampere ? "InfiniBand HDR" : "InfiniBand NDR";
  network.per_accelerator = (ampere ? 25.0 : 50.0) * kGBPerSecond;
  network.rdma = true;
  network.source = "reference system of the maker";
  return network;
}

}  // namespace

hardware::Node reference_node(const hardware::Accelerator& accelerator, std::int64_t count) {
  hardware::Node node;
  node.accelerator = &accelerator;
  node.count =
      std::min<std::int64_t>(count, accelerator.link_domain > 8 ? accelerator.link_domain : 8);
  node.link = accelerator.link;
  node.link_per_direction = accelerator.link_per_direction;
  node.link_domain = accelerator.link_domain;
  node.network = reference_network(accelerator);
  return node;
}

Priced cheapest_accelerator_hour(const market::Catalogue& catalogue,
                                 const hardware::Accelerator& accelerator, std::int64_t count,
                                 market::Purchase purchase) {
  const market::Offer* best = nullptr;
  bool best_large = false;
  for (const market::Offer& offer : catalogue.offers()) {
    if (offer.accelerator != &accelerator || offer.standing != market::Standing::kAccepted ||
        offer.purchase != purchase || offer.gpu_component_only) {
      continue;
    }
    const std::optional<Money> price = offer.usd_per_accelerator_hour();
    if (!price) continue;
    const bool large = offer.count >= static_cast<double>(std::min<std::int64_t>(count, 8));
    if (best == nullptr || (large && !best_large) ||
        (large == best_large && *price < *best->usd_per_accelerator_hour())) {
      best = &offer;
      best_large = large;
    }
  }
  if (best == nullptr) return {};
  return {best->usd_per_accelerator_hour()->per_hour(),
          fmt::format("cheapest {} offer: {} {} {}", market::purchase_name(purchase),
                      best->provider, best->sku, best->region),
          best};
}

}  // namespace portolan::app
