// Developer program: fits the host constants of each engine family to the closed-loop table and
// prints the errors with one model left out at a time.
//   engine_fit_tool TABLE [FAMILY]
// How well the records predict the table is `portolan validate --data TABLE`. Not a test: the
// measured tables are not part of the repository.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "market/catalogue.hpp"
#include "measure/engine_fit.hpp"
#include "measure/inferencex.hpp"
#include "measure/table.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

namespace portolan {
namespace {

Result<void> run(const std::vector<std::string>& arguments) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto library = PORTOLAN_TRY(model::Library::open(model::embedded_models()));
  const std::string& file = arguments[1];
  const measure::Table table = PORTOLAN_TRY(measure::Table::open(file));
  const auto points =
      PORTOLAN_TRY(measure::read_inferencex(table.csv(), file, library, catalogue->accelerators()));
  const auto show = [](const measure::FitErrors& e) {
    return fmt::format(
        "n {:4}  ttft mean {:5.1f} median {:5.1f} in {:.2f}  tpot mean {:5.1f} median {:5.1f} in "
        "{:.2f}",
        e.points, 100 * e.ttft_mean, 100 * e.ttft_median, e.ttft_inside.value_or(0),
        100 * e.tpot_mean, 100 * e.tpot_median, e.tpot_inside.value_or(0));
  };
  const std::string only = arguments.size() > 2 ? arguments[2] : "";
  for (const char* family : {"vllm", "sglang", "trtllm"}) {
    if (!only.empty() && only != family) continue;
    const auto fit = PORTOLAN_TRY(measure::fit_engine(points, *cost::find_engine(family), 0));
    fmt::print("{}\n", family);
    for (const auto& c : fit.constants)
      fmt::print("  {:20} {:12.3f} us  ± {:.2f}\n", c.name, 1e6 * c.seconds, c.log_error);
    fmt::print("  fit      {}\n  held out {}\n", show(fit.fit), show(fit.held_out));
    fmt::print("  bands ttft {:.3f} {:.3f} tpot {:.3f} {:.3f}\n", fit.engine.ttft_band.low,
               fit.engine.ttft_band.high, fit.engine.tpot_band.low, fit.engine.tpot_band.high);
    for (const auto& [name, e] : fit.by_part) fmt::print("    {:28} {}\n", name, show(e));
  }
  return {};
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc < 2) {
    fmt::print(stderr, "usage: engine_fit_tool TABLE [FAMILY]\n");
    return 2;
  }
  const auto done = portolan::run(arguments);
  if (!done) {
    fmt::print(stderr, "{}", portolan::format_error(done.error()));
    return portolan::exit_code(done.error().code);
  }
  return 0;
}
