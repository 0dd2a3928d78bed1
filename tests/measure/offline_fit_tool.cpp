// Developer program: fits the host time, or the kernel factor, of each engine record to static
// batches and offline runs and prints what is left with one model, or one accelerator, left out.
//   offline_fit_tool [--profile FILE] host|kernels TABLE.csv[.gz]…
// How well the records predict such a table is `portolan validate --data TABLE`. Not a test: the
// measured tables are not part of the repository.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "market/catalogue.hpp"
#include "measure/serving_fit.hpp"
#include "measure/serving_rows.hpp"
#include "measure/table.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

namespace portolan {
namespace {

Result<void> run(std::vector<std::string> arguments) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto library = PORTOLAN_TRY(model::Library::open(model::embedded_models()));
  cost::Profile profile;
  measure::ServingOptions options;
  if (arguments[0] == "--profile" && arguments.size() > 3) {
    profile =
        PORTOLAN_TRY(cost::Profile::parse(PORTOLAN_TRY(read_file(arguments[1])), arguments[1]));
    options.profile = &profile;
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  std::vector<std::pair<std::string, io::CsvTable>> tables;
  for (std::size_t i = 1; i < arguments.size(); ++i)
    tables.emplace_back(arguments[i], PORTOLAN_TRY(measure::Table::open(arguments[i])).take_csv());
  const auto fits = PORTOLAN_TRY(measure::fit_offline(tables, library, catalogue->accelerators(),
                                                      arguments[0] == "kernels", options));
  for (const measure::OfflineFit& f : fits) {
    fmt::print(
        "{:16} rows {:5}  per_step {:8.1f} us  per_request {:7.2f} us  kernels x{:.3f}  median: "
        "recorded {:.3f} fitted {:.3f} held-out model {:.3f} accelerator {:.3f}\n",
        f.engine, f.rows, 1e6 * f.per_step, 1e6 * f.per_request, f.kernel_factor, f.as_recorded,
        f.fitted, f.held_out_model, f.held_out_accelerator);
    for (const auto& [name, error] : f.by_model) fmt::print("    {:44} {:.3f}\n", name, error);
    for (const auto& [name, error] : f.by_accelerator)
      fmt::print("    {:44} {:.3f}\n", name, error);
  }
  return {};
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  using namespace portolan;
  if (argc < 3) {
    fmt::print(stderr, "usage: offline_fit_tool [--profile FILE] host|kernels TABLE...\n");
    return 2;
  }
  const auto done = run(std::vector<std::string>(argv + 1, argv + argc));
  if (done) return 0;
  fmt::print(stderr, "{}", format_error(done.error()));
  return exit_code(done.error().code);
}
