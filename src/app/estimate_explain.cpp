#include "app/estimate_explain.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"
#include "model/numeric_format.hpp"
#include "training/rules.hpp"

namespace portolan::app {
namespace {

constexpr const char* kScaling = "Kaplan et al., arXiv 2001.08361, §2.1";

Derivation leaf(std::string name, double value, std::string unit, std::string kind,
                std::string source, std::string date = {}) {
  return {.name = std::move(name),
          .value = value,
          .unit = std::move(unit),
          .formula = {},
          .substituted = {},
          .source = std::move(source),
          .date = std::move(date),
          .kind = std::move(kind),
          .note = {},
          .inputs = {}};
}

std::string sci(double value) { return fmt::format("{:.6g}", value); }

Derivation parameters(const EstimateResult& r) {
  Derivation p = leaf("p, parameters", r.rule.active_parameters, "parameters", "fact",
                      r.model.published_source.empty() ? r.model.source : r.model.published_source,
                      r.model.date);
  if (r.parameters.total > 0)
    p.note = fmt::format("the operator list counts {} in all, {} active per token",
                         with_commas(r.parameters.total), with_commas(r.parameters.active));
  return p;
}

void explain_rule(std::vector<Derivation>& out, const EstimateRequest& request,
                  const EstimateResult& r, const Context& context) {
  const RuleOfThumb& rule = r.rule;
  const market::Constant& characters = context.catalogue().constant("characters_per_token");
  Derivation tokens =
      leaf("n, tokens processed", rule.tokens, "tokens", "assumption",
           request.tokens || request.input || request.output ? "the request" : "default");
  tokens.note = fmt::format("{} characters at {} per token ({})",
                            significant(rule.tokens * characters.value, 7),
                            shortest(characters.value), characters.source);
  Derivation forward =
      estimated("forward FLOP", rule.forward.raw(), "FLOP", "2 · n · p",
                fmt::format("2 · {} · {}", sci(rule.tokens), sci(rule.active_parameters)),
                {tokens, parameters(r)});
  forward.source = kScaling;
  forward.note = fmt::format(
      "one core of 3 GHz at one instruction per cycle would take {} s; a token costs {} times "
      "sorting a million numbers (n log2 n)",
      significant(rule.forward.raw() / 3e9, 6),
      significant(2 * rule.active_parameters / (1e6 * std::log2(1e6)), 5));
  out.push_back(std::move(forward));
  Derivation training = estimated("training FLOP per token", rule.training_per_token.raw(), "FLOP",
                                  "6 · p (2 forward + 4 backward)",
                                  fmt::format("6 · {}", sci(rule.active_parameters)));
  training.source = kScaling;
  training.note = "three times inference; with full activation recomputation 8 · p";
  out.push_back(std::move(training));
  if (rule.training) {
    Derivation run = estimated(
        "training FLOP of the run", rule.training->raw(), "FLOP", "6 · p · D",
        fmt::format("6 · {} · {}", sci(rule.active_parameters), sci(*request.training_tokens)));
    run.note =
        fmt::format("the training set is {} prompts of {} tokens; times three, {} inferences",
                    sci(*request.training_tokens / rule.tokens), significant(rule.tokens, 6),
                    sci(3 * *request.training_tokens / rule.tokens));
    out.push_back(std::move(run));
  }
  out.push_back(estimated("weights, rule of thumb", rule.weights.raw(), "B",
                          "p · bytes per parameter",
                          fmt::format("{} · {}", sci(rule.parameters),
                                      shortest(rule.weights.raw() / rule.parameters))));
  Derivation train_memory =
      estimated("memory to train, states only", rule.training_memory.raw(), "B",
                "16 · p: 2 weights + 2 gradients + 4 master + 4 + 4 Adam moments",
                fmt::format("16 · {}", sci(rule.parameters)));
  train_memory.note = fmt::format(
      "the article's rule is 12 · p = {}, of which {} beyond the fp32 weights: it leaves the "
      "gradients out",
      si(rule.training_memory_article.raw(), "B"),
      si(rule.training_memory_article.raw() - 4 * rule.parameters, "B"));
  out.push_back(std::move(train_memory));
}

void explain_on(std::vector<Derivation>& out, const EstimateRequest& request,
                const EstimateResult& r, const Context& context) {
  const OnHardware& on = *r.on;
  const hardware::Accelerator& a = *on.accelerator;
  const auto n = static_cast<double>(on.count);
  if (r.rule.ideal_forward) {
    const double peak = r.rule.forward.raw() / (r.rule.ideal_forward->raw() * n);
    Derivation ideal =
        estimated("time at the datasheet peak", r.rule.ideal_forward->raw(), "s",
                  "forward FLOP / (peak · accelerators)",
                  fmt::format("{} / ({} · {})", sci(r.rule.forward.raw()), sci(peak), on.count),
                  {leaf("peak, dense " + r.dtype, peak, "FLOP/s", "fact", a.source, a.date)});
    ideal.note = "nothing reaches the datasheet peak";
    out.push_back(std::move(ideal));
  }
  if (r.rule.weight_read_per_token) {
    Derivation read = estimated(
        "reading the weights once, per token", r.rule.weight_read_per_token->raw(), "s",
        "weight bytes / (bandwidth · accelerators)",
        fmt::format("{} / ({} · {})", sci(r.rule.weights.raw()), sci(a.bandwidth.raw()), on.count),
        {leaf("memory bandwidth", a.bandwidth.raw(), "B/s", "fact", a.source, a.date)});
    read.note = fmt::format("at batch 1 every token reads every weight: 1,024 tokens take {} s{}",
                            significant(r.rule.weight_read_per_token->raw() * 1024, 4),
                            r.rule.ideal_forward && r.rule.tokens == 1024
                                ? fmt::format(", {} times the time at peak",
                                              significant(r.rule.weight_read_per_token->raw() *
                                                              1024 / r.rule.ideal_forward->raw(),
                                                          3))
                                : "");
    out.push_back(std::move(read));
  }
  if (on.decode_per_token) {
    Derivation decode =
        estimated("decode step", on.decode_per_token->raw(), "s",
                  "sum over operators of max-like roofline time, plus engine overhead", {});
    decode.source = context.engine().source;
    decode.date = context.engine().date;
    for (const cost::StepModel::OperatorTime& op : on.breakdown) {
      Derivation part = estimated(op.name, op.seconds.raw(), "s", {},
                                  fmt::format("{} x: {} and {} in all", shortest(op.count),
                                              si(op.flop.raw(), "FLOP"), si(op.bytes.raw(), "B")));
      part.note = fmt::format("bound by {}", cost::bound_name(op.bound));
      decode.inputs.push_back(std::move(part));
    }
    out.push_back(std::move(decode));
  }
  if (on.usd_per_million_output && on.price) {
    out.push_back(estimated(
        "cost per million output tokens", *on.usd_per_million_output, "USD",
        "step seconds · accelerators · price / batch / utilisation · 1e6",
        fmt::format("{} · {} · {} USD/h / 3,600 / {} / {} · 1e6", sci(on.decode_per_token->raw()),
                    on.count, shortest(on.price->in(kUsdPerHour)), shortest(r.batch),
                    shortest(request.utilisation)),
        {leaf("price per accelerator-hour", on.price->in(kUsdPerHour), "USD",
              request.price ? "assumption" : "fact",
              request.price ? on.price_origin : on.price_origin + "; " + on.price_source,
              on.price_date)}));
  }
  if (r.rule.cost_per_1000_tokens && on.price) {
    out.push_back(
        estimated("cost of 1,000 tokens, rule of thumb", r.rule.cost_per_1000_tokens->raw(), "USD",
                  "time at peak · price / utilisation · 1,000 / n",
                  fmt::format("{} · {} USD/h / 3,600 / {} · 1,000 / {}",
                              sci(r.rule.ideal_forward->raw()), shortest(on.price->in(kUsdPerHour)),
                              shortest(request.utilisation), sci(r.rule.tokens))));
    out.back().note = fmt::format(
        "{} USD for the whole {} tokens; published ranges mix spot and on-demand prices of "
        "different cards: see portolan validate article --errata",
        significant(r.rule.cost_per_1000_tokens->raw() * r.rule.tokens / 1000, 5),
        significant(r.rule.tokens, 6));
  }
  if (r.rule.training_time && r.rule.accelerator_hours) {
    const market::Constant& mfu = context.catalogue().constant("mfu");
    Derivation time =
        estimated("training time, rule of thumb", r.rule.training_time->raw(), "s",
                  "training FLOP / (peak · MFU · accelerators)",
                  fmt::format("{} / (peak · {} · {})", sci(r.rule.training->raw()),
                              shortest(r.rule.mfu), on.count),
                  {leaf("MFU", r.rule.mfu, "", "assumption",
                        request.mfu ? "--mfu" : fmt::format("{}: {}", mfu.note, mfu.source),
                        request.mfu ? "" : mfu.date)});
    time.note = fmt::format("{} accelerator-hours, {} years of 8,766 h",
                            significant(*r.rule.accelerator_hours, 6),
                            significant(*r.rule.training_time / kYear, 4));
    out.push_back(std::move(time));
    if (r.rule.training_cost && on.price) {
      Derivation cost = estimated("training cost, rule of thumb", r.rule.training_cost->raw(),
                                  "USD", "accelerator-hours · price",
                                  fmt::format("{} · {}", significant(*r.rule.accelerator_hours, 6),
                                              shortest(on.price->in(kUsdPerHour))));
      cost.note = fmt::format(
          "at $1.10 {} USD, at $4.10 {} USD; one finished run, not a programme with failed and "
          "trial runs",
          significant(*r.rule.accelerator_hours * 1.10, 6),
          significant(*r.rule.accelerator_hours * 4.10, 7));
      out.push_back(std::move(cost));
    }
  }
}

}  // namespace

std::vector<Derivation> explain_estimate(const EstimateRequest& request,
                                         const EstimateResult& result, const Context& context) {
  std::vector<Derivation> out;
  explain_rule(out, request, result, context);
  const double kv_element = result.kv_per_token.raw();
  out.push_back(estimated(
      "KV cache", result.memory.kv.raw(), "B",
      "batch · Σ layers 2 · kv heads · head dim · bytes · min(context, window); MLA keeps "
      "one latent",
      fmt::format("{} sequence(s) of {} tokens; {} B per token before any window is full",
                  shortest(result.batch), significant(result.context_tokens, 7),
                  significant(kv_element, 9))));
  out.push_back(estimated("prefill FLOP", result.operators.prefill.raw(), "FLOP",
                          "Σ operators 2mnk + attention over causal pairs",
                          fmt::format("{} tokens", significant(result.prompt_tokens, 6))));
  if (result.on) explain_on(out, request, result, context);
  return out;
}

}  // namespace portolan::app
