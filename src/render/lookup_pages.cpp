// `offers`, `gpus`, `models` and `providers` for people.
#include <fmt/format.h>

#include "base/text.hpp"
#include "render/pages.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using market::Offer;

/// "10 of 312 offers shown, sorted by price; --limit 0 for all".
std::string shown(std::size_t rows, std::size_t matched, std::string_view noun,
                  std::string_view order = {}) {
  if (matched == 0) return fmt::format("no {} matches", noun);
  std::string out =
      fmt::format("{} of {} shown", count_of(rows), plural(static_cast<double>(matched), noun));
  if (!order.empty()) out += fmt::format(", {}", order);
  if (rows < matched) out += "; --limit 0 for all";
  return out;
}

std::string parts_of(const Offer& offer) {
  std::string out;
  if (offer.components.size() < 2) return out;
  for (const market::Component& c : offer.components) {
    out += fmt::format("{}{} {:.3f}", out.empty() ? "" : " + ", c.kind, c.usd_per_hour.dollars());
  }
  return out;
}

void write_spread(Page& page, const app::OffersResult& r) {
  Table table({Table::names("accelerator", 12), Table::numbers("cheapest"),
               Table::numbers("median"), Table::numbers("dearest"), Table::numbers("max/min"),
               Table::numbers("offers"), Table::numbers("providers", 1)});
  for (const market::Spread& s : r.spread) {
    table.add({s.accelerator->id, price_cell(s.cheapest), price_cell(s.median),
               price_cell(s.dearest), significant(s.ratio, 4) + "x", std::to_string(s.offers),
               std::to_string(s.providers)});
  }
  if (!table.empty()) page.table(table);
  page.note(shown(r.shown, r.matched, "accelerator"));
  if (!table.empty()) page.note("on-demand USD per accelerator-hour of whole instances");
}

}  // namespace

void write_page(Page& page, const app::OffersAnswer& answer, const Options&) {
  const app::OffersResult& r = answer.result;
  if (answer.result.stats) {
    write_spread(page, r);
    page.assumptions(answer.envelope);
    return;
  }
  Table table(
      {Table::numbers("usd/h"), Table::numbers("usd/gpu-h"), Table::names("accelerators", 14),
       Table::names("provider", 10), Table::prose("region", 10), Table::words("purchase"),
       Table::names("sku", 10, 1), Table::prose("price parts", 20, 2), Table::numbers("vcpu", 6),
       Table::numbers("ram GiB", 5), Table::words("seen", 3), Table::prose("flags", 12, 4)});
  for (const Offer* o : r.offers) {
    std::string flags = o->gate.empty() ? joined(o->flags, " ") : o->gate;
    const std::string chip = o->accelerator ? o->accelerator->short_id : o->accelerator_raw;
    table.add({price_cell(o->usd_per_hour), price_cell(o->usd_per_accelerator_hour()),
               chip.empty() ? kUnknown : significant(o->count, 4) + "x " + chip,
               o->upstream.empty() ? o->provider : o->provider + "/" + o->upstream,
               known(o->region), std::string(market::purchase_name(o->purchase)), o->sku,
               parts_of(*o), o->vcpus ? std::to_string(*o->vcpus) : kUnknown,
               o->memory ? significant(o->memory->in(kGiB), 5) : kUnknown,
               o->observed.earliest ? o->observed.earliest->text() : kUnknown, flags});
  }
  for (const char* title : {"price parts", "vcpu", "ram GiB", "flags"})
    table.leave_out_empty(title);
  if (!table.empty()) page.table(table);
  std::string line = shown(r.shown, r.matched, "offer", "sorted by " + r.sort);
  const auto hidden = [&](std::size_t count, std::string_view why) {
    if (count > 0) line += fmt::format("; {} {}", count_of(count), why);
  };
  hidden(r.without_price, "without a price");
  hidden(r.quarantined, "set aside by a gate (--quarantined)");
  hidden(r.components, "priced without a host");
  hidden(r.hosts, "hosts without an accelerator (--count 0)");
  hidden(r.hidden_by_age, "hidden by --max-price-age");
  page.note(line);
  page.assumptions(answer.envelope);
}

