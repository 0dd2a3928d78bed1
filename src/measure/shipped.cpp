#include "measure/shipped.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/text.hpp"

// Bytes that the linker placed (portolan_embed).
extern "C" const unsigned char measured_kernels_begin[], measured_kernels_end[];
extern "C" const unsigned char measured_inferencex_begin[], measured_inferencex_end[];
extern "C" const unsigned char measured_serving_begin[], measured_serving_end[];
extern "C" const unsigned char measured_training_begin[], measured_training_end[];
extern "C" const unsigned char measured_training_memory_begin[], measured_training_memory_end[];
extern "C" const unsigned char measured_peer_points_begin[], measured_peer_points_end[];
extern "C" const unsigned char measured_peers_begin[], measured_peers_end[];
extern "C" const unsigned char measured_sources_begin[], measured_sources_end[];

namespace portolan::measure {
namespace {

std::string_view bytes(const unsigned char* begin, const unsigned char* end) {
  return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(end - begin)};
}

/// Our column and the one of the layout users' files come in.
struct Column {
  std::string_view ours, layout;
};

constexpr Column kServing[] = {{"model", "model"},
                               {"accelerator", "gpu"},
                               {"accelerators", "gpu_count"},
                               {"tp", "tp"},
                               {"pp", "pp"},
                               {"ep", "ep"},
                               {"precision", "precision"},
                               {"engine", "engine"},
                               {"engine_version", "engine_version"},
                               {"load", "scenario"},
                               {"input_tokens", "input_len"},
                               {"output_tokens", "output_len"},
                               {"concurrency", "batch_or_concurrency"},
                               {"offered_per_second", "qps"},
                               {"max_num_seqs", "max_num_seqs"},
                               {"max_num_batched_tokens", "max_num_batched_tokens"},
                               {"ttft_mean_ms", "ttft_ms_mean"},
                               {"ttft_p99_ms", "ttft_ms_p99"},
                               {"tpot_mean_ms", "tpot_ms_mean"},
                               {"e2e_mean_ms", "e2e_ms_mean"},
                               {"e2e_p99_ms", "e2e_ms_p99"},
                               {"output_tokens_per_second", "out_tok_s"},
                               {"total_tokens_per_second", "total_tok_s"},
                               {"requests_per_second", "req_s"},
                               {"set", "set"},
                               {"notes", "notes"}};

constexpr Column kInferencex[] = {{"point", "id"},
                                  {"model", "model"},
                                  {"accelerator", "system"},
                                  {"engine", "backend"},
                                  {"engine_version", "backend_version"},
                                  {"precision", "precision"},
                                  {"mode", "mode"},
                                  {"input_tokens", "isl"},
                                  {"output_tokens", "osl"},
                                  {"concurrency", "concurrency"},
                                  {"gemm_precision", "gemm_quant"},
                                  {"expert_precision", "moe_quant"},
                                  {"batch", "batch_size"},
                                  {"tp", "tp"},
                                  {"pp", "pp"},
                                  {"attention_dp", "attention_dp"},
                                  {"expert_tp", "moe_tp"},
                                  {"expert_ep", "moe_ep"},
                                  {"ttft_mean_ms", "measured_ttft_ms"},
                                  {"tpot_mean_ms", "measured_tpot_ms"},
                                  {"measured_by", "provenance"}};

constexpr Column kTraining[] = {{"point", "id"},
                                {"model", "model"},
                                {"parameters_billion", "params_b"},
                                {"active_billion", "active_params_b"},
                                {"layers", "layers"},
                                {"hidden", "hidden"},
                                {"heads", "heads"},
                                {"kv_heads", "kv_heads"},
                                {"ffn", "ffn"},
                                {"vocabulary", "vocab"},
                                {"attention", "attention"},
                                {"sequence", "seq_len"},
                                {"experts", "moe_experts"},
                                {"experts_per_token", "moe_topk"},
                                {"shared_experts", "moe_shared"},
                                {"expert_ffn", "moe_ffn"},
                                {"accelerator", "gpu"},
                                {"memory_gb", "gpu_mem_gb"},
                                {"accelerators", "gpus"},
                                {"tp", "tp"},
                                {"pp", "pp"},
                                {"virtual_stages", "vpp"},
                                {"cp", "cp"},
                                {"ep", "ep"},
                                {"sharding", "fsdp_or_zero"},
                                {"microbatch", "microbatch"},
                                {"batch_sequences", "global_batch"},
                                {"precision", "precision"},
                                {"recompute", "recompute"},
                                {"task", "task"},
                                {"framework", "framework"},
                                {"step_seconds", "step_time_s"},
                                {"tokens_per_second_each", "tokens_s_gpu"},
                                {"tflops_each", "tflops_gpu"},
                                {"tflops_kind", "tflops_kind"},
                                {"notes", "notes"}};

constexpr Column kMemory[] = {{"point", "id"},
                              {"model", "model"},
                              {"parameters_billion", "params_b"},
                              {"layers", "layers"},
                              {"hidden", "hidden"},
                              {"heads", "heads"},
                              {"kv_heads", "kv_heads"},
                              {"ffn", "ffn"},
                              {"vocabulary", "vocab"},
                              {"sequence", "seq_len"},
                              {"accelerator", "gpu"},
                              {"accelerators", "gpus"},
                              {"tp", "tp"},
                              {"pp", "pp"},
                              {"virtual_stages", "vpp"},
                              {"cp", "cp"},
                              {"sharding", "zero"},
                              {"microbatch", "microbatch"},
                              {"batch_sequences", "global_batch"},
                              {"precision", "precision"},
                              {"recompute", "recompute"},
                              {"task", "task"},
                              {"optimizer", "optimizer"},
                              {"framework", "framework"},
                              {"quantised", "quant"},
                              {"memory_each", "mem_per_gpu"},
                              {"unit", "unit"},
                              {"memory_kind", "mem_kind"}};

constexpr Column kKernels[] = {{"accelerator", "system"},     {"engine", "backend"},
                               {"engine_version", "version"}, {"operator", "op"},
                               {"kernel", "kernel"},          {"format", "dtype"},
                               {"cache_format", "kv_dtype"}};

std::span<const Column> columns_of(TableKind layout) {
  switch (layout) {
    case TableKind::kKernels:
      return kKernels;
    case TableKind::kServing:
      return kServing;
    case TableKind::kInferencex:
      return kInferencex;
    case TableKind::kTraining:
      return kTraining;
    case TableKind::kTrainingMemory:
      return kMemory;
  }
  return {};
}

/// Errors of embedded tables are bugs, not the user's.
template <class T>
Result<T> ours(Result<T> result) {
  if (result) return result;
  Error error = std::move(result).error();
  error.code = ErrorCode::kInternal;
  return fail(std::move(error));
}

Result<Table> raw_table(TableKind layout) {
  switch (layout) {
    case TableKind::kKernels:
      return ours(Table::parse(bytes(measured_kernels_begin, measured_kernels_end), "kernels.csv"));
    case TableKind::kServing:
      return ours(Table::parse(bytes(measured_serving_begin, measured_serving_end), "serving.csv"));
    case TableKind::kInferencex:
      return ours(Table::parse(bytes(measured_inferencex_begin, measured_inferencex_end),
                               "inferencex.csv"));
    case TableKind::kTraining:
      return ours(
          Table::parse(bytes(measured_training_begin, measured_training_end), "training.csv"));
    case TableKind::kTrainingMemory:
      break;
  }
  return ours(Table::parse(bytes(measured_training_memory_begin, measured_training_memory_end),
                           "training_memory.csv"));
}

Result<std::map<std::string, std::string>> source_texts() {
  const Table table = PORTOLAN_TRY(
      ours(Table::parse(bytes(measured_sources_begin, measured_sources_end), "sources.csv")));
  std::map<std::string, std::string> texts;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TableRow row(table, i);
    texts.emplace(row.text("id"), row.text("source"));
  }
  return texts;
}

