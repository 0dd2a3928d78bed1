// Headers of GGUF and safetensors files: metadata and tensor shapes only, tensor data is never
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/value.hpp"

namespace portolan::io {

/// One tensor as its header states it. `type` is the GGUF type name ("Q4_K", "F16") or the
/// safetensors dtype ("BF16").
struct TensorInfo {
  std::string name;
  std::string type;
  std::vector<std::uint64_t> shape;
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;  // exact size on disk
};

struct GgufHeader {
  std::uint32_t version = 0;
  Value metadata;  // object; arrays longer than 1,024 entries are kept as {"type","length"} objects
  std::vector<TensorInfo> tensors;
  std::uint64_t tensor_bytes = 0;
};
/// Reads from the first bytes of a file of `file_size` bytes. Caps of experience.md §13 are checked
/// before any allocation. Errors: malformed (where.offset names the byte), limit. Tensor data
/// beyond the given bytes is fine if file_size holds it; a vocabulary-only file (no tensors) is
/// valid.
Result<GgufHeader> read_gguf(std::string_view head, std::uint64_t file_size,
                             const std::string& file);

/// Opens the file and reads as much of it as the header takes (at most 256 MiB).
Result<GgufHeader> read_gguf_file(const std::string& path);

struct SafetensorsHeader {
  Value metadata;  // the "__metadata__" object or null
  std::vector<TensorInfo> tensors;
  std::uint64_t tensor_bytes = 0;
};
Result<SafetensorsHeader> read_safetensors(std::string_view head, std::uint64_t file_size,
                                           const std::string& file);

Result<SafetensorsHeader> read_safetensors_file(const std::string& path);

/// Exact bytes of `elements` values of a GGUF type ("Q4_K": 144 bytes per 256); nullopt for an
/// unknown type or a ragged block.
std::optional<std::uint64_t> gguf_type_bytes(std::string_view type, std::uint64_t elements);

}  // namespace portolan::io
