// safetensors headers: refused with the byte named, or tensors that tile the data.
#include <cstddef>
#include <cstdint>

#include "contract.hpp"
#include "io/model_files.hpp"

using namespace portolan;
using namespace portolan::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t file_size : {std::uint64_t{size}, std::uint64_t{size} + 4096}) {
    const Result<SafetensorsHeader> header = read_safetensors(bytes, file_size, "f");
    if (!header) {
      fuzz::check_refusal(header.error(), true);
      continue;
    }
    std::uint64_t sum = 0;
    for (const TensorInfo& tensor : header->tensors) sum += tensor.bytes;
    fuzz::require(sum == header->tensor_bytes, "the sum of the tensors is wrong");
    fuzz::require(sum < file_size, "the tensors are larger than the file");
  }
  return 0;
}
