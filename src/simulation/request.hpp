// A request as traffic brings it, and what became of it: the two records that everything in the
// simulation hands on.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace portolan::simulation {

/// Picoseconds since the start of the simulation: integers, so that ties break the same way
/// everywhere and a run of steps taken at once ends on the same instant as taken one by one.
using Time = std::int64_t;
inline constexpr Time kNever = std::numeric_limits<Time>::max();
inline constexpr Time kSecond = 1'000'000'000'000;
/// The longest simulated time, 100 days; beyond it `Time` would overflow.
inline constexpr Time kLongest = 100ll * 86'400 * kSecond;

/// Rounds to the nearest picosecond; beyond kLongest (or not a number): kNever.
constexpr Time from_seconds(double seconds) {
  const double ps = seconds * 1e12;
  if (!(ps < static_cast<double>(kLongest))) return kNever;
  return static_cast<Time>(ps < 0 ? ps - 0.5 : ps + 0.5);
}
/// `now` (at most kLongest) and `seconds`; kNever beyond kLongest.
constexpr Time later(Time now, double seconds) {
  const Time wait = from_seconds(seconds);
  return wait >= kLongest - now ? kNever : now + wait;
}
constexpr double to_seconds(Time time) { return static_cast<double>(time) * 1e-12; }

/// One request. Lengths are at least 1.
struct Request {
  std::uint64_t index = 0;  // position in the trace, from 0
  Time arrival = 0;         // at the client's side of the server
  std::int64_t input_tokens = 0, output_tokens = 0;
  std::uint32_t model = 0;         // of Scenario::models
  std::uint32_t slo_class = 0;     // of Scenario::classes
  std::uint32_t adapter = 0;       // LoRA, 0 = none
  std::uint64_t conversation = 0;  // 0 = none; what sticky routing follows
  Time deadline = kNever;          // absolute
  /// What the prompt is made of, in runs of `id_tokens` tokens, the last one perhaps partial: equal
  /// ids at equal places after equal ids are equal text. More ids than the prompt has runs name the
  /// text of the reply. 0: nothing is known, the prompt is like no other.
  std::int32_t id_tokens = 0;
  std::vector<std::uint64_t> ids;
};

enum class Status : std::uint8_t {
  kCompleted,
  kRejected,  // can never be served: longer than the context or the KV cache
  kShed,      // turned away at admission: queue limit of its class or an unreachable target
  kTimedOut,  // its deadline passed before its first token
  kLost,      // its machine went away and it was not tried again
  kHosted     // answered by the hosted API
};
constexpr const char* status_name(Status status) {
  constexpr const char* kNames[] = {"completed", "rejected", "shed", "timed_out", "lost", "hosted"};
  return kNames[static_cast<std::size_t>(status)];
}

/// Pool and replica of a request that never reached a machine.
inline constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

/// One request when it is over. Times on the simulation's clock; kNever where it did not happen.
struct Outcome {
  std::uint64_t index = 0;
  std::uint32_t model = 0, slo_class = 0, pool = 0, replica = 0;
  Status status = Status::kCompleted;
  Time arrival = 0;           // client sends
  Time queued = kNever;       // enters the engine's queue
  Time scheduled = kNever;    // first step that computes some of it begins
  Time first_token = kNever;  // client receives
  Time last_token = kNever;   // client receives; completed requests end here
  std::int64_t input_tokens = 0, output_tokens = 0;
  std::int64_t cached_tokens = 0;  // of the prompt, found in the prefix cache at first scheduling
  std::uint32_t preemptions = 0, retries = 0;
  double usd = 0;  // of a hosted API; of machines: share of the last one's time (MachineShare)
};

}  // namespace portolan::simulation
