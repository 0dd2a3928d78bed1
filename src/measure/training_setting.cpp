#include "measure/training_setting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>
#include <tuple>

#include "base/text.hpp"
#include "training/stack.hpp"

namespace portolan::measure {
namespace {

using training::Method;
using training::Optimizer;
using training::Recompute;
using training::Scaling;
using training::Strategy;

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The number that ends right before `at`, blanks between allowed; 0 when there is none.
double number_before(const std::string& text, std::size_t at) {
  std::size_t end = at;
  while (end > 0 && text[end - 1] == ' ') --end;
  std::size_t begin = end;
  while (begin > 0 && (std::isdigit(static_cast<unsigned char>(text[begin - 1])) != 0)) --begin;
  return parse_double(std::string_view(text).substr(begin, end - begin)).value_or(0);
}

/// The network between nodes, one direction of one accelerator in GB/s. What the notes say comes
/// first ("400Gb/s per GPU", "8 GPUs/node, 800 Gb/s"); else the usual ports of the generation: four
/// of 100 Gbit/s for eight V100 or for the A100 of Jean Zay, HDR 200 for other A100, 400 Gbit/s
/// from Hopper on.
double network_gb(const TableRow& row, const hardware::Accelerator& accelerator,
                  std::int64_t per_node) {
  const std::string notes = to_lower(row.text("notes"));
  for (std::size_t at = notes.find("gb/s"); at != std::string::npos;
       at = notes.find("gb/s", at + 1)) {
    // Lower case has made Gb of GB; every network in the tables is given in bits.
    const double bits = number_before(notes, at);
    if (bits <= 0) continue;
    const bool each = notes.compare(at, 12, "gb/s per gpu") == 0;
    return bits / 8 / (each ? 1.0 : static_cast<double>(per_node));
  }
  const bool many = row.whole_or("gpus", 1) > per_node;
  if (accelerator.architecture == "volta" ||
      (many && row.text("framework") == "Megatron-DeepSpeed"))
    return 6.25;
  return accelerator.architecture == "ampere" ? 25 : 50;
}

/// The part as the row has it: another memory than the label's, a lowered power limit ("500W power
/// limit").
hardware::Accelerator part_of(const TableRow& row, const hardware::Accelerator& known) {
  hardware::Accelerator part = known;
  if (const double gb = row.number_or("gpu_mem_gb", 0);
      gb > 0 && std::abs(gb * 1e9 / known.memory_label_bytes.raw() - 1) > 0.05)
    part.memory = gb * kGB;
  const std::string& notes = row.text("notes");
  if (const std::size_t at = notes.find("W power limit"); at != std::string::npos && part.tdp) {
    const double share = number_before(notes, at) / part.tdp->raw();
    // Dynamic power falls with about the cube of the clock near the top and the square below it:
    // rate with the 0.45th power (A100 SXM 400 W against PCIe 300 W: 271 and 253 TFLOP/s sustained
    // is the flat end, 0.24).
    constexpr double kRateOverPower = 0.45;
    if (share > 0 && share < 1) {
      const double factor = std::pow(share, kRateOverPower);
      if (part.measured_bf16) part.measured_bf16 = *part.measured_bf16 * factor;
      if (part.measured_fp8) part.measured_fp8 = *part.measured_fp8 * factor;
    }
  }
  return part;
}

Optimizer optimizer_of(const TableRow& row, const std::string& framework,
                       const std::string& precision) {
  if (row.text("optimizer") == "AdamW8bit") return Optimizer::kAdam8bit;
  if (framework == "Megatron-DeepSpeed") {
    // DeepSpeed's BF16 optimizer, which accumulates in fp32, is of the last days of February 2022.
    return precision == "bf16" && row.text("date") >= "2022-02-26" ? Optimizer::kAdamDeepspeedBf16
                                                                   : Optimizer::kAdamDeepspeed;
  }
  if (holds(framework, "Megatron")) return Optimizer::kAdamMegatron;
  if (framework == "torchtune" || holds(framework, "llm-foundry") || holds(framework, "LitGPT"))
    return Optimizer::kAdamBf16;
  if (framework == "torchtitan") return Optimizer::kAdamFp32;
  return Optimizer::kAdamMixed;
}

int zero_stage(const std::string& text) {
  if (text.starts_with("FSDP") || holds(text, "ZeRO-3") || text == "3") return 3;
  if (holds(text, "ZeRO-2") || text == "2") return 2;
  if (holds(text, "ZeRO-1") || holds(text, "distributed optimizer") || text == "1") return 1;
  return 0;
}

/// A precision as arithmetic; empty = what the accelerator's recipes use: 8 bit where it has it.
model::Compute compute_of(const std::string& precision, const cost::Machine& machine) {
  if (holds(precision, "fp4")) return model::Compute::kFp4;
  if (holds(precision, "fp8")) return model::Compute::kFp8;
  const bool eight = machine.rate(model::Compute::kFp8).peak.raw() > 0;
  return precision.empty() && eight ? model::Compute::kFp8 : model::Compute::kBf16;
}

Scaling scaling_of(const std::string& precision, const std::string& notes) {
  if (holds(precision, "mx") || holds(precision, "nvfp4")) return Scaling::kMicro;
  if (holds(precision, "block") || holds(precision, "-sc")) return Scaling::kBlock;
  if (holds(precision, "row") || holds(notes, "rowwise")) return Scaling::kRow;
  return Scaling::kTensor;
}

/// torchtune's table adds one saving after another and names the last ("+compile (cumulative)"): a
/// row has all up to it.
void apply_ladder(const TableRow& row, training::Stack& stack) {
  static constexpr std::array kLadder = {"+packed",         "+compile",
                                         "+chunked",        "+activation checkpointing",
                                         "+optimizer step", "+activation offload",
                                         "+8-bit"};
  const std::string& notes = row.text("notes");
  for (std::size_t i = 0; i < kLadder.size(); ++i) {
    if (!holds(notes, kLadder[i])) continue;
    if (i < 2) stack.logit_bytes = training::kWholeLogitBytes;
    stack.optimizer_in_backward = i >= 4;
    stack.offloads_activations = i >= 5;
  }
  if (holds(row.text("recompute"), "offload")) stack.offloads_activations = true;
}

}  // namespace

const training::Stack& stack_of(const TableRow& row) {
  const std::string &framework = row.text("framework"), &notes = row.text("notes");
  struct Known {
    std::string_view part, stack;
  };
  static constexpr std::array kKnown = {Known{"ZeRO-3", "deepspeed-zero3-2021"},
                                        Known{"Megatron-LM", "megatron-2021"},
                                        Known{"Megatron-Core", "megatron-core-2024"},
                                        Known{"NeMo 24", "megatron-core-2024"},
                                        Known{"torchtune", "torchtune-2024"},

                                        Known{"llm-foundry", "fsdp-2023"},
                                        Known{"nanotron", "fsdp-2023"},
                                        Known{"MaxText", "megatron-core-2024"}};
  std::string_view name = "megatron-bridge-2026";
  if (const std::size_t at = framework.rfind(' '); holds(framework, "Bridge")) {
    const std::string version = at == std::string::npos ? "" : framework.substr(at + 1);
    if (version < "26") name = "megatron-bridge-2025";
    if (version >= "26.06") name = "megatron-bridge-2026-06";
  } else if (holds(framework, "NeMo 25")) {
    name = "megatron-bridge-2025";
  } else if (holds(framework, "MLPerf")) {
    name = "megatron-bridge-2026-06";  // tuned for the round: the fewest passes
  }
  if (framework == "Megatron-DeepSpeed") {
    const bool node = row.whole_or("gpus", 1) <= 8;
    name = row.text("date") < "2023" ? "megatron-deepspeed-2022"
           : node                    ? "megatron-deepspeed-2024-node"
                                     : "megatron-deepspeed-2024";
  } else if (framework == "torchtitan") {
    // Its fp8 and its asynchronous tensor parallelism need the compiler.
    const bool compiled = holds(notes, "compile") || holds(notes, "TP") ||
                          holds(to_lower(row.text("precision")), "fp8");
    name = compiled ? "torchtitan-compiled-2024" : "torchtitan-2024";
  } else if (holds(framework, "LitGPT")) {
    name = row.text("date") < "2024" ? "litgpt-2023" : "litgpt-2024";
  } else {
    for (const Known& known : kKnown) {
      if (holds(framework, known.part)) {
        name = known.stack;
        break;
      }
    }
  }
  const training::Stack* stack = training::find_stack(name);
  return stack != nullptr ? *stack : training::fused_stack();
}

std::optional<Setting> training_setting(const TableRow& row,
                                        const hardware::Accelerators& accelerators,
                                        std::string& reason) {
  const hardware::Accelerator* accelerator =
      training_accelerator(accelerators, row.text("gpu"), row.number_or("gpu_mem_gb", 0));
  if (accelerator == nullptr) {
    reason = fmt::format("unknown accelerator {}", quoted(row.text("gpu")));
    return std::nullopt;
  }
  Setting s;
  s.part = std::make_shared<const hardware::Accelerator>(part_of(row, *accelerator));
  accelerator = s.part.get();
  const std::int64_t gpus = std::max<std::int64_t>(1, row.whole_or("gpus", 1));
  // Racks with one domain of links are built of nodes of four.
  const std::int64_t full = accelerator->link_domain > 16 ? 4 : 8;
  hardware::Node node;
  node.accelerator = accelerator;
  node.count = std::min(gpus, full);
  while (gpus % node.count != 0) --node.count;
  node.link = accelerator->link;
  node.link_per_direction = accelerator->link_per_direction;
  node.link_domain = std::min(accelerator->link_domain, gpus);
  node.network.per_accelerator = network_gb(row, *accelerator, node.count) * kGBPerSecond;
  node.network.rdma = true;
  s.nodes = gpus / node.count;
  auto machine = cost::make_machine(node);
  if (!machine) {
    reason = machine.error().message;
    return std::nullopt;
  }
  s.machine = *machine;

  const std::string zero = row.text("fsdp_or_zero") + row.text("zero"),
                    framework = row.text("framework"), recompute = row.text("recompute"),
                    precision = to_lower(row.text("precision")),
                    notes = to_lower(row.text("notes"));
  Strategy& t = s.strategy;
  const bool degrees = row.has("tp") && row.has("pp");
  s.strategy_known = degrees || gpus == 1 || zero_stage(zero) == 3;
  s.precision_known = !precision.empty();
  s.microbatch_known = row.has("microbatch");
  t.tp = static_cast<int>(row.whole_or("tp", 1));
  t.pp = static_cast<int>(row.whole_or("pp", 1));
  t.cp = static_cast<int>(row.whole_or("cp", 1));
  t.ep = static_cast<int>(row.whole_or("ep", 1));
  if (const std::int64_t inner = std::int64_t{t.tp} * t.pp * t.cp; inner < 1 || gpus % inner != 0) {
    // Degrees that cannot be of so many accelerators say nothing.
    s.strategy_known = false;
    t.tp = t.pp = t.cp = 1;
  }
  const std::int64_t inner = std::int64_t{t.tp} * t.pp * t.cp;
  t.dp = static_cast<int>(gpus / inner);
  if (const double batch = row.number_or("global_batch", 0);
      batch >= 1 && t.dp > batch && std::fmod(t.dp, batch) == 0) {
    // More replicas than samples: the accelerators left over share the sequences.
    t.cp *= t.dp / static_cast<int>(batch);
    t.dp = static_cast<int>(batch);
  }
  t.microbatch = static_cast<int>(row.whole_or("microbatch", 1));
  t.virtual_stages = static_cast<int>(row.whole_or("vpp", 1));
  t.zero = zero_stage(zero);
  if (zero.empty() && holds(row.text("optimizer"), "distributed")) t.zero = 1;
  // Of these runs the papers say that layers were computed again, the tables only where to look.
  const bool elsewhere = framework == "Megatron-DeepSpeed" && holds(recompute, "vTrain");
  t.recompute = holds(recompute, "full") || elsewhere ? Recompute::kFull
                : holds(recompute, "selective")       ? Recompute::kSelective
                                                      : Recompute::kNone;
  // A launch file named "…_fp4.sh" says what the log does not.
  s.job.compute =
      compute_of(precision.empty() && holds(notes, "fp4") ? "fp4" : precision, s.machine);
  s.job.scaling = scaling_of(precision, notes);
  s.job.method = row.text("task") == "qlora" || row.has("quant") ? Method::kQlora
                 : row.text("task").starts_with("lora") || row.text("task").starts_with("adapter")
                     ? Method::kLora
                     : Method::kFull;
  s.job.tokens = 1e12;
  s.job.sequence = row.number_or("seq_len", 0);
  // Without a batch each replica has one microbatch.
  const double sequences = row.number_or("global_batch", static_cast<double>(t.dp) * t.microbatch);
  s.job.global_batch_tokens = sequences * s.job.sequence;
  s.job.stack = stack_of(row);
  if (holds(recompute, "sequence-parallel") || holds(recompute, "sequence parallel"))
    s.job.stack.sequence_parallel = true;
  // Asynchronous tensor parallelism hides exchange in the products (training.md §6: 1.06-1.16
  // times as fast).
  if (holds(notes, "async")) s.job.stack.tensor_overlap = training::kAsynchronousTensorOverlap;
  apply_ladder(row, s.job.stack);
  const std::string& date = row.text("date");
  // Releases between the stacks: the compiled loss of torchtitan 0.2 and the fp32 accumulators of
  // DeepSpeed's BF16 optimizer, whose flat buffers took 2.5 GB more (13 runs of 2022-02-28).
  if (framework == "torchtitan" && date >= "2025-06") s.job.stack.logit_bytes = 7;
  if (framework == "Megatron-DeepSpeed" && date >= "2022-02-26" && date < "2023")
    s.job.stack.context += 2.5 * kGB;
  // LitGPT's FSDP strategy always checkpoints activations.
  if (holds(framework, "LitGPT") && t.zero == 3) t.recompute = Recompute::kFull;
  s.stages_known = row.has("vpp") || t.pp == 1 || !s.job.stack.interleaves_unasked;
  s.job.optimizer = optimizer_of(row, framework, precision);
  return s;
}

std::optional<training::RunEstimate> predicted_run(const Setting& setting,
                                                   const training::Trainer& trainer) {
  if (!setting.strategy_known) {
    const auto search = trainer.search(setting.nodes);
    if (search.estimate) return search.estimate;
    return trainer.evaluate(search.leanest, setting.nodes);  // nothing fits: the least too large
  }
  auto best = trainer.evaluate(setting.strategy, setting.nodes);
  const auto consider = [&](const Strategy& other) {
    const auto candidate = trainer.evaluate(other, setting.nodes);
    if (candidate && candidate->memory.total() <= trainer.usable() &&
        (!best || candidate->step < best->step))
      best = candidate;
  };
  const int most_stages = setting.stages_known ? 1 : 16;
  const int most_sequences = setting.microbatch_known ? 1 : 16;
  for (int v = 1; v <= most_stages; ++v) {
    for (int b = 1; b <= most_sequences; b *= 2) {
      if (v == 1 && b == 1) continue;
      Strategy other = setting.strategy;
      if (!setting.stages_known) other.virtual_stages = v;
      if (!setting.microbatch_known) other.microbatch = b;
      consider(other);
    }
  }
  return best;
}

const hardware::Accelerator* training_accelerator(const hardware::Accelerators& accelerators,
                                                  const std::string& name, double memory_gb) {
  std::vector<const hardware::Accelerator*> found = accelerators.matching(name);
  // "H100-96GB" is no catalogue name, "H100" is; "GB300/GB200 class" begins with one.
  if (found.empty()) found = accelerators.matching(name.substr(0, name.rfind('-')));
  if (found.empty()) found = accelerators.matching(name.substr(0, name.find_first_of("/ ")));
  const auto key = [&](const hardware::Accelerator* a) {
    const double link = a->link_per_direction ? a->link_per_direction->raw() : 0;
    const double memory = a->memory_label_bytes.raw() / 1e9;
    return std::tuple(-a->link_domain, -link,
                      memory_gb > 0 ? std::abs(memory - memory_gb) : -memory,
                      std::string_view(a->id));
  };
  const auto best = std::min_element(found.begin(), found.end(),
                                     [&](auto* a, auto* b) { return key(a) < key(b); });
  return best == found.end() ? nullptr : *best;
}

std::string framework_family(const std::string& framework) {
  std::string family;
  for (std::string_view word : split(framework, ' ')) {
    const std::string_view digits =
        !word.empty() && (word.front() == 'v' || word.front() == 'r') ? word.substr(1) : word;
    const bool version =
        !digits.empty() && std::isdigit(static_cast<unsigned char>(digits.front())) != 0;
    if (!version && !word.empty()) family += (family.empty() ? "" : " ") + std::string(word);
  }
  return family;
}

}  // namespace portolan::measure
