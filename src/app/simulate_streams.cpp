#include "app/simulate_streams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "io/text_formats.hpp"

namespace portolan::app {
namespace {

using simulation::kNever;
using simulation::Outcome;
using simulation::Time;

constexpr std::size_t kMostPoints = 720;  // of a pool in memory: one to two per pixel of a plot

/// Nanoseconds are below anything that is modelled.
void add_seconds(std::string& out, Time time) {
  if (time == kNever) return;
  const Time nano = (time + 500) / 1000;
  fmt::format_to(std::back_inserter(out), "{}.{:09}", nano / 1'000'000'000, nano % 1'000'000'000);
}

/// A name as a CSV cell, without the line end.
std::string cell(const std::string& name) {
  const std::string cells[] = {name};
  std::string line = io::csv_line(cells, true);
  line.pop_back();
  return line;
}

void add_number(std::string& out, const std::optional<double>& value) {
  if (value) fmt::format_to(std::back_inserter(out), "{:.6g}", *value);
}

}  // namespace

SimulateStreams::SimulateStreams(const SimulateFiles& files, const simulation::Scenario& scenario)
    : files_(files), scenario_(scenario) {
  for (const std::string& model : scenario.models) models_.push_back(cell(model));
  for (const simulation::SloClass& one : scenario.classes) classes_.push_back(cell(one.name));
  if (classes_.empty()) classes_.push_back("all");
  for (const simulation::Pool& pool : scenario.pools) pools_.push_back(cell(pool.name));
  last_.resize(pools_.size());
  kept_.resize(pools_.size());
}

Result<void> SimulateStreams::open() {
  if (files_.requests_csv) {
    requests_.emplace(PORTOLAN_TRY(FileWriter::open(*files_.requests_csv, files_.force)));
    append(requests_,
           "request,model,class,pool,replica,arrival_seconds,queued_seconds,scheduled_seconds,"
           "first_token_seconds,last_token_seconds,input_tokens,cached_tokens,output_tokens,"
           "preemptions,retries,status,usd\n");
  }
  if (files_.timeseries) {
    series_.emplace(PORTOLAN_TRY(FileWriter::open(*files_.timeseries, files_.force)));
    append(series_,
           "time_seconds,pool,running,waiting,kv_blocks_used,kv_blocks,requests_per_second,"
           "input_tokens_per_second,output_tokens_per_second,prefix_hit_share,step_seconds,"
           "replicas_ready,replicas_loading,watts,usd_per_hour\n");
  }
  if (files_.chrome_trace) PORTOLAN_DO(trace_.open(*files_.chrome_trace, files_.force));
  return {};
}

void SimulateStreams::append(std::optional<FileWriter>& file, std::string_view text) {
  if (!file || error_) return;
  if (auto written = file->append(text); !written) error_ = std::move(written).error();
}

void SimulateStreams::listen(simulation::Observers& observers) {
  if (files_.requests_csv || files_.chrome_trace || files_.report)
    observers.request = [this](const Outcome& outcome) { take(outcome); };
  if (files_.chrome_trace)
    observers.segment = [this](const simulation::Segment& segment) { trace_.add(segment); };
  if (files_.timeseries || files_.report) {
    observers.sample = [this](const Sample& sample) { take(sample); };
    observers.interval = std::max<Time>(1, simulation::from_seconds(files_.interval_seconds));
  }
}

void SimulateStreams::take(const Outcome& outcome) {
  if (requests_) write_row(outcome);
  if (files_.chrome_trace) trace_.add(outcome);
  if (!files_.report || outcome.last_token == kNever) return;
  ttft_.add(outcome.first_token - outcome.arrival);
  e2e_.add(outcome.last_token - outcome.arrival);
  if (outcome.scheduled != kNever && outcome.queued != kNever)
    queue_.add(std::max<Time>(0, outcome.scheduled - outcome.queued));
  if (outcome.output_tokens > 1)
    tpot_.add((outcome.last_token - outcome.first_token) / (outcome.output_tokens - 1));
}

void SimulateStreams::write_row(const Outcome& o) {
  line_.clear();
  const bool placed = o.status != simulation::Status::kHosted && o.scheduled != kNever;
  fmt::format_to(std::back_inserter(line_), "{},{},{},", o.index, models_[o.model],
                 classes_[o.slo_class]);
  if (placed) fmt::format_to(std::back_inserter(line_), "{},{}", pools_[o.pool], o.replica);
  if (!placed) line_ += ',';
  for (const Time time : {o.arrival, o.queued, o.scheduled, o.first_token, o.last_token}) {
    line_ += ',';
    add_seconds(line_, time);
  }
  fmt::format_to(std::back_inserter(line_), ",{},{},{},{},{},{},", o.input_tokens, o.cached_tokens,
                 o.output_tokens, o.preemptions, o.retries, simulation::status_name(o.status));
  if (o.usd > 0)  // else nobody was paid, or nobody knows how much
    fmt::format_to(std::back_inserter(line_), "{:.9f}", o.usd);
  line_ += '\n';
  append(requests_, line_);
}

TimePoint SimulateStreams::between(const Sample& before, const Sample& after) const {
  const simulation::Pool& pool = scenario_.pools[after.pool];
  TimePoint point;
  point.seconds = simulation::to_seconds(after.time);
  point.span_seconds = simulation::to_seconds(after.time - before.time);
  point.pool = after.pool;
  point.running = after.load.running;
  point.waiting = after.load.waiting;
  point.used_blocks = after.load.used_blocks;
  point.total_blocks = after.load.total_blocks;
  point.ready = after.ready;
  point.loading = after.loading;
  if (point.span_seconds <= 0) return point;
  const simulation::Counters &a = before.counters, &b = after.counters;
  const double span = point.span_seconds;
  const auto per_second = [&](auto now, auto then) {
    return static_cast<double>(now - then) / span;
  };
  point.completed_per_second = per_second(b.completed, a.completed);
  point.prompt_tokens_per_second = per_second(b.prompt_tokens, a.prompt_tokens);
  point.output_tokens_per_second = per_second(b.output_tokens, a.output_tokens);
  const double busy = simulation::to_seconds(b.busy - a.busy);
  if (b.steps > a.steps) point.step_seconds = busy / static_cast<double>(b.steps - a.steps);
  const auto cached = static_cast<double>(b.cached_tokens - a.cached_tokens);
  const double prompts = cached + static_cast<double>(b.prompt_tokens - a.prompt_tokens);
  if (prompts > 0) point.prefix_hit_share = cached / prompts;
  if (pool.engine->idle_watts) {
    const double idle = std::max(0.0, static_cast<double>(after.ready) * span - busy);
    point.watts = (b.joules - a.joules + *pool.engine->idle_watts * idle) / span;
  }
  if (pool.usd_per_hour) point.usd_per_hour = (after.usd - before.usd) / span * 3600;
  return point;
}

void SimulateStreams::write_point(const TimePoint& p) {
  line_.clear();
  auto out = std::back_inserter(line_);
  fmt::format_to(out, "{:.9g},{},{},{},{},{},{:.6g},{:.6g},{:.6g},", p.seconds, pools_[p.pool],
                 p.running, p.waiting, p.used_blocks, p.total_blocks, p.completed_per_second,
                 p.prompt_tokens_per_second, p.output_tokens_per_second);
  add_number(line_, p.prefix_hit_share);
  line_ += ',';
  add_number(line_, p.step_seconds);
  fmt::format_to(out, ",{},{},", p.ready, p.loading);
  add_number(line_, p.watts);
  line_ += ',';
  add_number(line_, p.usd_per_hour);
  line_ += '\n';
  append(series_, line_);
}

void SimulateStreams::take(const Sample& sample) {
  if (series_) write_point(between(last_[sample.pool], sample));
  last_[sample.pool] = sample;
  if (!files_.report) return;
  if (sample.pool == 0) ++seen_;
  if (seen_ % stride_ != 0) return;
  kept_[sample.pool].push_back(sample);
  // Full: every second one goes, and from now on half as many come. All pools keep the same times.
  if (sample.pool + 1 != kept_.size() || kept_[sample.pool].size() < kMostPoints) return;
  for (std::vector<Sample>& list : kept_) {
    std::size_t to = 0;
    for (std::size_t from = 1; from < list.size(); from += 2) list[to++] = list[from];
    list.resize(to);
  }
  stride_ *= 2;
}

Result<void> SimulateStreams::finish() {
  if (error_) return fail(*error_);
  if (requests_) PORTOLAN_DO(requests_->commit());
  if (series_) PORTOLAN_DO(series_->commit());
  if (files_.chrome_trace) PORTOLAN_DO(trace_.finish());
  return {};
}

std::vector<TimePoint> SimulateStreams::timeline() const {
  std::vector<TimePoint> points;
  for (const std::vector<Sample>& list : kept_) {
    // The first sample is the state that the first stretch begins with.
    for (std::size_t i = 1; i < list.size(); ++i) points.push_back(between(list[i - 1], list[i]));
  }
  return points;
}

std::vector<Distribution> SimulateStreams::distributions() const {
  std::vector<Distribution> out;
  for (const auto& [name, sketch] :
       {std::pair<const char*, const simulation::Sketch&>{"ttft", ttft_},
        {"tpot", tpot_},
        {"e2e", e2e_},
        {"queue", queue_}}) {
    if (sketch.count() == 0) continue;
    Distribution one{.name = name, .seconds = {}};
    for (int percent = 0; percent <= 100; ++percent)
      one.seconds.push_back(sketch.quantile(percent / 100.0));
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace portolan::app
