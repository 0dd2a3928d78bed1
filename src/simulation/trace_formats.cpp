// The formats as tables, and how one tells them apart.
#include <algorithm>
#include <array>

#include "base/random.hpp"
#include "base/text.hpp"
#include "io/json_scanner.hpp"
#include "simulation/trace_reader.hpp"

namespace portolan::simulation {
namespace {

constexpr Time kMilli = kSecond / 1000, kMicro = kMilli / 1000, kNano = kMicro / 1000;

constexpr std::array kNative{FieldSpec{"arrival_seconds", Field::kArrival},
                             FieldSpec{"input_tokens", Field::kInput},
                             FieldSpec{"output_tokens", Field::kOutput},
                             FieldSpec{"model", Field::kModel, false},
                             FieldSpec{"class", Field::kClass, false},
                             FieldSpec{"adapter", Field::kAdapter, false},
                             FieldSpec{"conversation", Field::kConversation, false},
                             FieldSpec{"block_ids", Field::kIds, false},
                             FieldSpec{"block_tokens", Field::kIdTokens, false},
                             FieldSpec{"deadline_seconds", Field::kDeadline, false}};
constexpr std::array kMooncake{
    FieldSpec{"timestamp", Field::kArrival, true, kMilli}, FieldSpec{"input_length", Field::kInput},
    FieldSpec{"output_length", Field::kOutput}, FieldSpec{"hash_ids", Field::kIds, false},
    FieldSpec{"session_id", Field::kConversation, false},
    // Names that Dynamo takes for the same.
    FieldSpec{"created_time", Field::kArrival, false, kMilli},
    FieldSpec{"input_tokens", Field::kInput, false},
    FieldSpec{"output_tokens", Field::kOutput, false}};
constexpr std::array kReduced{FieldSpec{"timestamp_ns", Field::kArrival, true, kNano},
                              FieldSpec{"input_length", Field::kInput},
                              FieldSpec{"output_length", Field::kOutput},
                              FieldSpec{"hash_ids_16", Field::kIds, false}};
constexpr std::array kServingSim{FieldSpec{"arrival_time_ns", Field::kArrival, true, kNano},
                                 FieldSpec{"input_toks", Field::kInput},
                                 FieldSpec{"output_toks", Field::kOutput},
                                 FieldSpec{"input_tok_ids", Field::kTokens, false}};
constexpr std::array kApex{FieldSpec{"StartTimeOffset", Field::kArrival, true, kNano},
                           FieldSpec{"ContextTokens", Field::kInput},
                           FieldSpec{"GeneratedTokens", Field::kOutput}};
constexpr std::array kAzure{FieldSpec{"TIMESTAMP", Field::kDate},
                            FieldSpec{"ContextTokens", Field::kInput},
                            FieldSpec{"GeneratedTokens", Field::kOutput}};
constexpr std::array kBurst{FieldSpec{"Timestamp", Field::kArrival},
                            FieldSpec{"Request tokens", Field::kInput},
                            FieldSpec{"Response tokens", Field::kOutput},
                            FieldSpec{"Model", Field::kModel, false},
                            FieldSpec{"Log Type", Field::kClass, false},
                            FieldSpec{"Session ID", Field::kConversation, false}};
constexpr std::array kVidur{FieldSpec{"arrived_at", Field::kArrival},
                            FieldSpec{"num_prefill_tokens", Field::kInput},
                            FieldSpec{"num_decode_tokens", Field::kOutput}};
constexpr std::array kVidurLengths{FieldSpec{"num_prefill_tokens", Field::kInput},
                                   FieldSpec{"num_decode_tokens", Field::kOutput}};
constexpr std::array kSplitwise{FieldSpec{"arrival_timestamp", Field::kArrival},
                                FieldSpec{"prompt_size", Field::kInput},
                                FieldSpec{"token_size", Field::kOutput}};
constexpr std::array kBlis{FieldSpec{"arrival_time_us", Field::kArrival, true, kMicro},
                           FieldSpec{"input_tokens", Field::kInput},
                           FieldSpec{"output_tokens", Field::kOutput},
                           FieldSpec{"model", Field::kModel, false},
                           FieldSpec{"slo_class", Field::kClass, false},
                           FieldSpec{"adapter", Field::kAdapter, false},
                           FieldSpec{"session_id", Field::kConversation, false},
                           FieldSpec{"prefix_group", Field::kGroup, false},
                           FieldSpec{"prefix_length", Field::kGroupTokens, false},
                           FieldSpec{"status", Field::kStatus, false},
                           FieldSpec{"deadline_us", Field::kDeadlineAt, false, kMicro}};

constexpr std::array kTurns{
    FieldSpec{"timestamp", Field::kNone}, FieldSpec{"input_length", Field::kNone},
    FieldSpec{"output_length", Field::kNone}, FieldSpec{"session_id", Field::kNone}};
constexpr std::array kDynamo{FieldSpec{"schema", Field::kNone},
                             FieldSpec{"event_type", Field::kNone}};
constexpr std::array kSessions{FieldSpec{"arrival_time_ns", Field::kNone},
                               FieldSpec{"sub_requests", Field::kNone}};
constexpr std::array kAgentic{FieldSpec{"input_prompt_length", Field::kNone},
                              FieldSpec{"tool_call_latency", Field::kNone}};

using Ids = FormatSpec::Ids;
constexpr std::array kFormats{
    FormatSpec{.name = "jsonl",
               .about = "one object a line: arrival_seconds, input_tokens, output_tokens …",
               .fields = kNative,
               .log = false},
    FormatSpec{.name = "mooncake-sessions",
               .about = "the next with session_id: rows of one wait for each other and their delay",
               .fields = kTurns,
               .chained = true,
               .make = read_turns},
    FormatSpec{.name = "mooncake",
               .about = "one object a line: timestamp (ms), input_length, output_length, hash_ids",
               .fields = kMooncake,
               .id_tokens = 512,
               .ids = Ids::kAll},
    FormatSpec{.name = "llmservingsim",
               .about = "one object a line: arrival_time_ns, input_toks, output_toks …",
               .fields = kServingSim},
    FormatSpec{.name = "llmservingsim-ids",
               .about = "the same reduced: timestamp_ns, input_length, output_length, hash_ids_16",
               .fields = kReduced,
               .id_tokens = 16,
               .ids = Ids::kFull},
    FormatSpec{.name = "apex",
               .about = "one object a line: StartTimeOffset (ns), ContextTokens, GeneratedTokens",
               .fields = kApex},
    FormatSpec{.name = "azure",
               .about = "CSV of 2023 and 2024: TIMESTAMP, ContextTokens, GeneratedTokens",
               .csv = true,
               .fields = kAzure},
    FormatSpec{.name = "burstgpt",
               .about = "CSV: Timestamp (s), Model, Request tokens, Response tokens …",
               .csv = true,
               .fields = kBurst},
    FormatSpec{.name = "vidur",
               .about = "CSV: arrived_at (s), num_prefill_tokens, num_decode_tokens",
               .csv = true,
               .fields = kVidur},
    FormatSpec{.name = "vidur-lengths",
               .about = "CSV without arrivals: num_prefill_tokens, num_decode_tokens",
               .csv = true,
               .fields = kVidurLengths,
               .timed = false},
    FormatSpec{.name = "splitwise",
               .about = "CSV of splitwise-sim: arrival_timestamp (s), prompt_size, token_size …",
               .csv = true,
               .fields = kSplitwise},
    FormatSpec{.name = "blis",
               .about = "rows of a BLIS TraceV2: arrival_time_us, input_tokens, output_tokens …",
               .csv = true,
               .fields = kBlis},
    FormatSpec{.name = "llmservingsim-sessions",
               .about = "chains of requests: arrival_time_ns, sub_requests with tool_duration_ns",
               .fields = kSessions,
               .chained = true,
               .make = read_sessions},
    FormatSpec{.name = "applied-compute",
               .about = "agents without arrivals: input_prompt_length, tool_call_latency (s) …",
               .fields = kAgentic,
               .timed = false,
               .chained = true,
               .make = read_agentic},
    FormatSpec{.name = "dynamo",
               .about = "request traces of Dynamo (dynamo.request.trace.v1)",
               .fields = kDynamo,
               .sorted = false,
               .make = read_dynamo},
    FormatSpec{.name = "sharegpt",
               .about = "a JSON list of conversations as text, without arrivals",
               .timed = false,
               .make = read_sharegpt}};

bool has_all(std::span<const std::string> names, const FormatSpec& format) {
  return !format.fields.empty() && std::ranges::all_of(format.fields, [&](const FieldSpec& field) {
    return !field.required || std::ranges::find(names, field.name) != names.end();
  });
}

// Of an object of which the end may be missing.
std::vector<std::string> json_names(std::string_view text) {
  const std::string copy(text);  // ends in a NUL
  io::JsonScanner json(copy);
  std::vector<std::string> names;
  std::string_view key;
  constexpr std::size_t kMostNames = 1000;
  for (json.begin_object(); names.size() < kMostNames && json.next_key(key);) {
    names.emplace_back(key);
    json.skip();
  }
  return names;
}

}  // namespace

std::span<const FormatSpec> formats() { return kFormats; }

const FormatSpec* find_format(std::string_view name) {
  const auto* const found = std::ranges::find(kFormats, name, &FormatSpec::name);
  return found == kFormats.end() ? nullptr : found;
}

const FormatSpec* recognise(std::string_view head) {
  if (head.starts_with('[')) return find_format("sharegpt");
  const bool csv = !head.starts_with('{');
  const std::string_view line = head.substr(0, head.find('\n'));
  const std::vector<std::string> names = csv ? csv_names(trim(line)) : json_names(line);
  const auto* const found = std::ranges::find_if(kFormats, [&](const FormatSpec& format) {
    return format.csv == csv && has_all(names, format);
  });
  return found == kFormats.end() ? nullptr : found;
}

Result<std::uint32_t> number_of(const std::map<std::string, std::uint32_t>& numbers,
                                const std::string& name, std::string_view what) {
  if (numbers.empty()) return 0;
  if (const auto found = numbers.find(name); found != numbers.end()) return found->second;
  if (const auto any = numbers.find("*"); any != numbers.end()) return any->second;
  std::vector<std::string_view> known;
  known.reserve(numbers.size());
  for (const auto& entry : numbers) known.push_back(entry.first);
  return fail(ErrorCode::kInvalidInput,
              "the trace has the " + std::string(what) + ' ' + quoted(name) +
                  ", which the scenario does not know",
              did_you_mean(name, known));
}

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = mix_bits(text.size());
  for (const char c : text) hash = mix_bits(hash ^ static_cast<unsigned char>(c));
  return hash == 0 ? 1 : hash;
}

}  // namespace portolan::simulation