/// "m=8192;n=65536" as cells below the columns of `header`, which grows as needed.
void add_shape(const std::string& shape, std::vector<std::string>& header,
               std::vector<std::string>& cells) {
  for (const std::string_view pair : split(shape, ';')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(pair.substr(0, equals));
    auto at =
        static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
    if (at == header.size()) header.push_back(name);
    if (cells.size() <= at) cells.resize(at + 1);
    cells[at] = pair.substr(equals + 1);
  }
}

std::string text_of(const std::map<std::string, std::string>& texts, const std::string& id) {
  const auto found = texts.find(id);
  return found == texts.end() ? id : found->second;
}

}  // namespace

std::span<const ShippedSet> shipped_sets() {
  static constexpr std::array<ShippedSet, 7> kSets = {{
      {"kernels", TableKind::kKernels, "kernels of inference engines, one call each"},
      {"inferencex", TableKind::kInferencex,
       "vLLM, SGLang, TensorRT-LLM with a fixed number of clients"},
      {"blis", TableKind::kServing, "vLLM 0.15 under Poisson arrivals"},
      {"trtllm", TableKind::kServing, "TensorRT-LLM at full throughput"},
      {"argonne", TableKind::kServing, "static batches, 2024, many accelerators"},
      {"training", TableKind::kTraining, "training steps"},
      {"training-memory", TableKind::kTrainingMemory, "memory of training runs"},
  }};
  return kSets;
}

