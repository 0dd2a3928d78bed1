#include "model/library.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "io/text_formats.hpp"
#include "tests/model/configs.hpp"
#include "tests/model/own_folder.hpp"

namespace portolan::model {
namespace {

std::string id_of(std::string_view name) {
  const auto model = library().named(name);
  return model ? model->id : "error: " + model.error().message + " | " + model.error().hint;
}

TEST(Library, FindsIdsAliasesAndRepositoriesWhateverTheCase) {
  EXPECT_EQ(id_of("llama-3.1-8b"), "llama-3.1-8b");
  EXPECT_EQ(id_of("LLAMA-3.1-8B"), "llama-3.1-8b");
  EXPECT_EQ(id_of("meta-llama/Llama-3.1-8B"), "llama-3.1-8b");
  EXPECT_EQ(id_of(" deepseek-ai/deepseek-v3 "), "deepseek-v3");
}

TEST(Library, DropsVariantsAndOrganisationsWhereOneModelIsLeft) {
  EXPECT_EQ(id_of("llama-3.1-8b-instruct"), "llama-3.1-8b");
  EXPECT_EQ(id_of("somebody/Llama-3.1-8B-Instruct"), "llama-3.1-8b");
  EXPECT_EQ(id_of("gemma-3-27b-it"), "gemma-3-27b");
  EXPECT_EQ(id_of("llama-2-7b-chat"), "llama-2-7b");
}

TEST(Library, SuggestsTheNearestName) {
  const auto model = library().named("lama-3.1-8b");
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(model.error().message, "unknown model \"lama-3.1-8b\"");
  EXPECT_NE(model.error().hint.find("llama-3.1-8b"), std::string::npos) << model.error().hint;
}

TEST(Library, EveryLineSaysTheSameScannedAndParsed) {
  std::size_t lines = 0;
  for (std::string_view rest = embedded_models(); !rest.empty();) {
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (line.empty()) continue;
    ++lines;
    const auto value = io::parse_json(line, "models.jsonl", io::DuplicateKeys::kRefuse);
    ASSERT_TRUE(value.has_value()) << line.substr(0, 80);
    const std::string id = value->find("id")->string();
    EXPECT_EQ(id_of(id), id);
    if (value->find("hf_id")->is_string()) {
      EXPECT_EQ(id_of(value->find("hf_id")->string()), id);
    }
    for (const io::Value& alias : value->find("aliases")->array())
      EXPECT_EQ(id_of(alias.string()), id);
  }
  EXPECT_EQ(library().ids().size(), lines);
}

TEST(Library, RefusesACatalogueWithAmbiguousNames) {
  const auto twice = Library::open(
      "{\"id\":\"a\",\"hf_id\":null,\"aliases\":[\"x\"],\"config\":null}\n"
      "{\"id\":\"b\",\"hf_id\":null,\"aliases\":[\"X\"],\"config\":null}\n");
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().message, "the model catalogue gives the name \"x\" twice");
  EXPECT_FALSE(Library::open("{\"name\":\"a\"}\n").has_value());
}

TEST(Library, NamesAreSorted) {
  const auto names = library().names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_GT(names.size(), library().ids().size());
}

class LibraryPaths : public OwnFolder {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  static constexpr std::string_view kConfig =
      R"({"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":11008,"vocab_size":32000})";
};

TEST_F(LibraryPaths, ReadsAFileOrItsFolder) {
  const std::string path = write("config.json", std::string(kConfig));
  for (const std::string& name : {path, folder_.string(), folder_.string() + "/"}) {
    const auto model = library().find(name);
    ASSERT_TRUE(model.has_value()) << format_error(model.error());
    EXPECT_EQ(count_parameters(model->architecture).total, 6'738'415'616);
    EXPECT_EQ(model->id, name);
  }
}

TEST_F(LibraryPaths, ReadsTheRecipeAndTheIndexBesideTheConfig) {
  write("config.json", std::string(kConfig));
  write(
      "hf_quant_config.json",
      R"({"producer":{"name":"modelopt"},"quantization":{"quant_algo":"FP8","exclude_modules":["lm_head"]}})");
  auto model = library().find(folder_.string());
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->architecture.weights, Format::kFp8);
  write("model.safetensors.index.json",
        R"({"metadata":{"total_size":7000000000},"weight_map":{}})");
  model = library().find(folder_.string());
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->architecture.exact_weight_bytes, 7'000'000'000U);
}

TEST_F(LibraryPaths, SaysWhatIsMissing) {
  const auto empty = library().find(folder_.string());
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error().code, ErrorCode::kNotFound);
  const auto absent = library().find((folder_ / "nothing.json").string());
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  const auto broken = library().find(write("broken.json", "{\"hidden_size\": 4096"));
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace portolan::model
