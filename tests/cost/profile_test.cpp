// The file of fitted curves and the choice of the best evidence.
#include "cost/profile.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cost/call_gemm.hpp"
#include "market/catalogue.hpp"

namespace portolan::cost {
namespace {

Curve curve_of(const std::string& accelerator, const std::string& backend, const std::string& op,
               const std::string& dtype, double share) {
  Curve c;
  c.key = {.accelerator = accelerator,
           .backend = backend,
           .version = "1.0",
           .op = op,
           .dtype = dtype,
           .kv_dtype = {},
           .variant = {}};
  c.roofline = {.compute = share, .memory = 0.8125, .knee = 3.25, .floor = 2.5e-6};
  c.grid.knots[0] = {0, 1.5, 7};
  c.grid.knots[1] = {5, 6};
  c.grid.step = 0.002F;
  c.grid.cells = {-127, -1, 0, 1, 126, 127};
  c.by_point = {.at = {-0.2F, -0.1F, -0.05F, 0, 0.05F, 0.1F, 0.2F}, .points = 100};
  c.by_site = {.at = {-0.3F, -0.2F, -0.05F, 0, 0.05F, 0.2F, 0.3F}, .points = 100};
  c.rows = 100;
  c.source = "made up for a test";
  c.date = parse_date("2026-08-21").value();
  return c;
}

const hardware::Accelerators& accelerators() {
  static const auto kCatalogue = market::Catalogue::embedded().value();
  return kCatalogue->accelerators();
}

KernelSet set_for(const Profile& profile, std::string_view id, std::string_view backend = "vllm") {
  return {profile, &accelerators(), *accelerators().by_id(id), backend, "1.0"};
}

std::string first_error(const std::string& text) {
  const auto read = Profile::parse(text, "mine.profile");
  return read ? "" : format_error(read.error());
}

TEST(Profile, EngineRecordsReplaceTimesOnly) {
  const Engine& known = *find_engine("vllm", "0.19");
  Profile profile;
  Engine own = known;
  own.per_step = Seconds(123.25e-6);
  own.per_prompt_token = Seconds(2.5e-6);
  own.ttft_band = {.low = 0.9, .high = 1.25};
  own.tpot_band = {};
  own.source = "made up for a test";
  own.date = "2026-08-21";
  profile.add(own);
  const auto again = Profile::parse(profile.write(), "p");
  ASSERT_TRUE(again) << format_error(again.error());
  EXPECT_EQ(again->write(), profile.write());
  ASSERT_EQ(again->engines().size(), 1U);
  const Engine& read = again->engines()[0];
  for (const HostTime& t : host_times())
    EXPECT_NEAR((read.*t.field).raw(), (own.*t.field).raw(), 1e-10) << t.name;
  EXPECT_EQ(read.ttft_band.high, 1.25);
  EXPECT_FALSE(read.tpot_band.known()) << "a band that was not fitted is not the known one";
  EXPECT_EQ(read.prefill, known.prefill);
  EXPECT_EQ(read.max_num_seqs, known.max_num_seqs);
  EXPECT_EQ(read.memory.date, known.memory.date);
  EXPECT_EQ(read.source, own.source);

  // A line may state one time; the rest is the known record's.
  const auto one =
      Profile::parse(R"({"kind":"engine","engine":"vllm-0.25","host_us":{"front_end":1500}})", "p");
  ASSERT_TRUE(one) << format_error(one.error());
  EXPECT_NEAR(one->engines()[0].front_end.raw(), 1.5e-3, 1e-12);
  EXPECT_EQ(one->engines()[0].per_step.raw(), find_engine("vllm", "0.25")->per_step.raw());
  EXPECT_EQ(one->engines()[0].engine, "vllm-0.25");

  // A port's rules are the port's, for versions nobody has a record of, too.
  const auto port =
      Profile::parse(R"({"kind":"engine","engine":"vllm-0.6-rocm","host_us":{"per_step":7}})", "p");
  ASSERT_TRUE(port) << format_error(port.error());
  EXPECT_EQ(port->engines()[0].vendor, "amd");
  EXPECT_EQ(port->find_engine("vllm", "0.6.1", "amd")->engine, "vllm-0.6-rocm");
  EXPECT_EQ(port->find_engine("vllm", "0.6.1", "nvidia")->engine, "vllm-0.5");
}

TEST(Profile, OwnEnginesStandBeforeKnownOnes) {
  const auto own =
      Profile::parse(R"({"kind":"engine","engine":"vllm-0.19","host_us":{"per_step":1}})"
                     "\n"
                     R"({"kind":"engine","engine":"vllm-0.25","host_us":{"per_step":2}})"
                     "\n"
                     R"({"kind":"engine","engine":"vllm-0.5-rocm","host_us":{"per_step":3}})",
                     "p");
  ASSERT_TRUE(own) << format_error(own.error());
  const auto step_of = [&](const char* version, const char* vendor = "nvidia") {
    return std::lround((own->find_engine("vllm", version, vendor)->per_step / Seconds(1e-6)));
  };
  EXPECT_EQ(step_of("0.19.1"), 1);
  EXPECT_EQ(step_of("0.20"), 1) << "the nearest older record is one's own";
  EXPECT_EQ(own->find_engine("vllm", "0.18")->engine, "vllm-0.16");
  EXPECT_EQ(own->find_engine("vllm", "0.22")->engine, "vllm-0.21") << "a known newer one stands";
  EXPECT_EQ(step_of("0.25"), 2);
  EXPECT_EQ(step_of(""), 2) << "the newest";
  EXPECT_EQ(step_of("0.6", "amd"), 3);
  EXPECT_EQ(own->find_engine("vllm", "0.6", "nvidia")->engine, "vllm-0.5");
  EXPECT_EQ(own->find_engine("sglang")->engine, "sglang-0.5");
  EXPECT_EQ(own->default_engine().engine, "vllm-0.25");
  EXPECT_EQ(&Profile().default_engine(), &default_engine());
  EXPECT_EQ(&serving_engine({}), &default_engine());
  EXPECT_EQ(serving_engine({.profile = &*own}).engine, "vllm-0.25");
  // Laid over another profile.
  Profile both;
  both.add(*own);
  EXPECT_EQ(both.write(), own->write());
}

TEST(Profile, RefusesEnginesThatCannotBe) {
  const auto engine = [](const std::string& rest) {
    return first_error(R"({"kind":"engine",)" + rest + "}");
  };
  EXPECT_NE(std::string(engine(R"("engine":"llama.cpp-1","host_us":{})")).find("llama.cpp-1"),
            std::string::npos)
      << engine(R"("engine":"llama.cpp-1","host_us":{})");
  EXPECT_NE(std::string(engine(R"("engine":"vllm-0.6-npu","host_us":{})")).find("vllm-0.6-npu"),
            std::string::npos)
      << engine(R"("engine":"vllm-0.6-npu","host_us":{})");
  EXPECT_NE(std::string(engine(R"("engine":"vllm","host_us":{})")).find("no engine with a"),
            std::string::npos)
      << engine(R"("engine":"vllm","host_us":{})");
  EXPECT_NE(std::string(engine(R"("engine":"vllm-0.19")")).find("host_us"), std::string::npos)
      << engine(R"("engine":"vllm-0.19")");
  EXPECT_NE(
      std::string(engine(R"("engine":"vllm-0.19","host_us":{"per_stop":1})")).find("per_step"),
      std::string::npos)
      << engine(R"("engine":"vllm-0.19","host_us":{"per_stop":1})");
  EXPECT_NE(
      std::string(engine(R"("engine":"vllm-0.19","host_us":{"per_step":-1})")).find("per_step"),
      std::string::npos)
      << engine(R"("engine":"vllm-0.19","host_us":{"per_step":-1})");
  EXPECT_NE(std::string(engine(R"("engine":"vllm-0.19","host_us":{},"ttft_band":[2,1])"))
                .find("lower first"),
            std::string::npos)
      << engine(R"("engine":"vllm-0.19","host_us":{},"ttft_band":[2,1])");
  EXPECT_NE(
      std::string(engine(R"("engine":"vllm-0.19","host_us":{},"date":"yesterday")")).find("date"),
      std::string::npos)
      << engine(R"("engine":"vllm-0.19","host_us":{},"date":"yesterday")");
  EXPECT_NE(std::string(first_error(R"({"kind":"motor"})")).find("engine"), std::string::npos)
      << first_error(R"({"kind":"motor"})");
}

TEST(Profile, ReadsBackWhatItWrites) {
  Profile profile;
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8));
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "fp8", 0.7));
  const std::string text = profile.write();
  const auto again = Profile::parse(text, "p");
  ASSERT_TRUE(again) << format_error(again.error());
  EXPECT_EQ(again->write(), text);
  ASSERT_EQ(again->curves().size(), 2U);
  const Chip chip = chip_of(*accelerators().by_id("h100-sxm-80gb"));
  for (std::size_t i = 0; i < 2; ++i)
    for (const double m : {1.0, 7.0, 130.0, 9000.0})
      for (const double n : {16.0, 40.0, 4096.0}) {
        const Call call = gemm_call(chip, *gemm_type("bfloat16"), m, n, 4096);
        EXPECT_DOUBLE_EQ(again->curves()[i].seconds(call), profile.curves()[i].seconds(call));
      }
}

