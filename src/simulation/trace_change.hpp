// Changes to a stream of requests: a part of it, faster, more often, smeared out, again and again.
// For the files of this room that make sources of traces.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "simulation/draws.hpp"
#include "simulation/source.hpp"

namespace portolan::simulation {

// All take requests whose deadlines are after arrival and whose numbers are those of the rows.
using SourcePtr = std::unique_ptr<Source>;
inline constexpr double kMostScale = 10'000;  // copies of one request

/// Those that arrive in [from, to), with `from` becoming 0.
SourcePtr window(SourcePtr inner, Time from, Time to);
/// Each moved later by a uniform amount below `most`.
SourcePtr spread(SourcePtr inner, Time most, std::uint64_t seed);
/// All times divided by `speed`.
SourcePtr faster(SourcePtr inner, double speed);
/// Each so many times on average as `scale` is at its arrival; copies up to `most` later, with
/// contents of their own.
SourcePtr scale_rate(SourcePtr inner, RateCurve scale, Time most, std::uint64_t seed);
/// The whole `loops` times (0: for ever), opened anew each time.
SourcePtr loop(std::function<Result<SourcePtr>()> open, std::int64_t loops);
/// The outermost: numbers requests in order, makes deadlines absolute, ends after `limit`.
SourcePtr number(SourcePtr inner, std::optional<std::uint64_t> limit);

}  // namespace portolan::simulation
