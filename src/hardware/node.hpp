// A machine as it is rented: accelerators of one kind in a node, their links, and the network
// between nodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/quantity.hpp"
#include "hardware/accelerator.hpp"

namespace portolan::hardware {

struct Network {
  std::string fabric;                             // "InfiniBand NDR", "EFAv3", empty = unknown
  std::optional<BytesPerSecond> per_accelerator;  // one direction
  std::optional<bool> rdma;
  std::string source, date;
};

/// One node: `count` accelerators. Identical shapes share physics; price is not in it.
struct Node {
  const Accelerator* accelerator = nullptr;
  std::int64_t count = 1;           // whole accelerators
  LinkKind link = LinkKind::kNone;  // of this instance (a 2-GPU PCIe box of an SXM part does not
                                    // exist, but a bridge may be absent)
  std::optional<BytesPerSecond> link_per_direction;
  std::int64_t link_domain = 1;  // can exceed count (NVL72)
  Network network;
  std::optional<std::int64_t> vcpus;
  std::optional<Bytes> host_memory;
};

}  // namespace portolan::hardware
