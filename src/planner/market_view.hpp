// The market as the search sees it: offers with the machine each rents, equal machines folded into
// shapes, and the user's filters.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/date.hpp"
#include "base/result.hpp"
#include "hardware/node.hpp"
#include "market/catalogue.hpp"
#include "market/query.hpp"
#include "planner/job.hpp"

namespace portolan::planner {

/// An offer and the node it rents; `node.accelerator` is null when the offer has none we know.
struct Listing {
  const market::Offer* offer = nullptr;
  hardware::Node node;
};

/// Share of instances that lose their spot capacity in a month, for accelerators whose id begins
/// with `prefix`; the highest of the list holds for the rest.
struct SpotLoss {
  std::string prefix;
  double per_month = 0;
};

/// Everything the search reads; what it points to must outlive it.
struct Market {
  std::vector<Listing> listings;
  std::span<const market::Provider> providers;
  std::span<const market::EngineSupport> support;
  const hardware::Accelerators* accelerators = nullptr;
  std::vector<SpotLoss> spot_loss;

  [[nodiscard]] const market::Provider* provider(std::string_view id) const;
  /// Interruptions per instance-hour: −ln(1 − b) / 730.5 for a monthly share b (economics.md §8).
  [[nodiscard]] double spot_hazard_per_hour(const hardware::Accelerator& accelerator) const;
};
Market market_of(const market::Catalogue& catalogue);

/// A machine without a price: offers of one shape share one answer of the cost model.
struct Shape {
  hardware::Node node;  // `accelerator` of a partition is a scaled-down copy
  double share = 1;     // of one accelerator; below 1 for a partition
  std::optional<Bytes>
      partition_memory;     // where the provider states it; else its share of the whole
  bool multi_node = false;  // its provider joins nodes, over a network whose speed is known
};

/// Shapes in an order that does not depend on the order of the offers, and which one each listing
/// has (-1: nothing to plan on).
struct Shapes {
  std::vector<Shape> shapes;
  std::vector<int> of_listing;
  std::deque<hardware::Accelerator> partitions;  // owns the scaled-down copies
};
Shapes fold_into_shapes(const Market& market);

/// The filters of `where:`, ready to be asked offer by offer.
class Filter {
 public:
  /// Errors: invalid_input with the place for unknown providers, GPUs and malformed GPU filters.
  static Result<Filter> make(const Job& job, const Market& market, Date today);

  /// Why the user does not want this offer, and the edit that would admit it; nullopt = wanted.
  struct Refusal {
    std::string lacked, change;
  };
  [[nodiscard]] std::optional<Refusal> refuses(const market::Offer& offer) const;
  /// What the user knows about supply: sold out there.
  [[nodiscard]] std::optional<Refusal> sold_out(const market::Offer& offer) const;
  /// Accelerators the user may hold at that provider; nullopt = no limit stated.
  [[nodiscard]] std::optional<double> quota(const market::Offer& offer) const;
  /// What an ambiguous name was taken for.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct SoldOutRule {
    std::string provider, region;
    std::optional<market::GpuFilter> gpu;
  };
  WhereToLook where_;
  std::vector<market::Purchase> purchase_;
  bool purchase_by_default_ = false;
  std::vector<market::GpuFilter> gpus_;
  std::vector<SoldOutRule> sold_out_;
  std::vector<std::string> notes_;
  Date today_;
};

/// "4x l4 of gcp g2-standard-48 in us-central1, on-demand".
std::string offer_text(const market::Offer& offer);

}  // namespace portolan::planner
