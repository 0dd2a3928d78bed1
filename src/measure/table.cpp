#include "measure/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/compression.hpp"

namespace portolan::measure {
namespace {

constexpr std::uint64_t kFileCap = 512ull << 20;

constexpr std::array<TableKind, 5> kLayouts = {TableKind::kKernels, TableKind::kServing,
                                               TableKind::kInferencex, TableKind::kTraining,
                                               TableKind::kTrainingMemory};

std::vector<std::string> missing_columns(const Table& table, TableKind layout) {
  std::vector<std::string> missing;
  for (std::string_view column : required_columns(layout)) {
    if (!table.has(column)) missing.emplace_back(column);
  }
  return missing;
}

/// The layout of which the fewest columns are missing; ties go to the order of kLayouts.
TableKind nearest(const Table& table, std::span<const TableKind> layouts) {
  return *std::min_element(layouts.begin(), layouts.end(), [&](TableKind a, TableKind b) {
    const auto share = [&](TableKind l) {
      return static_cast<double>(missing_columns(table, l).size()) /
             static_cast<double>(required_columns(l).size());
    };
    return share(a) < share(b);
  });
}

std::unexpected<Error> wrong_layout(const Table& table, std::string_view kind, TableKind layout) {
  std::string list;
  for (const std::string& column : missing_columns(table, layout))
    list += (list.empty() ? "" : ", ") + column;
  Error error{.code = ErrorCode::kInvalidInput,
              .message = fmt::format("{} is no table of kind {}: it lacks the columns {}",
                                     table.file(), kind, list),
              .where = {},
              .why = {},
              .hint = {},
              .also = {}};
  error.where.file = table.file();
  error.where.line = 1;
  std::string header;
  for (const std::string& column : table.csv().header)
    header += (header.empty() ? "" : ", ") + printable(column);
  if (header.size() > 200) header = header.substr(0, 200) + " …";
  error.why = "its header is: " + header;
  error.hint = "docs/formats/measurements.md describes the layouts";
  return fail(std::move(error));
}

}  // namespace

std::string_view kind_name(TableKind layout) {
  switch (layout) {
    case TableKind::kKernels:
      return "kernels";
    case TableKind::kServing:
    case TableKind::kInferencex:
      return "serving";
    case TableKind::kTraining:
      return "training";
    case TableKind::kTrainingMemory:
      return "training-memory";
  }
  return "";
}

std::span<const std::string_view> kind_names() {
  static constexpr std::array<std::string_view, 4> kNames = {"kernels", "serving", "training",
                                                             "training-memory"};
  return kNames;
}

std::span<const std::string_view> required_columns(TableKind layout) {
  static constexpr std::string_view kKernels[] = {"system", "op", "latency_ms"};
  static constexpr std::string_view kServing[] = {"model",  "gpu",       "gpu_count",
                                                  "engine", "input_len", "output_len"};
  static constexpr std::string_view kInferencex[] = {"model", "system", "backend", "isl", "osl"};
  static constexpr std::string_view kTraining[] = {"model",   "gpu",          "gpus",
                                                   "seq_len", "global_batch", "step_time_s"};
  static constexpr std::string_view kMemory[] = {"model",   "gpu",         "gpus",
                                                 "seq_len", "mem_per_gpu", "unit"};
  switch (layout) {
    case TableKind::kKernels:
      return kKernels;
    case TableKind::kServing:
      return kServing;
    case TableKind::kInferencex:
      return kInferencex;
    case TableKind::kTraining:
      return kTraining;
    case TableKind::kTrainingMemory:
      return kMemory;
  }
  return {};
}

Result<Table> Table::parse(std::string_view text, std::string file) {
  if (trim(text).empty()) {
    return fail(
        ErrorCode::kInvalidInput, file + " is empty",
        "give a CSV file with a header; docs/formats/measurements.md describes the layouts");
  }
  Table table(std::move(file), {});
  table.csv_ = PORTOLAN_TRY(io::parse_csv(text, table.file_));
  if (table.csv_.rows.empty()) {
    return fail(ErrorCode::kInvalidInput, table.file_ + " has a header and no rows",
                "give a table with at least one measured point");
  }
  return table;
}

Result<Table> Table::open(const std::string& path) {
  std::string bytes = PORTOLAN_TRY(read_file(path, kFileCap));
  const std::string text = PORTOLAN_TRY(io::decompressed(std::move(bytes), path, kFileCap));
  return parse(text, path);
}

const std::string& Cells::text(std::string_view column) const {
  static const std::string kEmpty;
  const int at = csv_->column(column);
  return at < 0 ? kEmpty : csv_->rows[index_][static_cast<std::size_t>(at)];
}

std::optional<double> Cells::number(std::string_view column) const {
  const std::optional<double> value = parse_double(trim(text(column)));
  return value && std::isfinite(*value) ? value : std::nullopt;
}

double Cells::number_or(std::string_view column, double otherwise) const {
  return number(column).value_or(otherwise);
}

std::int64_t Cells::whole_or(std::string_view column, std::int64_t otherwise) const {
  const std::optional<double> value = number(column);
  if (!value || std::abs(*value) > 9e15) return otherwise;
  return std::llround(*value);
}

std::string TableRow::place() const {
  const bool known = index_ < table_->csv().lines.size();
  return known ? fmt::format("{}:{}", table_->file(), table_->csv().lines[index_]) : table_->file();
}

Result<TableKind> kind_of(const Table& table) {
  for (const TableKind layout : kLayouts) {
    if (missing_columns(table, layout).empty()) return layout;
  }
  const TableKind layout = nearest(table, kLayouts);
  return wrong_layout(table, kind_name(layout), layout);
}

Result<TableKind> kind_for(const Table& table, std::string_view kind) {
  std::vector<TableKind> of_kind;
  for (const TableKind layout : kLayouts) {
    if (kind_name(layout) == kind) of_kind.push_back(layout);
  }
  if (of_kind.empty()) {
    std::string list;
    for (std::string_view name : kind_names())
      list += (list.empty() ? "" : ", ") + std::string(name);
    const std::string hint = did_you_mean(kind, kind_names());
    return fail(ErrorCode::kUsage, "unknown kind " + quoted(kind),
                hint.empty() ? "one of: " + list : hint);
  }
  for (const TableKind layout : of_kind) {
    if (missing_columns(table, layout).empty()) return layout;
  }
  return wrong_layout(table, kind, nearest(table, of_kind));
}

}  // namespace portolan::measure
