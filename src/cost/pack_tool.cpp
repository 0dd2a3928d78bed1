// Build tool: reads the text of fitted curves and writes the packed profile to embed.
//   portolan_pack_profile OUT_FILE FILE...
#include <cstdio>
#include <string>

#include "base/files.hpp"
#include "cost/profile.hpp"

namespace {

portolan::Result<void> run(int argc, char** argv) {
  using namespace portolan;
  cost::Profile profile;
  for (int i = 2; i < argc; ++i) {
    const std::string text = PORTOLAN_TRY(read_file(argv[i]));
    profile.add(PORTOLAN_TRY(cost::Profile::parse(text, argv[i])));
  }
  const std::string packed = profile.pack();
  std::printf("%s: %zu curves, %zu bytes\n", argv[1], profile.curves().size(), packed.size());
  return write_file(argv[1], packed, /*force=*/true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: portolan_pack_profile OUT_FILE FILE...\n", stderr);
    return 2;
  }
  const portolan::Result<void> done = run(argc, argv);
  if (done) return 0;
  std::fputs(portolan::format_error(done.error()).c_str(), stderr);
  return portolan::exit_code(done.error().code);
}
