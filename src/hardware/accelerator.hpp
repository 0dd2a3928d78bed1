// What computes: accelerators with dense peak rates, memory, links and power, each figure with its
// source and its conflicts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/date.hpp"
#include "base/quantity.hpp"
#include "base/result.hpp"

namespace portolan::hardware {

/// Dense peak rates by arithmetic; the order indexes `Accelerator::peak`. fp16 equals bf16 where
/// both exist.
enum class Rate : std::uint8_t {
  kFp64,
  kFp32,
  kTf32,
  kBf16,
  kFp16,
  kFp8,
  kFp6,
  kFp4,
  kInt8,
  kInt4
};
inline constexpr std::size_t kRateCount = 10;
std::string_view rate_name(Rate rate);  // "bf16"

/// How the accelerators of one node talk: decides collectives.
enum class LinkKind : std::uint8_t {
  kNone,      // PCIe through the host
  kSwitched,  // every pair at full rate (NVSwitch, NVL72)
  kBridge,    // pairs only; larger groups fall to PCIe
  kMesh,      // full mesh, the stated rate is the sum over all peers (Infinity Fabric)
  kTorus      // TPU, Trainium
};

struct Accelerator {
  std::string id, vendor, name, architecture, form_factor;
  std::string short_id;  // the id without its memory where no other part shares it: "h100-sxm"
  Bytes memory{0};  // usable as reported by the driver where known, else the marketing size × 1e9
  std::string memory_label;  // "80GB"
  Bytes memory_label_bytes{0};
  bool memory_reported = false;
  std::string memory_type;
  BytesPerSecond bandwidth{0};
  std::array<std::optional<FlopPerSecond>, kRateCount>
      peak;  // dense; nullopt = not supported or unknown
  double sparse_multiplier = 1;
  std::optional<Watts> tdp;
  LinkKind link = LinkKind::kNone;
  std::string link_name;                             // "NVLink4"
  std::optional<BytesPerSecond> link_per_direction;  // of one accelerator, all its links together
  std::optional<BytesPerSecond>
      link_peer_per_direction;   // to one peer: less than the sum in a mesh or torus
  std::int64_t link_domain = 1;  // accelerators in one scale-up domain
  std::optional<int> pcie_generation;
  std::optional<BytesPerSecond> pcie_per_direction;  // x16 after line coding
  std::string compute_capability;                    // NVIDIA: "9.0"
  int devices = 1;                     // what software sees of it: MI250X is two of half its memory
  std::optional<int> multiprocessors;  // SM count
  std::optional<DateInterval> released;
  std::optional<double> launch_price_usd;
  std::optional<FlopPerSecond> measured_bf16, measured_fp8;  // largest achieved matmul rate
  // micro-architecture, for R19: tensor cores × FLOP per cycle and core × clock
  std::optional<double> tensor_cores, flop_per_cycle_per_core, boost_clock_hz;
  bool is_cpu = false, announced = false,
       planned = true;  // planned = false: known, listed, not planned on
  std::string conflicts, recalled_fields, note, source, date;

  [[nodiscard]] std::optional<FlopPerSecond> peak_of(Rate rate) const {
    return peak[static_cast<std::size_t>(rate)];
  }
};

/// The look-up form of a name: lower case, blanks and '_' as '-', runs of '-' as one, no leading
/// "nvidia-".
std::string normal_name(std::string_view name);

/// A name resolved to an accelerator; `note` says which was taken and why when the name was
/// ambiguous.
struct Resolved {
  const Accelerator* accelerator = nullptr;
  std::string note;
};

class Accelerators {
 public:
  /// From the embedded tables (see market/catalogue.hpp: one snapshot holds hardware and prices).
  Accelerators() = default;
  [[nodiscard]] std::span<const Accelerator> all() const { return accelerators_; }  // sorted by id
  [[nodiscard]] const Accelerator* by_id(std::string_view id) const;
  /// Ids, aliases and marketing names, case-insensitive, `_`/space as `-`, leading "nvidia-"
  /// dropped; `provider` scopes aliases. Ambiguous names take the documented default and say so.
  /// Errors: not_found with nearest names.
  [[nodiscard]] Result<Resolved> resolve(std::string_view name,
                                         std::string_view provider = {}) const;
  /// All accelerators a loose name may mean ("h100" -> sxm, pcie, nvl), sorted by id; empty when
  /// unknown.
  [[nodiscard]] std::vector<const Accelerator*> matching(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> names() const;

  /// A spelling; with a provider it holds for that provider only. An ambiguous one stands for
  /// `accelerator_id` unless something decides for one of `alternatives`. A trailing '*' makes it a
  /// prefix, tried after every full spelling.
  struct Alias {
    std::string alias, provider, accelerator_id, note;
    bool ambiguous = false;
    std::vector<std::string> alternatives;
  };
  /// Errors (kInternal): an id twice, an alias of an unknown id, one spelling with two meanings.
  static Result<Accelerators> from_tables(std::vector<Accelerator> accelerators,
                                          std::vector<Alias> aliases);
  [[nodiscard]] std::span<const Alias> aliases() const { return aliases_; }

 private:
  [[nodiscard]] const Alias* find_alias(std::string_view normal, std::string_view provider) const;

  std::vector<Accelerator> accelerators_;
  std::vector<Alias> aliases_;       // sorted by (normalised alias, provider)
  std::vector<std::string> normal_;  // the look-up form of each alias
};

}  // namespace portolan::hardware