const ShippedSet* find_shipped_set(std::string_view name) {
  const auto sets = shipped_sets();
  const auto found =
      std::find_if(sets.begin(), sets.end(), [&](const ShippedSet& s) { return s.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

Result<Table> shipped_table(const ShippedSet& set, std::span<const std::string> points) {
  const Table raw = PORTOLAN_TRY(raw_table(set.layout));
  const std::map<std::string, std::string> texts = PORTOLAN_TRY(source_texts());
  const std::span<const Column> columns = columns_of(set.layout);
  const bool kernels = set.layout == TableKind::kKernels;
  io::CsvTable out;
  for (const Column& column : columns) out.header.emplace_back(column.layout);
  if (kernels) out.header.emplace_back("latency_ms");
  out.header.insert(out.header.end(), {"point", "source", "date"});
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const TableRow row(raw, i);
    if (set.layout == TableKind::kServing && row.text("set") != set.name) continue;
    if (!points.empty() &&
        std::find(points.begin(), points.end(), row.text("point")) == points.end())
      continue;
    std::vector<std::string> cells;
    cells.reserve(out.header.size());
    for (const Column& column : columns) cells.push_back(row.text(column.ours));
    if (kernels) cells.push_back(shortest(row.number_or("microseconds", 0) / 1000));
    cells.push_back(row.text("point"));
    cells.push_back(text_of(texts, row.text("source")));
    cells.push_back(row.text("date"));
    if (kernels) add_shape(row.text("shape"), out.header, cells);
    out.rows.push_back(std::move(cells));
    out.lines.push_back(raw.csv().lines[i]);
  }
  for (std::vector<std::string>& cells : out.rows) cells.resize(out.header.size());
  return Table("measured/" + raw.file(), std::move(out));
}

Result<std::vector<PeerPoint>> peer_points() {
  const Table table = PORTOLAN_TRY(ours(Table::parse(
      bytes(measured_peer_points_begin, measured_peer_points_end), "peer_points.csv")));
  const std::map<std::string, std::string> texts = PORTOLAN_TRY(source_texts());
  std::vector<PeerPoint> out;
  out.reserve(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TableRow row(table, i);
    out.push_back({.peer = row.text("peer"),
                   .set = row.text("set"),
                   .point = row.text("point"),
                   .ttft_mean = row.number("ttft_mean_ms"),
                   .tpot_mean = row.number("tpot_mean_ms"),
                   .e2e_mean = row.number("e2e_mean_ms"),
                   .source = text_of(texts, row.text("source")),
                   .date = row.text("date")});
  }
  return out;
}

Result<std::vector<PeerFigure>> peer_figures() {
  const Table table = PORTOLAN_TRY(
      ours(Table::parse(bytes(measured_peers_begin, measured_peers_end), "peers.csv")));
  const std::map<std::string, std::string> texts = PORTOLAN_TRY(source_texts());
  std::vector<PeerFigure> out;
  out.reserve(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TableRow row(table, i);
    out.push_back({.peer = row.text("peer"),
                   .set = row.text("set"),
                   .group = row.text("group"),
                   .metric = row.text("metric"),
                   .basis = row.text("basis"),
                   .n = row.whole_or("n", 0),
                   .median_ape = row.number("median_ape"),
                   .mean_ape = row.number("mean_ape"),
                   .p90_ape = row.number("p90_ape"),
                   .bias = row.number("bias"),
                   .source = text_of(texts, row.text("source")),
                   .date = row.text("date")});
  }
  return out;
}

}  // namespace portolan::measure
