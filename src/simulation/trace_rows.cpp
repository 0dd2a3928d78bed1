// Reads rows of the table formats, from lines of JSON or CSV.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/random.hpp"
#include "base/text.hpp"
#include "io/json_scanner.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// What the fields of one row say, before it is checked.
struct Raw {
  std::uint32_t seen = 0;  // bits of Field
  Instant arrival = 0;
  std::int64_t input = 0, output = 0, group_tokens = 0, id_tokens = 0;
  std::optional<Time> deadline;
  std::optional<Instant> deadline_at;
  std::string model, slo_class, adapter, group;
  std::uint64_t conversation = 0;
  bool failed = false;

  [[nodiscard]] bool has(Field field) const {
    return ((seen >> static_cast<int>(field)) & 1u) != 0;
  }
  void clear() {
    seen = 0;
    group_tokens = id_tokens = 0;
    deadline.reset();
    deadline_at.reset();
    model.clear();
    slo_class.clear();
    adapter.clear();
    group.clear();
    conversation = 0;
    failed = false;
  }
};

// The half of both readers that does not depend on how a row is spelled.
class TableReader : public TraceReader {
 public:
  TableReader(io::LineReader lines, const FormatSpec& format, const TraceOptions& options)
      : lines_(std::move(lines)),
        format_(format),
        models_(options.models),
        classes_(options.classes),
        id_tokens_(format.name == "mooncake" ? options.hash_tokens : format.id_tokens) {}

  [[nodiscard]] std::unexpected<Error> fail_here(ErrorCode code, std::string message,
                                                 std::string why, std::string hint) const override {
    return lines_.fail_here(code, std::move(message), std::move(why), std::move(hint));
  }

 protected:
  // Keeps a number of the row; empty text when it is one, else what is wrong with it.
  std::string_view take_number(const FieldSpec& spec, std::string_view text) {
    switch (spec.field) {
      case Field::kInput:
        return take_count(text, raw_.input);
      case Field::kOutput:
        return take_count(text, raw_.output);
      case Field::kGroupTokens:
        return take_count(text, raw_.group_tokens);
      case Field::kIdTokens:
        return take_count(text, raw_.id_tokens);
      default:
        break;
    }
    const std::optional<Instant> instant =
        spec.field == Field::kDate ? parse_date(text) : parse_instant(text, spec.scale);
    if (!instant) return spec.field == Field::kDate ? "is no date and time" : "is no time";
    if (spec.field == Field::kDeadlineAt) {
      if (*instant != 0) raw_.deadline_at = instant;
    } else if (spec.field == Field::kDeadline) {
      if (*instant <= 0) return "is no time after arrival";
      raw_.deadline = *instant < kLongest ? static_cast<Time>(*instant) : kNever;
    } else {
      if (*instant < 0) return "is a time before 0";
      raw_.arrival = *instant;
    }
    return {};
  }
  void take_text(Field field, std::string_view text) {
    switch (field) {
      case Field::kModel:
        raw_.model = text;
        break;
      case Field::kClass:
        raw_.slo_class = text;
        break;
      case Field::kAdapter:
        raw_.adapter = text;
        break;
      case Field::kGroup:
        raw_.group = text;
        break;
      case Field::kConversation:
        raw_.conversation = text.empty() ? 0 : hash_text(text);
        break;
      case Field::kStatus:
        raw_.failed = text == "error";
        break;
      default:
        break;
    }
  }
  [[nodiscard]] std::unexpected<Error> fail_field(std::string_view name, std::string_view text,
                                                  std::string_view what) const {
    return fail_here(ErrorCode::kInvalidInput,
                     "\"" + std::string(name) + "\" " + std::string(what) + ": " + quoted(text), {},
                     {});
  }

  // Checks what has been read and makes a request of it; ids are in place already.
  Result<Row> finish(Request& request, Instant& arrival) {
    for (const FieldSpec& spec : format_.fields) {
      if (spec.required && !raw_.has(spec.field)) {
        return fail_here(ErrorCode::kInvalidInput, "\"" + std::string(spec.name) + "\" is missing",
                         {}, "each row of the format " + std::string(format_.name) + " has it");
      }
    }
    PORTOLAN_DO(check_length(Field::kInput, raw_.input));
    PORTOLAN_DO(check_length(Field::kOutput, raw_.output));
    if (raw_.failed || raw_.input == 0 || raw_.output == 0) return Row::kSkipped;
    arrival = raw_.arrival;
    request.input_tokens = raw_.input;
    request.output_tokens = raw_.output;
    request.conversation = raw_.conversation;
    request.deadline = kNever;
    if (raw_.deadline) request.deadline = *raw_.deadline;
    if (raw_.deadline_at) {
      const Instant after = *raw_.deadline_at - raw_.arrival;
      if (after < 0) {
        return fail_here(ErrorCode::kInvalidInput, "the deadline lies before the arrival", {}, {});
      }
      if (after < kLongest) request.deadline = static_cast<Time>(after);
    }
    request.model = PORTOLAN_TRY(placed(model_.number(models_, raw_.model, "model")));
    request.slo_class = PORTOLAN_TRY(placed(class_.number(classes_, raw_.slo_class, "class")));
    request.adapter = adapter_number();
    return check_ids(request);
  }

