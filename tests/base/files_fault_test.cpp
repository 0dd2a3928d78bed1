// Every system call behind reading and writing a file fails once: each time an error is returned,
// the old file stays whole and nothing is left behind. The linker sends the calls through here.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "base/files.hpp"

namespace {

// The call that fails, counted down; negative: none. Short reads and writes instead of errors.
int fail_at = -1;
bool fired = false;
bool short_transfers = false;
int error_number = EIO;

bool fails() {
  if (fail_at < 0 || fail_at-- != 0) return false;
  fired = true;
  errno = error_number;
  return true;
}

}  // namespace

extern "C" {
int __real_open(const char* path, int flags, ...);
ssize_t __real_read(int fd, void* buffer, size_t size);
ssize_t __real_write(int fd, const void* buffer, size_t size);
int __real_fstat(int fd, struct stat* status);
int __real_fsync(int fd);
int __real_fchmod(int fd, mode_t mode);
int __real_close(int fd);
int __real_rename(const char* from, const char* to);
int __real_renameat2(int from_folder, const char* from, int to_folder, const char* to,
                     unsigned flags);

int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return fails() ? -1 : __real_open(path, flags, mode);
}
ssize_t __wrap_read(int fd, void* buffer, size_t size) {
  if (fails()) return -1;
  return __real_read(fd, buffer, short_transfers && size > 3 ? 3 : size);
}
ssize_t __wrap_write(int fd, const void* buffer, size_t size) {
  if (fails()) return -1;
  return __real_write(fd, buffer, short_transfers && size > 3 ? 3 : size);
}
int __wrap_fstat(int fd, struct stat* status) { return fails() ? -1 : __real_fstat(fd, status); }
int __wrap_fsync(int fd) { return fails() ? -1 : __real_fsync(fd); }
int __wrap_fchmod(int fd, mode_t mode) { return fails() ? -1 : __real_fchmod(fd, mode); }
int __wrap_close(int fd) {
  // Closed either way, as the kernel does it.
  const int result = __real_close(fd);
  return fails() ? -1 : result;
}
int __wrap_rename(const char* from, const char* to) {
  return fails() ? -1 : __real_rename(from, to);
}
int __wrap_renameat2(int from_folder, const char* from, int to_folder, const char* to,
                     unsigned flags) {
  return fails() ? -1 : __real_renameat2(from_folder, from, to_folder, to, flags);
}
}

namespace portolan {
namespace {

namespace fs = std::filesystem;

class FilesFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "portolan-fault-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = (folder_ / "file").string();
  }
  void TearDown() override {
    disarm();
    fs::remove_all(folder_);
  }
  static void arm(int call, int number) {
    fail_at = call;
    error_number = number;
    fired = false;
  }
  static void disarm() {
    fail_at = -1;
    short_transfers = false;
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(FilesFaultTest, WritingFailsAtEachCallInTurn) {
  for (const bool force : {true, false}) {
    int call = 0;
    for (;; ++call) {
      ASSERT_LT(call, 50);
      fs::remove(path_);
      if (force) {
        ASSERT_TRUE(write_file(path_, "old", false));
      }
      arm(call, EIO);
      const Result<void> written = write_file(path_, "new content", force);
      const bool hit = fired;
      disarm();
      if (!hit) {
        ASSERT_TRUE(written);
        break;
      }
      // Flushing the folder comes after the file is whole: its failure is no failure.
      if (!written) {
        EXPECT_EQ(written.error().code, ErrorCode::kIo) << call;
        EXPECT_EQ(written.error().why, "input/output error") << call;
        if (force) {
          EXPECT_EQ(read_file(path_), "old") << call;
        } else {
          EXPECT_FALSE(exists(path_)) << call;
        }
        EXPECT_EQ(entries(), force ? 1u : 0u) << call;
      } else {
        EXPECT_EQ(read_file(path_), "new content") << call;
        EXPECT_EQ(entries(), 1u) << call;
      }
    }
    EXPECT_GE(call, 5);  // open, write, fsync, close, rename at least
  }
}

TEST_F(FilesFaultTest, AFullDiskIsNamed) {
  arm(1, ENOSPC);  // the write
  const Result<void> written = write_file(path_, "content", false);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().why, "no space left on device");
  EXPECT_EQ(entries(), 0u);
}

TEST_F(FilesFaultTest, InterruptionsAreRetried) {
  const std::string content(100, 'x');
  arm(1, EINTR);
  ASSERT_TRUE(write_file(path_, content, false));
  EXPECT_TRUE(fired);
  for (int call = 0; call < 3; ++call) {
    if (call == 1) continue;  // fstat is never interrupted
    arm(call, EINTR);
    EXPECT_EQ(read_file(path_), content) << call;
    EXPECT_TRUE(fired);
  }
}

TEST_F(FilesFaultTest, ShortTransfersAreContinued) {
  std::string content;
  for (int i = 0; i < 1000; ++i) content += std::to_string(i);
  short_transfers = true;
  ASSERT_TRUE(write_file(path_, content, false));
  EXPECT_EQ(read_file(path_), content);
  EXPECT_EQ(read_file_head(path_, 10)->bytes, content.substr(0, 10));
}

TEST_F(FilesFaultTest, ReadingFailsAtEachCallInTurn) {
  ASSERT_TRUE(write_file(path_, "content", false));
  int failures = 0;
  for (int call = 0; call < 20; ++call) {
    arm(call, EIO);
    const Result<std::string> content = read_file(path_);
    const bool hit = fired;
    disarm();
    if (!content) {
      ++failures;
      EXPECT_TRUE(hit);
      EXPECT_EQ(content.error().code, ErrorCode::kIo) << call;
    } else {
      EXPECT_EQ(content, "content") << call;
    }
  }
  EXPECT_GE(failures, 3);  // open, fstat, read
}

TEST_F(FilesFaultTest, ReadingPieceByPieceFailsAtEachCallInTurn) {
  ASSERT_TRUE(write_file(path_, "content", false));
  int failures = 0;
  for (int call = 0; call < 10; ++call) {
    arm(call, EIO);
    std::string content;
    std::optional<Error> error;
    Result<FileInput> input = FileInput::open(path_);
    if (!input) error = input.error();
    while (!error) {
      char piece[3];
      const Result<std::size_t> got = input->read(piece, sizeof piece);
      if (!got) error = got.error();
      if (!got || *got == 0) break;
      content.append(piece, *got);
    }
    disarm();
    if (error) {
      ++failures;
      EXPECT_EQ(error->code, ErrorCode::kIo) << call;
      EXPECT_EQ(error->where.file, path_) << call;
    } else {
      EXPECT_EQ(content, "content") << call;
    }
  }
  EXPECT_EQ(failures, 6);  // open, fstat, four reads
}

}  // namespace
}  // namespace portolan
