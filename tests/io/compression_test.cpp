#include "io/compression.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace portolan::io {
namespace {

std::string gzip(std::string_view content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string text() {
  std::string out;
  for (int i = 0; i < 50'000; ++i) out += "line " + std::to_string(i) + '\n';
  return out;
}

TEST(CompressionTest, ThereAndBack) {
  for (const std::string& content : {std::string(), std::string("a"), text()}) {
    EXPECT_EQ(gunzip(gzip(content), "f"), content);
    EXPECT_EQ(unzstd(zstd_compress(content, 3), "f"), content);
    EXPECT_EQ(decompressed(gzip(content), "f"), content);
    EXPECT_EQ(decompressed(zstd_compress(content, 3), "f"), content);
    EXPECT_EQ(decompressed(content, "f"), content);
  }
}

TEST(CompressionTest, MembersAndFramesInARow) {
  EXPECT_EQ(gunzip(gzip("one ") + gzip("") + gzip("two"), "f"), "one two");
  EXPECT_EQ(unzstd(zstd_compress("one ", 1) + zstd_compress("two", 1), "f"), "one two");
}

TEST(CompressionTest, DamageIsMalformedWhereverItIs) {
  const std::string zipped = gzip(text()), frame = zstd_compress(text(), 3);
  for (const double part : {0.0, 0.1, 0.5, 0.99}) {
    const auto cut = static_cast<std::size_t>(static_cast<double>(zipped.size()) * part);
    const Result<std::string> short_gzip = gunzip(zipped.substr(0, cut), "f.gz");
    ASSERT_FALSE(short_gzip);
    EXPECT_EQ(short_gzip.error().code, ErrorCode::kMalformed);
    EXPECT_EQ(short_gzip.error().where.file, "f.gz");
    const auto cut_frame = static_cast<std::size_t>(static_cast<double>(frame.size()) * part);
    EXPECT_EQ(unzstd(frame.substr(0, cut_frame), "f").error().code, ErrorCode::kMalformed);
  }
  std::string flipped = zipped;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  EXPECT_FALSE(gunzip(flipped, "f"));
  EXPECT_FALSE(gunzip(zipped + "trailing", "f"));
  EXPECT_FALSE(unzstd(frame + "trailing", "f"));
}

TEST(CompressionTest, BombsAreRefusedByRatioAndByCap) {
  const std::string zeros(64u << 20, '\0');
  const std::string bomb = zstd_compress(zeros, 19);
  const Result<std::string> expanded = unzstd(bomb, "bomb");
  ASSERT_FALSE(expanded);
  EXPECT_EQ(expanded.error().code, ErrorCode::kLimit);
  EXPECT_EQ(expanded.error().why, "the limit is 100 times the compressed size");
  EXPECT_EQ(gunzip(gzip(zeros), "bomb").error().code, ErrorCode::kLimit);
  EXPECT_EQ(gunzip(gzip(text()), "f", 1000).error().why, "the limit on expanded bytes");
  EXPECT_EQ(unzstd(zstd_compress(text(), 3), "f", 1000).error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace portolan::io
