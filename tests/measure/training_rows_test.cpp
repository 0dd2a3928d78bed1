#include "measure/training_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "market/catalogue.hpp"
#include "measure/training_setting.hpp"
#include "model/embedded.hpp"

namespace portolan::measure {
namespace {

const market::Catalogue& catalogue() {
  static const auto kCatalogue = market::Catalogue::embedded().value();
  return *kCatalogue;
}
const model::Library& models() {
  static const auto kModels = model::Library::open(model::embedded_models()).value();
  return kModels;
}
KnownThings known(unsigned threads = 1) {
  return {.accelerators = catalogue().accelerators(), .models = models(), .threads = threads};
}

constexpr std::string_view kHeader =
    "id,model,params_b,layers,hidden,heads,kv_heads,ffn,vocab,attention,seq_len,moe_experts,gpu,"
    "gpus,tp,pp,fsdp_or_zero,microbatch,global_batch,precision,recompute,task,framework,"
    "step_time_s,tokens_s_gpu,tflops_gpu,tflops_kind,source\n";
// arXiv 2205.05198 table 5: GPT-3 175B on 64 A100, full recomputation, 18.13 s.
constexpr std::string_view kGpt3 =
    "1,GPT-3-175B,175,96,12288,96,96,49152,51200,MHA,2048,,A100-80GB,64,8,8,,1,64,fp16,full,"
    "pretrain,Megatron-LM 2022,18.13,,,,arXiv 2205.05198\n";

std::vector<ScoredPoint> scored(const std::string& rows) {
  return score_training(Table::parse(std::string(kHeader) + rows, "t.csv").value(), "training",
                        known());
}

TEST(TrainingRows, a_published_step_is_predicted) {
  const auto points = scored(std::string(kGpt3));
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].metric, "step_time");
  EXPECT_EQ(points[0].group, "Megatron-LM");
  EXPECT_EQ(points[0].measured, 18.13);
  ASSERT_TRUE(points[0].predicted) << points[0].reason;
  EXPECT_NEAR(*points[0].predicted / 18.13, 1, 0.10);
  EXPECT_LT(*points[0].low, *points[0].predicted);
  EXPECT_LT(*points[0].predicted, *points[0].high);
}

TEST(TrainingRows, the_target_is_time_then_rate_then_counted_flop) {
  // 64 sequences of 2,048 tokens on 64 accelerators at 100 tokens/s each: 20.48 s.
  std::string rate(kGpt3);
  rate.replace(rate.find("18.13,,,"), 8, ",100,,");
  EXPECT_NEAR(scored(rate).at(0).measured, 64 * 2048 / (100.0 * 64), 1e-9);
  // 96·B·s·L·h²(1 + s/6h + V/16Lh) FLOP with full recomputation (training.md §3.1; the head counts
  // three times in the counter of 2021, four times in the formula: a third of V/16Lh less).
  std::string flop(kGpt3);
  flop.replace(flop.find("18.13,,,"), 8, ",,100,hardware");
  const double s = 2048, h = 12288, l = 96, v = 51200;
  const double work = 96 * 64 * s * l * h * h * (1 + s / (6 * h) + 0.75 * v / (16 * l * h));
  EXPECT_NEAR(scored(flop).at(0).measured / (work / (100e12 * 64)), 1, 1e-3);
  std::string none(kGpt3);
  none.replace(none.find("18.13"), 5, "");
  EXPECT_TRUE(scored(none).empty());  // no usable target is no point
}

TEST(TrainingRows, an_unpublished_strategy_is_searched_in_a_group_of_its_own) {
  std::string unknown(kGpt3);
  unknown.replace(unknown.find("64,8,8,,1,64"), 12, "64,,,,,64");
  const auto points = scored(unknown);
  EXPECT_EQ(points.at(0).group, "Megatron-LM strategy_unknown");
  ASSERT_TRUE(points[0].predicted) << points[0].reason;
  // Full recomputation costs a third of the arithmetic: the search finds something faster.
  EXPECT_LT(*points[0].predicted, *scored(std::string(kGpt3)).at(0).predicted);
  std::string precision(kGpt3);
  precision.replace(precision.find("fp16"), 4, "");
  EXPECT_NE(scored(precision).at(0).group.find("strategy_unknown"), std::string::npos);
}

