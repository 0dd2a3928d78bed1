// Readers of the parts of a scenario, shared by the file and the flags of `simulate`; private to
// this room.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/simulate.hpp"
#include "base/text.hpp"
#include "io/fields.hpp"

namespace portolan::app {

/// A key whose text is one of a few words; "-" and "_" are the same.
template <class T, std::size_t kCount>
std::optional<T> word(io::Fields& fields, std::string_view key,
                      const std::array<std::pair<std::string_view, T>, kCount>& words) {
  const std::optional<std::string> text = fields.text(key);
  if (!text) return std::nullopt;
  std::string given = to_lower(trim(*text));
  std::replace(given.begin(), given.end(), '-', '_');
  std::string known;
  std::vector<std::string_view> all;
  for (const auto& [name, value] : words) {
    if (given == name) return value;
    all.push_back(name);
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  const std::string guess = did_you_mean(given, all);
  fields.problem(key, fmt::format("unknown value {}", quoted(*text)),
                 guess.empty() ? "one of: " + known : guess);
  return std::nullopt;
}

/// A duration of at least 0 in seconds, at most 100 days unless `most` says otherwise.
std::optional<double> seconds(io::Fields& fields, std::string_view key,
                              double most = 100.0 * 86'400);
/// Requests per second: "5", "5rps", "300rpm"; above 0.
std::optional<double> rate(io::Fields& fields, std::string_view key);
/// A count of whole things from `least` on: "4k", 1e6.
std::optional<std::int64_t> whole(io::Fields& fields, std::string_view key, std::int64_t least,
                                  double most = 1e12);

/// `engine`, `dtype`, `kv_dtype` and the limits of an engine (max_num_seqs, kv_blocks …). `base`
/// has what the whole scenario says.
EngineWish read_engine(io::Fields& fields, const EngineWish& base);
/// One entry of `pools`; `top` are the keys of the scenario that pools inherit.
struct PoolDefaults {
  EngineWish engine;
  std::optional<simulation::Autoscale> autoscale;
};
PoolWish read_pool(const io::Value& value, const std::string& pointer, const PoolDefaults& top,
                   std::vector<std::string>& models, io::Problems& problems);
/// gpu, tp, pp, ep, replicas, price, purchase: what flags and files have in common.
void read_machine(io::Fields& fields, PoolWish& pool);
std::optional<simulation::Autoscale> read_autoscale(io::Fields& fields, io::Problems& problems);
/// `router`: the name of a policy, or a mapping with more.
void read_router(io::Fields& fields, simulation::Scenario& scenario, io::Problems& problems);
std::string_view router_name(simulation::Routing routing);
/// requests_csv, timeseries, chrome_trace, report, bench_json, interval.
void read_files(io::Fields& fields, SimulateFiles& files);
inline constexpr std::int64_t kMostSeed = 9'007'199'254'740'991;  // 2^53 - 1: whole in JSON

/// Names that streams and traces refer to.
struct TrafficNames {
  const std::vector<std::string>& models;
  const std::vector<simulation::SloClass>& classes;
};
void read_workload(const io::Value& value, const std::string& pointer, const TrafficNames& names,
                   SimulateRequest& request, io::Problems& problems);
/// The keys of one trace (from `path_key`) and of one stream.
simulation::TraceOptions read_trace(io::Fields& fields, std::string_view path_key,
                                    const TrafficNames& names);
simulation::Stream read_stream(io::Fields& fields, const TrafficNames& names,
                               io::Problems& problems, std::string_view input_key,
                               std::string_view output_key, bool lengths_needed = true);

/// Position of a model among those named so far, added when it is new.
std::uint32_t model_number(std::vector<std::string>& models, const std::string& name);

/// The whole document. Problems of all parts become one error.
Result<SimulateRequest> read_scenario(const io::Value& document, const std::string& file);

}  // namespace portolan::app
