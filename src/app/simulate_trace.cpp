#include "app/simulate_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace portolan::app {
namespace {

using simulation::kNever;
using simulation::Time;

constexpr std::size_t kMostSpans = 200'000, kMostRequests = 10'000;  // some 90 MB of text

/// Microseconds, as the format wants them.
std::string micro(Time time) { return fmt::format("{}.{:06}", time / 1'000'000, time % 1'000'000); }

}  // namespace

Result<void> EventTrace::open(const std::string& path, bool force) {
  file_.emplace(PORTOLAN_TRY(FileWriter::open(path, force)));
  return {};
}

void EventTrace::add(const simulation::Segment& s) {
  const Time duration = s.steps * s.first + s.growth * (s.steps * (s.steps - 1) / 2);
  spans_.push_back({.replica = s.replica,
                    .start = s.start,
                    .end = s.start + duration,
                    .busy = duration,
                    .steps = s.steps,
                    .prompt_tokens = s.prompt_tokens,
                    .prompts = s.prompts,
                    .waiting = s.waiting,
                    .used_blocks = s.used_blocks,
                    .decodes = static_cast<double>(s.decodes) * static_cast<double>(s.steps)});
  if (spans_.size() >= kMostSpans) merge_neighbours();
}

void EventTrace::merge_neighbours() {
  std::vector<std::size_t> open;  // by replica: position + 1 of a span that waits for its neighbour
  std::size_t count = 0;
  for (const Span& span : spans_) {
    if (span.replica >= open.size()) open.resize(span.replica + 1);
    std::size_t& place = open[span.replica];
    if (place == 0) {
      spans_[count] = span;
      place = ++count;
      continue;
    }
    Span& into = spans_[place - 1];
    into.end = span.end;
    into.busy += span.busy;
    into.steps += span.steps;
    into.prompt_tokens += span.prompt_tokens;
    into.prompts += span.prompts;
    into.decodes += span.decodes;
    into.waiting = span.waiting;
    into.used_blocks = span.used_blocks;
    place = 0;
  }
  spans_.resize(count);
}

void EventTrace::add(const simulation::Outcome& outcome) {
  if (outcome.last_token == kNever || outcome.index % stride_ != 0) return;
  requests_.push_back(outcome);
  if (requests_.size() < kMostRequests) return;
  stride_ *= 2;
  std::erase_if(requests_, [&](const auto& one) { return one.index % stride_ != 0; });
}

Result<void> EventTrace::finish() {
  std::set<std::uint32_t> replicas;
  for (const Span& span : spans_) replicas.insert(span.replica);
  PORTOLAN_DO(file_->append("["));
  const char* separator = "\n";
  std::string line;
  const auto event = [&](const std::string& text) -> Result<void> {
    line = separator;
    line += text;
    separator = ",\n";
    return file_->append(line);
  };
  for (const std::uint32_t replica : replicas) {
    PORTOLAN_DO(event(
        fmt::format(R"({{"name":"process_name","ph":"M","pid":{},"args":{{"name":"replica {}"}}}})",
                    replica, replica)));
  }
  for (const Span& s : spans_) {
    const char* name = s.prompts == 0 ? "decode" : s.decodes > 0 ? "mixed" : "prompt";
    const double batch = s.decodes / static_cast<double>(std::max<std::int64_t>(1, s.steps));
    const Time span = std::max<Time>(1, s.end - s.start);
    PORTOLAN_DO(event(fmt::format(
        R"({{"name":"{}","cat":"step","ph":"X","ts":{},"dur":{},"pid":{},"tid":0,)"
        R"("args":{{"k":{},"B":{:.6g},"prompts":{},"prompt_tokens":{},"busy":{:.4g}}}}})",
        name, micro(s.start), micro(span), s.replica, s.steps, batch, s.prompts, s.prompt_tokens,
        static_cast<double>(s.busy) / static_cast<double>(span))));
    PORTOLAN_DO(event(
        fmt::format(R"({{"name":"kv blocks","ph":"C","ts":{0},"pid":{1},"args":{{"used":{2}}}}})",
                    micro(s.end), s.replica, s.used_blocks)));
    PORTOLAN_DO(event(
        fmt::format(R"({{"name":"queue","ph":"C","ts":{0},"pid":{1},"args":{{"waiting":{2}}}}})",
                    micro(s.end), s.replica, s.waiting)));
  }
  for (const simulation::Outcome& o : requests_) {
    const auto part = [&](const char* name, Time from, Time to) -> Result<void> {
      if (from == kNever || to == kNever || to < from) return {};
      for (const auto& [phase, time] : {std::pair{'b', from}, {'e', to}}) {
        PORTOLAN_DO(event(fmt::format(
            R"({{"name":"{}","cat":"request","ph":"{}","id":{},"ts":{},"pid":{},"tid":1,)"
            R"("args":{{"input":{},"cached":{},"output":{}}}}})",
            name, phase, o.index, micro(time), o.replica, o.input_tokens, o.cached_tokens,
            o.output_tokens)));
      }
      return {};
    };
    PORTOLAN_DO(part("queue", o.arrival, o.scheduled));
    PORTOLAN_DO(part("prefill", o.scheduled, o.first_token));
    PORTOLAN_DO(part("decode", o.first_token, o.last_token));
  }
  PORTOLAN_DO(file_->append("\n]\n"));
  return file_->commit();
}

}  // namespace portolan::app
