#include <array>
#include <cmath>

#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using enum JsonType;
using planner::Plan;

bool trains(const Plan& p) { return p.training_estimate.has_value(); }

const Field<Plan> kStrategy[] = {
    {{"tp", kInteger, "tensor parallel"},
     [](const Plan& p) { return Value(trains(p) ? p.training_strategy.tp : p.deployment.tp); }},
    {{"pp", kInteger, "pipeline parallel"},
     [](const Plan& p) { return Value(trains(p) ? p.training_strategy.pp : p.deployment.pp); }},
    {{"dp", kInteger, "data parallel: replicas that train together, or that serve"},
     [](const Plan& p) { return trains(p) ? Value(p.training_strategy.dp) : Value(p.replicas); }},
    {{"ep", kInteger, "expert parallel"},
     [](const Plan& p) { return Value(trains(p) ? p.training_strategy.ep : p.deployment.ep); }},
    {{"cp", kInteger, "context parallel"},
     [](const Plan& p) { return Value(trains(p) ? p.training_strategy.cp : 1); }},
    {{"precision", kString, "of the weights"}, [](const Plan& p) { return Value(p.precision); }},
    {{"kv_precision", kString, "of the KV cache", true},
     [](const Plan& p) { return text_or_null(p.kv_precision); }},
    {{"microbatch", kInteger, "sequences", true},
     [](const Plan& p) { return trains(p) ? Value(p.training_strategy.microbatch) : Value(); }},
    {{"virtual_stages", kInteger, "pipeline chunks per accelerator", true},
     [](const Plan& p) { return trains(p) ? Value(p.training_strategy.virtual_stages) : Value(); }},
    {{"recompute", kString, "none, selective or full", true},
     [](const Plan& p) {
       return trains(p) ? Value(training::recompute_name(p.training_strategy.recompute)) : Value();
     }},
    {{"zero", kInteger, "ZeRO stage", true},
     [](const Plan& p) { return trains(p) ? Value(p.training_strategy.zero) : Value(); }},
    {{"max_batch", kInteger, "sequences one replica decodes together at most", true},
     [](const Plan& p) { return trains(p) ? Value() : whole(std::floor(p.limits.batch_cap())); }},
};

using planner::Verification;
const Field<Verification> kVerified[] = {
    {{"verdict", kString, "confirmed, fewer_replicas, more_replicas or fails"},
     [](const Verification& v) { return Value(planner::verdict_name(v.verdict)); }},
    {{"rate", kNumber, "requests per second a replica sustains, within the SLO and utilisation"},
     [](const Verification& v) { return Value(v.rate); }},
    {{"rate_closed_form", kNumber, "what the search took it for"},
     [](const Verification& v) { return Value(v.rate_closed_form); }},
    {{"binding", kString, "what stops a higher rate: a target, utilisation or capacity", true},
     [](const Verification& v) { return text_or_null(v.binding); }},
    {{"capacity", kNumber, "requests per second of a replica that always has work"},
     [](const Verification& v) { return Value(v.capacity); }},
    {{"capacity_closed_form", kNumber, "what the search took it for"},
     [](const Verification& v) { return Value(v.capacity_closed_form); }},
    {{"stable", kBoolean, "as planned, the queue does not only grow"},
     [](const Verification& v) { return Value(v.stable); }},
    {{"ttft_p95_seconds", kNumber, "as planned", true},
     [](const Verification& v) { return raw(v.ttft_p95); }},
    {{"tpot_p95_seconds", kNumber, "as planned", true},
     [](const Verification& v) { return raw(v.tpot_p95); }},
    {{"ttft_mean_seconds", kNumber, "as planned", true},
     [](const Verification& v) { return raw(v.ttft_mean); }},
    {{"tpot_mean_seconds", kNumber, "as planned", true},
     [](const Verification& v) { return raw(v.tpot_mean); }},
    {{"replicas", kInteger, "that the rate proved asks for, spares included"},
     [](const Verification& v) { return Value(v.replicas); }},
    {{"instances", kInteger, "of the whole plan, for these"},
     [](const Verification& v) { return Value(v.instances); }},
    {{"usd_per_hour", kNumber, "of these"},
     [](const Verification& v) { return usd(v.usd_per_hour.in(kUsdPerHour)); }},
    {{"usd_total", kNumber, "of the job, on these", true},
     [](const Verification& v) { return v.usd_total ? usd(v.usd_total->raw()) : Value(); }},
    {{"duration_seconds", kNumber, "of the job, on these", true},
     [](const Verification& v) { return raw(v.duration); }},
    {{"disagreement", kNumber,
      "largest |closed form / simulation - 1| of rate, TTFT p95 and TPOT p95"},
     [](const Verification& v) { return Value(v.disagreement); }},
    {{"why", kString, "of a failure, or of a disagreement above 0.1", true},
     [](const Verification& v) { return text_or_null(v.why); }},
    {{"requests", kInteger, "simulated and counted, all seeds and rates"},
     [](const Verification& v) { return Value(v.requests); }},
    {{"simulations", kInteger, "runs"}, [](const Verification& v) { return Value(v.simulations); }},
    {{"seeds", kInteger, "averaged"}, [](const Verification& v) { return Value(v.seeds); }},
    {{"replicas_simulated", kInteger, "side by side, behind one router"},
     [](const Verification& v) { return Value(v.replicas_simulated); }},
};

