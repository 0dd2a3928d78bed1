#include "base/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace portolan {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "portolan-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FilesTest, WritesAndReadsBack) {
  const std::string content("a\0b\n\xff", 5);
  ASSERT_TRUE(write_file(path("a"), content, false));
  EXPECT_EQ(read_file(path("a")), content);
  EXPECT_EQ(entries(), 1u);
  EXPECT_TRUE(exists(path("a")));
  EXPECT_FALSE(is_directory(path("a")));
  EXPECT_TRUE(is_directory(folder_.string()));
  ASSERT_TRUE(write_file(path("empty"), "", false));
  EXPECT_EQ(read_file(path("empty")), "");
}

TEST_F(FilesTest, ListsFolders) {
  EXPECT_EQ(list_folder(folder_.string()), std::vector<std::string>());
  for (const char* const name : {"b", "a", "C"}) ASSERT_TRUE(write_file(path(name), "", false));
  EXPECT_EQ(list_folder(folder_.string()), (std::vector<std::string>{"C", "a", "b"}));
  EXPECT_EQ(list_folder(path("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(list_folder(path("a")).error().code, ErrorCode::kNotFound);
}

TEST_F(FilesTest, KeepsAnExistingFileUnlessForced) {
  ASSERT_TRUE(write_file(path("a"), "old", false));
  const Result<void> again = write_file(path("a"), "new", false);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_EQ(read_file(path("a")), "old");
  ASSERT_TRUE(write_file(path("a"), "new", true));
  EXPECT_EQ(read_file(path("a")), "new");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FilesTest, AReplacedFileKeepsItsMode) {
  ASSERT_TRUE(write_file(path("a"), "old", false));
  ASSERT_EQ(::chmod(path("a").c_str(), 0600), 0);
  ASSERT_TRUE(write_file(path("a"), "new", true));
  struct stat status{};
  ASSERT_EQ(::stat(path("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(FilesTest, MissingAndUnreadableFilesAreNotFound) {
  const Result<std::string> missing = read_file(path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().message, "cannot read \"" + path("missing") + "\"");
  EXPECT_EQ(missing.error().why, "no such file or directory");
  EXPECT_EQ(missing.error().where.file, path("missing"));
  EXPECT_EQ(read_file(folder_.string()).error().why, "it is a folder");
  EXPECT_EQ(read_file("").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_file(std::string("a\0b", 3)).error().code, ErrorCode::kNotFound);
}

TEST_F(FilesTest, TheCapIsCheckedBeforeReading) {
  ASSERT_TRUE(write_file(path("a"), std::string(1000, 'x'), false));
  EXPECT_EQ(read_file(path("a"), 1000)->size(), 1000u);
  const Result<std::string> over = read_file(path("a"), 999);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::kLimit);
  // A sparse file of 2^40 bytes takes no memory to refuse.
  const int fd = ::open(path("huge").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, off_t{1} << 40), 0);
  ::close(fd);
  EXPECT_EQ(read_file(path("huge")).error().code, ErrorCode::kLimit);
  // A device never ends.
  EXPECT_EQ(read_file("/dev/zero", 1 << 20).error().code, ErrorCode::kLimit);
}

TEST_F(FilesTest, HeadsOfFiles) {
  ASSERT_TRUE(write_file(path("a"), "0123456789", false));
  const Result<FileHead> head = read_file_head(path("a"), 4);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->bytes, "0123");
  EXPECT_EQ(head->file_size, 10u);
  EXPECT_EQ(read_file_head(path("a"), 100)->bytes, "0123456789");
  EXPECT_EQ(read_file_head("/dev/zero", 4).error().code, ErrorCode::kNotFound);
}

TEST_F(FilesTest, PipesAreReadToTheirEnd) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const std::string content(200'000, 'y');
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(path("pipe").c_str(), O_WRONLY | O_CLOEXEC);
    std::size_t at = 0;
    while (at < content.size()) {
      const ssize_t put = ::write(fd, content.data() + at, content.size() - at);
      if (put <= 0) ::_exit(1);
      at += static_cast<std::size_t>(put);
    }
    ::_exit(0);
  }
  EXPECT_EQ(read_file(path("pipe")), content);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(FilesTest, DevicesAreWrittenToAndNeverReplaced) {
  ASSERT_TRUE(write_file("/dev/null", "gone", false));
  struct stat status{};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  const Result<void> full = write_file("/dev/full", "x", true);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kIo);
  EXPECT_EQ(full.error().why, "no space left on device");
}

TEST_F(FilesTest, FoldersAndMissingFoldersAreErrors) {
  EXPECT_EQ(write_file(folder_.string(), "x", true).error().code, ErrorCode::kConflict);
  const Result<void> missing = write_file(path("no/such/folder"), "x", false);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kIo);
  EXPECT_EQ(missing.error().why, "no such file or directory");
}

TEST_F(FilesTest, AWriteThatFailsMidwayLeavesTheOldFileWhole) {
  ASSERT_TRUE(write_file(path("a"), "old content", false));
  // A limit on the file size is a disk that is full after N bytes, for every process and user.
  ASSERT_NE(std::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Result<void> failed = write_file(path("a"), std::string(10'000, 'n'), true);
  const Result<void> fresh = write_file(path("b"), std::string(10'000, 'n'), false);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_FALSE(failed);
  ASSERT_FALSE(fresh);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_EQ(failed.error().why, "file too large");
  EXPECT_EQ(read_file(path("a")), "old content");
  EXPECT_FALSE(exists(path("b")));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FilesTest, AReadOnlyFolderIsAnErrorAndKeepsTheOldFile) {
  ASSERT_TRUE(write_file(path("a"), "old", false));
  // Root may write anywhere: the attempt is made as another user, in a child.
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                               fs::perms::others_exec);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && ::setuid(65534) != 0) ::_exit(3);
    const Result<void> written = write_file(path("a"), "new", true);
    ::_exit(written ? 1 : written.error().code == ErrorCode::kIo ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FilesTest, ASymbolicLinkIsReplacedNotFollowed) {
  ASSERT_TRUE(write_file(path("target"), "precious", false));
  fs::create_symlink(path("target"), path("link"));
  EXPECT_EQ(write_file(path("link"), "x", false).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(write_file(path("link"), "x", true));
  EXPECT_EQ(read_file(path("target")), "precious");
  EXPECT_EQ(read_file(path("link")), "x");
}

}  // namespace
}  // namespace portolan
