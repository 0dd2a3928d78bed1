#include "training/rules.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace portolan::training {
namespace {

constexpr const char* kScaling = "arXiv 2001.08361 §2.1";
constexpr const char* kScalingDate = "2020-01-23";

Derivation figure(std::string name, double value, std::string unit, std::string kind,
                  std::string source = {}, std::string date = {}) {
  Derivation d;
  d.name = std::move(name);
  d.value = value;
  d.unit = std::move(unit);
  d.kind = std::move(kind);
  d.source = std::move(source);
  d.date = std::move(date);
  return d;
}

}  // namespace

Derivation explain_training_rule(double parameters, double tokens, FlopPerSecond peak, double mfu,
                                 std::optional<UsdRate> price) {
  const Flop work = rule_training(parameters, tokens);
  const Seconds time = rule_accelerator_time(work, peak, mfu);

  Derivation flop = figure("training FLOP", work.raw(), "FLOP", "estimate", kScaling, kScalingDate);
  flop.formula = "6 · p · D";
  flop.substituted = fmt::format("6 · {} · {}", significant(parameters, 4), significant(tokens, 4));
  flop.note = "2 forward, 4 backward; 8 · p · D with full activation recomputation";
  flop.inputs = {figure("parameters p", parameters, "", "fact"),
                 figure("tokens D", tokens, "", "assumption")};

  Derivation hours = figure("accelerator-hours", time.in(kHour), "h", "estimate");
  hours.formula = "FLOP ÷ (peak · MFU)";
  hours.substituted = fmt::format("{} ÷ ({} · {})", si(work.raw(), "FLOP"),
                                  si(peak.raw(), "FLOP/s"), significant(mfu, 4));
  hours.note = fmt::format("{} years on one accelerator", significant(time / kYear, 4));
  hours.inputs = {std::move(flop), figure("dense peak", peak.raw(), "FLOP/s", "fact"),
                  mfu == kMedianPublishedMfu
                      ? figure("MFU", mfu, "", "assumption",
                               "Epoch AI, median of 33 published runs", "2026-04-01")
                      : figure("MFU", mfu, "", "assumption")};
  if (!price) return hours;

  Derivation money = figure("cost of the run", (time * *price).raw(), "USD", "estimate");
  money.formula = "accelerator-hours · price";
  money.substituted = fmt::format("{} h · {} USD/h", significant(time.in(kHour), 6),
                                  significant(price->in(kUsdPerHour), 4));
  money.inputs = {std::move(hours),
                  figure("price per accelerator", price->in(kUsdPerHour), "USD/h", "assumption")};
  return money;
}

std::vector<TrainableSize> largest_trainable(Bytes memory) {
  struct Row {
    const char* recipe;
    double bytes;
    const char* note;
  };
  constexpr Row kRows[] = {
      {"full, article's rule", kArticleBytesPerParameter,
       "fp32 weights and two moments; leaves gradients and activations out"},
      {"full, fp32 Adam", state_bytes_per_parameter(Optimizer::kAdamFp32),
       "4 weights + 4 gradients + 8 moments, before activations"},
      {"full, mixed precision Adam", state_bytes_per_parameter(Optimizer::kAdamMixed),
       "2 weights + 2 gradients + 4 master + 8 moments, before activations"},
      {"full, bf16 Adam", state_bytes_per_parameter(Optimizer::kAdamBf16),
       "2 weights + 2 gradients + 4 moments; rounding hurts long runs"},
      {"full, 8-bit Adam", state_bytes_per_parameter(Optimizer::kAdam8bit),
       "2 weights + 2 gradients + 2 moments, no master copy"},
      {"LoRA on 16-bit weights", kLoraBaseBytesPerParameter,
       "the frozen base alone; adapters and activations come on top"},
      {"QLoRA on NF4 weights", kQloraBaseBytesPerParameter,
       "the frozen base alone, embeddings counted at NF4 too; adapters and activations come on "
       "top"},
  };
  std::vector<TrainableSize> sizes;
  for (const Row& row : kRows)
    sizes.push_back(
        {row.recipe, row.bytes, largest_trainable_parameters(memory, row.bytes), row.note});
  return sizes;
}

}  // namespace portolan::training
