#include "app/context.hpp"

#include <utility>

#include "base/files.hpp"
#include "io/compression.hpp"
#include "model/embedded.hpp"

namespace portolan::app {

Result<Context> Context::open(const ContextOptions& options) {
  Context context;
  context.threads_ = options.threads;
  context.progress_ = options.progress;
  context.cancelled_ = options.cancelled;
  context.as_of_ = options.as_of;
  context.catalogue_ = options.catalogue ? PORTOLAN_TRY(market::Catalogue::open(*options.catalogue))
                                         : PORTOLAN_TRY(market::Catalogue::embedded());
  if (options.as_of) context.catalogue_ = PORTOLAN_TRY(context.catalogue_->as_of(*options.as_of));
  if (options.profile) {
    const std::string& file = *options.profile;
    cost::Profile own = PORTOLAN_TRY(cost::Profile::parse(
        PORTOLAN_TRY(io::decompressed(PORTOLAN_TRY(read_file(file)), file)), file));
    cost::Profile both = cost::shipped_profile();
    both.lay_over(own);
    context.profile_ = std::make_shared<const cost::Profile>(std::move(both));
  }
  context.models_ = std::make_shared<const model::Library>(
      PORTOLAN_TRY(model::Library::open(model::embedded_models())));
  return context;
}

cost::KernelSource Context::kernels(std::string_view backend) const {
  return {.profile = &profile(),
          .accelerators = &catalogue_->accelerators(),
          .backend = backend,
          .version = {}};
}

Date Context::today() const { return as_of_ ? *as_of_ : catalogue_->date(); }

}  // namespace portolan::app
