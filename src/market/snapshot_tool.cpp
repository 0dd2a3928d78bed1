// Build tool: reads the reviewed tables, applies the gates and writes the snapshot to embed.
//   portolan_snapshot DATA_FOLDER OUT_FILE
#include <cstdio>
#include <string>

#include "base/files.hpp"
#include "market/snapshot.hpp"
#include "market/tables.hpp"

namespace {

int run(const std::string& folder, const std::string& out) {
  using namespace portolan;
  const Result<market::Catalogue::Data> data =
      market::build_data([&](const std::string& name) { return read_file(folder + "/" + name); });
  if (!data) {
    std::fputs(format_error(data.error()).c_str(), stderr);
    return exit_code(data.error().code);
  }
  const std::string bytes = market::encode(*data);
  if (const Result<void> written = write_file(out, bytes, /*force=*/true); !written) {
    std::fputs(format_error(written.error()).c_str(), stderr);
    return exit_code(written.error().code);
  }
  std::size_t rejected = 0, quarantined = 0;
  for (const market::Offer& offer : data->offers) {
    rejected += offer.standing == market::Standing::kRejected ? 1 : 0;
    quarantined += offer.standing == market::Standing::kQuarantined ? 1 : 0;
  }
  std::printf(
      "catalogue snapshot: %zu offers (%zu quarantined, %zu rejected), %zu API prices, "
      "%zu older prices, %zu bytes, newest observation %s\n",
      data->offers.size(), quarantined, rejected, data->api_prices.size(), data->history.size(),
      bytes.size(), data->date.text().c_str());
  for (const auto& [gate, count] : data->gates) std::printf("  %s: %zu\n", gate.c_str(), count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: portolan_snapshot DATA_FOLDER OUT_FILE\n", stderr);
    return 2;
  }
  return run(argv[1], argv[2]);
}
