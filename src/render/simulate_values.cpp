#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using enum JsonType;
using app::PoolFacts;
using app::SimulateAnswer;
using simulation::GroupResult;
using simulation::Percentiles;
using simulation::PoolResult;

Value number_of(std::uint64_t count) { return Value(count); }

/// Without samples there is no percentile.
template <double Percentiles::* kMember>
Value statistic(const Percentiles& p) {
  return p.count > 0 ? Value(p.*kMember) : Value();
}

const Field<Percentiles> kPercentiles[] = {
    {{"mean", kNumber, "null without samples", true}, statistic<&Percentiles::mean>},
    {{"p50", kNumber, "median", true}, statistic<&Percentiles::p50>},
    {{"p90", kNumber, "90 of 100 are at or below", true}, statistic<&Percentiles::p90>},
    {{"p95", kNumber, "95 of 100 are at or below", true}, statistic<&Percentiles::p95>},
    {{"p99", kNumber, "99 of 100 are at or below", true}, statistic<&Percentiles::p99>},
    {{"max", kNumber, "the longest", true}, statistic<&Percentiles::max>},
};

Value percentiles(const Percentiles& p) { return object_of(p, kPercentiles); }

const std::optional<std::uint64_t> GroupResult::* const kTargets[] = {
    &GroupResult::met_ttft, &GroupResult::met_tpot, &GroupResult::met_e2e};

/// Share of the offered requests that met a target; null where there is none.
template <std::size_t kTarget>
Value attained(const GroupResult& g) {
  const std::optional<std::uint64_t>& met = g.*kTargets[kTarget];
  if (!met || g.offered == 0) return {};
  return Value(static_cast<double>(*met) / static_cast<double>(g.offered));
}

const Field<GroupResult> kGroup[] = {
    {{"name", kString, "of the class, model or pool"},
     [](const GroupResult& g) { return Value(g.name); }},
    {{"requests_offered", kInteger, "that arrived"},
     [](const GroupResult& g) { return number_of(g.offered); }},
    {{"requests_completed", kInteger, "answered by machines"},
     [](const GroupResult& g) { return number_of(g.completed); }},
    {{"requests_rejected", kInteger, "longer than the context or the KV cache"},
     [](const GroupResult& g) { return number_of(g.rejected); }},
    {{"requests_shed", kInteger, "turned away at admission"},
     [](const GroupResult& g) { return number_of(g.shed); }},
    {{"requests_timed_out", kInteger, "whose deadline passed"},
     [](const GroupResult& g) { return number_of(g.timed_out); }},
    {{"requests_lost", kInteger, "with their machine"},
     [](const GroupResult& g) { return number_of(g.lost); }},
    {{"requests_hosted", kInteger, "answered by the hosted API"},
     [](const GroupResult& g) { return number_of(g.hosted); }},
    {{"requests_unfinished", kInteger, "under way when the run was stopped"},
     [](const GroupResult& g) { return number_of(g.unfinished); }},
    {{"input_tokens", kInteger, "of answered requests"},
     [](const GroupResult& g) { return Value(g.input_tokens); }},
    {{"output_tokens", kInteger, "of answered requests"},
     [](const GroupResult& g) { return Value(g.output_tokens); }},
    {{"ttft_seconds", kObject, "arrival to first token", false, infos(kPercentiles)},
     [](const GroupResult& g) { return percentiles(g.latency.ttft); }},
    {{"tpot_seconds", kObject, "per further token", false, infos(kPercentiles)},
     [](const GroupResult& g) { return percentiles(g.latency.tpot); }},
    {{"e2e_seconds", kObject, "arrival to last token", false, infos(kPercentiles)},
     [](const GroupResult& g) { return percentiles(g.latency.e2e); }},
    {{"queue_seconds", kObject, "in the engine's queue", false, infos(kPercentiles)},
     [](const GroupResult& g) { return percentiles(g.latency.queue); }},
    {{"goodput_share", kNumber, "answered within every target, of all offered", true},
     [](const GroupResult& g) { return Value(app::goodput_share(g)); }},
    {{"ttft_attained_share", kNumber, "null without a target", true}, attained<0>},
    {{"tpot_attained_share", kNumber, "null without a target", true}, attained<1>},
    {{"e2e_attained_share", kNumber, "null without a target", true}, attained<2>},
    {{"usd", kNumber, "its share of the cost, by busy time", true},
     [](const GroupResult& g) { return usd(g.usd); }},
    {{"usd_per_million_output_tokens", kNumber, "all cost on the output", true},
     [](const GroupResult& g) { return usd(app::usd_per_million_output_tokens(g)); }},
};

