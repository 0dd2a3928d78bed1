#include "serving/closed_loop.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

namespace portolan::serving {
namespace {

struct Request {
  double input = 0, output = 0;
  double sent = 0, first = 0, last = 0;  // client's clock
  double prompt_left = 0;
  double entered = 0;  // decode step count when it began to decode
};

/// Even spread without chance: the fractional parts of multiples of an irrational number.
double spread(std::size_t index, double irrational) {
  const double x = (static_cast<double>(index) + 0.5) * irrational;
  return x - std::floor(x);
}

class Loop {
 public:
  Loop(const cost::StepModel& step, const ClosedLoop& load, const EngineLimits& limits)
      : step_(step),
        engine_(step.engine()),
        load_(load),
        budget_(std::max(1.0, limits.max_batched_tokens)),
        slots_(std::floor(limits.batch_cap())),
        ranks_(std::max(1.0, static_cast<double>(step.deployment().ep) / step.deployment().tp)),
        lanes_(std::max(1, step.deployment().pp)),
        front_end_(engine_.front_end.raw() +
                   engine_.fan_out.raw() *
                       std::log2(std::max(1.0, ranks_ * step.deployment().tp * lanes_))) {
    double chance = 1;
    for (double k = 0; k < load.drafted; ++k) {
      chance *= load.acceptance;
      emitted_ += chance;
    }
    const double clients = std::max(1.0, std::floor(load.clients));
    const double all = load.requests > 0 ? load.requests : 10.0 * clients;
    const auto count = static_cast<std::size_t>(std::max(clients, all));
    requests_.resize(count);
    const double width = load.longest - load.shortest;
    for (std::size_t i = 0; i < count; ++i) {
      const double in = load.shortest + width * spread(i, 0.6180339887498949);
      const double out = load.shortest + width * spread(i, 0.7548776662466927);
      requests_[i].input =
          std::max(1.0, std::round(load.input_tokens * in)) + engine_.chat_template_tokens;
      requests_[i].output = std::max(1.0, std::round(load.output_tokens * out));
    }
    for (double i = 0; i < clients; ++i) send(0.0);
  }

  ClosedLoopResult run() {
    while (finished_ < requests_.size()) {
      admit();
      if (!prefilling_.empty()) {
        prefill_step();
      } else if (!running_.empty()) {
        decode_steps();
      } else {
        // Idle: wake with the next arrival.
        now_ = std::max(now_, arriving_.top().time);
        seen_ = now_;
      }
    }
    return result();
  }

 private:
  struct Arrival {
    double time = 0;
    std::size_t request = 0;
    bool operator>(const Arrival& other) const {
      return time != other.time ? time > other.time : request > other.request;
    }
  };
  struct Running {
    double ends = 0;  // decode step count of its last token
    std::size_t request = 0;
    bool operator>(const Running& other) const {
      return ends != other.ends ? ends > other.ends : request > other.request;
    }
  };

  /// A client sends its next request; one process tokenises all of them.
  void send(double time) {
    if (next_ >= requests_.size()) return;
    Request& request = requests_[next_];
    request.sent = time;
    request.prompt_left = request.input;
    front_free_ = std::max(front_free_, time) + engine_.per_prompt_token.raw() * request.input;
    arriving_.push({.time = front_free_ + front_end_, .request = next_});
    ++next_;
  }

  /// Whether the engine may see arrivals up to now: in a run of decodes only every so many steps.
  [[nodiscard]] bool polls() const {
    return load_.poll_steps <= 1 || running_.empty() || since_poll_ >= load_.poll_steps;
  }

