#include "app/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "app/calibrate_engines.hpp"
#include "app/request.hpp"
#include "base/text.hpp"
#include "measure/kernel_tables.hpp"
#include "measure/power_fit.hpp"
#include "measure/profiler_layout.hpp"
#include "measure/table.hpp"

namespace portolan::app {
namespace {

/// What the rows say of themselves, else the file and the day prices are judged on.
measure::TableSource source_of(const measure::Table& table, const Context& context) {
  measure::TableSource source{.source = table.file(), .date = context.today()};
  const measure::TableRow first(table, 0);
  if (first.has("source")) source.source = first.text("source");
  if (const auto date = parse_date(first.text("date"))) source.date = *date;
  return source;
}

/// The files; profiles of LLMServingSim, whose layers of several models and files make one curve,
/// as one table of kernel rows.
Result<std::vector<measure::Table>> open_tables(const std::vector<std::string>& files,
                                                const Context& context) {
  std::vector<measure::Table> tables;
  std::string profiles;
  io::CsvTable rows;
  for (const std::string& file : files) {
    measure::Table table = PORTOLAN_TRY(measure::Table::open(file));
    if (!measure::is_profiler_table(table)) {
      tables.push_back(std::move(table));
      continue;
    }
    io::CsvTable own = PORTOLAN_TRY(measure::as_kernel_rows(table, context.models())).take_csv();
    profiles = profiles.empty() ? file : "profiles of LLMServingSim";
    rows.header = std::move(own.header);
    std::move(own.rows.begin(), own.rows.end(), std::back_inserter(rows.rows));
    rows.lines.insert(rows.lines.end(), own.lines.begin(), own.lines.end());
  }
  if (!rows.rows.empty()) tables.emplace_back(profiles, std::move(rows));
  return tables;
}

}  // namespace

Result<CalibrateRequest> read_calibrate(const io::Value& request) {
  io::Problems problems;
  io::Fields fields(request, "", problems);
  CalibrateRequest out;
  if (fields.require("data")) out.data = fields.texts("data").value_or(std::vector<std::string>{});
  fields.integer("limit", 0, 1'000'000);  // how the answer is shown is the face's business
  flag(fields, "explain");
  PORTOLAN_DO(finish_request(fields, problems));
  return out;
}

Result<CalibrateAnswer> calibrate(const CalibrateRequest& request, const Context& context) {
  CalibrateAnswer answer;
  answer.envelope.command = "calibrate";
  answer.envelope.catalogue_date = context.catalogue().date();
  CalibrateResult& result = answer.result;
  const hardware::Accelerators& accelerators = context.catalogue().accelerators();
  cost::Profile profile;
  const std::vector<measure::Table> tables = PORTOLAN_TRY(open_tables(request.data, context));
  std::vector<const measure::Table*> serving;
  for (const measure::Table& table : tables) {
    const std::string& file = table.file();
    if (const auto kind = measure::kind_of(table); kind && measure::kind_name(*kind) == "serving") {
      serving.push_back(&table);
      continue;
    }
    PORTOLAN_TRY(measure::kind_for(table, "kernels"));
    result.rows_read += table.size();
    io::CsvTable known = measure::known_kernel_rows(table, accelerators);
    if (known.rows.size() < table.size()) {
      for (std::size_t i = 0; i < table.size(); ++i) {
        const std::string why = measure::unknown_kernel(measure::TableRow(table, i), accelerators);
        if (why.empty()) continue;
        answer.envelope.warnings.push_back(fmt::format("{} of {} rows of {} left out; first: {}",
                                                       table.size() - known.rows.size(),
                                                       table.size(), file, why));
        break;
      }
      result.rows_unknown += table.size() - known.rows.size();
    }
    if (known.rows.empty()) continue;
    context.progress(fmt::format("fitting {} ({} rows)", file, known.rows.size()));
    const measure::KernelTable kernels =
        PORTOLAN_TRY(measure::KernelTable::make(std::move(known), file));
    profile.add(PORTOLAN_TRY(measure::calibrate_kernels(kernels, source_of(table, context),
                                                        accelerators, context.threads())));
    if (kernels.has("power_w") && kernels.has("power_limit_w"))
      profile.add(measure::fit_power(PORTOLAN_TRY(measure::read_power(kernels, accelerators)),
                                     source_of(table, context)));
  }
  if (!serving.empty()) PORTOLAN_DO(calibrate_engines(serving, context, profile, answer));
  context.progress("");
  result.curves = measure::calibration_report(profile);
  result.by_operator = left_out_of(result.curves, false);
  for (const measure::CalibrationLine& line : result.curves) {
    result.rows_fitted += line.rows;
    result.rows_rejected += line.rejected;
  }
  if (result.curves.empty() && result.times.empty()) {
    Error error{
        .code = ErrorCode::kInvalidInput,
        .message = fmt::format("no curve can be fitted to {} rows", result.rows_read),
        .where = {},
        .why = answer.envelope.warnings.empty() ? std::string() : answer.envelope.warnings.front(),
        .hint = "docs/formats/measurements.md describes the operators and their columns",
        .also = {}};
    return fail(std::move(error));
  }
  std::sort(result.curves.begin(), result.curves.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  result.profile = profile.write();
  return answer;
}

}  // namespace portolan::app
