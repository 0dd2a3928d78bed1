#include "model/numeric_format.hpp"

#include <gtest/gtest.h>

#include "tests/model/configs.hpp"

namespace portolan::model {
namespace {

TEST(NumericFormat, BytesIncludeScales) {
  EXPECT_EQ(bytes_per_weight(Format::kBf16), 2);
  EXPECT_EQ(bytes_per_weight(Format::kFp8), 1);
  EXPECT_EQ(bytes_per_weight(Format::kFp8Block), 1 + 4.0 / 16384);
  EXPECT_NEAR(bytes_per_weight(Format::kInt4), 0.5195, 0.0001);
  EXPECT_EQ(bytes_per_weight(Format::kNvfp4), 0.5625);
  EXPECT_EQ(bytes_per_weight(Format::kMxfp4), 0.53125);
  EXPECT_EQ(nominal_bytes_per_weight(Format::kInt4), 0.5);
  EXPECT_EQ(compute_of(Format::kInt4), Compute::kBf16);
  EXPECT_EQ(compute_of(Format::kFp8Block), Compute::kFp8);
}

TEST(NumericFormat, ReadsTheSpellingsOfConfigs) {
  for (const auto& [name, format] : {std::pair{"bfloat16", Format::kBf16},
                                     {"BF16", Format::kBf16},
                                     {"float8_e4m3fn", Format::kFp8},
                                     {"awq", Format::kInt4},
                                     {"float32", Format::kFp32},
                                     {"half", Format::kFp16},
                                     {"nvfp4", Format::kNvfp4}}) {
    const auto parsed = parse_format(name);
    ASSERT_TRUE(parsed.has_value()) << name;
    EXPECT_EQ(*parsed, format) << name;
    EXPECT_EQ(*parse_format(format_name(*parsed)), *parsed);
  }
  const auto wrong = parse_format("bf61");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().message, "unknown number format \"bf61\"");
  EXPECT_NE(wrong.error().hint.find("bf16"), std::string::npos);
  EXPECT_FALSE(parse_format("").has_value());
}

TEST(KvFormat, BytesPerElement) {
  EXPECT_EQ(*kv_bytes_per_element("bf16"), 2);
  EXPECT_EQ(*kv_bytes_per_element("FP8"), 1);
  EXPECT_EQ(*kv_bytes_per_element("q8_0"), 1.0625);
  EXPECT_EQ(*kv_bytes_per_element("q4_0"), 0.5625);
  EXPECT_FALSE(kv_bytes_per_element("fp7").has_value());
}

TEST(WeightBytes, LeavesEmbeddingsAndHeadIn16Bits) {
  const Architecture llama = named("llama-3-8b");
  EXPECT_EQ(weight_bytes(llama, std::nullopt).raw(), 2.0 * 8'030'261'248);
  EXPECT_EQ(weight_bytes(llama, Format::kFp32).raw(), 4.0 * 8'030'261'248);
  const double ends = 2.0 * 128256 * 4096, norms = 65.0 * 4096;
  EXPECT_EQ(weight_bytes(llama, Format::kFp8).raw(),
            2.0 * (ends + norms) + (8'030'261'248 - ends - norms));
}

TEST(WeightBytes, RuleOfThumbModelIs350GB) {
  const auto model = library().named("gpt3-175b");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->parameters_for_rule() * nominal_bytes_per_weight(Format::kFp16), 350e9);
}

}  // namespace
}  // namespace portolan::model
