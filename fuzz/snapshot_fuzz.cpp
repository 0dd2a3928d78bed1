// Any bytes as a catalogue snapshot, with and without its wrapping: refused or read, never worse.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "io/compression.hpp"
#include "market/snapshot.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(market::decode(bytes, "fuzz"));
  // Wrapped as it should be, so that the fuzzer meets the tables and not only the compression.
  static_cast<void>(market::decode(market::wrapped(bytes), "fuzz"));
  return 0;
}
