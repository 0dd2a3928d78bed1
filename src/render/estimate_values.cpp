#include <array>

#include "model/numeric_format.hpp"
#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using enum JsonType;
using app::EstimateResult;
using app::OnHardware;

std::string_view coverage_name(model::Coverage coverage) {
  switch (coverage) {
    case model::Coverage::kOperators:
      return "operators";
    case model::Coverage::kPartial:
      return "partial";
    case model::Coverage::kParameterCount:
      return "parameter_count";
  }
  return "operators";
}

const Field<EstimateResult> kModel[] = {
    {{"id", kString, "catalogue id or path"},
     [](const EstimateResult& r) { return Value(r.model.id); }},
    {{"hf_id", kString, "Hugging Face id", true},
     [](const EstimateResult& r) { return text_or_null(r.model.hf_id); }},
    {{"architecture", kString, "class name of the checkpoint", true},
     [](const EstimateResult& r) { return text_or_null(r.model.architecture.architecture); }},
    {{"parameters_total", kInteger, "counted from the architecture; MTP blocks apart", true},
     [](const EstimateResult& r) {
       return r.parameters.total > 0 ? Value(r.parameters.total) : Value();
     }},
    {{"parameters_active",
      kInteger,
      "touched per token, input embedding and head counted",
      true,
      {}},
     [](const EstimateResult& r) {
       return r.parameters.active > 0 ? Value(r.parameters.active) : Value();
     }},
    {{"parameters_published", kNumber, "by the model's authors", true},
     [](const EstimateResult& r) {
       return r.model.published_parameters ? whole(*r.model.published_parameters) : Value();
     }},
    {{"parameters_mtp", kInteger, "multi-token-prediction blocks"},
     [](const EstimateResult& r) { return Value(r.parameters.mtp); }},
    {{"layers", kInteger, "decoder blocks, encoder blocks included"},
     [](const EstimateResult& r) { return Value(r.model.architecture.layer_count()); }},
    {{"hidden", kInteger, "width of the residual stream"},
     [](const EstimateResult& r) { return Value(r.model.architecture.hidden); }},
    {{"max_context_tokens", kInteger, "the model's own maximum", true},
     [](const EstimateResult& r) {
       return r.model.architecture.max_position > 0 ? Value(r.model.architecture.max_position)
                                                    : Value();
     }},
    {{"dtype", kString, "weights as estimated"},
     [](const EstimateResult& r) { return Value(r.dtype); }},
    {{"kv_dtype", kString, "of the KV cache"},
     [](const EstimateResult& r) { return Value(r.kv_dtype); }},
    {{"coverage", kString, "operators, partial or parameter_count"},
     [](const EstimateResult& r) { return Value(coverage_name(r.model.architecture.coverage)); }},
};

const Field<EstimateResult> kRule[] = {
    {{"parameters", kNumber, "p: the published count where there is one"},
     [](const EstimateResult& r) { return whole(r.rule.parameters); }},
    {{"parameters_active", kNumber, "of p, touched per token"},
     [](const EstimateResult& r) { return whole(r.rule.active_parameters); }},
    {{"tokens", kNumber, "n processed"},
     [](const EstimateResult& r) { return whole(r.rule.tokens); }},
    {{"forward_flop", kNumber, "2 · p · n"},
     [](const EstimateResult& r) { return raw(r.rule.forward); }},
    {{"training_flop_per_token", kNumber, "6 · p"},
     [](const EstimateResult& r) { return raw(r.rule.training_per_token); }},
    {{"training_flop", kNumber, "6 · p · D", true},
     [](const EstimateResult& r) { return raw(r.rule.training); }},
    {{"weight_bytes", kNumber, "p · bytes per parameter"},
     [](const EstimateResult& r) { return whole_bytes(r.rule.weights); }},
    {{"training_bytes",
      kNumber,
      "16 · p: weights, gradients, Adam states; no activations",
      false,
      {}},
     [](const EstimateResult& r) { return whole_bytes(r.rule.training_memory); }},
    {{"training_article_bytes", kNumber, "12 · p, the article's rule"},
     [](const EstimateResult& r) { return whole_bytes(r.rule.training_memory_article); }},
    {{"ideal_seconds", kNumber, "forward_flop at the datasheet peak", true},
     [](const EstimateResult& r) { return raw(r.rule.ideal_forward); }},
    {{"weight_read_seconds_per_token",
      kNumber,
      "batch-1 decode: weights over datasheet bandwidth",
      true,
      {}},
     [](const EstimateResult& r) { return raw(r.rule.weight_read_per_token); }},
    {{"usd_per_1000_tokens", kNumber, "at ideal_seconds", true},
     [](const EstimateResult& r) {
       return r.rule.cost_per_1000_tokens ? usd(r.rule.cost_per_1000_tokens->raw()) : Value();
     }},
    {{"training_seconds", kNumber, "training_flop over peak · MFU · count", true},
     [](const EstimateResult& r) { return raw(r.rule.training_time); }},
    {{"training_accelerator_hours", kNumber, "training_seconds · accelerators", true},
     [](const EstimateResult& r) { return Value(r.rule.accelerator_hours); }},
    {{"training_usd", kNumber, "at the price used", true},
     [](const EstimateResult& r) {
       return r.rule.training_cost ? usd(r.rule.training_cost->raw()) : Value();
     }},
};

