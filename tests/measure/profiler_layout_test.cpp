#include "measure/profiler_layout.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cost/profile.hpp"
#include "cost/step.hpp"
#include "market/catalogue.hpp"
#include "measure/kernel_tables.hpp"
#include "measure/kernels.hpp"
#include "model/embedded.hpp"

namespace portolan::measure {
namespace {

struct World {
  std::shared_ptr<const market::Catalogue> catalogue = market::Catalogue::embedded().value();
  model::Library library = model::Library::open(model::embedded_models()).value();
};
const World& world() {
  static const World kWorld;
  return kWorld;
}

Table read(const std::string& file, const std::string& text) {
  return Table::parse(text, file).value();
}
Table rows(const std::string& file, const std::string& text) {
  auto made = as_kernel_rows(read(file, text), world().library);
  return std::move(made).value();
}
const std::string kHere = "RTX4090__Llama-3.1-8B__bf16_tp1__";

TEST(ProfilerLayout, LayersBecomeTheOperatorsOfTheModel) {
  const Table t = rows(kHere + "dense.csv",
                       "layer,tokens,time_us\nqkv_proj,64,70\nlayernorm,64,3\nembedding,64,4\n");
  ASSERT_EQ(t.size(), 3U);
  const TableRow qkv(t, 0), norm(t, 1), embedding(t, 2);
  EXPECT_EQ(qkv.text("system"), "RTX4090");
  EXPECT_EQ(qkv.text("op"), "gemm");
  EXPECT_EQ(*qkv.number("m"), 64);
  EXPECT_EQ(*qkv.number("n"), (32 + 2 * 8) * 128);
  EXPECT_EQ(*qkv.number("k"), 4096);
  EXPECT_DOUBLE_EQ(*qkv.number("latency_ms"), 0.07);
  EXPECT_EQ(norm.text("op"), "elementwise");
  EXPECT_EQ(*norm.number("bytes"), 64.0 * 2 * 4 * 4096);  // with the residual, read and written
  EXPECT_EQ(embedding.text("op"), "embedding");           // once a step: no curve stands for it
  EXPECT_FALSE(unknown_kernel(embedding, world().catalogue->accelerators()).empty());
}

TEST(ProfilerLayout, TensorParallelismDividesTheShapes) {
  const Table t = rows("/p/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp2/per_sequence.csv",
                       "layer,sequences,time_us\nlm_head,8,350\nsampler,8,28\n");
  const TableRow head(t, 0), sampler(t, 1);
  EXPECT_EQ(head.text("system"), "RTXPRO6000");
  EXPECT_EQ(*head.number("n"), 128256 / 2);
  EXPECT_EQ(sampler.text("op"), "sampler");
}

TEST(ProfilerLayout, AttentionIsOfPromptsOfDecodesOrOfBoth) {
  const Table t = rows(kHere + "attention.csv",
                       "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,4,1024,36\n"
                       "512,1024,0,0,104\n512,1024,4,2048,224\n");
  const TableRow decode(t, 0), prompt(t, 1), both(t, 2);
  EXPECT_EQ(decode.text("op"), "generation_attention");
  EXPECT_EQ(*decode.number("batch"), 4);
  EXPECT_EQ(*decode.number("past_kv"), 1023);  // the new token is one of those attended
  EXPECT_EQ(*decode.number("num_kv_heads"), 8);
  EXPECT_EQ(prompt.text("op"), "context_attention");
  EXPECT_EQ(*prompt.number("isl"), 512);
  EXPECT_EQ(*prompt.number("past_kv"), 1024);
  EXPECT_EQ(both.text("op"), "mixed_attention");
  EXPECT_EQ(*both.number("decodes"), 4);
  EXPECT_EQ(*both.number("decode_context"), 2048);
}

TEST(ProfilerLayout, ExpertsAreThoseThatWereTouched) {
  const Table t = rows("RTXPRO6000__Qwen3-30B-A3B-Instruct-2507__bf16_tp1__moe.csv",
                       "tokens,activated_experts,time_us\n64,32,236\n");
  const TableRow row(t, 0);
  EXPECT_EQ(row.text("op"), "moe");
  EXPECT_EQ(*row.number("num_experts"), 128);
  EXPECT_EQ(*row.number("topk"), 8);
  EXPECT_EQ(*row.number("activated_experts"), 32);
}

TEST(ProfilerLayout, SaysWhatItCannotRead) {
  const std::string dense = "layer,tokens,time_us\nqkv_proj,64,70\n";
  const auto problem = [](const std::string& file, const std::string& text) {
    const auto made = as_kernel_rows(read(file, text), world().library);
    EXPECT_FALSE(made.has_value()) << file;
    return made ? Error{} : made.error();
  };
  EXPECT_EQ(problem("dense.csv", dense).code, ErrorCode::kInvalidInput);
  EXPECT_NE(problem("RTX4090__Llama-3.1-8B__fp8_tp1__dense.csv", dense).why.find("fp8"),
            std::string::npos);
  EXPECT_NE(problem("RTX4090__Llama-3.1-8B__bf16__dense.csv", dense).why.find("tensor"),
            std::string::npos);
  EXPECT_EQ(problem("RTX4090__Nobody-9B__bf16_tp1__dense.csv", dense).code, ErrorCode::kNotFound);
  const Error cell = problem(kHere + "dense.csv", "layer,tokens,time_us\nqkv_proj,64,fast\n");
  EXPECT_EQ(cell.where.line, 2U);
  EXPECT_NE(cell.message.find("time_us"), std::string::npos);
  EXPECT_FALSE(problem("RTX4090__Llama-3.1-8B__bf16_tp1__moe.csv",
                       "tokens,activated_experts,time_us\n1,8,50\n")
                   .message.empty());
}

/// An accelerator whose kernels follow a formula: 80 % of the bandwidth or 70 % of the peak, 3 us,
/// and one kernel for prompts and decodes whose decodes take twice as long as alone.
struct Machine {
  static constexpr double kBandwidth = 0.8 * 1008e9, kPeak = 0.7 * 165.2e12, kFloor = 3e-6;
  static double product(double m, double n, double k) {
    return std::max(2 * m * n * k / kPeak, 2 * (m * k + n * k + m * n) / kBandwidth) + kFloor;
  }
  static double decodes(double n, double context) {
    return n * context * 2 * 2 * 8 * 128 / kBandwidth + kFloor;
  }
  static double prompt(double tokens, double cached) {
    return 4 * 32 * 128 * tokens * (cached + tokens / 2) / (0.5 * kPeak) + kFloor;
  }
  static double pass(double bytes) { return bytes / kBandwidth + 2e-6; }
};

TEST(ProfilerLayout, AProfileOfFormulasGivesTheStepTimesOfTheFormulas) {
  std::string dense = "layer,tokens,time_us\n",
              attention =
                  "prefill_chunk,kv_prefill,n_decode,kv_decode,"
                  "time_us\n",
              sequences = "layer,sequences,time_us\n";
  struct Layer {
    const char* name;
    double n, k;
  };
  const Layer layers[] = {{"qkv_proj", 6144, 4096},
                          {"o_proj", 4096, 4096},
                          {"gate_up_proj", 28672, 4096},
                          {"down_proj", 4096, 14336}};
  const auto add = [](std::string& text, const std::string& cells, double seconds) {
    text += fmt::format("{},{:.4f}\n", cells, seconds * 1e6);
  };
  for (double m = 1; m <= 2048; m = m < 16 ? m + 1 : std::ceil(m * 1.125 / 16) * 16) {
    for (const Layer& l : layers)
      add(dense, fmt::format("{},{}", l.name, m), Machine::product(m, l.n, l.k));
    add(dense, fmt::format("layernorm,{}", m), Machine::pass(m * 2 * 4 * 4096));
    add(dense, fmt::format("rotary_emb,{}", m), Machine::pass(m * 2 * 2 * 5120));
    add(dense, fmt::format("act_fn,{}", m), Machine::pass(m * 2 * 3 * 14336));
  }
  for (double n = 1; n <= 256; n *= 2) {
    add(sequences, fmt::format("lm_head,{}", n), Machine::product(n, 128256, 4096));
    add(sequences, fmt::format("sampler,{}", n), Machine::pass(n * 7 * 128256));
  }
  for (double n = 1; n <= 256; n *= 2)
    for (double kv = 16; kv <= 16384; kv *= 2)
      add(attention, fmt::format("0,0,{},{}", n, kv), Machine::decodes(n, kv));
  for (double chunk = 16; chunk <= 2048; chunk *= 2)
    for (double cached : {0.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0}) {
      add(attention, fmt::format("{},{},0,0", chunk, cached), Machine::prompt(chunk, cached));
      for (double n = 1; n <= 128; n *= 4)
        for (double kv = 16; kv <= 16384; kv *= 4)
          add(attention, fmt::format("{},{},{},{}", chunk, cached, n, kv),
              Machine::prompt(chunk, cached) + 2 * Machine::decodes(n, kv));
    }
  io::CsvTable all;
  for (const auto& [name, text] : {std::pair("dense.csv", dense), std::pair("per.csv", sequences),
                                   std::pair("attention.csv", attention)}) {
    io::CsvTable part = rows(kHere + name, text).take_csv();
    all.header = part.header;
    for (auto& row : part.rows) all.rows.push_back(std::move(row));
    all.lines.insert(all.lines.end(), part.lines.begin(), part.lines.end());
  }
  const hardware::Accelerators& accelerators = world().catalogue->accelerators();
  const KernelTable kernels = KernelTable::make(std::move(all), "p").value();
  const cost::Profile profile = calibrate_kernels(kernels, {}, accelerators, 1).value();

  hardware::Node node;
  node.accelerator = accelerators.resolve("rtx-4090")->accelerator;
  const cost::Machine machine =
      cost::make_machine(node, {.profile = &profile, .accelerators = &accelerators}).value();
  EXPECT_EQ(machine.tier, cost::Tier::kMeasured);
  cost::Engine engine = *cost::find_engine("vllm", "0.19");
  engine.per_step = engine.per_layer = engine.per_request = Seconds(0);
  const model::Model model = world().library.named("llama-3.1-8b").value();
  const cost::StepModel step =
      cost::StepModel::compile(model.architecture, machine, {}, engine).value();
  const auto layer = [&](double tokens) {
    double sum = 2 * Machine::pass(tokens * 2 * 4 * 4096) + Machine::pass(tokens * 2 * 2 * 5120) +
                 Machine::pass(tokens * 2 * 3 * 14336) + Machine::pass(tokens * 2 * 2 * 2048);
    for (const Layer& l : layers) sum += Machine::product(tokens, l.n, l.k);
    return sum;
  };
  const auto head = [](double n) {
    return Machine::product(n, 128256, 4096) + Machine::pass(n * 7 * 128256);
  };
  cost::Batch batch;
  batch.decode_requests = batch.sampled = 32;
  batch.decode_context = 1500;
  const double alone = step.time(batch).total.raw();
  EXPECT_NEAR(alone / (32 * (layer(32) + Machine::decodes(32, 1500)) + head(32)), 1, 0.02);
  // A host that works one step ahead is hidden by a step as long as this.
  cost::StepModel hosted = step;
  hosted.set_engine(*cost::find_engine("vllm", "0.19"));
  EXPECT_EQ(hosted.time(batch).total.raw(), alone);
  // The longest of the batch counts for a little.
  batch.decode_longest = 6000;
  EXPECT_GT(step.time(batch).total.raw(), alone * 1.01);
  EXPECT_LT(step.time(batch).total.raw(), alone * 1.2);
  // Beside a prompt its decodes take twice as long.
  batch.decode_longest = 0;
  batch.prefill_requests = 1;
  batch.prefill_tokens = 1000;
  batch.sampled = 33;
  const double both =
      32 * (layer(1032) + Machine::prompt(1000, 0) + 2 * Machine::decodes(32, 1500)) + head(33);
  EXPECT_NEAR(step.time(batch).total.raw() / both, 1, 0.04);
}

}  // namespace
}  // namespace portolan::measure
