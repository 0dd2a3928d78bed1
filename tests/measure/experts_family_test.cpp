// Tables of expert blocks and of collectives made here from planted parts: fitted, found again, and
// tables that are wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cost/call_collective.hpp"
#include "cost/call_moe.hpp"
#include "market/catalogue.hpp"
#include "measure/kernels.hpp"

namespace portolan::measure {
namespace {

const hardware::Accelerators& accelerators() {
  static const auto kCatalogue = market::Catalogue::embedded().value();
  return kCatalogue->accelerators();
}

Result<cost::Profile> fitted(const std::string& text) {
  const auto table =
      PORTOLAN_TRY(KernelTable::make(PORTOLAN_TRY(io::parse_csv(text, "mine.csv")), "mine.csv"));
  return calibrate_kernels(table, {.source = "made up", .date = {}}, accelerators(), 1);
}

std::string error_of(const std::string& text) {
  const auto profile = fitted(text);
  return profile ? "" : format_error(profile.error());
}

const cost::Curve* curve_of(const cost::Profile& profile, std::string_view variant) {
  for (const cost::Curve& c : profile.curves())
    if (c.key.variant == variant) return &c;
  return nullptr;
}

constexpr std::string_view kExpertsHeader =
    "system,backend,version,op,kernel,dtype,num_tokens,hidden,inter,topk,num_experts,moe_tp,moe_ep,"
    "distribution,latency_ms\n";
const cost::Roofline kPlanted{
    .compute = 0.55, .memory = 0.85, .knee = 2.5, .floor = 21e-6, .wave = 0.8, .pass = 0.6};

std::string experts_rows(std::string_view kernel, cost::MoeShape shape, double slower = 1) {
  const cost::Chip chip = cost::chip_of(**system_of(accelerators(), "h100_sxm"));
  std::string text;
  for (const auto& [name, alpha] :
       {std::pair{"balanced", 0.0}, {"power_law_1.01", 1.01}, {"power_law_1.2", 1.2}})
    for (double ep = 1; ep <= 8; ep *= 2)
      for (double tokens = 1; tokens <= 8192; tokens *= 2) {
        shape.expert_ranks = ep;
        const double seconds = slower * kPlanted.seconds(cost::moe_call(
                                            chip, *cost::moe_type("bfloat16"), shape,
                                            cost::expert_loads(shape, {.alpha = alpha}), tokens));
        text += fmt::format("h100_sxm,vllm,9.9,moe,{},bfloat16,{},{},{},{},{},1,{},{},{:.9f}\n",
                            kernel, tokens, shape.hidden, shape.inter, shape.top_k, shape.experts,
                            ep, name, seconds * 1e3);
      }
  return text;
}

const cost::MoeShape kQwen{.hidden = 2048, .inter = 768, .top_k = 8, .experts = 128};
const cost::MoeShape kMixtral{.hidden = 4096, .inter = 14336, .top_k = 2, .experts = 8};

TEST(ExpertsFamily, SkewIsInTheCallNotInTheCurve) {
  const auto profile = fitted(std::string(kExpertsHeader) + experts_rows("triton", kQwen) +
                              experts_rows("triton", kMixtral));
  ASSERT_TRUE(profile) << format_error(profile.error());
  ASSERT_EQ(profile->curves().size(), 1U);
  const cost::Curve& c = profile->curves().front();
  EXPECT_EQ(c.rejected, 0U);
  EXPECT_LT(c.median_point, 0.02);
  EXPECT_LT(c.median_site, 0.10);
  EXPECT_NEAR(c.roofline.floor, 21e-6, 3e-6);
}

TEST(ExpertsFamily, KernelsOfOneShapeTheFastestCounts) {
  const std::string header(kExpertsHeader);
  const auto both = fitted(header + experts_rows("slow", kQwen, 1.7) + experts_rows("fast", kQwen));
  const auto fast = fitted(header + experts_rows("fast", kQwen));
  ASSERT_TRUE(both && fast);
  EXPECT_EQ(both->write(), fast->write());
}

TEST(ExpertsFamily, LowLatencyAndUngatedKernelsHaveCurvesOfTheirOwn) {
  cost::MoeShape nemotron{.hidden = 2688, .inter = 1856, .top_k = 6, .experts = 128};
  nemotron.gated = false;
  const auto profile =
      fitted(std::string(kExpertsHeader) + experts_rows("moe_torch_flow_cutlass", kQwen) +
             experts_rows("moe_torch_flow_min_latency", kQwen, 0.6) +
             experts_rows("triton", nemotron));  // the name does not say that the gate is missing
  ASSERT_TRUE(profile) << format_error(profile.error());
  for (const std::string_view variant : {"", "min_latency", "nongated"})
    EXPECT_NE(curve_of(*profile, variant), nullptr) << variant;
  EXPECT_EQ(curve_of(*profile, "nongated")->rejected, 0U);
}

TEST(ExpertsFamily, WrongRowsSayWhere) {
  const auto row = [](std::string_view dtype, std::string_view distribution, int topk, int ep) {
    return fmt::format("{}h100_sxm,vllm,1,moe,k,{},16,2048,768,{},128,1,{},{},0.1\n",
                       kExpertsHeader, dtype, topk, ep, distribution);
  };
  EXPECT_NE(error_of(row("fp9", "balanced", 8, 1)).find("unknown dtype \"fp9\""),
            std::string::npos);
  const std::string zipf = error_of(row("fp8", "zipf", 8, 1));
  EXPECT_NE(zipf.find("unknown distribution \"zipf\""), std::string::npos);
  EXPECT_NE(zipf.find("mine.csv:2"), std::string::npos);
  EXPECT_NE(error_of(row("fp8", "balanced", 129, 1)).find("topk <= num_experts"),
            std::string::npos);
  EXPECT_NE(error_of(row("fp8", "balanced", 8, 256)).find("moe_ep <= num_experts"),
            std::string::npos);
  EXPECT_EQ(error_of(row("fp8", "power_law_1.5", 8, 1)), "");
}

constexpr std::string_view kCollectiveHeader =
    "system,backend,version,op,kernel,dtype,collective,num_gpus,message_elems,latency_ms\n";

TEST(CollectiveFamily, FloorAndBandwidthByRanks) {
  const cost::Chip chip = cost::chip_of(**system_of(accelerators(), "h100_sxm"));
  std::string text(kCollectiveHeader);
  for (double ranks = 2; ranks <= 8; ranks *= 2)
    for (double elements = 256; elements <= 1 << 28; elements *= 2) {
      const double bytes = 2 * elements;
      const double seconds =
          4e-6 * std::log2(2 * ranks) +
          1.1 * cost::collective_call(chip.link, cost::CollectiveKind::kAllReduce, bytes, ranks)
                    .memory;
      text += fmt::format("h100_sxm,nccl,2.99,nccl,NCCL,half,all_reduce,{},{},{:.9f}\n", ranks,
                          elements, seconds * 1e3);
    }
  const auto profile = fitted(text);
  ASSERT_TRUE(profile) << format_error(profile.error());
  ASSERT_EQ(profile->curves().size(), 1U);
  const cost::Curve& c = profile->curves().front();
  EXPECT_EQ(c.key.variant, "all_reduce");
  EXPECT_LT(c.median_point, 0.05);
  EXPECT_NEAR(
      c.seconds(cost::collective_call(chip.link, cost::CollectiveKind::kAllReduce, 1 << 28, 8)) /
          (1.1 * (1 << 28) / chip.link + 16e-6),
      1.0, 0.05);
}

TEST(CollectiveFamily, ModesAndLinksAreVariants) {
  const auto rows = [](std::string_view system, std::string_view kernel) {
    return fmt::format(
        "system,backend,version,op,kernel,dtype,num_gpus,message_elems,latency_ms\n"
        "{},vllm,1,custom_allreduce,{},bfloat16,8,1048576,2.1\n",
        system, kernel);
  };
  const auto variant = [&](std::string_view system, std::string_view kernel) {
    return fitted(rows(system, kernel)).value().curves().front().key.variant;
  };
  EXPECT_EQ(variant("h100_sxm", "vLLM_custom_graph"), "graph");
  EXPECT_EQ(variant("h100_sxm", "vLLM_custom_eager"), "eager");
  EXPECT_EQ(variant("h100_sxm", "TRTLLM"), "trtllm");
  EXPECT_EQ(variant("l40s", "vLLM_custom_graph"), "graph pcie4");
  EXPECT_EQ(variant("rtx_pro_6000_server", "vLLM_custom_graph"), "graph pcie5");
}

TEST(CollectiveFamily, WrongRowsSayWhere) {
  const auto row = [](std::string_view collective, std::string_view dtype, int ranks) {
    return fmt::format("{}h100_sxm,nccl,1,nccl,NCCL,{},{},{},1024,0.1\n", kCollectiveHeader, dtype,
                       collective, ranks);
  };
  EXPECT_NE(error_of(row("broadcast", "half", 8)).find("unknown collective \"broadcast\""),
            std::string::npos);
  EXPECT_NE(error_of(row("all_reduce", "int4", 8)).find("unknown dtype \"int4\""),
            std::string::npos);
  EXPECT_NE(error_of(row("all_reduce", "half", 1)).find("num_gpus 1 is no group"),
            std::string::npos);
}

TEST(ExchangeFamily, PartsByKernel) {
  const std::string text =
      "system,backend,version,op,kernel,variant,dtype,num_tokens,hidden,topk,num_experts,moe_ep,"
      "distribution,latency_ms\n"
      "gb200,trtllm,1,trtllm_alltoall,NVLinkTwoSided,alltoall_dispatch,bfloat16,64,7168,8,256,8,"
      "balanced,0.05\n"
      "gb200,trtllm,1,trtllm_alltoall,NVLinkOneSided,alltoall_combine,nvfp4,64,7168,8,256,8,"
      "balanced,0.05\n";
  const auto profile = fitted(text);
  ASSERT_TRUE(profile) << format_error(profile.error());
  EXPECT_NE(curve_of(*profile, "two_sided dispatch"), nullptr);
  EXPECT_NE(curve_of(*profile, "one_sided combine"), nullptr);
}

}  // namespace
}  // namespace portolan::measure
