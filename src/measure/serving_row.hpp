// One row of a table of measured serving points: what ran, how it was loaded, what was measured.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/text_formats.hpp"

namespace portolan::measure {

/// A measured figure of a row: its name in the contract and its value in the unit of the column
/// (ms, tokens/s, requests/s, W, blocks).
struct MeasuredFigure {
  std::string metric;
  double value = 0;
};

/// How the server was loaded (serving.md §8.1); decides what predicts the row.
enum class LoadKind : std::uint8_t {
  kOpenLoop,    // requests arrive at a rate, whatever the server does
  kBurst,       // all requests of the run at once, through the online server (rate "inf")
  kClosedLoop,  // a number of clients, each waits for its answer
  kOffline,     // all requests queued at the start, as fast as it goes
  kStatic,      // one batch: starts together, runs until the last token
  kUnknown
};

struct ServingRow {
  std::string set, model, gpu, precision, engine, engine_version, scenario, source, date;
  std::uint64_t line = 0;
  std::optional<double> gpu_count, tp, pp, ep;
  std::optional<double> input_tokens, output_tokens, batch, max_num_seqs, max_num_batched_tokens,
      kv_blocks;
  std::optional<double> qps;  // infinite: all at once
  std::vector<MeasuredFigure> figures;
  std::map<std::string, std::string> notes;  // key=value pairs, keys in lower case
  std::string notes_text;

  [[nodiscard]] LoadKind load() const;
  [[nodiscard]] bool overloaded() const;  // marked so in the notes
  /// Two columns that say the same thing in different units do not agree: marked in the notes.
  [[nodiscard]] bool columns_disagree() const;
  /// A static batch whose end comes before its outputs can have been generated at the pace it
  /// states: models that stop by themselves.
  [[nodiscard]] bool ended_early() const;
  [[nodiscard]] std::optional<double> note_number(std::string_view key) const;
  [[nodiscard]] std::string note(std::string_view key) const;
  /// The output length the server really produced, where the notes give it, else the column's.
  [[nodiscard]] std::optional<double> effective_outputs() const;
};

/// Reads a table by its header. Columns that are missing read as empty. Errors (invalid_input): no
/// model or gpu column, none of the measured columns, a measured cell that is no number (with file
/// and line).
Result<std::vector<ServingRow>> read_serving_rows(const io::CsvTable& table,
                                                  const std::string& file);

/// The first number after `words` in a text, or nullopt ("500 requests": number_before).
std::optional<double> number_before(std::string_view text, std::string_view word);

}  // namespace portolan::measure