/// A pool beside what it was made of.
struct PoolRow {
  const PoolResult* result;
  const PoolFacts* facts;
};

const Field<PoolRow> kPool[] = {
    {{"model", kString, "catalogue id"}, [](const PoolRow& p) { return Value(p.facts->model); }},
    {{"accelerator", kString, "catalogue id"},
     [](const PoolRow& p) { return Value(p.facts->accelerator); }},
    {{"engine", kString, "whose scheduler and host times"},
     [](const PoolRow& p) { return Value(p.facts->engine); }},
    {{"tp", kInteger, "tensor parallel"},
     [](const PoolRow& p) { return Value(p.facts->deployment.tp); }},
    {{"pp", kInteger, "pipeline parallel"},
     [](const PoolRow& p) { return Value(p.facts->deployment.pp); }},
    {{"ep", kInteger, "expert parallel"},
     [](const PoolRow& p) { return Value(p.facts->deployment.ep); }},
    {{"precision", kString, "of the weights"},
     [](const PoolRow& p) { return Value(p.facts->weights); }},
    {{"kv_precision", kString, "of the KV cache"},
     [](const PoolRow& p) { return Value(p.facts->kv_format); }},
    {{"accelerators_per_replica", kInteger, "of one engine"},
     [](const PoolRow& p) { return Value(p.facts->accelerators_per_replica); }},
    {{"most_replicas", kInteger, "at once"},
     [](const PoolRow& p) { return Value(p.result->most_replicas); }},
    {{"replica_seconds", kNumber, "paid for"},
     [](const PoolRow& p) { return Value(p.result->replica_seconds); }},
    {{"on_demand_seconds", kNumber, "of these, in place of spot machines"},
     [](const PoolRow& p) { return Value(p.result->on_demand_seconds); }},
    {{"ready_share", kNumber, "of the time with at least one replica ready"},
     [](const PoolRow& p) { return Value(p.result->ready_share); }},
    {{"steps", kInteger, "of its engines"},
     [](const PoolRow& p) { return number_of(p.result->counters.steps); }},
    {{"busy_seconds", kNumber, "of its engines, added up"},
     [](const PoolRow& p) { return Value(simulation::to_seconds(p.result->counters.busy)); }},
    {{"prompt_tokens_computed", kInteger, "again after preemption included"},
     [](const PoolRow& p) { return Value(p.result->counters.prompt_tokens); }},
    {{"itl_seconds", kObject, "between tokens", false, infos(kPercentiles)},
     [](const PoolRow& p) { return percentiles(p.result->group.latency.itl); }},
    {{"kv_blocks", kInteger, "of one replica, as the engine counts them"},
     [](const PoolRow& p) { return Value(p.facts->kv_blocks); }},
    {{"kv_peak_used", kInteger, "blocks in use at once, fullest replica"},
     [](const PoolRow& p) { return Value(p.result->counters.peak_blocks); }},
    {{"preemptions", kInteger, "requests put back and computed again"},
     [](const PoolRow& p) { return number_of(p.result->counters.preemptions); }},
    {{"prefix_hit_tokens", kInteger, "found in the cache"},
     [](const PoolRow& p) { return Value(p.result->counters.cached_tokens); }},
    {{"usd_per_accelerator_hour", kNumber, "null: unknown", true},
     [](const PoolRow& p) { return usd(p.facts->usd_per_accelerator_hour); }},
    {{"usd_idle", kNumber, "of its cost: ready, nothing to do", true},
     [](const PoolRow& p) { return usd(p.result->usd_idle); }},
    {{"usd_loading", kNumber, "of its cost: until ready", true},
     [](const PoolRow& p) { return usd(p.result->usd_loading); }},
    {{"energy_joules", kNumber, "accelerators, steps and idling", true},
     [](const PoolRow& p) { return Value(p.result->joules); }},
    {{"cold_starts", kInteger, "replicas started during the run"},
     [](const PoolRow& p) { return number_of(p.result->cold_starts); }},
    {{"spot_losses", kInteger, "replicas taken away"},
     [](const PoolRow& p) { return number_of(p.result->spot_losses); }},
    {{"failures", kInteger, "replicas that broke"},
     [](const PoolRow& p) { return number_of(p.result->failures); }},
    {{"lost_tokens", kInteger, "computed in vain on machines that went away"},
     [](const PoolRow& p) { return Value(p.result->lost_tokens); }},
    {{"swaps", kInteger, "models loaded on shared machines"},
     [](const PoolRow& p) { return number_of(p.result->swaps); }},
    {{"wakes", kInteger, "resident models made to compute"},
     [](const PoolRow& p) { return number_of(p.result->wakes); }},
    {{"swap_seconds", kNumber, "spent loading models"},
     [](const PoolRow& p) { return Value(p.result->swap_seconds); }},
    {{"transferred_bytes", kNumber, "of caches sent to other pools"},
     [](const PoolRow& p) { return whole(p.result->transferred_bytes); }},
    {{"transfer_wait_seconds", kNumber, "for the link, added up"},
     [](const PoolRow& p) { return Value(p.result->transfer_wait_seconds); }},
    {{"tier", kString, "where the step times come from"},
     [](const PoolRow& p) { return Value(cost::tier_name(p.facts->tier)); }},
    {{"step_time_interval",
      kObject,
      "80 % of true step times lie between these multiples of ours",
      false,
      {{"low", kNumber, "factor"}, {"high", kNumber, "factor"}}},
     [](const PoolRow& p) {
       Value v{Value::Object{}};
       v.set("low", p.facts->interval_low);
       v.set("high", p.facts->interval_high);
       return v;
     }},
};

