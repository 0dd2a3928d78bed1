// Reads rows of the table formats, from lines of JSON or CSV.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/text.hpp"
#include "io/json_scanner.hpp"
#include "simulation/trace_fields.hpp"

namespace portolan::simulation {
namespace {

class JsonReader final : public TableReader {
 public:
  using TableReader::TableReader;

  Result<Row> read(Request& request, Instant& arrival) override {
    std::string_view line;
    if (!PORTOLAN_TRY(lines_.next_text(line))) return Row::kEnd;
    raw_.clear();
    request.ids.clear();
    io::JsonScanner json(line);
    std::string_view key;
    for (json.begin_object(); json.next_key(key);) {
      const FieldSpec* const spec = find(key);
      if (spec == nullptr) {
        json.skip();
        continue;
      }
      if (json.null()) continue;
      if (raw_.has(spec->field)) {
        return fail_here(ErrorCode::kMalformed,
                         "\"" + std::string(spec->name) + "\" is there twice", {}, {});
      }
      raw_.seen |= 1u << static_cast<int>(spec->field);
      if (const std::string_view fault = take(json, *spec, request); !fault.empty()) {
        return fail_field(spec->name, text_, fault);
      }
      if (*json.problem() != '\0') {
        return fail_json(json, "\"" + std::string(spec->name) + "\": ");
      }
    }
    if (!json.finish()) return fail_json(json, {});
    return finish(request, arrival);
  }

 private:
  const FieldSpec* find(std::string_view key) {
    // Rows have their members in the same order, mostly.
    for (std::size_t i = 0; i < format_.fields.size(); ++i) {
      const FieldSpec& spec = format_.fields[next_];
      next_ = next_ + 1 == format_.fields.size() ? 0 : next_ + 1;
      if (spec.name == key) return &spec;
    }
    return nullptr;
  }

  std::string_view take(io::JsonScanner& json, const FieldSpec& spec, Request& request) {
    switch (spec.field) {
      case Field::kIds:
        json.integers(request.ids);
        return {};
      case Field::kTokens:
        take_tokens(json, request);
        return {};
      case Field::kModel:
      case Field::kClass:
      case Field::kAdapter:
      case Field::kGroup:
      case Field::kStatus:
      case Field::kConversation:
        buffer_.clear();
        if (json.peek('"')) {
          json.string(buffer_);
        } else if (spec.field == Field::kConversation) {
          buffer_ = std::to_string(json.integer());
        } else {
          json.string(buffer_);  // says that a string is expected
        }
        take_text(spec.field, buffer_);
        return {};
      default:
        text_ = json.number();
        return text_.empty() ? std::string_view() : take_number(spec, text_);
    }
  }

  // Ids of runs of the prompt's tokens; each depends on the run alone, as ids do by definition.
  void take_tokens(io::JsonScanner& json, Request& request) {
    tokens_.clear();
    json.integers(tokens_);
    named_tokens_ = static_cast<std::int64_t>(tokens_.size());
    std::uint64_t id = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      id = mix_bits(id ^ tokens_[i]);
      if ((i + 1) % kRunTokens == 0) {
        request.ids.push_back(id);
        id = 0;
      }
    }
  }

  [[nodiscard]] std::unexpected<Error> fail_json(const io::JsonScanner& json,
                                                 const std::string& before) const {
    return lines_.fail_here(ErrorCode::kMalformed, before + json.problem(), {}, {}, json.column());
  }

  std::size_t next_ = 0;
  std::string_view text_;
  std::string buffer_;
  std::vector<std::uint64_t> tokens_;
};

class CsvTableReader final : public TableReader {
 public:
  using TableReader::TableReader;

  Result<void> read_header() {
    std::string_view line;
    if (!PORTOLAN_TRY(lines_.next_text(line)))
      return fail_here(ErrorCode::kMalformed, "the file is empty", {}, {});
    const std::vector<std::string> names = csv_names(line);
    columns_.assign(names.size(), nullptr);
    for (const FieldSpec& spec : format_.fields) {
      const auto found = std::ranges::find(names, spec.name);
      if (found != names.end()) {
        columns_[static_cast<std::size_t>(found - names.begin())] = &spec;
      } else if (spec.required) {
        return fail_here(ErrorCode::kInvalidInput,
                         "the column " + quoted(spec.name) + " is missing", {},
                         "the format " + std::string(format_.name) + " needs it");
      }
    }
    return {};
  }

