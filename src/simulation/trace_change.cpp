#include "simulation/trace_change.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.hpp"

namespace portolan::simulation {
namespace {

enum Purpose : std::uint64_t { kSpread = 0x7370'7265'6164, kKeep, kCopy, kPass };

// Names of contents and conversations that no other copy (or pass) has; the first keeps its own.
void make_own(Request& request, Purpose purpose, std::uint64_t copy) {
  if (copy == 0) return;
  const std::uint64_t salt = mix_bits(mix_bits(purpose) ^ copy);
  for (std::uint64_t& id : request.ids) id = mix_bits(id ^ salt);
  if (request.conversation != 0) request.conversation = mix_bits(request.conversation ^ salt) | 1;
}

// Whatever wraps one source: counts and remarks are those of the inner one.
class Wrapper : public Source {
 public:
  explicit Wrapper(SourcePtr inner) : inner_(std::move(inner)) {}
  [[nodiscard]] std::uint64_t skipped() const override { return inner_->skipped(); }
  [[nodiscard]] std::vector<std::string> assumptions() const override {
    return inner_->assumptions();
  }
  [[nodiscard]] bool reactive() const override { return inner_->reactive(); }
  Result<bool> completed(const Outcome& outcome, Time at, Request& follow_up) override {
    return inner_->completed(outcome, at, follow_up);
  }

 protected:
  // Nobody is going to answer this request: what would follow it is forgotten.
  void leave_out(const Request& request) {
    if (!inner_->reactive()) return;
    Outcome outcome;
    outcome.index = request.index;
    outcome.status = Status::kShed;
    Request none;
    (void)inner_->completed(outcome, request.arrival, none);
  }
  SourcePtr inner_;
};

class Window final : public Wrapper {
 public:
  Window(SourcePtr inner, Time from, Time to) : Wrapper(std::move(inner)), from_(from), to_(to) {}
  Result<bool> next(Request& request) override {
    while (PORTOLAN_TRY(inner_->next(request))) {
      if (request.arrival >= to_) return false;
      if (request.arrival < from_) {
        leave_out(request);
        continue;
      }
      request.arrival -= from_;
      return true;
    }
    return false;
  }

 private:
  Time from_, to_;
};

class Faster final : public Wrapper {
 public:
  Faster(SourcePtr inner, double speed) : Wrapper(std::move(inner)), speed_(speed) {}
  Result<bool> next(Request& request) override {
    if (!PORTOLAN_TRY(inner_->next(request))) return false;
    const double slowed = static_cast<double>(request.arrival) / speed_;
    if (!(slowed < static_cast<double>(kLongest))) {
      return fail(ErrorCode::kLimit, "slowed down, the trace takes longer than 100 days",
                  "a higher speed, or --to to end it earlier");
    }
    request.arrival = static_cast<Time>(std::llround(slowed));
    return true;
  }
  Result<bool> completed(const Outcome& outcome, Time at, Request& follow_up) override {
    if (!PORTOLAN_TRY(inner_->completed(outcome, at, follow_up))) return false;
    const double slowed = static_cast<double>(follow_up.arrival - at) / speed_;
    if (!(slowed < static_cast<double>(kLongest - at))) {
      leave_out(follow_up);
      return false;
    }
    follow_up.arrival = at + static_cast<Time>(std::llround(slowed));
    return true;
  }

 private:
  double speed_;
};

// Delays requests by different amounts and brings them back in order. Memory grows with the
// requests that arrive within the longest delay.
class Delayed : public Wrapper {
 public:
  using Wrapper::Wrapper;
  Result<bool> next(Request& request) override {
    while (!ended_ && (heap_.empty() || later(incoming_, heap_.front().request.arrival))) {
      if (has_incoming_) {
        has_incoming_ = false;
        admit();
        continue;
      }
      if (!PORTOLAN_TRY(inner_->next(read_))) {
        ended_ = true;
      } else {
        has_incoming_ = true;
        incoming_ = read_.arrival;
      }
    }
    if (heap_.empty()) return false;
    std::ranges::pop_heap(heap_, after);
    std::swap(request, heap_.back().request);
    heap_.pop_back();
    return true;
  }

 protected:
  // Puts what is to come of `read_` on the heap, none of it before its arrival.
  virtual void admit() = 0;
  void put(const Request& from, Time delay, std::uint64_t copy) {
    heap_.push_back({from, copy});
    heap_.back().request.arrival = std::min(from.arrival + delay, kLongest - 1);
    make_own(heap_.back().request, kCopy, copy);
    std::ranges::push_heap(heap_, after);
  }
  Request read_;

 private:
  struct Entry {
    Request request;
    std::uint64_t copy = 0;
  };
  static bool after(const Entry& a, const Entry& b) {
    if (a.request.arrival != b.request.arrival) return a.request.arrival > b.request.arrival;
    if (a.request.index != b.request.index) return a.request.index > b.request.index;
    return a.copy > b.copy;
  }
  // Whether a row that arrives at `incoming`, or has not been read, may come before `head`.
  [[nodiscard]] bool later(Time incoming, Time head) const {
    return !has_incoming_ || incoming <= head;
  }
  std::vector<Entry> heap_;
  Time incoming_ = 0;
  bool has_incoming_ = false, ended_ = false;
};

class Spread final : public Delayed {
 public:
  Spread(SourcePtr inner, Time most, std::uint64_t seed)
      : Delayed(std::move(inner)), most_(most), draws_(seed, kSpread) {}

