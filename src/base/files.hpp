// The file-system seam: reading whole files within a cap and writing them so that a crash leaves
// the old file whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
/// A file read piece by piece, or standard input for "-".
class FileInput {
 public:
  static Result<FileInput> open(const std::string& path);  // errors: those of read_file
  FileInput(FileInput&& other) noexcept;
  FileInput& operator=(FileInput&&) = delete;
  ~FileInput();
  /// Puts at most `most` bytes at `to` and returns how many; 0 at the end. Errors: io.
  Result<std::size_t> read(char* to, std::size_t most);

 private:
  FileInput(int fd, std::string path);
  int fd_;
  std::string path_;
};
/// Writes to a sibling, flushes, renames. Errors: conflict (exists and !force), io.
Result<void> write_file(const std::string& path, std::string_view content, bool force);
/// The same piece by piece: text goes to a sibling that takes the name at commit(). What is not
/// committed leaves nothing behind. Errors: those of write_file.
class FileWriter {
 public:
  static Result<FileWriter> open(const std::string& path, bool force);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter();

  /// Buffered.
  Result<void> append(std::string_view text);
  Result<void> commit();

 private:
  FileWriter(std::string path, bool force) : path_(std::move(path)), force_(force) {}
  Result<void> flush();
  std::string path_, sibling_;  // no sibling: a device or pipe is written to directly
  std::string buffer_;
  int fd_ = -1;
  bool force_ = false;
};
bool is_directory(const std::string& path);
bool exists(const std::string& path);
/// Names of what a folder holds, in byte order. Errors: not_found.
Result<std::vector<std::string>> list_folder(const std::string& path);

}  // namespace portolan