TEST(TrainingRows, what_cannot_be_answered_stays_a_point) {
  std::string gpu(kGpt3);
  gpu.replace(gpu.find("A100-80GB"), 9, "Cray-1");
  const auto points = scored(gpu + std::string(kGpt3));
  ASSERT_EQ(points.size(), 2u);
  EXPECT_FALSE(points[0].predicted);
  EXPECT_NE(points[0].reason.find("Cray-1"), std::string::npos);
  const auto groups = score(points);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].covered, 0.5);
}

TEST(TrainingRows, a_model_known_by_its_size_alone_is_answered) {
  const auto points = scored(
      "7,Mystery-3B,3,,,,,,,,4096,,H100-80GB,8,8,1,,2,,bf16,,pretrain,SomeFramework 1.2,,9000,,,"
      "nowhere\n");
  ASSERT_EQ(points.size(), 1u);
  ASSERT_TRUE(points[0].predicted) << points[0].reason;
  EXPECT_EQ(points[0].tier, "parameter_count");
  EXPECT_EQ(points[0].group, "SomeFramework one node");
}

TEST(TrainingRows, order_and_values_do_not_depend_on_threads) {
  std::string rows;
  for (int i = 0; i < 20; ++i) rows += kGpt3;
  const Table table = Table::parse(std::string(kHeader) + rows, "t.csv").value();
  const auto one = score_training(table, "s", known(1)),
             many = score_training(table, "s", known(4));
  ASSERT_EQ(one.size(), many.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].predicted, many[i].predicted);
}

TEST(TrainingRows, memory_is_of_one_accelerator_and_overflows_are_no_points) {
  const auto points = score_training_memory(
      Table::parse(
          "model,layers,hidden,heads,kv_heads,ffn,vocab,seq_len,gpu,gpus,tp,pp,zero,"
          "microbatch,precision,recompute,task,framework,mem_per_gpu,unit,mem_kind,source\n"
          "Llama-3-8B,32,4096,32,8,14336,128256,8192,H100-80GB,8,1,1,ZeRO-3,1,bf16,full,"
          "pretrain,torchtitan,82.4,GiB,peak,x\n"
          "Llama-3-8B,32,4096,32,8,14336,128256,8192,H100-80GB,8,1,1,ZeRO-3,1,bf16,full,"
          "pretrain,torchtitan,OOM,GiB,peak,x\n",
          "m.csv")
          .value(),
      "training-memory", known());
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].metric, "memory");
  EXPECT_NEAR(points[0].measured, 82.4 * 1073741824, 1);
  ASSERT_TRUE(points[0].predicted);
  // At least an eighth of 16 bytes for each of 8.03 billion parameters.
  EXPECT_GT(*points[0].predicted, 8.03e9 * 16 / 8);
}

TEST(TrainingRows, runs_that_went_out_of_memory_do_not_fit) {
  // BLOOM's sweep of 2022-02-28 on A100-80GB and LitGPT's LoRA tables of 2023-10-20 on A100-40GB.
  const auto overflows = training_overflows(
      Table::parse(
          "model,params_b,layers,hidden,heads,kv_heads,ffn,vocab,seq_len,gpu,gpus,tp,pp,dp,zero,"
          "microbatch,global_batch,precision,recompute,task,framework,quant,mem_per_gpu,unit,"
          "mem_kind,source,date\n"
          "B,184,100,12288,64,64,49152,250680,2048,A100-80GB,384,4,6,16,ZeRO-1,2,2048,bf16,full,"
          "pretrain,Megatron-DeepSpeed,,OOM,GB,max memory on first/last nodes,x,2022-02-28\n"
          "B,184,100,12288,64,64,49152,250680,2048,A100-80GB,384,4,6,16,ZeRO-1,1,2048,bf16,full,"
          "pretrain,Megatron-DeepSpeed,,OOM,GB,max memory on first/last nodes,x,2022-02-28\n"
          "Llama 2 13 B,13.02,40,5120,40,40,13824,32000,1304,A100-40GB,1,,,,none,2,,bf16-true,,"
          "lora,LitGPT,,OOM,GB,max GPU RAM,x,2023-10-20\n"
          "Llama 2 13 B,13.02,40,5120,40,40,13824,32000,1304,A100-40GB,2,,,,FSDP,1,,bf16-true,,"
          "lora,LitGPT,,OOM,GB,max GPU RAM,x,2023-10-20\n"
          "Falcon 40 B,40,,,,,,,1079,A100-40GB,1,,,,none,1,,bf16-true,,lora,LitGPT,bnb.nf4,OOM,"
          "GB,max GPU RAM,x,2023-10-20\n",
          "m.csv")
          .value(),
      known());
  ASSERT_EQ(overflows.size(), 5u);
  for (const Overflow& overflow : overflows) {
    EXPECT_EQ(overflow.reason, "");
    // No more than 5 % to spare may be claimed.
    EXPECT_GT(overflow.predicted.raw(), 0.95 * overflow.usable.raw()) << overflow.label;
  }
}

