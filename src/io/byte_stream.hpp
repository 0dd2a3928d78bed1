// A file as a stream of bytes, gzip and zstd expanded on the way, so that memory does not grow with
// its size.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portolan::io {

/// gzip and zstd are recognised by their magic numbers. Expanding to more than 1,000 times the
/// compressed size plus 64 MiB is refused (`limit`); damage and early ends are `malformed`.
class ByteStream {
 public:
  /// "-" is standard input. Errors: not_found, io.
  static Result<ByteStream> open(const std::string& path);
  /// `content` takes the place of a file called `name`.
  static ByteStream of(std::string content, std::string name);
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;
  ~ByteStream();

  /// Puts at most `most` bytes at `to` and returns how many; 0 at the end.
  Result<std::size_t> read(char* to, std::size_t most);
  /// The first bytes, at most `most`, which stay to be read; to be asked for before read().
  Result<std::string_view> head(std::size_t most);
  [[nodiscard]] const std::string& name() const;

 private:
  struct State;
  explicit ByteStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace portolan::io
