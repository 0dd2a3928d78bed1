// Any text as a GPU filter: an error with a message, or a filter that can be asked.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "market/query.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  static const std::shared_ptr<const market::Catalogue> kCatalogue = *market::Catalogue::embedded();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto filter = market::parse_gpu_filter(text, kCatalogue->accelerators());
  if (!filter) {
    PORTOLAN_CHECK(!filter.error().message.empty());
    return 0;
  }
  for (const hardware::Accelerator& accelerator : kCatalogue->accelerators().all()) {
    static_cast<void>(filter->matches(accelerator));
  }
  return 0;
}