namespace {

void write_gpu(Page& page, const app::GpuRow& row) {
  const hardware::Accelerator& a = *row.accelerator;
  Section out{.title = fmt::format("{} — {}", a.id, a.name), .entries = {}};
  out.add("kind", fmt::format("{} {} {}{}", a.vendor, a.architecture, a.form_factor,
                              a.announced ? ", announced"
                              : a.planned ? ""
                                          : ", known but not modelled"));
  out.add("memory",
          fmt::format("{} {}, {} usable ({}), {}", a.memory_label, a.memory_type, bytes(a.memory),
                      a.memory_reported ? "as the driver reports" : "by its label",
                      si(a.bandwidth.raw(), "B/s")));
  std::vector<std::string> rates;
  for (std::size_t i = 0; i < hardware::kRateCount; ++i) {
    if (!a.peak[i]) continue;
    rates.push_back(fmt::format("{} {}", hardware::rate_name(static_cast<hardware::Rate>(i)),
                                si(a.peak[i]->raw(), "FLOP/s")));
  }
  out.add("dense peak", known(joined(rates, ", ")));
  if (a.measured_bf16) {
    const auto peak = a.peak_of(hardware::Rate::kBf16);
    out.add("measured bf16",
            si(a.measured_bf16->raw(), "FLOP/s") +
                (peak ? fmt::format(" ({} of peak)", percent(*a.measured_bf16 / *peak)) : ""));
  }
  if (a.tdp) {
    std::string power = significant(a.tdp->raw(), 4) + " W";
    if (row.energy_3y) {
      power += fmt::format("; at full power for 3 years {} USD of electricity",
                           significant(row.energy_3y->raw(), 4));
    }
    out.add("power", std::move(power));
  }
  out.add("link", a.link_per_direction
                      ? fmt::format("{}, {} each way, domain of {}", a.link_name,
                                    si(a.link_per_direction->raw(), "B/s"), a.link_domain)
                      : std::string("none (PCIe)"));
  out.add("market", row.cheapest ? fmt::format("from {} USD per hour on demand, median {}, {}",
                                               price(row.cheapest), price(row.median),
                                               plural(static_cast<double>(row.offers), "offer"))
                                 : std::string("no accepted on-demand offer"));
  if (row.tflop_per_dollar) {
    out.add("work per dollar",
            si(*row.tflop_per_dollar * 1e12, "FLOP") + " of bf16 at the attainable rate");
  }
  std::vector<std::string> engines;
  for (const market::EngineSupport* e : row.engines) {
    engines.push_back(fmt::format("{} ({}{})", e->engine, e->confidence,
                                  e->advise_proof_of_concept ? ", try first" : ""));
  }
  out.add("engines", known(joined(engines, ", ")));
  if (!a.conflicts.empty()) out.add("conflicts", a.conflicts);
  if (!a.recalled_fields.empty()) out.add("without source", a.recalled_fields);
  out.add("source", fmt::format("{} ({})", a.source, a.date));
  page.sections({out});
}

/// A rate in TFLOP/s, bare: the unit is in the title of the column.
std::string tflops(const std::optional<FlopPerSecond>& rate) {
  return rate ? significant(rate->in(kTFlopPerSecond), 4) : kUnknown;
}

}  // namespace

void write_page(Page& page, const app::GpusAnswer& answer, const Options&) {
  const app::GpusResult& r = answer.result;
  if (r.detail && r.gpus.size() == 1) {
    write_gpu(page, r.gpus.front());
    return page.assumptions(answer.envelope);
  }
  Table table({Table::numbers("usd/h"), Table::numbers("median", 3), Table::names("id", 14),
               Table::numbers("GB"), Table::numbers("GB/s"), Table::numbers("bf16 TFLOP/s"),
               Table::numbers("fp8 TFLOP/s", 1), Table::numbers("W", 2),
               Table::numbers("EFLOP/usd", 4), Table::prose("link", 8, 5)});
  for (const app::GpuRow& row : r.gpus) {
    const hardware::Accelerator& a = *row.accelerator;
    table.add({price_cell(row.cheapest), price_cell(row.median), a.id,
               significant(a.memory.raw() / 1e9, 4),
               a.bandwidth.raw() > 0 ? significant(a.bandwidth.raw() / 1e9, 4) : kUnknown,
               tflops(a.peak_of(hardware::Rate::kBf16)), tflops(a.peak_of(hardware::Rate::kFp8)),
               a.tdp ? significant(a.tdp->raw(), 4) : kUnknown,
               row.tflop_per_dollar ? significant(*row.tflop_per_dollar / 1e6, 3) : kUnknown,
               known(a.link_name)});
  }
  if (!table.empty()) page.table(table);
  page.note(shown(r.gpus.size(), r.matched, "accelerator"));
  if (!table.empty()) {
    page.note(
        "usd/h is the cheapest on-demand offer; rates are dense datasheet peaks; --all adds "
        "announced and unmodelled parts");
  }
  page.assumptions(answer.envelope);
}