const Field<Plan> kPlan[] = {
    {{"rank", kInteger, "1 is the cheapest"}, [](const Plan& p) { return Value(p.rank); }},
    {{"model", kString, "catalogue id"}, [](const Plan& p) { return Value(p.model); }},
    {{"quality", kNumber, "the user's own score", true},
     [](const Plan& p) { return Value(p.quality); }},
    {{"provider", kString, "who bills"}, [](const Plan& p) { return Value(p.offer->provider); }},
    {{"upstream", kString, "who runs it, for brokers", true},
     [](const Plan& p) { return text_or_null(p.offer->upstream); }},
    {{"sku", kString, "the provider's own name"},
     [](const Plan& p) { return Value(p.offer->sku); }},
    {{"region", kString, "the first of `regions`", true},
     [](const Plan& p) { return text_or_null(p.offer->region); }},
    {{"regions", kStrings, "all at this price"}, [](const Plan& p) { return strings(p.regions); }},
    {{"purchase", kString, "on-demand, spot, reserved-1y …"},
     [](const Plan& p) { return Value(market::purchase_name(p.offer->purchase)); }},
    {{"accelerator", kString, "catalogue id"},
     [](const Plan& p) { return Value(p.offer->accelerator->id); }},
    {{"accelerators", kInteger, "of the whole plan"},
     [](const Plan& p) { return whole(p.offer->count * static_cast<double>(p.nodes)); }},
    {{"instances", kInteger, "of the whole plan, rented whole"},
     [](const Plan& p) { return Value(p.nodes); }},
    {{"accelerators_per_replica", kInteger, "that serve or train one copy of the model together"},
     [](const Plan& p) { return Value(p.accelerators_per_replica); }},
    {{"replicas", kInteger, "for the peak, spares included"},
     [](const Plan& p) { return Value(p.replicas); }},
    {{"replicas_mean", kInteger, "enough for the mean demand"},
     [](const Plan& p) { return Value(p.replicas_mean); }},
    {{"strategy", kObject, "how the work is divided", false, infos(kStrategy)},
     [](const Plan& p) { return object_of(p, kStrategy); }},
    {{"usd_per_hour", kNumber, "whole plan"},
     [](const Plan& p) { return usd(p.usd_per_hour.in(kUsdPerHour)); }},
    {{"usd_per_month", kNumber, "of 730.5 h, all replicas on", true},
     [](const Plan& p) { return usd(p.usd_per_month.raw()); }},
    {{"usd_per_month_scaled",
      kNumber,
      "with a demand curve: instances follow it hour by hour",
      true,
      {}},
     [](const Plan& p) {
       return p.usd_per_month_scaled ? usd(p.usd_per_month_scaled->raw()) : Value();
     }},
    {{"usd_total", kNumber, "of the job", true},
     [](const Plan& p) { return p.usd_total ? usd(p.usd_total->raw()) : Value(); }},
    {{"usd_per_million_tokens",
      kNumber,
      "input and output together, at the demand asked for",
      true,
      {}},
     [](const Plan& p) { return usd(p.usd_per_million_tokens); }},
    {{"usd_per_million_output_tokens", kNumber, "all cost on the output", true},
     [](const Plan& p) { return usd(p.usd_per_million_output_tokens); }},
    {{"duration_seconds", kNumber, "of the job, failures included", true},
     [](const Plan& p) { return raw(p.duration); }},
    {{"ttft_p95_seconds", kNumber, "time to the first token, queueing included", true},
     [](const Plan& p) { return raw(p.ttft_p95); }},
    {{"tpot_p95_seconds", kNumber, "from each token to the next", true},
     [](const Plan& p) { return raw(p.tpot_p95); }},
    {{"ttft_mean_seconds", kNumber, "time to the first token, queueing included", true},
     [](const Plan& p) { return raw(p.ttft_mean); }},
    {{"tpot_mean_seconds", kNumber, "from each token to the next", true},
     [](const Plan& p) { return raw(p.tpot_mean); }},
    {{"output_tokens_per_second", kNumber, "whole plan"},
     [](const Plan& p) { return Value(p.output_tokens_per_second); }},
    {{"capacity_requests_per_second", kNumber, "whole plan, within the SLO", true},
     [](const Plan& p) {
       return p.capacity_requests_per_second > 0 ? Value(p.capacity_requests_per_second) : Value();
     }},
    {{"memory_bytes_per_accelerator", kNumber, "of the fullest one"},
     [](const Plan& p) { return whole_bytes(p.memory_per_accelerator); }},
    {{"utilisation", kNumber, "offered work over capacity", true},
     [](const Plan& p) { return Value(p.utilisation); }},
    {{"mfu", kNumber, "model FLOP over the datasheet peak", true},
     [](const Plan& p) { return Value(p.mfu); }},
    {{"goodput", kNumber, "share of the time that is progress", true},
     [](const Plan& p) { return trains(p) ? Value(p.training_estimate->goodput) : Value(); }},
    {{"step_seconds", kNumber, "one optimizer step", true},
     [](const Plan& p) { return trains(p) ? raw(p.training_estimate->step) : Value(); }},
    {{"bound", kString, "what a step waits for"},
     [](const Plan& p) { return Value(cost::bound_name(p.bound)); }},
    {{"power_watts", kNumber, "accelerators of the whole plan", true},
     [](const Plan& p) { return raw(p.power); }},
    {{"interval",
      kObject,
      "80 % interval of the cost: per hour when serving, total otherwise",
      false,
      {{"low", kNumber, "lower end"}, {"high", kNumber, "upper end", false, {}}}},
     [](const Plan& p) {
       Value v{Value::Object{}};
       v.set("low", usd(p.interval.low));
       v.set("high", usd(p.interval.high));
       return v;
     }},
    {{"verified", kObject, "what simulations say; null where none was run", true, infos(kVerified)},
     [](const Plan& p) { return p.verified ? object_of(*p.verified, kVerified) : Value(); }},
    {{"tier", kString, "where the efficiencies come from"},
     [](const Plan& p) { return Value(cost::tier_name(p.tier)); }},
    {{"engine", kString, "inference engine the plan counts on", true},
     [](const Plan& p) { return text_or_null(p.engine); }},
    {{"support_confidence", kString, "engine on this chip", true},
     [](const Plan& p) { return text_or_null(p.support_confidence); }},
    {{"advise_proof_of_concept", kBoolean,
      "no measurement we know of proves the engine on this chip"},
     [](const Plan& p) { return Value(p.advise_proof_of_concept); }},
    {{"pareto", kBoolean, "no other plan is both cheaper and faster"},
     [](const Plan& p) { return Value(p.pareto); }},
    {{"price_observed_at", kString, "earliest bound", true},
     [](const Plan& p) { return date_or_null(p.offer->observed.earliest); }},
    {{"price_observed_latest", kString, "latest bound", true},
     [](const Plan& p) { return date_or_null(p.offer->observed.latest); }},
    {{"price_confidence", kNumber, "0 to 1"},
     [](const Plan& p) { return Value(p.offer->confidence); }},
    {{"price_source", kString, "id in `sources`"},
     [](const Plan& p) { return Value(p.offer->source); }},
    {{"price_flags", kStrings, "gates that fired and assumptions made"},
     [](const Plan& p) { return strings(p.offer->flags); }},
    {{"notes", kStrings, "what a reader must know of this row"},
     [](const Plan& p) { return strings(p.notes); }},
};

