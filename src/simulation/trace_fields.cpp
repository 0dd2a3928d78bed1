#include "simulation/trace_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "base/text.hpp"

namespace portolan::simulation {
namespace {

std::string_view take_count(std::string_view text, std::int64_t& to) {
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

}  // namespace

std::string_view TableReader::take_number(const FieldSpec& spec, std::string_view text) {
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

void TableReader::take_text(Field field, std::string_view text) {
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

std::unexpected<Error> TableReader::fail_field(std::string_view name, std::string_view text,
                                               std::string_view what) const {
  return fail_here(ErrorCode::kInvalidInput,
                   "\"" + std::string(name) + "\" " + std::string(what) + ": " + quoted(text), {},
                   {});
}

Result<Row> TableReader::finish(Request& request, Instant& arrival) {
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

Result<std::uint32_t> TableReader::LastName::number(
    const std::map<std::string, std::uint32_t>& numbers, const std::string& wanted,
    std::string_view what) {
  if (numbers.empty()) return 0;
  if (!known || wanted != name) {
    // A row without a name is of the first of them.
    last = wanted.empty() && !numbers.contains("") ? 0
                                                   : PORTOLAN_TRY(number_of(numbers, wanted, what));
    name = wanted;
    known = true;
  }
  return last;
}

Result<std::uint32_t> TableReader::placed(Result<std::uint32_t> result) const {
  if (result) return result;
  Error error = std::move(result).error();
  error.where = {.file = lines_.name(),
                 .line = lines_.line_number(),
                 .pointer = {},
                 .argument = {},
                 .offset = {}};
  return std::unexpected(std::move(error));
}

std::string_view TableReader::name_of(Field field) const {
  const auto found = std::ranges::find(format_.fields, field, &FieldSpec::field);
  return found == format_.fields.end() ? "" : found->name;
}

Result<void> TableReader::check_length(Field field, std::int64_t tokens) const {
  const std::int64_t least = format_.log ? 0 : 1;
  if (tokens >= least && tokens <= kMostTokens) return {};
  return fail_here(ErrorCode::kInvalidInput,
                   "\"" + std::string(name_of(field)) + "\" is " + std::to_string(tokens),
                   "a request has 1 to " + with_commas(kMostTokens) + " tokens of each kind", {});
}

std::uint32_t TableReader::adapter_number() {
  if (raw_.adapter.empty()) return 0;
  return adapters_.try_emplace(raw_.adapter, static_cast<std::uint32_t>(adapters_.size() + 1))
      .first->second;
}

Result<Row> TableReader::check_ids(Request& request) const {
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

}  // namespace portolan::simulation
