#include "simulation/tally.hpp"

#include <algorithm>

namespace portolan::simulation {

Tally::Tally(const Scenario& scenario)
    : scenario_(&scenario),
      exact_(scenario.exact),
      models_(std::max<std::size_t>(1, scenario.models.size())),
      classes_(std::max<std::size_t>(1, scenario.classes.size())),
      pools_(scenario.pools.size()),
      targets_(classes_),
      cells_(models_ * classes_ * (pools_ + 1)),
      itl_(pools_, Sketch(scenario.exact)) {
  for (std::size_t i = 0; i < scenario.classes.size(); ++i) {
    const SloClass& c = scenario.classes[i];
    if (c.ttft_seconds) targets_[i].ttft = from_seconds(*c.ttft_seconds);
    if (c.tpot_seconds) targets_[i].tpot = from_seconds(*c.tpot_seconds);
    if (c.e2e_seconds) targets_[i].e2e = from_seconds(*c.e2e_seconds);
  }
}

Tally::Cell& Tally::cell(std::uint32_t model, std::uint32_t slo_class, std::uint32_t pool) {
  const std::size_t place = pool == kNowhere ? pools_ : pool;
  std::unique_ptr<Cell>& found =
      cells_[(static_cast<std::size_t>(model) * classes_ + slo_class) * (pools_ + 1) + place];
  if (!found) {
    found = std::make_unique<Cell>();
    found->model = model;
    found->slo_class = slo_class;
    found->pool = pool;
    found->ttft = found->tpot = found->e2e = found->queue = Sketch(exact_);
  }
  return *found;
}

void Tally::add(const Outcome& o) {
  Cell& c = cell(o.model, o.slo_class, o.pool);
  ++over_;
  ++c.counts.offered;
  if (o.retries > 0) ++retried_;
  if (o.scheduled != kNever) last_scheduled_ = std::max(last_scheduled_, o.scheduled);
  if (o.last_token != kNever) last_token_ = std::max(last_token_, o.last_token);
  switch (o.status) {
    case Status::kRejected:
      ++c.counts.rejected;
      return;
    case Status::kShed:
      ++c.counts.shed;
      return;
    case Status::kTimedOut:
      ++c.counts.timed_out;
      return;
    case Status::kLost:
      ++c.counts.lost;
      return;
    case Status::kHosted:
      ++c.counts.hosted;
      c.hosted_usd += o.usd;
      break;
    case Status::kCompleted:
      ++c.counts.completed;
      break;
  }
  c.counts.input_tokens += o.input_tokens;
  c.counts.output_tokens += o.output_tokens;
  const Targets& target = targets_[o.slo_class];
  const Time ttft = o.first_token - o.arrival, e2e = o.last_token - o.arrival;
  c.ttft.add(ttft);
  c.e2e.add(e2e);
  bool good_tpot = true;
  if (o.output_tokens > 1) {
    const Time tpot = (o.last_token - o.first_token) / (o.output_tokens - 1);
    c.tpot.add(tpot);
    good_tpot = tpot <= target.tpot;
  }
  if (o.scheduled != kNever) {
    c.queue.add(std::max<Time>(0, o.scheduled - (o.queued == kNever ? o.arrival : o.queued)));
    service_.add(o.last_token - o.scheduled);
    c.in_service += to_seconds(o.last_token - o.scheduled);
  }
  c.met_ttft += ttft <= target.ttft ? 1 : 0;
  c.met_tpot += good_tpot ? 1 : 0;
  c.met_e2e += e2e <= target.e2e ? 1 : 0;
  c.counts.good += ttft <= target.ttft && good_tpot && e2e <= target.e2e ? 1 : 0;
}

void Tally::add_unfinished(std::uint32_t model, std::uint32_t slo_class, std::uint32_t pool) {
  Cell& c = cell(model, slo_class, pool);
  ++c.counts.offered;
  ++c.counts.unfinished;
}

template <class Belongs>
GroupResult Tally::sum(Belongs belongs, const Targets* targets) const {
  GroupResult total;
  std::uint64_t met_ttft = 0, met_tpot = 0, met_e2e = 0;
  Sketch ttft(exact_), tpot(exact_), e2e(exact_), queue(exact_);
  for (const std::unique_ptr<Cell>& c : cells_) {
    if (!c || !belongs(*c)) continue;
    total.offered += c->counts.offered;
    total.completed += c->counts.completed;
    total.rejected += c->counts.rejected;
    total.shed += c->counts.shed;
    total.timed_out += c->counts.timed_out;
    total.lost += c->counts.lost;
    total.hosted += c->counts.hosted;
    total.unfinished += c->counts.unfinished;
    total.input_tokens += c->counts.input_tokens;
    total.output_tokens += c->counts.output_tokens;
    total.good += c->counts.good;
    met_ttft += c->met_ttft;
    met_tpot += c->met_tpot;
    met_e2e += c->met_e2e;
    ttft.merge(c->ttft);
    tpot.merge(c->tpot);
    e2e.merge(c->e2e);
    queue.merge(c->queue);
  }
  total.latency = {.ttft = percentiles(ttft),
                   .tpot = percentiles(tpot),
                   .itl = {},
                   .e2e = percentiles(e2e),
                   .queue = percentiles(queue)};
  const auto any = [this](Time Targets::* which) {
    return std::ranges::any_of(targets_, [&](const Targets& t) { return t.*which != kNever; });
  };
  const auto wanted = [&](Time Targets::* which) {
    return targets ? targets->*which != kNever : any(which);
  };
  if (wanted(&Targets::ttft)) total.met_ttft = met_ttft;
  if (wanted(&Targets::tpot)) total.met_tpot = met_tpot;
  if (wanted(&Targets::e2e)) total.met_e2e = met_e2e;
  return total;
}

template <class Belongs>
double Tally::share(std::uint32_t pool, Belongs belongs) const {
  double part = 0, whole = 0;
  const bool prompts = scenario_->pools[pool].role == Role::kPrompt;
  for (const std::unique_ptr<Cell>& c : cells_) {
    if (!c || c->pool == kNowhere) continue;
    double work = 0;
    if (prompts && c->model == scenario_->pools[pool].model)
      work = static_cast<double>(c->counts.input_tokens);
    else if (c->pool == pool)
      work = c->in_service;
    whole += work;
    if (belongs(*c)) part += work;
  }
  return whole > 0 ? part / whole : 0;
}

template <class Belongs>
double Tally::hosted(Belongs belongs) const {
  double usd = 0;
  for (const std::unique_ptr<Cell>& c : cells_)
    if (c && belongs(*c)) usd += c->hosted_usd;
  return usd;
}

GroupResult Tally::all() const {
  GroupResult total = sum([](const Cell&) { return true; }, nullptr);
  total.name = "all";
  Sketch itl(exact_);
  for (const Sketch& s : itl_) itl.merge(s);
  total.latency.itl = percentiles(itl);
  return total;
}
GroupResult Tally::of_class(std::uint32_t slo_class) const {
  return sum([&](const Cell& c) { return c.slo_class == slo_class; }, &targets_[slo_class]);
}
GroupResult Tally::of_model(std::uint32_t model) const {
  return sum([&](const Cell& c) { return c.model == model; }, nullptr);
}
GroupResult Tally::of_pool(std::uint32_t pool) const {
  GroupResult total = sum([&](const Cell& c) { return c.pool == pool; }, nullptr);
  total.latency.itl = percentiles(itl_[pool]);
  return total;
}
double Tally::class_share(std::uint32_t slo_class, std::uint32_t pool) const {
  return share(pool, [&](const Cell& c) { return c.slo_class == slo_class; });
}
double Tally::model_share(std::uint32_t model, std::uint32_t pool) const {
  return share(pool, [&](const Cell& c) { return c.model == model; });
}
double Tally::hosted_usd() const {
  return hosted([](const Cell&) { return true; });
}
double Tally::class_hosted_usd(std::uint32_t slo_class) const {
  return hosted([&](const Cell& c) { return c.slo_class == slo_class; });
}
double Tally::model_hosted_usd(std::uint32_t model) const {
  return hosted([&](const Cell& c) { return c.model == model; });
}

}  // namespace portolan::simulation
