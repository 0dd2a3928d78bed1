#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "app/registry.hpp"
#include "base/text.hpp"
#include "base/units_text.hpp"
#include "render/format.hpp"
#include "render/plot.hpp"

namespace portolan::render {
namespace {

const char* kUnknown = "–";

std::string number(const std::optional<double>& value, int digits = 3) { return value ? significant(*value, digits) : kUnknown; }
std::string price(const std::optional<Money>& amount) { return amount ? amount->text() : kUnknown; }
template <class Q>
std::string si_of(const std::optional<Q>& quantity, std::string_view unit) { return quantity ? si(quantity->raw(), unit) : kUnknown; }
std::string bytes_si(Bytes bytes) { return si(bytes.raw(), "B"); }
std::string duration(const std::optional<Seconds>& seconds) { return seconds ? duration_text(*seconds) : kUnknown; }
/// "175B", "8.03B", "361M": how people write numbers of parameters.
std::string parameters(double count) {
  if (count >= 1e12) return significant(count / 1e12, 3) + "T";
  if (count >= 1e9) return significant(count / 1e9, 3) + "B";
  if (count >= 1e6) return significant(count / 1e6, 3) + "M";
  return significant(count, 3);
}
std::string percent(double share) { return significant(share * 100, 3) + " %"; }

/// "  name      value" blocks of `estimate` and of details.
class Block {
 public:
  explicit Block(std::string title) : title_(std::move(title)) {}
  void add(std::string name, std::string value) { rows_.emplace_back(std::move(name), std::move(value)); }
  [[nodiscard]] std::string text(const Options& options, std::size_t name_width) const {
    if (options.format == Format::kMarkdown) {
      Table table({{title_, false, 0, false}, {"", false, 0, false}});
      for (const auto& [name, value] : rows_) table.add({name, value});
      return table.markdown() + "\n";
    }
    std::string out = options.style.color ? fmt::format("\x1b[1m{}\x1b[0m\n", title_) : title_ + "\n";
    for (const auto& [name, value] : rows_) {
      const std::size_t used = 2 + name_width + 2;
      const std::string pad(name_width > display_width(name) ? name_width - display_width(name) : 0, ' ');
      const std::size_t room = options.format == Format::kWide || options.style.width == 0 ? 0 : options.style.width > used + 20 ? options.style.width - 0 : 0;
      out += wrap("  " + name + pad + "  " + value, room, used) + "\n";
    }
    return out;
  }
  [[nodiscard]] std::size_t name_width() const {
    std::size_t width = 0;
    for (const auto& [name, value] : rows_) width = std::max(width, display_width(name));
    return width;
  }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::string title_;
  std::vector<std::pair<std::string, std::string>> rows_;
};

std::string blocks_text(const std::vector<Block>& blocks, const Options& options) {
  std::size_t width = 0;
  for (const Block& block : blocks) width = std::max(width, block.name_width());
  std::string out;
  for (const Block& block : blocks) {
    if (!block.empty()) out += block.text(options, width);
  }
  return out;
}

std::string in_format(const Table& table, const Options& options) {
  if (options.format == Format::kMarkdown) return table.markdown();
  Style style = options.style;
  if (options.format == Format::kWide) style.width = 0;
  std::vector<std::string> left_out;
  std::string text = table.text(style, &left_out);
  if (!left_out.empty()) {
    std::string names;
    for (const std::string& name : left_out) names += (names.empty() ? "" : ", ") + name;
    text += wrap(fmt::format("columns left out for width: {}; -o wide shows all", names), style.width, 2) + "\n";
  }
  return text;
}

std::string footer(const std::string& text, const Options& options) {
  if (options.format == Format::kMarkdown) return "\n" + text + "\n";
  return wrap(text, options.format == Format::kWide ? 0 : options.style.width, 2) + "\n";
}

std::string assumptions_text(const app::Envelope& envelope, const Options& options) {
  if (!options.assumptions) return {};
  Table table({{"assumption", false, 12, false}, {"value", true, 8, false}, {"origin", false, 0, false}, {"change with", false, 8, false}, {"source", false, 8, true}});
  for (const app::Assumption& a : envelope.assumptions) {
    table.add({a.key, a.value.is_null() ? kUnknown : printable(a.value.scalar_text()), a.origin, a.flag.empty() ? kUnknown : a.flag, printable(a.source)});
  }
  return "\n" + in_format(table, options);
}

std::string strategy_text(const planner::Plan& plan) {
  std::string out;
  if (plan.training_estimate) {
    const training::Strategy& s = plan.training_strategy;
    out = fmt::format("tp{} pp{} dp{}", s.tp, s.pp, s.dp);
    if (s.cp > 1) out += fmt::format(" cp{}", s.cp);
    if (s.ep > 1) out += fmt::format(" ep{}", s.ep);
    out += fmt::format(" zero{} mb{}", s.zero, s.microbatch);
    if (s.recompute != training::Recompute::kNone) out += fmt::format(" {} recompute", training::recompute_name(s.recompute));
  } else {
    out = fmt::format("{} x tp{}", plan.replicas, plan.deployment.tp);
    if (plan.deployment.pp > 1) out += fmt::format(" pp{}", plan.deployment.pp);
    if (plan.deployment.ep > 1) out += fmt::format(" ep{}", plan.deployment.ep);
  }
  return out + " " + plan.precision;
}

std::string age_text(const planner::Plan& plan, const app::Envelope& envelope) {
  if (!plan.offer->observed.earliest || !envelope.catalogue_date) return kUnknown;
  return fmt::format("{} d", std::max(0, days_between(*plan.offer->observed.earliest, *envelope.catalogue_date)));
}

std::string estimate_table(const app::EstimateAnswer& answer, const Options& options) {
  const app::EstimateResult& r = answer.result;
  const app::RuleOfThumb& rule = r.rule;
  std::vector<Block> blocks;
  Block model(fmt::format("{}{}", r.model.id, r.model.hf_id.empty() || r.model.hf_id == r.model.id ? "" : " (" + r.model.hf_id + ")"));
  if (r.parameters.total > 0) {
    model.add("parameters", fmt::format("{} counted", with_commas(r.parameters.total)) +
                                (r.parameters.active != r.parameters.total ? fmt::format(", {} active per token", with_commas(r.parameters.active)) : "") +
                                (r.parameters.mtp > 0 ? fmt::format(", {} in MTP blocks beside", with_commas(r.parameters.mtp)) : "") +
                                (r.model.published_parameters ? fmt::format("; published {}", parameters(*r.model.published_parameters)) : ""));
  } else {
    model.add("parameters", fmt::format("{} published; architecture unknown", parameters(rule.parameters)));
  }
  if (r.model.architecture.layer_count() > 0) {
    model.add("shape", fmt::format("{} layers, hidden {}, vocabulary {}{}", r.model.architecture.layer_count(), with_commas(r.model.architecture.hidden),
                                   with_commas(r.model.architecture.vocab),
                                   r.model.architecture.max_position > 0 ? fmt::format(", context up to {}", with_commas(r.model.architecture.max_position)) : ""));
  }
  model.add("stored as", fmt::format("{} weights, {} KV cache", r.dtype, r.kv_dtype));
  blocks.push_back(std::move(model));

  const std::string tokens = significant(rule.tokens, 6);
  Block work("FLOP");
  work.add("rule of thumb", fmt::format("{} for {} tokens (2 n p); training {} per token (6 p)", si(rule.forward.raw(), "FLOP"), tokens, si(rule.training_per_token.raw(), "FLOP")));
  work.add("operator list", fmt::format("prefill {}; decode {} per token at {} context; training {} per token", si(r.operators.prefill.raw(), "FLOP"),
                                        si(r.operators.decode_per_token.raw(), "FLOP"), significant(r.context_tokens, 7), si(r.operators.training_per_token.raw(), "FLOP")));
  if (rule.training) work.add("training run", fmt::format("{} (6 p D)", si(rule.training->raw(), "FLOP")));
  blocks.push_back(std::move(work));

  Block memory("memory, whole instance");
  memory.add("weights", fmt::format("{} (rule of thumb {})", bytes_si(r.memory.weights), bytes_si(rule.weights)));
  memory.add("KV cache", fmt::format("{} for {} x {} tokens ({} per token)", bytes_si(r.memory.kv), significant(r.batch, 6), significant(r.context_tokens, 7), bytes_si(r.kv_per_token)));
  if (r.memory.state.raw() > 0) memory.add("recurrent state", bytes_si(r.memory.state));
  memory.add("activations, engine", fmt::format("{} + {}", bytes_si(r.memory.activations), bytes_si(r.memory.overhead)));
  memory.add("total", bytes_si(r.memory.total()));
  memory.add("to train (rule)", fmt::format("{} with gradients and Adam states at 16 B per parameter, activations not counted", bytes_si(rule.training_memory)));
  blocks.push_back(std::move(memory));

  if (r.on) {
    const app::OnHardware& on = *r.on;
    const std::string layout = on.deployment.pp > 1 ? fmt::format("tp{} pp{}", on.deployment.tp, on.deployment.pp) : fmt::format("tp{}", on.deployment.tp);
    Block hw(fmt::format("on {} x {} ({})", on.count, on.accelerator->id, layout));
    hw.add("fits", fmt::format("{}: {} of {} usable on the fullest{}", on.fits ? "yes" : "NO", bytes_si(on.memory_per_accelerator), bytes_si(on.usable_per_accelerator),
                               on.minimum_accelerators > 0 ? fmt::format("; smallest that fits: {}", on.minimum_accelerators) : ""));
    if (on.fits) {
      hw.add("largest", fmt::format("context {} at this batch; batch {} at this context",
                                    on.context_unbounded ? "unbounded" : with_commas(on.largest_context), with_commas(on.largest_batch)));
    }
    if (rule.ideal_forward) hw.add("rule of thumb", fmt::format("{} for {} tokens at the datasheet peak", duration(rule.ideal_forward), tokens) +
                                       (rule.weight_read_per_token ? fmt::format("; reading the weights once per token: {}, {} for 1,024", duration(rule.weight_read_per_token), duration(*rule.weight_read_per_token * 1024)) : ""));
    if (on.prefill) hw.add("prefill", fmt::format("{} for {} tokens, bound by {}", duration(on.prefill), significant(r.prompt_tokens, 6), cost::bound_name(on.prefill_bound)));
    if (on.decode_per_token) {
      hw.add("decode", fmt::format("{} per token at batch {}, bound by {}: {} tokens/s; 1,024 tokens take {}", duration(on.decode_per_token), significant(r.batch, 6),
                                   on.decode_bound == cost::Bound::kMemory ? "memory bandwidth" : std::string(cost::bound_name(on.decode_bound)),
                                   number(on.output_tokens_per_second), duration(*on.decode_per_token * 1024)));
    }
    if (on.decode_per_token && !options.explain) {
      hw.add("interval", fmt::format("times hold within {}x to {}x at 80 % ({})", significant(on.interval_low, 2), significant(on.interval_high, 3), cost::tier_name(on.tier)));
    }
    hw.add("price", on.price ? fmt::format("{} USD per accelerator-hour ({})", significant(on.price->in(kUsdPerHour), 6), printable(on.price_origin)) : fmt::format("{} ({})", kUnknown, on.price_origin));
    if (on.usd_per_million_output || on.usd_per_million_input) {
      hw.add("cost", fmt::format("{} USD per million input tokens, {} per million output tokens", number(on.usd_per_million_input), number(on.usd_per_million_output)) +
                         (rule.cost_per_1000_tokens ? fmt::format("; rule of thumb at peak {} USD per 1,000 tokens", significant(rule.cost_per_1000_tokens->raw(), 5)) : ""));
    }
    if (on.joules_per_output_token) hw.add("energy", fmt::format("{} per output token (accelerators only)", si(on.joules_per_output_token->raw(), "J")));
    if (on.training_time) {
      hw.add("training", fmt::format("{}{} ({})", duration(on.training_time), on.training_cost ? fmt::format(", {} USD", significant(on.training_cost->raw(), 4)) : "", on.training_basis) +
                             (on.training_estimate ? fmt::format("; MFU {}, goodput {}", percent(on.training_estimate->mfu), percent(on.training_estimate->goodput)) : ""));
      if (on.training_estimate && rule.training_time) {
        hw.add("training (rule)", fmt::format("{}{} at MFU {}: {} accelerator-hours", duration(rule.training_time),
                                              rule.training_cost ? fmt::format(", {} USD", significant(rule.training_cost->raw(), 4)) : "", shortest(rule.mfu), significant(*rule.accelerator_hours, 6)));
      }
    }
    blocks.push_back(std::move(hw));
  }
  std::string out = blocks_text(blocks, options);
  if (!r.trainable.empty()) {
    Table table({{"recipe", false, 16, false}, {"bytes/parameter", true, 0, false}, {"largest model", true, 0, false}, {"note", false, 16, true}});
    for (const training::TrainableSize& t : r.trainable) table.add({t.recipe, significant(t.bytes_per_parameter, 4), parameters(t.parameters), t.note});
    out += "\nlargest trainable model (states only)\n" + in_format(table, options);
  }
  if (!r.on && !r.fits.empty()) {
    Table table({{"fits on", false, 10, false}, {"accelerators", true, 0, false}, {"per accelerator", true, 0, false}, {"usd/h", true, 0, false}, {"cheapest at", false, 8, true}});
    std::size_t shown = 0;
    for (const app::FittingAccelerator& f : r.fits) {
      if (shown == 8 && options.format != Format::kWide) break;
      ++shown;
      table.add({f.accelerator->id, std::to_string(f.accelerators), bytes_si(f.memory_per_accelerator), price(f.usd_per_hour), f.provider.empty() ? kUnknown : f.provider});
    }
    out += (options.format == Format::kMarkdown ? "\n" : "\n") + in_format(table, options);
    if (shown < r.fits.size()) out += footer(fmt::format("{} of {} shown (cheapest first); -o wide for all; --gpu NAME for times and cost", shown, r.fits.size()), options);
  }
  return out + assumptions_text(answer.envelope, options);
}

std::string plan_table(const app::PlanAnswer& answer, const Options& options) {
  const planner::PlanResult& r = answer.result;
  const bool serve = r.job.kind == planner::JobKind::kServe;
  std::string out;
  if (r.feasible()) {
    std::vector<Table::Column> columns;
    columns.push_back({"", false, 0, false});
    if (serve) {
      columns.insert(columns.end(), {{"usd/h", true, 0, false}, {"usd/Mtok", true, 0, false}, {"ttft p95", true, 0, false}, {"tpot p95", true, 0, false}});
    } else {
      columns.insert(columns.end(), {{"usd", true, 0, false}, {"usd/h", true, 0, false}, {"time", true, 0, false}, {"usd/Mtok", true, 0, true}});
    }
    if (r.job.models.size() > 1) columns.push_back({"model", false, 10, false});
    columns.insert(columns.end(), {{"where", false, 18, false}, {"machines", false, 14, false}, {"how", false, 12, false}, {"age", true, 0, true}});
    Table table(columns);
    for (const planner::Plan& p : std::span(r.plans).first(answer.shown)) {
      std::vector<std::string> cells;
      cells.push_back(p.rank == 1 ? "✓" : p.pareto ? "*" : "");
      if (serve) {
        cells.insert(cells.end(), {fmt::format("{:.2f}", p.usd_per_hour.in(kUsdPerHour)), number(p.usd_per_million_tokens), duration(p.ttft_p95), duration(p.tpot_p95)});
      } else {
        cells.insert(cells.end(), {p.usd_total ? significant(p.usd_total->raw(), 4) : kUnknown, fmt::format("{:.2f}", p.usd_per_hour.in(kUsdPerHour)), duration(p.duration), number(p.usd_per_million_tokens)});
      }
      if (r.job.models.size() > 1) cells.push_back(p.model);
      std::string where = p.offer->provider + (p.offer->region.empty() ? "" : " " + p.offer->region);
      if (p.regions.size() > 1) where += fmt::format(" +{}", p.regions.size() - 1);
      where += fmt::format(" {}", market::purchase_name(p.offer->purchase));
      cells.insert(cells.end(), {printable(where), printable(fmt::format("{} x {}x {}", p.nodes, shortest(p.offer->count), p.offer->accelerator->id)), strategy_text(p), age_text(p, answer.envelope)});
      table.add(std::move(cells));
    }
    out += in_format(table, options);
    if (answer.shown < r.plans.size()) out += footer(fmt::format("{} of {} plans shown; --top 0 for all", answer.shown, with_commas(static_cast<std::int64_t>(r.plans.size()))), options);
    const planner::Plan& best = r.plans.front();
    out += footer(fmt::format("✓ cheapest, * on the cost-latency front. {} {}{}: {} to {} USD{} at 80 % ({})", best.offer->provider, best.offer->sku, best.offer->region.empty() ? "" : " in " + best.offer->region,
                              significant(best.interval.low, 4), significant(best.interval.high, 4), serve ? " per hour" : "", cost::tier_name(best.tier)),
                  options);
    if (serve) {
      out += footer(fmt::format("{} USD a month of 730.5 h; {} of {} req/s within the SLO used; {} replica(s) for the mean demand; bound by {}", significant(best.usd_per_month.raw(), 5),
                                significant(r.job.traffic.peak_requests_per_second, 4), significant(best.capacity_requests_per_second, 4), best.replicas_mean, cost::bound_name(best.bound)),
                    options);
    } else if (best.training_estimate) {
      out += footer(fmt::format("step {}, MFU {}, goodput {}, {} per accelerator", duration(best.training_estimate->step), percent(best.mfu.value_or(0)), percent(best.training_estimate->goodput), bytes_si(best.memory_per_accelerator)), options);
    }
    if (r.rank_flips_at_percent) out += footer(fmt::format("still first until its price rises {} %", significant(*r.rank_flips_at_percent, 3)), options);
    if (best.advise_proof_of_concept) out += footer("try it first: the engine's support for this accelerator is not proved by measurement", options);
    std::string x, y;
    const std::vector<PlotPoint> points = plot_points(r, &x, &y);
    if (!points.empty() && options.format != Format::kMarkdown) out += "\n" + text_plot(points, x, y, options.style);
  } else {
    out += "no plan meets the constraints\n";
  }
  if (!r.rejected.empty()) {
    Table table({{"rejected", false, 0, false}, {"count", true, 0, false}, {"nearest", false, 20, false}, {"what it lacked", false, 20, false}});
    for (const planner::Rejection& rejection : r.rejected) {
      std::string lacked = rejection.nearest ? rejection.nearest->lacked : "";
      if (rejection.nearest && !rejection.nearest->change.empty()) lacked += "; " + rejection.nearest->change;
      table.add({std::string(planner::reason_name(rejection.reason)), with_commas(static_cast<std::int64_t>(rejection.count)), rejection.nearest ? printable(rejection.nearest->what) : kUnknown,
                 lacked.empty() ? kUnknown : printable(lacked)});
    }
    out += "\n" + in_format(table, options);
    if (!r.feasible()) {
      // The table cuts long texts; without a plan the nearest misses are the answer and are printed whole.
      for (const planner::Rejection& rejection : r.rejected) {
        if (!rejection.nearest) continue;
        out += footer(fmt::format("{}: {}: {}{}", planner::reason_name(rejection.reason), printable(rejection.nearest->what), printable(rejection.nearest->lacked),
                                  rejection.nearest->change.empty() ? "" : "; " + printable(rejection.nearest->change)),
                      options);
      }
    }
  }
  for (const std::string& model : r.models_rejected) out += footer("not considered: " + printable(model), options);
  std::string searched = fmt::format("{} offers: {} with a plan, {} rejected, {} without a price; {} machine shapes, {} candidates, {} evaluated", with_commas(static_cast<std::int64_t>(r.coverage.offers)),
                                     with_commas(static_cast<std::int64_t>(r.coverage.evaluated)), with_commas(static_cast<std::int64_t>(r.coverage.rejected)),
                                     with_commas(static_cast<std::int64_t>(r.coverage.without_price)), r.search.shapes, with_commas(static_cast<std::int64_t>(r.search.candidates)),
                                     with_commas(static_cast<std::int64_t>(r.search.evaluated)));
  if (options.timing) searched += fmt::format(" in {}", duration_text(Seconds(r.search.elapsed_seconds)));
  out += footer(searched, options);
  if (answer.envelope.catalogue_date) {
    out += footer(fmt::format("prices as of {}{}; assumptions: --assumptions; not investment advice", answer.envelope.catalogue_date->text(),
                              r.oldest_price_used ? ", the oldest used of " + r.oldest_price_used->text() : ""),
                  options);
  }
  return out + assumptions_text(answer.envelope, options);
}

std::string offers_table(const app::OffersAnswer& answer, const Options& options) {
  const app::OffersResult& r = answer.result;
  std::string out;
  if (!r.spread.empty()) {
    Table table({{"accelerator", false, 12, false}, {"cheapest", true, 0, false}, {"median", true, 0, false}, {"dearest", true, 0, false}, {"max/min", true, 0, false}, {"offers", true, 0, false}, {"providers", true, 0, true}});
    for (const market::Spread& s : r.spread) {
      table.add({s.accelerator->id, fmt::format("{:.3f}", s.cheapest.dollars()), fmt::format("{:.3f}", s.median.dollars()), fmt::format("{:.3f}", s.dearest.dollars()), significant(s.ratio, 4) + "x",
                 std::to_string(s.offers), std::to_string(s.providers)});
    }
    out = in_format(table, options);
    return out + footer(fmt::format("{} of {} accelerators shown; on-demand USD per accelerator-hour of whole instances", r.shown, r.matched), options) + assumptions_text(answer.envelope, options);
  }
  Table table({{"usd/h", true, 0, false}, {"usd/gpu-h", true, 0, false}, {"provider", false, 8, false}, {"sku", false, 12, false}, {"region", false, 8, false}, {"accelerators", false, 12, false},
               {"purchase", false, 0, false}, {"parts", false, 10, true}, {"vcpu", true, 0, true}, {"ram GiB", true, 0, true}, {"seen", false, 0, true}, {"flags", false, 10, true}});
  for (const market::Offer* o : r.offers) {
    std::string parts;
    if (o->components.size() > 1) {
      for (const market::Component& c : o->components) parts += (parts.empty() ? "" : " + ") + c.kind + " " + c.usd_per_hour.text();
    }
    std::string flags;
    for (const std::string& f : o->flags) flags += (flags.empty() ? "" : " ") + f;
    if (!o->gate.empty()) flags = o->gate;
    const std::string gpu = o->accelerator ? o->accelerator->id : o->accelerator_raw;
    table.add({price(o->usd_per_hour), price(o->usd_per_accelerator_hour()), printable(o->upstream.empty() ? o->provider : o->provider + "/" + o->upstream), printable(o->sku),
               o->region.empty() ? kUnknown : printable(o->region), printable(fmt::format("{}x {}", significant(o->count, 4), gpu)), std::string(market::purchase_name(o->purchase)), parts,
               o->vcpus ? std::to_string(*o->vcpus) : kUnknown, o->memory ? significant(o->memory->in(kGiB), 5) : kUnknown, o->observed.earliest ? o->observed.earliest->text() : kUnknown, printable(flags)});
  }
  out = in_format(table, options);
  std::string line = fmt::format("{} of {} shown (sorted by {})", with_commas(static_cast<std::int64_t>(r.shown)), with_commas(static_cast<std::int64_t>(r.matched)), r.sort);
  if (r.shown < r.matched) line += "; --limit 0 for all";
  if (r.without_price > 0) line += fmt::format("; {} without a price", with_commas(static_cast<std::int64_t>(r.without_price)));
  if (r.quarantined > 0) line += fmt::format("; {} set aside by a gate (--quarantined)", with_commas(static_cast<std::int64_t>(r.quarantined)));
  if (r.hidden_by_age > 0) line += fmt::format("; {} hidden by --max-price-age", with_commas(static_cast<std::int64_t>(r.hidden_by_age)));
  return out + footer(line, options) + assumptions_text(answer.envelope, options);
}

std::string gpu_detail(const app::GpuRow& row, const Options& options) {
  const hardware::Accelerator& a = *row.accelerator;
  Block block(fmt::format("{} — {}", a.id, a.name));
  block.add("kind", fmt::format("{} {} {}{}", a.vendor, a.architecture, a.form_factor, a.announced ? ", announced" : a.planned ? "" : ", known but not modelled"));
  block.add("memory", fmt::format("{} {}, {} usable{}, {}", a.memory_label, a.memory_type, bytes_si(a.memory), a.memory_reported ? " (reported by the driver)" : " (label)", si(a.bandwidth.raw(), "B/s")));
  std::string rates;
  for (std::size_t i = 0; i < hardware::kRateCount; ++i) {
    if (a.peak[i]) rates += (rates.empty() ? "" : ", ") + fmt::format("{} {}", hardware::rate_name(static_cast<hardware::Rate>(i)), si(a.peak[i]->raw(), "FLOP/s"));
  }
  block.add("dense peak", rates.empty() ? kUnknown : rates);
  if (a.measured_bf16) {
    const auto peak = a.peak_of(hardware::Rate::kBf16);
    block.add("measured bf16", fmt::format("{}{}", si(a.measured_bf16->raw(), "FLOP/s"), peak ? fmt::format(" ({} of peak)", percent(*a.measured_bf16 / *peak)) : ""));
  }
  block.add("power", a.tdp ? fmt::format("{} W{}", significant(a.tdp->raw(), 4), row.energy_3y ? fmt::format("; at full power for 3 years {} USD of electricity", significant(row.energy_3y->raw(), 6)) : "") : kUnknown);
  block.add("link", a.link_per_direction ? fmt::format("{}, {} each way, domain of {}", a.link_name, si(a.link_per_direction->raw(), "B/s"), a.link_domain) : std::string("none (PCIe)"));
  block.add("market", row.cheapest ? fmt::format("{} to {} (median) USD per hour on demand, {} offers", row.cheapest->text(), row.median ? row.median->text() : kUnknown, row.offers) : std::string("no accepted on-demand offer"));
  if (row.tflop_per_dollar) block.add("work per dollar", fmt::format("{} bf16 at the attainable rate", si(*row.tflop_per_dollar * 1e12, "FLOP")));
  std::string engines;
  for (const market::EngineSupport* e : row.engines) {
    engines += (engines.empty() ? "" : ", ") + fmt::format("{} ({}{})", e->engine, e->confidence, e->advise_proof_of_concept ? ", try first" : "");
  }
  block.add("engines", engines.empty() ? kUnknown : engines);
  if (!a.conflicts.empty()) block.add("conflicts", printable(a.conflicts));
  if (!a.recalled_fields.empty()) block.add("without source", printable(a.recalled_fields));
  block.add("source", printable(a.source) + " (" + a.date + ")");
  return blocks_text({block}, options);
}

std::string gpus_table(const app::GpusAnswer& answer, const Options& options) {
  const app::GpusResult& r = answer.result;
  if (r.detail && r.gpus.size() == 1) return gpu_detail(r.gpus.front(), options);
  Table table({{"id", false, 12, false}, {"memory", true, 0, false}, {"bandwidth", true, 0, false}, {"bf16", true, 0, false}, {"fp8", true, 0, true}, {"watts", true, 0, true}, {"link", false, 8, true},
               {"usd/h from", true, 0, false}, {"median", true, 0, true}, {"FLOP/usd", true, 0, true}});
  for (const app::GpuRow& row : r.gpus) {
    const hardware::Accelerator& a = *row.accelerator;
    table.add({a.id, bytes_si(a.memory), a.bandwidth.raw() > 0 ? si(a.bandwidth.raw(), "B/s") : kUnknown, si_of(a.peak_of(hardware::Rate::kBf16), "F/s"), si_of(a.peak_of(hardware::Rate::kFp8), "F/s"),
               a.tdp ? significant(a.tdp->raw(), 4) : kUnknown, a.link_name.empty() ? kUnknown : a.link_name, row.cheapest ? fmt::format("{:.3f}", row.cheapest->dollars()) : kUnknown,
               row.median ? fmt::format("{:.3f}", row.median->dollars()) : kUnknown, row.tflop_per_dollar ? si(*row.tflop_per_dollar * 1e12, "") : kUnknown});
  }
  return in_format(table, options) + footer(fmt::format("{} of {} accelerators shown; rates are dense datasheet peaks; --all adds announced and unmodelled parts", r.gpus.size(), r.total), options) +
         assumptions_text(answer.envelope, options);
}

std::string prices_table(const app::ModelsResult& r, const Options& options) {
  if (r.prices.empty()) return footer("no hosted price known", options);
  Table table({{"provider", false, 8, false}, {"model", false, 16, false}, {"input", true, 0, false}, {"output", true, 0, false}, {"cached", true, 0, true}, {"context", true, 0, true}, {"seen", false, 0, true}, {"flags", false, 8, true}});
  for (const market::ApiPrice* p : r.prices) {
    std::string flags = p->flags;
    if (!p->time_window.empty()) flags += (flags.empty() ? "" : " ") + p->time_window;
    table.add({printable(p->provider), printable(p->model), price(p->input), price(p->output), price(p->cache_read), p->context ? with_commas(*p->context) : kUnknown,
               p->observed.earliest ? p->observed.earliest->text() : kUnknown, printable(flags)});
  }
  std::string line = fmt::format("{} of {} hosted prices shown, USD per million tokens, cheapest output first", with_commas(static_cast<std::int64_t>(r.prices.size())), with_commas(static_cast<std::int64_t>(r.prices_matched)));
  if (r.prices.size() < r.prices_matched) line += "; --limit 0 for all";
  return in_format(table, options) + footer(line, options);
}

std::string models_table(const app::ModelsAnswer& answer, const Options& options) {
  const app::ModelsResult& r = answer.result;
  if (r.list_prices) return prices_table(r, options);
  if (r.compute) {
    Table table({{"model", false, 14, false}, {"parameters", true, 0, false}, {"2pn, 1,024 tokens", true, 0, false}, {"1,024 in + 1,024 out", true, 0, true}, {"training FLOP", true, 0, false}, {"fp32 GB", true, 0, false},
                 {"fp16 GB", true, 0, false}, {"train GB (12 B/p)", true, 0, true}});
    for (const app::ModelRow& m : r.models) {
      const double p = m.model.parameters_for_rule();
      table.add({m.model.id, parameters(p), m.model.article && m.model.article->text ? fmt::format("{:.4g}", 2 * p * 1024) : kUnknown, m.model.article && m.model.article->text && m.model.article->decoder_only ? fmt::format("{:.4g}", 2 * p * 2048) : kUnknown,
                 m.model.article ? fmt::format("{:.4g}", m.model.article->training_flop) : kUnknown, significant(4 * p / 1e9, 4), significant(2 * p / 1e9, 4), significant(12 * p / 1e9, 4)});
    }
    return in_format(table, options) + footer("reconstructed from public data; the article's own table is an image and its numbers are lost", options);
  }
  if (r.detail && r.models.size() == 1) {
    const app::ModelRow& m = r.models.front();
    const model::Architecture& a = m.model.architecture;
    Block block(fmt::format("{}{}", m.model.id, m.model.hf_id.empty() ? "" : " (" + m.model.hf_id + ")"));
    block.add("parameters", fmt::format("{} counted, {} active", with_commas(m.parameters.total), with_commas(m.parameters.active)) + (m.model.published_parameters ? fmt::format("; published {}", with_commas(static_cast<std::int64_t>(*m.model.published_parameters))) : ""));
    block.add("architecture", fmt::format("{}, {} layers, hidden {}, vocabulary {}", a.architecture.empty() ? kUnknown : a.architecture, a.layer_count(), with_commas(a.hidden), with_commas(a.vocab)));
    block.add("context", a.max_position > 0 ? with_commas(a.max_position) + " tokens" : kUnknown);
    block.add("KV cache", bytes_si(m.kv_per_token) + " per token at 2 B per element");
    block.add("stored as", a.dtype_name.empty() ? kUnknown : a.dtype_name);
    std::string aliases;
    for (const std::string& alias : m.model.aliases) aliases += (aliases.empty() ? "" : ", ") + alias;
    if (!aliases.empty()) block.add("also known as", printable(aliases));
    if (!m.model.released.empty()) block.add("released", m.model.released);
    if (!m.model.licence.empty()) block.add("licence", printable(m.model.licence));
    if (!m.model.note.empty()) block.add("note", printable(m.model.note));
    if (!r.prices.empty()) {
      const market::ApiPrice& cheapest = *r.prices.front();
      block.add("hosted", fmt::format("{} prices, from {} in / {} out USD per million tokens ({}); --prices lists them", r.prices_matched, price(cheapest.input), price(cheapest.output), printable(cheapest.provider)));
    }
    if (!m.model.source.empty()) block.add("source", printable(m.model.source) + " (" + m.model.date + ")");
    return blocks_text({block}, options);
  }
  Table table({{"id", false, 16, false}, {"parameters", true, 0, false}, {"active", true, 0, false}, {"layers", true, 0, true}, {"context", true, 0, false}, {"KV B/token", true, 0, false}, {"dtype", false, 0, true},
               {"released", false, 0, true}, {"Hugging Face id", false, 16, true}});
  for (const app::ModelRow& m : r.models) {
    const model::Architecture& a = m.model.architecture;
    table.add({m.model.id, parameters(m.parameters.total > 0 ? static_cast<double>(m.parameters.total) : m.model.parameters_for_rule()), m.parameters.active > 0 ? parameters(static_cast<double>(m.parameters.active)) : kUnknown,
               a.layer_count() > 0 ? std::to_string(a.layer_count()) : kUnknown, a.max_position > 0 ? with_commas(a.max_position) : kUnknown, m.kv_per_token.raw() > 0 ? with_commas(static_cast<std::int64_t>(m.kv_per_token.raw())) : kUnknown,
               a.dtype_name, m.model.released, printable(m.model.hf_id)});
  }
  return in_format(table, options) + footer(fmt::format("{} of {} models shown{}", r.models.size(), r.total, r.models.size() < r.total ? "; --limit 0 for all" : ""), options) + assumptions_text(answer.envelope, options);
}

std::string providers_table(const app::ProvidersAnswer& answer, const Options& options) {
  const app::ProvidersResult& r = answer.result;
  auto yes_no = [](const std::optional<bool>& b) { return b ? std::string(*b ? "yes" : "no") : std::string(kUnknown); };
  auto known = [](const std::string& text) { return text.empty() ? std::string("unknown") : printable(text); };
  if (!r.engines.empty()) {
    Table table({{"engine", false, 8, false}, {"vendor", false, 0, false}, {"architecture", false, 8, false}, {"formats", false, 10, false}, {"confidence", false, 0, false}, {"try first", false, 0, false}, {"note", false, 12, true}});
    for (const market::EngineSupport* e : r.engines) table.add({e->engine, e->vendor, e->architecture, e->formats, e->confidence, e->advise_proof_of_concept ? "yes" : "", printable(e->note)});
    return in_format(table, options) + footer("'try first': no measurement we know of proves it; run a proof of concept before committing", options);
  }
  if (r.providers.size() == 1) {
    const market::Provider& p = *r.providers.front().provider;
    Block block(fmt::format("{} — {}", p.id, p.name));
    block.add("kind", known(p.kind));
    block.add("delivery", known(p.delivery_model));
    block.add("billing", fmt::format("{}; minimum {}", known(p.billing_quantum), known(p.minimum_commitment)));
    block.add("spot, multi-node", fmt::format("{}, {}", yes_no(p.spot), yes_no(p.multi_node)));
    block.add("support", known(p.support_tiers));
    block.add("discounts", known(p.discount_programmes));
    block.add("price feed", known(p.price_feed));
    std::string links;
    for (const std::string& link : r.providers.front().interconnects) links += (links.empty() ? "" : ", ") + link;
    block.add("interconnects", known(links));
    block.add("offers", fmt::format("{} accepted, {} kinds of accelerator, {} fractional", r.providers.front().offers, r.providers.front().accelerators, r.providers.front().fractional));
    block.add("source", printable(p.source) + " (" + p.date + ")");
    return blocks_text({block}, options);
  }
  Table table({{"provider", false, 10, false}, {"kind", false, 8, false}, {"delivery", false, 10, false}, {"billing", false, 8, false}, {"spot", false, 0, false}, {"multi-node", false, 0, true}, {"offers", true, 0, false}, {"gpus", true, 0, true},
               {"interconnect", false, 10, true}, {"support", false, 8, true}});
  for (const app::ProviderRow& row : r.providers) {
    const market::Provider& p = *row.provider;
    std::string links;
    for (const std::string& link : row.interconnects) links += (links.empty() ? "" : ", ") + link;
    table.add({p.id, known(p.kind), known(p.delivery_model), known(p.billing_quantum), yes_no(p.spot), yes_no(p.multi_node), std::to_string(row.offers), std::to_string(row.accelerators), links.empty() ? kUnknown : printable(links), known(p.support_tiers)});
  }
  return in_format(table, options) + footer(fmt::format("{} of {} providers shown", r.providers.size(), r.total), options);
}

std::string article_table(const app::ArticleAnswer& answer, const Options& options) {
  const app::ArticleResult& r = answer.result;
  std::string out;
  if (options.errata) {
    if (options.format == Format::kMarkdown) {
      for (const app::Erratum& e : r.errata) {
        std::string ids;
        for (const std::string& id : e.goldens) ids += (ids.empty() ? "" : ", ") + id;
        out += fmt::format("## {}. {}\n\n{}\n\n**What is wrong.** {}\n\n**Portolan says.** {}\n\nGolden values: {}.\n\n", e.id, e.claim, e.explanation, e.problem, e.answer, ids);
      }
      return out;
    }
    for (const app::Erratum& e : r.errata) {
      out += wrap(fmt::format("{:<4} {}", e.id, e.claim), options.style.width, 5) + "\n";
      out += wrap(fmt::format("     wrong: {}", e.problem), options.style.width, 12) + "\n";
      out += wrap(fmt::format("     Portolan: {}", e.answer), options.style.width, 15) + "\n";
    }
    return out;
  }
  Table table({{"id", false, 0, false}, {"what", false, 24, false}, {"computed", true, 0, false}, {"expected", true, 0, false}, {"unit", false, 0, false}, {"off by", true, 0, false}, {"allowed", true, 0, true}, {"", false, 0, false}});
  for (const app::Golden& g : r.goldens) {
    table.add({g.id, g.what, fmt::format("{:.6g}", g.computed), fmt::format("{:.6g}", g.expected), g.unit, fmt::format("{:.2g}", g.deviation()), g.tolerance <= 1e-8 ? "exact" : percent(g.tolerance), g.passes() ? "✓" : "✗ moved"});
  }
  return in_format(table, options) + footer(fmt::format("{} golden values, {} moved; the errata in words: portolan validate article --errata", r.goldens.size(), r.failed), options);
}

void explain_into(std::string& out, const Derivation& d, std::size_t depth, const Style& style) {
  const std::string indent(depth * 2, ' ');
  std::string line = d.name;
  if (d.value) line += " = " + (d.unit.empty() ? significant(*d.value, 6) : d.unit == "USD" || d.unit.starts_with("USD") || d.unit == "s" || d.unit == "tokens" || d.unit == "h" || d.unit == "x" ? significant(*d.value, 6) + " " + d.unit : si(*d.value, d.unit, 5));
  if (!d.formula.empty()) line += "   [" + d.formula + "]";
  out += wrap(indent + line, style.width, indent.size() + 4) + "\n";
  if (!d.substituted.empty()) out += wrap(indent + "  = " + d.substituted, style.width, indent.size() + 6) + "\n";
  std::string from;
  if (!d.kind.empty()) from += d.kind;
  if (!d.source.empty()) from += (from.empty() ? "" : ": ") + printable(d.source) + (d.date.empty() ? "" : " (" + d.date + ")");
  if (!from.empty()) out += wrap(indent + "  from " + from, style.width, indent.size() + 7) + "\n";
  if (!d.note.empty()) out += wrap(indent + "  note " + printable(d.note), style.width, indent.size() + 7) + "\n";
  for (const Derivation& input : d.inputs) explain_into(out, input, depth + 1, style);
}

}  // namespace

std::string table_text(const app::Answer& answer, const Options& options) {
  struct Visitor {
    const Options& options;
    std::string operator()(const app::EstimateAnswer& a) const { return estimate_table(a, options); }
    std::string operator()(const app::PlanAnswer& a) const { return plan_table(a, options); }
    std::string operator()(const app::OffersAnswer& a) const { return offers_table(a, options); }
    std::string operator()(const app::GpusAnswer& a) const { return gpus_table(a, options); }
    std::string operator()(const app::ModelsAnswer& a) const { return models_table(a, options); }
    std::string operator()(const app::ProvidersAnswer& a) const { return providers_table(a, options); }
    std::string operator()(const app::ArticleAnswer& a) const { return article_table(a, options); }
  };
  return std::visit(Visitor{options}, answer);
}

std::string explain_text(const std::vector<Derivation>& derivations, const Style& style) {
  std::string out = "how the figures come about\n";
  for (const Derivation& d : derivations) explain_into(out, d, 1, style);
  return style.unicode ? out : to_ascii(out);
}

}  // namespace portolan::render
