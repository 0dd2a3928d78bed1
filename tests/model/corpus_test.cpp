// Real configs that nobody in the project wrote: developers point PORTOLAN_CORPORA at the folder
// that holds hf_configs/. Without it nothing is registered.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/files.hpp"
#include "base/text.hpp"
#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

std::vector<std::string> corpus_files() {
  std::vector<std::string> files;
  const char* root = std::getenv("PORTOLAN_CORPORA");
  if (root == nullptr) return files;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(root) + "/hf_configs", error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The size a dense text model's name states: "Qwen3-0.6B" -> 0.6e9; 0 when it states none.
double stated_size(const std::string& name) {
  for (std::size_t i = name.size(); i-- > 1;) {
    if ((name[i] != 'B' && name[i] != 'b') ||
        std::isdigit(static_cast<unsigned char>(name[i - 1])) == 0)
      continue;
    if (i + 1 < name.size() && std::isalnum(static_cast<unsigned char>(name[i + 1])) != 0) continue;
    std::size_t begin = i;
    while (begin > 0 && (std::isdigit(static_cast<unsigned char>(name[begin - 1])) != 0 ||
                         name[begin - 1] == '.'))
      --begin;
    return parse_double(name.substr(begin, i - begin)).value_or(0) * 1e9;
  }
  return 0;
}

// Names that round harder than 3 %, or that state something else; each with its exact count.
const std::map<std::string, std::int64_t, std::less<>> kExact = {
    {"XiaomiMiMo--MiMo-7B-Base", 7'622'619'136},  // without its prediction module
    {"blis--llama-2-7b-hf", 6'738'415'616},
    {"blis--qwen2.5-7b-instruct", 7'615'616'512},
    {"blis--qwen3-14b", 14'768'307'200},
    {"helix-asplos25--llama30b-config", 32'528'943'616},  // LLaMA "30B"
};

// Mixtures and vision models against the totals their publishers state (model cards and hub
// listings), in billions.
struct Published {
  std::string_view part;  // of the file name
  double billions, tolerance;
};
constexpr Published kPublished[] = {
    {"MiniMax-M2.5", 228.7, 0.01},
    {"MiniMax-M2.7", 228.7, 0.01},
    {"MiniMax-M3", 427, 0.01},
    {"Qwen3-235B-A22B", 235.09, 0.005},
    {"Qwen3-30B-A3B", 30.53, 0.005},
    {"Qwen3-VL-235B", 235.67, 0.01},
    {"Qwen3-VL-30B", 31.07, 0.01},
    {"Qwen3-VL-4B", 4.44, 0.01},
    {"Qwen3-VL-8B", 8.77, 0.01},
    {"Qwen3.5-122B", 122.6, 0.02},
    {"Qwen3.5-27B", 27.4, 0.02},
    {"Qwen3.5-35B", 35.1, 0.02},
    {"Qwen3.5-397B", 397, 0.01},
    {"Qwen3.6-27B", 27.4, 0.02},
    {"Qwen3.6-35B", 35.1, 0.02},
    {"MiMo-V2-Flash", 309, 0.01},
    {"deepseek-v2-lite", 15.7, 0.01},
    {"DeepSeek-R1", 671, 0.005},
    {"DeepSeek-V3", 671, 0.005},
    {"DeepSeek-V4-Pro", 1573, 0.02},
    {"DeepSeek-V4-Flash", 284, 0.01},
    {"Llama-4-Scout", 107.8, 0.01},  // the file lacks the vision tower: the language part
    {"Mixtral-8x22B", 140.6, 0.005},
    {"mixtral-8x7b", 46.7, 0.005},
    {"Mixtral-8x7B", 46.7, 0.005},
    {"Kimi-K2-Instruct", 1026, 0.005},
    {"Kimi-K2.6", 1027, 0.005},
    {"Kimi-K2.7", 1027, 0.005},
    {"GLM-5", 744, 0.01},
    {"glm-5.2", 744, 0.01},
    {"Gemma-4-26B", 25.8, 0.01},
    {"Nemotron-3-Nano-30B", 31.6, 0.01},
    {"Nemotron-3-Super-120B", 120.7, 0.01},
    {"Nemotron-3.5-Lightning", 31.6, 0.01},
    {"Step-3.7-Flash", 196, 0.01},  // the file describes the language part
};

class CorpusConfig : public testing::TestWithParam<std::string> {};

TEST_P(CorpusConfig, IsCountedOrSaysWhatIsUnknown) {
  const auto text = read_file(GetParam());
  ASSERT_TRUE(text.has_value());
  const auto model = read_config_text(*text, GetParam());
  ASSERT_TRUE(model.has_value()) << format_error(model.error());
  const std::string name = std::filesystem::path(GetParam()).stem().string();
  const ParameterCount count = count_parameters(*model);
  EXPECT_GT(count.total, 0);
  EXPECT_GT(kv_bytes_per_token(*model, 2).raw() + state_bytes(*model, 2).raw(), 0) << "no cache";
  EXPECT_EQ(model->coverage, Coverage::kOperators) << model->notes.front();

  if (const auto exact = kExact.find(name); exact != kExact.end()) {
    EXPECT_EQ(count.total, exact->second);
    return;
  }
  // The mixtures of this simulator are written with one KV head instead of eight.
  if (name.starts_with("apex_plus--models-m")) return;
  const auto published =
      std::find_if(std::begin(kPublished), std::end(kPublished),
                   [&](const Published& row) { return name.find(row.part) != std::string::npos; });
  const auto total = static_cast<double>(count.total);
  if (published != std::end(kPublished)) {
    EXPECT_NEAR(total, published->billions * 1e9, published->tolerance * published->billions * 1e9);
    return;
  }
  const double stated = stated_size(name);
  if (stated > 0) {
    EXPECT_NEAR(total, stated, 0.03 * stated) << "counts " << with_commas(count.total);
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CorpusConfig);
INSTANTIATE_TEST_SUITE_P(Corpora, CorpusConfig, testing::ValuesIn(corpus_files()),
                         [](const testing::TestParamInfo<std::string>& file) {
                           std::string name = std::filesystem::path(file.param).stem().string();
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace portolan::model
