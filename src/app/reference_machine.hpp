// The machine and the price `estimate` takes when only an accelerator is named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hardware/node.hpp"
#include "market/catalogue.hpp"

namespace portolan::app {

/// One accelerator's node as its maker connects it, when no offer says otherwise: at most 8 in a
/// node (more in one rack-scale domain), and for parts with a switched link the network their
/// reference systems have.
hardware::Node reference_node(const hardware::Accelerator& accelerator, std::int64_t count);

struct Priced {
  std::optional<UsdRate> rate;
  std::string origin;
  const market::Offer* offer = nullptr;
};

/// The cheapest accepted accelerator-hour among machines that hold at least `count` accelerators (8
/// at most), else of any size.
Priced cheapest_accelerator_hour(const market::Catalogue& catalogue,
                                 const hardware::Accelerator& accelerator, std::int64_t count,
                                 market::Purchase purchase = market::Purchase::kOnDemand);

}  // namespace portolan::app
