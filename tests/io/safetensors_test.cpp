#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/files.hpp"
#include "io/model_files.hpp"
#include "io/text_formats.hpp"

namespace portolan::io {
namespace {

std::string file_with(std::string_view json, std::size_t data_bytes,
                      std::optional<std::uint64_t> claimed = std::nullopt) {
  const std::uint64_t length = claimed.value_or(json.size());
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i) & 0xFF);
  bytes += json;
  bytes.append(data_bytes, 'd');
  return bytes;
}
Result<SafetensorsHeader> read(const std::string& bytes) {
  return read_safetensors(bytes, bytes.size(), "m.safetensors");
}
std::string refusal(const Result<SafetensorsHeader>& header) {
  if (header) return "accepted";
  return std::string(code_name(header.error().code)) + " | " + header.error().message + " | " +
         header.error().where.offset;
}

TEST(SafetensorsTest, ReadsTensorsAndMetadata) {
  const std::string file = file_with(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("n":{"dtype":"F4","shape":[4],"data_offsets":[16,18]},)"
      R"("z":{"dtype":"I8","shape":[0],"data_offsets":[18,18]}}   )",
      18);
  const Result<SafetensorsHeader> header = read(file);
  ASSERT_TRUE(header) << refusal(header);
  EXPECT_EQ(write_json(header->metadata, false), "{\"format\":\"pt\"}");
  ASSERT_EQ(header->tensors.size(), 4u);
  EXPECT_EQ(header->tensors[0].name, "b");
  EXPECT_EQ(header->tensors[0].type, "BF16");
  EXPECT_EQ(header->tensors[0].shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(header->tensors[0].elements, 6u);
  EXPECT_EQ(header->tensors[0].bytes, 12u);
  EXPECT_EQ(header->tensors[1].elements, 1u);
  EXPECT_EQ(header->tensor_bytes, 18u);
  EXPECT_TRUE(read(file_with("{}", 0)));
}

TEST(SafetensorsTest, ATypeOfTheFutureIsTakenAtItsWord) {
  const Result<SafetensorsHeader> header =
      read(file_with(R"({"a":{"dtype":"F3","shape":[8],"data_offsets":[0,3]}})", 3));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->tensors[0].type, "F3");
  EXPECT_EQ(header->tensors[0].bytes, 3u);
}

TEST(SafetensorsTest, FilesOnDiskAreReadByTheirHeaderAlone) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() /
                                     ("portolan-" + std::to_string(::getpid()) + ".safetensors");
  const std::string bytes =
      file_with(R"({"a":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}})", 1000);
  ASSERT_TRUE(write_file(path.string(), bytes, true));
  const Result<SafetensorsHeader> header = read_safetensors_file(path.string());
  EXPECT_TRUE(header) << refusal(header);
  std::filesystem::remove(path);
  EXPECT_EQ(read_safetensors_file(path.string()).error().code, ErrorCode::kNotFound);
}

TEST(SafetensorsTest, EveryCutIsRefusedWithAPlace) {
  const std::string file = file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4);
  for (std::size_t cut = 0; cut < file.size(); ++cut) {
    const Result<SafetensorsHeader> header = read(file.substr(0, cut));
    ASSERT_FALSE(header) << cut;
    EXPECT_NE(header.error().where.offset, "") << cut;
  }
}