const Field<planner::ModelOutcome> kOutcome[] = {
    {{"model", kString, "catalogue id"},
     [](const planner::ModelOutcome& m) { return Value(m.model); }},
    {{"quality", kNumber, "the user's own score", true},
     [](const planner::ModelOutcome& m) { return Value(m.quality); }},
    {{"usd",
      kNumber,
      "of its cheapest row: per hour when serving, total otherwise; null without one",
      true,
      {}},
     [](const planner::ModelOutcome& m) { return usd(m.cost); }},
    {{"where", kString, "that row", true},
     [](const planner::ModelOutcome& m) { return text_or_null(m.where); }},
};

std::vector<FieldInfo> nearest_fields() {
  return {{"what", kString, "the closest candidate"},
          {"lacked", kString, "and what it lacked"},
          {"factor", kNumber, "by how much", true},
          {"change", kString, "what would admit it", true}};
}

Value rejection(const planner::Rejection& r) {
  Value out{Value::Object{}};
  out.set("reason", planner::reason_name(r.reason));
  out.set("count", r.count);
  Value nearest;
  if (r.nearest) {
    nearest = Value(Value::Object{});
    nearest.set("what", r.nearest->what);
    nearest.set("lacked", r.nearest->lacked);
    nearest.set("factor", r.nearest->factor);
    nearest.set("change", text_or_null(r.nearest->change));
  }
  out.set("nearest", std::move(nearest));
  return out;
}

}  // namespace

