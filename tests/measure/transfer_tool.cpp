// Developer program: how well a profile predicts kernel tables, with or without its curves of the
// accelerator a table was measured on.
//   portolan_transfer own|transfer PROFILE.jsonl ROWS.csv|- FILE...
// `transfer` leaves the accelerator of each file out entirely, as if nobody had measured it. ROWS
// gets every row with its prediction. Not a test: it needs the published tables.
#include <fmt/format.h>

#include <map>
#include <set>

#include "base/files.hpp"
#include "market/catalogue.hpp"
#include "measure/kernels.hpp"

namespace {

using namespace portolan;

Result<void> run(bool own, const std::string& profile_file, const std::string& rows_file,
                 std::span<char*> files) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto profile =
      PORTOLAN_TRY(cost::Profile::parse(PORTOLAN_TRY(read_file(profile_file)), profile_file));
  std::string rows = "group,label,measured_ms,predicted_ms,low,high,tier\n";
  std::vector<measure::ScoredPoint> every;
  const auto print = [](const measure::GroupScore& s, const std::string& tiers) {
    fmt::print(
        "{:56} n {:6} covered {:5.1f} %  median {:5.1f}  p90 {:5.1f}  bias {:+5.1f} %  "
        "interval {:3.0f} %  {}\n",
        s.group, s.n, 100 * s.covered, 100 * s.median_ape.value_or(0), 100 * s.p90_ape.value_or(0),
        100 * s.bias.value_or(0), 100 * s.interval.value_or(0), tiers);
  };
  for (const std::string file : files) {
    const auto table = PORTOLAN_TRY(measure::KernelTable::open(file));
    cost::Profile others;
    if (!own && table.rows() > 0) {
      const std::string id =
          PORTOLAN_TRY(measure::system_of(catalogue->accelerators(), table.text(0, "system")))->id;
      for (const cost::Curve& c : profile.curves())
        if (c.key.accelerator != id) others.add(c);
    }
    auto points = PORTOLAN_TRY(
        measure::score_kernels(table, own ? profile : others, catalogue->accelerators()));
    std::erase_if(points, [](const measure::ScoredPoint& p) {
      return p.group.find("faster_than_roofline") != std::string::npos;
    });
    std::map<std::string, std::set<std::string>> tiers;
    for (const auto& p : points) tiers[p.group].insert(p.tier);
    for (const auto& s : measure::score(points)) {
      std::string named;
      for (const auto& t : tiers[s.group]) named += t + " ";
      print(s, named);
    }
    if (rows_file != "-")
      for (const auto& p : points)
        rows += fmt::format("{},{},{},{},{},{},{}\n", p.group, p.label, p.measured,
                            p.predicted.value_or(0), p.low.value_or(0), p.high.value_or(0), p.tier);
    every.insert(every.end(), points.begin(), points.end());
  }
  print(measure::score_all(every, "kernels", "all", "latency"), "");
  if (rows_file != "-") return write_file(rows_file, rows, true);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: portolan_transfer own|transfer PROFILE.jsonl ROWS.csv|- FILE...\n");
    return 2;
  }
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  const auto done = run(std::string_view(argv[1]) == "own", argv[2], argv[3], arguments.subspan(4));
  if (!done) {
    fmt::print(stderr, "{}", format_error(done.error()));
    return exit_code(done.error().code);
  }
  return 0;
}
