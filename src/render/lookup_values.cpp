#include <cmath>

#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using enum JsonType;

Value strings(const std::vector<std::string>& list) {
  Value::Array array;
  for (const std::string& text : list) array.emplace_back(text);
  return Value(std::move(array));
}

using market::Component;
const Field<Component> kComponent[] = {
    {{"kind", kString, "instance, host, gpu, slice …"},
     [](const Component& c) { return Value(c.kind); }},
    {{"usd_per_hour", kNumber, "exact"}, [](const Component& c) { return money(c.usd_per_hour); }},
    {{"source", kString, "", true}, [](const Component& c) { return text_or_null(c.source); }},
};

using market::Offer;
const Field<Offer> kOffer[] = {
    {{"provider", kString, "who bills"}, [](const Offer& o) { return Value(o.provider); }},
    {{"upstream", kString, "who runs it, for brokers", true},
     [](const Offer& o) { return text_or_null(o.upstream); }},
    {{"sku", kString, "the provider's own name"}, [](const Offer& o) { return Value(o.sku); }},
    {{"region", kString, "", true}, [](const Offer& o) { return text_or_null(o.region); }},
    {{"zone", kString, "", true}, [](const Offer& o) { return text_or_null(o.zone); }},
    {{"country", kString, "ISO code", true},
     [](const Offer& o) { return text_or_null(o.country); }},
    {{"accelerator", kString, "catalogue id", true},
     [](const Offer& o) { return o.accelerator ? Value(o.accelerator->id) : Value(); }},
    {{"accelerator_raw", kString, "as the source names it", true},
     [](const Offer& o) { return text_or_null(o.accelerator_raw); }},
    {{"accelerator_count", kNumber, "per instance; fractions are shares of one card"},
     [](const Offer& o) { return whole(o.count); }},
    {{"vcpus", kInteger, "", true}, [](const Offer& o) { return Value(o.vcpus); }},
    {{"memory_bytes", kNumber, "host memory", true},
     [](const Offer& o) { return o.memory ? whole_bytes(*o.memory) : Value(); }},
    {{"usd_per_hour", kNumber, "whole instance, exact", true},
     [](const Offer& o) { return money(o.usd_per_hour); }},
    {{"usd_per_accelerator_hour", kNumber, "", true},
     [](const Offer& o) { return money(o.usd_per_accelerator_hour()); }},
    {{"components", kArray, "parts whose sum is usd_per_hour", false, infos(kComponent)},
     [](const Offer& o) { return array_of(o.components, kComponent); }},
    {{"purchase", kString, "on-demand, spot, reserved-1y …"},
     [](const Offer& o) { return Value(market::purchase_name(o.purchase)); }},
    {{"observed_at", kString, "earliest day the price may have been seen", true},
     [](const Offer& o) { return date_or_null(o.observed.earliest); }},
    {{"observed_latest", kString, "latest such day", true},
     [](const Offer& o) { return date_or_null(o.observed.latest); }},
    {{"source", kString, ""}, [](const Offer& o) { return Value(o.source); }},
    {{"revision", kString, "of the source", true},
     [](const Offer& o) { return text_or_null(o.revision); }},
    {{"flags", kStrings, "gates that fired and assumptions made"},
     [](const Offer& o) { return strings(o.flags); }},
    {{"standing", kString, "accepted, quarantined or rejected"},
     [](const Offer& o) {
       return Value(o.standing == market::Standing::kAccepted      ? "accepted"
                    : o.standing == market::Standing::kQuarantined ? "quarantined"
                                                                   : "rejected");
     }},
    {{"gate", kString, "which gate set it aside, and why", true},
     [](const Offer& o) { return text_or_null(o.gate); }},
    {{"component_only", kBoolean, "an accelerator without its host: never planned on"},
     [](const Offer& o) { return Value(o.gpu_component_only); }},
    {{"confidence", kNumber, "0 to 1, from source, age and gates"},
     [](const Offer& o) { return Value(std::round(o.confidence * 1e4) / 1e4); }},
};

