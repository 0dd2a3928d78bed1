// The file-system seam: reading whole files within a cap and writing them so that a crash leaves
// the old file whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portolan {

inline constexpr std::uint64_t kDefaultFileCap = 64ull << 20;

/// Reads a regular file, or standard input for "-". Errors: not_found (names the path), limit
/// (cap), io.
Result<std::string> read_file(const std::string& path, std::uint64_t cap = kDefaultFileCap);
/// The first `bytes` bytes of a file (fewer if it is shorter) and its size.
struct FileHead {
  std::string bytes;
  std::uint64_t file_size = 0;
};
Result<FileHead> read_file_head(const std::string& path, std::uint64_t bytes);
/// Writes to a sibling, flushes, renames. Errors: conflict (exists and !force), io.
Result<void> write_file(const std::string& path, std::string_view content, bool force);
bool is_directory(const std::string& path);
bool exists(const std::string& path);

}  // namespace portolan
