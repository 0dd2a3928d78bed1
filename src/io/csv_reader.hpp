// Reads a CSV text row by row, for tables too large to hold as strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portolan::io {

/// RFC 4180 with LF, CRLF or CR line ends and an optional byte-order mark; blank lines are skipped;
/// a quote inside an unquoted cell stands for itself. Every row must have as many cells as the
/// first. Caps: 512 MiB, 1,024 columns, 64 KiB a cell.
class CsvReader {
 public:
  /// `text` must outlive the reader.
  CsvReader(std::string_view text, std::string file);

  /// Puts the next row into `cells` and returns true, or returns false at the end. Reuses the
  /// strings of `cells`. Errors: malformed, limit; no further row may be asked for after one.
  Result<bool> next(std::vector<std::string>& cells);
  /// Line on which the row returned last begins.
  [[nodiscard]] std::uint64_t row_line() const { return row_line_; }
  /// An error at the present position, for problems found by the caller.
  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why = {}, std::string hint = {}) const;

 private:
  Result<void> read_cell(std::string& cell);
  void pass_line_end();

  std::string_view text_;
  std::string file_;
  std::size_t at_ = 0, line_start_ = 0, columns_ = 0;
  std::uint64_t line_ = 1, row_line_ = 1;
};

}  // namespace portolan::io
