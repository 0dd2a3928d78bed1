// Developer program: fits constants of training stacks to a table of published steps and prints
// the errors before, fitted, and with one model left out at a time.
//   training_fit_tool TABLE STACK LEVER…
// Not a test: the measured tables are not part of the repository.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "market/catalogue.hpp"
#include "measure/table.hpp"
#include "measure/training_fit.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

namespace portolan {
namespace {

Result<void> run(const std::vector<std::string>& arguments) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto library = PORTOLAN_TRY(model::Library::open(model::embedded_models()));
  const measure::Table table = PORTOLAN_TRY(measure::Table::open(arguments[1]));
  const measure::KnownThings known{
      .accelerators = catalogue->accelerators(), .models = library, .threads = 0};
  const training::Stack* stack = training::find_stack(arguments[2]);
  if (stack == nullptr)
    return fail(ErrorCode::kUsage, fmt::format("no stack \"{}\"", arguments[2]));
  const auto points = measure::step_points(table, known, stack->name);
  const std::vector<std::string> levers(arguments.begin() + 3, arguments.end());
  const measure::StackFit fit = measure::fit_stack(points, *stack, levers);
  const auto show = [](const char* name, const measure::StepErrors& e) {
    fmt::print("{:9} n {:5}  median {:5.2f}  mean {:5.2f}  p90 {:5.1f}  bias {:+5.1f} %\n", name,
               e.n, 100 * e.median_ape, 100 * e.mean_ape, 100 * e.p90_ape, 100 * e.bias);
  };
  show("before", fit.before);
  show("fitted", fit.fitted);
  show("left out", fit.left_out);
  for (std::size_t i = 0; i < fit.values.size(); ++i)
    fmt::print("  .{} = {:.6g}\n", levers[i], fit.values[i]);
  return {};
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc < 3) {
    fmt::print(stderr, "usage: training_fit_tool TABLE STACK LEVER...\n");
    return 2;
  }
  const auto done = portolan::run(arguments);
  if (!done) {
    fmt::print(stderr, "{}\n", done.error().message);
    return 1;
  }
  return 0;
}
