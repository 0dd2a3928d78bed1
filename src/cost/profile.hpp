// What was fitted to measurements as a file of JSON lines, curves of kernels and host times of
// engines, and the choice of the best evidence for an accelerator.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cost/curve.hpp"
#include "cost/engine.hpp"
#include "cost/machine.hpp"
#include "hardware/accelerator.hpp"

namespace portolan::cost {

/// Datasheet rates of an accelerator as curves use them; 16-bit work runs in fp16 where bf16 is
/// missing.
Chip chip_of(const hardware::Accelerator& accelerator);

/// Versions compared part by part: "0.9.0" before "0.14.0", "1.3.0rc15" before "1.3.0rc20".
bool newer_version(std::string_view a, std::string_view b);

/// The curve that stands for a call and how close its evidence is; no curve = none fits.
struct Chosen {
  const Curve* curve = nullptr;
  Tier tier = Tier::kDatasheet;
  /// The curve of the call inside a captured graph: another library's on the same accelerator where
  /// the floor of `curve` is the host launching it (vLLM's block-scaled fp8 products were timed one
  /// by one, at 60 to 370 us for any size; so was its latent attention), else `curve` itself. Of an
  /// engine without tables of its own the library with the lower floor.
  const Curve* captured = nullptr;
  /// Another library's curve of the same call on the same accelerator; null = none.
  const Curve* rival = nullptr;
};

/// 80 % interval of a predicted time as factors of it. From the curve's own left-out residuals
/// where it stands for its own accelerator; from residuals of whole accelerators left out where it
/// is transferred. Wider outside the measured range. No curve: the band of the datasheet tier.
ErrorBand interval_of(const Chosen& chosen, const Call& call);
/// What carrying curves of an operator to an accelerator without its own leaves.
ErrorBand transfer_interval(std::string_view op);

/// A time of an engine record by the name it has in files, in microseconds there.
struct HostTime {
  std::string_view name;
  Seconds Engine::* field;
};
std::span<const HostTime> host_times();

/// Curves sorted by key, engine records by name. A later one of the same key replaces an earlier
/// one.
class Profile {
 public:
  /// One JSON object a line (`"kind": "curve"` or `"engine"`). An engine line states host times and
  /// bands; scheduling, defaults, memory and times it does not state are those of the known record
  /// of its version. Errors: malformed or invalid_input with file:line, unknown kinds, engines and
  /// keys included.
  static Result<Profile> parse(std::string_view text, const std::string& file);
  [[nodiscard]] std::string write() const;
  /// The curves in the form that is embedded: no text to parse at start. Only for what pack() wrote
  /// in the same build, without engine records; anything else breaks a check.
  [[nodiscard]] std::string pack() const;
  static Profile unpack(std::string_view packed);

  [[nodiscard]] std::span<const Curve> curves() const { return curves_; }
  [[nodiscard]] std::span<const Engine> engines() const { return engines_; }
  void add(Curve curve);
  void add(Engine engine);
  /// All of `other` over what is here.
  void add(const Profile& other);
  /// As add(), and curves of `own` stand for other versions of the same library here as well: who
  /// measured on the own machine means it to count, whatever version is the newest.
  void lay_over(const Profile& own);

  /// cost::find_engine with the records of this profile before the known ones.
  [[nodiscard]] const Engine* find_engine(std::string_view name, std::string_view version = {},
                                          std::string_view vendor = {}) const {
    return cost::find_engine(engines_, name, version, vendor);
  }
  /// What is assumed where nobody names an engine: the newest vLLM of this profile, else
  /// cost::default_engine(). Lives as long as the profile is not changed.
  [[nodiscard]] const Engine& default_engine() const;

 private:
  std::vector<Curve> curves_;
  std::vector<Engine> engines_;
};

/// Profile::default_engine() of a source; without a profile cost::default_engine().
const Engine& serving_engine(const KernelSource& source);

/// The best evidence for each operator on one accelerator (cost-model.md §8): its own curve of this
/// backend (this version, else the newest), then of another backend (sibling), then of the nearest
/// accelerator of the same architecture and memory kind, then of a related architecture
/// (transferred). The profile must outlive it.
class KernelSet {
 public:
  KernelSet() = default;
  /// `all` finds the donors' architectures; without it only own curves are taken.
  KernelSet(const Profile& profile, const hardware::Accelerators* all,
            const hardware::Accelerator& accelerator, std::string_view backend,
            std::string_view version);
  /// `variant` must match; kv_dtype falls back to any other of the same variant. A gemm whose type
  /// was not measured takes the curve of the nearest type, tier transferred: of this accelerator
  /// before that of another.
  [[nodiscard]] Chosen find(std::string_view op, std::string_view dtype,
                            std::string_view variant = {}, std::string_view kv_dtype = {}) const;
  /// As find(), then the nearest type of the same variant, then any curve of the operator, nearest
  /// numbers in the variant first. Null only where the operator was measured on no relative.
  [[nodiscard]] Chosen nearest(std::string_view op, std::string_view dtype,
                               std::string_view variant, std::string_view kv_dtype) const;
  /// The engine whose kernels are preferred; "" = none was named.
  [[nodiscard]] const std::string& backend() const { return backend_; }

 private:
  struct Entry {
    const Curve* curve = nullptr;
    Tier tier = Tier::kDatasheet;
    double rank = 0;
    const Curve* captured = nullptr;
    const Curve* rival = nullptr;
  };
  /// The best entry of `op` by `worse`, a penalty that is added to the rank; negative = unfit.
  template <class Penalty>
  [[nodiscard]] Chosen best_of(std::string_view op, const Penalty& penalty) const;
  std::string backend_;
  std::vector<Entry> found_;  // sorted by op, dtype, variant, kv_dtype; one each
};

/// The profile inside the executable, read at first use; safe to share between threads.
const Profile& shipped_profile();

}  // namespace portolan::cost
