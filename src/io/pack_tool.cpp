// Build tool: joins text files and compresses them for embedding.
//   portolan_pack OUT_FILE FILE...
#include <cstdio>
#include <string>

#include "base/files.hpp"
#include "io/compression.hpp"

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc < 2) {
    std::fputs("usage: portolan_pack OUT_FILE FILE...\n", stderr);
    return 2;
  }
  std::string text;
  for (int i = 2; i < argc; ++i) {
    const Result<std::string> file = read_file(argv[i]);
    if (!file) {
      std::fputs(format_error(file.error()).c_str(), stderr);
      return exit_code(file.error().code);
    }
    text += *file;
    if (!text.empty() && text.back() != '\n') text += '\n';
  }
  constexpr int kLevel = 19;
  const std::string packed = io::zstd_compress(text, kLevel);
  if (const Result<void> written = write_file(argv[1], packed, /*force=*/true); !written) {
    std::fputs(format_error(written.error()).c_str(), stderr);
    return exit_code(written.error().code);
  }
  std::printf("%s: %d files, %zu bytes, %zu compressed\n", argv[1], argc - 2, text.size(),
              packed.size());
  return 0;
}
