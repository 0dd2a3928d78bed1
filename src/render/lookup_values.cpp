#include <cmath>

#include "render/values.hpp"

namespace portolan::render {
namespace {

using io::Value;
using enum JsonType;

using market::Component;
const Field<Component> kComponent[] = {
    {{"kind", kString, "instance, host, gpu, slice …"},
     [](const Component& c) { return Value(c.kind); }},
    {{"usd_per_hour", kNumber, "exact"}, [](const Component& c) { return money(c.usd_per_hour); }},
    {{"source", kString, "who says so", true},
     [](const Component& c) { return text_or_null(c.source); }},
};

using market::Offer;
const Field<Offer> kOffer[] = {
    {{"provider", kString, "who bills"}, [](const Offer& o) { return Value(o.provider); }},
    {{"upstream", kString, "who runs it, for brokers", true},
     [](const Offer& o) { return text_or_null(o.upstream); }},
    {{"sku", kString, "the provider's own name"}, [](const Offer& o) { return Value(o.sku); }},
    {{"region", kString, "the provider's own name", true},
     [](const Offer& o) { return text_or_null(o.region); }},
    {{"zone", kString, "where the price holds for one only", true},
     [](const Offer& o) { return text_or_null(o.zone); }},
    {{"country", kString, "ISO code", true},
     [](const Offer& o) { return text_or_null(o.country); }},
    {{"accelerator", kString, "catalogue id", true},
     [](const Offer& o) { return o.accelerator ? Value(o.accelerator->id) : Value(); }},
    {{"accelerator_raw", kString, "as the source names it", true},
     [](const Offer& o) { return text_or_null(o.accelerator_raw); }},
    {{"accelerator_count", kNumber, "per instance; fractions are shares of one card"},
     [](const Offer& o) { return whole(o.count); }},
    {{"vcpus", kInteger, "of the instance", true}, [](const Offer& o) { return Value(o.vcpus); }},
    {{"memory_bytes", kNumber, "host memory", true},
     [](const Offer& o) { return o.memory ? whole_bytes(*o.memory) : Value(); }},
    {{"usd_per_hour", kNumber, "whole instance, exact", true},
     [](const Offer& o) { return money(o.usd_per_hour); }},
    {{"usd_per_accelerator_hour", kNumber,
      "usd_per_hour over the accelerators, rounded to nano-dollars", true},
     [](const Offer& o) { return money(o.usd_per_accelerator_hour()); }},
    {{"components", kArray, "parts whose sum is usd_per_hour", false, infos(kComponent)},
     [](const Offer& o) { return array_of(o.components, kComponent); }},
    {{"purchase", kString, "on-demand, spot, reserved-1y …"},
     [](const Offer& o) { return Value(market::purchase_name(o.purchase)); }},
    {{"observed_at", kString, "earliest day the price may have been seen", true},
     [](const Offer& o) { return date_or_null(o.observed.earliest); }},
    {{"observed_latest", kString, "latest such day", true},
     [](const Offer& o) { return date_or_null(o.observed.latest); }},
    {{"source", kString, "who says so"}, [](const Offer& o) { return Value(o.source); }},
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
    {{"providers", kInteger, "that sell it"},
     [](const Spread& s) { return Value(static_cast<std::int64_t>(s.providers)); }},
    {{"cheapest_usd_per_accelerator_hour", kNumber, "of the accepted on-demand offers"},
     [](const Spread& s) { return money(s.cheapest); }},
    {{"median_usd_per_accelerator_hour", kNumber, "of the accepted on-demand offers"},
     [](const Spread& s) { return money(s.median); }},
    {{"dearest_usd_per_accelerator_hour", kNumber, "of the accepted on-demand offers"},
     [](const Spread& s) { return money(s.dearest); }},
    {{"dearest_over_cheapest", kNumber, "dispersion (R48)"},
     [](const Spread& s) { return Value(s.ratio); }},
};

Value rate(const app::GpuRow& row, hardware::Rate r) { return raw(row.accelerator->peak_of(r)); }
using app::GpuRow;
const Field<GpuRow> kGpu[] = {
    {{"id", kString, "catalogue id"}, [](const GpuRow& g) { return Value(g.accelerator->id); }},
    {{"name", kString, "as people write it"},
     [](const GpuRow& g) { return Value(g.accelerator->name); }},
    {{"vendor", kString, "lower case"},
     [](const GpuRow& g) { return Value(g.accelerator->vendor); }},
    {{"architecture", kString, "hopper, cdna3 …", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->architecture); }},
    {{"form_factor", kString, "sxm, pcie …", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->form_factor); }},
    {{"memory_bytes",
      kNumber,
      "usable as the driver reports it where known, else the label",
      false,
      {}},
     [](const GpuRow& g) { return whole_bytes(g.accelerator->memory); }},
    {{"memory_label", kString, "as sold: 80GB", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->memory_label); }},
    {{"memory_reported", kBoolean, "memory_bytes is the driver's figure"},
     [](const GpuRow& g) { return Value(g.accelerator->memory_reported); }},
    {{"memory_type", kString, "HBM3, GDDR6 …", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->memory_type); }},
    {{"bandwidth_bytes_per_second", kNumber, "device memory", true},
     [](const GpuRow& g) {
       return g.accelerator->bandwidth.raw() > 0 ? whole(g.accelerator->bandwidth.raw()) : Value();
     }},
    {{"fp64_flop_per_second", kNumber, "dense datasheet peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp64); }},
    {{"fp32_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp32); }},
    {{"tf32_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kTf32); }},
    {{"bf16_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kBf16); }},
    {{"fp16_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp16); }},
    {{"fp8_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp8); }},
    {{"fp6_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp6); }},
    {{"fp4_flop_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kFp4); }},
    {{"int8_op_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kInt8); }},
    {{"int4_op_per_second", kNumber, "dense peak", true},
     [](const GpuRow& g) { return rate(g, hardware::Rate::kInt4); }},
    {{"sparse_multiplier", kNumber, "2:4 sparsity, applied only when asked"},
     [](const GpuRow& g) { return Value(g.accelerator->sparse_multiplier); }},
    {{"measured_bf16_flop_per_second", kNumber, "largest achieved matmul", true},
     [](const GpuRow& g) { return raw(g.accelerator->measured_bf16); }},
    {{"measured_fp8_flop_per_second", kNumber, "largest achieved matmul", true},
     [](const GpuRow& g) { return raw(g.accelerator->measured_fp8); }},
    {{"tdp_watts", kNumber, "board power limit", true},
     [](const GpuRow& g) { return raw(g.accelerator->tdp); }},
    {{"link", kString, "between accelerators of a node", true},
     [](const GpuRow& g) { return text_or_null(g.accelerator->link_name); }},
    {{"link_bytes_per_second", kNumber, "one direction", true},
     [](const GpuRow& g) { return raw(g.accelerator->link_per_direction); }},
    {{"link_domain", kInteger, "accelerators in one scale-up domain"},
     [](const GpuRow& g) { return Value(g.accelerator->link_domain); }},
    {{"pcie_generation", kInteger, "of the host link", true},
     [](const GpuRow& g) { return Value(g.accelerator->pcie_generation); }},
    {{"multiprocessors", kInteger, "SMs or compute units", true},
     [](const GpuRow& g) { return Value(g.accelerator->multiprocessors); }},
    {{"released", kString, "day it came out", true},
     [](const GpuRow& g) {
       return g.accelerator->released ? date_or_null(g.accelerator->released->earliest) : Value();
     }},
    {{"announced", kBoolean, "not planned on unless asked"},
     [](const GpuRow& g) { return Value(g.accelerator->announced); }},
    {{"launch_price_usd", kNumber, "where one was published", true},
     [](const GpuRow& g) { return Value(g.accelerator->launch_price_usd); }},
    {{"cheapest_usd_per_hour", kNumber, "on-demand, per accelerator", true},
     [](const GpuRow& g) { return money(g.cheapest); }},
    {{"median_usd_per_hour", kNumber, "on-demand, per accelerator", true},
     [](const GpuRow& g) { return money(g.median); }},
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
      {{"engine", kString, "inference or training engine"},
       {"formats", kString, "of the weights, separated by blanks", true},
       {"confidence", kString, "measured, documented or recalled"},
       {"advise_proof_of_concept", kBoolean, "no measurement we know of proves it"}}},
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
    {{"source", kString, "who says so"},
     [](const GpuRow& g) { return Value(g.accelerator->source); }},
    {{"date", kString, "of the source"},
     [](const GpuRow& g) { return Value(g.accelerator->date); }},
};

using market::Egress;
const Field<Egress> kEgress[] = {
    {{"destination", kString, "internet, inter-region …"},
     [](const Egress& e) { return Value(e.destination); }},
    {{"from_gb", kNumber, "of a month, 1e9 bytes each"},
     [](const Egress& e) { return whole(e.from_gb); }},
    {{"to_gb", kNumber, "end of the tier; null: no end", true},
     [](const Egress& e) { return e.to_gb ? whole(*e.to_gb) : Value(); }},
    {{"usd_per_gb", kNumber, "1e9 bytes"}, [](const Egress& e) { return usd(e.usd_per_gb); }},
    {{"note", kString, "what to keep in mind", true},
     [](const Egress& e) { return text_or_null(e.note); }},
    {{"source", kString, "who says so"}, [](const Egress& e) { return Value(e.source); }},
    {{"date", kString, "of the source"}, [](const Egress& e) { return Value(e.date); }},
};

using app::ProviderRow;
const Field<ProviderRow> kProvider[] = {
    {{"id", kString, "catalogue id"}, [](const ProviderRow& p) { return Value(p.provider->id); }},
    {{"name", kString, "as people write it"},
     [](const ProviderRow& p) { return Value(p.provider->name); }},
    {{"kind", kString, "hyperscaler, neocloud, marketplace, broker …", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->kind); }},
    {{"delivery_model", kString, "instance, container, batch, serverless", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->delivery_model); }},
    {{"billing_quantum", kString, "per second, per minute, per hour", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->billing_quantum); }},
    {{"billing_quantum_seconds", kInteger, "the same as a number", true},
     [](const ProviderRow& p) { return Value(p.provider->billing_quantum_seconds); }},
    {{"minimum_commitment", kString, "in words", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->minimum_commitment); }},
    {{"minimum_seconds", kInteger, "the same as a number", true},
     [](const ProviderRow& p) { return Value(p.provider->minimum_seconds); }},
    {{"spot", kBoolean, "sells spot instances", true},
     [](const ProviderRow& p) { return Value(p.provider->spot); }},
    {{"multi_node", kBoolean, "joins instances by a network", true},
     [](const ProviderRow& p) { return Value(p.provider->multi_node); }},
    {{"stop_resume", kBoolean, "instances can be stopped", true},
     [](const ProviderRow& p) { return Value(p.provider->stop_resume); }},
    {{"support_tiers", kString, "in words", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->support_tiers); }},
    {{"discount_programmes", kString, "in words", true},
     [](const ProviderRow& p) { return text_or_null(p.provider->discount_programmes); }},
    {{"price_feed", kString, "where its prices can be read", true},
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
    {{"source", kString, "who says so"},
     [](const ProviderRow& p) { return Value(p.provider->source); }},
    {{"date", kString, "of the source"},
     [](const ProviderRow& p) { return Value(p.provider->date); }},
};

using Engine = market::EngineSupport;
const Field<Engine> kEngine[] = {
    {{"engine", kString, "inference or training engine"},
     [](const Engine& e) { return Value(e.engine); }},
    {{"vendor", kString, "lower case"}, [](const Engine& e) { return Value(e.vendor); }},
    {{"architecture", kString, "* is every architecture of the vendor"},
     [](const Engine& e) { return Value(e.architecture); }},
    {{"formats", kString, "of the weights, separated by blanks", true},
     [](const Engine& e) { return text_or_null(e.formats); }},
    {{"confidence", kString, "measured, documented or recalled"},
     [](const Engine& e) { return Value(e.confidence); }},
    {{"advise_proof_of_concept", kBoolean, "no measurement we know of proves it"},
     [](const Engine& e) { return Value(e.advise_proof_of_concept); }},
    {{"note", kString, "what to keep in mind", true},
     [](const Engine& e) { return text_or_null(e.note); }},
    {{"source", kString, "who says so"}, [](const Engine& e) { return Value(e.source); }},
    {{"date", kString, "of the source"}, [](const Engine& e) { return Value(e.date); }},
};

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
          {"without_price", kInteger, "rows that match but have none"},
          {"quarantined", kInteger, "set aside by a gate"},
          {"components", kInteger, "accelerators priced without their host, not listed"},
          {"hosts", kInteger, "machines without an accelerator, listed with --count 0"},
          {"hidden_by_age", kInteger, "older than asked for"}};
}

Value result_of(const app::GpusAnswer& answer) {
  Value out{Value::Object{}};
  out.set("gpus", array_of(answer.result.gpus, kGpu));
  out.set("matched", count(answer.result.matched));
  out.set("total", count(answer.result.total));
  return out;
}

std::vector<FieldInfo> gpus_fields() {
  return {{"gpus", kArray, "in the order asked", false, infos(kGpu)},
          {"matched", kInteger, "that pass the filters"},
          {"total", kInteger, "accelerators of the catalogue"}};
}

Value result_of(const app::ProvidersAnswer& answer) {
  Value out{Value::Object{}};
  out.set("providers", array_of(answer.result.providers, kProvider));
  out.set("engines", array_of(answer.result.engines, kEngine));
  out.set("total", count(answer.result.total));
  return out;
}

std::vector<FieldInfo> providers_fields() {
  return {{"providers", kArray, "that sell it", false, infos(kProvider)},
          {"engines", kArray, "with --engines", false, infos(kEngine)},
          {"total", kInteger, "providers of the catalogue"}};
}

}  // namespace portolan::render
