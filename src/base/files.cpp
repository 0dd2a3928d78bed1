#include "base/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/text.hpp"

namespace portolan {
namespace {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string reason(int number) { return to_lower(std::strerror(number)); }

Error file_error(ErrorCode code, const std::string& path, std::string message, std::string why,
                 std::string hint = {}) {
  return Error{.code = code,
               .message = std::move(message),
               .where = {.file = path, .pointer = {}, .argument = {}, .offset = {}},
               .why = std::move(why),
               .hint = std::move(hint),
               .also = {}};
}

Error too_large(const std::string& path, std::uint64_t cap) {
  return file_error(ErrorCode::kLimit, path,
                    quoted(path) + " is larger than the limit of " +
                        with_commas(static_cast<std::int64_t>(cap)) + " bytes",
                    {});
}

struct OpenFile {
  Descriptor descriptor;
  struct stat status{};
};

Result<OpenFile> open_for_reading(const std::string& path) {
  // A path with a NUL would silently name another file.
  if (path.empty() || path.find('\0') != std::string::npos) {
    return fail(ErrorCode::kNotFound, quoted(path) + " is not a file name");
  }
  int fd = path == "-" ? STDIN_FILENO : -1;
  while (fd < 0) {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno != EINTR) {
      const int number = errno;
      const bool machine = number == EMFILE || number == ENFILE || number == EIO;
      return std::unexpected(file_error(machine ? ErrorCode::kIo : ErrorCode::kNotFound, path,
                                        "cannot read " + quoted(path), reason(number)));
    }
  }
  OpenFile file{Descriptor(fd), {}};
  if (::fstat(fd, &file.status) != 0) {
    return std::unexpected(
        file_error(ErrorCode::kIo, path, "cannot read " + quoted(path), reason(errno)));
  }
  if (S_ISDIR(file.status.st_mode)) {
    return std::unexpected(
        file_error(ErrorCode::kNotFound, path, "cannot read " + quoted(path), "it is a folder"));
  }
  return file;
}

// Reads until `most` bytes or the end. Grows with what arrives: a size is a claim until then.
Result<std::string> read_up_to(int fd, const std::string& path, std::uint64_t most,
                               std::uint64_t expected) {
  constexpr std::uint64_t kChunk = 1u << 16;
  std::string content;
  content.reserve(std::min(most, expected));
  while (content.size() < most) {
    const std::uint64_t old = content.size();
    const std::uint64_t room = content.capacity() - old;
    const std::uint64_t want = std::min(most - old, room > 0 ? room : kChunk);
    content.resize(old + want);
    ssize_t got = -1;
    do {
      got = ::read(fd, content.data() + old, want);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      return std::unexpected(
          file_error(ErrorCode::kIo, path, "reading " + quoted(path) + " failed", reason(errno)));
    }
    content.resize(old + static_cast<std::uint64_t>(got));
    if (got == 0) break;
  }
  return content;
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    content.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

Error write_failed(const std::string& path, int number) {
  return file_error(ErrorCode::kIo, path, "cannot write " + quoted(path), reason(number));
}

Error already_exists(const std::string& path) {
  return file_error(ErrorCode::kConflict, path, quoted(path) + " exists already", {},
                    "--force to replace it, or another name");
}

// Gives the finished sibling its name. Without force the kernel refuses an existing target, so
// that a file which appeared meanwhile survives.
bool take_name(const std::string& sibling, const std::string& path, bool force) {
  if (force) return std::rename(sibling.c_str(), path.c_str()) == 0;
  if (::renameat2(AT_FDCWD, sibling.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
    return true;
  }
  if (errno != EINVAL && errno != ENOSYS) return false;
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    errno = EEXIST;
    return false;
  }
  return std::rename(sibling.c_str(), path.c_str()) == 0;
}

void flush_folder(const std::string& folder) {
  // Some file systems cannot flush a folder; the file itself is whole either way.
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() >= 0) ::fsync(descriptor.get());
}

// With its slash; `here` for a bare name.
std::string folder_of(const std::string& path, std::string_view here) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string(here) : path.substr(0, slash + 1);
}

// A new empty file beside the target, which no other process has open.
Descriptor create_sibling(const std::string& prefix, std::string& name) {
  constexpr int kMostAttempts = 100;
  for (int attempt = 0;; ++attempt) {
    name = prefix + ".portolan-" + std::to_string(::getpid()) + '-' + std::to_string(attempt);
    const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST || attempt == kMostAttempts) return Descriptor(fd);
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::uint64_t cap) {
  const OpenFile file = PORTOLAN_TRY(open_for_reading(path));
  const auto size = static_cast<std::uint64_t>(std::max<off_t>(file.status.st_size, 0));
  if (S_ISREG(file.status.st_mode) && size > cap) return std::unexpected(too_large(path, cap));
  std::string content =
      PORTOLAN_TRY(read_up_to(file.descriptor.get(), path, cap + 1, std::min(size + 1, cap + 1)));
  if (content.size() > cap) return std::unexpected(too_large(path, cap));
  return content;
}