const Field<EstimateResult> kOperators[] = {
    {{"prefill_flop", kNumber, "of the prompt, causal attention counted"},
     [](const EstimateResult& r) { return raw(r.operators.prefill); }},
    {{"decode_flop_per_token", kNumber, "at the full context"},
     [](const EstimateResult& r) { return raw(r.operators.decode_per_token); }},
    {{"training_flop_per_token", kNumber, "3 × forward over a packed sequence"},
     [](const EstimateResult& r) { return raw(r.operators.training_per_token); }},
};

const Field<EstimateResult> kMemory[] = {
    {{"weight_bytes", kNumber, "in the format asked for, or as stored"},
     [](const EstimateResult& r) { return whole_bytes(r.memory.weights); }},
    {{"kv_bytes_per_token",
      kNumber,
      "one sequence, all layers, before any window is full",
      false,
      {}},
     [](const EstimateResult& r) { return whole_bytes(r.kv_per_token); }},
    {{"kv_bytes", kNumber, "batch × context, windows respected"},
     [](const EstimateResult& r) { return whole_bytes(r.memory.kv); }},
    {{"state_bytes", kNumber, "constant recurrent state"},
     [](const EstimateResult& r) { return whole_bytes(r.memory.state); }},
    {{"activation_bytes", kNumber, "peak"},
     [](const EstimateResult& r) { return whole_bytes(r.memory.activations); }},
    {{"overhead_bytes", kNumber, "context, communication buffers, graphs"},
     [](const EstimateResult& r) { return whole_bytes(r.memory.overhead); }},
    {{"total_bytes", kNumber, "whole instance"},
     [](const EstimateResult& r) { return whole_bytes(r.memory.total()); }},
};

const Field<training::Strategy> kTraining[] = {
    {{"tp", kInteger, "tensor parallel"}, [](const training::Strategy& s) { return Value(s.tp); }},
    {{"pp", kInteger, "pipeline parallel"},
     [](const training::Strategy& s) { return Value(s.pp); }},
    {{"dp", kInteger, "data parallel"}, [](const training::Strategy& s) { return Value(s.dp); }},
    {{"cp", kInteger, "context parallel"}, [](const training::Strategy& s) { return Value(s.cp); }},
    {{"ep", kInteger, "expert parallel"}, [](const training::Strategy& s) { return Value(s.ep); }},
    {{"zero", kInteger, "ZeRO stage"}, [](const training::Strategy& s) { return Value(s.zero); }},
    {{"microbatch", kInteger, "sequences"},
     [](const training::Strategy& s) { return Value(s.microbatch); }},
    {{"virtual_stages", kInteger, "pipeline chunks per accelerator"},
     [](const training::Strategy& s) { return Value(s.virtual_stages); }},
    {{"recompute", kString, "none, selective or full"},
     [](const training::Strategy& s) { return Value(training::recompute_name(s.recompute)); }},
};

