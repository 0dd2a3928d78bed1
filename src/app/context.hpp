// What a verb works on: the catalogue snapshot and the model library, opened once per process or
// request.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/date.hpp"
#include "base/result.hpp"
#include "market/catalogue.hpp"
#include "model/library.hpp"

namespace portolan::app {

struct ContextOptions {
  std::optional<std::string> catalogue;  // file or folder instead of the embedded snapshot
  std::optional<Date> as_of;
  unsigned threads = 0;  // 0 = hardware
};

/// Immutable; safe to share between threads.
class Context {
 public:
  static Result<Context> open(const ContextOptions& options);
  [[nodiscard]] const market::Catalogue& catalogue() const { return *catalogue_; }
  [[nodiscard]] const model::Library& models() const { return *models_; }
  [[nodiscard]] unsigned threads() const { return threads_; }
  /// The day prices are judged on: the catalogue's own date (or --as-of), never the clock's, so
  /// that answers repeat.
  [[nodiscard]] Date today() const;

 private:
  std::shared_ptr<const market::Catalogue> catalogue_;
  std::shared_ptr<const model::Library> models_;
  std::optional<Date> as_of_;
  unsigned threads_ = 0;
};

}  // namespace portolan::app
