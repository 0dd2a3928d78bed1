#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cctype>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "hardware/accelerator.hpp"
#include "hardware/tables.hpp"

namespace portolan::hardware {
namespace {

std::string data_file(const std::string& name) {
  const Result<std::string> text = read_file(PORTOLAN_SOURCE_DIR "/data/" + name);
  EXPECT_TRUE(text) << name;
  return text.value_or("");
}

const Accelerators& tables() {
  static const Accelerators kTables = [] {
    auto accelerators = read_accelerators(data_file("accelerators.csv"), "accelerators.csv");
    auto aliases = read_aliases(data_file("accelerator_aliases.csv"), "accelerator_aliases.csv");
    EXPECT_TRUE(accelerators) << (accelerators ? "" : format_error(accelerators.error()));
    EXPECT_TRUE(aliases) << (aliases ? "" : format_error(aliases.error()));
    auto out = Accelerators::from_tables(*std::move(accelerators), *std::move(aliases));
    EXPECT_TRUE(out) << (out ? "" : format_error(out.error()));
    return *std::move(out);
  }();
  return kTables;
}

const Accelerator& part(std::string_view id) {
  const Accelerator* found = tables().by_id(id);
  EXPECT_NE(found, nullptr) << id;
  static const Accelerator kNone;
  return found != nullptr ? *found : kNone;
}

std::string resolved(std::string_view name, std::string_view provider = {}) {
  const Result<Resolved> found = tables().resolve(name, provider);
  return found ? found->accelerator->id : "error: " + found.error().message;
}

// R19: tensor cores × FLOP per cycle and core × clock is the datasheet's dense fp16 peak.
TEST(Accelerators, MicroArchitectureGivesTheDatasheetPeak) {
  const auto product = [](const Accelerator& a) {
    return *a.tensor_cores * *a.flop_per_cycle_per_core * *a.boost_clock_hz;
  };
  EXPECT_NEAR(product(part("a100-sxm-80gb")), 311.87e12, 0.01e12);
  EXPECT_NEAR(product(part("a100-sxm-80gb")) / part("a100-sxm-80gb").peak_of(Rate::kBf16)->raw(),
              1.0, 0.001);
  EXPECT_NEAR(product(part("v100-sxm2-16gb")), 125.3e12, 0.05e12);
  EXPECT_NEAR(product(part("v100-sxm2-16gb")) / part("v100-sxm2-16gb").peak_of(Rate::kFp16)->raw(),
              1.0, 0.005);
  EXPECT_NEAR(product(part("h100-sxm-80gb")), 989.4e12, 0.1e12);
}

// catalogue.md §4.1: what the driver reports, else the marketing gigabytes of 10^9 bytes.
TEST(Accelerators, MemoryIsWhatTheDeviceReports) {
  const std::vector<std::pair<std::string_view, double>> mebibytes{{"h100-sxm-80gb", 81559},
                                                                   {"h100-nvl-94gb", 95830},
                                                                   {"h200-sxm-141gb", 143771},
                                                                   {"b200-sxm-180gb", 183359},
                                                                   {"gb200", 189471},
                                                                   {"b300-sxm-288gb", 275040},
                                                                   {"l40s", 45776},
                                                                   {"a100-sxm-80gb", 81920}};
  for (const auto& [id, mib] : mebibytes) {
    EXPECT_EQ(part(id).memory.in(kMiB), mib) << id;
    EXPECT_TRUE(part(id).memory_reported) << id;
  }
  EXPECT_EQ(part("rtx-3090").memory.raw(), 24e9);
  EXPECT_FALSE(part("rtx-3090").memory_reported);
  EXPECT_EQ(part("h100-sxm-80gb").memory_label, "80GB");
}

TEST(Accelerators, WhereSourcesDisagreeTheLowerFigureIsUsedAndTheConflictIsKept) {
  EXPECT_EQ(part("b200-sxm-180gb").bandwidth.raw(), 7.7e12);
  EXPECT_EQ(part("b300-sxm-288gb").peak_of(Rate::kFp4)->raw(), 12.6e15);
  EXPECT_EQ(part("mi355x-288gb").peak_of(Rate::kBf16)->raw(), 2.3e15);
  EXPECT_EQ(part("a10g").peak_of(Rate::kBf16)->raw(), 70e12);
  EXPECT_EQ(part("rtx-4090").peak_of(Rate::kBf16)->raw(), 165.2e12);
  EXPECT_EQ(part("gaudi3-128gb").peak_of(Rate::kBf16)->raw(), 1677e12);
  for (const std::string_view id : {"b200-sxm-180gb", "b300-sxm-288gb", "mi355x-288gb", "a10g"}) {
    EXPECT_FALSE(part(id).conflicts.empty()) << id;
  }
  EXPECT_EQ(part("v100-sxm2-16gb").peak_of(Rate::kBf16), std::nullopt);
}

TEST(Accelerators, MeasuredCeilingsAreBelowTheDatasheet) {
  EXPECT_NEAR(part("a100-sxm-80gb").measured_bf16->raw(), 271e12, 1e12);
  EXPECT_NEAR(part("h100-sxm-80gb").measured_bf16->raw(), 795e12, 1e12);
  EXPECT_NEAR(part("mi300x-192gb").measured_bf16->raw(), 668e12, 1e12);
  for (const Accelerator& a : tables().all()) {
    if (a.measured_bf16 && a.peak_of(Rate::kBf16)) {
      EXPECT_LT(a.measured_bf16->raw(), a.peak_of(Rate::kBf16)->raw()) << a.id;
    }
  }
}

TEST(Accelerators, LinksTellSumAndPeer) {
  const Accelerator& mi300x = part("mi300x-192gb");
  EXPECT_EQ(mi300x.link, LinkKind::kMesh);
  EXPECT_EQ(mi300x.link_per_direction->raw(), 448e9);
  EXPECT_EQ(mi300x.link_peer_per_direction->raw(), 64e9);
  EXPECT_EQ(part("h100-sxm-80gb").link, LinkKind::kSwitched);
  EXPECT_EQ(part("gb200").link_domain, 72);
  EXPECT_EQ(part("a100-pcie-80gb").link, LinkKind::kBridge);
  EXPECT_EQ(part("tpu-v5p").link_per_direction->raw(), 540e9);  // six links of 90
  EXPECT_EQ(part("l40s").link, LinkKind::kNone);
}

TEST(Accelerators, EveryPartCanBePlannedOnOrSaysWhyNot) {
  std::size_t planned = 0;
  for (const Accelerator& a : tables().all()) {
    EXPECT_FALSE(a.source.empty()) << a.id;
    EXPECT_FALSE(a.date.empty()) << a.id;
    if (!a.planned || a.announced) continue;
    ++planned;
    EXPECT_GT(a.memory.raw(), 0) << a.id;
    EXPECT_GT(a.bandwidth.raw(), 0) << a.id;
  }
  EXPECT_GE(planned, 68u);
  EXPECT_TRUE(part("rubin-sxm").announced);
  EXPECT_TRUE(part("mi455x-432gb").announced);
  EXPECT_FALSE(part("m60").planned);
  EXPECT_TRUE(part("grace-72c").is_cpu);
  EXPECT_FALSE(part("grace-72c").planned);
}

TEST(Aliases, ThereAreMoreThanThreeHundredSpellings) {
  std::set<std::string> spellings;
  for (const Accelerators::Alias& alias : tables().aliases()) {
    spellings.insert(normal_name(alias.alias));
  }
  EXPECT_GE(spellings.size(), 300u);
}

// Names as SkyPilot, gpuhunt, drivers, GCP and karpenter write them.
TEST(Aliases, NamesOfFeedsAndDrivers) {
  const std::vector<std::pair<std::string_view, std::string_view>> names{
      {"NVIDIA H100 80GB HBM3", "h100-sxm-80gb"},
      {"NVIDIA-H100-80GB-HBM3", "h100-sxm-80gb"},
      {"NVIDIA H100 PCIe", "h100-pcie-80gb"},
      {"NVIDIA H100 NVL", "h100-nvl-94gb"},
      {"H100NVL", "h100-nvl-94gb"},
      {"H100_NVL", "h100-nvl-94gb"},
      {"H100-80G-SXM5", "h100-sxm-80gb"},
      {"H100-80G-PCIe", "h100-pcie-80gb"},
      {"H100-MEGA", "h100-sxm-80gb"},
      {"nvidia-h100-mega-80gb", "h100-sxm-80gb"},
      {"h100-sxm", "h100-sxm-80gb"},
      {"NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"},
      {"NVIDIA A100-SXM4-40GB", "a100-sxm-40gb"},
      {"NVIDIA A100 80GB PCIe", "a100-pcie-80gb"},
      {"NVIDIA A100-PCIE-40GB", "a100-pcie-40gb"},
      {"nvidia-tesla-a100", "a100-sxm-40gb"},
      {"nvidia-a100-80gb", "a100-sxm-80gb"},
      {"NVIDIA H200", "h200-sxm-141gb"},
      {"nvidia-b200", "b200-sxm-180gb"},
      {"B300", "b300-sxm-288gb"},
      {"GB200", "gb200"},
      {"NVIDIA GH200 480GB", "gh200-96gb"},
      {"MI300X", "mi300x-192gb"},
      {"AMD Instinct MI300X OAM", "mi300x-192gb"},
      {"Gaudi 3", "gaudi3-128gb"},
      {"Tesla V100-SXM2-16GB", "v100-sxm2-16gb"},
      {"V100-PCIe-32GB", "v100-pcie-32gb"},
      {"Tesla T4", "t4"},
      {"nvidia-tesla-t4", "t4"},
      {"T4G", "t4g"},
      {"A10G", "a10g"},
      {"NVIDIA L40S", "l40s"},
      {"NVIDIA GeForce RTX 4090", "rtx-4090"},
      {"RTX_5090", "rtx-5090"},
      {"4090", "rtx-4090"},
      {"A6000", "rtx-a6000"},
      {"RTX6000Ada", "rtx-6000-ada"},
      {"RTXPRO6000WS", "rtx-pro-6000-ws"},
      {"rtx-pro-server-6000", "rtx-pro-6000-server"},
      {"NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000-server"},
      {"tpu-v5p-8960", "tpu-v5p"},
      {"tpu-v6e-8", "tpu-v6e"},
      {"tpu7x", "tpu-v7"},
      {"ct5lp", "tpu-v5e"},
      {"trainium2", "trainium2"},
      {"RadeonProV520", "radeon-pro-v520"},
      {"M60", "m60"},
      {"Quadro-RTX-6000", "quadro-rtx-6000"}};
  for (const auto& [name, id] : names) EXPECT_EQ(resolved(name), id) << name;
}

TEST(Aliases, AnAmbiguousNameSaysWhatItTookAndWhatElseItMayMean) {
  const Result<Resolved> h100 = tables().resolve("H100");
  ASSERT_TRUE(h100);
  EXPECT_EQ(h100->accelerator->id, "h100-sxm-80gb");
  EXPECT_NE(h100->note.find("h100-pcie-80gb"), std::string::npos) << h100->note;
  EXPECT_NE(h100->note.find("took h100-sxm-80gb"), std::string::npos) << h100->note;
  // The 24-GB Turing board in SkyPilot's tables, not Ada.
  EXPECT_EQ(resolved("RTX6000"), "quadro-rtx-6000");
  EXPECT_TRUE(tables().resolve("h100-sxm")->note.empty());

  std::vector<std::string> a100;
  for (const Accelerator* a : tables().matching("a100")) a100.push_back(a->id);
  EXPECT_EQ(a100, (std::vector<std::string>{"a100-pcie-40gb", "a100-pcie-80gb", "a100-sxm-40gb",
                                            "a100-sxm-80gb"}));
  EXPECT_EQ(tables().matching("l40").size(), 1u);
  EXPECT_TRUE(tables().matching("nothing").empty());
  EXPECT_EQ(tables().matching("mi3*").size(), 5u);
}

TEST(Aliases, OneNameMayMeanAnotherPartAtOneProvider) {
  EXPECT_EQ(resolved("A100", "seeweb"), "a100-pcie-80gb");
  EXPECT_EQ(resolved("A100", "aws"), "a100-sxm-40gb");
  EXPECT_EQ(resolved("H100", "lambda"), "h100-pcie-80gb");
  EXPECT_EQ(resolved("H100", "no-such-provider"), "h100-sxm-80gb");
  EXPECT_TRUE(tables().resolve("H100", "aws")->note.empty());
}

TEST(Aliases, AWrongNameGetsItsNeighbours) {
  const Result<Resolved> wrong = tables().resolve("h100-sxn");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kNotFound);
  EXPECT_NE(wrong.error().hint.find("h100-sxm"), std::string::npos) << wrong.error().hint;
  const Result<Resolved> far = tables().resolve("abacus");
  ASSERT_FALSE(far);
  EXPECT_FALSE(far.error().hint.empty());
  EXPECT_FALSE(tables().resolve(""));
}

TEST(Aliases, CaseBlanksAndUnderscoresDoNotMatter) {
  const auto aliases = tables().aliases();
  EXPECT_TRUE(rc::check("any way to write a known name resolves to the same part", [&] {
    const std::size_t index = *rc::gen::inRange<std::size_t>(0, aliases.size());
    const Accelerators::Alias& alias = aliases[index];
    RC_PRE(alias.alias.find('*') == std::string::npos);
    std::string written;
    for (char c : alias.alias) {
      if (c == '-' || c == '_' || c == ' ') {
        c = *rc::gen::element('-', '_', ' ');
      } else if (*rc::gen::arbitrary<bool>()) {
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      }
      written += c;
    }
    if (*rc::gen::arbitrary<bool>()) written = "NVIDIA " + written;
    RC_ASSERT(resolved(written, alias.provider) == alias.accelerator_id);
  }));
}

TEST(Tables, EveryProblemOfAFileIsReportedWithItsLine) {
  std::string text = data_file("accelerators.csv");
  const std::size_t end = text.find('\n', text.find('\n') + 1);
  std::string row = text.substr(0, end + 1);
  const std::size_t tdp = row.rfind(",250,none");
  ASSERT_NE(tdp, std::string::npos);
  row.replace(tdp + 1, 3, "hot");
  const auto bad = read_accelerators(row, "parts.csv");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(bad.error().where.line, 2u);
  EXPECT_NE(bad.error().message.find("hot"), std::string::npos) << bad.error().message;
  const auto headless = read_accelerators("id,vendor\nx,y\n", "parts.csv");
  ASSERT_FALSE(headless);
  EXPECT_NE(headless.error().message.find("missing"), std::string::npos);
}

TEST(Tables, IdsAndSpellingsAreUnique) {
  Accelerator a;
  a.id = "a";
  EXPECT_FALSE(Accelerators::from_tables({a, a}, {}));
  Accelerators::Alias alias;
  alias.alias = "x";
  alias.accelerator_id = "b";
  EXPECT_FALSE(Accelerators::from_tables({a}, {alias}));
  alias.accelerator_id = "a";
  EXPECT_FALSE(Accelerators::from_tables({a}, {alias, alias}));
  EXPECT_TRUE(Accelerators::from_tables({a}, {alias}));
}

}  // namespace
}  // namespace portolan::hardware
