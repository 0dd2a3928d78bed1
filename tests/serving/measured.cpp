// Developer check of the closed form against published serving measurements; prints median errors
// by group.
//   serving_measured FOLDER     FOLDER holds serving/*.csv and corpora/hf_configs
// Not a test: the measured tables are not part of the repository.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cost/memory.hpp"
#include "io/compression.hpp"
#include "io/text_formats.hpp"
#include "model/library.hpp"
#include "serving/steady_state.hpp"
#include "tests/cost/parts.hpp"

namespace portolan {
namespace {

// Share of the prompt that hits the prefix cache in the blis_s2r runs: one global nuisance
// parameter (unpublished).
constexpr double kCachedShare = 0.75;

struct Errors {
  std::vector<double> ratio;
  void add(double predicted, double measured) { ratio.push_back(predicted / measured); }
};
void print(const std::string& title, std::map<std::string, std::map<std::string, Errors>>& groups) {
  fmt::print("{}\n", title);
  for (auto& [name, metrics] : groups) {
    for (auto& [metric, errors] : metrics) {
      std::vector<double> ape, ratio = errors.ratio;
      for (const double r : errors.ratio) ape.push_back(std::abs(r - 1));
      std::sort(ape.begin(), ape.end());
      std::sort(ratio.begin(), ratio.end());
      const std::size_t n = ape.size();
      fmt::print(
          "  {:64} {:5} n {:4}  median APE {:6.1f} %  p90 {:7.1f} %  ratio p10 {:.2f} p50 {:.2f} "
          "p90 {:.2f}\n",
          name, metric, n, 100 * ape[n / 2], 100 * ape[n * 9 / 10], ratio[n / 10], ratio[n / 2],
          ratio[n * 9 / 10]);
    }
  }
}

std::optional<io::CsvTable> table(const std::string& path) {
  auto text = read_file(path);
  if (!text) return std::nullopt;
  auto plain = io::decompressed(std::move(*text), path);
  if (!plain) return std::nullopt;
  auto parsed = io::parse_csv(*plain, path);
  if (!parsed) return std::nullopt;
  return std::move(*parsed);
}

struct Row {
  const io::CsvTable& csv;
  std::size_t index;
  std::string operator[](std::string_view column) const {
    const int c = csv.column(column);
    return c < 0 ? std::string() : csv.rows[index][static_cast<std::size_t>(c)];
  }
  double number(std::string_view column) const {
    return parse_double((*this)[column]).value_or(NAN);
  }
};

std::optional<model::Architecture> config(const std::string& folder, const std::string& file) {
  const std::string path = folder + "/corpora/hf_configs/" + file + ".json";
  auto text = read_file(path);
  if (!text) return std::nullopt;
  auto value = io::parse_json(*text, path, io::DuplicateKeys::kRefuse);
  if (!value) return std::nullopt;
  auto architecture = model::read_config(*value, path);
  if (!architecture) {
    fmt::print("{}: {}\n", file, architecture.error().message);
    return std::nullopt;
  }
  return std::move(*architecture);
}

void blis(const std::string& folder, bool rows_too) {
  const auto csv = table(folder + "/serving/blis_s2r_vllm0151.csv");
  if (!csv) return;
  std::map<std::string, model::Architecture> models = {
      {"mistralai/Mixtral-8x7B-v0.1", parts::mixtral_8x7b()},
      {"mistralai/Mixtral-8x22B-Instruct-v0.1", parts::mixtral_8x22b()},
      {"Qwen/Qwen3-14B", parts::qwen3_14b()},
      {"meta-llama/Llama-3.1-8B-Instruct", parts::llama_8b()},
      {"codellama/CodeLlama-34b-Instruct-hf", parts::codellama_34b()},
      {"meta-llama/Llama-2-70b-hf", parts::llama2_70b()},
      {"mistralai/Mistral-Nemo-Instruct-2407", parts::nemo_12b()},
      {"Qwen/Qwen2.5-7B-Instruct", parts::qwen25_7b()},
      {"01-ai/Yi-34B", parts::yi_34b()}};
  if (auto scout = config(folder, "meta-llama--Llama-4-Scout-17B-16E-Instruct"))
    models["RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic"] = *scout;
  const std::map<std::string, const hardware::Accelerator*> gpus = {
      {"H100-80GB-SXM", &parts::h100()}, {"A100-80GB", &parts::a100()}, {"L40S", &parts::l40s()}};
  std::map<std::string, std::map<std::string, Errors>> groups;
  for (std::size_t i = 0; i < csv->rows.size(); ++i) {
    const Row row{*csv, i};
    const std::string notes = row["notes"];
    if (notes.find("stage=all") != std::string::npos || std::isnan(row.number("qps")) ||
        row["qps"].empty())
      continue;
    const bool overloaded =
        notes.find("OVERLOADED") != std::string::npos || row.number("ttft_ms_mean") > 5000;
    const auto found = models.find(row["model"]);
    if (found == models.end()) {
      fmt::print("no model {}\n", row["model"]);
      continue;
    }
    const int tp = static_cast<int>(row.number("tp"));
    const cost::Machine machine = parts::machine(*gpus.at(row["gpu"]), std::max(1, tp));
    cost::Deployment deployment{.tp = tp};
    if (row["precision"] == "FP8") {
      deployment.own_format = false;
      deployment.weights = model::Format::kFp8;
    }
    auto step =
        cost::StepModel::compile(found->second, machine, deployment, cost::default_engine());
    if (!step) {
      fmt::print("{}: {}\n", row["model"], step.error().message);
      continue;
    }
    serving::Workload work{.input_tokens = row.number("input_len"),
                           .output_tokens = row.number("output_len"),
                           .cached_share = kCachedShare,
                           .output_cv2 = 0};
    const std::size_t at = notes.find("(E2E-TTFT)/ITL+1 = ");
    if (at != std::string::npos)
      work.output_tokens =
          parse_double(std::string(notes.substr(at + 19, 4))
                           .substr(0, notes.substr(at + 19, 4).find_last_of("0123456789") + 1))
              .value_or(work.output_tokens);
    const cost::MemoryLimits limits{.max_batched_tokens = row.number("max_num_batched_tokens"),
                                    .max_sequences = row.number("max_num_seqs")};
    const auto layout = cost::memory_layout(found->second, machine, deployment, limits);
    const double kv = static_cast<double>(
        cost::max_sequences(found->second, layout, deployment, serving::mean_tokens_held(work)));
    const serving::EngineLimits engine{.max_sequences = limits.max_sequences,
                                       .max_batched_tokens = limits.max_batched_tokens,
                                       .kv_sequences = kv};
    const auto state = serving::steady_state(*step, work, engine, row.number("qps"));
    const bool moe = found->second.layers.back().channel.kind == model::ChannelKind::kMoe;
    if (rows_too) {
      fmt::print(
          "{:40} {:8} tp{} {:5} rps  rho {:.2f} B {:5.1f}  TPOT {:6.2f}/{:6.2f}  TTFT "
          "{:6.1f}/{:6.1f} E2E {:7.0f}/{:7.0f}{}\n",
          row["model"], row["gpu"].substr(0, 4), tp, row["qps"], state.utilisation, state.batch,
          state.tpot_mean ? state.tpot_mean->in(kMillisecond) : NAN, row.number("tpot_ms_mean"),
          state.ttft_mean ? state.ttft_mean->in(kMillisecond) : NAN, row.number("ttft_ms_mean"),
          state.e2e_mean ? state.e2e_mean->in(kMillisecond) : NAN, row.number("e2e_ms_mean"),
          overloaded ? " OVERLOADED" : "");
    }
    if (overloaded || state.saturated) continue;
    const std::string group = row["gpu"] + (moe ? " moe" : " dense");
    groups[group]["TPOT"].add(state.tpot_mean->in(kMillisecond), row.number("tpot_ms_mean"));
    groups[group]["TTFT"].add(state.ttft_mean->in(kMillisecond), row.number("ttft_ms_mean"));
    groups[group]["E2E"].add(state.e2e_mean->in(kMillisecond), row.number("e2e_ms_mean"));
  }
  print("blis_s2r, vLLM 0.15.1, open loop, stages not overloaded", groups);
}

void inferencex(const std::string& folder, bool rows_too) {
  const auto csv = table(folder + "/serving/inferencex_measured.csv.gz");
  if (!csv) return;
  const std::map<std::string, std::string> files = {
      {"MiniMaxAI/MiniMax-M2.5", "MiniMaxAI--MiniMax-M2.5"},
      {"Qwen/Qwen3-235B-A22B-FP8", "Qwen--Qwen3-235B-A22B-FP8"},
      {"Qwen/Qwen3.5-397B-A17B", "Qwen--Qwen3.5-397B-A17B"},
      {"deepseek-ai/DeepSeek-R1", "deepseek-ai--DeepSeek-R1"},
      {"deepseek-ai/DeepSeek-V3", "deepseek-ai--DeepSeek-V3"},
      {"meta-llama/Llama-3.1-70B", "meta-llama--Meta-Llama-3.1-70B"},
      {"meta-llama/Llama-3.1-8B-Instruct", "meta-llama--Meta-Llama-3.1-8B"},
      {"moonshotai/Kimi-K2.5", "moonshotai--Kimi-K2-Instruct"},
      {"zhipuai/GLM-5", "zai-org--GLM-5"}};
  const std::map<std::string, const hardware::Accelerator*> gpus = {{"h100_sxm", &parts::h100()},
                                                                    {"h200_sxm", &parts::h200()},
                                                                    {"b200_sxm", &parts::b200()},
                                                                    {"b300_sxm", &parts::b300()}};
  std::map<std::string, std::optional<model::Architecture>> models;
  {
    model::Architecture oss = parts::gpt_oss_20b();
    for (auto& run : oss.layers) {
      run.count = 18;
      run.channel.experts = 128;
    }
    models["openai/gpt-oss-120b"] = oss;
  }
  std::map<std::string, std::map<std::string, Errors>> groups;
  int skipped = 0;
  for (std::size_t i = 0; i < csv->rows.size(); ++i) {
    const Row row{*csv, i};
    const int tp = static_cast<int>(row.number("tp"));
    const std::string dp = row["attention_dp"];
    if (row["mode"] != "agg" || tp > 8 || tp < 1 || (dp != "1" && !dp.empty()) ||
        !gpus.contains(row["system"])) {
      ++skipped;
      continue;
    }
    const std::string name = row["model"];
    if (!models.contains(name))
      models[name] = files.contains(name) ? config(folder, files.at(name)) : std::nullopt;
    const double ep_raw = row.number("moe_ep"), etp = row.number("moe_tp");
    const int ep = std::isnan(ep_raw) ? 1 : static_cast<int>(ep_raw);
    if (!models[name] ||
        (models[name]->layers.back().channel.kind == model::ChannelKind::kMoe && ep * etp != tp)) {
      ++skipped;
      continue;
    }
    const cost::Machine machine = parts::machine(*gpus.at(row["system"]), 8);
    cost::Deployment deployment{
        .tp = tp,
        .ep = models[name]->layers.back().channel.kind == model::ChannelKind::kMoe ? ep : 1,
        .own_format = false};
    const std::string quant = row["precision"];
    deployment.weights = quant == "fp4"    ? model::Format::kNvfp4
                         : quant == "int4" ? model::Format::kInt4
                         : quant == "fp8"  ? model::Format::kFp8Block
                                           : model::Format::kBf16;
    if (name == "openai/gpt-oss-120b") deployment.own_format = true;
    auto step =
        cost::StepModel::compile(*models[name], machine, deployment, cost::default_engine());
    if (!step) {
      ++skipped;
      continue;
    }
    // InferenceX draws lengths from 0.8 to 1 times the nominal ones.
    const double lengths = row["provenance"].starts_with("SemiAnalysis") ? 0.9 : 1.0;
    serving::Workload work{.input_tokens = lengths * row.number("isl"),
                           .output_tokens = lengths * row.number("osl"),
                           .output_cv2 = 0};
    const cost::MemoryLimits limits{.max_sequences = std::max(256.0, row.number("concurrency"))};
    const auto layout = cost::memory_layout(*models[name], machine, deployment, limits);
    const double kv = static_cast<double>(
        cost::max_sequences(*models[name], layout, deployment, serving::mean_tokens_held(work)));
    if (kv < 1) {
      groups["~does not fit"]["TPOT"].add(1, 1);
      continue;
    }
    const serving::EngineLimits engine{
        .max_sequences = row.number("concurrency"), .max_batched_tokens = 8192, .kv_sequences = kv};
    const auto state = serving::full_throughput(*step, work, engine);
    if (!state.tpot_mean) continue;
    const std::string group =
        fmt::format("{} {} {} {}", name, row["system"], row["backend"], quant);
    groups[group]["TPOT"].add(state.tpot_mean->in(kMillisecond), row.number("measured_tpot_ms"));
    groups["~all"]["TPOT"].add(state.tpot_mean->in(kMillisecond), row.number("measured_tpot_ms"));
    if (rows_too)
      fmt::print("{} tp{} ep{} {}x{} c{}: TPOT {:.2f}/{:.2f} bound {}\n", group, tp, ep, row["isl"],
                 row["osl"], row["concurrency"], state.tpot_mean->in(kMillisecond),
                 row.number("measured_tpot_ms"), cost::bound_name(state.bound));
  }
  print(fmt::format("inferencex, closed loop, agg rows without attention DP ({} rows not scored)",
                    skipped),
        groups);
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: serving_measured FOLDER [rows]\n");
    return 2;
  }
  portolan::blis(argv[1], argc > 2);
  portolan::inferencex(argv[1], argc > 2);
  return 0;
}