const Field<OnHardware> kOn[] = {
    {{"accelerator", kString, "catalogue id"},
     [](const OnHardware& o) { return Value(o.accelerator->id); }},
    {{"accelerators", kInteger, "asked for, all replicas"},
     [](const OnHardware& o) { return Value(o.count); }},
    {{"tp", kInteger, "tensor parallel"},
     [](const OnHardware& o) { return Value(o.deployment.tp); }},
    {{"pp", kInteger, "pipeline parallel"},
     [](const OnHardware& o) { return Value(o.deployment.pp); }},
    {{"ep", kInteger, "expert parallel"},
     [](const OnHardware& o) { return Value(o.deployment.ep); }},
    {{"fits", kBoolean, "weights, cache and buffers within the usable memory"},
     [](const OnHardware& o) { return Value(o.fits); }},
    {{"memory_bytes_per_accelerator", kNumber, "of the fullest one"},
     [](const OnHardware& o) { return whole_bytes(o.memory_per_accelerator); }},
    {{"usable_bytes_per_accelerator", kNumber, "reported memory × utilisation limit"},
     [](const OnHardware& o) { return whole_bytes(o.usable_per_accelerator); }},
    {{"minimum_accelerators", kInteger, "smallest power of two that fits", true},
     [](const OnHardware& o) {
       return o.minimum_accelerators > 0 ? Value(o.minimum_accelerators) : Value();
     }},
    {{"largest_context_tokens",
      kInteger,
      "that fits at this batch; null when the cache stops growing",
      true,
      {}},
     [](const OnHardware& o) { return o.context_unbounded ? Value() : Value(o.largest_context); }},
    {{"largest_batch",
      kInteger,
      "that fits at this context; null when nothing is kept per sequence",
      true,
      {}},
     [](const OnHardware& o) { return o.batch_unbounded ? Value() : Value(o.largest_batch); }},
    {{"prefill_seconds", kNumber, "of one prompt", true},
     [](const OnHardware& o) { return raw(o.prefill); }},
    {{"decode_seconds_per_token", kNumber, "one step of the batch", true},
     [](const OnHardware& o) { return raw(o.decode_per_token); }},
    {{"bound",
      kString,
      "what decode waits for: compute, memory, communication, overhead",
      true,
      {}},
     [](const OnHardware& o) {
       return o.decode_per_token ? Value(cost::bound_name(o.decode_bound))
              : o.prefill        ? Value(cost::bound_name(o.prefill_bound))
                                 : Value();
     }},
    {{"prefill_bound", kString, "what the prompt waits for", true},
     [](const OnHardware& o) {
       return o.prefill ? Value(cost::bound_name(o.prefill_bound)) : Value();
     }},
    {{"decode_bound", kString, "what a decode step waits for", true},
     [](const OnHardware& o) {
       return o.decode_per_token ? Value(cost::bound_name(o.decode_bound)) : Value();
     }},
    {{"output_tokens_per_second", kNumber, "of one replica at this batch", true},
     [](const OnHardware& o) { return Value(o.output_tokens_per_second); }},
    {{"joules_per_output_token",
      kNumber,
      "accelerators only; null when their power is unknown",
      true,
      {}},
     [](const OnHardware& o) { return raw(o.joules_per_output_token); }},
    {{"usd_per_accelerator_hour", kNumber, "given, or the cheapest on-demand offer", true},
     [](const OnHardware& o) { return o.price ? usd(o.price->in(kUsdPerHour)) : Value(); }},
    {{"price_source", kString, "which offer", true},
     [](const OnHardware& o) { return text_or_null(o.price_origin); }},
    {{"usd_per_million_input_tokens", kNumber, "one prompt at a time", true},
     [](const OnHardware& o) { return usd(o.usd_per_million_input); }},
    {{"usd_per_million_output_tokens", kNumber, "at this batch", true},
     [](const OnHardware& o) { return usd(o.usd_per_million_output); }},
    {{"training_seconds", kNumber, "of the run, failures included where the operator model gave it",
      true},
     [](const OnHardware& o) { return raw(o.training_time); }},
    {{"training_usd", kNumber, "at the price used", true},
     [](const OnHardware& o) { return o.training_cost ? usd(o.training_cost->raw()) : Value(); }},
    {{"training_accelerator_hours", kNumber, "training_seconds · accelerators", true},
     [](const OnHardware& o) {
       return o.training_time ? Value(o.training_time->in(kHour) * static_cast<double>(o.count))
                              : Value();
     }},
    {{"training_basis", kString, "operator model or rule of thumb", true},
     [](const OnHardware& o) { return text_or_null(o.training_basis); }},
    {{"training_mfu", kNumber, "model FLOP over the datasheet peak", true},
     [](const OnHardware& o) {
       return o.training_estimate ? Value(o.training_estimate->mfu) : Value();
     }},
    {{"training_goodput", kNumber, "share of the time that is progress", true},
     [](const OnHardware& o) {
       return o.training_estimate ? Value(o.training_estimate->goodput) : Value();
     }},
    {{"training_step_seconds", kNumber, "one optimizer step", true},
     [](const OnHardware& o) {
       return o.training_estimate ? raw(o.training_estimate->step) : Value();
     }},
    {{"training_memory_bytes_per_accelerator", kNumber, "of the fullest one", true},
     [](const OnHardware& o) {
       return o.training_estimate ? whole_bytes(o.training_estimate->memory.total()) : Value();
     }},
    {{"training_strategy", kObject,
      "best of the legal ones; null where the rule of thumb stands in", true, infos(kTraining)},
     [](const OnHardware& o) {
       return o.training_strategy ? object_of(*o.training_strategy, kTraining) : Value();
     }},
    {{"tier", kString, "where the efficiencies come from"},
     [](const OnHardware& o) { return Value(cost::tier_name(o.tier)); }},
    {{"interval",
      kObject,
      "factors on the times, 80 %",
      false,
      {{"low", kNumber, "lower end"}, {"high", kNumber, "upper end", false, {}}}},
     [](const OnHardware& o) {
       Value v{Value::Object{}};
       v.set("low", o.interval_low);
       v.set("high", o.interval_high);
       return v;
     }},
};

