// Reads a text line by line from a stream, with bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/byte_stream.hpp"

namespace portolan::io {

/// Lines end in LF or CRLF; the last one needs no end. A byte-order mark is passed over.
class LineReader {
 public:
  static constexpr std::size_t kMostLineBytes = 64u << 20;

  explicit LineReader(ByteStream stream);

  /// Puts the next line, without its end, into `line` and returns true, or returns false at the
  /// end. The text is valid until the next call, and the byte after it is a NUL. Errors: those of
  /// the stream, limit for a line of more than kMostLineBytes.
  Result<bool> next(std::string_view& line);
  /// The next line that has more than blanks.
  Result<bool> next_text(std::string_view& line);
  /// Of the line returned last; the first is 1.
  [[nodiscard]] std::uint64_t line_number() const { return line_number_; }
  [[nodiscard]] const std::string& name() const { return stream_.name(); }
  /// An error at the line returned last.
  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why = {}, std::string hint = {},
                                                 std::uint64_t column = 0) const;

 private:
  ByteStream stream_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;  // of the buffer: what has not been handed out
  std::uint64_t line_number_ = 0;
  bool ended_ = false;
};

}  // namespace portolan::io
