// Developer program: fits the power surfaces from kernel tables with watts and prints how far they
// are off, by shapes left out and with one accelerator left out at a time.
//   portolan_power KERNELS_FOLDER OUT.jsonl
//   portolan_power --runs FILE
// The folder holds manifest_power.csv (file, …, source, date). FILE is a table of static batches
// with power_w: mean watts of whole runs beside those of the shipped surfaces. Not a test.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <set>

#include "base/files.hpp"
#include "cost/step.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/power_fit.hpp"
#include "measure/table.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

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
    tables.push_back(PORTOLAN_TRY(measure::KernelTable::open(file)));
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

/// Mean watts of one replica that prefills a batch and decodes it to the end.
Result<double> run_watts(const model::Architecture& architecture,
                         const hardware::Accelerator& accelerator,
                         const hardware::Accelerators& accelerators, const measure::TableRow& row) {
  hardware::Node node;
  node.accelerator = &accelerator;
  node.count = 8;
  node.link = accelerator.link;
  node.link_per_direction = accelerator.link_per_direction;
  node.link_domain = accelerator.link_domain;
  const cost::Machine machine = PORTOLAN_TRY(cost::make_machine(
      node, {.profile = &cost::shipped_profile(), .accelerators = &accelerators}));
  const cost::Deployment deployment{.tp = static_cast<int>(row.whole_or("tp", 1))};
  const cost::StepModel step = PORTOLAN_TRY(cost::StepModel::compile(
      architecture, machine, deployment, *cost::find_engine("vllm", "0.5")));
  const double batch = row.number_or("batch_or_concurrency", 1),
               prompt = row.number_or("input_len", 1), output = row.number_or("output_len", 1);
  double joules = 0, seconds = 0;
  const auto add = [&](const cost::Batch& b, double steps) {
    const cost::StepTime t = step.time(b);
    joules += steps * step.energy(b, t).value_or(Joules(0)).raw();
    seconds += steps * t.total.raw();
  };
  add({.prefill_requests = batch, .prefill_tokens = batch * prompt, .sampled = batch}, 1);
  constexpr int kParts = 8;
  for (int i = 0; i < kParts; ++i)
    add({.decode_requests = batch,
         .decode_context = prompt + output * (i + 0.5) / kParts,
         .sampled = batch},
        output / kParts);
  return joules / seconds;
}

Result<void> score_runs(const std::string& file) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto library = PORTOLAN_TRY(model::Library::open(model::embedded_models()));
  const measure::Table table = PORTOLAN_TRY(measure::Table::open(file));
  std::map<std::string, Means> groups;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const measure::TableRow row(table, i);
    double watts = row.number_or("power_w", 0);
    if (watts > 1e5) watts /= 1000;  // some rows are in milliwatts
    const std::string& gpu = row.text("gpu");
    const auto* accelerator = PORTOLAN_TRY(
        measure::system_of(catalogue->accelerators(), gpu == "GH200"  ? "gh200-96gb"
                                                      : gpu == "A100" ? "a100-sxm-40gb"
                                                                      : "h100-sxm-80gb"));
    const auto model = library.named(row.text("model"));
    measure::ScoredPoint p;
    p.measured = watts;
    if (model) {
      if (const auto predicted =
              run_watts(model->architecture, *accelerator, catalogue->accelerators(), row))
        p.predicted = *predicted;
    }
    groups[fmt::format("{} tp {} {}", gpu, row.text("tp"), row.text("engine"))].add(p);
  }
  for (const auto& [name, m] : groups) {
    if (m.n == 0) {
      fmt::print("{:32}   0 of {:3} rows: no such model, or it does not fit the layout\n", name,
                 m.points);
      continue;
    }
    const auto n = static_cast<double>(m.n);
    fmt::print(
        "{:32} {:3} of {:3} rows  measured {:7.1f} W  replica predicted {:7.1f} W  {:+6.1f} %"
        "  MAPE {:5.1f} %\n",
        name, m.n, m.points, m.measured / n, m.predicted / n, 100 * (m.predicted / m.measured - 1),
        100 * m.ape / n);
  }
  return {};
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc != 3) {
    fmt::print(stderr,
               "usage: portolan_power KERNELS_FOLDER OUT.jsonl\n"
               "       portolan_power --runs FILE\n");
    return 2;
  }
  const auto done =
      std::string_view(argv[1]) == "--runs" ? score_runs(argv[2]) : run(argv[1], argv[2]);
  if (!done) {
    fmt::print(stderr, "{}", format_error(done.error()));
    return exit_code(done.error().code);
  }
  return 0;
}
