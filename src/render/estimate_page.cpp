// `estimate` for people: the rule of thumb beside the operator list, then the card if one was
// named.
#include <fmt/format.h>

#include "base/text.hpp"
#include "base/units_text.hpp"
#include "render/pages.hpp"
#include "render/words.hpp"

namespace portolan::render {
namespace {

using app::EstimateResult;
using app::OnHardware;
using app::RuleOfThumb;

std::string flop(Flop count) { return si(count.raw(), "FLOP"); }

std::string bound(cost::Bound bound) {
  return bound == cost::Bound::kMemory ? "memory bandwidth" : std::string(cost::bound_name(bound));
}

Section model_section(const EstimateResult& r) {
  const model::Architecture& a = r.model.architecture;
  const bool two_names = !r.model.hf_id.empty() && r.model.hf_id != r.model.id;
  Section out{.title = two_names ? r.model.id + " (" + r.model.hf_id + ")" : r.model.id,
              .entries = {}};
  if (r.parameters.total > 0) {
    std::string text = with_commas(r.parameters.total) + " counted";
    if (r.parameters.active != r.parameters.total) {
      text += fmt::format(", {} active per token", with_commas(r.parameters.active));
    }
    if (r.parameters.mtp > 0) {
      text += fmt::format(", {} in MTP blocks beside", with_commas(r.parameters.mtp));
    }
    if (r.model.published_parameters) {
      text += "; published " + parameters(*r.model.published_parameters);
    }
    out.add("parameters", std::move(text));
  } else {
    out.add("parameters", parameters(r.rule.parameters) + " published; architecture unknown");
  }
  if (a.layer_count() > 0) {
    std::string text = fmt::format("{} layers, hidden {}, vocabulary {}", a.layer_count(),
                                   with_commas(a.hidden), with_commas(a.vocab));
    if (a.max_position > 0) text += fmt::format(", context up to {}", with_commas(a.max_position));
    out.add("shape", std::move(text));
  }
  out.add("stored as", fmt::format("{} weights, {} KV cache", r.dtype, r.kv_dtype));
  return out;
}

Section work_section(const EstimateResult& r) {
  Section out{.title = "work", .entries = {}};
  out.add("rule of thumb",
          fmt::format("{} for {} tokens (2 n p); training {} per token (6 p)", flop(r.rule.forward),
                      whole_number(r.rule.tokens), flop(r.rule.training_per_token)));
  out.add(
      "operator list",
      fmt::format("prefill {}; decode {} per token at {} tokens of context; training {} per token",
                  flop(r.operators.prefill), flop(r.operators.decode_per_token),
                  whole_number(r.context_tokens), flop(r.operators.training_per_token)));
  if (r.rule.training) out.add("training run", flop(*r.rule.training) + " (6 p D)");
  return out;
}

Section memory_section(const EstimateResult& r) {
  Section out{.title = "memory of one instance", .entries = {}};
  out.add("weights",
          fmt::format("{} (rule of thumb {})", bytes(r.memory.weights), bytes(r.rule.weights)));
  if (r.memory.kv.raw() > 0) {
    out.add("KV cache", fmt::format("{} for {} of {} tokens ({} per token)", bytes(r.memory.kv),
                                    plural(r.batch, "sequence"), whole_number(r.context_tokens),
                                    bytes(r.kv_per_token)));
  } else {
    out.add("KV cache", "none");
  }
  if (r.memory.state.raw() > 0) {
    out.add("recurrent state",
            fmt::format("{} for {}", bytes(r.memory.state), plural(r.batch, "sequence")));
  }
  out.add("activations", bytes(r.memory.activations));
  out.add("engine", bytes(r.memory.overhead) + " of contexts, buffers and graphs");
  out.add("total", bytes(r.memory.total()));
  out.add("to train (rule)", fmt::format("{}: 16 B per parameter for weights, gradients and Adam; "
                                         "activations not counted",
                                         bytes(r.rule.training_memory)));
  return out;
}

std::string layout(const OnHardware& on) {
  std::string out = fmt::format("tp{}", on.deployment.tp);
  if (on.deployment.pp > 1) out += fmt::format(" pp{}", on.deployment.pp);
  if (on.deployment.ep > 1) out += fmt::format(" ep{}", on.deployment.ep);
  return out;
}

void add_price(Section& out, const OnHardware& on) {
  out.add("price", on.price
                       ? fmt::format("{} USD per accelerator-hour ({})",
                                     significant(on.price->in(kUsdPerHour), 6), on.price_origin)
                       : fmt::format("{} ({})", kUnknown, on.price_origin));
}

void add_training(Section& out, const EstimateResult& r, const OnHardware& on) {
  const RuleOfThumb& rule = r.rule;
  const auto usd = [](const std::optional<Usd>& cost) {
    return cost ? fmt::format(", {} USD", significant(cost->raw(), 4)) : std::string();
  };
  out.add("training", fmt::format("{}{} ({})", time_text(on.training_time), usd(on.training_cost),
                                  on.training_basis));
  if (on.training_estimate) {
    const training::RunEstimate& run = *on.training_estimate;
    if (on.training_strategy) out.add("strategy", training::strategy_text(*on.training_strategy));
    out.add("step", fmt::format("{}, MFU {}, goodput {}", time_text(run.step), percent(run.mfu),
                                percent(run.goodput)));
    out.add("memory", fmt::format("{} of {} usable on the fullest", bytes(run.memory.total()),
                                  bytes(on.usable_per_accelerator)));
    if (rule.training_time) {
      out.add("rule of thumb",
              fmt::format("{}{} at MFU {}: {} accelerator-hours", time_text(rule.training_time),
                          usd(rule.training_cost), shortest(rule.mfu),
                          significant(*rule.accelerator_hours, 6)));
    }
  }
}

void add_inference(Section& out, const EstimateResult& r, const OnHardware& on) {
  const RuleOfThumb& rule = r.rule;
  out.add("fits",
          fmt::format("{}: {} of {} usable on the fullest{}", on.fits ? "yes" : "NO",
                      bytes(on.memory_per_accelerator), bytes(on.usable_per_accelerator),
                      on.minimum_accelerators > 0
                          ? fmt::format("; smallest number that fits: {}", on.minimum_accelerators)
                          : std::string("; no number up to 1,024 fits")));
  if (on.fits) {
    const std::string context =
        on.context_unbounded ? "any" : with_commas(on.largest_context) + " tokens";
    out.add("largest", on.batch_unbounded
                           ? "any batch and context: nothing is kept per token"
                           : fmt::format("context {} at this batch; batch {} at this context",
                                         context, with_commas(on.largest_batch)));
  }
  if (rule.ideal_forward) {
    std::string text = fmt::format("{} for {} tokens at the datasheet peak",
                                   duration_text(*rule.ideal_forward), whole_number(rule.tokens));
    if (rule.weight_read_per_token) {
      text += fmt::format("; {} per token to read the weights once, {} for 1,024",
                          duration_text(*rule.weight_read_per_token),
                          duration_text(*rule.weight_read_per_token * 1024));
    }
    out.add("rule of thumb", std::move(text));
  }
  if (on.prefill) {
    out.add("prefill", fmt::format("{} for {} tokens, bound by {}", time_text(on.prefill),
                                   whole_number(r.prompt_tokens), bound(on.prefill_bound)));
  }
  if (on.decode_per_token) {
    out.add(
        "decode",
        fmt::format("{} per token at batch {}, bound by {}: {} tokens/s; 1,024 tokens "
                    "take {}",
                    time_text(on.decode_per_token), whole_number(r.batch), bound(on.decode_bound),
                    number(on.output_tokens_per_second), time_text(*on.decode_per_token * 1024)));
  }
  if (on.prefill || on.decode_per_token) {
    out.add("interval",
            fmt::format("{} to {} times as long, at 80 % ({})", significant(on.interval_low, 2),
                        significant(on.interval_high, 3), cost::tier_name(on.tier)));
  }
}

void add_cost(Section& out, const OnHardware& on, const RuleOfThumb& rule) {
  std::string text;
  if (on.usd_per_million_input) {
    text = number(on.usd_per_million_input) + " USD per million input tokens";
  }
  if (on.usd_per_million_output) {
    text += (text.empty() ? "" : ", ") + number(on.usd_per_million_output) +
            " USD per million output tokens";
  }
  if (rule.cost_per_1000_tokens) {
    text += fmt::format("{}rule of thumb at the peak {} USD per 1,000 tokens",
                        text.empty() ? "" : "; ", significant(rule.cost_per_1000_tokens->raw(), 5));
  }
  if (!text.empty()) out.add("cost", std::move(text));
}

Section hardware_section(const EstimateResult& r, const OnHardware& on) {
  const bool trains = r.rule.training.has_value();
  Section out{.title = fmt::format("on {} x {}", on.count, on.accelerator->id), .entries = {}};
  if (!trains) out.title += " (" + layout(on) + ")";
  if (trains && on.training_time) add_training(out, r, on);
  if (!trains) add_inference(out, r, on);
  add_price(out, on);
  if (!trains) add_cost(out, on, r.rule);
  if (!trains && on.joules_per_output_token) {
    out.add("energy", fmt::format("{} per output token, accelerators only",
                                  si(on.joules_per_output_token->raw(), "J", 3)));
  } else if (!trains && on.decode_per_token) {
    out.add("energy", fmt::format("unknown: no board power of {} is known", on.accelerator->id));
  }
  return out;
}

void write_fits(Page& page, const EstimateResult& r, const Options& options) {
  constexpr std::size_t kShown = 8;
  page.gap();
  Table table({Table::numbers("usd/h"), Table::names("fits on", 12), Table::numbers("accelerators"),
               Table::numbers("memory of each"), Table::names("cheapest at", 8, 1)});
  std::size_t shown = 0;
  for (const app::FittingAccelerator& f : r.fits) {
    if (shown == kShown && options.format != Format::kWide) break;
    ++shown;
    table.add({price_cell(f.usd_per_hour), f.accelerator->short_id, std::to_string(f.accelerators),
               bytes(f.memory_per_accelerator), known(f.provider)});
  }
  page.table(table);
  std::string note = fmt::format("{} of {} shown, cheapest first", shown, r.fits.size());
  if (shown < r.fits.size()) note += "; -o wide for all";
  page.note(note + "; --gpu NAME for times and cost");
}

}  // namespace

void write_page(Page& page, const app::EstimateAnswer& answer, const Options& options) {
  const EstimateResult& r = answer.result;
  std::vector<Section> sections = {model_section(r), work_section(r), memory_section(r)};
  if (r.on) sections.push_back(hardware_section(r, *r.on));
  page.sections(sections);
  if (!r.trainable.empty()) {
    page.gap();
    page.title("largest trainable model (states only)");
    Table table({Table::words("recipe"), Table::numbers("B per parameter"),
                 Table::numbers("parameters"), Table::prose("what is kept", 24, 1)});
    for (const training::TrainableSize& t : r.trainable) {
      table.add(
          {t.recipe, significant(t.bytes_per_parameter, 4), parameters(t.parameters), t.note});
    }
    page.table(table);
  }
  if (!r.on && !r.fits.empty() && r.trainable.empty()) write_fits(page, r, options);
  page.assumptions(answer.envelope);
}

}  // namespace portolan::render
