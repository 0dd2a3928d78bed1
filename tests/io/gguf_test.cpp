#include <gtest/gtest.h>

#include <limits>

#include "gguf_writer.hpp"
#include "io/model_files.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

constexpr std::uint32_t kF32 = 0, kQ4K = 12, kString = 8, kArray = 9, kU32 = 4;
constexpr std::uint64_t kTwoTo63 = std::uint64_t{1} << 63;

Result<GgufHeader> read(const std::string& bytes) {
  return read_gguf(bytes, bytes.size(), "model.gguf");
}
Result<GgufHeader> read(const GgufWriter& writer) { return read(writer.bytes()); }

// "code | message | place" of a refusal.
std::string refusal(const Result<GgufHeader>& header) {
  if (header) return "accepted";
  return std::string(code_name(header.error().code)) + " | " + header.error().message + " | " +
         header.error().where.offset;
}

TEST(GgufTest, ReadsMetadataAndTensors) {
  GgufWriter file;
  file.header(2, 4)
      .key_string("general.architecture", "llama")
      .string("llama.rope.freq_base")
      .u32(6)
      .number(1e-5f)
      .string("flag")
      .u32(7)
      .raw("\x01")
      .string("list")
      .u32(kArray)
      .u32(kU32)
      .u64(2)
      .u32(7)
      .u32(8)
      .tensor("token_embd.weight", {256, 4}, kQ4K, 0)
      .tensor("norm.weight", {3}, kF32, 576)
      .pad()
      .data(576 + 12)
      .pad();
  const Result<GgufHeader> header = read(file);
  ASSERT_TRUE(header) << refusal(header);
  EXPECT_EQ(header->version, 3u);
  EXPECT_EQ(write_json(header->metadata, false),
            "{\"general.architecture\":\"llama\",\"llama.rope.freq_base\":1e-05,\"flag\":true,"
            "\"list\":[7,8]}");
  ASSERT_EQ(header->tensors.size(), 2u);
  EXPECT_EQ(header->tensors[0].name, "token_embd.weight");
  EXPECT_EQ(header->tensors[0].type, "Q4_K");
  EXPECT_EQ(header->tensors[0].shape, (std::vector<std::uint64_t>{256, 4}));
  EXPECT_EQ(header->tensors[0].elements, 1024u);
  EXPECT_EQ(header->tensors[0].bytes, 576u);
  EXPECT_EQ(header->tensors[1].bytes, 12u);
  EXPECT_EQ(header->tensor_bytes, 588u);
}

TEST(GgufTest, EveryMetadataType) {
  GgufWriter file;
  file.header(0, 13)
      .string("u8")
      .u32(0)
      .number<std::uint8_t>(200)
      .string("i8")
      .u32(1)
      .number<std::int8_t>(-100)
      .string("u16")
      .u32(2)
      .number<std::uint16_t>(60000)
      .string("i16")
      .u32(3)
      .number<std::int16_t>(-30000)
      .string("u32")
      .u32(4)
      .number<std::uint32_t>(4000000000u)
      .string("i32")
      .u32(5)
      .number<std::int32_t>(-2000000000)
      .string("f32")
      .u32(6)
      .number<float>(0.1f)
      .string("bool")
      .u32(7)
      .number<std::uint8_t>(0)
      .string("text")
      .u32(8)
      .string(
          "a\xff"
          "b")
      .string("u64")
      .u32(10)
      .number<std::uint64_t>(18446744073709551615u)
      .string("i64")
      .u32(11)
      .number<std::int64_t>(-9)
      .string("f64")
      .u32(12)
      .number<double>(0.1)
      .string("inf")
      .u32(6)
      .number<float>(std::numeric_limits<float>::infinity());
  const Result<GgufHeader> header = read(file);
  ASSERT_TRUE(header) << refusal(header);
  EXPECT_EQ(write_json(header->metadata, false),
            "{\"u8\":200,\"i8\":-100,\"u16\":60000,\"i16\":-30000,\"u32\":4000000000,"
            "\"i32\":-2000000000,\"f32\":0.1,\"bool\":false,\"text\":\"a\uFFFDb\","
            "\"u64\":18446744073709551615,\"i64\":-9,\"f64\":0.1,\"inf\":null}");
}

