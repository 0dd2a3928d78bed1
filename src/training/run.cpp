#include "training/run.hpp"

#include <fmt/format.h>

#include "training/tables.hpp"

namespace portolan::training {

std::string_view recompute_name(Recompute recompute) {
  switch (recompute) {
    case Recompute::kNone:
      return "none";
    case Recompute::kSelective:
      return "selective";
    case Recompute::kFull:
      return "full";
  }
  return "unknown";
}

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kFull:
      return "full";
    case Method::kLora:
      return "lora";
    case Method::kQlora:
      return "qlora";
  }
  return "unknown";
}

std::string_view schedule_name(Schedule schedule) {
  switch (schedule) {
    case Schedule::k1F1B:
      return "1f1b";
    case Schedule::kZeroBubble1:
      return "zero-bubble-1";
    case Schedule::kZeroBubble2:
      return "zero-bubble-2";
  }
  return "unknown";
}

std::string_view optimizer_name(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::kAdamMixed:
      return "adam";
    case Optimizer::kAdamFp32:
      return "adam-fp32";
    case Optimizer::kAdam8bit:
      return "adam-8bit";
    case Optimizer::kSgd:
      return "sgd";
    case Optimizer::kAdamMegatron:
      return "adam-fp32-gradients";
    case Optimizer::kAdamBf16:
      return "adam-bf16";
    case Optimizer::kAdafactor:
      return "adafactor";
    case Optimizer::kLion:
      return "lion";
    case Optimizer::kMuon:
      return "muon";
    case Optimizer::kAdamDeepspeed:
      return "adam-deepspeed";
    case Optimizer::kAdamDeepspeedBf16:
      return "adam-deepspeed-bf16";
  }
  return "unknown";
}

std::optional<RunEstimate> Trainer::evaluate(const Strategy& s, std::int64_t nodes) const {
  const Compiled& c = *compiled_;
  const std::int64_t accelerators = nodes * c.machine.node.count;
  if (!c.legal(s, accelerators)) return std::nullopt;
  const Sharding& sharding = *c.sharding(s.tp);
  const StageSet stages = c.stage_set(s.pp, s.virtual_stages);
  const LayerSet layers =
      c.layer_sets(sharding, s.cp, s.ep, s.microbatch)[static_cast<std::size_t>(s.recompute)];
  const StateSet states = c.state_set(sharding, stages, s.cp, s.ep, s.dp, s.zero, s.shard);
  return c.finish(s, c.combine(stages, layers, states, c.microbatches(s.dp, s.microbatch), s.zero,
                               static_cast<int>(accelerators), s.schedule));
}

const cost::Machine& Trainer::machine() const { return compiled_->machine; }
const Job& Trainer::job() const { return compiled_->job; }
Bytes Trainer::usable() const { return Bytes{compiled_->usable()}; }

std::string strategy_text(const Strategy& s) {
  std::string text;
  const auto add = [&](std::string_view name, int degree) {
    if (degree > 1) text += fmt::format("{}{}{}", text.empty() ? "" : " ", name, degree);
  };
  add("tp", s.tp);
  add("pp", s.pp);
  add("cp", s.cp);
  add("ep", s.ep);
  add("dp", s.dp);
  if (s.zero > 0 && s.dp * s.cp > 1)
    text += fmt::format("{}zero{}", text.empty() ? "" : " ", s.zero);
  add("shard", s.shard);
  add("v", s.virtual_stages);
  if (s.schedule != Schedule::k1F1B)
    text += fmt::format("{}{}", text.empty() ? "" : " ", schedule_name(s.schedule));
  text += fmt::format("{}mb{}", text.empty() ? "" : " ", s.microbatch);
  if (s.recompute != Recompute::kNone)
    text += fmt::format(" {} recompute", recompute_name(s.recompute));
  return text;
}

cost::ErrorBand step_band(const cost::Machine& machine) {
  switch (machine.tier) {
    case cost::Tier::kMeasured:
    case cost::Tier::kSibling:
    case cost::Tier::kCeiling:
      return {0.85, 1.18};
    case cost::Tier::kTransferred:
      return {0.80, 1.25};
    default:
      return machine.band;
  }
}

std::string nearest_miss(const Trainer::Search& search) {
  if (search.best || search.smallest_memory.raw() <= 0) return {};
  return fmt::format("needs {:.1f} GB of {:.1f} GB at {}", search.smallest_memory.in(kGB),
                     search.usable.in(kGB), strategy_text(search.leanest));
}

}  // namespace portolan::training
