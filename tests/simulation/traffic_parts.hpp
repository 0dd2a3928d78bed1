// Small helpers of the tests of traffic.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "simulation/traffic.hpp"

namespace portolan::simulation::parts {

/// All requests, or the error that ended them.
inline Result<std::vector<Request>> drain(Source& source) {
  std::vector<Request> requests;
  Request request;
  while (true) {
    const Result<bool> more = source.next(request);
    if (!more) return std::unexpected(more.error());
    if (!*more) return requests;
    requests.push_back(request);
  }
}

inline Result<std::vector<Request>> read(const std::string& text, TraceOptions options = {}) {
  if (options.path.empty()) options.path = "trace";
  auto source = open_trace_text(text, options);
  if (!source) return std::unexpected(source.error());
  return drain(**source);
}

inline Result<std::vector<Request>> generate(const TrafficSpec& spec) {
  auto source = make_traffic(spec);
  if (!source) return std::unexpected(source.error());
  return drain(**source);
}

inline std::vector<double> arrivals(const std::vector<Request>& requests) {
  std::vector<double> times;
  times.reserve(requests.size());
  for (const Request& request : requests) times.push_back(to_seconds(request.arrival));
  return times;
}

}  // namespace portolan::simulation::parts