TEST(GgufTest, LongArraysKeepTypeAndLength) {
  GgufWriter file;
  file.header(0, 3).string("tokens").u32(kArray).u32(kString).u64(2000);
  for (int i = 0; i < 2000; ++i) file.string("t" + std::to_string(i));
  file.string("scores").u32(kArray).u32(6).u64(2000);
  for (int i = 0; i < 2000; ++i) file.number(1.0f);
  file.key_u32("after", 1);
  const Result<GgufHeader> header = read(file);
  ASSERT_TRUE(header) << refusal(header);
  EXPECT_EQ(write_json(header->metadata, false),
            "{\"tokens\":{\"type\":\"string\",\"length\":2000},"
            "\"scores\":{\"type\":\"float32\",\"length\":2000},\"after\":1}");
}

TEST(GgufTest, AHeadThatIsTooShortSaysSo) {
  GgufWriter file;
  file.header(0, 1).key_string("k", std::string(1000, 'v')).pad().data(5000);
  const std::string_view all = file.bytes();
  EXPECT_TRUE(read_gguf(all.substr(0, 2000), all.size(), "m"));
  EXPECT_EQ(refusal(read_gguf(all.substr(0, 500), all.size(), "m")),
            "limit | m: the header is longer than 500 bytes | byte 45");
  EXPECT_EQ(refusal(read_gguf(all.substr(0, 500), 500, "m")),
            "malformed | m: the file ends inside the header | byte 45");
}

TEST(GgufTest, EveryCutIsRefusedWithAPlace) {
  GgufWriter file;
  file.header(1, 2)
      .key_string("a", "text")
      .string("l")
      .u32(kArray)
      .u32(kString)
      .u64(2)
      .string("x")
      .string("y")
      .tensor("w", {32, 2}, 8, 0)
      .pad();
  const std::size_t header_bytes = file.bytes().size();
  file.data(68).pad();
  for (std::size_t cut = 0; cut < file.bytes().size(); ++cut) {
    const Result<GgufHeader> header = read(file.bytes().substr(0, cut));
    // What stops exactly before the data is a header kept on purpose, its padding included.
    if (header) {
      EXPECT_LE(cut, header_bytes);
      EXPECT_GT(cut + 32, header_bytes);
    } else {
      EXPECT_NE(header.error().where.offset, "") << cut;
    }
  }
  EXPECT_TRUE(read(file));
}

TEST(GgufTest, SizesOfTypes) {
  EXPECT_EQ(gguf_type_bytes("F16", 3), 6u);
  EXPECT_EQ(gguf_type_bytes("Q4_K", 256), 144u);
  EXPECT_EQ(gguf_type_bytes("Q4_K", 255), std::nullopt);
  EXPECT_EQ(gguf_type_bytes("Q6_K", 512), 420u);
  EXPECT_EQ(gguf_type_bytes("MXFP4", 64), 34u);
  EXPECT_EQ(gguf_type_bytes("NVFP4", 64), 36u);
  EXPECT_EQ(gguf_type_bytes("Q9_Z", 64), std::nullopt);
  EXPECT_EQ(gguf_type_bytes("F64", std::uint64_t{1} << 62), std::nullopt);
}

// The kinds of file that ggml's own test writes by hand: what its reader takes is taken, what it
// refuses is refused with a place.
struct Kind {
  const char* name;
  bool valid;
};

class GgufKinds : public testing::TestWithParam<Kind> {};