  void admit() {
    if (polls()) {
      const double horizon = running_.empty() && prefilling_.empty() ? now_ : seen_;
      bool any = false;
      while (!arriving_.empty() && arriving_.top().time <= horizon) {
        waiting_.push_back(arriving_.top().request);
        arriving_.pop();
        any = true;
      }
      since_poll_ = any ? load_.poll_steps : 0;
    }
    if (load_.gather_steps > 0 && ranks_ > 1 && !waiting_.empty() && !running_.empty() &&
        prefilling_.empty() && static_cast<double>(waiting_.size()) < ranks_ &&
        gathered_ < load_.gather_steps)
      return;
    gathered_ = 0;
    // Prompts that start in the next step: as many as its budget has room for.
    double room = budget_ * ranks_;
    if (engine_.prefill != cost::PrefillPolicy::kFirst)
      room -= static_cast<double>(running_.size());
    for (const std::size_t r : prefilling_) room -= requests_[r].prompt_left;
    while (!waiting_.empty() && room > 0 &&
           static_cast<double>(running_.size() + prefilling_.size()) < slots_) {
      const Request& request = requests_[waiting_.front()];
      // Whole prompts where the engine does not cut them to fill a step.
      if (engine_.prefill == cost::PrefillPolicy::kInflight && !prefilling_.empty() &&
          request.prompt_left > room)
        break;
      room -= request.prompt_left;
      prefilling_.push_back(waiting_.front());
      waiting_.pop_front();
    }
  }

  void advance(double seconds, double steps) {
    busy_ += seconds * static_cast<double>(running_.size() + prefilling_.size());
    // The step after this one is already composed when it starts.
    seen_ = engine_.async_scheduling ? now_ + seconds * (1.0 - 1.0 / steps) : now_ + seconds;
    now_ += seconds;
  }

  [[nodiscard]] double seconds(const cost::Batch& batch) const {
    const cost::StepTime time = step_.time(batch);
    return std::max(time.total.raw(), lanes_ * time.stage.raw());
  }

  [[nodiscard]] double mean_context(double ahead) const {
    if (running_.empty()) return 0;
    const auto n = static_cast<double>(running_.size());
    return context_sum_ / n + (decoded_ + ahead) * emitted_;
  }

  void decode_part(cost::Batch& batch, double ahead) const {
    const double split = ranks_ * lanes_;
    batch.decode_requests = static_cast<double>(running_.size()) / split;
    if (ranks_ > 1) batch.decode_requests = std::max(1.0, batch.decode_requests);
    batch.decode_context = mean_context(ahead);
    batch.drafted = load_.drafted;
    batch.sampled = batch.decode_tokens();
  }

  void prefill_step() {
    const bool with_decodes = engine_.prefill != cost::PrefillPolicy::kFirst && !running_.empty();
    cost::Batch batch;
    if (with_decodes) decode_part(batch, 0);
    double room = std::max(
        1.0, budget_ * ranks_ - (with_decodes ? static_cast<double>(running_.size()) : 0.0));
    double tokens = 0, cached = 0, chunks = 0, ends = 0;
    std::vector<std::size_t> finished, left;
    for (const std::size_t r : prefilling_) {
      Request& request = requests_[r];
      const double chunk = std::min(request.prompt_left, std::max(0.0, room));
      if (chunk <= 0) {
        left.push_back(r);
        continue;
      }
      room -= chunk;
      tokens += chunk;
      cached += request.input - request.prompt_left;
      chunks += 1;
      request.prompt_left -= chunk;
      if (request.prompt_left <= 0) {
        finished.push_back(r);
        ends += 1;
      } else {
        left.push_back(r);
      }
    }
    // Data-parallel ranks take whole prompts: the fullest one sets the pace.
    const double fullest = std::ceil(chunks / ranks_);
    batch.prefill_requests = fullest;
    batch.prefill_tokens = tokens / chunks * fullest;
    batch.prefill_cached = cached / chunks;
    batch.sampled += std::ceil(ends / ranks_);
    if (ranks_ > 1) batch.mean_rank_tokens = batch.decode_tokens() + tokens / ranks_;
    advance(seconds(batch), 1);
    since_poll_ = load_.poll_steps;
    if (with_decodes) token();
    for (const std::size_t r : finished) {
      Request& request = requests_[r];
      request.first = now_ + engine_.per_output_token.raw();
      if (request.output <= 1) {
        finish(r);
        continue;
      }
      context_sum_ += request.input + 1.0 - decoded_ * emitted_;
      request.entered = decoded_;
      running_.push(
          {.ends = decoded_ + std::ceil((request.output - 1.0) / emitted_), .request = r});
    }
    prefilling_ = std::move(left);
  }

  /// One more token for every running request.
  void token() {
    decoded_ += 1;
    retire();
  }

