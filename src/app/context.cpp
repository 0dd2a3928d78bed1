#include "app/context.hpp"

#include <utility>

#include "model/embedded.hpp"

namespace portolan::app {

Result<Context> Context::open(const ContextOptions& options) {
  Context context;
  context.threads_ = options.threads;
  context.as_of_ = options.as_of;
  context.catalogue_ = options.catalogue ? PORTOLAN_TRY(market::Catalogue::open(*options.catalogue))
                                         : PORTOLAN_TRY(market::Catalogue::embedded());
  if (options.as_of) context.catalogue_ = PORTOLAN_TRY(context.catalogue_->as_of(*options.as_of));
  context.models_ = std::make_shared<const model::Library>(
      PORTOLAN_TRY(model::Library::open(model::embedded_models())));
  return context;
}

Date Context::today() const { return as_of_ ? *as_of_ : catalogue_->date(); }

}  // namespace portolan::app
