#include "simulation/trace_write.hpp"

#include <fmt/core.h>

#include <array>
#include <iterator>
#include <string_view>

#include "base/files.hpp"
#include "base/random.hpp"
#include "io/text_formats.hpp"

namespace portolan::simulation {
namespace {

constexpr std::string_view kHeader =
    "trace_version: 2\ntime_unit: microseconds\nmode: generated\nwarm_up_requests: 0\n";
constexpr std::string_view kColumns =
    "request_id,client_id,tenant_id,slo_class,session_id,round_index,prefix_group,prefix_length,"
    "streaming,input_tokens,output_tokens,text_tokens,image_tokens,audio_tokens,video_tokens,"
    "reason_ratio,model,deadline_us,server_input_tokens,arrival_time_us,send_time_us,"
    "first_chunk_time_us,last_chunk_time_us,num_chunks,status,error_message,finish_reason\n";

std::int64_t microseconds(Time time) {
  constexpr Time kMicro = kSecond / 1'000'000;
  return (time + kMicro / 2) / kMicro;
}

std::string cell(const std::vector<std::string>& names, std::uint32_t number,
                 std::string_view otherwise) {
  const std::array<std::string, 1> text{number < names.size() ? names[number]
                                                              : std::string(otherwise)};
  std::string line = io::csv_line(text, false);
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace

Result<std::uint64_t> write_blis_trace(Source& source, const std::vector<std::string>& models,
                                       const std::vector<std::string>& classes,
                                       const std::string& header_path, const std::string& rows_path,
                                       bool force) {
  FileWriter rows = PORTOLAN_TRY(FileWriter::open(rows_path, force));
  PORTOLAN_DO(rows.append(kColumns));
  Request request;
  std::string line;
  std::uint64_t count = 0;
  while (PORTOLAN_TRY(source.next(request))) {
    line.clear();
    std::int64_t prefix = static_cast<std::int64_t>(request.ids.size()) * request.id_tokens;
    if (prefix >= request.input_tokens) prefix = 0;
    std::string group;
    if (prefix > 0) {
      std::uint64_t hash = request.ids.size();
      for (const std::uint64_t id : request.ids) hash = mix_bits(hash ^ id);
      group = fmt::format("p{:016x}", hash);
    }
    const std::int64_t fresh = request.input_tokens - prefix;
    const std::int64_t arrival = microseconds(request.arrival);
    const std::int64_t deadline = request.deadline == kNever ? 0 : microseconds(request.deadline);
    fmt::format_to(std::back_inserter(line),
                   "{},,,{},,0,{},{},true,{},{},{},0,0,0,0,{},{},0,{},{},0,0,0,incomplete,,\n",
                   count, cell(classes, request.slo_class, "standard"), group, prefix, fresh,
                   request.output_tokens, fresh, cell(models, request.model, ""), deadline, arrival,
                   arrival);
    PORTOLAN_DO(rows.append(line));
    ++count;
  }
  PORTOLAN_DO(write_file(header_path, kHeader, force));
  PORTOLAN_DO(rows.commit());
  return count;
}

}  // namespace portolan::simulation
