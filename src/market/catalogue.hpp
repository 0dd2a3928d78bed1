// The catalogue: one immutable dated snapshot of hardware, offers, API prices and providers.
// `--as-of` is just another snapshot.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "hardware/accelerator.hpp"
#include "market/offer.hpp"

namespace portolan::market {

/// A default the product uses ("mfu", 0.375): value, unit, note, source, date.
struct Constant {
  std::string key;
  double value = 0;
  std::string unit, note, source, date;
};

class Catalogue {
 public:
  /// The snapshot embedded in the binary. Errors are bugs (kInternal).
  static Result<std::shared_ptr<const Catalogue>> embedded();
  /// A snapshot from memory. Errors: malformed (another version, damaged), limit.
  static Result<std::shared_ptr<const Catalogue>> from_bytes(std::string_view bytes,
                                                             const std::string& file);
  /// Reads a catalogue built by the snapshot tool, or a folder/CSV of offers in our column layout
  /// laid over the embedded hardware tables.
  static Result<std::shared_ptr<const Catalogue>> open(const std::string& path);
  /// Only what was known on that date: offers and prices whose observation may be that old or older
  /// (history included).
  [[nodiscard]] Result<std::shared_ptr<const Catalogue>> as_of(Date date) const;

  [[nodiscard]] Date date() const;  // newest observation
  [[nodiscard]] const hardware::Accelerators& accelerators() const;
  [[nodiscard]] std::span<const Offer> offers()
      const;  // total order: provider, sku, region, zone, purchase, price; all standings
  [[nodiscard]] std::span<const ApiPrice> api_prices() const;
  [[nodiscard]] std::span<const Provider> providers() const;
  [[nodiscard]] const Provider* provider(std::string_view id) const;
  [[nodiscard]] std::span<const EngineSupport> engine_support() const;
  [[nodiscard]] std::span<const Egress> egress() const;
  [[nodiscard]] const Constant& constant(
      std::string_view key) const;  // PORTOLAN_CHECK: the key exists
  [[nodiscard]] std::span<const Constant> constants() const;
  [[nodiscard]] std::span<const Source> sources() const;  // sorted by id
  /// How often each gate fired when the snapshot was built ("V2": 52), sorted by gate.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::size_t>> gate_counts() const;
  [[nodiscard]] std::optional<Date> oldest_price_date()
      const;  // earliest bound among accepted offers

  /// The node an offer rents: links and network joined from the interconnect table by (provider,
  /// sku), then by accelerator.
  [[nodiscard]] hardware::Node node_of(const Offer& offer) const;

  struct Data;
  explicit Catalogue(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

 private:
  std::shared_ptr<const Data> data_;
};

/// Age in half-lives of the purchase class (spot 1 d, on-demand 60 d, reserved 180 d, API 14 d …)
/// on `today`, from the earliest bound.
double age_in_half_lives(const Offer& offer, Date today);
enum class Freshness : std::uint8_t { kFresh, kAgeing, kStale };
Freshness freshness(const Offer& offer, Date today);

}  // namespace portolan::market
