#include "app/article.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.hpp"
#include "model/count.hpp"
#include "model/numeric_format.hpp"
#include "model/operators.hpp"
#include "training/rules.hpp"

namespace portolan::app {
namespace {

constexpr double kExact = 1e-9;
constexpr Seconds kArticleYear{8760.0 * 3600.0};  // the article's year; ours has 8,766 h

/// Collects the goldens; each one is computed by the engine's own functions from the catalogue's
/// own rows.
class Goldens {
 public:
  void add(std::string id, std::string what, double computed, double expected, double tolerance,
           std::string unit, std::string command, std::string reason = "pure arithmetic") {
    Golden golden;
    golden.requirement = "R" + id.substr(1, id.find('.') - 1);
    golden.id = std::move(id);
    golden.what = std::move(what);
    golden.computed = computed;
    golden.expected = expected;
    golden.tolerance = tolerance;
    golden.unit = std::move(unit);
    golden.command = std::move(command);
    golden.reason = std::move(reason);
    list.push_back(std::move(golden));
  }
  std::vector<Golden> list;
};

constexpr const char* kRule = "portolan estimate gpt3-175b --tokens 1024 --dtype fp16 --explain";
constexpr const char* kTrain =
    "portolan estimate gpt3-175b --dtype fp16 --training-tokens 300e9 --gpu a100-sxm-40gb --mfu 1 "
    "--explain";

Result<void> compute_goldens(Goldens& g, const Context& context) {
  const model::Model gpt3 = PORTOLAN_TRY(context.models().named("gpt3-175b"));
  const double p = gpt3.parameters_for_rule();
  const Flop forward = training::rule_forward(p, 1024);
  g.add("G5.1", "1,024 tokens in characters",
        1024 * context.catalogue().constant("characters_per_token").value, 4096, kExact,
        "characters", kRule);
  g.add("G6.1", "forward FLOP of 1,024 tokens, 2 n p", forward.in(kTFlop), 358.4, kExact, "TFLOP",
        kRule);
  g.add("G6.2", "decoder, 1,024 in and 1,024 out", training::rule_forward(p, 2048).in(kTFlop),
        716.8, kExact, "TFLOP", "portolan estimate gpt3-175b --input 1024 --output 1024");
  g.add("G6.3", "the footnote's n p", forward.in(kTFlop) / 2, 179.2, kExact, "TFLOP", kRule);
  g.add("G6.4", "forward FLOP against the article's \"~350\"", forward.in(kTFlop), 350, 0.03,
        "TFLOP", kRule, "the article rounds");
  const Flop training = training::rule_training(p, 300e9);
  g.add("G7.1", "training FLOP, 6 p D with D = 300e9", training.raw(), 3.150e23, kExact, "FLOP",
        kTrain);
  g.add("G7.2", "training FLOP against the article's 3.14e23", training.raw(), 3.14e23, 0.01,
        "FLOP", kTrain, "the article rounds");
  g.add("G8.1", "training over inference, per token",
        training::rule_training(p, 1) / training::rule_forward(p, 1), 3.0, kExact, "x", kRule);
  const auto weights = [&](model::Format format) {
    return p * model::nominal_bytes_per_weight(format) / 1e9;
  };
  g.add("G9.1", "weights in fp32", weights(model::Format::kFp32), 700, kExact, "GB",
        "portolan estimate gpt3-175b --dtype fp32");
  g.add("G9.2", "weights in fp16", weights(model::Format::kFp16), 350, kExact, "GB",
        "portolan estimate gpt3-175b --dtype fp16");
  g.add("G9.3", "weights in int8", weights(model::Format::kInt8), 175, kExact, "GB",
        "portolan estimate gpt3-175b --dtype int8");
  g.add("G9.4", "weights in int4", weights(model::Format::kInt4), 87.5, kExact, "GB",
        "portolan estimate gpt3-175b --dtype int4");
  const double article_bytes = p * training::kArticleBytesPerParameter;
  const double default_bytes =
      p * training::state_bytes_per_parameter(training::Optimizer::kAdamMixed);
  g.add("G10.1", "training memory by the article's rule, 12 B per parameter", article_bytes / 1e12,
        2.10, kExact, "TB", kRule);
  g.add("G10.1b", "of it beyond the fp32 weights", (article_bytes - 4 * p) / 1e12, 1.40, kExact,
        "TB", kRule);
  g.add("G10.2", "training memory at 16 B per parameter", default_bytes / 1e12, 2.80, kExact, "TB",
        kRule);
  g.add("G11.1", "80-GB cards for 350 GB of weights", weights(model::Format::kFp16) / 80, 4.375,
        kExact, "cards", kRule);
  g.add("G11.1b", "rounded up", std::ceil(weights(model::Format::kFp16) / 80), 5, kExact, "cards",
        kRule);
  g.add("G12.1", "fp32 over fp16 memory",
        weights(model::Format::kFp32) / weights(model::Format::kFp16), 2, kExact, "x", kRule);
  g.add("G12.1b", "fp16 over fp8 memory",
        weights(model::Format::kFp16) / weights(model::Format::kFp8), 2, kExact, "x", kRule);
  const model::Model llama = PORTOLAN_TRY(context.models().named("llama-65b"));
  const Flop llama_training = training::rule_training(llama.parameters_for_rule(), 1.4e12);
  g.add("G14.1", "LLaMA-65B training FLOP, 1.4e12 tokens", llama_training.raw(),
        6 * 65.2e9 * 1.4e12, kExact, "FLOP", "portolan estimate llama-65b --training-tokens 1.4T");
  g.add("G14.2", "LLaMA-65B against Epoch's 5.5e23", llama_training.raw(), 5.5e23, 0.01, "FLOP",
        "portolan estimate llama-65b --training-tokens 1.4T", "Epoch rounds");
  const double sorting = 1e6 * std::log2(1e6);
  g.add("G15.1", "one token over sorting a million numbers",
        training::rule_forward(p, 1).raw() / sorting, 17560, 0.01, "x", kRule,
        "n log2 n is a model of sorting");

  // Time: the CPU, the micro-architecture, the ideal A100.
  g.add("G17.1", "350 TFLOP on one 3-GHz core, 1 per cycle", 350e12 / 3e9, 116667, 1e-5, "s", kRule,
        "rounded in the text");
  g.add("G17.2", "the exact 358.4 TFLOP", forward.raw() / 3e9, 119467, 1e-5, "s", kRule,
        "rounded in the text");
  const auto micro = [&](std::string_view id) -> Result<double> {
    const hardware::Accelerator* a = context.catalogue().accelerators().by_id(id);
    if (a == nullptr || !a->tensor_cores || !a->flop_per_cycle_per_core || !a->boost_clock_hz) {
      return fail(ErrorCode::kInternal,
                  fmt::format("the catalogue has no micro-architecture for {}", id));
    }
    return *a->tensor_cores * *a->flop_per_cycle_per_core * *a->boost_clock_hz / 1e12;
  };
  g.add("G19.1", "A100 peak: 432 x 512 x 1.41 GHz against the datasheet",
        PORTOLAN_TRY(micro("a100-sxm-40gb")), 312, 0.001, "TFLOP/s",
        "portolan gpus a100-sxm-40gb --explain", "boost clock rounded");
  g.add("G19.2", "V100 peak: 640 x 128 x 1.53 GHz", PORTOLAN_TRY(micro("v100-sxm2-16gb")), 125,
        0.005, "TFLOP/s", "portolan gpus v100-sxm2-16gb --explain", "boost clock rounded");
  const double article_peak = 512 * 128 * 1.41e9 / 1e12;
  g.add("G19.3", "the article's 512 x 128 x 1.41 GHz", article_peak, 92.4, 0.001, "TFLOP/s",
        "portolan validate article --errata", "rounded in the text");
  g.add("G19.3b", "which falls short of 312 by", 312 / article_peak, 3.38, 0.002, "x",
        "portolan validate article --errata", "rounded in the text");
  g.add("G19.4", "H100 SXM: 528 x 1,024 x 1.83 GHz", PORTOLAN_TRY(micro("h100-sxm-80gb")), 989.4,
        0.001, "TFLOP/s", "portolan gpus h100-sxm-80gb --explain", "boost clock unverified");
  const hardware::Accelerator* a100 = context.catalogue().accelerators().by_id("a100-sxm-80gb");
  const hardware::Accelerator* a100_40 = context.catalogue().accelerators().by_id("a100-sxm-40gb");
  PORTOLAN_CHECK(a100 != nullptr && a100_40 != nullptr);
  const auto fp16 = a100->peak_of(hardware::Rate::kBf16),
             fp32 = a100->peak_of(hardware::Rate::kFp32),
             tf32 = a100->peak_of(hardware::Rate::kTf32);
  if (!fp16 || !fp32 || !tf32)
    return fail(ErrorCode::kInternal, "the catalogue has no peak rates for the A100");
  constexpr const char* kOn =
      "portolan estimate gpt3-175b --dtype fp16 --tokens 1024 --gpu a100-sxm-80gb";
  const Seconds ideal = forward / *fp16;
  g.add("G20.1", "358.4 TFLOP at 312 TFLOP/s", ideal.raw(), 358.4 / 312, kExact, "s", kOn);
  g.add("G20.1b", "350 TFLOP at 312 TFLOP/s", (350 * kTFlop / *fp16).raw(), 1.122, 0.001, "s", kOn,
        "rounded in the text");
  g.add("G20.2", "358.4 TFLOP at the FP32 peak", (forward / *fp32).raw(), 18.38, 0.001, "s",
        "portolan estimate gpt3-175b --dtype fp32 --tokens 1024 --gpu a100-sxm-80gb",
        "rounded in the text");
  g.add("G20.2b", "358.4 TFLOP at the TF32 peak", (forward / *tf32).raw(), 2.297, 0.001, "s",
        "portolan gpus a100-sxm-80gb --explain", "rounded in the text");
  const Seconds read = Bytes(weights(model::Format::kFp16) * 1e9) / a100->bandwidth;
  g.add("G21.1", "350 GB read once at 2,039 GB/s", read.raw(), 0.17165, 1e-4, "s/token", kOn,
        "rounded in the text");
  g.add("G21.1b", "for 1,024 tokens", read.raw() * 1024, 175.8, 1e-3, "s", kOn,
        "rounded in the text");
  g.add("G21.1c", "over the ideal time", read.raw() * 1024 / ideal.raw(), 153, 0.01, "x", kOn,
        "rounded in the text");
  g.add("G22.1", "training set over prompt", 300e9 / 1024, 2.930e8, 0.001, "x", kTrain,
        "rounded in the text");
  g.add("G22.2", "times three for training", 3 * 300e9 / 1024, 8.789e8, 0.001, "x", kTrain,
        "rounded in the text");
  const Flop run = Flop(3.14e23);
  const Seconds one_card = run / *fp16;
  g.add("G23.1", "3.14e23 FLOP on one A100 at 100 %", one_card.raw(), 1.0064e9, 1e-4, "s", kTrain,
        "rounded in the text");
  g.add("G23.1b", "in years", one_card / kYear, 31.89, 0.01, "years", kTrain, "year of 8,766 h");
  g.add("G23.2", "at the median published MFU", one_card / kYear / training::kMedianPublishedMfu,
        85.04, 0.01, "years",
        "portolan estimate gpt3-175b --dtype fp16 --training-tokens 300e9 --gpu a100-sxm-40gb "
        "--explain",
        "year of 8,766 h");
  g.add("G32.1", "default MFU: median of published runs", context.catalogue().constant("mfu").value,
        0.375, kExact, "", "portolan estimate gpt3-175b --training-tokens 300e9 --assumptions");
  g.add("G32.2", "the engine's rule uses it", training::kMedianPublishedMfu,
        context.catalogue().constant("mfu").value, kExact, "",
        "portolan estimate gpt3-175b --training-tokens 300e9 --assumptions");

  // Cost of inference and training.
  const auto per_thousand = [&](Flop work, double usd_per_hour) {
    return (work / *fp16 * (usd_per_hour * kUsdPerHour)).raw() * (1000.0 / 1024) * 1.024;
  };
  g.add("G26.1", "350 TFLOP at $1.10/h", per_thousand(350 * kTFlop, 1.10), 0.00034277, 0.001, "USD",
        "portolan estimate gpt3-175b --dtype fp16 --gpu a100-sxm-40gb --price 1.10",
        "350 TFLOP stands for the article's 1k tokens");
  g.add("G26.1b", "350 TFLOP at $4.10/h", per_thousand(350 * kTFlop, 4.10), 0.0012776, 0.001, "USD",
        "portolan estimate gpt3-175b --dtype fp16 --gpu a100-sxm-40gb --price 4.10",
        "350 TFLOP stands for the article's 1k tokens");
  g.add("G26.2", "358.4 TFLOP at $1.10/h", per_thousand(forward, 1.10), 0.00035099, 0.001, "USD",
        "portolan estimate gpt3-175b --dtype fp16 --gpu a100-sxm-40gb --price 1.10",
        "1,024 tokens");
  g.add("G26.2b", "358.4 TFLOP at $4.10/h", per_thousand(forward, 4.10), 0.0013082, 0.001, "USD",
        "portolan estimate gpt3-175b --dtype fp16 --gpu a100-sxm-40gb --price 4.10",
        "1,024 tokens");
  const double hours = one_card.in(kHour);
  g.add("G29.1", "accelerator-hours of 3.14e23 FLOP at 100 %", hours, 279558, 0.001, "A100-h",
        kTrain, "rounded in the text");
  g.add("G29.1b", "the article's $560,000 per hour", 560000 / hours, 2.003, 0.001, "USD/h", kTrain,
        "rounded in the text");
  g.add("G29.1c", "cost at $1.10", hours * 1.10, 307514, 0.001, "USD", kTrain,
        "rounded in the text");
  g.add("G29.1d", "cost at $4.10", hours * 4.10, 1146189, 0.001, "USD", kTrain,
        "rounded in the text");
  g.add("G29.1e", "cost at $2.00 and MFU 0.375", hours * 2.00 / training::kMedianPublishedMfu,
        1490978, 0.001, "USD", kTrain, "rounded in the text");
  g.add("G29.1f", "geometric mean of the ends", std::sqrt(hours * 1.10 * hours * 4.10), 593691,
        0.001, "USD", kTrain, "rounded in the text");
  const double v100_years = (run / (28 * kTFlopPerSecond)) / kArticleYear;
  g.add("G30.1", "Lambda's estimate: V100-years at 28 TFLOP/s", v100_years, 355.6, 0.001, "years",
        kTrain, "year of 8,760 h, as the estimate has it");
  g.add("G30.1b", "at $1.50 per hour", v100_years * 8760 * 1.50 / 1e6, 4.673, 0.001, "M USD",
        kTrain, "article: 4.6, within 2 %");
  g.add("G30.2", "1,024 A100 for 34 days at $2.93391", 1024 * 34 * 24 * 2.93391, 2451528, 1e-6,
        "USD", kTrain, "rounded to dollars");
  g.add("G30.3", "30B parameters and 610B tokens", training::rule_training(30e9, 610e9).raw(),
        1.098e23, kExact, "FLOP", kTrain);

  // Energy of two cards (R44).
  const double kwh = (Watts(400) * kArticleYear).in(kKilowattHour);
  const double electricity = context.catalogue().constant("article.electricity_usd_per_kwh").value;
  const double three_years = 3 * kwh * electricity;
  g.add("G44.1", "0.4 kW for a year of 8,760 h", kwh, 3504, kExact, "kWh",
        "portolan gpus a100-sxm-40gb --explain");
  g.add("G44.1b", "three years at $0.10", three_years, 1051.20, kExact, "USD",
        "portolan gpus rtx-3080ti --explain");
  g.add("G44.2", "two years' worth against one card of $1,199", (1199 + three_years) / 1199, 1.877,
        0.001, "x", "portolan gpus rtx-3080ti --explain", "rounded in the text");
  g.add("G44.2b", "against the pair", (2 * 1199 + three_years) / (2 * 1199), 1.438, 0.001, "x",
        "portolan gpus rtx-3080ti --explain", "rounded in the text");
  g.add("G44.3", "three years of the 300-W card",
        3 * (Watts(300) * kArticleYear).in(kKilowattHour)*electricity, 788.40, kExact, "USD",
        "portolan gpus a100-pcie-40gb --explain");
  g.add("G44.4", "with a PUE of 1.25",
        three_years * context.catalogue().constant("pue.neocloud").value, 1314, kExact, "USD",
        "portolan gpus a100-sxm-40gb --explain");
  g.add("G44.5", "two RTX 3080 Ti over one A100, dense FP16", 2 * 136.4 / 312, 0.874, 0.001, "x",
        "portolan gpus rtx-3080ti", "rounded in the text");

  // What a card can train (R57).
  const auto largest = [](double gigabytes, double bytes) { return gigabytes * 1e9 / bytes / 1e9; };
  g.add("G57.1", "12 GB at 12 B per parameter", largest(12, training::kArticleBytesPerParameter),
        1.0, kExact, "B parameters", "portolan estimate llama-3.1-8b --max-params --memory 12GB");
  g.add("G57.1b", "12 GB at 16 B per parameter",
        largest(12, training::state_bytes_per_parameter(training::Optimizer::kAdamMixed)), 0.75,
        kExact, "B parameters", "portolan estimate llama-3.1-8b --max-params --memory 12GB");
  g.add("G57.2", "4B parameters at 12 B", 4 * training::kArticleBytesPerParameter, 48, kExact, "GB",
        "portolan estimate llama-3.1-8b --max-params --memory 12GB");
  g.add("G57.2b", "4B parameters at 16 B",
        4 * training::state_bytes_per_parameter(training::Optimizer::kAdamMixed), 64, kExact, "GB",
        "portolan estimate llama-3.1-8b --max-params --memory 12GB");
  return {};
}

/// Market goldens: the composed GCP price and the dispersion of February 2023.
Result<void> market_goldens(Goldens& g, const Context& context) {
  const auto& offers = context.catalogue().offers();
  const auto gcp = std::find_if(offers.begin(), offers.end(), [](const market::Offer& o) {
    return o.provider == "gcp" && o.sku == "a2-highgpu-1g" && o.zone == "us-central1-a" &&
           o.purchase == market::Purchase::kOnDemand && !o.gpu_component_only && o.usd_per_hour;
  });
  if (gcp == offers.end())
    return fail(ErrorCode::kInternal, "the catalogue has no gcp a2-highgpu-1g in us-central1-a");
  g.add("G47.1", "GCP A100 with the machine it forces", gcp->usd_per_hour->dollars(), 3.67339,
        kExact, "USD/h",
        "portolan offers --provider gcp --gpu a100-sxm-40gb:1 --region us-central1");
  double gpu = 0;
  for (const market::Component& c : gcp->components)
    gpu += c.kind == "gpu" ? c.usd_per_hour.dollars() : 0;
  g.add("G47.1b", "over the GPU alone", gcp->usd_per_hour->dollars() / gpu, 1.2520, 0.0001, "x",
        "portolan offers --provider gcp --gpu a100-sxm-40gb:1 --region us-central1",
        "rounded in the text");
  const Date spring{parse_date("2023-04-07")->days};
  const auto then = PORTOLAN_TRY(context.catalogue().as_of(spring));
  Money low, high;
  bool any = false;
  for (const market::Offer& o : then->offers()) {
    if (o.accelerator == nullptr || o.purchase != market::Purchase::kOnDemand ||
        !o.usd_per_accelerator_hour() || o.gpu_component_only)
      continue;
    const Money price = *o.usd_per_accelerator_hour();
    if (o.accelerator->id == "a100-sxm-40gb" && o.observed.latest &&
        o.observed.latest->text() == "2023-02-01") {
      low = any ? std::min(low, price) : price;
      high = any ? std::max(high, price) : price;
      any = true;
    }
  }
  if (any)
    g.add("G48.1", "dearest over cheapest A100-40 on demand, February 2023",
          high.dollars() / low.dollars(), 3.727, 0.001, "x",
          "portolan offers --gpu a100-sxm-40gb --stats --as-of 2023-04-07", "rounded in the text");
  g.add("G61.1", "AWS A100 over A10G, g5.xlarge", 4.10 / 1.01, 4.06, 0.005, "x",
        "portolan offers --provider aws --gpu a10g --as-of 2023-04-07", "rounded in the text");
  g.add("G61.1b", "g5.2xlarge", 4.10 / 1.212, 3.38, 0.005, "x",
        "portolan offers --provider aws --gpu a10g --as-of 2023-04-07", "rounded in the text");
  g.add("G61.1c", "g5.12xlarge", 4.10 / 1.418, 2.89, 0.005, "x",
        "portolan offers --provider aws --gpu a10g --as-of 2023-04-07", "rounded in the text");
  return {};
}

}  // namespace

double Golden::deviation() const {
  return expected == 0 ? computed : (computed - expected) / std::abs(expected);
}
bool Golden::passes() const {
  return std::isfinite(computed) && std::abs(deviation()) <= tolerance;
}

Result<ArticleAnswer> article(const Context& context) {
  ArticleAnswer answer;
  answer.envelope.command = "validate";
  answer.envelope.catalogue_date = context.catalogue().date();
  Goldens goldens;
  PORTOLAN_DO(compute_goldens(goldens, context));
  PORTOLAN_DO(market_goldens(goldens, context));
  answer.result.goldens = std::move(goldens.list);
  answer.result.failed = static_cast<std::size_t>(
      std::count_if(answer.result.goldens.begin(), answer.result.goldens.end(),
                    [](const Golden& golden) { return !golden.passes(); }));
  answer.result.errata = errata(answer.result.goldens);
  answer.envelope.cite("article", "Navigating the High Cost of AI Compute",
                       "a16z, Appenzeller, Bornstein, Casado", "2023-04-27");
  return answer;
}

}  // namespace portolan::app