TEST(Profile, ALaterCurveReplacesAnEarlierOne) {
  Profile a, b;
  a.add(curve_of("h200-sxm-141gb", "vllm", "gemm", "bfloat16", 0.8));
  b.add(curve_of("h200-sxm-141gb", "vllm", "gemm", "bfloat16", 0.5));
  const auto both = Profile::parse(a.write() + b.write(), "p");
  ASSERT_TRUE(both);
  ASSERT_EQ(both->curves().size(), 1U);
  EXPECT_EQ(both->curves().front().roofline.compute, 0.5);
}

TEST(Profile, RefusesDamageWithItsPlace) {
  Profile profile;
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8));
  const std::string good = profile.write();
  EXPECT_EQ(first_error(good), "");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return first_error("\n" + text.replace(at, from.size(), to));
  };
  EXPECT_NE(with("\"curve\"", "\"swirl\"").find("mine.profile:2"), std::string::npos);
  EXPECT_NE(with("\"rows\"", "\"rose\"").find("rose"), std::string::npos);
  EXPECT_NE(with("\"cells\":\"", "\"cells\":\"????").find("cells"), std::string::npos);
  EXPECT_NE(with("\"cells\":\"", "\"cells\":\"AAAA").find("cells"), std::string::npos);
  EXPECT_NE(with("[0.8,", "[-0.8,").find("roofline"), std::string::npos);
  EXPECT_NE(with("1.5,7", "7,1.5").find("axes"), std::string::npos);
  EXPECT_NE(first_error(good.substr(0, good.size() / 2)), "");
}