namespace {

void write_prices(Page& page, const app::ModelsResult& r) {
  Table table({Table::numbers("usd/M input"), Table::numbers("usd/M output"),
               Table::numbers("cached", 2), Table::names("provider", 10), Table::names("model", 16),
               Table::numbers("context", 3), Table::words("seen", 1), Table::prose("flags", 8, 4)});
  for (const market::ApiPrice* p : r.prices) {
    std::string flags = p->flags;
    if (!p->time_window.empty()) flags += (flags.empty() ? "" : " ") + p->time_window;
    table.add({price(p->input), price(p->output), price(p->cache_read), p->provider, p->model,
               p->context ? with_commas(*p->context) : kUnknown,
               p->observed.earliest ? p->observed.earliest->text() : kUnknown, flags});
  }
  table.leave_out_empty("flags");
  if (!table.empty()) page.table(table);
  page.note(shown(r.prices.size(), r.prices_matched, "hosted price", "cheapest output first"));
}

void write_compute(Page& page, const app::ModelsResult& r) {
  Table table({Table::names("model", 14), Table::numbers("parameters"),
               Table::numbers("FLOP, 1,024 tokens"), Table::numbers("1,024 in + out", 2),
               Table::numbers("training FLOP"), Table::numbers("fp32 GB"),
               Table::numbers("fp16 GB"), Table::numbers("to train GB", 1)});
  for (const app::ModelRow& m : r.models) {
    const double p = m.model.parameters_for_rule();
    const auto& article = m.model.article;
    const bool text = article && article->text;
    table.add({m.model.id, parameters(p), text ? fmt::format("{:.4g}", 2 * p * 1024) : kUnknown,
               text && article->decoder_only ? fmt::format("{:.4g}", 2 * p * 2048) : kUnknown,
               article ? fmt::format("{:.4g}", article->training_flop) : kUnknown,
               significant(4 * p / 1e9, 4), significant(2 * p / 1e9, 4),
               significant(12 * p / 1e9, 4)});
  }
  page.table(table);
  page.note(
      "reconstructed from public data: the article's own table is an image and its numbers are "
      "lost; to train is its rule of 12 B per parameter");
}

void write_model(Page& page, const app::ModelsResult& r) {
  const app::ModelRow& m = r.models.front();
  const model::Architecture& a = m.model.architecture;
  Section out{.title = m.model.id + (m.model.hf_id.empty() ? "" : " (" + m.model.hf_id + ")"),
              .entries = {}};
  std::string count = m.parameters.total > 0
                          ? fmt::format("{} counted, {} active", with_commas(m.parameters.total),
                                        with_commas(m.parameters.active))
                          : std::string("not counted");
  if (m.model.published_parameters) {
    count += "; published " + whole_number(*m.model.published_parameters);
  }
  out.add("parameters", std::move(count));
  if (a.layer_count() > 0) {
    out.add("architecture",
            fmt::format("{}, {} layers, hidden {}, vocabulary {}", known(a.architecture),
                        a.layer_count(), with_commas(a.hidden), with_commas(a.vocab)));
  }
  if (a.max_position > 0) out.add("context", with_commas(a.max_position) + " tokens");
  out.add("KV cache", m.kv_per_token.raw() > 0
                          ? bytes(m.kv_per_token) + " per token at 2 B per element"
                          : std::string("none"));
  out.add("stored as", known(a.dtype_name));
  if (!m.model.aliases.empty()) out.add("also known as", joined(m.model.aliases, ", "));
  if (!m.model.released.empty()) out.add("released", m.model.released);
  if (!m.model.licence.empty()) out.add("licence", m.model.licence);
  if (!m.model.note.empty()) out.add("note", m.model.note);
  if (!r.prices.empty()) {
    const market::ApiPrice& cheapest = *r.prices.front();
    out.add("hosted",
            fmt::format("{}, from {} in / {} out USD per million tokens ({}); --prices "
                        "lists them",
                        plural(static_cast<double>(r.prices_matched), "price"),
                        price(cheapest.input), price(cheapest.output), cheapest.provider));
  }
  if (!m.model.source.empty()) {
    out.add("source", fmt::format("{} ({})", m.model.source, m.model.date));
  }
  page.sections({out});
}

}  // namespace

