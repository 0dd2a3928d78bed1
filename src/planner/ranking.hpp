// Prices joined to solutions, rows folded and put in order, losers counted with the nearest of each
// reason.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "planner/plan.hpp"
#include "planner/search.hpp"

namespace portolan::planner {

/// What decides the order: USD per hour of a serving plan, the total of everything else.
double cost_of(const Plan& plan);

/// The plan of one offer; the billing quantum and minimum of its provider are paid in full.
Plan price(const Job& job, const market::Offer& offer, const market::Provider* provider,
           const Solution& solution);

/// A cap of the job that the plan exceeds (USD, accelerators, nodes, quota of the provider).
struct OverCap {
  Reason reason = Reason::kConstraint;
  double factor = 1;  // what it takes over what is allowed
  std::string lacked, change;
};
std::optional<OverCap> over_cap(const Job& job, const Plan& plan, std::optional<double> quota);

/// Counts losers; keeps the nearest of each reason. Offers come in their total order, so that ties
/// fall the same way whatever order the catalogue had.
class Tally {
 public:
  /// A loser that would have been a plan: the cheaper, the nearer. Without a factor of its own it
  /// is compared with the winner.
  void add_priced(Reason reason, const Plan& plan, std::optional<double> factor, std::string lacked,
                  std::string change);
  /// A loser without a plan: what came further is nearer, then the smaller factor.
  void add(const market::Offer& offer, const Miss& miss);
  void add_dominated(std::uint64_t count);

  [[nodiscard]] std::uint64_t offers() const;  // all that were added, dominated strategies not
  [[nodiscard]] std::uint64_t of(Reason reason) const;
  /// In the order of the closed set. `winner`: the cheapest plan, to compare with.
  [[nodiscard]] std::vector<Rejection> list(const Job& job, const Plan* winner) const;

 private:
  struct Loser {
    std::uint64_t count = 0;
    std::optional<Plan> priced;
    std::optional<double> factor;
    const market::Offer* offer = nullptr;
    Miss miss;
  };
  std::array<Loser, kReasonCount> losers_;
};

/// Folds offers of one provider that differ only by place into rows, sorts them by the total order
/// (cost, provider, sku, region, purchase), ranks them and marks the cost–latency front.
std::vector<Plan> rank(const Job& job, std::vector<Plan> plans);

/// "8x h100-sxm-80gb of lambda …, tp4 fp8".
std::string plan_text(const Job& job, const Plan& plan);
/// "23.92 USD/h" or "1,234 USD".
std::string cost_text(const Job& job, double cost);

}  // namespace portolan::planner