const Field<app::ComparedFigure> kCompared[] = {
    {{"name", kString, "of the figure in the result"},
     [](const app::ComparedFigure& f) { return Value(f.name); }},
    {{"before", kNumber, "in the earlier result", true},
     [](const app::ComparedFigure& f) { return Value(f.before); }},
    {{"after", kNumber, "now", true}, [](const app::ComparedFigure& f) { return Value(f.after); }},
    {{"difference", kNumber, "after - before", true},
     [](const app::ComparedFigure& f) { return Value(f.difference); }},
    {{"ratio", kNumber, "after over before", true},
     [](const app::ComparedFigure& f) { return Value(f.ratio); }},
};

const Field<SimulateAnswer> kResult[] = {
    {{"traffic", kString, "in words"},
     [](const SimulateAnswer& a) { return Value(a.result.traffic); }},
    {{"requests_offered", kInteger, "that arrived"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.offered); }},
    {{"requests_completed", kInteger, "answered by machines"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.completed); }},
    {{"requests_rejected", kInteger, "longer than the context or the KV cache"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.rejected); }},
    {{"requests_shed", kInteger, "turned away at admission"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.shed); }},
    {{"requests_timed_out", kInteger, "whose deadline passed before the first token"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.timed_out); }},
    {{"requests_lost", kInteger, "with their machine, not tried again"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.lost); }},
    {{"requests_hosted", kInteger, "answered by the hosted API"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.hosted); }},
    {{"requests_unfinished", kInteger, "under way when the run was stopped"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.all.unfinished); }},
    {{"requests_retried", kInteger, "after the loss of a machine"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.retried_requests); }},
    {{"rows_skipped", kInteger, "of the trace: requests that failed"},
     [](const SimulateAnswer& a) { return number_of(a.result.rows_skipped); }},
    {{"simulated_seconds", kNumber, "first arrival to last token"},
     [](const SimulateAnswer& a) { return Value(a.result.run.simulated_seconds); }},
    {{"verdict", kString, "stable, backlogged (a queue was worked off) or overloaded"},
     [](const SimulateAnswer& a) { return Value(verdict_name(a.result.run.verdict)); }},
    {{"verdict_reason", kString, "the figures it rests on; null when stable", true},
     [](const SimulateAnswer& a) { return text_or_null(a.result.run.verdict_reason); }},
    {{"saturated", kBoolean, "the queue only grew: more arrives than can be served"},
     [](const SimulateAnswer& a) {
       return Value(a.result.run.verdict == simulation::Verdict::kOverloaded);
     }},
    {{"stopped", kBoolean, "before the traffic was over: more waited than is worth simulating"},
     [](const SimulateAnswer& a) { return Value(a.result.run.stopped); }},
    {{"offered_requests_per_second", kNumber, "arrivals over their span"},
     [](const SimulateAnswer& a) { return Value(a.result.run.offered_requests_per_second); }},
    {{"requests_per_second", kNumber, "answered", true},
     [](const SimulateAnswer& a) { return Value(app::requests_per_second(a.result)); }},
    {{"input_tokens", kInteger, "of answered requests"},
     [](const SimulateAnswer& a) { return Value(a.result.run.all.input_tokens); }},
    {{"output_tokens", kInteger, "of answered requests"},
     [](const SimulateAnswer& a) { return Value(a.result.run.all.output_tokens); }},
    {{"output_tokens_per_second", kNumber, "over the simulated time"},
     [](const SimulateAnswer& a) { return Value(a.result.run.output_tokens_per_second); }},
    {{"ttft_seconds", kObject, "arrival to first token", false, infos(kPercentiles)},
     [](const SimulateAnswer& a) { return percentiles(a.result.run.all.latency.ttft); }},
    {{"tpot_seconds", kObject, "per further token, one value a request", false,
      infos(kPercentiles)},
     [](const SimulateAnswer& a) { return percentiles(a.result.run.all.latency.tpot); }},
    {{"itl_seconds", kObject, "between tokens, one value a token", false, infos(kPercentiles)},
     [](const SimulateAnswer& a) { return percentiles(a.result.run.all.latency.itl); }},
    {{"e2e_seconds", kObject, "arrival to last token", false, infos(kPercentiles)},
     [](const SimulateAnswer& a) { return percentiles(a.result.run.all.latency.e2e); }},
    {{"queue_seconds", kObject, "in the engine's queue", false, infos(kPercentiles)},
     [](const SimulateAnswer& a) { return percentiles(a.result.run.all.latency.queue); }},
    {{"goodput_share", kNumber, "answered within every target, of all offered", true},
     [](const SimulateAnswer& a) { return Value(app::goodput_share(a.result.run.all)); }},
    {{"goodput_requests_per_second", kNumber, "answered within every target", true},
     [](const SimulateAnswer& a) {
       const simulation::RunResult& run = a.result.run;
       if (run.simulated_seconds <= 0) return Value();
       return Value(static_cast<double>(run.all.good) / run.simulated_seconds);
     }},
    {{"kv",
      kObject,
      "KV cache",
      false,
      {{"blocks", kInteger, "of one replica as the engine counts them, of the largest pool"},
       {"peak_used", kInteger, "at once in the fullest replica"},
       {"preemptions", kInteger, "requests put back and computed again"},
       {"prefix_hit_tokens", kInteger, "prompt tokens found in the cache"},
       {"prefix_hit_share", kNumber, "of the prompt tokens", true}}},
     [](const SimulateAnswer& a) {
       const app::KvFigures kv = app::kv_figures(a.result);
       const auto hits = static_cast<double>(kv.prefix_hit_tokens);
       const double prompts = hits + static_cast<double>(kv.prompt_tokens);
       Value v{Value::Object{}};
       v.set("blocks", kv.blocks);
       v.set("peak_used", kv.peak_used);
       v.set("preemptions", number_of(kv.preemptions));
       v.set("prefix_hit_tokens", kv.prefix_hit_tokens);
       v.set("prefix_hit_share", prompts > 0 ? Value(hits / prompts) : Value());
       return v;
     }},
    {{"usd", kNumber, "machines and hosted API; null: some price is unknown", true},
     [](const SimulateAnswer& a) { return usd(a.result.run.usd); }},
    {{"usd_hosted", kNumber, "of it, for the hosted API; null without one", true},
     [](const SimulateAnswer& a) { return usd(a.result.run.usd_hosted); }},
    {{"usd_per_million_output_tokens", kNumber, "all cost on the output", true},
     [](const SimulateAnswer& a) {
       return usd(app::usd_per_million_output_tokens(a.result.run.all));
     }},
    {{"energy_joules", kNumber, "accelerators, steps and idling; null: unknown", true},
     [](const SimulateAnswer& a) { return Value(a.result.run.joules); }},
    {{"joules_per_output_token", kNumber, "all energy on the output", true},
     [](const SimulateAnswer& a) {
       const simulation::RunResult& run = a.result.run;
       if (!run.joules || run.all.output_tokens == 0) return Value();
       return Value(*run.joules / static_cast<double>(run.all.output_tokens));
     }},
    {{"events", kInteger, "that the simulator worked off"},
     [](const SimulateAnswer& a) { return number_of(a.result.run.events); }},
    {{"classes", kArray, "service classes; empty without any", false, infos(kGroup)},
     [](const SimulateAnswer& a) { return array_of(a.result.run.classes, kGroup); }},
    {{"models", kArray, "by name in the request", false, infos(kGroup)},
     [](const SimulateAnswer& a) { return array_of(a.result.run.models, kGroup); }},
};