using market::Spread;
const Field<Spread> kSpread[] = {
    {{"accelerator", kString, "catalogue id"},
     [](const Spread& s) { return Value(s.accelerator->id); }},
    {{"offers", kInteger, "accepted on-demand instance offers"},
     [](const Spread& s) { return Value(static_cast<std::int64_t>(s.offers)); }},
    {{"providers", kInteger, ""},
     [](const Spread& s) { return Value(static_cast<std::int64_t>(s.providers)); }},
    {{"cheapest_usd_per_accelerator_hour", kNumber, ""},
     [](const Spread& s) { return money(s.cheapest); }},
    {{"median_usd_per_accelerator_hour", kNumber, ""},
     [](const Spread& s) { return money(s.median); }},
    {{"dearest_usd_per_accelerator_hour", kNumber, ""},
     [](const Spread& s) { return money(s.dearest); }},
    {{"dearest_over_cheapest", kNumber, "dispersion (R48)"},
     [](const Spread& s) { return Value(s.ratio); }},
};

Value rate(const app::GpuRow& row, hardware::Rate r) { return raw(row.accelerator->peak_of(r)); }
using app::GpuRow;
const Field<GpuRow> kGpu[] = {
    {{"id", kString, ""}, [](const GpuRow& g) { return Value(g.accelerator->id); }},
    {{"name", kString, ""}, [](const GpuRow& g) { return Value(g.accelerator->name); }},
    {{"vendor", kString, ""}, [](const GpuRow& g) { return Value(g.accelerator->vendor); }},
    {{"architecture", kString, "", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->architecture); }},
    {{"form_factor", kString, "", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->form_factor); }},
    {{"memory_bytes",
      kNumber,
      "usable as the driver reports it where known, else the label",
      false,
      {}},
     [](const GpuRow& g) { return whole_bytes(g.accelerator->memory); }},
    {{"memory_label", kString, "", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->memory_label); }},
    {{"memory_reported", kBoolean, "memory_bytes is the driver's figure"},
     [](const GpuRow& g) { return Value(g.accelerator->memory_reported); }},
    {{"memory_type", kString, "", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->memory_type); }},
    {{"bandwidth_bytes_per_second", kNumber, "device memory", true},
     [](const GpuRow& g) {
       return g.accelerator->bandwidth.raw() > 0 ? whole(g.accelerator->bandwidth.raw()) : Value();
     }},
    {{"fp64_flop_per_second", kNumber, "dense datasheet peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp64); }},
    {{"fp32_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp32); }},
    {{"tf32_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kTf32); }},
    {{"bf16_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kBf16); }},
    {{"fp16_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp16); }},
    {{"fp8_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp8); }},
    {{"fp6_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp6); }},
    {{"fp4_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp4); }},
    {{"int8_op_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kInt8); }},
    {{"int4_op_per_second", kNumber, "", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kInt4); }},
    {{"sparse_multiplier", kNumber, "2:4 sparsity, applied only when asked"},
     [](const GpuRow& g) { return Value(g.accelerator->sparse_multiplier); }},
    {{"measured_bf16_flop_per_second", kNumber, "largest achieved matmul", true},
     [](const GpuRow& g) { return raw(g.accelerator->measured_bf16); }},
    {{"measured_fp8_flop_per_second", kNumber, "", true},
     [](const GpuRow& g) { return raw(g.accelerator->measured_fp8); }},
    {{"tdp_watts", kNumber, "", true}, [](const GpuRow& g) { return raw(g.accelerator->tdp); }},
    {{"link", kString, "between accelerators of a node", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->link_name); }},
    {{"link_bytes_per_second", kNumber, "one direction", true},
     [](const GpuRow& g) { return raw(g.accelerator->link_per_direction); }},
    {{"link_domain", kInteger, "accelerators in one scale-up domain"},
     [](const GpuRow& g) { return Value(g.accelerator->link_domain); }},
    {{"pcie_generation", kInteger, "", true},
     [](const GpuRow& g) { return Value(g.accelerator->pcie_generation); }},
    {{"multiprocessors", kInteger, "", true},
     [](const GpuRow& g) { return Value(g.accelerator->multiprocessors); }},
    {{"released", kString, "", true},
     [](const GpuRow& g) {
       return g.accelerator->released ? date_or_null(g.accelerator->released->earliest) : Value();
     }},
    {{"announced", kBoolean, "not planned on unless asked"},
     [](const GpuRow& g) { return Value(g.accelerator->announced); }},
    {{"launch_price_usd", kNumber, "", true},
     [](const GpuRow& g) { return Value(g.accelerator->launch_price_usd); }},
    {{"cheapest_usd_per_hour", kNumber, "on-demand, per accelerator", true},
     [](const GpuRow& g) { return money(g.cheapest); }},
    {{"median_usd_per_hour", kNumber, "", true}, [](const GpuRow& g) { return money(g.median); }},
    {{"offers", kInteger, "accepted on-demand offers"},
     [](const GpuRow& g) { return Value(static_cast<std::int64_t>(g.offers)); }},
    {{"bf16_tflop_per_usd",
      kNumber,
      "attainable work of one dollar at the cheapest price",
      true,
      {}},
     [](const GpuRow& g) { return Value(g.tflop_per_dollar); }},
    {{"energy_3_years_usd", kNumber, "TDP for 26,280 h, one card, no PUE", true},
     [](const GpuRow& g) { return g.energy_3y ? usd(g.energy_3y->raw()) : Value(); }},
    {{"engines",
      kArray,
      "inference engines that run on it",
      false,
      {{"engine", kString, ""},
       {"formats", kString, "", true},
       {"confidence", kString, "measured, documented or recalled"},
       {"advise_proof_of_concept", kBoolean, ""}}},
     [](const GpuRow& g) {
       Value::Array list;
       for (const market::EngineSupport* s : g.engines) {
         Value e{Value::Object{}};
         e.set("engine", s->engine);
         e.set("formats", text_or_null(s->formats));
         e.set("confidence", s->confidence);
         e.set("advise_proof_of_concept", s->advise_proof_of_concept);
         list.push_back(std::move(e));
       }
       return Value(std::move(list));
     }},
    {{"conflicts", kString, "where sources disagree", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->conflicts); }},
    {{"source", kString, ""}, [](const GpuRow& g) { return Value(g.accelerator->source); }},
    {{"date", kString, ""}, [](const GpuRow& g) { return Value(g.accelerator->date); }},
};

using app::ModelRow;
const Field<ModelRow> kModel[] = {
    {{"id", kString, ""}, [](const ModelRow& m) { return Value(m.model.id); }},
    {{"hf_id", kString, "Hugging Face id", true},
     [](const ModelRow& m) { return text_or_null(m.model.hf_id); }},
    {{"aliases", kStrings, ""}, [](const ModelRow& m) { return strings(m.model.aliases); }},
    {{"family", kString, "", true}, [](const ModelRow& m) { return text_or_null(m.model.family); }},
    {{"released", kString, "", true},
     [](const ModelRow& m) { return text_or_null(m.model.released); }},
    {{"licence", kString, "", true},
     [](const ModelRow& m) { return text_or_null(m.model.licence); }},
    {{"parameters_total",
      kInteger,
      "counted from the architecture, null where only a published count is known",
      true,
      {}},
     [](const ModelRow& m) {
       return m.parameters.total > 0 ? Value(m.parameters.total) : Value();
     }},
    {{"parameters_active",
      kInteger,
      "touched per token, input embedding and head counted",
      true,
      {}},
     [](const ModelRow& m) {
       return m.parameters.active > 0 ? Value(m.parameters.active) : Value();
     }},
    {{"parameters_published", kNumber, "", true},
     [](const ModelRow& m) {
       return m.model.published_parameters ? whole(*m.model.published_parameters) : Value();
     }},
    {{"parameters_for_rule", kNumber, "p of the rules of thumb"},
     [](const ModelRow& m) { return whole(m.model.parameters_for_rule()); }},
    {{"parameters_mtp", kInteger, "multi-token-prediction blocks, beside the total"},
     [](const ModelRow& m) { return Value(m.parameters.mtp); }},
    {{"parameters_encoders", kInteger, "vision and other encoders, in the total"},
     [](const ModelRow& m) { return Value(m.parameters.encoders); }},
    {{"architecture", kString, "", true},
     [](const ModelRow& m) { return text_or_null(m.model.architecture.architecture); }},
    {{"layers", kInteger, ""},
     [](const ModelRow& m) { return Value(m.model.architecture.layer_count()); }},
    {{"hidden", kInteger, ""},
     [](const ModelRow& m) { return Value(m.model.architecture.hidden); }},
    {{"vocabulary", kInteger, ""},
     [](const ModelRow& m) { return Value(m.model.architecture.vocab); }},
    {{"max_context_tokens", kInteger, "", true},
     [](const ModelRow& m) {
       return m.model.architecture.max_position > 0 ? Value(m.model.architecture.max_position)
                                                    : Value();
     }},
    {{"dtype", kString, "the checkpoint's own", true},
     [](const ModelRow& m) { return text_or_null(m.model.architecture.dtype_name); }},
    {{"kv_bytes_per_token",
      kNumber,
      "at 2 bytes per element, before any window is full",
      false,
      {}},
     [](const ModelRow& m) { return whole_bytes(m.kv_per_token); }},
    {{"coverage", kString, "operators, partial or parameter_count"},
     [](const ModelRow& m) {
       switch (m.model.architecture.coverage) {
         case model::Coverage::kOperators:
           return Value("operators");
         case model::Coverage::kPartial:
           return Value("partial");
         default:
           return Value("parameter_count");
       }
     }},
    {{"forward_flop_1024_tokens", kNumber, "2 · p · 1,024, text models", true},
     [](const ModelRow& m) {
       return m.model.article && m.model.article->text
                  ? Value(2 * m.model.parameters_for_rule() * 1024)
                  : Value();
     }},
    {{"forward_flop_1024_in_1024_out",
      kNumber,
      "2 · p · 2,048, decoder-only text models",
      true,
      {}},
     [](const ModelRow& m) {
       return m.model.article && m.model.article->text && m.model.article->decoder_only
                  ? Value(2 * m.model.parameters_for_rule() * 2048)
                  : Value();
     }},
    {{"training_flop", kNumber, "published", true},
     [](const ModelRow& m) {
       return m.model.article ? Value(m.model.article->training_flop) : Value();
     }},
    {{"weights_fp32_bytes", kNumber, "4 · p"},
     [](const ModelRow& m) { return whole(4 * m.model.parameters_for_rule()); }},
    {{"weights_fp16_bytes", kNumber, "2 · p"},
     [](const ModelRow& m) { return whole(2 * m.model.parameters_for_rule()); }},
    {{"training_article_bytes", kNumber, "12 · p, the article's rule"},
     [](const ModelRow& m) { return whole(12 * m.model.parameters_for_rule()); }},
    {{"source", kString, "", true}, [](const ModelRow& m) { return text_or_null(m.model.source); }},
    {{"date", kString, "", true}, [](const ModelRow& m) { return text_or_null(m.model.date); }},
};

using market::ApiPrice;
const Field<ApiPrice> kApiPrice[] = {
    {{"provider", kString, ""}, [](const ApiPrice& p) { return Value(p.provider); }},
    {{"model", kString, "as the provider names it"},
     [](const ApiPrice& p) { return Value(p.model); }},
    {{"hf_id", kString, "", true}, [](const ApiPrice& p) { return text_or_null(p.hf_id); }},
    {{"context_tokens", kInteger, "", true}, [](const ApiPrice& p) { return Value(p.context); }},
    {{"input_usd_per_million_tokens", kNumber, "exact", true},
     [](const ApiPrice& p) { return money(p.input); }},
    {{"output_usd_per_million_tokens", kNumber, "exact", true},
     [](const ApiPrice& p) { return money(p.output); }},
    {{"cache_read_usd_per_million_tokens", kNumber, "", true},
     [](const ApiPrice& p) { return money(p.cache_read); }},
    {{"cache_write_usd_per_million_tokens", kNumber, "", true},
     [](const ApiPrice& p) { return money(p.cache_write); }},
    {{"batch_input_usd_per_million_tokens", kNumber, "", true},
     [](const ApiPrice& p) { return money(p.batch_input); }},
    {{"batch_output_usd_per_million_tokens", kNumber, "", true},
     [](const ApiPrice& p) { return money(p.batch_output); }},
    {{"time_window", kString, "UTC hours the price holds", true},
     [](const ApiPrice& p) { return text_or_null(p.time_window); }},
    {{"effective_from", kString, "", true},
     [](const ApiPrice& p) { return date_or_null(p.effective_from); }},
    {{"flags", kString, "free tiers and the like", true},
     [](const ApiPrice& p) { return text_or_null(p.flags); }},
    {{"other_prices", kString, "per image, second, search …", true},
     [](const ApiPrice& p) { return text_or_null(p.other); }},
    {{"observed_at", kString, "earliest day", true},
     [](const ApiPrice& p) { return date_or_null(p.observed.earliest); }},
    {{"source", kString, ""}, [](const ApiPrice& p) { return Value(p.source); }},
};

using app::ProviderRow;
using market::Egress;
const Field<Egress> kEgress[] = {
    {{"destination", kString, "internet, inter-region …"},
     [](const Egress& e) { return Value(e.destination); }},
    {{"from_gb", kNumber, "of a month, 1e9 bytes each"},
     [](const Egress& e) { return whole(e.from_gb); }},
    {{"to_gb", kNumber, "end of the tier; null: no end", true},
     [](const Egress& e) { return e.to_gb ? whole(*e.to_gb) : Value(); }},
    {{"usd_per_gb", kNumber, ""}, [](const Egress& e) { return usd(e.usd_per_gb); }},
    {{"note", kString, "", true}, [](const Egress& e) { return text_or_null(e.note); }},
    {{"source", kString, ""}, [](const Egress& e) { return Value(e.source); }},
    {{"date", kString, ""}, [](const Egress& e) { return Value(e.date); }},
};

const Field<ProviderRow> kProvider[] = {
    {{"id", kString, ""}, [](const ProviderRow& p) { return Value(p.provider->id); }},
    {{"name", kString, ""}, [](const ProviderRow& p) { return Value(p.provider->name); }},
    {{"kind", kString, "", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->kind); }},
    {{"delivery_model", kString, "instance, container, batch, serverless", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->delivery_model); }},
    {{"billing_quantum", kString, "", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->billing_quantum); }},
    {{"billing_quantum_seconds", kInteger, "", true},
     [](const ProviderRow& p) { return Value(p.provider->billing_quantum_seconds); }},
    {{"minimum_commitment", kString, "", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->minimum_commitment); }},
    {{"minimum_seconds", kInteger, "", true},
     [](const ProviderRow& p) { return Value(p.provider->minimum_seconds); }},
    {{"spot", kBoolean, "", true}, [](const ProviderRow& p) { return Value(p.provider->spot); }},
    {{"multi_node", kBoolean, "", true},
     [](const ProviderRow& p) { return Value(p.provider->multi_node); }},
    {{"stop_resume", kBoolean, "", true},
     [](const ProviderRow& p) { return Value(p.provider->stop_resume); }},
    {{"support_tiers", kString, "", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->support_tiers); }},
    {{"discount_programmes", kString, "", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->discount_programmes); }},
    {{"price_feed", kString, "", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->price_feed); }},
    {{"interconnects",
      kStrings,
      "fabrics between nodes of its multi-accelerator offers",
      false,
      {}},
     [](const ProviderRow& p) { return strings(p.interconnects); }},
    {{"egress", kArray, "what data costs on its way out", false, infos(kEgress)},
     [](const ProviderRow& p) { return array_of(p.egress, kEgress); }},
    {{"offers", kInteger, "accepted"},
     [](const ProviderRow& p) { return Value(static_cast<std::int64_t>(p.offers)); }},
    {{"accelerators", kInteger, "kinds offered"},
     [](const ProviderRow& p) { return Value(static_cast<std::int64_t>(p.accelerators)); }},
    {{"fractional_offers", kInteger, "MIG and other shares of a card"},
     [](const ProviderRow& p) { return Value(static_cast<std::int64_t>(p.fractional)); }},
    {{"source", kString, ""}, [](const ProviderRow& p) { return Value(p.provider->source); }},
    {{"date", kString, ""}, [](const ProviderRow& p) { return Value(p.provider->date); }},
};

using Engine = market::EngineSupport;
const Field<Engine> kEngine[] = {
    {{"engine", kString, ""}, [](const Engine& e) { return Value(e.engine); }},
    {{"vendor", kString, ""}, [](const Engine& e) { return Value(e.vendor); }},
    {{"architecture", kString, "* is every architecture of the vendor"},
     [](const Engine& e) { return Value(e.architecture); }},
    {{"formats", kString, "", true}, [](const Engine& e) { return text_or_null(e.formats); }},
    {{"confidence", kString, "measured, documented or recalled"},
     [](const Engine& e) { return Value(e.confidence); }},
    {{"advise_proof_of_concept", kBoolean, ""},
     [](const Engine& e) { return Value(e.advise_proof_of_concept); }},
    {{"note", kString, "", true}, [](const Engine& e) { return text_or_null(e.note); }},
    {{"source", kString, ""}, [](const Engine& e) { return Value(e.source); }},
    {{"date", kString, ""}, [](const Engine& e) { return Value(e.date); }},
};

Value count(std::size_t n) { return Value(static_cast<std::int64_t>(n)); }

}  // namespace

Value result_of(const app::OffersAnswer& answer) {
  const app::OffersResult& r = answer.result;
  Value out{Value::Object{}};
  out.set("offers", array_of(r.offers, kOffer));
  out.set("spread", array_of(r.spread, kSpread));
  out.set("shown", count(r.shown));
  out.set("matched", count(r.matched));
  out.set("total", count(r.total));
  out.set("without_price", count(r.without_price));
  out.set("quarantined", count(r.quarantined));
  out.set("components", count(r.components));
  out.set("hosts", count(r.hosts));
  out.set("hidden_by_age", count(r.hidden_by_age));
  return out;
}

std::vector<FieldInfo> offers_fields() {
  return {{"offers", kArray, "sorted as asked", false, infos(kOffer)},
          {"spread", kArray, "per accelerator, with stats", false, infos(kSpread)},
          {"shown", kInteger, "rows printed"},
          {"matched", kInteger, "rows that pass the filters"},
          {"total", kInteger, "rows of the catalogue"},
          {"without_price", kInteger, ""},
          {"quarantined", kInteger, "set aside by a gate"},
          {"components", kInteger, "accelerators priced without their host, not listed"},
          {"hosts", kInteger, "machines without an accelerator, listed with --count 0"},
          {"hidden_by_age", kInteger, ""}};
}

Value result_of(const app::GpusAnswer& answer) {
  Value out{Value::Object{}};
  out.set("gpus", array_of(answer.result.gpus, kGpu));
  out.set("matched", count(answer.result.matched));
  out.set("total", count(answer.result.total));
  return out;
}

std::vector<FieldInfo> gpus_fields() {
  return {{"gpus", kArray, "", false, infos(kGpu)},
          {"matched", kInteger, "that pass the filters"},
          {"total", kInteger, "accelerators of the catalogue"}};
}

Value result_of(const app::ModelsAnswer& answer) {
  Value out{Value::Object{}};
  out.set("models", array_of(answer.result.models, kModel));
  out.set("prices", array_of(answer.result.prices, kApiPrice));
  out.set("matched", count(answer.result.matched));
  out.set("total", count(answer.result.total));
  return out;
}

std::vector<FieldInfo> models_fields() {
  return {
      {"models", kArray, "", false, infos(kModel)},
      {"prices", kArray, "hosted APIs, cheapest output first; of the one model, or with --prices",
       false, infos(kApiPrice)},
      {"matched", kInteger, "that pass the filters"},
      {"total", kInteger, "models of the catalogue"}};
}

Value result_of(const app::ProvidersAnswer& answer) {
  Value out{Value::Object{}};
  out.set("providers", array_of(answer.result.providers, kProvider));
  out.set("engines", array_of(answer.result.engines, kEngine));
  out.set("total", count(answer.result.total));
  return out;
}

std::vector<FieldInfo> providers_fields() {
  return {{"providers", kArray, "", false, infos(kProvider)},
          {"engines", kArray, "with --engines", false, infos(kEngine)},
          {"total", kInteger, ""}};
}

using app::Erratum;
using app::Golden;
namespace {
const Field<Golden> kGolden[] = {
    {{"id", kString, ""}, [](const Golden& g) { return Value(g.id); }},
    {{"requirement", kString, ""}, [](const Golden& g) { return Value(g.requirement); }},
    {{"what", kString, ""}, [](const Golden& g) { return Value(g.what); }},
    {{"computed", kNumber, "by the engine, now"},
     [](const Golden& g) { return Value(g.computed); }},
    {{"expected", kNumber, ""}, [](const Golden& g) { return Value(g.expected); }},
    {{"tolerance", kNumber, "relative"}, [](const Golden& g) { return Value(g.tolerance); }},
    {{"deviation", kNumber, "relative"}, [](const Golden& g) { return Value(g.deviation()); }},
    {{"passed", kBoolean, ""}, [](const Golden& g) { return Value(g.passes()); }},
    {{"unit", kString, "", true}, [](const Golden& g) { return text_or_null(g.unit); }},
    {{"reason", kString, "why this tolerance", true},
     [](const Golden& g) { return text_or_null(g.reason); }},
    {{"command", kString, "a command that prints it", true},
     [](const Golden& g) { return text_or_null(g.command); }},
};
const Field<Erratum> kErratum[] = {
    {{"id", kString, ""}, [](const Erratum& e) { return Value(e.id); }},
    {{"claim", kString, "what the article says, paraphrased"},
     [](const Erratum& e) { return Value(e.claim); }},
    {{"problem", kString, ""}, [](const Erratum& e) { return Value(e.problem); }},
    {{"answer", kString, "recomputed"}, [](const Erratum& e) { return Value(e.answer); }},
    {{"explanation", kString, ""}, [](const Erratum& e) { return Value(e.explanation); }},
    {{"goldens", kStrings, "ids"}, [](const Erratum& e) { return strings(e.goldens); }},
};
}  // namespace

Value result_of(const app::ArticleAnswer& answer) {
  Value out{Value::Object{}};
  out.set("goldens", array_of(answer.result.goldens, kGolden));
  out.set("errata", array_of(answer.result.errata, kErratum));
  out.set("failed", count(answer.result.failed));
  return out;
}

std::vector<FieldInfo> article_fields() {
  return {{"goldens", kArray, "each recomputed by the engine", false, infos(kGolden)},
          {"errata", kArray, "", false, infos(kErratum)},
          {"failed", kInteger, "goldens that moved"}};
}

}  // namespace portolan::render
