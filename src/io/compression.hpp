// Bounded decompression of gzip and zstd and compression of what we write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portolan::io {

/// Errors: malformed, limit (over `cap` bytes or 100 times the compressed size plus 1 MiB).
Result<std::string> gunzip(std::string_view compressed, const std::string& file,
                           std::uint64_t cap = 4ull << 30);
Result<std::string> unzstd(std::string_view compressed, const std::string& file,
                           std::uint64_t cap = 4ull << 30);
std::string zstd_compress(std::string_view content, int level);
/// Transparent: gzip and zstd recognised by their magic numbers, anything else returned as it is.
Result<std::string> decompressed(std::string content, const std::string& file,
                                 std::uint64_t cap = 4ull << 30);

}  // namespace portolan::io
