#include "io/compression.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"

namespace portolan::io {
namespace {

constexpr std::size_t kChunk = 1u << 17;
constexpr std::uint64_t kMostRatio = 100;
// Short texts of one letter may exceed the ratio without harm.
constexpr std::uint64_t kFreeBytes = 1u << 20;

std::unexpected<Error> refuse(ErrorCode code, const std::string& file, std::string message,
                              std::string why = {}) {
  return std::unexpected(Error{.code = code,
                               .message = std::move(message),
                               .where = {.file = file, .pointer = {}, .argument = {}, .offset = {}},
                               .why = std::move(why),
                               .hint = {},
                               .also = {}});
}

// Appends within the caps. A text that turns out too large is refused before it is kept.
class Output {
 public:
  Output(std::uint64_t compressed, std::uint64_t cap)
      : most_(std::min(cap, kMostRatio * compressed + kFreeBytes)), cap_(cap) {}

  bool append(const char* data, std::size_t size) {
    if (size > most_ - content_.size()) return false;
    content_.append(data, size);
    return true;
  }
  [[nodiscard]] std::unexpected<Error> too_large(const std::string& file) const {
    return refuse(
        ErrorCode::kLimit, file,
        "the expanded content exceeds " + with_commas(static_cast<std::int64_t>(most_)) + " bytes",
        most_ == cap_ ? "the limit on expanded bytes"
                      : "the limit is 100 times the compressed size");
  }
  std::string take() { return std::move(content_); }

 private:
  std::uint64_t most_, cap_;
  std::string content_;
};

}  // namespace

Result<std::string> gunzip(std::string_view compressed, const std::string& file,
                           std::uint64_t cap) {
  z_stream stream{};
  constexpr int kGzipOnly = 15 + 16;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end_stream(&stream, inflateEnd);
  Output output(compressed.size(), cap);
  const auto buffer = std::make_unique<std::array<char, kChunk>>();
  std::size_t at = 0;
  int status = Z_OK;
  // A file may hold several members one after another (RFC 1952 §2.2).
  while (at < compressed.size() || status != Z_STREAM_END) {
    if (status == Z_STREAM_END && inflateReset(&stream) != Z_OK) {
      return refuse(ErrorCode::kMalformed, file, "the gzip data are damaged");
    }
    const std::size_t piece = std::min<std::size_t>(compressed.size() - at, 1u << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + at));
    stream.avail_in = static_cast<uInt>(piece);
    stream.next_out = reinterpret_cast<Bytef*>(buffer->data());
    stream.avail_out = static_cast<uInt>(buffer->size());
    status = inflate(&stream, Z_NO_FLUSH);
    at += piece - stream.avail_in;
    const std::size_t produced = buffer->size() - stream.avail_out;
    if (status != Z_OK && status != Z_STREAM_END) {
      return refuse(
          ErrorCode::kMalformed, file,
          status == Z_BUF_ERROR ? "the gzip data end too early" : "the gzip data are damaged");
    }
    if (!output.append(buffer->data(), produced)) return output.too_large(file);
  }
  return output.take();
}

Result<std::string> unzstd(std::string_view compressed, const std::string& file,
                           std::uint64_t cap) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  if (!context) throw std::bad_alloc();
  constexpr int kMostWindowLog = 27;  // 128 MiB of history
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMostWindowLog);
  Output output(compressed.size(), cap);
  const auto buffer = std::make_unique<std::array<char, kChunk>>();
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  std::size_t left = 1;
  while (in.pos < in.size || left != 0) {
    ZSTD_outBuffer out{buffer->data(), buffer->size(), 0};
    const std::size_t before = in.pos;
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return refuse(ErrorCode::kMalformed, file, "the zstd data are damaged");
    }
    if (!output.append(buffer->data(), out.pos)) return output.too_large(file);
    if (in.pos == before && out.pos == 0 && left != 0) {
      return refuse(ErrorCode::kMalformed, file, "the zstd data end too early");
    }
  }
  return output.take();
}

std::string zstd_compress(std::string_view content, int level) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), content.data(), content.size(), level);
  PORTOLAN_CHECK(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

Result<std::string> decompressed(std::string content, const std::string& file, std::uint64_t cap) {
  if (content.starts_with("\x1F\x8B")) return gunzip(content, file, cap);
  if (content.starts_with("\x28\xB5\x2F\xFD")) return unzstd(content, file, cap);
  return content;
}

}  // namespace portolan::io
