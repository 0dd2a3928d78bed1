#include "io/line_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace portolan::io {
namespace {

constexpr std::size_t kFirstBuffer = 1u << 18;

}  // namespace

LineReader::LineReader(ByteStream stream) : stream_(std::move(stream)), buffer_(kFirstBuffer) {}

Result<bool> LineReader::next(std::string_view& line) {
  std::size_t searched = at_;
  while (true) {
    char* const found =
        static_cast<char*>(std::memchr(buffer_.data() + searched, '\n', end_ - searched));
    const bool last = found == nullptr && ended_;
    if (last && at_ == end_) return false;
    if (found != nullptr || last) {
      const std::size_t stop = last ? end_ : static_cast<std::size_t>(found - buffer_.data());
      std::size_t length = stop - at_;
      if (length > 0 && buffer_[stop - 1] == '\r') --length;
      line = {buffer_.data() + at_, length};
      buffer_[at_ + length] = '\0';
      at_ = last ? end_ : stop + 1;
      if (++line_number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
      return true;
    }
    searched = end_ - at_;
    // The rest moves to the front, so that a line is always in one piece.
    if (at_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
      end_ -= at_;
      at_ = 0;
    }
    // One byte is kept for the NUL after a last line without an end.
    if (end_ + 1 >= buffer_.size()) {
      if (buffer_.size() > kMostLineBytes) {
        ++line_number_;
        return fail_here(ErrorCode::kLimit, "the line is longer than the limit of 64 MiB");
      }
      buffer_.resize(std::min(2 * buffer_.size(), kMostLineBytes + 2));
    }
    const Result<std::size_t> got = stream_.read(buffer_.data() + end_, buffer_.size() - end_ - 1);
    if (!got) {
      Error error = got.error();
      if (error.where.line == 0) error.where.line = line_number_ + 1;
      return std::unexpected(std::move(error));
    }
    if (*got == 0) ended_ = true;
    end_ += *got;
  }
}

Result<bool> LineReader::next_text(std::string_view& line) {
  do {
    const Result<bool> got = next(line);
    if (!got || !*got) return got;
  } while (line.find_first_not_of(" \t\r") == std::string_view::npos);
  return true;
}

std::unexpected<Error> LineReader::fail_here(ErrorCode code, std::string message, std::string why,
                                             std::string hint, std::uint64_t column) const {
  return std::unexpected(Error{.code = code,
                               .message = std::move(message),
                               .where = {.file = stream_.name(),
                                         .line = std::max<std::uint64_t>(line_number_, 1),
                                         .column = column,
                                         .pointer = {},
                                         .argument = {},
                                         .offset = {}},
                               .why = std::move(why),
                               .hint = std::move(hint),
                               .also = {}});
}

}  // namespace portolan::io