TEST(TrainingRows, columns_that_contradict_each_other_stand_apart) {
  std::string row(kGpt3);
  row.replace(row.find("18.13,,,"), 8, "18.13,,148,hardware");  // arXiv 2205.05198's own 148
  EXPECT_EQ(scored(row).at(0).group, "Megatron-LM");
  row.replace(row.find(",148,"), 5, ",592,");  // four times: the accelerators were counted wrong
  EXPECT_EQ(scored(row).at(0).group, "Megatron-LM columns_disagree");
}

TEST(TrainingRows, software_is_known_by_framework_release_and_notes) {
  const auto stack = [](const char* framework, const char* date, const char* notes) {
    const Table table = Table::parse(fmt::format("framework,date,notes,gpus,precision\n"
                                                 "{},{},{},64,bf16\n",
                                                 framework, date, notes),
                                     "t.csv")
                            .value();
    return std::string(stack_of(TableRow(table, 0)).name);
  };
  EXPECT_EQ(stack("Megatron-Bridge NeMo 25.11", "2025-11-01", ""), "megatron-bridge-2025");
  EXPECT_EQ(stack("Megatron-Bridge NeMo 26.04.01", "2026-04-01", ""), "megatron-bridge-2026");
  EXPECT_EQ(stack("Megatron-Bridge NeMo 27.01", "2027-01-01", ""), "megatron-bridge-2026-06");
  EXPECT_EQ(stack("Megatron-DeepSpeed", "2022-02-20", ""), "megatron-deepspeed-2022");
  EXPECT_EQ(stack("Megatron-DeepSpeed", "2024-09-26", ""), "megatron-deepspeed-2024");
  EXPECT_EQ(stack("torchtitan", "2024-12-26", "FSDP"), "torchtitan-2024");
  EXPECT_EQ(stack("torchtitan", "2024-12-26", "FSDP+compile"), "torchtitan-compiled-2024");
  EXPECT_EQ(stack("something new", "2026-01-01", ""), training::fused_stack().name);
}

TEST(TrainingRows, accelerators_are_found_by_the_names_tables_use) {
  const auto id = [](const char* name, double memory) {
    const auto* found = training_accelerator(catalogue().accelerators(), name, memory);
    return found == nullptr ? std::string() : found->id;
  };
  EXPECT_EQ(id("A100-80GB", 80), "a100-sxm-80gb");
  EXPECT_EQ(id("A100", 0), "a100-sxm-80gb");
  EXPECT_EQ(id("H100-96GB", 96), "h100-sxm-80gb");
  EXPECT_EQ(id("GB300/GB200 class", 0), "gb300");
  EXPECT_EQ(id("abacus", 0), "");
}

TEST(TrainingRows, versions_are_no_part_of_a_framework) {
  EXPECT_EQ(framework_family("Megatron-Bridge NeMo 26.04.01"), "Megatron-Bridge NeMo");
  EXPECT_EQ(framework_family("MLPerf Training v5.1 llama2_70b_lora"),
            "MLPerf Training llama2_70b_lora");
  EXPECT_EQ(framework_family("Megatron-LM 2022"), "Megatron-LM");
  EXPECT_EQ(framework_family("Megatron-Core r0.8.0"), "Megatron-Core");
  EXPECT_EQ(framework_family(""), "");
}

}  // namespace
}  // namespace portolan::measure
