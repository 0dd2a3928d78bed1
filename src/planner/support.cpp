#include "planner/support.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/text.hpp"
#include "model/numeric_format.hpp"

namespace portolan::planner {
namespace {

using market::EngineSupport;

bool lists(const EngineSupport& row, std::string_view word) {
  const std::vector<std::string_view> words = split(row.formats, ' ');
  return std::find(words.begin(), words.end(), word) != words.end();
}

int doubt(std::string_view confidence) {
  if (confidence == "measured") return 0;
  return confidence == "documented" ? 1 : 2;
}

// "vllm" and "vllm-0.15" ask for the row "vllm"; "vllm-tpu" is an engine of its own.
bool is_engine(const EngineSupport& row, std::string_view wanted) {
  if (row.engine == wanted) return true;
  if (!wanted.starts_with(row.engine) || wanted.size() < row.engine.size() + 2) return false;
  const char next = wanted[row.engine.size() + 1];
  return wanted[row.engine.size()] == '-' && next >= '0' && next <= '9';
}

auto preference(const EngineSupport& row) {
  const bool modelled = row.engine.starts_with("vllm") || row.engine == "megatron-lm";
  return std::tuple(!modelled, doubt(row.confidence), row.advise_proof_of_concept,
                    std::string_view(row.engine));
}

}  // namespace

std::string_view support_word(model::Format format) {
  using model::Format;
  switch (format) {
    case Format::kFp32:
    case Format::kTf32:
      return "fp32";
    case Format::kBf16:
      return "bf16";
    case Format::kFp16:
      return "fp16";
    case Format::kFp8:
    case Format::kFp8Block:
      return "fp8";
    case Format::kInt8:
    case Format::kInt8WeightOnly:
      return "int8";
    case Format::kInt4:
    case Format::kNf4:
      return "int4";
    case Format::kNvfp4:
    case Format::kMxfp4:
      return "fp4";
    case Format::kExact:
      return "";
  }
  return "";
}

std::variant<Support, NoSupport> find_support(std::span<const EngineSupport> table,
                                              std::string_view job,
                                              const hardware::Accelerator& accelerator,
                                              model::Format format,
                                              const std::optional<std::string>& wanted_engine) {
  std::vector<const EngineSupport*> rows;
  for (const EngineSupport& row : table) {
    if (row.job != job || row.vendor != accelerator.vendor) continue;
    if (wanted_engine && !is_engine(row, *wanted_engine)) continue;
    if (row.architecture != "*" && row.architecture != accelerator.architecture) continue;
    const bool shadowed = row.architecture == "*" &&
                          std::any_of(table.begin(), table.end(), [&](const EngineSupport& other) {
                            return other.job == row.job && other.engine == row.engine &&
                                   other.vendor == row.vendor &&
                                   other.architecture == accelerator.architecture;
                          });
    if (!shadowed) rows.push_back(&row);
  }
  if (rows.empty()) {
    return NoSupport{
        .what = Unsupported::kEngine,
        .lacked = fmt::format("{} is not known to {} on {} {}", wanted_engine.value_or("no engine"),
                              job, accelerator.vendor, accelerator.architecture),
        .change = wanted_engine ? "another engine, or leave engine out" : ""};
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto* a, const auto* b) { return preference(*a) < preference(*b); });
  const std::string_view word = support_word(format);
  for (const EngineSupport* row : rows) {
    // Tensor sizes taken from a GGUF file: only llama.cpp reads all its quantisations.
    if (word.empty() ? row->engine == "llama.cpp" : lists(*row, word)) return Support{row, false};
    // A bf16 checkpoint is loaded as fp16 where bf16 does not exist.
    if (word == "bf16" && lists(*row, "fp16")) return Support{row, true};
  }
  // Of what it has, the format nearest to the usual checkpoint.
  const EngineSupport& first = *rows.front();
  const std::string_view instead = lists(first, "bf16")   ? "bf16"
                                   : lists(first, "fp16") ? "fp16"
                                                          : split(first.formats, ' ').front();
  return NoSupport{
      .what = Unsupported::kFormat,
      .lacked = fmt::format("{} on {} {} has no {} (it has {})", first.engine, accelerator.vendor,
                            accelerator.architecture, model::format_name(format), first.formats),
      .change = fmt::format("precision: [{}]", instead)};
}

}  // namespace portolan::planner
