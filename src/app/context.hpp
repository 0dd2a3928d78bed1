// What a verb works on: the catalogue snapshot and the model library, opened once per process or
// request.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/date.hpp"
#include "base/result.hpp"
#include "cost/profile.hpp"
#include "market/catalogue.hpp"
#include "model/library.hpp"

namespace portolan::app {

/// The engine whose kernels `estimate` and `plan` price.
inline constexpr std::string_view kServingBackend = "vllm";

struct ContextOptions {
  std::optional<std::string> catalogue = {};  // file or folder instead of the embedded snapshot
  std::optional<Date> as_of = {};
  std::optional<std::string> profile = {};  // fitted curves and host times over the shipped ones
  unsigned threads = 0;                     // 0 = hardware
  /// Told what long work is at; "" when it is done. nullptr: nobody listens.
  std::function<void(std::string_view)> progress = {};
  /// Whether long work is to stop: then it ends with the error `cancelled`. nullptr: never.
  std::function<bool()> cancelled = {};
};

/// Immutable; safe to share between threads.
class Context {
 public:
  static Result<Context> open(const ContextOptions& options);
  [[nodiscard]] const market::Catalogue& catalogue() const { return *catalogue_; }
  [[nodiscard]] const model::Library& models() const { return *models_; }
  /// The shipped curves, under those of --profile, and its engine records.
  [[nodiscard]] const cost::Profile& profile() const {
    return profile_ ? *profile_ : cost::shipped_profile();
  }
  /// The engine that is assumed where none is named: the newest vLLM of --profile, else the known
  /// one.
  [[nodiscard]] const cost::Engine& engine() const { return profile().default_engine(); }
  /// Where machines of this context take the curves of an engine's kernels from ("vllm").
  [[nodiscard]] cost::KernelSource kernels(std::string_view backend) const;
  [[nodiscard]] unsigned threads() const { return threads_; }
  void progress(std::string_view what) const {
    if (progress_) progress_(what);
  }
  [[nodiscard]] bool cancelled() const { return cancelled_ && cancelled_(); }
  /// The day prices are judged on: the catalogue's own date (or --as-of), never the clock's, so
  /// that answers repeat.
  [[nodiscard]] Date today() const;

 private:
  std::shared_ptr<const market::Catalogue> catalogue_;
  std::shared_ptr<const model::Library> models_;
  std::shared_ptr<const cost::Profile> profile_;  // null: the shipped one
  std::optional<Date> as_of_;
  unsigned threads_ = 0;
  std::function<void(std::string_view)> progress_;
  std::function<bool()> cancelled_;
};

}  // namespace portolan::app