  void retire() {
    while (!running_.empty() && running_.top().ends <= decoded_) {
      const std::size_t r = running_.top().request;
      context_sum_ -= requests_[r].input + 1.0 - requests_[r].entered * emitted_;
      running_.pop();
      finish(r);
    }
  }

  void finish(std::size_t r) {
    Request& request = requests_[r];
    request.last = now_ + engine_.per_output_token.raw();
    if (request.output <= 1) request.first = request.last;
    ++finished_;
    // The client knows when the stream is closed.
    send(request.last + engine_.after_decode.raw());
  }

  /// Decode steps until somebody finishes, or somebody new can be seen.
  void decode_steps() {
    cost::Batch batch;
    decode_part(batch, 0);
    double steps = running_.top().ends - decoded_;
    const double one = seconds(batch);
    const bool room = static_cast<double>(running_.size()) < slots_;
    if (!waiting_.empty() && load_.gather_steps > 0 && ranks_ > 1) {
      steps = std::min(steps, std::max(1.0, load_.gather_steps - gathered_));
      if (!arriving_.empty()) {
        const double wait = arriving_.top().time - (engine_.async_scheduling ? seen_ : now_);
        steps = std::min(steps, std::max(1.0, std::ceil(wait / one)));
      }
    } else if (room && waiting_.empty() && !arriving_.empty()) {
      // The first step that starts after the arrival was seen.
      const double wait = arriving_.top().time - (engine_.async_scheduling ? seen_ : now_);
      double until = std::max(1.0, std::ceil(wait / one));
      if (load_.poll_steps > 1) until = std::max(until, load_.poll_steps - since_poll_);
      steps = std::min(steps, until);
    }
    steps = std::max(1.0, steps);
    double seconds_all = one;
    if (steps > 1) {
      decode_part(batch, 0.5 * (steps - 1.0));
      seconds_all = steps * seconds(batch);
    }
    advance(seconds_all, steps);
    since_poll_ += steps;
    if (!waiting_.empty()) gathered_ += steps;
    decoded_ += steps;
    retire();
  }

  [[nodiscard]] ClosedLoopResult result() const {
    ClosedLoopResult out;
    double ttft = 0, tpot = 0, e2e = 0, tokens = 0, end = 0, several = 0;
    for (const Request& request : requests_) {
      ttft += request.first - request.sent;
      e2e += request.last - request.sent;
      tokens += request.output;
      end = std::max(end, request.last);
      if (request.output > 1) {
        tpot += (request.last - request.first) / (request.output - 1.0);
        several += 1;
      }
    }
    const auto n = static_cast<double>(requests_.size());
    out.ttft_mean = Seconds(ttft / n);
    out.tpot_mean = Seconds(several > 0 ? tpot / several : 0.0);
    out.e2e_mean = Seconds(e2e / n + engine_.after_decode.raw());
    out.output_tokens_per_second = end > 0 ? tokens / end : 0.0;
    out.batch = now_ > 0 ? busy_ / now_ : 0.0;
    return out;
  }

  const cost::StepModel& step_;
  const cost::Engine& engine_;
  const ClosedLoop& load_;
  double budget_, slots_, ranks_;
  int lanes_;
  double front_end_;
  std::vector<Request> requests_;
  std::size_t next_ = 0, finished_ = 0;
  double now_ = 0, seen_ = 0;  // seen_: arrivals up to here may join the next step
  double front_free_ = 0, busy_ = 0;
  double decoded_ = 0;  // decode steps so far
  double since_poll_ = 0, gathered_ = 0;
  double emitted_ = 1;      // tokens per request and decode step
  double context_sum_ = 0;  // of the running requests, less `decoded_` each
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arriving_;
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running_;
  std::deque<std::size_t> waiting_;
  std::vector<std::size_t> prefilling_;
};

}  // namespace

ClosedLoopResult closed_loop(const cost::StepModel& step, const ClosedLoop& load,
                             const EngineLimits& limits) {
  if (limits.batch_cap() < 1.0 || load.input_tokens < 1.0 || load.output_tokens < 1.0) return {};
  return Loop(step, load, limits).run();
}

}  // namespace portolan::serving
