// Developer program: scores the closed-loop table, fits the host constants of each engine family
// and prints the errors with one model left out at a time.
//   engine_fit_tool TABLE [rows OUT.csv | fit]
// Not a test: the measured tables are not part of the repository.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include "base/files.hpp"
#include "base/text.hpp"
#include "io/compression.hpp"
#include "io/text_formats.hpp"
#include "market/catalogue.hpp"
#include "measure/engine_fit.hpp"
#include "measure/inferencex.hpp"
#include "model/embedded.hpp"
#include "model/library.hpp"

namespace portolan {
namespace {

void print(std::span<const measure::ScoredPoint> points) {
  for (const measure::GroupScore& g : measure::score(points)) {
    if (!g.mean_ape) {
      fmt::print("{:44} {:10} points {:4} not answered\n", g.group, g.metric, g.points);
      continue;
    }
    fmt::print(
        "{:44} {:10} n {:4}/{:4} median {:6.1f} mean {:6.1f} p90 {:6.1f} bias {:+6.1f} in {}\n",
        g.group, g.metric, g.n, g.points, 100 * *g.median_ape, 100 * *g.mean_ape, 100 * *g.p90_ape,
        100 * *g.bias, g.interval ? fmt::format("{:.2f}", *g.interval) : std::string("-"));
  }
  for (const char* metric : {"ttft_mean", "tpot_mean"}) {
    std::vector<measure::ScoredPoint> some;
    for (const measure::ScoredPoint& p : points) {
      if (p.metric == metric && !p.group.starts_with("disagg")) some.push_back(p);
    }
    const measure::GroupScore g = measure::score_all(some, "inferencex", "agg", metric);
    fmt::print("ALL agg {:10} n {}/{} median {:.1f} mean {:.1f} p90 {:.1f} bias {:+.1f}\n", metric,
               g.n, g.points, 100 * g.median_ape.value_or(0), 100 * g.mean_ape.value_or(0),
               100 * g.p90_ape.value_or(0), 100 * g.bias.value_or(0));
  }
}

Result<void> run(const std::vector<std::string>& arguments) {
  const auto catalogue = PORTOLAN_TRY(market::Catalogue::embedded());
  const auto library = PORTOLAN_TRY(model::Library::open(model::embedded_models()));
  const std::string& file = arguments[1];
  const auto csv = PORTOLAN_TRY(
      io::parse_csv(PORTOLAN_TRY(io::decompressed(PORTOLAN_TRY(read_file(file)), file)), file));
  const auto points =
      PORTOLAN_TRY(measure::read_inferencex(csv, file, library, catalogue->accelerators()));
  std::map<std::string, int> reasons;
  for (const auto& p : points) {
    if (!p.reason.empty()) ++reasons[p.reason];
  }
  for (const auto& [reason, n] : reasons) fmt::print("not answered {:5}: {}\n", n, reason);
  const auto scored = measure::score_serving(points, 0);
  print(scored);
  if (arguments.size() > 8 && arguments[2] == "try") {  // OUT.csv FAMILY and six constants in us
    cost::Engine constants = *cost::find_engine(arguments[4]);
    const std::array<Seconds cost::Engine::*, 6> fields = {
        &cost::Engine::per_step,  &cost::Engine::per_layer, &cost::Engine::per_request,
        &cost::Engine::front_end, &cost::Engine::fan_out,   &cost::Engine::per_prompt_token};
    for (std::size_t k = 0; k < fields.size() && k + 5 < arguments.size(); ++k)
      constants.*fields[k] = Seconds(1e-6 * parse_double(arguments[k + 5]).value_or(0));
    std::map<std::string, std::array<std::vector<double>, 2>> by;
    std::string out = "id,group,metric,measured,predicted\n";
    for (const auto& p : points) {
      if (!p.reason.empty() || p.step->engine().family != constants.family) continue;
      cost::Engine engine = p.step->engine();
      measure::take_constants(engine, constants);
      const auto r = measure::predict(p, engine);
      const std::array<double, 2> predicted = {1e3 * r.ttft_mean.raw(), 1e3 * r.tpot_mean.raw()};
      const std::array<std::optional<double>, 2> measured = {p.ttft_ms, p.tpot_ms};
      for (std::size_t m = 0; m < 2; ++m) {
        if (!measured[m]) continue;
        out += fmt::format("{},{},{},{},{}\n", p.label, p.group, m == 0 ? "ttft_mean" : "tpot_mean",
                           *measured[m], predicted[m]);
        for (const std::string& name : {p.architecture, std::string("~all")})
          by[name][m].push_back(predicted[m] / *measured[m] - 1.0);
      }
    }
    for (auto& [name, errors] : by) {
      for (std::size_t m = 0; m < 2; ++m) {
        double sum = 0;
        for (const double e : errors[m]) sum += std::abs(e);
        std::sort(errors[m].begin(), errors[m].end());
        fmt::print("{:28} {} n {:4} mape {:5.1f} bias {:+5.1f} p10 {:+5.1f} p90 {:+6.1f}\n", name,
                   m == 0 ? "ttft" : "tpot", errors[m].size(),
                   100 * sum / static_cast<double>(errors[m].size()),
                   100 * measure::quantile(errors[m], 0.5), 100 * measure::quantile(errors[m], 0.1),
                   100 * measure::quantile(errors[m], 0.9));
      }
    }
    return write_file(arguments[3], out, true);
  }
  if (arguments.size() > 2 && arguments[2] == "fit") {
    const auto show = [](const measure::FitErrors& e) {
      return fmt::format(
          "n {:4}  ttft mean {:5.1f} median {:5.1f} in {:.2f}  tpot mean {:5.1f} median {:5.1f} in "
          "{:.2f}",
          e.points, 100 * e.ttft_mean, 100 * e.ttft_median, e.ttft_inside, 100 * e.tpot_mean,
          100 * e.tpot_median, e.tpot_inside);
    };
    std::vector<cost::Engine> fitted;
    const std::string only = arguments.size() > 4 ? arguments[4] : "";
    for (const char* family : {"vllm", "sglang", "trtllm"}) {
      if (!only.empty() && only != family) continue;
      const auto fit = PORTOLAN_TRY(measure::fit_engine(points, *cost::find_engine(family), 0));
      fmt::print("{}\n", family);
      for (const auto& c : fit.constants)
        fmt::print("  {:20} {:12.3f} us  ± {:.2f}\n", c.name, 1e6 * c.seconds, c.log_error);
      fmt::print("  fit      {}\n  held out {}\n", show(fit.fit), show(fit.held_out));
      fmt::print("  bands ttft {:.3f} {:.3f} tpot {:.3f} {:.3f}\n", fit.engine.ttft_band.low,
                 fit.engine.ttft_band.high, fit.engine.tpot_band.low, fit.engine.tpot_band.high);
      fitted.push_back(fit.engine);
      for (const auto& [name, e] : fit.by_model) fmt::print("    {:28} {}\n", name, show(e));
    }
    if (arguments.size() > 3) {
      std::string out = "id,group,metric,measured,predicted\n";
      for (const auto& p : points) {
        if (!p.reason.empty()) continue;
        cost::Engine engine = p.step->engine();
        for (const cost::Engine& f : fitted) {
          if (f.family == engine.family) measure::take_constants(engine, f);
        }
        const auto r = measure::predict(p, engine);
        if (p.ttft_ms)
          out += fmt::format("{},{},ttft_mean,{},{}\n", p.label, p.group, *p.ttft_ms,
                             1e3 * r.ttft_mean.raw());
        if (p.tpot_ms)
          out += fmt::format("{},{},tpot_mean,{},{}\n", p.label, p.group, *p.tpot_ms,
                             1e3 * r.tpot_mean.raw());
      }
      return write_file(arguments[3], out, true);
    }
  }
  if (arguments.size() > 3 && arguments[2] == "rows") {
    std::string out = "id,group,metric,measured,predicted\n";
    for (const auto& s : scored) {
      if (s.predicted)
        out +=
            fmt::format("{},{},{},{},{}\n", s.label, s.group, s.metric, s.measured, *s.predicted);
    }
    return write_file(arguments[3], out, true);
  }
  return {};
}

}  // namespace
}  // namespace portolan

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc < 2) {
    fmt::print(stderr, "usage: engine_fit_tool TABLE [rows OUT.csv | fit]\n");
    return 2;
  }
  const auto done = portolan::run(arguments);
  if (!done) {
    fmt::print(stderr, "{}", portolan::format_error(done.error()));
    return 1;
  }
  return 0;
}