std::vector<FieldInfo> pool_fields() {
  std::vector<FieldInfo> fields = infos(kGroup);
  for (FieldInfo& info : infos(kPool)) fields.push_back(std::move(info));
  return fields;
}

}  // namespace

Value result_of(const SimulateAnswer& answer, bool timing) {
  const app::SimulateResult& result = answer.result;
  Value out = object_of(answer, kResult);
  Value::Array pools;
  for (std::size_t i = 0; i < result.run.pools.size(); ++i) {
    Value pool = object_of(result.run.pools[i].group, kGroup);
    const Value more = object_of(PoolRow{&result.run.pools[i], &result.pools[i]}, kPool);
    for (const Value::Member& member : more.object()) pool.set(member.first, member.second);
    pools.push_back(std::move(pool));
  }
  out.set("pools", Value(std::move(pools)));
  if (result.comparison) out.set("comparison", array_of(result.comparison->figures, kCompared));
  if (timing) {
    out.set("wall_seconds", result.wall_seconds);
    const auto done = static_cast<double>(result.run.all.offered - result.run.all.unfinished);
    out.set("requests_per_wall_second",
            result.wall_seconds > 0 ? Value(done / result.wall_seconds) : Value());
  }
  return out;
}

std::vector<FieldInfo> simulate_fields() {
  std::vector<FieldInfo> fields = infos(kResult);
  fields.push_back({"pools", kArray, "in the order of the request", false, pool_fields()});
  fields.push_back(
      {"comparison", kArray, "with --compare: figure by figure", false, infos(kCompared), true});
  fields.push_back({"wall_seconds", kNumber, "this run took", false, {}, true});
  fields.push_back({"requests_per_wall_second", kNumber, "of this run", true, {}, true});
  return fields;
}

}  // namespace portolan::render
