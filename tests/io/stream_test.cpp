// Streams of bytes and lines: what was compressed comes back in small pieces, damage is said with
// its place, lines keep their numbers whatever ends them.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "io/byte_stream.hpp"
#include "io/compression.hpp"
#include "io/line_reader.hpp"

namespace portolan::io {
namespace {

std::string gzip(const std::string& content) {
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

std::string numbered_lines(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "line " + std::to_string(i) + '\n';
  return out;
}

Result<std::string> drain(ByteStream stream, std::size_t piece) {
  std::string all;
  std::vector<char> buffer(piece);
  while (true) {
    const Result<std::size_t> got = stream.read(buffer.data(), piece);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return all;
    all.append(buffer.data(), *got);
  }
}

Result<std::vector<std::string>> lines_of(std::string content) {
  LineReader reader(ByteStream::of(std::move(content), "f"));
  std::vector<std::string> lines;
  std::string_view line;
  while (true) {
    const Result<bool> more = reader.next(line);
    if (!more) return std::unexpected(more.error());
    if (!*more) return lines;
    EXPECT_EQ(line.data()[line.size()], '\0');
    lines.emplace_back(line);
    EXPECT_EQ(reader.line_number(), lines.size());
  }
}

TEST(ByteStream, ThereAndBackInPiecesOfAnySize) {
  const std::string text = numbered_lines(50'000);
  for (const std::size_t piece : {1u, 7u, 4096u, 1u << 20}) {
    EXPECT_EQ(drain(ByteStream::of(text, "f"), piece), text);
    EXPECT_EQ(drain(ByteStream::of(gzip(text), "f"), piece), text);
    EXPECT_EQ(drain(ByteStream::of(zstd_compress(text, 3), "f"), piece), text);
  }
  EXPECT_EQ(drain(ByteStream::of("", "f"), 10), "");
  EXPECT_EQ(drain(ByteStream::of(gzip(""), "f"), 10), "");
}

TEST(ByteStream, MembersAndFramesInARow) {
  EXPECT_EQ(drain(ByteStream::of(gzip("one ") + gzip("") + gzip("two"), "f"), 100), "one two");
  EXPECT_EQ(drain(ByteStream::of(zstd_compress("one ", 1) + zstd_compress("two", 1), "f"), 100),
            "one two");
}

TEST(ByteStream, TheHeadStays) {
  const std::string text = numbered_lines(1000);
  ByteStream stream = ByteStream::of(gzip(text), "f");
  EXPECT_EQ(stream.head(20).value(), text.substr(0, 20));
  EXPECT_EQ(drain(std::move(stream), 13), text);
  ByteStream small = ByteStream::of("ab", "f");
  EXPECT_EQ(small.head(20).value(), "ab");
  EXPECT_EQ(drain(std::move(small), 1), "ab");
}

TEST(ByteStream, DamageAndEarlyEndsAreMalformed) {
  const std::string text = numbered_lines(50'000);
  const std::string zipped = gzip(text), frame = zstd_compress(text, 3);
  for (const double part : {0.01, 0.5, 0.99}) {
    const auto cut = [&](const std::string& whole) {
      return whole.substr(0, static_cast<std::size_t>(static_cast<double>(whole.size()) * part));
    };
    EXPECT_EQ(drain(ByteStream::of(cut(zipped), "f"), 4096).error().message,
              "the gzip data end too early");
    const Result<std::string> frame_end = drain(ByteStream::of(cut(frame), "f.zst"), 4096);
    ASSERT_FALSE(frame_end);
    EXPECT_EQ(frame_end.error().message, "the zstd data end too early");
    EXPECT_EQ(frame_end.error().where.file, "f.zst");
  }
  std::string flipped = zipped;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  EXPECT_FALSE(drain(ByteStream::of(flipped, "f"), 4096));
  EXPECT_FALSE(drain(ByteStream::of(zipped + "trailing", "f"), 4096));
}

TEST(ByteStream, BombsAreRefused) {
  const std::string zeros(100u << 20, '\0');
  const std::string bomb = zstd_compress(zeros, 19);
  const Result<std::string> expanded = drain(ByteStream::of(bomb, "f"), 1u << 20);
  ASSERT_FALSE(expanded);
  EXPECT_EQ(expanded.error().code, ErrorCode::kLimit);
}

TEST(ByteStream, WhatIsNotThereIsSaid) {
  EXPECT_EQ(ByteStream::open("/nowhere/at/all").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ByteStream::open("/").error().code, ErrorCode::kNotFound);
}

TEST(LineReader, AnyLineEnd) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of("a\nb\r\n\nc"), (Lines{"a", "b", "", "c"}));
  EXPECT_EQ(lines_of("a\n"), Lines{"a"});
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("\n\n"), (Lines{"", ""}));
  EXPECT_EQ(lines_of("\xEF\xBB\xBFx\ny\r"), (Lines{"x", "y"}));
  EXPECT_EQ(lines_of(gzip("a\nb")), (Lines{"a", "b"}));
}

TEST(LineReader, LinesLongerThanTheBuffer) {
  std::string text;
  std::vector<std::string> lines;
  for (const std::size_t length : {10u, 300'000u, 1u, 3'000'000u, 262'143u, 262'144u, 0u, 5u}) {
    lines.emplace_back(length, static_cast<char>('a' + lines.size()));
    text += lines.back() + '\n';
  }
  EXPECT_EQ(lines_of(text), lines);
  text.pop_back();
  EXPECT_EQ(lines_of(text), lines);
}

TEST(LineReader, ALineWithoutEndIsRefused) {
  const Result<std::vector<std::string>> lines =
      lines_of("first\n" + std::string(LineReader::kMostLineBytes + 1000, 'x'));
  ASSERT_FALSE(lines);
  EXPECT_EQ(lines.error().code, ErrorCode::kLimit);
  EXPECT_EQ(lines.error().where.line, 2u);
}

TEST(LineReader, DamageHasALine) {
  const std::string zipped = gzip(numbered_lines(50'000));
  const Result<std::vector<std::string>> lines = lines_of(zipped.substr(0, zipped.size() / 2));
  ASSERT_FALSE(lines);
  EXPECT_GT(lines.error().where.line, 1000u);
}

}  // namespace
}  // namespace portolan::io