std::string build(const std::string& kind) {
  GgufWriter file;
  file.raw(kind == "header_bad_magic" ? "FUGG" : "GGUF");
  file.u32(kind == "header_bad_version_1" ? 1 : kind == "header_bad_version_future" ? 4 : 3);
  const bool has_tensors = kind.starts_with("tensors") || kind.starts_with("data");
  const bool has_keys = has_tensors || kind.starts_with("kv");
  const bool bad_alignment = kind.ends_with("_bad_align");
  const bool custom_alignment = kind.ends_with("_custom_align");
  file.u64(kind == "header_bad_n_tensors" ? ~std::uint64_t{0} : has_tensors ? 3 : 0);
  file.u64(kind == "header_bad_n_kv"           ? ~std::uint64_t{0}
           : !has_keys                         ? 0
           : bad_alignment || custom_alignment ? 4
                                               : 3);
  if (!has_keys) return file.pad().bytes();

  if (kind == "kv_bad_key_size") return file.u64(~std::uint64_t{0}).raw("my_key_0").bytes();
  for (int i = 0; i < 3; ++i) {
    file.string("my_key_" + std::to_string(kind == "kv_duplicate_key" ? i / 2 : i));
    if (kind == "kv_bad_type") return file.u32(13).raw("x").bytes();
    if (i == 0) file.u32(kString).string("\x81\xfe random bytes");
    if (i == 1) file.u32(kArray).u32(kString).u64(2).string("a").string("");
    if (i == 2) file.u32(12).number(0.5);
  }
  std::size_t alignment = 32;
  if (bad_alignment || custom_alignment) {
    alignment = custom_alignment ? 1 : 13;
    file.key_u32("general.alignment", static_cast<std::uint32_t>(alignment));
  }
  if (!has_tensors) return file.pad(alignment).bytes();

  if (kind.ends_with("_inconsistent_align")) alignment = 1;
  std::uint64_t offset = 0;
  for (int i = 0; i < 3; ++i) {
    std::string name = "my_tensor";
    if (kind != "tensors_duplicate_name") name += "_" + std::to_string(i);
    if (kind == "tensors_bad_name_size") {
      name += "_with_a_very_long_name_which_is_longer_than_what_is_allowed_for_tensors";
    }
    const std::vector<std::uint64_t> shape{std::uint64_t{32} * static_cast<unsigned>(i + 1), 3};
    file.string(name).u32(kind == "tensors_bad_n_dims" ? 5 : 2);
    for (const std::uint64_t dimension : shape) {
      file.u64(kind == "tensors_bad_shape"    ? ~std::uint64_t{0}
               : kind == "tensors_ne_too_big" ? 4 * std::uint64_t{2147483647}
                                              : dimension);
    }
    file.u32(kind == "tensors_bad_type" ? 99 : 2);  // Q4_0: 18 bytes per 32
    file.u64(kind == "tensors_bad_offset" ? ~std::uint64_t{0} : offset);
    const std::uint64_t bytes = shape[0] * shape[1] / 32 * 18;
    offset += (bytes + alignment - 1) / alignment * alignment;
  }
  file.pad(alignment);
  if (kind.starts_with("data")) file.data(offset - (kind == "data_not_enough_data" ? 1 : 0));
  return file.bytes();
}