  io::LineReader lines_;
  const FormatSpec& format_;
  Raw raw_;
  std::int64_t named_tokens_ = 0;  // in the list of the prompt's tokens

 private:
  // Most traces name the same model row after row.
  struct LastName {
    std::string name;
    std::uint32_t last = 0;
    bool known = false;
    Result<std::uint32_t> number(const std::map<std::string, std::uint32_t>& numbers,
                                 const std::string& wanted, std::string_view what) {
      if (numbers.empty()) return 0;
      if (!known || wanted != name) {
        // A row without a name is of the first of them.
        last = wanted.empty() && !numbers.contains("")
                   ? 0
                   : PORTOLAN_TRY(number_of(numbers, wanted, what));
        name = wanted;
        known = true;
      }
      return last;
    }
  };

  template <class T>
  Result<T> placed(Result<T> result) const {
    if (result) return result;
    Error error = std::move(result).error();
    error.where = {.file = lines_.name(),
                   .line = lines_.line_number(),
                   .pointer = {},
                   .argument = {},
                   .offset = {}};
    return std::unexpected(std::move(error));
  }

  static std::string_view take_count(std::string_view text, std::int64_t& to) {
    const char* const end = text.data() + text.size();
    if (const auto [at, fault] = std::from_chars(text.data(), end, to);
        fault == std::errc() && at == end) {
      return {};
    }
    // Tables that went through a data frame have 374.0.
    double real = 0;
    const auto [at, fault] = std::from_chars(text.data(), end, real);
    if (text.empty() || at != end ||
        (fault != std::errc() && fault != std::errc::result_out_of_range)) {
      return "is no number";
    }
    constexpr double kMost = 1e15;
    if (!(std::fabs(real) < kMost)) return "is no number of tokens";
    if (real != std::floor(real)) return "is not a whole number";
    to = static_cast<std::int64_t>(real);
    return {};
  }

  [[nodiscard]] std::string_view name_of(Field field) const {
    const auto found = std::ranges::find(format_.fields, field, &FieldSpec::field);
    return found == format_.fields.end() ? "" : found->name;
  }

  Result<void> check_length(Field field, std::int64_t tokens) {
    const std::int64_t least = format_.log ? 0 : 1;
    if (tokens >= least && tokens <= kMostTokens) return {};
    return fail_here(ErrorCode::kInvalidInput,
                     "\"" + std::string(name_of(field)) + "\" is " + std::to_string(tokens),
                     "a request has 1 to " + with_commas(kMostTokens) + " tokens of each kind", {});
  }

  std::uint32_t adapter_number() {
    if (raw_.adapter.empty()) return 0;
    return adapters_.try_emplace(raw_.adapter, static_cast<std::uint32_t>(adapters_.size() + 1))
        .first->second;
  }

  Result<Row> check_ids(Request& request) {
    if (raw_.has(Field::kGroup) && !raw_.group.empty() && raw_.group_tokens > 0) {
      PORTOLAN_DO(check_length(Field::kGroupTokens, raw_.group_tokens));
      request.input_tokens += raw_.group_tokens;
      request.id_tokens = kRunTokens;
      const std::uint64_t group = hash_text(raw_.group);
      const auto runs = static_cast<std::uint64_t>(raw_.group_tokens / kRunTokens);
      for (std::uint64_t i = 0; i < runs; ++i) request.ids.push_back(mix_bits(group ^ mix_bits(i)));
      return Row::kRequest;
    }
    if (raw_.has(Field::kTokens) && named_tokens_ != raw_.input) {
      return fail_here(ErrorCode::kInvalidInput,
                       "\"" + std::string(name_of(Field::kTokens)) + "\" has " +
                           with_commas(named_tokens_) + " tokens, \"" +
                           std::string(name_of(Field::kInput)) + "\" is " + with_commas(raw_.input),
                       {}, {});
    }
    if (!raw_.has(Field::kIds)) {
      request.id_tokens = raw_.has(Field::kTokens) && !request.ids.empty() ? kRunTokens : 0;
      return Row::kRequest;
    }
    const std::int64_t run = raw_.has(Field::kIdTokens) ? raw_.id_tokens : id_tokens_;
    if (run < 1 || run > std::numeric_limits<std::int32_t>::max()) {
      return fail_here(ErrorCode::kInvalidInput,
                       "how many tokens an id of \"" + std::string(name_of(Field::kIds)) +
                           "\" stands for is not said",
                       {}, "give \"block_tokens\", for example 16");
    }
    request.id_tokens = static_cast<std::int32_t>(run);
    const auto ids = static_cast<std::int64_t>(request.ids.size());
    const std::int64_t whole = request.input_tokens / run;
    const std::int64_t all = (request.input_tokens + run - 1) / run;
    using Ids = FormatSpec::Ids;
    std::int64_t least = 0, most = (request.input_tokens + request.output_tokens + run - 1) / run;
    if (format_.ids == Ids::kAll) least = most = all;
    if (format_.ids == Ids::kFull) least = most = whole;
    if (ids < least || ids > most) {
      return fail_here(ErrorCode::kInvalidInput,
                       "\"" + std::string(name_of(Field::kIds)) + "\" has " + with_commas(ids) +
                           " ids for " + with_commas(request.input_tokens) + " tokens of input",
                       "ids of " + with_commas(run) + " tokens must be " +
                           (least == most ? "" : "at most ") + with_commas(most),
                       {});
    }
    return Row::kRequest;
  }

