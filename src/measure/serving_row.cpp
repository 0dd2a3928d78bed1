#include "measure/serving_row.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/text.hpp"
#include "measure/table.hpp"

namespace portolan::measure {
namespace {

struct FigureColumn {
  std::string_view column, metric;
};
// The mean and quantiles of the gaps between tokens have two names: per request (tpot) or over all
// tokens (itl); the notes tell which.
constexpr std::array kColumns = {
    FigureColumn{"ttft_ms_mean", "ttft_mean"},
    FigureColumn{"ttft_ms_p50", "ttft_p50"},
    FigureColumn{"ttft_ms_p90", "ttft_p90"},
    FigureColumn{"ttft_ms_p99", "ttft_p99"},
    FigureColumn{"tpot_ms_mean", "tpot_mean"},
    FigureColumn{"tpot_ms_p50", "tpot_p50"},
    FigureColumn{"tpot_ms_p99", "tpot_p99"},
    FigureColumn{"e2e_ms_mean", "e2e_mean"},
    FigureColumn{"e2e_ms_p50", "e2e_p50"},
    FigureColumn{"e2e_ms_p90", "e2e_p90"},
    FigureColumn{"e2e_ms_p99", "e2e_p99"},
    FigureColumn{"out_tok_s", "output_tokens_per_second"},
    FigureColumn{"total_tok_s", "total_tokens_per_second"},
    FigureColumn{"req_s", "requests_per_second"},
    FigureColumn{"power_w", "power"},
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::map<std::string, std::string> pairs_of(std::string_view notes) {
  std::map<std::string, std::string> pairs;
  for (const std::string_view piece : split(notes, ';')) {
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) continue;
    pairs.emplace(to_lower(trim(piece.substr(0, equals))),
                  std::string(trim(piece.substr(equals + 1))));
  }
  return pairs;
}

bool is_gap_latency(const ServingRow& row) {
  return starts_with_ignoring_case(row.set, "blis") || contains(row.notes_text, "ITL");
}

}  // namespace

std::optional<double> number_before(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = trim(text.substr(0, at));
  const std::size_t start = before.find_last_not_of("0123456789.");
  return parse_double(before.substr(start == std::string_view::npos ? 0 : start + 1));
}

LoadKind ServingRow::load() const {
  const std::string how = to_lower(scenario);
  if (contains(how, "static")) return LoadKind::kStatic;
  if (contains(how, "closed")) return LoadKind::kClosedLoop;
  if (contains(how, "offline") || contains(how, "saturated")) return LoadKind::kOffline;
  if (qps && std::isinf(*qps)) return LoadKind::kBurst;
  if (qps || contains(how, "open-loop") || contains(how, "open loop") || contains(how, "replay"))
    return LoadKind::kOpenLoop;
  return batch ? LoadKind::kClosedLoop : LoadKind::kUnknown;
}

bool ServingRow::overloaded() const { return contains(notes_text, "OVERLOADED"); }

bool ServingRow::columns_disagree() const { return contains(notes_text, "columns disagree"); }

bool ServingRow::ended_early() const {
  if (load() != LoadKind::kStatic || !output_tokens) return false;
  std::optional<double> first, gap, whole;
  for (const MeasuredFigure& figure : figures) {
    if (figure.metric == "ttft_mean") first = figure.value;
    if (figure.metric == "tpot_mean" || figure.metric == "itl_mean") gap = figure.value;
    if (figure.metric == "e2e_mean") whole = figure.value;
  }
  constexpr double kTolerance = 0.1;
  return first && gap && whole &&
         *whole < (1.0 - kTolerance) * (*first + *gap * (*output_tokens - 1.0));
}

std::string ServingRow::note(std::string_view key) const {
  const auto found = notes.find(std::string(key));
  return found == notes.end() ? std::string() : found->second;
}

std::optional<double> ServingRow::note_number(std::string_view key) const {
  return parse_double(note(key));
}

std::optional<double> ServingRow::effective_outputs() const {
  for (const auto& [key, value] : notes) {
    if (!key.starts_with("effective output length")) continue;
    if (const auto tokens = parse_double(value); tokens && *tokens >= 1) return tokens;
  }
  return output_tokens;
}

Result<std::vector<ServingRow>> read_serving_rows(const io::CsvTable& table,
                                                  const std::string& file) {
  const auto where = [&](std::uint64_t line) {
    return Where{
        .file = file, .line = line, .column = 0, .pointer = {}, .argument = {}, .offset = {}};
  };
  for (const std::string_view needed : {"model", "gpu"}) {
    if (table.column(needed) >= 0) continue;
    return fail(Error{.code = ErrorCode::kInvalidInput,
                      .message = fmt::format("{} has no column \"{}\"", file, needed),
                      .where = where(1),
                      .why = "a table of serving points names the model and the gpu of each row",
                      .hint = "compare its header with the serving layout",
                      .also = {}});
  }
  bool any = table.column("kv_blocks") >= 0;
  for (const FigureColumn& c : kColumns) any = any || table.column(c.column) >= 0;
  if (!any) {
    return fail(Error{.code = ErrorCode::kInvalidInput,
                      .message = fmt::format("{} has no measured column", file),
                      .where = where(1),
                      .why = "nothing to compare a prediction with",
                      .hint = "add ttft_ms_mean, tpot_ms_mean, e2e_ms_mean or out_tok_s",
                      .also = {}});
  }

  std::vector<ServingRow> rows;
  rows.reserve(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cell(table, i);
    ServingRow row;
    row.set = cell.text("set");
    row.model = cell.text("model");
    row.gpu = cell.text("gpu");
    row.precision = cell.text("precision");
    row.engine = cell.text("engine");
    row.engine_version = cell.text("engine_version");
    row.scenario = cell.text("scenario");
    row.source = cell.text("source");
    row.date = cell.text("date");
    row.notes_text = cell.text("notes");
    row.notes = pairs_of(row.notes_text);
    row.line = i < table.lines.size() ? table.lines[i] : i + 2;
    row.gpu_count = cell.number("gpu_count");
    row.tp = cell.number("tp");
    row.pp = cell.number("pp");
    row.ep = cell.number("ep");
    row.input_tokens = cell.number("input_len");
    row.output_tokens = cell.number("output_len");
    row.batch = cell.number("batch_or_concurrency");
    row.max_num_seqs = cell.number("max_num_seqs");
    row.max_num_batched_tokens = cell.number("max_num_batched_tokens");
    row.kv_blocks = cell.number("kv_blocks");
    row.qps = cell.number("qps");
    if (const std::string rate = to_lower(trim(cell.text("qps")));
        rate == "inf" || rate == "infinity")
      row.qps = std::numeric_limits<double>::infinity();

    const bool gaps = is_gap_latency(row);
    for (const FigureColumn& c : kColumns) {
      const std::string_view text = trim(cell.text(c.column));
      if (text.empty()) continue;
      const auto value = parse_double(text);
      if (!value || !std::isfinite(*value)) {
        return fail(Error{.code = ErrorCode::kInvalidInput,
                          .message = fmt::format("column \"{}\" holds {}, which is no number",
                                                 c.column, quoted(text)),
                          .where = where(row.line),
                          .why = {},
                          .hint = "leave the cell empty where nothing was measured",
                          .also = {}});
      }
      // Total tokens say nothing that output tokens do not; zeros stand for "not recorded".
      if (c.metric == "total_tokens_per_second" && cell.number("out_tok_s")) continue;
      if (*value == 0.0) continue;
      std::string metric(c.metric);
      if (gaps && metric.starts_with("tpot")) metric.replace(0, 4, "itl");
      row.figures.push_back({std::move(metric), *value});
    }
    if (row.kv_blocks) row.figures.push_back({"kv_blocks", *row.kv_blocks});
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace portolan::measure