Result<FileHead> read_file_head(const std::string& path, std::uint64_t bytes) {
  const OpenFile file = PORTOLAN_TRY(open_for_reading(path));
  if (!S_ISREG(file.status.st_mode)) {
    return std::unexpected(file_error(ErrorCode::kNotFound, path, "cannot read " + quoted(path),
                                      "its size is needed and only a regular file has one"));
  }
  const auto size = static_cast<std::uint64_t>(std::max<off_t>(file.status.st_size, 0));
  const std::uint64_t wanted = std::min(bytes, size);
  FileHead head;
  head.bytes = PORTOLAN_TRY(read_up_to(file.descriptor.get(), path, wanted, wanted));
  head.file_size = size;
  return head;
}

Result<FileWriter> FileWriter::open(const std::string& path, bool force) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return fail(ErrorCode::kNotFound, quoted(path) + " is not a file name");
  }
  FileWriter writer(path, force);
  struct stat old{};
  const bool had = ::stat(path.c_str(), &old) == 0;
  if (had && S_ISDIR(old.st_mode)) {
    return std::unexpected(file_error(ErrorCode::kConflict, path, "cannot write " + quoted(path),
                                      "it is a folder", "name a file inside it"));
  }
  if (had && !S_ISREG(old.st_mode)) {
    // A device or pipe (/dev/stdout, /dev/null) is written to; renaming onto it would replace it.
    writer.fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  } else {
    if (!force && exists(path)) return std::unexpected(already_exists(path));
    Descriptor sibling = create_sibling(folder_of(path, ""), writer.sibling_);
    writer.fd_ = sibling.release();
    if (writer.fd_ < 0) writer.sibling_.clear();
  }
  // A replaced file keeps its mode, a new one follows the umask.
  const bool ready = writer.fd_ >= 0 && (!had || writer.sibling_.empty() ||
                                         ::fchmod(writer.fd_, old.st_mode & 07777u) == 0);
  if (!ready) return std::unexpected(write_failed(path, errno));
  return writer;
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      sibling_(std::exchange(other.sibling_, {})),
      buffer_(std::move(other.buffer_)),
      fd_(std::exchange(other.fd_, -1)),
      force_(other.force_) {}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (!sibling_.empty()) ::unlink(sibling_.c_str());
}

Result<void> FileWriter::flush() {
  if (!write_all(fd_, buffer_)) return std::unexpected(write_failed(path_, errno));
  buffer_.clear();
  return {};
}

Result<void> FileWriter::append(std::string_view text) {
  constexpr std::size_t kBuffer = 1u << 16;
  buffer_ += text;
  if (buffer_.size() < kBuffer) return {};
  return flush();
}

Result<void> FileWriter::commit() {
  PORTOLAN_DO(flush());
  const bool regular = !sibling_.empty();
  const bool synced = !regular || ::fsync(fd_) == 0;
  const int number = errno;
  if (::close(std::exchange(fd_, -1)) != 0) return std::unexpected(write_failed(path_, errno));
  if (!synced) return std::unexpected(write_failed(path_, number));
  if (!regular) return {};
  if (!take_name(sibling_, path_, force_)) {
    if (errno == EEXIST) return std::unexpected(already_exists(path_));
    return std::unexpected(write_failed(path_, errno));
  }
  sibling_.clear();
  flush_folder(folder_of(path_, "."));
  return {};
}

FileInput::FileInput(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
FileInput::FileInput(FileInput&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
FileInput::~FileInput() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

Result<FileInput> FileInput::open(const std::string& path) {
  OpenFile file = PORTOLAN_TRY(open_for_reading(path));
  return FileInput(file.descriptor.release(), path);
}

Result<std::size_t> FileInput::read(char* to, std::size_t most) {
  ssize_t got = -1;
  do {
    got = ::read(fd_, to, most);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return std::unexpected(
        file_error(ErrorCode::kIo, path_, "reading " + quoted(path_) + " failed", reason(errno)));
  }
  return static_cast<std::size_t>(got);
}

Result<void> write_file(const std::string& path, std::string_view content, bool force) {
  FileWriter file = PORTOLAN_TRY(FileWriter::open(path, force));
  PORTOLAN_DO(file.append(content));
  return file.commit();
}

bool is_directory(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

Result<std::vector<std::string>> list_folder(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) {
    return std::unexpected(file_error(ErrorCode::kNotFound, path,
                                      "cannot read the folder " + quoted(path), reason(errno)));
  }
  std::vector<std::string> names;
  while (const dirent* const entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace portolan
