// Developer check: scores tables of measured serving points and prints the errors by group.
//   serving_measured [--profile FILE] [--rows FILE] [--by model] TABLE.csv[.gz] …
//   serving_measured --fit host|kernels TABLE.csv[.gz] …   host time of each engine record
// Not a test: the measured tables are not part of the repository.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "io/compression.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/serving_fit.hpp"
#include "measure/serving_rows.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

namespace portolan {
namespace {

std::string percent(const std::optional<double>& x) {
  return x ? fmt::format("{:7.1f}", 100.0 * *x) : std::string("      –");
}

std::optional<io::CsvTable> table_of(const std::string& path) {
  auto text = read_file(path);
  if (!text) return std::nullopt;
  auto plain = io::decompressed(std::move(*text), path);
  if (!plain) return std::nullopt;
  auto table = io::parse_csv(*plain, path);
  if (!table) return std::nullopt;
  return std::move(*table);
}

int fit(const model::Library& library, const hardware::Accelerators& accelerators,
        const measure::ServingOptions& options, const std::vector<std::string>& arguments) {
  std::vector<std::pair<std::string, io::CsvTable>> tables;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    auto table = table_of(arguments[i]);
    if (!table) return 1;
    tables.emplace_back(arguments[i], std::move(*table));
  }
  const auto fits =
      measure::fit_offline(tables, library, accelerators, arguments[1] == "kernels", options);
  if (!fits) return 4;
  for (const measure::OfflineFit& f : *fits) {
    fmt::print(
        "{:16} rows {:5}  per_step {:8.1f} us  per_request {:7.2f} us  kernels x{:.3f}  median: "
        "recorded {:.3f} fitted {:.3f} held-out model {:.3f} accelerator {:.3f}\n",
        f.engine, f.rows, 1e6 * f.per_step, 1e6 * f.per_request, f.kernel_factor, f.as_recorded,
        f.fitted, f.held_out_model, f.held_out_accelerator);
    for (const auto& [name, error] : f.by_model) fmt::print("    {:44} {:.3f}\n", name, error);
    for (const auto& [name, error] : f.by_accelerator)
      fmt::print("    {:44} {:.3f}\n", name, error);
  }
  return 0;
}

int run(std::vector<std::string> arguments) {
  const auto catalogue = market::Catalogue::embedded();
  const auto library = model::Library::open(model::embedded_models());
  if (!catalogue || !library) return 1;
  cost::Profile profile;
  measure::ServingOptions options;
  if (arguments.size() > 2 && arguments[0] == "--profile") {
    const auto text = read_file(arguments[1]);
    if (!text) return 1;
    auto parsed = cost::Profile::parse(*text, arguments[1]);
    if (!parsed) return 1;
    profile = std::move(*parsed);
    options.profile = &profile;
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  if (arguments.size() > 2 && arguments[0] == "--fit")
    return fit(*library, (*catalogue)->accelerators(), options, arguments);
  std::string rows_file, by,
      rows = "set,group,metric,label,measured,predicted,low,high,tier,reason\n";
  bool done = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if ((arguments[i] == "--rows" || arguments[i] == "--by") && i + 1 < arguments.size()) {
      (arguments[i] == "--rows" ? rows_file : by) = arguments[i + 1];
      ++i;
      continue;
    }
    const std::string& path = arguments[i];
    const auto table = table_of(path);
    if (!table) return 1;
    const auto began = std::chrono::steady_clock::now();
    auto points =
        measure::score_serving(*table, path, *library, (*catalogue)->accelerators(), options);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (!points) {
      fmt::print(stderr, "{}", format_error(points.error()));
      return 4;
    }
    done = true;
    if (by == "model")
      for (auto& p : *points) p.group = p.label.substr(0, p.label.find(" in/out"));
    if (by == "all")
      for (auto& p : *points) p.group = p.group.ends_with("overloaded") ? "overloaded" : "all";
    for (const measure::GroupScore& s : measure::score(*points)) {
      fmt::print(
          "{:22} {:60} {:26} n {:5} covered {:5.2f}  median {} mean {} p90 {} bias {} 80% {}\n",
          s.set.substr(0, 22), s.group, s.metric, s.n, s.covered, percent(s.median_ape),
          percent(s.mean_ape), percent(s.p90_ape), percent(s.bias), percent(s.interval));
    }
    fmt::print("{}: {} points in {:.2f} s\n", path, points->size(), took.count());
    const auto cell = [](const std::optional<double>& x) { return x ? fmt::format("{}", *x) : ""; };
    for (const measure::ScoredPoint& p : *points) {
      const std::string cells[] = {p.set,
                                   p.group,
                                   p.metric,
                                   p.label,
                                   fmt::format("{}", p.measured),
                                   cell(p.predicted),
                                   cell(p.low),
                                   cell(p.high),
                                   p.tier,
                                   p.reason};
      rows += io::csv_line(cells, false);
    }
  }
  if (!rows_file.empty()) {
    if (std::FILE* out = std::fopen(rows_file.c_str(), "w")) {
      std::fwrite(rows.data(), 1, rows.size(), out);
      std::fclose(out);
    }
  }
  return done ? 0 : 2;
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  return portolan::run(std::vector<std::string>(argv + 1, argv + argc));
}