void write_page(Page& page, const app::ModelsAnswer& answer, const Options&) {
  const app::ModelsResult& r = answer.result;
  if (r.list_prices) {
    write_prices(page, r);
  } else if (r.compute) {
    write_compute(page, r);
  } else if (r.detail && r.models.size() == 1) {
    write_model(page, r);
  } else {
    Table table({Table::names("id", 20), Table::numbers("parameters"), Table::numbers("active"),
                 Table::numbers("layers", 3), Table::numbers("context"),
                 Table::numbers("KV B/token"), Table::words("dtype", 2),
                 Table::words("released", 1), Table::names("Hugging Face id", 20, 4)});
    for (const app::ModelRow& m : r.models) {
      const model::Architecture& a = m.model.architecture;
      const auto positive = [](std::int64_t n) { return n > 0 ? with_commas(n) : kUnknown; };
      table.add({m.model.id,
                 parameters(m.parameters.total > 0 ? static_cast<double>(m.parameters.total)
                                                   : m.model.parameters_for_rule()),
                 m.parameters.active > 0 ? parameters(static_cast<double>(m.parameters.active))
                                         : kUnknown,
                 positive(a.layer_count()), positive(a.max_position),
                 positive(static_cast<std::int64_t>(m.kv_per_token.raw())), known(a.dtype_name),
                 known(m.model.released), known(m.model.hf_id)});
    }
    if (!table.empty()) page.table(table);
    page.note(shown(r.models.size(), r.matched, "model"));
  }
  page.assumptions(answer.envelope);
}

namespace {

std::string yes_no(const std::optional<bool>& fact) {
  return fact ? std::string(*fact ? "yes" : "no") : std::string(kUnknown);
}

void write_engines(Page& page, const app::ProvidersResult& r) {
  Table table({Table::names("engine", 8), Table::words("vendor"), Table::names("architecture", 8),
               Table::prose("formats", 16, 1), Table::words("confidence"),
               Table::words("try first"), Table::prose("note", 12, 2)});
  for (const market::EngineSupport* e : r.engines) {
    table.add({e->engine, e->vendor, e->architecture == "*" ? "all" : e->architecture, e->formats,
               e->confidence, e->advise_proof_of_concept ? "yes" : "", e->note});
  }
  page.table(table);
  page.note(
      "try first: no measurement we know of proves it; run a proof of concept before committing");
}

void write_provider(Page& page, const app::ProviderRow& row) {
  const market::Provider& p = *row.provider;
  Section out{.title = fmt::format("{} — {}", p.id, p.name), .entries = {}};
  out.add("kind", known(p.kind));
  out.add("delivery", known(p.delivery_model));
  out.add("billing",
          fmt::format("{}; minimum {}", known(p.billing_quantum), known(p.minimum_commitment)));
  out.add("spot", yes_no(p.spot));
  out.add("multi-node", yes_no(p.multi_node));
  out.add("support", known(p.support_tiers));
  out.add("discounts", known(p.discount_programmes));
  out.add("price feed", known(p.price_feed));
  std::vector<std::string> egress;
  for (const market::Egress* tier : row.egress) {
    egress.push_back(fmt::format(
        "{} {} USD/GB{}", tier->destination, shortest(tier->usd_per_gb),
        tier->from_gb > 0 ? fmt::format(" above {} GB", whole_number(tier->from_gb)) : ""));
  }
  out.add("egress", known(joined(egress, ", ")));
  out.add("interconnects", known(joined(row.interconnects, ", ")));
  out.add(
      "offers",
      fmt::format("{} accepted, {} of accelerator, {} fractional", count_of(row.offers),
                  plural(static_cast<double>(row.accelerators), "kind"), count_of(row.fractional)));
  out.add("source", fmt::format("{} ({})", p.source, p.date));
  page.sections({out});
}

}  // namespace

void write_page(Page& page, const app::ProvidersAnswer& answer, const Options&) {
  const app::ProvidersResult& r = answer.result;
  if (!r.engines.empty()) return write_engines(page, r);
  if (r.detail && r.providers.size() == 1) return write_provider(page, r.providers.front());
  Table table({Table::words("provider"), Table::words("kind"), Table::prose("delivery", 12),
               Table::prose("billing", 10), Table::words("spot"), Table::words("multi-node", 1),
               Table::numbers("offers"), Table::numbers("gpus"),
               Table::prose("interconnect", 12, 2), Table::prose("support", 10, 3)});
  for (const app::ProviderRow& row : r.providers) {
    const market::Provider& p = *row.provider;
    table.add({p.id, known(p.kind), known(p.delivery_model), known(p.billing_quantum),
               yes_no(p.spot), yes_no(p.multi_node), count_of(row.offers),
               count_of(row.accelerators), known(joined(row.interconnects, ", ")),
               known(p.support_tiers)});
  }
  if (!table.empty()) page.table(table);
  page.note(shown(r.providers.size(), r.providers.size(), "provider"));
  page.assumptions(answer.envelope);
}

}  // namespace portolan::render