  const std::map<std::string, std::uint32_t> models_, classes_;
  LastName model_, class_;
  std::unordered_map<std::string, std::uint32_t> adapters_;
  std::int32_t id_tokens_;
};

class JsonReader final : public TableReader {
 public:
  using TableReader::TableReader;

  Result<Row> read(Request& request, Instant& arrival) override {
    std::string_view line;
    do {
      if (!PORTOLAN_TRY(lines_.next(line))) return Row::kEnd;
    } while (is_blank(line));
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
    do {
      if (!PORTOLAN_TRY(lines_.next(line))) {
        return fail_here(ErrorCode::kMalformed, "the file is empty", {}, {});
      }
    } while (is_blank(line));
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
    do {
      if (!PORTOLAN_TRY(lines_.next(line))) return Row::kEnd;
    } while (is_blank(line));
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

// Days since 1970-01-01 (H. Hinnant's algorithm).
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

}  // namespace

std::optional<Instant> parse_instant(std::string_view text, Time scale) {
  // Digits that count, as one number, and the power of ten it is to be multiplied with.
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  Instant value = 0;
  int power = 0, digits = 0, kept = 0;
  bool fraction = false;
  std::size_t at = 0;
  constexpr int kMostDigits = 30;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !fraction) {
      fraction = true;
    } else if (is_digit(c)) {
      ++digits;
      if (kept < kMostDigits) {
        value = value * 10 + (c - '0');
        if (value > 0) ++kept;
        if (fraction) --power;
      } else if (!fraction) {
        ++power;
      }
    } else {
      break;
    }
  }
  if (digits == 0) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    int exponent = 0;
    const auto [end, fault] =
        std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    constexpr int kMostExponent = 1000;
    if (fault != std::errc() || std::abs(exponent) > kMostExponent) return std::nullopt;
    power += exponent;
    at = static_cast<std::size_t>(end - text.data());
  }
  if (at != text.size()) return std::nullopt;
  for (Time unit = scale; unit > 1; unit /= 10) ++power;
  constexpr Instant kMost = Instant{100'000'000'000'000} * 1'000'000'000'000;
  for (; power > 0 && value != 0; --power) {
    value *= 10;
    if (value > kMost) return std::nullopt;
  }
  if (power < 0 && value != 0) {
    Instant half = 0;
    for (; power < 0 && (value != 0 || half != 0); ++power) {
      half = value % 10;
      value /= 10;
    }
    constexpr int kRoundUp = 5;
    if (power == 0 && half >= kRoundUp) ++value;
  }
  if (value > kMost) return std::nullopt;
  return negative ? -value : value;
}

std::optional<Instant> parse_date(std::string_view text) {
  const auto digits = [&](std::size_t count) -> std::int64_t {
    std::int64_t value = 0;
    if (text.size() < count) return -1;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
  };
  const auto pass = [&](char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  };
  const std::int64_t year = digits(4);
  if (year < 1970 || !pass('-')) return std::nullopt;
  const std::int64_t month = digits(2);
  if (month < 1 || month > 12 || !pass('-')) return std::nullopt;
  const std::int64_t day = digits(2);
  if (day < 1 || day > 31 || (!pass(' ') && !pass('T'))) return std::nullopt;
  const std::int64_t hour = digits(2);
  if (hour < 0 || hour > 23 || !pass(':')) return std::nullopt;
  const std::int64_t minute = digits(2);
  if (minute < 0 || minute > 59 || !pass(':')) return std::nullopt;
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  const std::optional<Instant> second = parse_instant(text.substr(0, end), kSecond);
  if (end < 2 || !second || *second >= Instant{61} * kSecond) return std::nullopt;
  text.remove_prefix(end);
  std::int64_t offset = 0;  // minutes
  if (text.starts_with('+') || text.starts_with('-')) {
    const std::int64_t sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
    const std::int64_t hours = digits(2);
    pass(':');
    const std::int64_t minutes = text.empty() ? 0 : digits(2);
    if (hours < 0 || minutes < 0) return std::nullopt;
    offset = sign * (hours * 60 + minutes);
  } else if (!pass('Z')) {
    if (text == " UTC") text = {};
  }
  if (!text.empty()) return std::nullopt;
  const std::int64_t minutes =
      (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset;
  return Instant{minutes} * 60 * kSecond + *second;
}

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
