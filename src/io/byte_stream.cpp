#include "io/byte_stream.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"

namespace portolan::io {
namespace {

constexpr std::size_t kCompressedChunk = 1u << 17;
constexpr std::uint64_t kMostRatio = 1000;
constexpr std::uint64_t kFreeBytes = 64ull << 20;

enum class Kind : std::uint8_t { kUnknown, kPlain, kGzip, kZstd };

}  // namespace

struct ByteStream::State {
  std::string name;
  std::optional<FileInput> file;  // unset: the content is all in `in`
  std::vector<char> in;
  std::size_t at = 0, end = 0;  // of `in`: what has been read but not handed on
  bool file_ended = false;
  Kind kind = Kind::kUnknown;
  z_stream gzip{};
  bool has_gzip = false;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> zstd{nullptr, ZSTD_freeDCtx};
  bool frame_open = true;  // inside a gzip member or zstd frame
  bool broken = false;
  std::uint64_t taken = 0, given = 0;  // compressed and expanded bytes
  std::string head;                    // expanded ahead of read()
  std::size_t head_at = 0;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (has_gzip) inflateEnd(&gzip);
  }

  [[nodiscard]] std::unexpected<Error> refuse(ErrorCode code, std::string message,
                                              std::string why = {}) {
    broken = true;
    return std::unexpected(
        Error{.code = code,
              .message = std::move(message),
              .where = {.file = name, .pointer = {}, .argument = {}, .offset = {}},
              .why = std::move(why),
              .hint = {},
              .also = {}});
  }

  // Makes sure that there is unread input, or that the file has ended.
  Result<void> fill() {
    if (at < end || file_ended) return {};
    at = end = 0;
    end = PORTOLAN_TRY(file->read(in.data(), in.size()));
    if (end == 0) file_ended = true;
    return {};
  }

  Result<void> recognise() {
    PORTOLAN_DO(fill());
    // A pipe may bring its first bytes one by one.
    while (end < 4 && !file_ended) {
      const std::size_t got = PORTOLAN_TRY(file->read(in.data() + end, in.size() - end));
      if (got == 0) file_ended = true;
      end += got;
    }
    const std::string_view start(in.data(), end);
    kind = Kind::kPlain;
    if (start.starts_with("\x1F\x8B")) {
      kind = Kind::kGzip;
      constexpr int kGzipOnly = 15 + 16;
      if (inflateInit2(&gzip, kGzipOnly) != Z_OK) throw std::bad_alloc();
      has_gzip = true;
    } else if (start.starts_with("\x28\xB5\x2F\xFD")) {
      kind = Kind::kZstd;
      zstd.reset(ZSTD_createDCtx());
      if (!zstd) throw std::bad_alloc();
      constexpr int kMostWindowLog = 26;  // 64 MiB of history
      ZSTD_DCtx_setParameter(zstd.get(), ZSTD_d_windowLogMax, kMostWindowLog);
    }
    return {};
  }

  // Both expand once; 0 bytes with input left means: call again.
  Result<std::size_t> expand_gzip(char* to, std::size_t most) {
    if (!frame_open) {
      if (inflateReset(&gzip) != Z_OK) throw std::bad_alloc();
      frame_open = true;
    }
    const auto room = static_cast<uInt>(std::min<std::size_t>(most, 1u << 30));
    const auto ready = static_cast<uInt>(std::min<std::size_t>(end - at, 1u << 30));
    gzip.next_in = reinterpret_cast<Bytef*>(in.data() + at);
    gzip.avail_in = ready;
    gzip.next_out = reinterpret_cast<Bytef*>(to);
    gzip.avail_out = room;
    const int status = inflate(&gzip, Z_NO_FLUSH);
    at += ready - gzip.avail_in;
    taken += ready - gzip.avail_in;
    if (status == Z_STREAM_END) {
      frame_open = false;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return refuse(ErrorCode::kMalformed, "the gzip data are damaged");
    }
    return room - gzip.avail_out;
  }
  Result<std::size_t> expand_zstd(char* to, std::size_t most) {
    ZSTD_inBuffer input{in.data() + at, end - at, 0};
    ZSTD_outBuffer output{to, most, 0};
    const std::size_t left = ZSTD_decompressStream(zstd.get(), &output, &input);
    if (ZSTD_isError(left) != 0) {
      return refuse(ErrorCode::kMalformed, "the zstd data are damaged");
    }
    at += input.pos;
    taken += input.pos;
    frame_open = left != 0;
    return output.pos;
  }
};

ByteStream::ByteStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

Result<ByteStream> ByteStream::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->file.emplace(PORTOLAN_TRY(FileInput::open(path)));
  state->name = path;
  state->in.resize(kCompressedChunk);
  return ByteStream(std::move(state));
}

ByteStream ByteStream::of(std::string content, std::string name) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->in.assign(content.begin(), content.end());
  state->end = content.size();
  state->file_ended = true;
  return ByteStream(std::move(state));
}

const std::string& ByteStream::name() const { return state_->name; }

Result<std::string_view> ByteStream::head(std::size_t most) {
  State& s = *state_;
  std::string head;
  while (head.size() < most) {
    const std::size_t old = head.size();
    head.resize(most);
    const Result<std::size_t> got = read(head.data() + old, most - old);
    if (!got) return std::unexpected(got.error());
    head.resize(old + *got);
    if (*got == 0) break;
  }
  s.head = std::move(head);
  s.head_at = 0;
  return s.head;
}

Result<std::size_t> ByteStream::read(char* to, std::size_t most) {
  State& s = *state_;
  if (s.head_at < s.head.size()) {
    const std::size_t ready = std::min(most, s.head.size() - s.head_at);
    std::memcpy(to, s.head.data() + s.head_at, ready);
    s.head_at += ready;
    return ready;
  }
  if (s.broken || most == 0) return 0;
  if (s.kind == Kind::kUnknown) PORTOLAN_DO(s.recognise());
  if (s.kind == Kind::kPlain) {
    // Large pieces of a plain file go past the buffer.
    if (s.at == s.end && !s.file_ended) {
      const std::size_t got = PORTOLAN_TRY(s.file->read(to, most));
      if (got == 0) s.file_ended = true;
      return got;
    }
    const std::size_t ready = std::min(most, s.end - s.at);
    if (ready > 0) std::memcpy(to, s.in.data() + s.at, ready);
    s.at += ready;
    return ready;
  }
  while (true) {
    PORTOLAN_DO(s.fill());
    const bool dry = s.at == s.end;  // what is in the expander may still come out
    if (dry && !s.frame_open) return 0;
    const std::size_t got =
        PORTOLAN_TRY(s.kind == Kind::kGzip ? s.expand_gzip(to, most) : s.expand_zstd(to, most));
    s.given += got;
    if (s.given > kMostRatio * s.taken + kFreeBytes) {
      return s.refuse(ErrorCode::kLimit, "the expanded content is more than 1,000 times as large",
                      "the limit on what compressed input may expand to");
    }
    if (got > 0) return got;
    if (dry && s.frame_open) {
      return s.refuse(ErrorCode::kMalformed, s.kind == Kind::kGzip ? "the gzip data end too early"
                                                                   : "the zstd data end too early");
    }
  }
}

}  // namespace portolan::io