  Result<Row> read(Request& request, Instant& arrival) override {
    std::string_view line;
    if (!PORTOLAN_TRY(lines_.next_text(line))) return Row::kEnd;
    raw_.clear();
    request.ids.clear();
    std::size_t column = 0;
    for (bool more = true; more; ++column) {
      std::string_view cell = PORTOLAN_TRY(next_cell(line, more));
      if (column >= columns_.size()) {
        ++column;
        break;
      }
      const FieldSpec* const spec = columns_[column];
      if (spec == nullptr) continue;
      while (cell.starts_with(' ')) cell.remove_prefix(1);
      while (cell.ends_with(' ')) cell.remove_suffix(1);
      if (cell.empty() && !spec->required) continue;
      raw_.seen |= 1u << static_cast<int>(spec->field);
      std::string_view fault;
      switch (spec->field) {
        case Field::kModel:
        case Field::kClass:
        case Field::kAdapter:
        case Field::kGroup:
        case Field::kStatus:
        case Field::kConversation:
          take_text(spec->field, cell);
          break;
        default:
          fault = take_number(*spec, cell);
      }
      if (!fault.empty()) return fail_field(spec->name, cell, fault);
    }
    if (column != columns_.size()) {
      return fail_here(ErrorCode::kMalformed,
                       "the row has " +
                           (column > columns_.size() ? "more" : std::to_string(column)) +
                           " cells, the header " + std::to_string(columns_.size()),
                       {}, {});
    }
    return finish(request, arrival);
  }

 private:
  // Takes the first cell off `rest`; `more` says whether another follows. A quoted cell may go over
  // several lines.
  Result<std::string_view> next_cell(std::string_view& rest, bool& more) {
    if (!rest.starts_with('"')) {
      const std::size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      const std::string_view cell = rest.substr(0, comma);
      rest.remove_prefix(more ? comma + 1 : rest.size());
      return cell;
    }
    cell_.clear();
    rest.remove_prefix(1);
    while (true) {
      const std::size_t quote = rest.find('"');
      cell_ += rest.substr(0, quote);
      if (quote == std::string_view::npos) {
        cell_ += '\n';
        constexpr std::size_t kMostCell = 1u << 20;
        if (cell_.size() > kMostCell || !PORTOLAN_TRY(lines_.next(rest))) {
          return fail_here(ErrorCode::kMalformed, "a quoted cell does not end", {}, {});
        }
        continue;
      }
      rest.remove_prefix(quote + 1);
      if (rest.starts_with('"')) {
        cell_ += '"';
        rest.remove_prefix(1);
        continue;
      }
      more = rest.starts_with(',');
      if (more) rest.remove_prefix(1);
      if (!more && !rest.empty()) {
        return fail_here(ErrorCode::kMalformed, "something follows a quoted cell", {}, {});
      }
      return std::string_view(cell_);
    }
  }

  std::vector<const FieldSpec*> columns_;
  std::string cell_;
};

}  // namespace

std::vector<std::string> csv_names(std::string_view line) {
  std::vector<std::string> names;
  for (std::string_view cell : split(line, ',')) {
    cell = trim(cell);
    if (cell.size() >= 2 && cell.starts_with('"') && cell.ends_with('"')) {
      cell = cell.substr(1, cell.size() - 2);
    }
    names.emplace_back(cell);
  }
  return names;
}

Result<std::unique_ptr<TraceReader>> read_trace(io::ByteStream stream, const FormatSpec& format,
                                                const TraceOptions& options) {
  if (format.make != nullptr) return format.make(std::move(stream), options);
  io::LineReader lines(std::move(stream));
  if (!format.csv) return std::make_unique<JsonReader>(std::move(lines), format, options);
  auto reader = std::make_unique<CsvTableReader>(std::move(lines), format, options);
  PORTOLAN_DO(reader->read_header());
  return reader;
}

}  // namespace portolan::simulation
