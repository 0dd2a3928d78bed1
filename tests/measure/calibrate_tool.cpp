// Developer program: fits the shipped curves from a folder of kernel tables, or one profile from
// single tables, and prints what each curve misses when points are left out.
//   portolan_calibrate OUT.jsonl SOURCE DATE FILE...
//   portolan_calibrate --folder KERNELS_FOLDER OUT_FOLDER [PART]
// The folder holds manifest.csv (file, system, backend, source, date); of several versions of one
// library's tables the newest is fitted. OUT_FOLDER gets <accelerator>.<backend>.jsonl. With PART
// only files whose path contains it are fitted, laid over what OUT_FOLDER has. The command
// `portolan calibrate` does the same for a user's own measurements. Not a test.
#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "base/files.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/kernels.hpp"
#include "measure/table.hpp"

namespace portolan {
namespace {

Result<cost::Profile> fit_file(const std::string& file, const measure::TableSource& source,
                               const hardware::Accelerators& accelerators) {
  const auto table = PORTOLAN_TRY(
      measure::KernelTable::make(PORTOLAN_TRY(measure::Table::open(file)).take_csv(), file));
  cost::Profile fitted = PORTOLAN_TRY(measure::calibrate_kernels(table, source, accelerators, 0));
  for (const auto& line : measure::calibration_report(fitted)) {
    fmt::print(
        "{:20} {:7} {:10} {:20} {:14} {:9} {:24} rows {:6} rejected {:5}  point {:5.1f} {:5.1f}  "
        "site {:5.1f} {:5.1f} %\n",
        line.key.accelerator, line.key.backend, line.key.version, line.key.op, line.key.dtype,
        line.key.kv_dtype, line.key.variant, line.rows, line.rejected, 100 * line.median_point,
        100 * line.p90_point, 100 * line.median_site, 100 * line.p90_site);
  }
  std::fflush(stdout);
  return fitted;
}

struct Entry {
  std::string file, key, backend, version, source;
  Date date;
};

Result<void> fit_folder(const std::string& folder, const std::string& out, const std::string& part,
                        const hardware::Accelerators& accelerators) {
  const std::string manifest = folder + "/manifest.csv";
  const io::CsvTable csv = PORTOLAN_TRY(io::parse_csv(PORTOLAN_TRY(read_file(manifest)), manifest));
  const auto cell = [&](std::size_t row, std::string_view column) {
    const int c = csv.column(column);
    return c < 0 ? std::string() : csv.rows[row][static_cast<std::size_t>(c)];
  };
  std::map<std::string, Entry> newest;  // by system, backend and op
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    if (measure::find_family(cell(i, "op")) == nullptr) continue;
    Entry entry{.file = folder + "/" + cell(i, "file"),
                .key = cell(i, "system") + "." + cell(i, "backend"),
                .backend = cell(i, "backend"),
                .version = cell(i, "version"),
                .source = cell(i, "source"),
                .date = PORTOLAN_TRY(parse_date(cell(i, "date")))};
    Entry& best = newest[entry.key + " " + cell(i, "op")];
    if (best.file.empty() || cost::newer_version(entry.version, best.version)) best = entry;
  }
  std::map<std::string, cost::Profile> profiles;  // by accelerator.backend
  for (const auto& [name, entry] : newest) {
    if (entry.file.find(part) == std::string::npos) continue;
    const cost::Profile fitted = PORTOLAN_TRY(
        fit_file(entry.file, {.source = entry.source, .date = entry.date}, accelerators));
    for (const cost::Curve& curve : fitted.curves())
      profiles[curve.key.accelerator + "." + curve.key.backend].add(curve);
  }
  std::size_t bytes = 0;
  for (auto& [name, profile] : profiles) {
    const std::string path = fmt::format("{}/{}.jsonl", out, name);
    if (!part.empty()) {
      if (const auto before = read_file(path)) {
        cost::Profile merged = PORTOLAN_TRY(cost::Profile::parse(*before, path));
        merged.add(profile);
        profile = std::move(merged);
      }
    }
    const std::string text = profile.write();
    fmt::print("{}: {} curves, {} bytes\n", path, profile.curves().size(), text.size());
    bytes += text.size();
    PORTOLAN_DO(write_file(path, text, true));
  }
  fmt::print("{} bytes in all\n", bytes);
  return {};
}

Result<void> run(int argc, char** argv) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  if (std::string_view(argv[1]) == "--folder")
    return fit_folder(argv[2], argv[3], argc > 4 ? argv[4] : "", catalogue->accelerators());
  const measure::TableSource source{.source = argv[2], .date = PORTOLAN_TRY(parse_date(argv[3]))};
  cost::Profile profile;
  for (int i = 4; i < argc; ++i)
    profile.add(PORTOLAN_TRY(fit_file(argv[i], source, catalogue->accelerators())));
  const std::string out = profile.write();
  fmt::print("{} bytes\n", out.size());
  return write_file(argv[1], out, true);
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc < 4 || (std::string_view(argv[1]) != "--folder" && argc < 5)) {
    fmt::print(stderr,
               "usage: portolan_calibrate OUT.jsonl SOURCE DATE FILE...\n"
               "       portolan_calibrate --folder KERNELS_FOLDER OUT_FOLDER [PART]\n");
    return 2;
  }
  const auto done = run(argc, argv);
  if (!done) {
    fmt::print(stderr, "{}", format_error(done.error()));
    return exit_code(done.error().code);
  }
  return 0;
}