TEST(KernelSet, PrefersOwnThenSiblingThenRelative) {
  Profile profile;
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8));
  profile.add(curve_of("h100-sxm-80gb", "trtllm", "gemm", "fp8", 0.7));
  profile.add(curve_of("a100-sxm-80gb", "vllm", "gemm", "fp8", 0.6));
  const KernelSet own = set_for(profile, "h100-sxm-80gb");
  EXPECT_EQ(own.find("gemm", "bfloat16").tier, Tier::kMeasured);
  const Chosen sibling = own.find("gemm", "fp8");
  EXPECT_EQ(sibling.tier, Tier::kSibling);
  EXPECT_EQ(sibling.curve->key.accelerator, "h100-sxm-80gb");
  const Chosen relative = set_for(profile, "h200-sxm-141gb").find("gemm", "bfloat16");
  EXPECT_EQ(relative.tier, Tier::kTransferred);
  EXPECT_EQ(relative.curve->key.accelerator, "h100-sxm-80gb");
}

TEST(KernelSet, ATypeNobodyMeasuredTakesTheNearestOfItsOwnAccelerator) {
  Profile profile;
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8));
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "fp8", 0.7));
  const KernelSet set = set_for(profile, "h100-sxm-80gb");
  const Chosen block = set.find("gemm", "fp8_block"), weights = set.find("gemm", "int4_wo");
  ASSERT_NE(block.curve, nullptr);
  EXPECT_EQ(block.curve->key.dtype, "fp8");
  EXPECT_EQ(block.tier, Tier::kTransferred);
  ASSERT_NE(weights.curve, nullptr);
  EXPECT_EQ(weights.curve->key.dtype, "bfloat16");
  EXPECT_EQ(set.find("moe", "fp8").curve, nullptr);
}