TEST(SafetensorsTest, ShapesOffsetsAndTypesMustAgree) {
  struct Case {
    const char* json;
    const char* message;
  };
  for (const Case& c :
       {Case{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
             "tensor \"a\" has 2 elements of F32 but 4 bytes"},
        Case{R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})",
             "tensor \"a\" has 3 elements of F4 but 2 bytes"},
        Case{R"({"a":{"shape":[2],"data_offsets":[0,4]}})", "tensor \"a\" has no dtype"},
        Case{R"({"a":{"dtype":"U8","data_offsets":[0,4]}})", "tensor \"a\" has no shape"},
        Case{R"({"a":{"dtype":"U8","shape":[4]}})",
             "tensor \"a\" has no data_offsets of two whole numbers"},
        Case{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}})",
             "tensor \"a\" has no data_offsets of two whole numbers"},
        Case{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[-1,3]}})",
             "tensor \"a\" has no data_offsets of two whole numbers"},
        Case{R"({"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}})",
             "tensor \"a\" has a dimension that is not a whole number"},
        Case{R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})",
             "tensor \"a\" has a dimension that is not a whole number"},
        Case{R"({"a":[]})", "tensor \"a\" is not an object"},
        Case{R"({"__metadata__":1})", "__metadata__ is not an object"},
        Case{R"({"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
             "key \"dtype\" appears twice"}}) {
    const Result<SafetensorsHeader> header = read(file_with(c.json, 4));
    ASSERT_FALSE(header) << c.json;
    EXPECT_EQ(header.error().message, std::string("m.safetensors: ") + c.message);
    EXPECT_TRUE(header.error().where.offset.starts_with("byte ")) << c.json;
  }
}

// Named after the format's published attacks.
TEST(SafetensorsRegression, HeaderLengthBeyondTheFile) {
  EXPECT_EQ(refusal(read(file_with("{}", 0, 3))),
            "malformed | m.safetensors: header length 3 does not fit into the file | byte 0");
  EXPECT_EQ(refusal(read("1234567")),
            "malformed | m.safetensors: not a safetensors file: it is too short | byte 0");
}

TEST(SafetensorsRegression, HeaderLengthTwoTo63) {
  EXPECT_EQ(refusal(read(file_with("{}", 0, std::uint64_t{1} << 63))),
            "limit | m.safetensors: header length 9223372036854775808 exceeds the limit 100000000 "
            "| byte 0");
}

TEST(SafetensorsRegression, OversizedHeader) {
  EXPECT_EQ(refusal(read_safetensors(file_with("{}", 0, 100'000'001), 1ull << 40, "m")),
            "limit | m: header length 100000001 exceeds the limit 100000000 | byte 0");
}

TEST(SafetensorsRegression, OverlappingOffsets) {
  EXPECT_EQ(refusal(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                   R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                                   6))),
            "invalid_input | m.safetensors: tensor \"b\" overlaps the one before it: it begins at "
            "2, not 4 | byte 115");
  EXPECT_FALSE(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                              R"("b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
                              4)));
}

TEST(SafetensorsRegression, Holes) {
  EXPECT_EQ(refusal(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                   R"("b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})",
                                   6))),
            "invalid_input | m.safetensors: tensor \"b\" leaves a hole before it: it begins at 5, "
            "not 4 | byte 118");
  EXPECT_EQ(refusal(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 6))),
            "invalid_input | m.safetensors: the tensors end at 4, the data at 6 | byte 65");
  EXPECT_FALSE(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5)));
}

TEST(SafetensorsRegression, OffsetsOutsideTheFile) {
  EXPECT_FALSE(read(file_with(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 4)));
  EXPECT_FALSE(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4)));
}

TEST(SafetensorsRegression, ShapeThatWraps) {
  EXPECT_EQ(
      refusal(read(file_with(
          R"({"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,4]}})", 4))),
      "limit | m.safetensors: tensor \"a\" has more than 2^64 elements | byte 47");
}

TEST(SafetensorsRegression, TheSameNameTwice) {
  EXPECT_EQ(refusal(read(file_with(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                   R"("a":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}})",
                                   4))),
            "invalid_input | m.safetensors: tensor \"a\" appears twice | byte 8");
}

TEST(SafetensorsRegression, DeepOrMalformedHeaders) {
  EXPECT_EQ(refusal(read(file_with("{\"a\":" + std::string(100'000, '['), 4))),
            "limit | m.safetensors: nested more than 4 deep | byte 16");
  EXPECT_EQ(refusal(read(file_with("{\"a\":}", 4))),
            "malformed | m.safetensors: unexpected \"}\" in JSON | byte 13");
  EXPECT_EQ(refusal(read(file_with("[]", 4))),
            "malformed | m.safetensors: not a safetensors file: the header is not a JSON object | "
            "byte 0");
  EXPECT_FALSE(read(file_with("{}x", 0)));
}

}  // namespace
}  // namespace portolan::io
