// Developer check of the closed form against published training steps; prints errors by framework.
//   training_measured FOLDER [--rows]     FOLDER holds training/training_measured.csv and
//   training_memory_measured.csv
// Not a test: the measured tables are not part of the repository.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "hardware/tables.hpp"
#include "io/text_formats.hpp"
#include "model/count.hpp"
#include "model/operators.hpp"
#include "training/run.hpp"

namespace portolan::training {
namespace {

struct Row {
  const io::CsvTable* csv;
  std::size_t index;
  std::string operator[](std::string_view column) const {
    const int c = csv->column(column);
    return c < 0 ? std::string() : csv->rows[index][static_cast<std::size_t>(c)];
  }
  double number(std::string_view column, double otherwise = 0) const {
    return parse_double((*this)[column]).value_or(otherwise);
  }
  std::int64_t whole(std::string_view column, std::int64_t otherwise = 0) const {
    return std::llround(number(column, static_cast<double>(otherwise)));
  }
};

std::optional<io::CsvTable> table(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::nullopt;
  auto parsed = io::parse_csv(*text, path);
  if (!parsed) return std::nullopt;
  return std::move(*parsed);
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The architecture a row describes; nullopt for what its columns cannot say (hybrids, sparse
/// attention).
std::optional<model::Architecture> architecture_of(const Row& row) {
  const std::string attention = row["attention"];
  if (holds(attention, "hybrid") || holds(attention, "sparse") || row["layers"].empty() ||
      row["hidden"].empty())
    return std::nullopt;
  model::Architecture a;
  a.hidden = row.whole("hidden");
  a.vocab = row.whole("vocab", 51200);
  const std::int64_t layers = row.whole("layers"), heads = row.whole("heads", a.hidden / 128),
                     ffn = row.whole("ffn", 4 * a.hidden);
  model::LayerRun run{.count = layers, .mixer = {}, .channel = {}};
  run.mixer.kind = model::MixerKind::kAttention;
  run.mixer.heads = heads;
  run.mixer.kv_heads = row.whole("kv_heads", heads);
  run.mixer.head_dim = run.mixer.v_head_dim = a.hidden / heads;
  const bool moe = row.whole("moe_experts") > 0;
  if (moe && a.hidden / heads < 64) run.mixer.head_dim = run.mixer.v_head_dim = 64;
  if (moe && row.whole("moe_experts") == 128 && a.hidden != 2880)
    run.mixer.head_dim = run.mixer.v_head_dim = 128;
  const bool plain = ffn == 4 * a.hidden && !moe;
  run.channel.kind = model::ChannelKind::kMlp;
  run.channel.width = ffn;
  run.channel.gated = !plain;
  run.norm_parameters = (plain ? 4 : 2) * a.hidden;
  a.layers = {run};
  if (attention == "MLA") {
    model::Mixer m;
    m.kind = model::MixerKind::kMla;
    m.heads = heads;
    m.q_rank = 1536, m.kv_rank = 512, m.nope_dim = 128, m.rope_dim = 64, m.v_head_dim = 128,
    m.head_dim = 192;
    a.layers.front().mixer = m;
  }
  if (moe) {
    model::Channel& c = a.layers.front().channel;
    c.kind = model::ChannelKind::kMoe;
    c.width = 0;
    c.experts = row.whole("moe_experts");
    c.top_k = row.whole("moe_topk");
    c.expert_width = row.whole("moe_ffn", ffn);
    c.shared_experts = row.whole("moe_shared");
    c.shared_width = c.shared_experts * c.expert_width;
    if (attention == "MLA") {  // DeepSeek-V3 3 dense layers, Kimi-K2 1
      model::LayerRun dense = a.layers.front();
      dense.count = c.experts == 256 ? 3 : 1;
      dense.channel = {.kind = model::ChannelKind::kMlp, .width = 18432, .gated = true};
      a.layers.front().count -= dense.count;
      a.layers.insert(a.layers.begin(), dense);
    }
  }
  if (holds(attention, "window")) {
    model::LayerRun window = a.layers.front();
    window.count = 1;
    window.mixer.window = 128;
    a.layers.front().count = 1;
    const model::LayerRun full = a.layers.front();
    a.layers.clear();
    for (std::int64_t i = 0; i < layers; ++i) a.layers.push_back(i % 2 == 0 ? window : full);
  }
  a.embedding_parameters = a.vocab * a.hidden;
  a.tied_embeddings = plain;
  a.head_parameters = plain ? 0 : a.embedding_parameters;
  a.other_parameters = a.hidden;
  return a;
}

struct Setting {
  Strategy strategy;
  Job job;
  std::int64_t nodes = 1;
  cost::Machine machine;
};

std::optional<Setting> setting_of(const Row& row, const hardware::Accelerators& accelerators,
                                  bool assume = false) {
  std::string gpu = row["gpu"];
  if (gpu == "A100") gpu = "A100-80GB";
  if (gpu == "H100-96GB") gpu = "H100-80GB";
  std::string id = gpu == "A100-80GB"   ? "a100-sxm-80gb"
                   : gpu == "A100-40GB" ? "a100-sxm-40gb"
                   : gpu == "H100-80GB" ? "h100-sxm-80gb"
                   : gpu == "V100-32GB" ? "v100-sxm2-32gb"
                   : gpu == "H200"      ? "h200-sxm-141gb"
                   : gpu == "B200"      ? "b200-sxm-180gb"
                   : gpu == "RTX4090"   ? "rtx-4090"
                   : gpu == "A6000"     ? "rtx-a6000"
                   : gpu == "B300"      ? "b300-sxm-288gb"
                   : gpu == "MI300X"    ? "mi300x-192gb"
                   : gpu == "MI325X"    ? "mi325x-256gb"
                                        : to_lower(gpu);
  const hardware::Accelerator* accelerator = accelerators.by_id(id);
  if (accelerator == nullptr) return std::nullopt;
  Setting s;
  const std::int64_t gpus = row.whole("gpus");
  hardware::Node node{
      .accelerator = accelerator,
      .count = std::min<std::int64_t>(gpus, holds(gpu, "GB") && gpu[0] == 'G' ? 4 : 8),
      .link = accelerator->link,
      .link_per_direction = accelerator->link_per_direction,
      .link_domain = accelerator->link_domain,
      .network = {},
      .vcpus = {},
      .host_memory = {}};
  node.link_domain = std::min(node.link_domain, std::max<std::int64_t>(gpus, 1));
  // NIC per accelerator of the clusters in the tables: 12.5 GB/s (the row says "A100"), 25 HDR200
  // for A100, 50 for Hopper and later. Jean Zay, where BLOOM ran, has four 100 Gbit/s ports for
  // eight accelerators.
  const double nic = row["gpu"] == "A100"                       ? 12.5
                     : row["framework"] == "Megatron-DeepSpeed" ? 6.25
                     : id[0] == 'a'                             ? 25
                                                                : 50;
  node.network.per_accelerator = nic * kGBPerSecond;
  node.network.rdma = true;
  if (gpus % node.count != 0) return std::nullopt;
  s.nodes = gpus / node.count;
  auto machine = cost::make_machine(node);
  if (!machine) return std::nullopt;
  s.machine = *machine;

  Strategy& t = s.strategy;
  if (!assume && (row["tp"].empty() || row["pp"].empty())) return std::nullopt;
  t.tp = static_cast<int>(row.whole("tp", 1));
  t.pp = static_cast<int>(row.whole("pp", 1));
  t.cp = static_cast<int>(row.whole("cp", 1));
  t.ep = static_cast<int>(row.whole("ep", 1));
  t.dp = static_cast<int>(gpus / (t.tp * t.pp * t.cp));
  t.microbatch = static_cast<int>(row.whole("microbatch", 1));
  t.virtual_stages = static_cast<int>(row.whole("vpp", 1));
  const std::string zero = row["fsdp_or_zero"] + row["zero"], recompute = row["recompute"],
                    framework = row["framework"];
  t.zero = holds(zero, "ZeRO-3") || holds(zero, "FSDP ") || holds(zero, "FSDP2") || zero == "3" ? 3
           : holds(zero, "ZeRO-2") || zero == "2"                                               ? 2
           : holds(zero, "ZeRO-1") || zero == "1"                                               ? 1
                                                                                                : 0;
  t.recompute =
      holds(recompute, "full") || (framework == "Megatron-DeepSpeed" && holds(recompute, "vTrain"))
          ? Recompute::kFull
      : holds(recompute, "selective") ? Recompute::kSelective
                                      : Recompute::kNone;
  std::string precision = to_lower(row["precision"]);
  if (precision.empty() && machine->rate(model::Compute::kFp8).peak.raw() > 0)
    precision = "fp8";  // the usual recipe of such rows
  s.job.compute = holds(precision, "nvfp4") ? model::Compute::kFp4
                  : holds(precision, "fp8") ? model::Compute::kFp8
                                            : model::Compute::kBf16;
  s.job.method = row["task"] == "qlora" || !row["quant"].empty() ? Method::kQlora
                 : row["task"] == "lora"                         ? Method::kLora
                                                                 : Method::kFull;
  s.job.tokens = 1e12;
  s.job.sequence = row.number("seq_len");
  s.job.global_batch_tokens = row.number("global_batch", t.dp * t.microbatch) * s.job.sequence;
  const bool old = holds(framework, "Megatron-LM") || holds(framework, "Megatron-DeepSpeed") ||
                   holds(framework, "DeepSpeed ZeRO");
  if (zero.starts_with("FSDP")) t.zero = 3;
  const bool eager = framework == "torchtune" || framework == "LitGPT" ||
                     framework == "torchtitan" || holds(framework, "llm-foundry");
  s.job.stack = old ? unfused_stack() : eager ? eager_stack() : fused_stack();
  if (holds(recompute, "sequence-parallel")) s.job.stack.sequence_parallel = true;
  s.job.optimizer = holds(framework, "Megatron") ? Optimizer::kAdamMegatron : Optimizer::kAdamMixed;
  if (framework == "Megatron-DeepSpeed" && precision == "bf16")
    s.job.optimizer = Optimizer::kAdamDeepspeedBf16;
  if (row["optimizer"] == "AdamW8bit")
    s.job.optimizer = Optimizer::kAdam8bit;
  else if (framework == "torchtune")
    s.job.optimizer = Optimizer::kAdamBf16;
  if (framework == "torchtitan") s.job.optimizer = Optimizer::kAdamFp32;
  if (holds(framework, "llm-foundry")) s.job.optimizer = Optimizer::kAdamBf16;
  return s;
}

std::string family(const Row& row) {
  std::string f = row["framework"];
  for (const char* name : {"MLPerf", "Megatron-Bridge", "NeMo", "llm-foundry"}) {
    if (f.starts_with(name)) f = name;
  }
  if (f == "Megatron-DeepSpeed")
    f = row["gpu"] == "A100-80GB" ? "Megatron-DeepSpeed BLOOM"
        : row.whole("gpus") <= 8  ? "vTrain single"
                                  : "vTrain multi";
  return f + (row.whole("moe_experts") > 0 ? " MoE" : "") + (row["task"] == "lora" ? " lora" : "") +
         (row["precision"].empty()    ? " (precision not stated)"
          : row["microbatch"].empty() ? " (microbatch not stated)"
                                      : "");
}

/// Model FLOP of a step in the counter of the frameworks that publish TFLOP/s alone: the whole
/// square of attention, layers `passes` times, logits three times (arXiv 2104.04473 eq. 3).
double counted_flop(const model::Architecture& a, double sequence, double sequences,
                    double passes) {
  const double all = model::prefill_flop(a, sequence, 0, sequence).raw(),
               logits = 2 * sequence * static_cast<double>(a.hidden * a.vocab);
  double half = 0;
  for (const model::LayerRun& run : a.layers) {
    half += static_cast<double>(run.count * run.mixer.heads *
                                (run.mixer.head_dim + run.mixer.v_head_dim)) *
            sequence * (sequence - 1);
  }
  return sequences * (passes * (all - logits + half) + 3 * logits);
}

struct Group {
  std::vector<double> ratio, naive;
  std::size_t rows = 0;
};

void print(const std::map<std::string, Group>& groups) {
  for (const auto& [name, g] : groups) {
    if (g.ratio.empty()) {
      fmt::print("{:44} {:5} rows, none scored\n", name, g.rows);
      continue;
    }
    std::vector<double> ape, ratio = g.ratio, naive;
    double sum = 0;
    for (const double r : g.ratio) ape.push_back(std::abs(r - 1)), sum += std::abs(r - 1);
    for (const double r : g.naive) naive.push_back(std::abs(r - 1));
    std::sort(ape.begin(), ape.end());
    std::sort(ratio.begin(), ratio.end());
    std::sort(naive.begin(), naive.end());
    const std::size_t n = ape.size();
    fmt::print(
        "{:44} {:5} of {:5}  median APE {:5.1f} %  mean {:5.1f}  p90 {:6.1f}  ratio p10 {:.2f} p50 "
        "{:.2f} p90 {:.2f}{}\n",
        name, n, g.rows, 100 * ape[n / 2], 100 * sum / static_cast<double>(n),
        100 * ape[n * 9 / 10], ratio[n / 10], ratio[n / 2], ratio[n * 9 / 10],
        naive.empty()
            ? ""
            : fmt::format("  (8ND or 6ND at 40 %: median {:.1f})", 100 * naive[naive.size() / 2]));
  }
}

void step_times(const io::CsvTable& csv, const hardware::Accelerators& accelerators, bool rows) {
  std::map<std::string, Group> groups;
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    const Row row{&csv, i};
    Group& group = groups[family(row)];
    ++group.rows;
    double measured = row.number("step_time_s");
    if (measured <= 0 && row.number("tokens_s_gpu") > 0)
      measured = row.number("global_batch") * row.number("seq_len") /
                 (row.number("tokens_s_gpu") * row.number("gpus"));
    const auto architecture = architecture_of(row);
    if (architecture && measured <= 0 && row.number("tflops_gpu") > 0) {
      const double passes = row["tflops_kind"].starts_with("hardware") ? 4 : 3;
      measured =
          counted_flop(*architecture, row.number("seq_len"), row.number("global_batch"), passes) /
          (row.number("tflops_gpu") * 1e12 * row.number("gpus"));
    }
    if (!(measured > 0)) continue;
    const auto setting = architecture ? setting_of(row, accelerators) : std::nullopt;
    if (!setting) continue;
    const auto trainer = Trainer::compile(*architecture, setting->machine, setting->job);
    if (!trainer) continue;
    auto run = trainer->evaluate(setting->strategy, setting->nodes);
    if (row["microbatch"].empty()) {
      for (const int b : {2, 4, 8, 16}) {
        Strategy other = setting->strategy;
        other.microbatch = b;
        const auto candidate = trainer->evaluate(other, setting->nodes);
        if (candidate && candidate->memory.total() <= trainer->usable() &&
            (!run || candidate->step < run->step))
          run = candidate;
      }
    }
    if (!run) continue;
    const double predicted = run->step.raw();
    group.ratio.push_back(predicted / measured);
    const double passes = setting->strategy.recompute == Recompute::kFull ? 8 : 6;
    const auto active = static_cast<double>(model::count_parameters(*architecture).active);
    group.naive.push_back(
        passes * active * run->batch_tokens /
        (0.4 * setting->machine.rate(setting->job.compute).peak.raw() * row.number("gpus")) /
        measured);
    if (rows) {
      fmt::print(
          "{:5} {:28} {:10} L{} h{} s{} {} gb{} {} measured {:.3f} predicted {:.3f} ratio {:.2f} | "
          "compute {:.0f}% bubble {:.0f}% comm {:.0f}% update {:.0f}% host {:.0f}% mem {:.0f} GB\n",
          row["id"], family(row), row["gpu"], row["layers"], row["hidden"], row["seq_len"],
          strategy_text(setting->strategy), row["global_batch"], row["precision"], measured,
          predicted, predicted / measured, 100 * (run->compute / run->step),
          100 * (run->bubble / run->step), 100 * (run->exposed_communication / run->step),
          100 * (run->optimizer_update / run->step), 100 * (run->host / run->step),
          run->memory.total().in(kGB));
    }
  }
  print(groups);
}

void memories(const io::CsvTable& csv, const hardware::Accelerators& accelerators, bool rows) {
  std::map<std::string, Group> groups;
  std::size_t overflowing = 0, refused = 0;
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    const Row row{&csv, i};
    if (holds(row["mem_kind"], "analytic")) continue;  // goldens of the unit tests
    const bool out_of_memory = row["mem_per_gpu"] == "OOM";
    overflowing += out_of_memory;
    Group& group = groups[row["framework"] + (row["task"] == "pretrain" ? "" : " " + row["task"])];
    ++group.rows;
    const auto architecture = architecture_of(row);
    auto setting = architecture ? setting_of(row, accelerators, true) : std::nullopt;
    if (!setting || row["recompute"] == "full+offload") continue;
    if (row["framework"] == "torchtune" && row["recompute"].empty())
      setting->strategy.recompute = Recompute::kFull;
    const auto trainer = Trainer::compile(*architecture, setting->machine, setting->job);
    const auto run = trainer ? trainer->evaluate(setting->strategy, setting->nodes) : std::nullopt;
    if (!run) continue;
    // nvidia-smi counts the context and what the allocator reserves, "peak" of a framework does
    // not.
    const bool whole = holds(row["mem_kind"], "nodes") || holds(row["mem_kind"], "RAM");
    const Bytes predicted =
        whole ? run->memory.total() : run->memory.total() - run->memory.overhead;
    if (out_of_memory) refused += predicted > trainer->usable();
    const Bytes measured = row.number("mem_per_gpu") * (row["unit"] == "GiB" ? kGiB : kGB);
    if (measured.raw() > 0) group.ratio.push_back(predicted / measured);
    if (rows) {
      const TrainingMemory& m = run->memory;
      fmt::print(
          "{:5} {:24} L{} h{} s{} {} {} measured {} GB predicted {:.1f} GB: weights {:.1f} "
          "gradients {:.1f} optimizer {:.1f} activations {:.1f} logits {:.1f} overhead {:.1f}\n",
          row["id"], row["framework"] + " " + row["task"], row["layers"], row["hidden"],
          row["seq_len"], strategy_text(setting->strategy), row["gpu"],
          out_of_memory ? "OOM" : fmt::format("{:.1f}", measured.in(kGB)), predicted.in(kGB),
          m.weights.in(kGB), m.gradients.in(kGB), m.optimizer.in(kGB), m.activations.in(kGB),
          m.logits.in(kGB), m.overhead.in(kGB));
    }
  }
  print(groups);
  fmt::print(
      "out of memory: {} of {} rows predicted above the accelerator's memory (others lack "
      "dimensions)\n",
      refused, overflowing);
}

}  // namespace
}  // namespace portolan::training

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc < 2) {
    fmt::print(stderr, "usage: training_measured FOLDER [--rows]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const auto text = read_file(std::string(PORTOLAN_SOURCE_DIR) + "/data/accelerators.csv");
  auto accelerators = hardware::read_accelerators(*text, "accelerators.csv");
  const auto all = hardware::Accelerators::from_tables(std::move(*accelerators), {});
  const auto steps = training::table(folder + "/training/training_measured.csv");
  if (!steps || !all) {
    fmt::print(stderr, "cannot read the tables under {}\n", folder);
    return 4;
  }
  training::step_times(*steps, *all, argc > 2);
  const auto memory = training::table(folder + "/training/training_memory_measured.csv");
  if (memory) training::memories(*memory, *all, argc > 2);
}