TEST(KernelSet, NearestVariantHasTheNearestNumbers) {
  Profile profile;
  for (const char* variant : {"d64", "d128", "d256w"}) {
    Curve c = curve_of("h100-sxm-80gb", "vllm", "context_attention", "bfloat16", 0.5);
    c.key.variant = variant;
    profile.add(std::move(c));
  }
  const KernelSet set = set_for(profile, "h100-sxm-80gb");
  EXPECT_EQ(set.find("context_attention", "bfloat16", "d112").curve, nullptr);
  const Chosen chosen = set.nearest("context_attention", "bfloat16", "d112", "");
  ASSERT_NE(chosen.curve, nullptr);
  EXPECT_EQ(chosen.curve->key.variant, "d128");
  EXPECT_EQ(chosen.tier, Tier::kTransferred);
}

TEST(Profile, PackedIsTheSameProfile) {
  Profile profile;
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8));
  profile.add(curve_of("a100-sxm-80gb", "trtllm", "gemm", "int8_wo", 0.7));
  EXPECT_EQ(Profile::unpack(profile.pack()).write(), profile.write());
  EXPECT_TRUE(Profile::unpack(Profile().pack()).curves().empty());
  // What ships fits the budget of two megabytes.
  EXPECT_LT(shipped_profile().pack().size(), 2'000'000U);
  EXPECT_GT(shipped_profile().curves().size(), 1'000U);
}

TEST(KernelSet, OtherVendorsHaveNoDonor) {
  Profile profile;
  profile.add(curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8));
  EXPECT_EQ(set_for(profile, "mi300x-192gb").nearest("gemm", "bfloat16", "", "").curve, nullptr);
}

TEST(Interval, WidensWithDistanceAndOutsideTheKnots) {
  const Curve curve = curve_of("h100-sxm-80gb", "vllm", "gemm", "bfloat16", 0.8);
  const Call inside{.compute = 1e-6, .memory = 1e-6, .at = {1, 5, 0, 0}};
  Call outside = inside;
  outside.at[0] = 20;
  const auto width = [&](Tier tier, const Call& call) {
    const ErrorBand i = interval_of({&curve, tier}, call);
    EXPECT_LT(i.low, 1.0);
    EXPECT_GT(i.high, 1.0);
    return std::log(i.high / i.low);
  };
  EXPECT_NEAR(width(Tier::kMeasured, inside), 0.2, 1e-6);
  EXPECT_GT(width(Tier::kSibling, inside), width(Tier::kMeasured, inside));
  EXPECT_GT(width(Tier::kTransferred, inside), width(Tier::kMeasured, inside));
  EXPECT_GT(width(Tier::kMeasured, outside), width(Tier::kMeasured, inside));
  const ErrorBand none = interval_of({}, inside);
  EXPECT_GT(std::log(none.high / none.low), width(Tier::kTransferred, inside));
}

}  // namespace
}  // namespace portolan::cost
