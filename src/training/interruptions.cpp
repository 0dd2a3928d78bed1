#include "training/interruptions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "base/text.hpp"
#include "training/goodput.hpp"

namespace portolan::training {
namespace {

constexpr double kHours = 54.0 * 24.0 * 16384.0;
constexpr std::array kKinds = {
    StopKind{"accelerator", 148 / kHours},     StopKind{"accelerator memory", 72 / kHours},
    StopKind{"software", 54 / kHours},         StopKind{"network switch or cable", 35 / kHours},
    StopKind{"host maintenance", 32 / kHours}, StopKind{"on-chip memory", 19 / kHours},
    StopKind{"system processor", 17 / kHours}, StopKind{"other", 42 / kHours}};

constexpr std::array kStores = {
    CheckpointStore{"filesystem", "2 TB/s for 16,384 accelerators, arXiv 2407.21783 §3.3.1",
                    BytesPerSecond{2e12 / 16384.0}, false},
    CheckpointStore{"object", "an eighth of the file system's share; estimate",
                    BytesPerSecond{2e12 / 16384.0 / 8}, false},
    CheckpointStore{"local",
                    "copy to the host over PCIe 4 x16 at 0.8 of 32 GB/s, written behind; estimate",
                    BytesPerSecond{25e9}, true}};

constexpr std::int64_t kMostStops = 1'000'000;

struct Tally {
  double wall = 0, checkpoints = 0, lost = 0, restarts = 0, waiting = 0;
  std::int64_t stops = 0, reclaims = 0;
};

/// One life of the run; draws are counted so that every stop has its own.
Tally play_once(const Interruptions& run, double interval, double failures, double reclaims,
                const RandomStream& draws) {
  Tally tally;
  const double rate = failures + reclaims, c = run.checkpoint.raw(), whole = run.work.raw();
  const double infinity = std::numeric_limits<double>::infinity();
  double left = whole;
  std::uint64_t draw = 0;
  while (left > 0) {
    // The last piece needs no checkpoint behind it.
    const double segments = std::ceil(left / interval) - 1, rest = left - segments * interval;
    const double needed = segments * (interval + c) + rest;
    const double until = rate > 0 ? draws.exponential(draw++) / rate : infinity;
    if (until >= needed) {
      tally.wall += needed;
      tally.checkpoints += segments * c;
      break;
    }
    if (++tally.stops >= kMostStops) {
      tally.wall = infinity;
      break;
    }
    const double done = std::min(std::floor(until / (interval + c)), segments);
    const bool reclaimed = draws.uniform(draw++) * rate < reclaims;
    tally.wall += until;
    tally.checkpoints += done * c;
    left -= done * interval;
    const double into = until - done * (interval + c);
    if (reclaimed && run.warning >= run.checkpoint) {
      // The work since the last checkpoint is saved before the machine goes.
      const double saved = std::max(0.0, std::min(into, interval) - run.warning.raw());
      left -= saved;
      tally.lost += std::max(0.0, into - saved);
    } else {
      tally.lost += into;
    }
    if (reclaimed) {
      ++tally.reclaims;
      const double wait = run.wait.raw() * draws.exponential(draw++);
      tally.waiting += wait;
      tally.wall += wait;
    }
    // A restart that is stopped begins again.
    for (;;) {
      const double next = rate > 0 ? draws.exponential(draw++) / rate : infinity;
      const double spent = std::min(next, run.restart.raw());
      tally.wall += spent;
      tally.restarts += spent;
      if (next >= run.restart.raw()) break;
      if (++tally.stops >= kMostStops) {
        tally.wall = infinity;
        return tally;
      }
    }
  }
  return tally;
}

}  // namespace

std::span<const StopKind> stop_kinds() { return kKinds; }
std::span<const CheckpointStore> checkpoint_stores() { return kStores; }

Seconds checkpoint_pause(const CheckpointStore& store, Bytes bytes, double accelerators) {
  return bytes / (store.per_accelerator * std::max(1.0, accelerators));
}

InterruptedRun play(const Interruptions& run) {
  InterruptedRun result;
  double per_hour = 0;
  for (const StopKind& kind : kKinds) per_hour += kind.per_accelerator_hour;
  const double failures = run.failure_scale * per_hour * run.accelerators / 3600;
  const double reclaims = run.reclaims_per_hour / 3600, rate = failures + reclaims;
  double interval = run.interval.raw();
  if (interval <= 0) {
    interval = rate > 0 ? goodput(run.checkpoint, Seconds{1 / rate}, run.restart).interval.raw()
                        : run.work.raw();
    // A checkpoint that costs nothing is still a moment: once a second at most.
    interval = std::max(interval, 1.0);
  }
  interval = std::max(1e-3, std::min(interval, run.work.raw()));
  result.interval = Seconds{interval};
  const std::int32_t plays = std::max(1, run.plays);
  std::vector<double> walls;
  walls.reserve(static_cast<std::size_t>(plays));
  constexpr std::uint64_t kPurpose = 0x696e7465;  // of this stream
  double wall = 0, checkpoints = 0, lost = 0, restarts = 0, waiting = 0;
  for (std::int32_t i = 0; i < plays; ++i) {
    const Tally tally = play_once(run, interval, failures, reclaims,
                                  RandomStream(run.seed, kPurpose, static_cast<std::uint64_t>(i)));
    walls.push_back(tally.wall);
    wall += tally.wall;
    checkpoints += tally.checkpoints;
    lost += tally.lost;
    restarts += tally.restarts;
    waiting += tally.waiting;
    result.stops += static_cast<double>(tally.stops - tally.reclaims) / plays;
    result.reclaims += static_cast<double>(tally.reclaims) / plays;
  }
  std::sort(walls.begin(), walls.end());
  const auto at = [&](double share) {
    return Seconds{walls[static_cast<std::size_t>(share * (plays - 1) + 0.5)]};
  };
  result.mean = Seconds{wall / plays};
  result.p10 = at(0.1);
  result.p50 = at(0.5);
  result.p90 = at(0.9);
  result.checkpoints = Seconds{checkpoints / plays};
  result.lost = Seconds{lost / plays};
  result.restarts = Seconds{restarts / plays};
  result.waiting = Seconds{waiting / plays};
  result.goodput = run.work / result.mean;
  return result;
}

Derivation explain(const Interruptions& run, const InterruptedRun& played) {
  const auto part = [](std::string name, double value, std::string unit, std::string kind) {
    Derivation d;
    d.name = std::move(name);
    d.value = value;
    d.unit = std::move(unit);
    d.kind = std::move(kind);
    return d;
  };
  Derivation wall = part("wall time with interruptions", played.mean.raw(), "s", "estimate");
  wall.formula = "work + checkpoints + lost work + restarts + waiting";
  wall.substituted =
      fmt::format("{} + {} + {} + {} + {} s", significant(run.work.raw(), 5),
                  significant(played.checkpoints.raw(), 4), significant(played.lost.raw(), 4),
                  significant(played.restarts.raw(), 4), significant(played.waiting.raw(), 4));
  wall.note =
      fmt::format("mean of {} plays; 10 % take less than {} s, 10 % more than {} s", run.plays,
                  significant(played.p10.raw(), 5), significant(played.p90.raw(), 5));
  wall.inputs.push_back(part("checkpoint every", played.interval.raw(), "s", "estimate"));
  wall.inputs.push_back(part("pause of a checkpoint", run.checkpoint.raw(), "s", "estimate"));
  wall.inputs.push_back(part("restart", run.restart.raw(), "s", "assumption"));
  for (const StopKind& kind : kKinds) {
    Derivation rate = part(fmt::format("stops by {}", kind.name),
                           kind.per_accelerator_hour * run.failure_scale * run.accelerators * 24,
                           "1/day", "fact");
    rate.source = "Llama 3, arXiv 2407.21783 table 5";
    rate.date = "2024-07-23";
    wall.inputs.push_back(std::move(rate));
  }
  if (run.reclaims_per_hour > 0)
    wall.inputs.push_back(part("reclaims", run.reclaims_per_hour * 24, "1/day", "assumption"));
  return wall;
}

}  // namespace portolan::training