Value result_of(const app::PlanAnswer& answer, bool timing) {
  const planner::PlanResult& r = answer.result;
  Value out{Value::Object{}};
  out.set("job", planner::job_name(r.job.kind));
  out.set("feasible", r.feasible());
  out.set("plans", array_of(std::span(r.plans).first(answer.shown), kPlan));
  Value::Array rejected;
  for (const planner::Rejection& one : r.rejected) rejected.push_back(rejection(one));
  out.set("plans_found", static_cast<std::int64_t>(r.plans.size()));
  out.set("rejected", Value(std::move(rejected)));
  out.set("models_rejected", strings(r.models_rejected));
  out.set("models_considered", array_of(r.models_considered, kOutcome));
  Value search{Value::Object{}};
  search.set("shapes", r.search.shapes);
  search.set("candidates", r.search.candidates);
  search.set("evaluated", r.search.evaluated);
  search.set("verified", r.search.verified);
  search.set("simulated_requests", r.search.simulated_requests);
  if (timing) search.set("elapsed_seconds", r.search.elapsed_seconds);
  out.set("search", std::move(search));
  Value coverage{Value::Object{}};
  coverage.set("offers", r.coverage.offers);
  coverage.set("evaluated", r.coverage.evaluated);
  coverage.set("rejected", r.coverage.rejected);
  coverage.set("without_price", r.coverage.without_price);
  out.set("coverage", std::move(coverage));
  out.set("rank_flips_at_percent", r.rank_flips_at_percent);
  return out;
}

std::vector<FieldInfo> plan_fields() {
  return {
      {"job", kString, "serve, batch, train or finetune"},
      {"feasible", kBoolean, "whether there is a plan"},
      {"plans", kArray, "cheapest first; with --verify by the cost proved", false, infos(kPlan)},
      {"plans_found", kInteger, "rows in all; --top prints the first of them"},
      {"rejected",
       kArray,
       "by reason",
       false,
       {{"reason", kString, "closed set"},
        {"count", kInteger, "offers; strategies for `dominated`"},
        {"nearest", kObject, "the closest candidate; null when there is none", true,
         nearest_fields()}}},
      {"models_rejected", kStrings, "candidates below the quality floor"},
      {"models_considered", kArray,
       "candidates that passed, each with the cheapest row it has on its own", false,
       infos(kOutcome)},
      {"search",
       kObject,
       "how much was looked at",
       false,
       {{"shapes", kInteger, "machine shapes"},
        {"candidates", kInteger, "strategies looked at"},
        {"evaluated", kInteger, "given time and memory"},
        {"verified", kInteger, "plans simulated"},
        {"simulated_requests", kInteger, "of these, counted"},
        {"elapsed_seconds", kNumber, "of this run", false, {}, true}}},
      {"coverage",
       kObject,
       "what became of every offer of the catalogue",
       false,
       {{"offers", kInteger, "of the catalogue"},
        {"evaluated", kInteger, "that are part of a row"},
        {"rejected", kInteger, "for one reason each"},
        {"without_price", kInteger, "that could not be ranked"}}},
      {"rank_flips_at_percent",
       kNumber,
       "how far the winner's price may rise before another wins",
       true,
       {}}};
}

}  // namespace portolan::render
