#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "io/csv_reader.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

constexpr std::uint64_t kMostBytes = 512ull << 20;
constexpr std::uint64_t kMostTableBytes = 64ull << 20;
constexpr std::size_t kMostColumns = 1024;
constexpr std::size_t kMostCellBytes = 64u << 10;
// What a table in memory may take: a cell of one byte costs 32, so the multiple is large.
constexpr std::uint64_t kMemoryFactor = 24;
constexpr std::uint64_t kFixedMemory = 24ull << 20;

std::string number(std::uint64_t value) { return with_commas(static_cast<std::int64_t>(value)); }

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string file)
    : text_(text), file_(std::move(file)) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = line_start_ = 3;
}

std::unexpected<Error> CsvReader::fail_here(ErrorCode code, std::string message, std::string why,
                                            std::string hint) const {
  return std::unexpected(Error{.code = code,
                               .message = std::move(message),
                               .where = {.file = file_,
                                         .line = line_,
                                         .column = at_ - line_start_ + 1,
                                         .pointer = {},
                                         .argument = {},
                                         .offset = {}},
                               .why = std::move(why),
                               .hint = std::move(hint),
                               .also = {}});
}

void CsvReader::pass_line_end() {
  if (text_[at_] == '\r' && text_.substr(at_ + 1).starts_with('\n')) ++at_;
  ++at_;
  ++line_;
  line_start_ = at_;
}

// Reads one cell up to its comma, line end or the end of the text.
Result<void> CsvReader::read_cell(std::string& cell) {
  cell.clear();
  const auto too_long = [&] {
    return fail_here(ErrorCode::kLimit, "a cell is too long",
                     "the limit is " + number(kMostCellBytes) + " bytes");
  };
  if (at_ >= text_.size() || text_[at_] != '"') {
    // A quote inside an unquoted cell is an inch or a second of arc: it stands for itself.
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    if (end - at_ > kMostCellBytes) return too_long();
    cell = text_.substr(at_, end - at_);
    at_ = end;
    return {};
  }
  const std::uint64_t opened_line = line_, opened_column = at_ - line_start_ + 1;
  ++at_;
  while (true) {
    const std::size_t end = text_.find_first_of("\"\n", at_);
    if (end == std::string_view::npos) {
      at_ = text_.size();
      auto error = fail_here(ErrorCode::kMalformed, "a quoted cell is not closed");
      error.error().where.line = opened_line;
      error.error().where.column = opened_column;
      return error;
    }
    cell += text_.substr(at_, end - at_);
    at_ = end + 1;
    if (cell.size() > kMostCellBytes) return too_long();
    if (text_[end] == '\n') {
      cell += '\n';
      ++line_;
      line_start_ = at_;
    } else if (at_ < text_.size() && text_[at_] == '"') {
      cell += '"';
      ++at_;
    } else {
      break;
    }
  }
  if (at_ < text_.size() && std::string_view(",\r\n").find(text_[at_]) == std::string::npos) {
    return fail_here(ErrorCode::kMalformed, "text after the closing quote of a cell", {},
                     "double the quotes inside a quoted cell");
  }
  return {};
}

Result<bool> CsvReader::next(std::vector<std::string>& cells) {
  if (text_.size() > kMostBytes) {
    return fail_here(ErrorCode::kLimit, "the table has " + number(text_.size()) + " bytes",
                     "the limit is " + number(kMostBytes));
  }
  while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) pass_line_end();
  if (at_ >= text_.size()) return false;
  row_line_ = line_;
  std::size_t count = 0;
  while (true) {
    if (count == kMostColumns) {
      return fail_here(ErrorCode::kLimit, "a row has too many cells",
                       "the limit is " + number(kMostColumns));
    }
    if (count == cells.size()) cells.emplace_back();
    PORTOLAN_DO(read_cell(cells[count]));
    ++count;
    if (at_ >= text_.size() || text_[at_] != ',') break;
    ++at_;
  }
  if (at_ < text_.size()) pass_line_end();
  cells.resize(count);
  if (columns_ == 0) {
    columns_ = count;
  } else if (count != columns_) {
    at_ = line_start_;
    line_ = row_line_;
    auto error = fail_here(ErrorCode::kMalformed, "the row has " + number(count) +
                                                      " cells, the header has " + number(columns_));
    error.error().where.column = 0;
    return error;
  }
  return true;
}

int CsvTable::column(std::string_view name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  return found == header.end() ? -1 : static_cast<int>(found - header.begin());
}

Result<CsvTable> parse_csv(std::string_view text, const std::string& file) {
  CsvReader reader(text, file);
  if (text.size() > kMostTableBytes) {
    return reader.fail_here(ErrorCode::kLimit, "the table has " + number(text.size()) + " bytes",
                            "the limit is " + number(kMostTableBytes));
  }
  CsvTable table;
  if (!PORTOLAN_TRY(reader.next(table.header))) {
    return reader.fail_here(ErrorCode::kMalformed, "the table is empty", {},
                            "the first row names the columns");
  }
  std::vector<std::string_view> names(table.header.begin(), table.header.end());
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    auto error = reader.fail_here(ErrorCode::kInvalidInput,
                                  "column " + quoted(*twice) + " appears twice in the header");
    error.error().where.line = 1;
    error.error().where.column = 0;
    return error;
  }

  const std::uint64_t most_memory = kMemoryFactor * text.size() + kFixedMemory;
  std::uint64_t memory = 0;
  std::vector<std::string> cells;
  while (PORTOLAN_TRY(reader.next(cells))) {
    // Vectors that double hold three times their content while they move.
    memory += 3 * (sizeof(cells) + sizeof(std::uint64_t)) + 32;
    for (const std::string& cell : cells) memory += sizeof(cell) + cell.size();
    if (memory > most_memory) {
      return reader.fail_here(
          ErrorCode::kLimit, "the table takes too much memory",
          "more than " + number(most_memory) + " bytes, the limit for a text of this size");
    }
    table.rows.emplace_back(cells.begin(), cells.end());
    table.lines.push_back(reader.row_line());
  }
  return table;
}

std::string csv_line(std::span<const std::string> cells, bool guard_formulas) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    const std::string& cell = cells[i];
    const bool formula = guard_formulas && !cell.empty() &&
                         std::string_view("=+-@\t\r").find(cell[0]) != std::string::npos &&
                         !parse_double(cell[0] == '+' ? cell.substr(1) : cell);
    const std::string text = formula ? '\'' + cell : cell;
    // A row of one empty cell would otherwise be a blank line, a byte-order mark not part of it.
    const bool quote = text.find_first_of(",\"\r\n") != std::string::npos ||
                       (text.empty() && cells.size() == 1) || text.starts_with("\xEF\xBB\xBF");
    if (!quote) {
      line += text;
      continue;
    }
    line += '"';
    for (const char c : text) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  return line + '\n';
}

}  // namespace portolan::io
