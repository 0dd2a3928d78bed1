// GGUF headers: refused with the byte named, or metadata that writes as JSON and tensors that fit.
#include <cstddef>
#include <cstdint>

#include "contract.hpp"
#include "io/model_files.hpp"
#include "io/text_formats.hpp"

using namespace portolan;
using namespace portolan::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The same bytes as a whole file and as the head of a larger one.
  for (const std::uint64_t file_size : {std::uint64_t{size}, std::uint64_t{size} + (1u << 20)}) {
    const Result<GgufHeader> header = read_gguf(bytes, file_size, "f");
    if (!header) {
      fuzz::check_refusal(header.error(), true);
      continue;
    }
    const std::string written = write_json(header->metadata, false);
    fuzz::require(parse_json(written, "f", DuplicateKeys::kRefuse).has_value(),
                  "metadata are no JSON: " + written);
    std::uint64_t sum = 0;
    for (const TensorInfo& tensor : header->tensors) {
      sum += tensor.bytes;
      fuzz::require(gguf_type_bytes(tensor.type, tensor.elements) == tensor.bytes,
                    "a tensor has another size than its type gives");
    }
    fuzz::require(sum == header->tensor_bytes, "the sum of the tensors is wrong");
  }
  return 0;
}