using app::FittingAccelerator;
const Field<FittingAccelerator> kFits[] = {
    {{"accelerator", kString, "catalogue id"},
     [](const FittingAccelerator& f) { return Value(f.accelerator->id); }},
    {{"accelerators",
      kInteger,
      "smallest power of two that holds weights, cache and batch",
      false,
      {}},
     [](const FittingAccelerator& f) { return Value(f.accelerators); }},
    {{"memory_bytes_per_accelerator", kNumber, "of the fullest one"},
     [](const FittingAccelerator& f) { return whole_bytes(f.memory_per_accelerator); }},
    {{"usd_per_hour",
      kNumber,
      "cheapest on-demand machines that hold so many, rented whole",
      true,
      {}},
     [](const FittingAccelerator& f) { return money(f.usd_per_hour); }},
    {{"provider", kString, "of that price", true},
     [](const FittingAccelerator& f) { return text_or_null(f.provider); }},
};

using training::TrainableSize;
const Field<TrainableSize> kTrainable[] = {
    {{"recipe", kString, "what is trained and with which optimizer"},
     [](const TrainableSize& t) { return Value(t.recipe); }},
    {{"bytes_per_parameter", kNumber, "states kept"},
     [](const TrainableSize& t) { return Value(t.bytes_per_parameter); }},
    {{"parameters", kNumber, "largest model, states only"},
     [](const TrainableSize& t) { return whole(t.parameters); }},
    {{"note", kString, "what is in it", true},
     [](const TrainableSize& t) { return text_or_null(t.note); }},
};

}  // namespace

io::Value result_of(const app::EstimateAnswer& answer) {
  const EstimateResult& r = answer.result;
  Value out{Value::Object{}};
  out.set("model", object_of(r, kModel));
  out.set("rule_of_thumb", object_of(r, kRule));
  out.set("operators", object_of(r, kOperators));
  out.set("memory", object_of(r, kMemory));
  out.set("on", r.on ? object_of(*r.on, kOn) : Value());
  out.set("fits", array_of(r.fits, kFits));
  out.set("trainable", array_of(r.trainable, kTrainable));
  return out;
}

std::vector<FieldInfo> estimate_fields() {
  return {
      {"model", kObject, "what is estimated", false, infos(kModel)},
      {"rule_of_thumb", kObject, "2np and 6pD, p the published count", false, infos(kRule)},
      {"operators", kObject, "from the operator list of the architecture", false,
       infos(kOperators)},
      {"memory", kObject, "whole instance, summed over its accelerators", false, infos(kMemory)},
      {"on", kObject, "with --gpu", true, infos(kOn)},
      {"fits", kArray, "accelerators that can hold it", false, infos(kFits)},
      {"trainable", kArray, "with --max-params", false, infos(kTrainable)}};
}

}  // namespace portolan::render
