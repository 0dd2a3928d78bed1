// A measured table as its owner keeps it: a CSV file, plain or compressed, whose header says what
// was measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "io/text_formats.hpp"

namespace portolan::measure {

/// The column layouts that measured tables come in.
enum class TableKind : std::uint8_t {
  kKernels,
  kServing,     // open loop, offline and static batches, 38 columns
  kInferencex,  // closed loop: the number of concurrent requests is given
  kTraining,
  kTrainingMemory
};
/// What --kind calls it: both serving layouts are "serving".
std::string_view kind_name(TableKind layout);
std::span<const std::string_view> kind_names();

/// Columns a table of this layout cannot do without; the others may be missing.
std::span<const std::string_view> required_columns(TableKind layout);

class Table {
 public:
  /// Reads a file, or standard input for "-"; gzip and zstd are recognised by their first bytes.
  /// Errors: not_found, malformed (damaged or cut compression, uneven rows), limit, invalid_input
  /// (no header, no rows).
  static Result<Table> open(const std::string& path);
  static Result<Table> parse(std::string_view text, std::string file);
  /// A table made by a program: rows as wide as the header.
  Table(std::string file, io::CsvTable csv) : file_(std::move(file)), csv_(std::move(csv)) {}

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const io::CsvTable& csv() const { return csv_; }
  [[nodiscard]] io::CsvTable take_csv() && { return std::move(csv_); }
  [[nodiscard]] std::size_t size() const { return csv_.rows.size(); }
  [[nodiscard]] bool has(std::string_view column) const { return csv_.column(column) >= 0; }

 private:
  std::string file_;
  io::CsvTable csv_;
};

/// The cells of one row by column name; a column the table lacks reads as an empty cell.
class Cells {
 public:
  Cells(const io::CsvTable& csv, std::size_t index) : csv_(&csv), index_(index) {}
  [[nodiscard]] const std::string& text(std::string_view column) const;
  [[nodiscard]] bool has(std::string_view column) const { return !text(column).empty(); }
  /// nullopt when the cell is empty or no finite number.
  [[nodiscard]] std::optional<double> number(std::string_view column) const;
  [[nodiscard]] double number_or(std::string_view column, double otherwise) const;
  /// Rounded to the nearest whole number.
  [[nodiscard]] std::int64_t whole_or(std::string_view column, std::int64_t otherwise) const;

 private:
  const io::CsvTable* csv_;
  std::size_t index_;
};

/// One row of a table that knows its file.
class TableRow : public Cells {
 public:
  TableRow(const Table& table, std::size_t index)
      : Cells(table.csv(), index), table_(&table), index_(index) {}
  /// Where the row stands: "file:12".
  [[nodiscard]] std::string place() const;

 private:
  const Table* table_;
  std::size_t index_;
};

/// The layout whose columns the header has. Errors: invalid_input, naming the nearest layout and
/// the columns it misses.
Result<TableKind> kind_of(const Table& table);
/// The layout of a table that is said to be of a kind ("serving" stands for two). Errors: usage for
/// a kind that does not exist, invalid_input naming the columns the file lacks.
Result<TableKind> kind_for(const Table& table, std::string_view kind);

}  // namespace portolan::measure
