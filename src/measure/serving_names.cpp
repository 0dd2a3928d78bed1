// Names and layouts as tables of serving points write them.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "base/text.hpp"
#include "measure/serving_predict.hpp"

namespace portolan::measure {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Without what stands in brackets.
std::string_view plain(std::string_view name) { return trim(name.substr(0, name.find(" ("))); }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

constexpr std::array<std::string_view, 10> kStoredAs = {
    "-fp8-dynamic", "-fp8-block", "-fp8",  "-nvfp4", "-fp4",
    "-mxfp4",       "-awq",       "-gptq", "-int8",  "-int4"};

/// First versions of engine records by the month they were released (their projects' release
/// pages); rows without a version ran something of their time.
struct Release {
  std::string_view family, month, version;
};
constexpr std::array kReleases = {
    Release{"vllm", "2023-06", "0.2"},      Release{"vllm", "2024-06", "0.5"},
    Release{"vllm", "2024-09", "0.6"},      Release{"vllm", "2025-03", "0.8"},
    Release{"vllm", "2026-01", "0.15"},     Release{"vllm", "2026-06", "0.19"},
    Release{"tensorrt", "2023-10", "0.5"},  Release{"tensorrt", "2024-07", "0.11"},
    Release{"tensorrt", "2024-11", "0.14"}, Release{"tensorrt", "2025-02", "0.17"},
    Release{"tensorrt", "2025-07", "1.0"},
};

}  // namespace

Result<model::Model> find_model(const model::Library& library, std::string_view name) {
  auto exact = library.named(plain(name));
  if (exact) return exact;
  std::string spelling = to_lower(plain(name));
  std::replace(spelling.begin(), spelling.end(), ' ', '-');
  std::replace(spelling.begin(), spelling.end(), '_', '-');
  // "LLaMA v3.1 8B" is llama-3.1-8b.
  for (const char digit : {'1', '2', '3', '4', '5', '6'})
    replace_all(spelling, std::string("-v") + digit + ".", std::string("-") + digit + ".");
  if (auto found = library.named(spelling)) return found;
  const std::string whole = spelling;
  if (const std::size_t slash = spelling.rfind('/'); slash != std::string::npos)
    spelling.erase(0, slash + 1);
  for (const std::string_view suffix : kStoredAs) {
    if (spelling.size() > suffix.size() && spelling.ends_with(suffix)) {
      spelling.resize(spelling.size() - suffix.size());
      break;
    }
  }
  if (spelling != whole) {
    if (auto found = library.named(spelling)) return found;
  }
  return exact;
}

Result<hardware::Resolved> find_accelerator(const hardware::Accelerators& accelerators,
                                            std::string_view name) {
  auto found = accelerators.resolve(name);
  if (found || plain(name) == name) return found;
  return accelerators.resolve(plain(name));
}

const cost::Engine* find_row_engine(const ServingRow& row, std::string_view vendor,
                                    const cost::Profile& profile) {
  const std::string_view name = plain(row.engine);
  if (!row.engine_version.empty()) {
    // A year is no version ("nightly of 2026-02").
    const bool dated = row.engine_version.size() >= 7 && row.engine_version[4] == '-';
    if (!dated) return profile.find_engine(name, row.engine_version, vendor);
  }
  const std::string lower = to_lower(name);
  const std::string_view month = std::string_view(row.date).substr(0, 7);
  std::string_view version;
  for (const Release& release : kReleases) {
    if (!lower.starts_with(release.family)) continue;
    // Dates are those of publication: nobody publishes with an engine of the same day.
    if (version.empty() || (!month.empty() && release.month <= month)) version = release.version;
    if (month.empty()) version = {};
  }
  return profile.find_engine(name, version, vendor);
}

RowLayout row_layout(const ServingRow& row, bool mixture_of_experts) {
  const auto whole = [](const std::optional<double>& x) {
    return x && *x >= 1 ? static_cast<int>(std::lround(*x)) : 0;
  };
  RowLayout layout;
  layout.tp = whole(row.tp);
  layout.pp = whole(row.pp);
  layout.ep = whole(row.ep);
  const int dp = row.note_number("dp") ? static_cast<int>(std::lround(*row.note_number("dp"))) : 1;
  const int count = std::max({1, whole(row.gpu_count), layout.tp * std::max(1, layout.pp)});
  const std::string how = to_lower(row.note("parallelism") + " " + row.note("par"));
  const bool pipeline = contains(how, "pipeline") || contains(how, "pp");
  const bool tensor = contains(how, "tensor") || contains(how, "tp") || contains(how, "hybrid");
  const bool expert = contains(how, "ep") || contains(how, "expert");
  if (layout.tp == 0 && layout.pp == 0 && pipeline && tensor) {
    layout.tp = std::min(count, 2);  // hybrids of the tables are two by count/2
    layout.pp = count / layout.tp;
  }
  if (layout.tp == 0 && pipeline && !tensor) layout.tp = 1;
  if (layout.pp == 0) layout.pp = pipeline && layout.tp > 0 ? count / layout.tp : 1;
  if (layout.tp == 0) layout.tp = std::max(1, count / (layout.pp * std::max(1, dp)));
  layout.pp = std::max(1, layout.pp);
  if (!mixture_of_experts) {
    layout.ep = 1;
  } else if (layout.ep == 0) {
    layout.ep = !expert || pipeline       ? 1
                : contains(how, "hybrid") ? std::min(2, layout.tp)
                                          : layout.tp;
  }
  const int used = layout.pp * std::max(layout.tp, layout.ep);
  layout.replicas = std::max(1.0, static_cast<double>(count) / used);
  return layout;
}

}  // namespace portolan::measure
