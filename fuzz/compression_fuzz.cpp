// gzip and zstd: refused, or expanded within the ratio.
#include <cstddef>
#include <cstdint>
#include <string>

#include "contract.hpp"
#include "io/compression.hpp"

using namespace portolan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const Result<std::string>& expanded :
       {io::gunzip(bytes, "f"), io::unzstd(bytes, "f"), io::decompressed(bytes, "f")}) {
    if (expanded) {
      fuzz::require(expanded->size() <= 100 * size + (1u << 20), "expanded beyond the ratio");
    } else {
      fuzz::check_refusal(expanded.error(), false);
    }
  }
  return 0;
}
