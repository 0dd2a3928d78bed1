// Developer program: fits the curves of kernel tables and prints their left-out errors.
//   portolan_calibrate OUT.jsonl SOURCE DATE FILE...
// The command `portolan calibrate` does the same for a user; this one takes the source and the date
// of published tables from its arguments. Not a test.
#include <fmt/format.h>

#include "base/files.hpp"
#include "io/compression.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/kernels.hpp"

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc < 5) {
    fmt::print(stderr, "usage: portolan_calibrate OUT.jsonl SOURCE DATE FILE...\n");
    return 2;
  }
  const auto run = [&]() -> Result<void> {
    const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
    const Date date = PORTOLAN_TRY(parse_date(argv[3]));
    cost::Profile profile;
    for (int i = 4; i < argc; ++i) {
      const std::string file = argv[i];
      const std::string text = PORTOLAN_TRY(io::decompressed(PORTOLAN_TRY(read_file(file)), file));
      const auto table =
          PORTOLAN_TRY(measure::KernelTable::make(PORTOLAN_TRY(io::parse_csv(text, file)), file));
      const cost::Profile fitted = PORTOLAN_TRY(measure::calibrate_kernels(
          table, {.source = argv[2], .date = date}, catalogue->accelerators(), 0));
      for (const auto& line : measure::calibration_report(fitted)) {
        fmt::print(
            "{:20} {:7} {:10} {:20} {:10} {:10} {:24} rows {:6} rejected {:5}  point {:5.1f} "
            "{:5.1f}  "
            "site {:5.1f} {:5.1f} %\n",
            line.key.accelerator, line.key.backend, line.key.version, line.key.op, line.key.dtype,
            line.key.kv_dtype, line.key.variant, line.rows, line.rejected, 100 * line.median_point,
            100 * line.p90_point, 100 * line.median_site, 100 * line.p90_site);
      }
      profile.add(fitted);
    }
    const std::string out = profile.write();
    fmt::print("{} bytes\n", out.size());
    return write_file(argv[1], out, true);
  };
  const auto done = run();
  if (!done) {
    fmt::print(stderr, "{}", format_error(done.error()));
    return exit_code(done.error().code);
  }
  return 0;
}
