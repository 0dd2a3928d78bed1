// The tables that the profiler of LLMServingSim writes (layers of one model on one accelerator, by
// tokens), as rows of kernel tables.
#pragma once

#include <string>

#include "base/result.hpp"
#include "measure/table.hpp"
#include "model/library.hpp"

namespace portolan::measure {

/// Whether the header is that of dense, per_sequence, moe, attention, skew or skew_fit.
bool is_profiler_table(const Table& table);

/// The rows with the shapes that the model has at that degree of tensor parallelism; accelerator,
/// model, type and degree are read from the file's name
/// (RTX4090__Llama-3.1-8B__bf16_tp1__dense.csv) or from its folders
/// (RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1/dense.csv). Layers without an operator of the step
/// keep their own name as `op`. Errors: invalid_input when the name does not say what was measured,
/// for a model without the operator and for cells that are no numbers, with file and line;
/// not_found for an unknown model.
Result<Table> as_kernel_rows(const Table& table, const model::Library& models);

}  // namespace portolan::measure
