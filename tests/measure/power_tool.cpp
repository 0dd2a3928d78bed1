// Developer program: fits the power surfaces from kernel tables with watts and prints how far they
// are off, by shapes left out and with one accelerator left out at a time.
//   portolan_power KERNELS_FOLDER OUT.jsonl
// The folder holds manifest_power.csv (file, …, source, date). Not a test.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <set>

#include "base/files.hpp"
#include "io/compression.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/power_fit.hpp"

namespace portolan {
namespace {

struct Means {
  double measured = 0, predicted = 0, ape = 0;
  std::size_t n = 0, points = 0;
  void add(const measure::ScoredPoint& p) {
    ++points;
    if (!p.predicted) return;
    ++n;
    measured += p.measured;
    predicted += *p.predicted;
    ape += std::abs(*p.predicted / p.measured - 1);
  }
};

Result<void> run(const std::string& folder, const std::string& out) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto& accelerators = catalogue->accelerators();
  const std::string manifest = folder + "/manifest_power.csv";
  const io::CsvTable csv = PORTOLAN_TRY(io::parse_csv(PORTOLAN_TRY(read_file(manifest)), manifest));
  const auto cell = [&](std::size_t row, std::string_view column) {
    const int c = csv.column(column);
    return c < 0 ? std::string() : csv.rows[row][static_cast<std::size_t>(c)];
  };
  std::vector<measure::PowerPoint> points;
  std::vector<measure::KernelTable> tables;
  std::set<std::string> sources;
  measure::TableSource source;
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    if (measure::find_family(cell(i, "op")) == nullptr) continue;
    const std::string file = folder + "/with_power/" + cell(i, "file");
    const std::string text = PORTOLAN_TRY(io::decompressed(PORTOLAN_TRY(read_file(file)), file));
    tables.push_back(
        PORTOLAN_TRY(measure::KernelTable::make(PORTOLAN_TRY(io::parse_csv(text, file)), file)));
    for (auto& p : PORTOLAN_TRY(measure::read_power(tables.back(), accelerators)))
      points.push_back(std::move(p));
    const std::string origin = cell(i, "source");
    source.source = origin.substr(0, origin.find(':'));
    sources.insert(source.source);
    source.date = std::max(source.date, PORTOLAN_TRY(parse_date(cell(i, "date"))));
  }
  source.source = fmt::format("{}, tables with power", fmt::join(sources, "; "));
  const cost::Profile profile = measure::fit_power(points, source);
  for (const auto& line : measure::calibration_report(profile)) {
    const bool sites = line.median_site > 0;
    fmt::print("{:16} {:7} {:6} {:22} rows {:7} {} left out: median {:5.1f} p90 {:5.1f} %\n",
               line.key.accelerator, line.key.backend, line.key.dtype, line.key.variant, line.rows,
               sites ? "sites " : "points", 100 * (sites ? line.median_site : line.median_point),
               100 * (sites ? line.p90_site : line.p90_point));
  }
  std::map<std::string, cost::Profile> without;  // by accelerator left out
  for (const auto& p : points) without[p.accelerator];
  for (auto& [left_out, rest] : without) {
    for (const cost::Curve& curve : profile.curves())
      if (curve.key.accelerator != left_out) rest.add(curve);
  }
  fmt::print("{:62} {:>7} {:>8} {:>15} {:>22} {:>22}\n", "table", "points", "watts",
             "own: mean, MAPE", "without its accelerator", "datasheet law");
  for (const measure::KernelTable& table : tables) {
    const auto* own = PORTOLAN_TRY(measure::system_of(accelerators, table.text(0, "system")));
    std::array<Means, 3> means;
    const cost::Profile none;
    const std::array profiles = {&profile, &std::as_const(without[own->id]), &none};
    for (std::size_t k = 0; k < profiles.size(); ++k) {
      for (const auto& p : PORTOLAN_TRY(measure::score_power(table, *profiles[k], accelerators)))
        means[k].add(p);
    }
    const auto n = static_cast<double>(means[0].n);
    fmt::print("{:62} {:7} {:8.0f}", table.file().substr(folder.size() + 12), means[0].n,
               means[0].measured / n);
    for (const Means& m : means)
      fmt::print("   {:+6.1f} % {:6.1f} %", 100 * (m.predicted / m.measured - 1),
                 100 * m.ape / static_cast<double>(m.n));
    fmt::print("\n");
    std::fflush(stdout);
  }
  const std::string text = profile.write();
  fmt::print("{} curves, {} bytes\n", profile.curves().size(), text.size());
  return write_file(out, text, true);
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc != 3) {
    fmt::print(stderr, "usage: portolan_power KERNELS_FOLDER OUT.jsonl\n");
    return 2;
  }
  const auto done = run(argv[1], argv[2]);
  if (!done) {
    fmt::print(stderr, "{}", format_error(done.error()));
    return exit_code(done.error().code);
  }
  return 0;
}
