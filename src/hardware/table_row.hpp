// One row of a reviewed table, read by column name: the first problem is kept with its place, what
// is read after it is empty.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/date.hpp"
#include "base/money.hpp"
#include "base/text.hpp"
#include "io/text_formats.hpp"

namespace portolan::hardware {

class TableRow {
 public:
  TableRow(const io::CsvTable& table, std::size_t index, const std::string& file)
      : table_(table), index_(index), file_(file) {}

  [[nodiscard]] bool has(std::string_view column) const { return table_.column(column) >= 0; }
  /// A missing column is a problem.
  std::string text(std::string_view column) {
    const int at = table_.column(column);
    if (at < 0) {
      problem("the column " + quoted(column) + " is missing");
      return {};
    }
    return table_.rows[index_][static_cast<std::size_t>(at)];
  }
  /// Finite and not negative; an empty cell is unknown.
  std::optional<double> number(std::string_view column) {
    const std::string cell = text(column);
    if (cell.empty()) return std::nullopt;
    const std::optional<double> value = parse_double(cell);
    if (!value || !std::isfinite(*value) || *value < 0) {
      problem(std::string(column) + " is " + quoted(cell) + ", not a number of at least 0");
      return std::nullopt;
    }
    return value;
  }
  std::optional<std::int64_t> integer(std::string_view column) {
    const std::optional<double> value = number(column);
    if (value && (*value != std::floor(*value) || *value > 9e15)) {
      problem(std::string(column) + " is " + quoted(text(column)) + ", not a whole number");
      return std::nullopt;
    }
    return value ? std::optional<std::int64_t>(static_cast<std::int64_t>(*value)) : std::nullopt;
  }
  template <class Q>
  std::optional<Q> quantity(std::string_view column) {
    const std::optional<double> value = number(column);
    return value ? std::optional<Q>(Q(*value)) : std::nullopt;
  }
  /// Exact decimal text; an empty cell is unknown.
  std::optional<Money> money(std::string_view column) {
    const std::string cell = text(column);
    if (cell.empty()) return std::nullopt;
    const Result<Money> value = Money::parse(cell);
    if (!value) {
      problem(std::string(column) + ": " + value.error().message);
      return std::nullopt;
    }
    return *value;
  }
  /// "yes", "no", or unknown.
  std::optional<bool> yes_no(std::string_view column) {
    const std::string cell = text(column);
    if (cell == "yes") return true;
    if (cell == "no") return false;
    if (!cell.empty()) problem(std::string(column) + " is " + quoted(cell) + ", not yes or no");
    return std::nullopt;
  }
  std::optional<Date> day(std::string_view column) {
    const std::string cell = text(column);
    if (cell.empty()) return std::nullopt;
    const Result<Date> value = parse_date(cell);
    if (!value) {
      problem(std::string(column) + ": " + value.error().message);
      return std::nullopt;
    }
    return *value;
  }
  bool flag(std::string_view column) { return text(column) == "1"; }

  void problem(std::string message) {
    if (error_) return;
    error_.emplace();
    error_->code = ErrorCode::kInvalidInput;
    error_->message = std::move(message);
    error_->where.file = file_;
    error_->where.line = table_.lines[index_];
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const io::CsvTable& table_;
  std::size_t index_;
  const std::string& file_;
  std::optional<Error> error_;
};

/// Every row of a CSV text through `make(TableRow&) -> T`; all problems of the file at once.
template <class T, class Make>
Result<std::vector<T>> read_table(std::string_view csv, const std::string& file, Make make) {
  const io::CsvTable table = PORTOLAN_TRY(io::parse_csv(csv, file));
  std::vector<T> out;
  std::vector<Error> problems;
  out.reserve(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    TableRow row(table, i, file);
    out.push_back(make(row));
    if (const std::optional<Error>& problem = row.error()) problems.push_back(*problem);
  }
  if (!problems.empty()) return fail(combine(std::move(problems), file));
  return out;
}

}  // namespace portolan::hardware