TEST_P(GgufKinds, AsTheReferenceReads) {
  const Result<GgufHeader> header = read(build(GetParam().name));
  EXPECT_EQ(header.has_value(), GetParam().valid) << refusal(header);
  if (!header) {
    EXPECT_NE(header.error().where.offset, "");
    EXPECT_EQ(exit_code(header.error().code), 4);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Handcrafted, GgufKinds,
    testing::Values(Kind{"header_bad_magic", false}, Kind{"header_bad_version_1", false},
                    Kind{"header_bad_version_future", false}, Kind{"header_bad_n_tensors", false},
                    Kind{"header_bad_n_kv", false}, Kind{"header_empty", true},
                    Kind{"kv_bad_key_size", false}, Kind{"kv_bad_type", false},
                    Kind{"kv_duplicate_key", false}, Kind{"kv_bad_align", false},
                    Kind{"kv_success", true}, Kind{"tensors_bad_name_size", false},
                    Kind{"tensors_bad_n_dims", false}, Kind{"tensors_bad_shape", false},
                    Kind{"tensors_ne_too_big", false}, Kind{"tensors_bad_type", false},
                    Kind{"tensors_bad_offset", false}, Kind{"tensors_duplicate_name", false},
                    Kind{"tensors_bad_align", false}, Kind{"tensors_inconsistent_align", false},
                    Kind{"tensors_success", true}, Kind{"tensors_custom_align", true},
                    Kind{"data_not_enough_data", false}, Kind{"data_bad_align", false},
                    Kind{"data_inconsistent_align", false}, Kind{"data_success", true},
                    Kind{"data_custom_align", true}),
    [](const testing::TestParamInfo<Kind>& tested) { return std::string(tested.param.name); });

// Named after what was reported in public against other readers.
TEST(GgufRegression, TensorCountTwoTo63) {
  EXPECT_EQ(refusal(read(GgufWriter().raw("GGUF").u32(3).u64(kTwoTo63))),
            "limit | model.gguf: tensor count 9223372036854775808 exceeds the limit 1000000 | "
            "byte 8");
}

TEST(GgufRegression, KeyCountTwoTo63) {
  EXPECT_EQ(refusal(read(GgufWriter().header(0, kTwoTo63))),
            "limit | model.gguf: key count 9223372036854775808 exceeds the limit 65536 | byte 16");
}

TEST(GgufRegression, DimensionProductThatWraps) {
  const std::uint64_t dimension = (std::uint64_t{1} << 42) + 1;
  GgufWriter file;
  file.header(1, 0).tensor("w", {dimension, dimension}, kF32, 0).pad();
  EXPECT_EQ(refusal(read(file)),
            "limit | model.gguf: tensor \"w\" has more than 2^63 elements (dimension "
            "4398046511105) | byte 45");
}

TEST(GgufRegression, BytesThatWrap) {
  GgufWriter file;
  file.header(1, 0).tensor("w", {std::uint64_t{1} << 62}, 28, 0).pad();  // F64: 2^65 bytes
  EXPECT_EQ(refusal(read(file)),
            "limit | model.gguf: tensor \"w\" is larger than 2^64 bytes | byte 33");
}

TEST(GgufRegression, OffsetsThatWrap) {
  GgufWriter file;
  const std::uint64_t half = std::uint64_t{1} << 62;
  file.header(5, 0);
  for (std::uint64_t i = 0; i < 5; ++i) {
    file.tensor("w" + std::to_string(i), {half}, 24, i * half);  // I8
  }
  EXPECT_EQ(refusal(read(file.pad())),
            "limit | model.gguf: the tensors are larger than 2^64 bytes | byte 126");
}

TEST(GgufRegression, AMillionDimensions) {
  GgufWriter file;
  file.header(1, 0).string("w").u32(1'000'000).raw(std::string(64, '\0'));
  EXPECT_EQ(refusal(read(file)),
            "limit | model.gguf: number of dimensions 1000000 exceeds the limit 4 | byte 33");
}

TEST(GgufRegression, StringLengthTwoTo63) {
  EXPECT_EQ(refusal(read(GgufWriter().header(0, 1).u64(kTwoTo63).raw("k"))),
            "limit | model.gguf: key length 9223372036854775808 exceeds the limit 65535 | byte 24");
  EXPECT_EQ(refusal(read(GgufWriter().header(0, 1).string("k").u32(kString).u64(kTwoTo63))),
            "limit | model.gguf: string length 9223372036854775808 exceeds the limit 16777216 | "
            "byte 37");
  EXPECT_EQ(refusal(read(GgufWriter().header(1, 0).u64(kTwoTo63).raw(std::string(64, '\0')))),
            "limit | model.gguf: tensor name length 9223372036854775808 exceeds the limit 64 | "
            "byte 24");
}

TEST(GgufRegression, NestedArrays) {
  GgufWriter two;
  two.header(0, 1).string("k").u32(kArray).u32(kArray).u64(1).u32(kU32).u64(2).u32(1).u32(2);
  EXPECT_EQ(write_json(read(two)->metadata, false), "{\"k\":[[1,2]]}");
  GgufWriter deep;
  deep.header(0, 1).string("k").u32(kArray);
  for (int i = 0; i < 100'000; ++i) deep.u32(kArray).u64(1);
  EXPECT_EQ(refusal(read(deep)), "limit | model.gguf: arrays nested more than 2 deep | byte 61");
  // The same inside an array long enough to be passed over.
  GgufWriter passed;
  passed.header(0, 1).string("k").u32(kArray).u32(kArray).u64(2000);
  for (int i = 0; i < 2000; ++i) passed.u32(kArray).u64(1).u32(kU32).u64(0);
  EXPECT_EQ(refusal(read(passed)), "limit | model.gguf: arrays nested more than 2 deep | byte 61");
}

TEST(GgufRegression, ArrayLengthTwoTo63) {
  for (const std::uint32_t type : {0u, kU32, kString, kArray, 12u}) {
    EXPECT_EQ(
        refusal(read(GgufWriter().header(0, 1).string("k").u32(kArray).u32(type).u64(kTwoTo63))),
        "malformed | model.gguf: array length 9223372036854775808 does not fit into the file "
        "| byte 41");
  }
}

TEST(GgufRegression, WrongArrayType) {
  EXPECT_EQ(refusal(read(GgufWriter().header(0, 1).string("k").u32(kArray).u32(77).u64(1))),
            "malformed | model.gguf: unknown array type 77 | byte 37");
}

TEST(GgufRegression, AlignmentTwoTo30) {
  EXPECT_EQ(refusal(read(GgufWriter().header(0, 1).key_u32("general.alignment", 1u << 30))),
            "invalid_input | model.gguf: general.alignment 1073741824 is not usable | byte 53");
}

TEST(GgufRegression, AlignmentThatIsNoNumber) {
  for (const char* text : {"32", ""}) {
    EXPECT_FALSE(read(GgufWriter().header(0, 1).key_string("general.alignment", text)));
  }
  EXPECT_FALSE(read(GgufWriter().header(0, 1).key_u32("general.alignment", 0)));
}

TEST(GgufRegression, TensorCountThatDoesNotFit) {
  EXPECT_EQ(refusal(read(GgufWriter().header(900'000, 0).pad())),
            "malformed | model.gguf: tensor count 900000 does not fit into the file | byte 8");
}

TEST(GgufRegression, OverlapsAndHoles) {
  GgufWriter overlap;
  overlap.header(2, 0).tensor("a", {16}, kF32, 0).tensor("b", {16}, kF32, 32).pad().data(128);
  EXPECT_EQ(refusal(read(overlap)),
            "malformed | model.gguf: tensor \"b\" begins at offset 32, not 64, where the tensor "
            "before it ends | byte 82");
  GgufWriter hole;
  hole.header(2, 0).tensor("a", {16}, kF32, 0).tensor("b", {16}, kF32, 96).pad().data(192);
  EXPECT_FALSE(read(hole));
}

TEST(GgufRegression, RowsThatCutABlock) {
  GgufWriter file;
  file.header(1, 0).tensor("w", {128, 2}, kQ4K, 0).pad().data(144);
  EXPECT_EQ(refusal(read(file)),
            "malformed | model.gguf: tensor \"w\" has rows of 128 elements, no multiple of the 256 "
            "of a Q4_K block | byte 33");
}

TEST(GgufRegression, BigEndianFilesAreNamed) {
  EXPECT_EQ(refusal(read(GgufWriter().raw("GGUF").u32(3u << 24).u64(0).u64(0))),
            "invalid_input | model.gguf: the file is big-endian | byte 4");
}

}  // namespace
}  // namespace portolan::io
