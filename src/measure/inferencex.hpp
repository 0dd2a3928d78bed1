// The table of InferenceX runs: closed-loop serving points of vLLM, SGLang and TensorRT-LLM, with
// their layouts and launch settings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cost/profile.hpp"
#include "hardware/accelerator.hpp"
#include "io/text_formats.hpp"
#include "measure/serving_point.hpp"
#include "model/library.hpp"

namespace portolan::measure {

/// True when the header is that of this table (measured_ttft_ms, attention_dp, moe_ep, …).
bool is_inferencex(const io::CsvTable& csv);

/// The parallel layout of a row. The table joins the output of three exporters that name one layout
/// differently; runs that appear twice (same times to the digit, written under two layouts) show
/// what each means:
///   tp 64, moe_tp 8, moe_ep 8            = tp 8, moe_tp 1, moe_ep 8: eight ranks, both products
///                                          of the launch flags multiplied;
///   tp 1, attention_dp 64, moe 8 × 8     = eight attention data-parallel ranks, eight-way experts;
///   tp 4, attention_dp 4, moe_ep 16      = tp 4, attention_dp 1, moe_ep 4 (vLLM before 0.19, whose
///                                          launch scripts did not pass the flag on), or four
///                                          data-parallel ranks (later ones, which did).
struct Layout {
  int tp = 1, ep = 1, attention_dp = 1;
};
struct LayoutColumns {
  int tp = 1, attention_dp = 1, moe_tp = 1, moe_ep = 1;
  bool launch_flags = false;        // moe_tp and moe_ep hold the flags tp_size and ep_size
  bool data_parallel_flag = false;  // the launch script passed attention_dp on (vLLM)
};
Layout layout_of(const LayoutColumns& columns);

/// All rows, in order; unanswerable ones (disaggregated, unknown names) with a reason. `profile`:
/// the kernels' curves, nullptr the shipped ones; it and `accelerators` must outlive the points.
/// Errors: invalid_input naming a missing column.
Result<std::vector<ServingPoint>> read_inferencex(const io::CsvTable& csv, const std::string& file,
                                                  const model::Library& library,
                                                  const hardware::Accelerators& accelerators,
                                                  const cost::Profile* profile = nullptr);

/// Both metrics of all rows.
Result<std::vector<ScoredPoint>> score_inferencex(const io::CsvTable& csv, const std::string& file,
                                                  const model::Library& library,
                                                  const hardware::Accelerators& accelerators,
                                                  unsigned threads,
                                                  const cost::Profile* profile = nullptr);

}  // namespace portolan::measure
