// Traces of every format: refused with a line, or read as requests that make sense.
#include <cstddef>
#include <cstdint>
#include <string>

#include "contract.hpp"
#include "simulation/traffic.hpp"

using namespace portolan;
using namespace portolan::simulation;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte says how the rest is read.
  TraceOptions options;
  options.path = "f";
  const std::size_t format = data[0] & 31u;
  if (format < trace_formats().size()) options.format = trace_formats()[format].name;
  if (options.format == "servegen") return 0;  // reads a folder
  options.sort = (data[0] & 32u) != 0;
  if ((data[0] & 64u) != 0) options.rate_scale = 1.5;
  if ((data[0] & 128u) != 0) options.loops = 2;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto source = open_trace_text(text, options);
  if (!source) {
    // Chains cannot be multiplied; a format without arrivals is refused as a whole.
    if (source.error().code == ErrorCode::kUsage) return 0;
    const bool timed = source.error().message.find("arrivals") == std::string::npos;
    fuzz::check_refusal(source.error(), timed);
    return 0;
  }
  Request request;
  Time last = 0;
  for (std::uint64_t index = 0;; ++index) {
    const Result<bool> more = (*source)->next(request);
    if (!more) {
      fuzz::check_refusal(more.error(), true);
      break;
    }
    if (!*more) break;
    fuzz::require(request.index == index, "requests are not numbered in order");
    fuzz::require(request.arrival >= last && request.arrival < kLongest, "time goes backwards");
    fuzz::require(request.input_tokens >= 1 && request.output_tokens >= 1, "a length below 1");
    fuzz::require(request.input_tokens <= 40'000'000 && request.output_tokens <= 20'000'000,
                  "an absurd length");
    fuzz::require(request.deadline >= request.arrival, "a deadline before the arrival");
    fuzz::require(request.ids.empty() || request.id_tokens >= 1, "ids of no length");
    const auto named = static_cast<std::int64_t>(request.ids.size()) - 1;
    fuzz::require(named * request.id_tokens < request.input_tokens + request.output_tokens,
                  "more ids than text");
    last = request.arrival;
  }
  return 0;
}
