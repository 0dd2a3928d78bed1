// A dated price of a machine: who sells it, what is in it, what it costs, who said so and how far
// that can be trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/date.hpp"
#include "base/money.hpp"
#include "hardware/accelerator.hpp"
#include "hardware/node.hpp"

namespace portolan::market {

enum class Purchase : std::uint8_t {
  kOnDemand,
  kSpot,
  kReserved1y,
  kReserved3y,
  kCapacityBlock,
  kAuction,
  kServerless
};
std::string_view purchase_name(Purchase purchase);  // "on-demand", "spot", "reserved-1y", …
Result<Purchase> parse_purchase(std::string_view name);

/// Whether the gates let a row be planned on.
enum class Standing : std::uint8_t { kAccepted, kQuarantined, kRejected };

struct Component {
  std::string kind;  // instance, host, gpu, slice, …
  Money usd_per_hour;
  std::string source;
};

struct Offer {
  std::string provider, upstream, sku, region, zone;
  std::string zone_id;  // AWS: "use1-az2", a different thing from the zone's name
  std::string country;  // ISO 3166-1 alpha-2, empty = unknown
  const hardware::Accelerator* accelerator = nullptr;  // null: CPU host or unknown name
  std::string accelerator_raw;
  double count = 0;  // accelerators per instance; fractional for MIG and shares
  std::optional<Bytes> partition_memory;  // of a share of one accelerator (count < 1)
  std::optional<std::int64_t> vcpus;
  std::optional<Bytes> memory;  // host RAM
  std::vector<Component> components;
  std::optional<Money> usd_per_hour;  // sum of components; nullopt = no price
  Purchase purchase = Purchase::kOnDemand;
  bool gpu_component_only = false;  // an attachable accelerator without its host, or one chip of a
                                    // slice: never planned on
  DateInterval observed;
  std::string source, revision;
  std::vector<std::string> flags;  // every gate that fired and every assumption, sorted
  Standing standing = Standing::kAccepted;
  std::string gate;       // of the gate that set it aside: "V2 spot above on-demand: 3.2 > 2.1"
  double confidence = 1;  // 0–1, at the catalogue's date
  [[nodiscard]] std::optional<Money> usd_per_accelerator_hour() const;
};

/// Hosted API price of one model of one provider, USD per million tokens (exact), unknown stays
/// unknown.
struct ApiPrice {
  std::string provider, model, hf_id;
  std::optional<std::int64_t> context;
  std::optional<Money> input, output, cache_read, cache_write, batch_input, batch_output;
  struct Tier {
    std::int64_t above_tokens = 0;
    std::optional<Money> input, output;
  };  // whole-prompt repricing
  std::vector<Tier> tiers;
  std::string time_window, flags, other, source;
  DateInterval observed;
  std::optional<Date> effective_from;
};

struct Provider {
  std::string id, name, kind;  // hyperscaler, neocloud, marketplace, broker …
  std::string delivery_model;  // instance, container, batch, serverless …
  std::string billing_quantum, minimum_commitment, support_tiers, discount_programmes, price_feed;
  std::optional<std::int64_t> billing_quantum_seconds, minimum_seconds;
  std::optional<bool> spot, multi_node, stop_resume;
  std::string recalled_fields;  // cells without a source, by their column in the table
  std::string source, date;
};

/// Which engine runs on which hardware, and how sure that is (R60, R70).
struct EngineSupport {
  std::string engine, job;           // job: serve | train
  std::string vendor, architecture;  // architecture "*" = all of the vendor
  std::string formats;               // "bf16 fp8 int4" space separated
  std::string confidence;            // measured | documented | recalled
  bool advise_proof_of_concept = false;
  std::string note, source, date;
};

struct Egress {
  std::string provider, destination;
  double from_gb = 0;
  std::optional<double> to_gb;
  double usd_per_gb = 0;
  std::string note, source, date;
};

/// Where prices come from; rank 1 vendor's own list, 2 vendor page, 3 aggregator, 4 broker, 5
/// recalled.
struct Source {
  std::string id, title, path;
  int rank = 5;
  std::string trust, licence, note, date;
};

}  // namespace portolan::market