 private:
  void admit() override {
    put(read_, static_cast<Time>(draws_.uniform(read_.index) * static_cast<double>(most_)), 0);
  }
  Time most_;
  RandomStream draws_;
};

class Scaled final : public Delayed {
 public:
  Scaled(SourcePtr inner, RateCurve scale, Time most, std::uint64_t seed)
      : Delayed(std::move(inner)),
        scale_(std::move(scale)),
        most_(most),
        seed_(seed),
        keep_(seed, kKeep) {}

 private:
  void admit() override {
    const double scale = std::min(scale_.at(to_seconds(read_.arrival)), kMostScale);
    const double whole = std::floor(scale);
    const auto copies =
        static_cast<std::uint64_t>(whole) + (keep_.uniform(read_.index) < scale - whole ? 1u : 0u);
    if (copies == 0) leave_out(read_);
    for (std::uint64_t copy = 0; copy < copies; ++copy) {
      const double part = copy == 0 ? 0 : RandomStream(seed_, kCopy, copy).uniform(read_.index);
      put(read_, static_cast<Time>(part * static_cast<double>(most_)), copy);
    }
  }
  RateCurve scale_;
  Time most_;
  std::uint64_t seed_;
  RandomStream keep_;
};

class Loop final : public Source {
 public:
  Loop(std::function<Result<SourcePtr>()> open, std::int64_t loops)
      : open_(std::move(open)), loops_(loops) {}
  Result<bool> next(Request& request) override {
    while (!ended_) {
      if (!inner_) {
        inner_ = PORTOLAN_TRY(open_());
        in_pass_ = 0;
      }
      if (PORTOLAN_TRY(inner_->next(request))) {
        if (in_pass_++ == 0) first_ = request.arrival;
        last_ = request.arrival;
        if (request.arrival >= kLongest - offset_) return false;
        request.arrival += offset_;
        request.index += passed_;
        rows_ = request.index + 1;
        make_own(request, kPass, pass_);
        return true;
      }
      if (pass_ == 0) assumptions_ = inner_->assumptions();
      skipped_ += inner_->skipped();
      inner_.reset();
      ++pass_;
      if (in_pass_ == 0 || (loops_ > 0 && pass_ >= static_cast<std::uint64_t>(loops_))) {
        ended_ = true;
        break;
      }
      const auto gaps = static_cast<Time>(std::max<std::uint64_t>(in_pass_ - 1, 1));
      const Time gap = last_ > first_ ? (last_ - first_) / gaps : kSecond;
      offset_ = std::min(offset_ + (last_ - first_) + gap, kLongest);
      passed_ = rows_;
    }
    return false;
  }
  [[nodiscard]] std::uint64_t skipped() const override {
    return skipped_ + (inner_ ? inner_->skipped() : 0);
  }
  [[nodiscard]] std::vector<std::string> assumptions() const override {
    return inner_ ? inner_->assumptions() : assumptions_;
  }

 private:
  std::function<Result<SourcePtr>()> open_;
  std::int64_t loops_;
  SourcePtr inner_;
  std::uint64_t pass_ = 0, in_pass_ = 0, passed_ = 0, rows_ = 0, skipped_ = 0;
  Time first_ = 0, last_ = 0, offset_ = 0;
  bool ended_ = false;
  std::vector<std::string> assumptions_;
};

class Numbered final : public Wrapper {
 public:
  Numbered(SourcePtr inner, std::optional<std::uint64_t> limit)
      : Wrapper(std::move(inner)), limit_(limit) {}
  Result<bool> next(Request& request) override {
    if (ended_ || (limit_ && given_ >= *limit_)) return false;
    if (!PORTOLAN_TRY(inner_->next(request))) {
      ended_ = true;
      return false;
    }
    finish(request);
    return true;
  }
  Result<bool> completed(const Outcome& outcome, Time at, Request& follow_up) override {
    const auto found = rows_.find(outcome.index);
    if (found == rows_.end()) return false;
    Outcome of_row = outcome;
    of_row.index = found->second;
    rows_.erase(found);
    if (limit_ && given_ >= *limit_) of_row.status = Status::kShed;
    if (!PORTOLAN_TRY(inner_->completed(of_row, at, follow_up))) return false;
    finish(follow_up);
    return true;
  }

 private:
  void finish(Request& request) {
    if (inner_->reactive()) rows_.emplace(given_, request.index);
    request.index = given_++;
    if (request.deadline != kNever) {
      request.deadline =
          request.deadline < kNever - request.arrival ? request.deadline + request.arrival : kNever;
    }
  }
  std::optional<std::uint64_t> limit_;
  std::uint64_t given_ = 0;
  bool ended_ = false;
  /// Rows of reactive sources by the number of the request under way; never iterated.
  std::unordered_map<std::uint64_t, std::uint64_t> rows_;
};

}  // namespace

SourcePtr window(SourcePtr inner, Time from, Time to) {
  return std::make_unique<Window>(std::move(inner), from, to);
}
SourcePtr spread(SourcePtr inner, Time most, std::uint64_t seed) {
  return std::make_unique<Spread>(std::move(inner), most, seed);
}
SourcePtr faster(SourcePtr inner, double speed) {
  return std::make_unique<Faster>(std::move(inner), speed);
}
SourcePtr scale_rate(SourcePtr inner, RateCurve scale, Time most, std::uint64_t seed) {
  return std::make_unique<Scaled>(std::move(inner), std::move(scale), most, seed);
}
SourcePtr loop(std::function<Result<SourcePtr>()> open, std::int64_t loops) {
  return std::make_unique<Loop>(std::move(open), loops);
}
SourcePtr number(SourcePtr inner, std::optional<std::uint64_t> limit) {
  return std::make_unique<Numbered>(std::move(inner), limit);
}

}  // namespace portolan::simulation
